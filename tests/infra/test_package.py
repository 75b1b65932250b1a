"""The deployment package: built, unpacked in an empty folder, and indexed with nothing but what is in it."""

import json
import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.infra.bicep import ROOT
from tests.test_function_app import INDEX, index

ENVIRONMENT = {"MONGODB_URL": "mongodb://localhost", "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}
PACKAGES = Path(".python_packages", "lib", "site-packages")


def build(output: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "package", sys.executable, output],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def said_and_unpacked(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("package")
    done = build(folder / "built" / "package.zip", DURABLE_BACKEND="scheduler")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(folder / "built" / "package.zip") as archive:
        archive.extractall(folder / "unpacked")
    return done.stdout, folder / "unpacked"


@pytest.fixture
def unpacked(said_and_unpacked: tuple[str, Path]) -> Path:
    return said_and_unpacked[1]


def test_its_size_is_told(said_and_unpacked: tuple[str, Path]) -> None:
    assert re.search(r"package\.zip: \d+M \(\d+M unpacked\), sha256 [0-9a-f]{64}$", said_and_unpacked[0].strip())


def test_it_has_the_same_functions_as_the_tree(unpacked: Path) -> None:
    # -S and -I: no site-packages of this machine, nothing of this folder.
    paths = f"import sys; sys.path[:0] = [{str(unpacked)!r}, {str(unpacked / PACKAGES)!r}]\n"
    command = [sys.executable, "-S", "-I", "-c", paths + INDEX]
    done = subprocess.run(command, cwd=unpacked, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(index(**ENVIRONMENT).stdout)


def test_it_has_exactly_what_is_required(unpacked: Path) -> None:
    pinned = set(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    installed = {(found.metadata["Name"], found.version) for found in distributions(path=[str(unpacked / PACKAGES)])}
    normal = {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in installed}
    assert normal <= pinned
    assert {name for name, _ in pinned} - {name for name, _ in normal} <= _not_for_linux()


def _not_for_linux() -> set[str]:
    marked = re.findall(
        r"^([a-z0-9-]+)==\S+ ; .*(?:win32|Windows|PyPy')", (ROOT / "requirements.txt").read_text(), re.MULTILINE
    )
    return set(marked)


def test_every_module_is_compiled_so_that_other_dates_do_not_matter(unpacked: Path) -> None:
    compiled = {path.name.partition(".")[0]: path for path in (unpacked / "functions" / "__pycache__").glob("*.pyc")}
    assert {path.stem for path in (unpacked / "functions").glob("*.py")} == compiled.keys()
    for path in compiled.values():
        flags = int.from_bytes(path.read_bytes()[4:8], "little")
        assert flags == 0b01, "by hash, unchecked (PEP 552)"
    assert list((unpacked / PACKAGES).rglob("redis/__pycache__/*.pyc"))


def test_nothing_is_in_it_that_the_app_does_not_need(unpacked: Path) -> None:
    top = {path.name for path in unpacked.iterdir()} - {"console"}
    assert top == {
        ".python_packages", "__pycache__", "analysis", "function_app.py", "functions", "host.json", "market_data",
        "requirements.txt", "schedules.py", "settings.py", "stores",
    }  # fmt: skip


def test_tools_that_go_by_funcignore_deploy_the_same_files(unpacked: Path) -> None:
    tracked = set(git("ls-files"))
    left = tracked - set(git("ls-files", "--cached", "--ignored", "--exclude-from=.funcignore"))
    ours = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    packed = {path for path in ours if not path.startswith((".python_packages", "console/dist"))}
    assert left == packed


def git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    return done.stdout.splitlines()


def test_built_for_the_scheduler_only_the_engine_differs(unpacked: Path) -> None:
    ours = json.loads((ROOT / "host.json").read_text())
    packed = json.loads((unpacked / "host.json").read_text())
    engine = packed["extensions"]["durableTask"].pop("storageProvider")
    of_the_storage_account = ours["extensions"]["durableTask"].pop("storageProvider")
    assert engine["type"] == "azureManaged"
    assert engine.keys() & of_the_storage_account.keys() == set(), (
        "it would be a member that the Scheduler does not know"
    )
    assert packed == ours


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    done = build(tmp_path / "package.zip", DURABLE_BACKEND="sql")
    assert done.returncode == 1
    assert "DURABLE_BACKEND must be storage or scheduler, not sql" in done.stderr
    assert list(tmp_path.iterdir()) == []
