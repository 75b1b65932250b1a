"""The versions with which the app was tested; after a change of one, every test must run again.

The worker, the SDKs and the engine together decide whether a function is loaded at all, and none of them guarantees
compatibility with the others. So a new version of any of them is a change of the platform.
"""

import json
import re
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

from tests.test_architecture import imports

ROOT = Path(__file__).parent.parent
DECISION = Path("docs", "decisions", "0001-durable-sdk-generation.md")

DEPLOYED = {
    "azure-functions": "2.3.0",
    "azure-functions-durable": "2.0.0rc3",
    "durabletask": "1.12.0",
}
DEVELOPMENT = DEPLOYED | {
    "azure-functions-runtime": "1.3.0",  # the library of Azure's worker for Python 3.13
    "azure-functions-runtime-v1": "1.2.0",  # the messages between host and worker, compiled
}
BUNDLE = {"id": "Microsoft.Azure.Functions.ExtensionBundle.Preview", "version": "[4.45.0, 4.46.0)"}
EXTENSION = "3.19.0"
"""The Durable extension. The tests run the same version if DURABLE_HOST names a program with it."""

WHAT_TO_DO = (
    "This app was not tested with that version. Run everything (make test, make check, make soak on the real engine, "
    f"make bench), then change the list in tests/test_versions.py and the table in {DECISION}."
)


def pinned(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("file", "proven"),
    [("requirements.txt", DEPLOYED), ("requirements-local.txt", DEVELOPMENT), ("requirements-dev.txt", DEVELOPMENT)],
    ids=["deployed", "local", "dev"],
)
def test_the_required_versions_are_the_tested_ones(file: str, proven: dict[str, str]) -> None:
    required = pinned(file)
    assert {name: required.get(name) for name in proven} == proven, WHAT_TO_DO


def test_each_requirement_file_contains_the_smaller_one_with_the_same_versions() -> None:
    deployed, local, everything = map(pinned, ("requirements.txt", "requirements-local.txt", "requirements-dev.txt"))
    assert deployed.items() < local.items() < everything.items()


def test_the_local_requirements_contain_everything_that_the_local_host_and_the_demo_import() -> None:
    local = pinned("requirements-local.txt").keys()
    ours = {path.stem for path in ROOT.iterdir()}
    imported = {name.partition(".")[0] for path in (ROOT / "devhost").rglob("*.py") for name in imports(path)}
    theirs = imported - ours - sys.stdlib_module_names
    assert {"fakeredis", "rich", "starlette"} <= theirs
    packages = packages_distributions()
    assert [name for name in theirs if local.isdisjoint(package.lower() for package in packages[name])] == []


def test_the_installed_versions_are_the_tested_ones() -> None:
    assert {name: version(name) for name in DEVELOPMENT} == DEVELOPMENT, WHAT_TO_DO


def test_the_bundle_of_extensions_is_the_tested_one() -> None:
    assert json.loads((ROOT / "host.json").read_text())["extensionBundle"] == BUNDLE, WHAT_TO_DO


def test_the_decision_names_each_tested_version() -> None:
    named = dict(re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", (ROOT / DECISION).read_text(), re.MULTILINE))
    assert named == DEVELOPMENT | {
        BUNDLE["id"]: BUNDLE["version"],
        "Microsoft.Azure.WebJobs.Extensions.DurableTask": EXTENSION,
    }
