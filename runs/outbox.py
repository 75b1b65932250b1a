"""The events of the outbox with the state of their deliveries, and what an operator may do with them."""

import heapq
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import batched, islice
from typing import TYPE_CHECKING

from delivery.events import OF_PORTFOLIOS, Event, NotDeliverable, new_event
from endpoints import EventType
from records import DeliveryShown, DeliveryStatus, EventShown
from runs.engine import Engine
from runs.services import Services
from stores.outbox import Delivery

if TYPE_CHECKING:
    from stores.passes import Pass

_AT_ONCE = 200
_STATUSES: tuple[DeliveryStatus, ...] = ("dead", "pending")
"""The state of an event is the first of these that one of its deliveries has, else ``delivered``."""

type Place = tuple[datetime, str]


def newest_events(
    services: Services, *, limit: int, before: Place | None, kind: EventType | None, status: DeliveryStatus | None
) -> list[EventShown]:
    """Return up to ``limit`` events, newest first, older than that of a time and id."""
    found = _candidates(services, before, kind, status)
    shown = (own for some in batched(found, _AT_ONCE, strict=False) for own in _shown(services, some))
    return list(islice((own for own in shown if status in (None, own.status)), limit))


def replay(services: Services, engine: Engine, event: Event) -> list[str]:
    """Deliver an event again, to all active endpoints that take its type; return their ids.

    Raises:
        NotDeliverable: there is no such endpoint, or the run that tells the event has not completed.
        EngineUnavailable: the delivery did not begin; the watchdog begins it.
    """
    run = None if event.run_id is None else services.runs.get(event.run_id)
    if event.type in OF_PORTFOLIOS and run is not None and not run.is_completed:
        raise NotDeliverable(f"Run {run.run_id} has not completed, so nothing is told of its portfolios.")
    takers = services.webhooks.takers(event.type)
    if not takers:
        raise NotDeliverable(f"No active endpoint takes events of type {event.type}.")
    _deliver_now(services, engine, event, takers)
    return takers


def send_test(services: Services, engine: Engine, endpoint_id: str) -> str:
    """Deliver a test event to one endpoint; return the event's id.

    Raises:
        NotDeliverable: the endpoint is not active.
        EngineUnavailable: the delivery did not begin; the watchdog begins it.
    """
    receiver = services.webhooks.get(endpoint_id)
    if receiver is None or not receiver.active:
        raise NotDeliverable(f"Endpoint {endpoint_id} is not active: set `active` in its document of `webhooks`.")
    kind: EventType = "portfolio-analysis.test"
    source, now = services.settings.event_source, datetime.now(UTC)
    data = {"endpoint_id": endpoint_id, "requested_at": now.isoformat()}
    event = new_event(source, kind, subject=endpoint_id, run_id=None, data=data, chain=secrets.token_hex(16))
    services.outbox.add([event])
    _deliver_now(services, engine, event, [endpoint_id])
    return event.event_id


def _deliver_now(services: Services, engine: Engine, event: Event, endpoint_ids: Sequence[str]) -> None:
    now = datetime.now(UTC)
    services.outbox.record([Delivery(event.event_id, own, "pending", event.at, due_at=now) for own in endpoint_ids])
    for endpoint_id in endpoint_ids:
        engine.deliver(endpoint_id)


def _candidates(
    services: Services, before: Place | None, kind: EventType | None, status: DeliveryStatus | None
) -> Iterator[Event]:
    """Yield events, newest first, among them all in a state."""
    if status not in _STATUSES:
        yield from _scanned(lambda place: services.outbox.newest(_AT_ONCE, place, kind), before)
        return
    runs = sorted({own.run_id for own in services.passes.unfinished(dropped=status == "dead")})
    of_passes: Iterator[Event] = iter(())
    if runs:
        of_passes = _scanned(lambda place: services.outbox.newest(_AT_ONCE, place, kind, runs), before)
    own = _with_deliveries(services, before, kind, status)
    last = None
    for event in heapq.merge(own, of_passes, key=_place, reverse=True):
        if event.event_id != last:
            yield event
        last = event.event_id


def _scanned(page: Callable[[Place | None], list[Event]], before: Place | None) -> Iterator[Event]:
    while found := page(before):
        yield from found
        before = _place(found[-1])


def _with_deliveries(
    services: Services, before: Place | None, kind: EventType | None, status: DeliveryStatus
) -> Iterator[Event]:
    """Yield events with a delivery in a state, newest first."""
    while places := services.outbox.newest_with(status, _AT_ONCE, before):
        events = services.outbox.events({event_id for _, event_id in places})
        yield from sorted((own for own in events if kind in (None, own.type)), key=_place, reverse=True)
        before = places[-1]


def _place(event: Event) -> Place:
    return event.at, event.event_id


def _shown(services: Services, events: Sequence[Event]) -> Iterator[EventShown]:
    deliveries: dict[str, dict[str, Delivery]] = defaultdict(dict)
    for own in services.outbox.deliveries([event.event_id for event in events]):
        deliveries[own.event_id][own.endpoint_id] = own
    passes: dict[str, list[Pass]] = defaultdict(list)
    runs = {event.run_id for event in events if event.run_id and event.type in OF_PORTFOLIOS}
    for of in services.passes.of_runs(runs):
        passes[of.run_id].append(of)
    takers = {own.endpoint.endpoint_id: own.endpoint.types for own in services.webhooks.all()}
    for event in events:
        known = deliveries[event.event_id]
        if event.type in OF_PORTFOLIOS and event.run_id is not None:
            for of in passes[event.run_id]:
                if of.endpoint_id not in known and event.type in takers.get(of.endpoint_id, (event.type,)):
                    status = of.status_of(event.event_id)
                    known[of.endpoint_id] = Delivery(event.event_id, of.endpoint_id, status, event.at)
        yield _as_shown(event, known.values())


def _as_shown(event: Event, deliveries: Iterable[Delivery]) -> EventShown:
    shown = tuple(
        DeliveryShown(
            own.endpoint_id, own.status, own.attempts, own.last_attempt_at, own.due_at, own.problem, own.status_code
        )
        for own in sorted(deliveries, key=lambda own: own.endpoint_id)
    )
    states = {own.status for own in shown}
    status: DeliveryStatus = next((status for status in _STATUSES if status in states), "delivered")
    return EventShown(event.event_id, event.type, event.subject, event.run_id, event.at, status, event.data, shown)
