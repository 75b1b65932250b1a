"""The routes of the outbox: events, their deliveries, and their receivers."""

from http import HTTPStatus
from urllib.parse import urlsplit

from delivery.events import NotDeliverable
from functions.http.answers import EventsPage, Queued, Webhooks
from functions.http.cursors import decode_time_cursor, encode_cursor
from functions.http.people_routes import BASE, api
from functions.http.problems import NotFound
from functions.http.requests import EndpointId, EventId, EventsQuery
from records import ReceiverShown
from runs.engine import Engine, EngineUnavailable
from runs.services import Services

__all__ = ["BASE", "api"]


@api.route("GET", f"{BASE}/events", action="list_events")
def list_events(query: EventsQuery, services: Services) -> EventsPage:
    """List the events of the last thirty days, newest first, with their deliveries."""
    from runs.outbox import newest_events

    before = decode_time_cursor("before", query.before) if query.before else None
    page, following = newest_events(services, limit=query.limit, before=before, kind=query.type, status=query.status)
    return EventsPage(page, None if following is None else encode_cursor(following))


@api.route(
    "POST",
    f"{BASE}/events/{{event_id}}/replay",
    status=HTTPStatus.ACCEPTED,
    errors=(NotFound, NotDeliverable, EngineUnavailable),
    action="replay_event",
)
def replay_event(event_id: EventId, services: Services, engine: Engine) -> Queued:
    """Deliver an event again, to all active endpoints that take its type."""
    from runs.outbox import replay

    event = services.outbox.get(event_id)
    if event is None:
        raise NotFound(f"There is no event {event_id}.")
    return Queued("queued", event_id, replay(services, engine, event))


@api.route("GET", f"{BASE}/webhooks")
def list_webhooks(services: Services) -> Webhooks:
    """List the receivers of events."""
    return Webhooks(
        [
            ReceiverShown(
                endpoint_id=own.endpoint.endpoint_id,
                host=urlsplit(own.endpoint.url).hostname or "",
                types=own.endpoint.types,
                active=own.active,
                failures=own.failures,
                resumes_at=own.resumes_at,
            )
            for own in services.webhooks.all()
        ]
    )


@api.route(
    "POST",
    f"{BASE}/webhooks/{{endpoint_id}}/test",
    status=HTTPStatus.ACCEPTED,
    errors=(NotFound, NotDeliverable, EngineUnavailable),
    action="test_webhook",
)
def test_webhook(endpoint_id: EndpointId, services: Services, engine: Engine) -> Queued:
    """Deliver a test event to one endpoint."""
    from runs.outbox import send_test

    if services.webhooks.get(endpoint_id) is None:
        raise NotFound(f"There is no endpoint {endpoint_id}.")
    return Queued("queued", send_test(services, engine, endpoint_id), [endpoint_id])
