"""The delivery of events to one endpoint: what is due, in lots, each attempt on record before the next lot.

A process that dies in a lot leaves it to be sent again: an event may arrive twice, with the same id.
"""

import logging
import random
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import batched, takewhile

from delivery.deliverer import is_no_answer_to_the_event
from delivery.events import OF_PORTFOLIOS, Event
from delivery.webhooks.retries import next_attempt
from delivery.webhooks.sending import Answer
from records import DeliveryStatus, DeliveryStep, DeliveryWork
from runs.engine import Engine, EngineUnavailable
from runs.services import Services
from stores.outbox import Delivery
from stores.passes import Pass, bounds
from stores.webhooks import Receiver

LOT = 500
_STEP_SECONDS = 30.0
"""As long as one step goes on, so that it ends well within its time."""
_POLL_SECONDS = 10.0
"""While a run is active: its end is to be told."""
_FAILURES_OF_A_REST = 16
"""So many attempts in a row without an answer to the event, and the endpoint is left alone: as long again each time."""
_FIRST_REST = timedelta(seconds=5)
_LONGEST_REST = timedelta(minutes=30)
"""Also where an endpoint asks for more: of an event, not of all of them, it may ask for a day."""

_log = logging.getLogger(__name__)


def work_for(services: Services, endpoint_id: str) -> DeliveryWork:
    """Return what is to be delivered to an endpoint."""
    receiver = services.webhooks.get(endpoint_id)
    if receiver is None or not receiver.active:
        return DeliveryWork()
    now = datetime.now(UTC)
    if receiver.resumes_at is not None and receiver.resumes_at > now:
        return DeliveryWork(wait_seconds=(receiver.resumes_at - now).total_seconds())
    slots = [(own.run_id, slot) for own in services.passes.left(endpoint_id) for slot in own.left]
    due = bool(services.outbox.due(endpoint_id, now, 1))
    if due or slots:
        return DeliveryWork(due, tuple(slots))
    following = services.outbox.next_due(endpoint_id)
    waits = [] if following is None else [max(0.0, (following - now).total_seconds())]
    if services.lease.holder() is not None:
        waits.append(_POLL_SECONDS)
    return DeliveryWork(wait_seconds=min(waits, default=None))


def resume(services: Services, engine: Engine) -> None:
    """Let the deliveries to endpoints go on for which there is something to deliver now."""
    with suppress(EngineUnavailable):
        for receiver in services.webhooks.all():
            work = work_for(services, receiver.endpoint.endpoint_id)
            if work.due or work.slots:
                engine.deliver(receiver.endpoint.endpoint_id)


def deliver(services: Services, step: DeliveryStep) -> None:
    """Deliver a part of the work, for about half a minute at most."""
    until = time.monotonic() + _STEP_SECONDS
    deliver_some = _deliver_due if step.run_id is None else _deliver_slot
    deliver_some(services, step, until)


def _taking(services: Services, endpoint_id: str) -> Receiver | None:
    """Return the endpoint, ``None`` if it is to be sent nothing now."""
    receiver = services.webhooks.get(endpoint_id)
    return None if receiver is None or not receiver.active or _rests(receiver) else receiver


def _deliver_due(services: Services, step: DeliveryStep, until: float) -> None:
    """Deliver what is due, lot by lot."""
    while (receiver := _taking(services, step.endpoint_id)) is not None:
        due = services.outbox.due(step.endpoint_id, datetime.now(UTC), LOT)
        events = {event.event_id: event for event in services.outbox.events([own.event_id for own in due])}
        services.outbox.drop([own for own in due if own.event_id not in events])  # forgotten, or expired
        known = [own for own in due if own.event_id in events]
        answers = services.send(receiver.endpoint, [events[own.event_id] for own in known], until)
        services.outbox.record([_after(own, answer) for own, answer in zip(known, answers, strict=False)])
        _learn(services, receiver, answers)
        if len(due) < LOT or len(answers) < len(known) or time.monotonic() >= until:
            return


