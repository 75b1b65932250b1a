"""The deployment package: built, unpacked in an empty folder, and run with nothing but its content.

The worker finds the app's packages only in ``.python_packages``, as in Azure.
"""

import asyncio
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from devhost import protos
from devhost.messages import HttpRequest, HttpResponse
from devhost.worker_folder import worker_folder
from devhost.worker_pool import Worker
from functions.orchestration import MAX_FAN_OUT
from stores.mongo import connect
from tests.deployed import deployed_files
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, SECRET, App, running_app
from tests.infra.bicep import ROOT
from tests.test_function_app import INDEX, index

ENVIRONMENT = {"MONGODB_URL": "mongodb://localhost", "AZURE_FUNCTIONS_ENVIRONMENT": "Development"}
PACKAGES = Path(".python_packages", "lib", "site-packages")
SETTINGS: dict[str, str] = json.loads((ROOT / "local.settings.json").read_text())["Values"]
USERS = MAX_FAN_OUT + 5
_SAMPLE_USERS = 30


def build(output: Path, umask: int = 0o022, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / "package", sys.executable, output],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        umask=umask,
    )


@pytest.fixture(scope="module")
def output_and_unpacked(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("package")
    # As in a shell that hides the secrets it writes from others.
    done = build(folder / "built" / "package.zip", umask=0o077, DURABLE_BACKEND="scheduler")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(folder / "built" / "package.zip") as archive:
        archive.extractall(folder / "unpacked")
    return done.stdout, folder / "unpacked"


@pytest.fixture(scope="module")
def archive(output_and_unpacked: tuple[str, Path]) -> Iterator[zipfile.ZipFile]:
    with zipfile.ZipFile(output_and_unpacked[1].parent / "built" / "package.zip") as archive:
        yield archive


def test_every_file_is_readable_for_the_host_whatever_the_umask_of_the_shell(archive: zipfile.ZipFile) -> None:
    modes = {entry.external_attr >> 16 for entry in archive.infolist()}
    assert modes == {0o100644}


def test_another_build_of_the_same_commit_is_the_same_file(archive: zipfile.ZipFile, tmp_path: Path) -> None:
    again = tmp_path / "elsewhere" / "again.zip"
    done = build(again, DURABLE_BACKEND="scheduler", TZ="Asia/Tokyo")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(again) as other:
        ours, theirs = ({entry.filename: entry.CRC for entry in each.infolist()} for each in (archive, other))
    assert {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)} == set()
    assert again.read_bytes() == Path(str(archive.filename)).read_bytes()


def test_its_checksum_lies_beside_it(archive: zipfile.ZipFile) -> None:
    package = Path(str(archive.filename))
    subprocess.run(["sha256sum", "--check", "--quiet", "package.zip.sha256"], cwd=package.parent, check=True)  # noqa: S607


