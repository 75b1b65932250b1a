"""Orchestrations and their clients see the same behavior from the in-memory engine and the real extension."""

import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests import real_engine
from tests.devhost.harness import HOST_APP, Host, eventually, running_host

TIMEOUT_SECONDS = 6
ENGINES = ["memory", "extension"]
INVOCATION_FAILED = "Microsoft.Azure.WebJobs.Host.FunctionInvocationException"
NO_REASON = {"error_type": "", "message": "", "inner": None}
CAUSED = {
    "error_type": "builtins.ValueError",
    "message": "first line\nsecond line",
    "inner": {"error_type": "builtins.KeyError", "message": "'cause'", "inner": None},
}


@pytest.fixture(scope="module", params=ENGINES)
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Yield a host with a function timeout of a few seconds, on each engine."""
    folder = tmp_path_factory.mktemp(request.param)
    app = folder / "app"
    shutil.copytree(HOST_APP, app)
    settings = json.loads((app / "host.json").read_text()) | {"functionTimeout": f"00:00:{TIMEOUT_SECONDS:02}"}
    (app / "host.json").write_text(json.dumps(settings))
    environment = real_engine.environment(folder) if request.param == "extension" else {}
    with running_host(folder, app, FUNCTIONS_WORKER_PROCESS_COUNT="2", **environment) as running:
        yield running


def failure_of(host: Host, activity: str) -> Any:  # noqa: ANN401 - any JSON
    """Return an activity's failure as an orchestration sees it."""
    return host.outcome(host.run("calls", {"activity": activity, "input": activity, "retry": False}))["output"]


def test_a_run_goes_through_its_activities_to_its_result(host: Host) -> None:
    outcome = host.outcome(host.run("fan_out", 20))
    assert outcome == {"status": "COMPLETED", "output": 2 * sum(range(20)), "failure": None}


def test_a_timer_of_an_execution_that_began_again_does_not_reach_the_next_one(host: Host) -> None:
    # Which is in an activity with the number of the timer then.
    outcome = host.outcome(host.run("begins_again", True))
    assert outcome == {"status": "COMPLETED", "output": "the next one", "failure": None}


@pytest.mark.parametrize(
    ("activity", "message"),
    [("fails", ""), ("fails_with_two_lines", "first line"), ("fails_for_a_cause", "not there")],
)
def test_the_failure_of_an_activity_that_raises_has_the_class_and_the_first_line_but_no_cause(
    host: Host, activity: str, message: str
) -> None:
    assert failure_of(host, activity) == {"error_type": "LookupError", "message": message, "inner": None}


def test_the_failure_of_an_activity_whose_worker_dies_has_the_cause_as_inner_failure(host: Host) -> None:
    failure = failure_of(host, "dies")
    assert failure["error_type"] == INVOCATION_FAILED
    assert re.fullmatch(r"Exception while executing function: (Functions\.)?dies", failure["message"])
    # The program's class of that name has no namespace.
    assert failure["inner"]["error_type"].rpartition(".")[2] == "WorkerProcessExitException"
    assert re.fullmatch(r"worker process \d+ exited with code 9", failure["inner"]["message"])


def test_the_failure_of_an_activity_that_takes_too_long_is_the_hosts_own_error(host: Host) -> None:
    failure = failure_of(host, "slow_at_first")
    assert failure["error_type"] == "Microsoft.Azure.WebJobs.Host.FunctionTimeoutException"
    assert failure["message"].startswith(f"Timeout value of 00:00:0{TIMEOUT_SECONDS} ")


def test_an_activity_whose_failure_cannot_be_serialized_ends_its_worker_and_the_reason_is_logged(host: Host) -> None:
    failure = failure_of(host, "fails_unserializably")
    assert failure["inner"]["message"].endswith("exited with code 1")
    assert "surrogates not allowed" in host.log()


def test_the_failure_of_an_activity_that_does_not_exist_has_no_reason(host: Host) -> None:
    assert failure_of(host, "nowhere") == NO_REASON


def test_the_failure_of_a_sub_orchestration_that_does_not_exist_has_no_reason(host: Host) -> None:
    assert host.outcome(host.run("calls_another", "nowhere"))["output"] == NO_REASON


def test_the_failure_of_a_sub_orchestration_that_raises_has_the_class_with_its_module_the_text_and_the_cause(
    host: Host,
) -> None:
    assert host.outcome(host.run("calls_another", "fails_itself"))["output"] == CAUSED


def test_each_orchestration_adds_its_own_failure_to_a_nested_one(host: Host) -> None:
    assert host.outcome(host.run("calls_another", "fails_in_another"))["output"] == {
        "error_type": "durabletask.task.TaskFailedError",
        "message": "Sub-orchestration task #1 failed: first line\nsecond line",
        "inner": CAUSED,
    }


def test_clients_see_the_class_and_text_of_an_orchestrations_error_as_its_output(host: Host) -> None:
    assert host.outcome(host.run("fails_itself", "")) == {
        "status": "FAILED",
        "output": "builtins.ValueError: first line\nsecond line",
        "failure": None,
    }


def test_an_unknown_orchestrator_fails_its_instance_with_a_list_of_the_known_ones(host: Host) -> None:
    outcome = host.outcome(host.run("nowhere", None))
    assert (outcome["status"], outcome["failure"], outcome["output"]["details"]) == ("FAILED", None, None)
    message = outcome["output"]["message"]
    assert message.startswith("The function 'nowhere' doesn't exist, is disabled, or is not an orchestrator function.")
    assert "'fan_out'" in message


@pytest.mark.parametrize(("letters", "status"), [(8190, "COMPLETED"), (8191, "FAILED")])
def test_a_custom_status_of_more_than_16_kilobytes_in_utf_16_fails_its_orchestration(
    host: Host, letters: int, status: str
) -> None:
    outcome = host.outcome(host.run("sets_status", "x" * letters))  # plus its two quotes
    assert outcome["status"] == status
    if status == "FAILED":
        assert outcome["output"]["message"] == "Function 'sets_status' failed with an unhandled exception."
        assert "CustomStatus is too large: limit = 16 KB (UTF-16), actual = 16" in outcome["output"]["details"]


def test_a_timer_fires(host: Host) -> None:
    outcome = host.outcome(host.run("sleeps_a_little", 1.5))
    assert outcome["status"] == "COMPLETED"
    assert outcome["output"] > -1  # up to a second early: its delay is truncated to whole seconds


def test_an_orchestrator_that_takes_too_long_is_retried(host: Host) -> None:
    run = host.run("dies_while_orchestrating", 1)
    assert host.outcome(run) == {"status": "COMPLETED", "output": 4, "failure": None}
    first, second, *_ = host.notes("orchestrating")
    assert first != second


def test_an_unknown_orchestration_cannot_be_terminated_but_purged(host: Host) -> None:
    assert (host.manage("unknown", "terminate"), host.manage("unknown", "purge")) == ("NOT_FOUND", "OK")


def test_an_ended_orchestration_cannot_be_terminated_but_purged(host: Host) -> None:
    run = host.run("fan_out", 1)
    host.outcome(run)
    assert (host.manage(run, "terminate"), host.manage(run, "purge")) == ("FAILED_PRECONDITION", "OK")
    assert host.manage(run, "terminate") == "NOT_FOUND"


def test_a_running_orchestration_cannot_be_purged_but_terminated(host: Host) -> None:
    run = host.run("waits_forever", "")
    eventually(lambda: host.client.get(f"/runs/{run}").status_code == 202)
    assert (host.manage(run, "purge"), host.manage(run, "terminate")) == ("FAILED_PRECONDITION", "OK")
    assert host.outcome(run) == {"status": "TERMINATED", "output": None, "failure": None}
    assert host.manage(run, "purge") == "OK"
