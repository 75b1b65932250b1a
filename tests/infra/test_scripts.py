"""The scripts that pipelines and people run against an app, executed against a real one."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar, override

import pytest

from devhost.real_host import AZURITE
from stores.mongo import DocumentDatabase
from tests.conftest import free_port
from tests.end_to_end.app import SECRET, App
from tests.infra.bicep import INFRA, ROOT
from tests.infra.workflow import read


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / script, *arguments],
        env=os.environ | {"no_proxy": "*", "PATIENCE": "120"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def url_of(app: App) -> str:
    return str(app.client.base_url)


def test_an_app_that_works_passes_the_smoke_test(app: App) -> None:
    done = run("smoke-test", url_of(app), "dry-run", ADMIN_SECRET=SECRET)
    assert (done.returncode, done.stderr) == (0, "")
    (run_id,) = re.findall(r"Dry run (run_\w+)", done.stdout)
    assert app.status(run_id)["dry_run"] is True
    analyzed = app.status(run_id)["users_analyzed"]
    assert f"{analyzed} of {app.status(run_id)['users_to_analyze']} users analyzed" in done.stdout


def test_an_app_whose_users_are_all_inactive_fails_the_smoke_test(app: App, app_database: DocumentDatabase) -> None:
    active = {"user_id": {"$in": [user["user_id"] for user in app_database["users"].find({"is_active": True})]}}
    app_database["users"].update_many(active, {"$set": {"is_active": False}})
    try:
        done = run("smoke-test", url_of(app), "dry-run", ADMIN_SECRET=SECRET)
    finally:
        app_database["users"].update_many(active, {"$set": {"is_active": True}})
    assert done.returncode == 1
    assert "nobody_to_analyze" in done.stdout + done.stderr


def test_a_run_of_fewer_users_than_demanded_fails_the_smoke_test(app: App) -> None:
    done = run("smoke-test", url_of(app), "dry-run", ADMIN_SECRET=SECRET, MIN_USERS="1000")
    assert done.returncode == 1
    assert "At least 1000 must be analyzed: does the database have users?" in done.stderr


def test_the_sample_users_are_as_many_as_the_pipeline_demands(app: App) -> None:
    workflow = read(ROOT / ".github" / "workflows" / "environment.yml")
    (step,) = [step for step in workflow["jobs"]["deploy"]["steps"] if step.get("name") == "Smoke test"]
    done = run("smoke-test", url_of(app), "dry-run", ADMIN_SECRET=SECRET, **step["env"])
    assert done.returncode == 0, done.stderr


class _Recorder(BaseHTTPRequestHandler):
    """Answers as an app does whose every second status is lost, and keeps the headers of the trigger."""

    triggers: ClassVar[list[Message]] = []
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        lost = "analysis-status" in self.path and len(self.asked) % 2 == 0
        self._answer("" if lost else '{"status": "completed", "users_to_analyze": 2, "users_analyzed": 2}')

    def do_POST(self) -> None:
        self.triggers.append(self.headers)
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer('{"status": "started", "run_id": "run_20260101_010000_abcd"}')

    def _answer(self, body: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    @override
    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def recorder() -> Iterator[str]:
    _Recorder.triggers.clear()
    _Recorder.asked.clear()
    with HTTPServer(("127.0.0.1", 0), _Recorder) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_body_of_the_dry_run_has_a_length_since_the_host_passes_on_no_other(recorder: str) -> None:
    done = run("smoke-test", recorder, "dry-run", ADMIN_SECRET=SECRET)
    assert done.returncode == 0, done.stderr
    (headers,) = _Recorder.triggers
    assert headers["Content-Length"] == str(len('{"dry_run": true}'))
    assert "Transfer-Encoding" not in headers


def test_a_lost_answer_does_not_fail_the_smoke_test(recorder: str) -> None:
    done = run("smoke-test", recorder, "dry-run", ADMIN_SECRET=SECRET)
    assert done.stdout.endswith("completed: 2 of 2 users analyzed\n")
    assert [path.rpartition("/")[0] for path in _Recorder.asked][1:] == ["/api/admin/portfolio/analysis-status"] * 2


def test_the_secret_of_the_smoke_test_is_on_no_command_line(recorder: str, tmp_path: Path) -> None:
    curl = tmp_path / "curl"
    curl.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/arguments\nexec {shutil.which("curl")} "$@"\n')
    curl.chmod(0o755)
    done = run("smoke-test", recorder, "dry-run", ADMIN_SECRET=SECRET, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    assert "trigger-analysis" in (tmp_path / "arguments").read_text()
    assert SECRET not in (tmp_path / "arguments").read_text()


# The README's is the public one of the samples.
TEXTS = [*(ROOT / "docs").glob("*.md"), *(ROOT / "scripts").iterdir(), INFRA / "kubernetes" / "cronjob.yaml"]


@pytest.mark.parametrize("path", TEXTS, ids=[path.name for path in TEXTS])
def test_no_page_and_no_script_puts_a_secret_on_a_command_line(path: Path) -> None:
    assert re.findall(r"""(?:-H|--header) ["']?(?:X-Admin-Secret|Authorization): ?.*""", path.read_text()) == []


