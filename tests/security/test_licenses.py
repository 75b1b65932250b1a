"""Every runtime dependency's license is listed in docs/licenses.md, as the installed package declares it."""

import re
from importlib.metadata import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LINE = re.compile(r"^\| `(?P<name>[^`]+)` \| (?P<license>[^|]+) \|$", re.MULTILINE)
# Licenses that require only a notice, or, for changes of the package itself, their publication (MPL, LGPL); those of
# fonts (OFL) allow any use but their sale by themselves. See decision 0039.
HARMLESS = {
    "MIT", "MIT-0", "MIT License", "Apache-2.0", "Apache Software License", "BSD-2-Clause", "BSD-3-Clause",
    "BSD License", "3-Clause BSD License", "0BSD", "ISC", "Zlib", "CC0-1.0", "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)", "LGPL-3.0-only", "MIT-CMU", "OFL-1.1", "SIL OFL V1.1",
    "Python Software Foundation License",
}  # fmt: skip


def required() -> list[str]:
    names = re.findall(
        r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
    assert len(names) > 20
    return names


def license_of(package: str) -> str:
    fields = metadata(package)
    if expression := fields.get("License-Expression"):
        return expression
    classifiers = [line for line in fields.get_all("Classifier") or [] if line.startswith("License ::")]
    names = [line.rpartition(" :: ")[2] for line in classifiers] or [
        (fields.get("License") or "unknown").splitlines()[0]
    ]
    return ", ".join(names)


def listed() -> dict[str, str]:
    return {found["name"]: found["license"] for found in LINE.finditer((ROOT / "docs" / "licenses.md").read_text())}


def test_exactly_the_runtime_dependencies_are_listed() -> None:
    assert list(listed()) == sorted(required()), "python -m tests.security.test_licenses rewrites the list"


@pytest.mark.parametrize("package", required())
def test_a_license_is_the_one_the_package_declares_and_harmless(package: str) -> None:
    assert listed()[package] == license_of(package)
    assert set(re.split(r" AND | OR |, ", license_of(package))) <= HARMLESS


def test_every_dependency_is_pinned_with_hashes_and_names_no_index() -> None:
    for name in (
        "requirements.txt",
        "requirements-local.txt",
        "requirements-dev.txt",
        "benchmarks/requirements-peers.txt",
    ):
        text = (ROOT / name).read_text()
        blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
        assert all("==" in block and "--hash=sha256:" in block for block in blocks), name
        assert "http" not in re.sub(r"^(httpx?|httpcore|[a-z0-9-]*http[a-z0-9-]*)==", "", text, flags=re.MULTILINE), (
            name
        )


if __name__ == "__main__":
    rows = "".join(f"| `{name}` | {license_of(name)} |\n" for name in sorted(required()))
    page = ROOT / "docs" / "licenses.md"
    head = page.read_text().partition("| package |")[0]
    page.write_text(f"{head}| package | license |\n| --- | --- |\n{rows}")
