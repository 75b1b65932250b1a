"""The events that others learn of: CloudEvents 1.0, the same ones on every delivery.

An event names ids, the figures that changed, their thresholds and a link, never holdings or names.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from endpoints import EVENT_TYPES, EventType
from problems import Problem

OF_PORTFOLIOS: tuple[EventType, ...] = tuple(name for name in EVENT_TYPES if ".portfolio." in name)
CONTENT_TYPE = "application/cloudevents+json"
_IN_PATHS = "!$&'()*+,:;=@"
"""What a part of a path may have beside letters, digits and ``-._~`` (RFC 3986)."""


class NotDeliverable(Problem):
    """An event cannot be delivered now."""

    status, slug, title = 409, "not-deliverable", "Not deliverable"
    arguments_of_example = ("No active endpoint takes events of this type.",)


class Event(Struct, frozen=True):
    """One event; ``run_id`` is the run that tells it, ``None`` for a test."""

    event_id: str
    type: EventType
    subject: str
    run_id: str | None
    at: datetime
    data: Mapping[str, Any]


def event_id(source: str, run_id: str, subject: str, kind: EventType) -> str:
    """Return the id of an event: the same whenever the same is told again."""
    text = f"{source}\n{run_id}\n{subject}\n{kind}"
    return f"evt_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def new_event(
    source: str,
    kind: EventType,
    *,
    subject: str,
    run_id: str | None,
    data: Mapping[str, Any],
    chain: str | None = None,
) -> Event:
    """Return an event of now; ``chain`` is the run that its id is made from, by default ``run_id``."""
    key = event_id(source, chain or run_id or "", subject, kind)
    return Event(key, kind, subject, run_id, datetime.now(UTC), data)


def in_path(text: str) -> str:
    """Return a text as a part of the path of a link."""
    return quote(text, _IN_PATHS)


def cloud_event(event: Event, source: str) -> bytes:
    """Return the event as the JSON of CloudEvents 1.0."""
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": event.event_id,
            "source": source,
            "type": event.type,
            "subject": event.subject,
            "time": event.at,
            "datacontenttype": "application/json",
            "data": event.data,
        }
    )