def test_health_alone_needs_no_secret(app: App) -> None:
    done = run("smoke-test", url_of(app), "health")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_secret_fails_the_smoke_test_and_is_not_printed(app: App) -> None:
    done = run("smoke-test", url_of(app), "dry-run", ADMIN_SECRET="not-the-secret")
    assert done.returncode == 1
    assert "No run was started" in done.stderr
    assert "urn:portfolio-analysis:problem:unauthorized" in done.stderr
    assert "not-the-secret" not in done.stdout + done.stderr


def test_an_app_that_does_not_answer_fails_the_smoke_test() -> None:
    done = run("smoke-test", f"http://127.0.0.1:{free_port()}", "health", PATIENCE="0")
    assert done.returncode == 1
    assert 'The answer is 000: see docs/operations.md, "Health"' in done.stderr


NEEDED = ("bash", "dirname", "env", "grep", "mkdir")


def programs(folder: Path, **own: str) -> dict[str, str]:
    """Return an environment whose PATH has a few basic programs and these stand-ins."""
    folder.mkdir()
    for name in NEEDED:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    for name, text in own.items():
        (folder / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


def ensure_azurite(tree: Path, environment: dict[str, str], *, there: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script in a separate tree, with this version of Azurite, by default none."""
    (tree / "scripts").mkdir(parents=True)
    script = shutil.copy(ROOT / "scripts" / "ensure-azurite", tree / "scripts")
    if there:
        package = tree / "build" / "azurite" / "node_modules" / "azurite" / "package.json"
        package.parent.mkdir(parents=True)
        package.write_text(json.dumps({"name": "azurite", "version": there}, indent=2))
    return subprocess.run([script], env=environment, capture_output=True, text=True, check=False)


PINNED = AZURITE.package.partition("@")[2]
# A stand-in for npm: records its arguments, and installs that version.
NPM = """
echo "$@" >> "$0.asked"
mkdir -p "$3/node_modules/azurite"
echo '  "version": "{version}",' > "$3/node_modules/azurite/package.json"
"""


def test_an_installed_azurite_is_kept_and_nothing_is_printed(tmp_path: Path) -> None:
    done = ensure_azurite(tmp_path / "tree", programs(tmp_path / "bin"), there=PINNED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("there", ["", "3.36.0"])
def test_a_missing_azurite_or_one_of_another_version_is_installed_as_pinned(tmp_path: Path, there: str) -> None:
    environment = programs(tmp_path / "bin", npm=NPM.format(version=PINNED))
    done = ensure_azurite(tmp_path / "tree", environment, there=there)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Installing Azurite ...\n")
    assert (tmp_path / "bin" / "npm.asked").read_text().startswith("install --prefix build/azurite ")
    assert (tmp_path / "bin" / "npm.asked").read_text().endswith(f" {AZURITE.package}\n")


def test_without_npm_the_remedy_is_printed(tmp_path: Path) -> None:
    done = ensure_azurite(tmp_path / "tree", programs(tmp_path / "bin"))
    assert done.returncode == 1
    assert (len(done.stderr.splitlines()), "Install Node.js" in done.stderr) == (1, True)


def test_a_failed_installation_by_npm_is_reported_and_fails(tmp_path: Path) -> None:
    done = ensure_azurite(tmp_path / "tree", programs(tmp_path / "bin", npm="exit 1"))
    assert done.returncode == 1
    assert f"npm could not install {AZURITE.package}" in done.stderr


def test_tools_installed_for_tests_are_excluded_from_the_repository_and_the_package() -> None:
    assert "build/" in (ROOT / ".gitignore").read_text().splitlines()
    assert "/build" in (ROOT / ".funcignore").read_text().splitlines()


def installed_by(verb: str, venv: Path) -> list[str]:
    """Return the requirement files that a verb installs, in order, where nothing is installed yet."""
    command = ["make", "--dry-run", verb, f"VENV={venv}"]  # one that does not exist
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return re.findall(r"^scripts/install \S+ (\S+)$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("verb", ["demo", "start"])
def test_the_first_verbs_install_only_what_runs_the_app(tmp_path: Path, verb: str) -> None:
    assert installed_by(verb, tmp_path / "venv") == ["requirements-local.txt"]


@pytest.mark.parametrize("verb", ["test", "check"])
def test_the_verbs_of_a_developer_install_the_rest_too(tmp_path: Path, verb: str) -> None:
    assert installed_by(verb, tmp_path / "venv") == ["requirements-local.txt", "requirements-dev.txt"]


# A stand-in for the Python of an environment, as pip writes.
PIP = """#!/usr/bin/env bash
for number in {1..12}; do echo "Collecting package$number==1.0"; done
echo "Installing collected packages: many"
echo "ERROR: the index is not there" >&2
exit EXIT
"""


def install(folder: Path, exit_code: int) -> subprocess.CompletedProcess[str]:
    """Install twelve packages with a stand-in for pip; nothing is a terminal."""
    environment = programs(folder / "bin")
    for name in ("tail", "tee"):
        (folder / "bin" / name).symlink_to(shutil.which(name) or "")
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PIP.replace("EXIT", str(exit_code)))
    python.chmod(0o755)
    requirements = folder / "requirements.txt"
    requirements.write_text("".join(f"package{number}==1.0\n" for number in range(1, 13)))
    command = [ROOT / "scripts" / "install", folder / "venv", requirements]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_an_installation_shows_its_progress(tmp_path: Path) -> None:
    done = install(tmp_path, 0)
    *progress, last = done.stderr.splitlines()
    assert progress == [
        "Installing 12 packages ...",
        "Fetching packages: 10 of 12",
        f"Writing 12 packages to {tmp_path}/venv ...",
    ]
    assert re.fullmatch(r"Installed 12 packages in \d+ s\.", last)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_failed_installation_shows_the_end_of_the_output_and_fails(tmp_path: Path) -> None:
    done = install(tmp_path, 1)
    assert done.returncode == 1
    *_, reason, remedy = done.stderr.splitlines()
    assert reason == "ERROR: the index is not there"
    assert remedy.endswith(f"could not be installed: {tmp_path}/venv/install.log has the whole output.")


CI = (ROOT / ".ci" / "run").read_text()


def ci(folder: Path) -> list[str]:
    """Return the make calls of CI in a checkout in this folder: targets, the end of PATH and DURABLE_HOST."""
    (folder / "checkout" / ".ci").mkdir(parents=True)
    run = shutil.copy(ROOT / ".ci" / "run", folder / "checkout" / ".ci")
    environment = programs(folder / "bin", make='echo "$* ${PATH##*:} ${DURABLE_HOST:-none} CI=$CI"')
    done = subprocess.run([run], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_ci_makes_test_and_check_without_tools_beside_the_checkout(tmp_path: Path) -> None:
    bare = f"{tmp_path / 'bin'} none CI=true"
    assert ci(tmp_path) == [f"test {bare}", f"check {bare}"]


@pytest.mark.parametrize("executable", [True, False])
def test_ci_uses_the_tools_beside_the_checkout_and_an_executable_engine(tmp_path: Path, executable: bool) -> None:
    (beside,) = re.findall(r"^tools=\.\./(\S+)$", CI, re.MULTILINE)
    (program,) = re.findall(r"^ *engine=\$tools/(\S+)$", CI, re.MULTILINE)
    engine = tmp_path / beside / program
    engine.parent.mkdir(parents=True)
    engine.touch(0o755 if executable else 0o644)
    variables = f"{tmp_path / beside} {engine if executable else 'none'} CI=true"
    assert ci(tmp_path) == [f"test {variables}", f"check {variables}"]


IN_BASH = [path for path in (ROOT / "scripts").iterdir() if path.read_text().startswith("#!/usr/bin/env bash\n")]


@pytest.mark.parametrize("script", IN_BASH, ids=[path.name for path in IN_BASH])
def test_a_script_has_no_syntax_error(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)  # noqa: S607
