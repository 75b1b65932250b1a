"""The CronJob follows its schema and good practice, and its script is executed."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from records import Run, Trigger
from stores.mongo import DocumentDatabase
from stores.runs import RunLease, RunStore
from tests.conftest import free_port
from tests.devhost.harness import eventually
from tests.end_to_end.app import SECRET, App
from tests.infra.bicep import INFRA

CRONJOB: dict[str, Any] = yaml.safe_load((INFRA / "kubernetes" / "cronjob.yaml").read_text())
JOB = CRONJOB["spec"]["jobTemplate"]["spec"]
POD = JOB["template"]["spec"]
(CONTAINER,) = POD["containers"]


@pytest.mark.parametrize("version", ["1.30", "1.33", "1.35"])
def test_it_is_valid_for_the_api_of_kubernetes(version: str) -> None:
    kubernetes_validate.validate(CRONJOB, version, strict=True)


def test_two_never_run_at_once_and_none_runs_forever() -> None:
    assert CRONJOB["spec"]["concurrencyPolicy"] == "Forbid"
    assert (POD["restartPolicy"], JOB["backoffLimit"], JOB["activeDeadlineSeconds"]) == ("Never", 3, 36000)
    assert (CRONJOB["spec"]["schedule"], CRONJOB["spec"]["timeZone"]) == ("0 1 * * *", "Etc/UTC")


def test_its_container_has_no_privileges() -> None:
    assert POD["automountServiceAccountToken"] is False
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_secret_comes_from_a_secret() -> None:
    (given,) = [variable for variable in CONTAINER["env"] if variable["name"] == "ADMIN_SECRET"]
    assert given["valueFrom"] == {"secretKeyRef": {"name": "portfolio-analysis-trigger", "key": "admin-secret"}}


def test_its_image_is_named_by_its_digest() -> None:
    assert re.fullmatch(r"docker\.io/curlimages/curl:\d+\.\d+\.\d+@sha256:[0-9a-f]{64}", CONTAINER["image"])


def test_the_key_of_its_request_is_that_of_one_job_not_of_its_name() -> None:
    (given,) = [variable for variable in CONTAINER["env"] if variable["name"] == "JOB"]
    assert given["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['batch.kubernetes.io/controller-uid']"


def run(url: str, job: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script as the kubelet would, without the pauses."""
    known = {variable["name"]: variable.get("value", "") for variable in CONTAINER["env"]}
    known |= {"URL": url, "RETRIES": "1", "PAUSE_SECONDS": "1", "WAIT_SECONDS": "1", "JOB": job, "ADMIN_SECRET": SECRET}
    return subprocess.run(
        [*CONTAINER["command"], *CONTAINER["args"]],
        env={"PATH": os.environ["PATH"], "no_proxy": "*"} | known | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(autouse=True)
def own_folder_for_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace /tmp in the script by a folder of the test, because each pod has its own /tmp."""
    script = CONTAINER["args"][0].replace("/tmp/", f"{tmp_path}/")  # noqa: S108 - the pod's
    monkeypatch.setitem(CONTAINER, "args", [script])


@pytest.fixture
def url(app: App) -> str:
    return str(app.client.base_url).rstrip("/")


def test_it_starts_a_run_and_a_retry_returns_the_same_one(app: App, url: str) -> None:
    first = run(url, "portfolio-analysis-trigger-1")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.endswith("The run was started.\n")
    again = run(url, "portfolio-analysis-trigger-1")
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert app.wait(yaml.safe_load(first.stdout.splitlines()[0])["run_id"])["status"] != "failed"


def test_a_job_that_is_created_again_under_its_name_starts_a_run_of_its_own(app: App, url: str) -> None:
    started = []
    for uid in ("5f0c31c7-6a3a-4c38-8f51-5f0f8a3a9c01", "5f0c31c7-6a3a-4c38-8f51-5f0f8a3a9c02"):
        done = run(url, uid)
        started.append(yaml.safe_load(done.stdout.splitlines()[0])["run_id"])
        app.wait(started[-1])
    assert started[0] != started[1]


RUN_ID = "run_20260101_010000_abcd"


@pytest.fixture
def start(app_database: DocumentDatabase) -> Iterator[Callable[..., Callable[[], None]]]:
    """Yield a function that lets a run of another client be active, and returns a function that ends it."""
    runs, lease = RunStore(app_database), RunLease(app_database)
    now = datetime.now(UTC)
    run = Run(RUN_ID, "queued", Trigger("http", "somebody"), now)

    def end() -> None:
        runs.delete_queued(run)
        lease.release(RUN_ID)

    def start(user_ids: list[str] | None = None, **requested: Any) -> Callable[[], None]:  # noqa: ANN401 - any member
        runs.create(replace(run, **requested), user_ids)
        eventually(lambda: lease.acquire(RUN_ID, now) is None)  # a run ends before its last step frees the lease
        return end

    yield start
    end()


@pytest.mark.parametrize(
    "requested",
    [{"dry_run": True}, {"user_ids": ["ada-alpha"]}, {"as_of_requested": date(2026, 1, 2)}, {"retry_of": "run_0"}],
    ids=["dry", "one user", "an old date", "a retry"],
)
def test_it_waits_for_the_end_of_a_run_that_is_not_this_nights(
    url: str, start: Callable[..., Callable[[], None]], tmp_path: Path, requested: dict[str, Any], app: App
) -> None:
    end = start(**requested)
    answer = tmp_path / "answer"
    with ThreadPoolExecutor() as threads:
        job = threads.submit(run, url, f"waits for {sorted(requested)}")
        eventually(lambda: answer.exists() and RUN_ID in answer.read_text())
        end()
        done = job.result()
    assert (done.returncode, done.stderr) == (0, "")
    assert "Another run is active: this night's run waits for its end.\n" in done.stdout
    assert done.stdout.endswith("The run was started.\n")
    app.wait(yaml.safe_load(done.stdout.splitlines()[-2])["run_id"])


def test_a_run_of_all_users_is_this_nights_and_needs_no_second_one(
    url: str, start: Callable[..., Callable[[], None]]
) -> None:
    start()
    done = run(url, "another job")
    assert (done.returncode, done.stderr) == (0, "")
    assert RUN_ID in done.stdout
    assert done.stdout.endswith("The active run is this night's: none was started.\n")


def test_the_secret_is_on_no_command_line(url: str, tmp_path: Path) -> None:
    curl = tmp_path / "curl"
    curl.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/arguments\nexec {shutil.which("curl")} "$@"\n')
    curl.chmod(0o755)
    done = run(url, "another job", PATH=f"{tmp_path}:{os.environ['PATH']}", ADMIN_SECRET="not-the-secret")
    assert done.stderr == f"{url} refused with 401.\n"
    arguments = (tmp_path / "arguments").read_text()
    assert "trigger-analysis" in arguments
    assert "not-the-secret" not in arguments


def test_a_wrong_secret_fails_the_job_and_is_not_printed(url: str) -> None:
    done = run(url, "portfolio-analysis-trigger-3", ADMIN_SECRET="not-the-secret")
    assert (done.returncode, done.stderr) == (1, f"{url} refused with 401.\n")
    assert "not-the-secret" not in done.stdout + done.stderr


def test_a_server_that_is_down_fails_the_job() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = run(url, "portfolio-analysis-trigger-4")
    assert done.returncode == 1
    assert done.stderr.endswith(f"{url} cannot be reached.\n")
