"""The turns of a delivery in the engine: when it looks again, and when it ends."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb

from functions.delivery import DUE
from functions.messages import DeliveryInput, to_wire
from records import DeliveryWork
from tests.functions.test_replay import Orchestrator, answer, orchestrators

__all__ = ["orchestrators"]

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
IDLE, WAITING = DeliveryWork(), DeliveryWork(wait_seconds=30.0)
INSTANCE = "delivery-1-ops"


class Delivery:
    """A delivery that has looked for work and found this."""

    def __init__(self, orchestrator: Orchestrator, found: DeliveryWork) -> None:
        self._orchestrator = orchestrator
        self._past: list[pb.HistoryEvent] = []
        message = json.dumps(to_wire(DeliveryInput("ops", version="1")))
        (call,) = self.turn(helpers.new_execution_started_event("event_delivery", INSTANCE, message))
        assert call.scheduleTask.name == "plan_delivery"
        self._past.append(helpers.new_task_scheduled_event(call.id, "plan_delivery", call.scheduleTask.input.value))
        (pause,) = self.turn(helpers.new_task_completed_event(call.id, json.dumps(to_wire(found))))
        self.until = pause.createTimer.fireAt.ToDatetime(tzinfo=UTC)
        self._past.append(helpers.new_timer_created_event(pause.id, self.until))
        self.over = helpers.new_timer_fired_event(pause.id, self.until)

    def turn(self, *events: pb.HistoryEvent) -> list[pb.OrchestratorAction]:
        """Return what the orchestration does after some events."""
        new = [helpers.new_orchestrator_started_event(NOON), *events]
        request = pb.OrchestratorRequest(instanceId=INSTANCE, pastEvents=self._past, newEvents=new)
        self._past = [*self._past, *new]
        return answer(self._orchestrator, request)


def status_after(delivery: Delivery, *events: pb.HistoryEvent) -> int:
    (action,) = delivery.turn(*events)
    return action.completeOrchestration.orchestrationStatus


due = helpers.new_event_raised_event(DUE)


def test_it_ends_after_a_minute_in_which_nothing_was_to_be_delivered(orchestrators: dict[str, Orchestrator]) -> None:
    delivery = Delivery(orchestrators["event_delivery"], IDLE)
    assert delivery.until == NOON + timedelta(minutes=1)
    assert status_after(delivery, delivery.over) == pb.ORCHESTRATION_STATUS_COMPLETED


@pytest.mark.parametrize("found", [IDLE, WAITING])
def test_it_looks_again_when_it_is_told_of_something_new(
    orchestrators: dict[str, Orchestrator], found: DeliveryWork
) -> None:
    delivery = Delivery(orchestrators["event_delivery"], found)
    assert status_after(delivery, due) == pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW


def test_it_looks_again_when_something_is_due(orchestrators: dict[str, Orchestrator]) -> None:
    delivery = Delivery(orchestrators["event_delivery"], WAITING)
    assert delivery.until == NOON + timedelta(seconds=30)
    assert status_after(delivery, delivery.over) == pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW


def test_it_is_told_of_something_new_during_another_turn(orchestrators: dict[str, Orchestrator]) -> None:
    message = json.dumps(to_wire(DeliveryInput("ops", version="1")))
    started = helpers.new_execution_started_event("event_delivery", INSTANCE, message)
    request = pb.OrchestratorRequest(
        instanceId=INSTANCE, newEvents=[helpers.new_orchestrator_started_event(NOON), started, due]
    )
    (call,) = answer(orchestrators["event_delivery"], request)
    request.pastEvents.extend([*request.newEvents, helpers.new_task_scheduled_event(call.id, "plan_delivery")])
    del request.newEvents[:]
    completed = helpers.new_task_completed_event(call.id, json.dumps(to_wire(IDLE)))
    request.newEvents.extend([helpers.new_orchestrator_started_event(NOON), completed])
    *_, action = answer(orchestrators["event_delivery"], request)
    assert action.completeOrchestration.orchestrationStatus == pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW
