"""Recorded histories, replayed step by step with the current orchestrators.

A run that began under an older version continues under this one after a deployment: at every point of its history, the
current code must schedule the same actions as the old code. A folder has the name of the version, with a prefix for
engines other than the SDK's: ``azure_storage`` is the Durable extension, which has its own failures, timers and traces.
"""

import asyncio
import base64
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import pytest
from durabletask.internal import orchestrator_service_pb2 as pb
from google.protobuf import json_format

from functions import delivery, orchestration

_VERSIONS = ("1.0", "1.1", "1.2", "azure_storage-1.1", "azure_storage-1.2")
RECORDED = sorted((Path(__file__).parent / "histories").glob("*/*.json"))
SCHEDULED = {
    "taskScheduled": "scheduleTask",
    "subOrchestrationInstanceCreated": "createSubOrchestration",
    "timerCreated": "createTimer",
}

type Orchestrator = Callable[[str], Coroutine[Any, Any, str]]


@pytest.fixture(scope="module")
def orchestrators() -> dict[str, Orchestrator]:
    app = df.DFApp()
    app.register_functions(orchestration.blueprint)
    app.register_functions(delivery.blueprint)
    return {str(function.get_function_name()): function.get_user_function() for function in app.get_functions()}


def history_of(file: Path) -> list[pb.HistoryEvent]:
    request = json_format.Parse(file.read_text(), pb.OrchestratorRequest())
    return [*request.pastEvents, *request.newEvents]


def steps(events: list[pb.HistoryEvent]) -> Iterator[tuple[pb.OrchestratorRequest, list[tuple[str, str]]]]:
    """Yield each request of the engine, with the kinds and names of the actions that were scheduled in response."""
    starts = [number for number, event in enumerate(events) if event.HasField("orchestratorStarted")]
    for start, end in zip(starts, [*starts[1:], len(events)], strict=True):
        step = events[start:end]
        scheduled = [event for event in step if event.WhichOneof("eventType") in SCHEDULED]
        received = [event for event in step if event not in scheduled and not event.HasField("orchestratorCompleted")]
        yield (
            pb.OrchestratorRequest(instanceId="replayed", pastEvents=events[:start], newEvents=received),
            [_scheduled(event) for event in scheduled],
        )


def _scheduled(event: pb.HistoryEvent) -> tuple[str, str]:
    kind = str(event.WhichOneof("eventType"))
    return SCHEDULED[kind], getattr(getattr(event, kind), "name", "")


def answer(function: Orchestrator, request: pb.OrchestratorRequest) -> list[pb.OrchestratorAction]:
    response = pb.OrchestratorResponse()
    encoded = asyncio.run(function(base64.b64encode(request.SerializeToString()).decode()))
    response.ParseFromString(base64.b64decode(encoded))
    return list(response.actions)


def test_histories_of_this_version_and_earlier_ones_are_recorded() -> None:
    assert {f"{file.parent.name}/{file.stem}" for file in RECORDED} >= {
        *(f"{version}/{name}" for version in _VERSIONS for name in ("run", "grouped_run", "group")),
        *(f"{version}/delivery" for version in ("1.2", "azure_storage-1.2")),
        *(f"azure_storage-1.0/{name}" for name in ("run", "retried_run", "grouped_run")),
        *(f"azure_storage-1.0/grouped_run-sub000{number}" for number in (4, 5)),
    }


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_recorded_history_replays_step_by_step_to_its_end(file: Path, orchestrators: dict[str, Orchestrator]) -> None:
    events = history_of(file)
    (started,) = [event.executionStarted for event in events if event.HasField("executionStarted")]
    *_, version = file.parent.name.split("-")
    assert started.version.value == version
    actions: list[pb.OrchestratorAction] = []
    for request, scheduled in steps(events):
        actions = answer(orchestrators[started.name], request)
        kinds = [str(action.WhichOneof("orchestratorActionType")) for action in actions]
        if scheduled:
            names = [getattr(getattr(action, kind), "name", "") for action, kind in zip(actions, kinds, strict=True)]
            assert list(zip(kinds, names, strict=True)) == scheduled
    ends = {"event_delivery": pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW}
    end = ends.get(started.name, pb.ORCHESTRATION_STATUS_COMPLETED)
    assert [action.completeOrchestration.orchestrationStatus for action in actions] == [end]


def test_a_history_that_does_not_match_fails_the_replay(orchestrators: dict[str, Orchestrator]) -> None:
    events = history_of(Path(__file__).parent / "histories" / "1.0" / "run.json")
    for event in events:
        if event.taskScheduled.name == "load_prices":
            event.taskScheduled.name = "load_something_else"
    *_, (request, _) = steps(events)
    (action,) = answer(orchestrators["portfolio_analysis"], request)
    assert action.completeOrchestration.orchestrationStatus == pb.ORCHESTRATION_STATUS_FAILED
    assert "NonDeterminism" in action.completeOrchestration.failureDetails.errorType