def _deliver_slot(services: Services, step: DeliveryStep, until: float) -> None:
    """Deliver what is left of a slot, lot by lot."""
    own = None if step.run_id is None else services.passes.get(step.run_id, step.endpoint_id)
    if own is None or step.slot not in own.left:
        return
    low, high = bounds(step.slot, own.reached.get(step.slot, ""))
    lots = batched(services.outbox.of_run(own.run_id, low, high, LOT), LOT, strict=False)
    while (receiver := _taking(services, step.endpoint_id)) is not None:
        events = next(lots, ())
        wanted = [event for event in events if event.type in OF_PORTFOLIOS and event.type in receiver.endpoint.types]
        answers = services.send(receiver.endpoint, wanted, until)
        failed = [
            _after(Delivery(event.event_id, step.endpoint_id, "pending", event.at), answer)
            for event, answer in zip(wanted, answers, strict=False)
            if answer.outcome != "delivered"
        ]
        services.outbox.record(failed)
        _reach(services, own, step.slot, events, wanted, len(answers))
        _learn(services, receiver, answers)
        if len(events) < LOT or len(answers) < len(wanted) or time.monotonic() >= until:
            return


def _reach(
    services: Services, own: Pass, slot: str, events: Sequence[Event], wanted: Sequence[Event], attempted: int
) -> None:
    if attempted < len(wanted):
        if attempted:
            services.passes.reach(own, slot, wanted[attempted - 1].event_id)
    else:
        services.passes.reach(own, slot, None if len(events) < LOT else events[-1].event_id)


def _learn(services: Services, receiver: Receiver, answers: Sequence[Answer]) -> None:
    """Send an endpoint that is gone no more events, and leave one alone for a while that takes nothing."""
    if not answers:  # a slot without events for the endpoint: nothing was attempted, so nothing is learnt
        return
    endpoint_id = receiver.endpoint.endpoint_id
    if any(answer.outcome == "gone" for answer in answers):
        _log.warning("An endpoint is gone, and gets no more events (endpoint_id=%s)", endpoint_id)
        services.webhooks.deactivate(receiver.endpoint)
        services.passes.drop(endpoint_id)
        services.outbox.abandon(endpoint_id)
        return
    refused = list(takewhile(is_no_answer_to_the_event, reversed(answers)))
    # One lot lengthens the rest once, however many of its events one request had.
    failures = min(len(refused), _FAILURES_OF_A_REST) + (receiver.failures if len(refused) == len(answers) else 0)
    pause = _rest_after(failures, refused)
    if pause:
        services.webhooks.rest(endpoint_id, failures, datetime.now(UTC) + pause)
        resting = "An endpoint takes nothing, and is left alone for %d s (endpoint_id=%s, problem=%s)"
        _log.warning(resting, pause.total_seconds(), endpoint_id, answers[-1].problem)
    elif failures != receiver.failures:
        services.webhooks.rest(endpoint_id, failures, None)


def _rest_after(failures: int, refused: Sequence[Answer]) -> timedelta:
    """Return how long an endpoint is left alone after so many failures in a row, the last ones with these answers."""
    times = failures // _FAILURES_OF_A_REST
    own = _FIRST_REST * 2 ** min(times - 1, 20) if times else timedelta()
    asked = max((answer.retry_after for answer in refused if answer.retry_after is not None), default=timedelta())
    return min(max(own, asked), _LONGEST_REST)


def _after(delivery: Delivery, answer: Answer) -> Delivery:
    """Return the state of a delivery after an attempt."""
    now = datetime.now(UTC)
    attempts, first = delivery.attempts + 1, delivery.first_attempt_at or now
    due: datetime | None = None
    if answer.outcome == "failed":
        due = next_attempt(attempts, first, now, answer.retry_after, random.random())  # noqa: S311 - no secret
    status: DeliveryStatus = "delivered" if answer.outcome == "delivered" else "dead" if due is None else "pending"
    if status == "dead":
        given_up = "An event is given up (event_id=%s, endpoint_id=%s, problem=%s)"
        _log.error(given_up, delivery.event_id, delivery.endpoint_id, answer.problem)
    return Delivery(
        event_id=delivery.event_id,
        endpoint_id=delivery.endpoint_id,
        status=status,
        at=delivery.at,
        due_at=due,
        attempts=attempts,
        first_attempt_at=first,
        last_attempt_at=now,
        problem=answer.problem,
        status_code=answer.status,
    )


def _rests(receiver: Receiver) -> bool:
    return receiver.resumes_at is not None and receiver.resumes_at > datetime.now(UTC)
