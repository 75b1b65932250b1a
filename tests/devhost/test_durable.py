from pathlib import Path

import pytest
from durabletask.testing import InMemoryOrchestrationBackend

from devhost.durable import LocalBackend
from tests.devhost.harness import Host, eventually, running_host


def test_a_thousand_activities_fan_out_and_in(host: Host) -> None:
    outcome = host.outcome(host.run("fan_out", 1000))
    assert outcome == {"status": "COMPLETED", "output": 2 * sum(range(1000)), "failure": None}


def test_a_failing_activity_is_retried_by_its_policy(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        outcome = host.outcome(host.run("calls", {"activity": "fails_twice", "input": "done", "retry": True}))
        assert outcome["output"] == "done"
        assert host.notes("attempts") == ["done"] * 3


@pytest.mark.parametrize(
    ("activity", "error_type", "message"),
    [
        ("fails", "LookupError", "LookupError"),
        ("fails_with_two_lines", "LookupError", "first line"),
        ("nowhere", "FunctionNotFound", "The function 'nowhere' doesn't exist, is disabled, or is not an activity"),
    ],
)
def test_an_orchestrator_sees_type_and_message_of_a_failure(
    host: Host, activity: str, error_type: str, message: str
) -> None:
    output = host.outcome(host.run("calls", {"activity": activity, "input": None, "retry": False}))["output"]
    assert output["error_type"] == error_type
    assert output["message"].startswith(message)
    assert "\n" not in output["message"]


def test_an_unknown_orchestrator_fails_its_instance(host: Host) -> None:
    outcome = host.outcome(host.run("nowhere", None))
    assert outcome["status"] == "FAILED"
    assert outcome["failure"].startswith("The function 'nowhere' doesn't exist, is disabled, or is not an orchestrator")


def test_an_activity_registered_under_another_name_is_found_by_it(host: Host) -> None:
    outcome = host.outcome(host.run("calls", {"activity": "other_name", "input": None, "retry": False}))
    assert outcome["output"] == "found"


def test_no_more_activities_run_at_once_than_host_json_allows(tmp_path: Path) -> None:
    with running_host(tmp_path, PYTHON_THREADPOOL_THREAD_COUNT="8") as host:
        assert host.outcome(host.run("occupy_often", 12))["status"] == "COMPLETED"
        spans = [tuple(map(float, line.split())) for line in host.notes("occupied")]
    assert len(spans) == 12
    assert 1 < max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) <= 4


def test_a_parent_waits_for_a_sub_orchestration_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float | None] = []
    monkeypatch.setattr(InMemoryOrchestrationBackend, "_wait_for_state", lambda *given: waited.append(given[-1]))
    backend = LocalBackend(default_version=None)
    backend._watch_sub_orchestration("parent", "child", 1)  # noqa: SLF001 - where the SDK waits
    eventually(lambda: waited)
    assert waited[0] is not None
    assert waited[0] > 24 * 60 * 60
