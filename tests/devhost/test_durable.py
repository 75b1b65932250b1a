import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing import InMemoryOrchestrationBackend
from durabletask.testing.in_memory_backend import OrchestrationInstance

from devhost.memory_backend import LocalBackend
from tests.devhost.harness import Host, eventually, running_host


def test_a_thousand_activities_fan_out_and_in(host: Host) -> None:
    outcome = host.outcome(host.run("fan_out", 1000))
    assert outcome == {"status": "COMPLETED", "output": 2 * sum(range(1000)), "failure": None}


def test_a_failing_activity_is_retried_by_its_policy(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        outcome = host.outcome(host.run("calls", {"activity": "fails_twice", "input": "done", "retry": True}))
        assert outcome["output"] == "done"
        assert host.notes("attempts") == ["done"] * 3


def test_an_activity_registered_under_another_name_is_found_by_it(host: Host) -> None:
    outcome = host.outcome(host.run("calls", {"activity": "other_name", "input": None, "retry": False}))
    assert outcome["output"] == "found"


def test_no_more_activities_run_at_once_than_host_json_allows(tmp_path: Path) -> None:
    with running_host(tmp_path, PYTHON_THREADPOOL_THREAD_COUNT="8") as host:
        assert host.outcome(host.run("occupy_often", 12))["status"] == "COMPLETED"
        spans = [tuple(map(float, line.split())) for line in host.notes("occupied")]
    assert len(spans) == 12
    assert 1 < max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) <= 4


def backend_with(instance_id: str) -> LocalBackend:
    backend = LocalBackend(default_version=None)
    backend.StartInstance(pb.CreateInstanceRequest(instanceId=instance_id, name="any"), None)
    return backend


def test_a_parent_waits_for_a_sub_orchestration_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float | None] = []
    monkeypatch.setattr(InMemoryOrchestrationBackend, "_wait_for_state", lambda *given: waited.append(given[-1]))
    backend_with("parent")._watch_sub_orchestration("parent", "child", 1)  # noqa: SLF001 - where the SDK waits
    eventually(lambda: waited)
    assert waited[0] is not None
    assert waited[0] > 24 * 60 * 60


def test_the_delay_of_a_timer_is_truncated_to_whole_seconds_and_its_history_has_the_due_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    delays: list[float] = []

    class Timer(threading.Timer):
        def __init__(self, interval: float, *rest: Any) -> None:  # noqa: ANN401 - passed on
            delays.append(interval)
            super().__init__(interval, *rest)

    monkeypatch.setattr(threading, "Timer", Timer)
    instance = OrchestrationInstance("waiting", "any", pb.ORCHESTRATION_STATUS_RUNNING)
    due = datetime.now(UTC) + timedelta(hours=1)
    timer = pb.OrchestratorAction(id=1)
    timer.createTimer.fireAt.FromDatetime(due)
    LocalBackend(default_version=None)._process_create_timer_action(instance, timer)  # noqa: SLF001 - as the SDK calls it
    assert delays == [3599]
    (event,) = instance.history
    assert event.timerCreated.fireAt.ToDatetime(tzinfo=UTC) == due
