"""The CronJob follows its schema and good practice, and its script is executed."""

import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from records import Run, Trigger
from stores.mongo import DocumentDatabase
from stores.run_lease import RunLease
from stores.runs import RunStore
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


@pytest.fixture
def active_run(app_database: DocumentDatabase) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the id of a run that another client has just started, and a function that ends it."""
    run_id, now = "run_20260101_010000_abcd", datetime.now(UTC)
    run = Run(run_id, "queued", Trigger("http", "somebody"), now)
    RunStore(app_database).create(run, None)
    lease = RunLease(app_database)
    eventually(lambda: lease.acquire(run_id, now) is None)  # a run ends before its last step frees the lease

    def end() -> None:
        RunStore(app_database).delete_queued(run)
        lease.release(run_id)

    yield run_id, end
    end()


def test_it_waits_for_the_end_of_an_active_run(
    url: str, active_run: tuple[str, Callable[[], None]], tmp_path: Path
) -> None:
    run_id, end = active_run
    answer = tmp_path / "answer"
    with ThreadPoolExecutor() as threads:
        job = threads.submit(run, url, "portfolio-analysis-trigger-2")
        eventually(lambda: answer.exists() and run_id in answer.read_text())
        end()
        done = job.result()
    assert (done.returncode, done.stderr) == (0, "")
    assert "A run is active: this night's run waits for its end.\n" in done.stdout
    assert done.stdout.endswith("The run was started.\n")


def test_a_wrong_secret_fails_the_job_and_is_not_printed(url: str) -> None:
    done = run(url, "portfolio-analysis-trigger-3", ADMIN_SECRET="not-the-secret")
    assert (done.returncode, done.stderr) == (1, f"{url} refused with 401.\n")
    assert "not-the-secret" not in done.stdout + done.stderr


def test_a_server_that_is_down_fails_the_job() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = run(url, "portfolio-analysis-trigger-4")
    assert done.returncode == 1
    assert done.stderr.endswith(f"{url} cannot be reached.\n")
