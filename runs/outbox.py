"""The events of the outbox with the state of their deliveries, and what an operator may do with them."""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice

from delivery.events import OF_PORTFOLIOS, Event, NotDeliverable, new_event
from endpoints import EventType
from records import DeliveryShown, DeliveryStatus, EventShown
from runs.engine import Engine
from runs.services import Services
from stores.outbox import Delivery

_AT_ONCE = 200
_MOST_PAGES = 50
_STATUSES: tuple[DeliveryStatus, ...] = ("dead", "pending")
"""The state of an event is the first of these that one of its deliveries has, else ``delivered`` if it has any."""

type Place = tuple[datetime, str]


def newest_events(
    services: Services, *, limit: int, before: Place | None, kind: EventType | None, status: DeliveryStatus | None
) -> tuple[list[EventShown], Place | None]:
    """Return up to ``limit`` events, newest first, older than that of a time and id; and the place to go on from.

    There may be fewer, and more behind that place: one call looks at ten thousand events at most. Without a place there
    are no more.
    """
    found: list[EventShown] = []
    pages = _pages(services, before, kind, status)
    for events, last in islice(pages, _MOST_PAGES):
        for own in _shown(services, events):
            if kind in (None, own.type) and status in (None, own.status):
                if len(found) == limit:
                    return found, (found[-1].time, found[-1].event_id)
                found.append(own)
        before = last
    return found, None if next(pages, None) is None else before


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
        services.webhooks.rest(endpoint_id, 0, None)  # asked for by hand: a rest would hide the outcome
        engine.deliver(endpoint_id)


def _pages(
    services: Services, before: Place | None, kind: EventType | None, status: DeliveryStatus | None
) -> Iterator[tuple[list[Event], Place]]:
    """Yield events, newest first, some at a time and with the last place, among them all of a type and in a state."""
    outbox = services.outbox
    # Only deliveries of their own tell of a state where no pass does.
    by_delivery = status in _STATUSES and not _passes_tell(services, status)
    while True:
        if by_delivery and status is not None:
            places = outbox.newest_with(status, _AT_ONCE, before)
            events = sorted(outbox.events({event_id for _, event_id in places}), key=_place, reverse=True)
        else:
            events = outbox.newest(_AT_ONCE, before, kind)
            places = [_place(event) for event in events]
        if not places:
            return
        before = places[-1]
        yield events, before


def _passes_tell(services: Services, status: DeliveryStatus | None) -> bool:
    """Return whether there are events in a state that have no delivery of their own."""
    if status == "pending" and services.lease.holder() is not None:
        return True
    return bool(services.passes.unfinished(dropped=status == "dead"))


def _place(event: Event) -> Place:
    return event.at, event.event_id


def _shown(services: Services, events: Sequence[Event]) -> Iterator[EventShown]:
    """Yield the events with their deliveries: also those that passes stand for, now or once the run has completed."""
    deliveries: dict[str, dict[str, Delivery]] = defaultdict(dict)
    for own in services.outbox.deliveries([event.event_id for event in events]):
        deliveries[own.event_id][own.endpoint_id] = own
    runs = {event.run_id for event in events if event.run_id and event.type in OF_PORTFOLIOS}
    passes = {(of.run_id, of.endpoint_id): of for of in services.passes.of_runs(runs)}
    active = services.lease.holder()
    receivers = services.webhooks.all()
    for event in events:
        known = deliveries[event.event_id]
        for receiver in receivers if event.type in OF_PORTFOLIOS else ():
            endpoint_id = receiver.endpoint.endpoint_id
            if endpoint_id in known or event.type not in receiver.endpoint.types:
                continue
            of = passes.get((event.run_id or "", endpoint_id))
            if of is not None:
                known[endpoint_id] = Delivery(event.event_id, endpoint_id, of.status_of(event.event_id), event.at)
            elif event.run_id == active and receiver.active:
                known[endpoint_id] = Delivery(event.event_id, endpoint_id, "pending", event.at)
        yield _as_shown(event, known.values())


def _as_shown(event: Event, deliveries: Iterable[Delivery]) -> EventShown:
    shown = tuple(
        DeliveryShown(
            own.endpoint_id, own.status, own.attempts, own.last_attempt_at, own.due_at, own.problem, own.status_code
        )
        for own in sorted(deliveries, key=lambda own: own.endpoint_id)
    )
    states = {own.status for own in shown}
    status: DeliveryStatus | None = next((own for own in (*_STATUSES, "delivered") if own in states), None)
    return EventShown(event.event_id, event.type, event.subject, event.run_id, event.at, status, event.data, shown)