def test_its_time_is_that_of_the_commit(archive: zipfile.ZipFile) -> None:
    command = ["git", "log", "-1", "--format=%ct"]
    epoch = int(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    even = datetime.fromtimestamp(epoch - epoch % 2, UTC)  # a zip archive counts every second second
    assert {entry.date_time for entry in archive.infolist()} == {even.timetuple()[:6]}


@pytest.fixture(scope="module")
def bill(archive: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the bill of materials, which two calls write alike."""
    package, folder = Path(str(archive.filename)), tmp_path_factory.mktemp("bill")
    written = []
    for name in ("first.json", "second.json"):
        subprocess.run([sys.executable, ROOT / "scripts" / "sbom", package, folder / name], check=True)
        written.append((folder / name).read_text())
    assert written[0] == written[1]
    parsed: dict[str, Any] = json.loads(written[0])
    return parsed


def test_the_bill_of_materials_lists_exactly_the_packages_in_it(bill: dict[str, Any], unpacked: Path) -> None:
    found = distributions(path=[str(unpacked / PACKAGES)])
    there = {f"pkg:pypi/{re.sub(r'[-_.]+', '-', each.metadata['Name']).lower()}@{each.version}" for each in found}
    listed = {component["purl"] for component in bill["components"]}
    assert {purl for purl in listed if purl.startswith("pkg:pypi/")} == there
    console = json.loads((ROOT / "console" / "package.json").read_text())["dependencies"]
    of_console = {f"pkg:npm/{name}@{version}" for name, version in console.items()}
    assert {purl for purl in listed if purl.startswith("pkg:npm/")} == (
        of_console if (unpacked / "console").exists() else set()
    )


def test_the_bill_of_materials_is_of_this_package_with_licenses_and_dependencies(
    bill: dict[str, Any], archive: zipfile.ZipFile
) -> None:
    checksum = hashlib.sha256(Path(str(archive.filename)).read_bytes()).hexdigest()
    assert bill["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": checksum}]
    assert [each["name"] for each in bill["components"] if not each.get("licenses")] == []
    needs = {each["ref"].partition("@")[0]: each["dependsOn"] for each in bill["dependencies"]}
    assert {each.partition("@")[0] for each in needs["pkg:pypi/httpx"]} >= {"pkg:pypi/anyio", "pkg:pypi/httpcore"}
    references = {each["bom-ref"] for each in bill["components"]}
    assert all(set(others) <= references for others in needs.values())


@pytest.fixture
def unpacked(output_and_unpacked: tuple[str, Path]) -> Path:
    return output_and_unpacked[1]


def test_its_size_is_printed(output_and_unpacked: tuple[str, Path]) -> None:
    assert re.search(r"package\.zip: \d+M \(\d+M unpacked\), sha256 [0-9a-f]{64}$", output_and_unpacked[0].strip())


def test_it_has_the_same_functions_as_the_tree(unpacked: Path) -> None:
    # -S and -I: neither site-packages of this machine nor files of this folder.
    paths = f"import sys; sys.path[:0] = [{str(unpacked)!r}, {str(unpacked / PACKAGES)!r}]\n"
    command = [sys.executable, "-S", "-I", "-c", paths + INDEX]
    done = subprocess.run(command, cwd=unpacked, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(index(**ENVIRONMENT).stdout)


def test_it_contains_exactly_the_requirements(unpacked: Path) -> None:
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


def test_every_module_is_compiled_independently_of_timestamps(unpacked: Path) -> None:
    compiled = {path.name.partition(".")[0]: path for path in (unpacked / "runs" / "__pycache__").glob("*.pyc")}
    assert {path.stem for path in (unpacked / "runs").glob("*.py")} == compiled.keys()
    for path in compiled.values():
        flags = int.from_bytes(path.read_bytes()[4:8], "little")
        assert flags == 0b01, "by hash, unchecked (PEP 552)"
    assert list((unpacked / PACKAGES).rglob("redis/__pycache__/*.pyc"))


def test_it_contains_nothing_unnecessary(unpacked: Path) -> None:
    top = {path.name for path in unpacked.iterdir()} - {"console"}
    assert top == {
        ".python_packages", "__pycache__", "analysis", "correlation.py", "credentials", "delivery", "endpoints.py",
        "fields.py", "function_app.py", "functions", "host.json", "lake", "market_data", "problems.py", "records.py",
        "requirements.txt", "runs", "schedules.py", "settings.py", "stores",
    }  # fmt: skip


def test_tools_that_use_funcignore_deploy_the_same_files(unpacked: Path) -> None:
    ours = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    packed = {path for path in ours if not path.startswith((".python_packages", "console/dist"))}
    assert deployed_files() == packed


def test_built_for_the_scheduler_only_the_engine_differs(unpacked: Path) -> None:
    ours = json.loads((ROOT / "host.json").read_text())
    packed = json.loads((unpacked / "host.json").read_text())
    engine = packed["extensions"]["durableTask"].pop("storageProvider")
    of_the_storage_account = ours["extensions"]["durableTask"].pop("storageProvider")
    assert engine["type"] == "azureManaged"
    assert engine.keys() & of_the_storage_account.keys() == set(), "the Scheduler does not know this member"
    assert packed == ours


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    done = build(tmp_path / "package.zip", DURABLE_BACKEND="sql")
    assert done.returncode == 1
    assert "DURABLE_BACKEND must be storage or scheduler, not sql" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def packaged(output_and_unpacked: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    settings = {name: value for name, value in SETTINGS.items() if not name.endswith("_URL")}
    folder = tmp_path_factory.mktemp("packaged")
    own = {"ADMIN_SECRET": SECRET, "ANALYSIS_PAGE_SIZE": "1"}
    with running_app(folder, output_and_unpacked[1], **settings | own) as app:
        with connect(app.printed("MongoDB at ")) as client:
            users = [f"packaged{number:03}" for number in range(USERS)]
            client["portfolio"].users.insert_many({"user_id": user} for user in users)
            client["portfolio"].holdings.insert_many(
                {"user_id": user, "symbol": "AAPL", "quantity": 1, "avg_price": 100} for user in users
            )
        yield app


@pytest.fixture(scope="module")
def packaged_run(packaged: App) -> dict[str, Any]:
    return packaged.run()


def test_a_whole_run_of_more_pages_than_one_orchestration_takes_works_in_the_package(
    packaged: App, packaged_run: dict[str, Any]
) -> None:
    assert packaged_run["status"] == "completed_with_errors", "the sample contains broken users intentionally"
    assert (packaged_run["users_failed"], packaged_run["symbols_failed"]) == (1, 1)
    pages = USERS + _SAMPLE_USERS
    assert packaged_run["progress"] == {"phase": "done", "pages_done": pages, "pages_total": pages}
    assert packaged.report(packaged_run["run_id"], f"packaged{USERS - 1:03}")["valuation"]["market_value"] > 0


def test_every_route_of_the_package_answers_as_described(packaged: App, packaged_run: dict[str, Any]) -> None:
    document = packaged.client.get("/api/openapi.json").json()
    known = {"{run_id}": packaged_run["run_id"], "{user_id}": "packaged000"}
    answered = set()
    for template, methods in document["paths"].items():
        path = template
        for name, value in known.items():
            path = path.replace(name, value)
        for method in methods:
            answer = packaged.client.request(method, path)
            assert str(answer.status_code) in methods[method]["responses"], (method, template, answer.text)
            assert answer.status_code < 500, (method, template, answer.text)
            answered.add((method.upper(), template))
    assert ("POST", f"{BASE}/trigger-analysis") in answered
    assert len(answered) == sum(len(methods) for methods in document["paths"].values()) >= 13


def test_a_chunked_body_starts_nothing_in_the_package(packaged: App, packaged_run: dict[str, Any]) -> None:
    newest = packaged.client.get(f"{BASE}/analysis-runs").json()["runs"][0]["run_id"]
    packaged.wait(newest)
    answer = packaged.client.post(f"{BASE}/trigger-analysis", content=iter([b'{"dry_run": true}']))
    assert answer.status_code == 411
    assert answer.json()["type"] == "urn:portfolio-analysis:problem:length-required"
    assert packaged.client.get(f"{BASE}/analysis-runs").json()["runs"][0]["run_id"] == newest >= packaged_run["run_id"]


def test_the_timer_of_the_package_starts_a_run(unpacked: Path, tmp_path: Path) -> None:
    settings = {name: value for name, value in SETTINGS.items() if not name.endswith("_URL")}
    with running_app(tmp_path, unpacked, **settings | {"ANALYSIS_SCHEDULE": "* * * * * *"}) as app:
        eventually(lambda: "nightly_analysis: Portfolio analysis triggered by timer" in app.log.read_text())
        eventually(lambda: "Portfolio analysis completed with errors" in app.log.read_text())


def test_a_specialized_worker_reads_its_settings_after_its_environment_is_set(unpacked: Path, tmp_path: Path) -> None:
    late = ENVIRONMENT | {"ADMIN_SECRET": SECRET, "ANALYSIS_SCHEDULE": "0 30 2 * * *"}
    answer = asyncio.run(_specialized(unpacked, tmp_path, late))
    assert (answer.status, json.loads(answer.body)["schedule"]) == (200, "0 30 2 * * *")


def test_a_specialized_worker_names_the_invalid_setting(unpacked: Path, tmp_path: Path) -> None:
    late = ENVIRONMENT | {"ADMIN_SECRET": SECRET, "ANALYSIS_PAGE_SIZE": "abc"}
    with pytest.raises(RuntimeError, match="SettingsError: ANALYSIS_PAGE_SIZE must be"):
        asyncio.run(_specialized(unpacked, tmp_path, late))


async def _specialized(unpacked: Path, standby: Path, late: dict[str, str]) -> HttpResponse:
    """Return the answer of a worker started as a placeholder, which then gets this app and its environment."""
    messages = protos.load()
    early = {"PATH": os.environ["PATH"], "WEBSITE_PLACEHOLDER_MODE": "1"}
    with worker_folder() as folder:
        worker = await Worker.start(folder, early, standby)
        try:
            await worker.ask(worker_init_request=messages.WorkerInitRequest(function_app_directory=str(standby)))
            reload = messages.FunctionEnvironmentReloadRequest(
                environment_variables=late, function_app_directory=str(unpacked)
            )
            reloaded = (
                await worker.ask(function_environment_reload_request=reload)
            ).function_environment_reload_response
            if reloaded.result.status != messages.StatusResult.Success:
                raise RuntimeError(reloaded.result.exception.message)
            functions = {function.name: function for function in await worker.load_functions()}
            url = f"http://127.0.0.1{BASE}/schedule"
            request = HttpRequest("GET", url, headers={"x-admin-secret": SECRET})
            answer = await worker.invoke(functions["get_schedule"], request, "{}", "")
            assert isinstance(answer, HttpResponse)
            return answer
        finally:
            await worker.stop()
