"""A durable engine in virtual time: the real orchestrators, replayed by the real SDK, and any number of instances."""

import json
import traceback
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb

from runs.engine import VERSION
from tests.functions.test_replay import Orchestrator, answer
from tests.virtual_time import VirtualTime

MESSAGE_SECONDS = 0.5
"""The time that the engine takes to pass a message on."""
SLOTS = 4
"""``maxConcurrentActivityFunctions`` of host.json."""
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)

type Activity = Callable[[dict[str, Any]], object]


@dataclass
class _Orchestration:
    name: str
    instance_id: str
    ended: Callable[[str], None]
    past: list[pb.HistoryEvent] = field(default_factory=list)
    new: list[pb.HistoryEvent] = field(default_factory=list)
    is_over: bool = False


@dataclass
class SimulatedEngine:
    """Carries orchestrations, and records attempts of activities that failed and how many ran at once."""

    time: VirtualTime
    orchestrators: dict[str, Orchestrator]
    failed: Counter[str] = field(default_factory=Counter)
    most_at_once: Counter[str] = field(default_factory=Counter)
    longest: Counter[str] = field(default_factory=Counter)
    """The duration in seconds of the longest attempt of each activity."""
    version: str = VERSION
    replays: int = 0
    result: str | None = None
    _queue: deque[Callable[[dict[str, Activity]], None]] = field(default_factory=deque)
    _running: Counter[str] = field(default_factory=Counter)

    def run(self, run_id: str, instances: list[dict[str, Activity]]) -> str:
        """Return the result of a run on app instances, each with its own activities."""
        for activities in instances:
            for _ in range(SLOTS):
                self.time.start(lambda own=activities: self._work(own))  # type: ignore[misc] # bound now
        self._begin("portfolio_analysis", run_id, None, self._end)
        self.time.run()
        assert self.result is not None, "the run did not end"
        return self.result

    def _end(self, result: str) -> None:
        self.result = json.loads(result)

    def _work(self, activities: dict[str, Activity]) -> None:
        while self.time.wait_until(lambda: bool(self._queue) or self.result is not None) and self.result is None:
            self._queue.popleft()(activities)

    def _begin(self, name: str, instance_id: str, text: str | None, ended: Callable[[str], None]) -> None:
        started = _Orchestration(name, instance_id, ended)
        event = helpers.new_execution_started_event(name, instance_id, text, version=self.version)
        self._post(started, event)

    def _post(self, target: _Orchestration, event: pb.HistoryEvent, delay: float = MESSAGE_SECONDS) -> None:
        def deliver() -> None:
            if not target.is_over:
                target.new.append(event)
                self._replay(target)

        self.time.start(deliver, delay)

    def _replay(self, target: _Orchestration) -> None:
        self.replays += 1
        new = [helpers.new_orchestrator_started_event(self._date()), *target.new]
        request = pb.OrchestratorRequest(instanceId=target.instance_id, pastEvents=target.past, newEvents=new)
        target.past, target.new = [*target.past, *new], []
        for action in answer(self.orchestrators[target.name], request):
            self._carry_out(target, action)
        target.past.append(helpers.new_orchestrator_completed_event())

    def _carry_out(self, target: _Orchestration, action: pb.OrchestratorAction) -> None:
        if action.HasField("scheduleTask"):
            task = action.scheduleTask
            target.past.append(helpers.new_task_scheduled_event(action.id, task.name, task.input.value))
            self._queue.append(lambda own: self._act(target, action.id, task, own[task.name]))
        elif action.HasField("createTimer"):
            due = action.createTimer.fireAt.ToDatetime(tzinfo=UTC)
            target.past.append(helpers.new_timer_created_event(action.id, due))
            self._post(target, helpers.new_timer_fired_event(action.id, due), (due - self._date()).total_seconds())
        elif action.HasField("createSubOrchestration"):
            child = action.createSubOrchestration
            target.past.append(
                helpers.new_sub_orchestration_created_event(action.id, child.name, child.instanceId, child.input.value)
            )
            completed = helpers.new_sub_orchestration_completed_event
            self._begin(
                child.name,
                child.instanceId,
                child.input.value,
                lambda result: self._post(target, completed(action.id, result)),
            )
        else:
            complete = action.completeOrchestration
            assert complete.orchestrationStatus == pb.ORCHESTRATION_STATUS_COMPLETED, complete.failureDetails
            target.is_over = True
            target.ended(complete.result.value)

    def _act(self, target: _Orchestration, number: int, task: pb.ScheduleTaskAction, activity: Activity) -> None:
        name, began = task.name, self.time.now
        self._running[name] += 1
        self.most_at_once[name] = max(self.most_at_once[name], self._running[name])
        self.time.sleep(MESSAGE_SECONDS)
        try:
            event = helpers.new_task_completed_event(number, json.dumps(activity(json.loads(task.input.value))))
        except Exception as error:  # noqa: BLE001 - as the host reports it
            self.failed[name] += 1
            failure = pb.TaskFailureDetails(errorType=type(error).__name__, errorMessage=str(error))
            failure.stackTrace.value = "".join(traceback.format_exception(error))
            event = pb.HistoryEvent(
                eventId=-1, taskFailed=pb.TaskFailedEvent(taskScheduledId=number, failureDetails=failure)
            )
        self._running[name] -= 1
        self.longest[name] = max(self.longest[name], round(self.time.now - began))
        self._post(target, event)

    def _date(self) -> datetime:
        return _BEGAN + timedelta(seconds=self.time.now)
