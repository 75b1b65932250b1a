"""The outbox: the events to deliver, and the state of their deliveries by endpoint.

An event does not change. The first attempts at the events of a night's portfolios are counted by passes
(:mod:`stores.passes`); only what is delivered otherwise, or failed at the first attempt, has a delivery of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import override

import msgspec
from msgspec import Struct
from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne

from delivery.events import OF_PORTFOLIOS, Event
from endpoints import EventType
from records import DeliveryStatus
from stores.indexes import Indexed, Indexes
from stores.mongo import IDS_PER_LOOKUP, Document, DocumentDatabase, bulk_write, insert_new

KEPT = timedelta(days=30)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGEST: EventType = "portfolio-analysis.digest"
_OF_EVENT = {"_id": False, **dict.fromkeys(Event.__struct_fields__, True)}


class Delivery(Struct, frozen=True):
    """The state of an event at one endpoint; ``due_at`` is the time of the next attempt, ``None`` if there is none.

    ``problem`` is a word for why the last attempt failed, ``status_code`` that of its answer.
    """

    event_id: str
    endpoint_id: str
    status: DeliveryStatus
    at: datetime
    """The time of the event."""
    due_at: datetime | None = None
    attempts: int = 0
    first_attempt_at: datetime | None = None
    last_attempt_at: datetime | None = None
    problem: str | None = None
    status_code: int | None = None


_PREFIX, _DIGITS = "evt_", 12
_FIRST_WIDTH = 16**8
"""The first range of a slot is its 4,096th part: fifteen of a million events."""
_WIDER = 16


class OutboxStore(Indexed):
    """Events by ``event_id``, and deliveries by event and endpoint."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._events = database["outbox"]
        self._deliveries = database["deliveries"]

    @override
    def indexes(self) -> Indexes:
        """Return the keys, the indexes behind the queries here, and those that expire events and deliveries."""
        expires = IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0)
        newest, event, endpoint = [("at", DESCENDING), ("event_id", DESCENDING)], "event_id", "endpoint_id"
        events = [
            IndexModel([(event, ASCENDING)], name="event_id", unique=True),
            IndexModel([("run_id", ASCENDING), (event, ASCENDING)], name="run_id_event_id"),
            IndexModel(newest, name="at_event_id"),
            IndexModel([("type", ASCENDING), *newest], name="type_at_event_id"),
            IndexModel([("subject", ASCENDING)], name="subject"),
            expires,
        ]
        deliveries = [
            IndexModel([(event, ASCENDING), (endpoint, ASCENDING)], name="event_id_endpoint_id", unique=True),
            IndexModel([(endpoint, ASCENDING), ("due_at", ASCENDING)], name="endpoint_id_due_at"),
            IndexModel([("status", ASCENDING), *newest], name="status_at_event_id"),
            expires,
        ]
        return [(self._events, events), (self._deliveries, deliveries)]

    def add(self, events: Sequence[Event], endpoint_ids: Mapping[EventType, Sequence[str]] | None = None) -> None:
        """Store new events, to be delivered to these endpoints by type; those that are stored do not change."""
        lists = endpoint_ids or {}
        due = [
            Delivery(event.event_id, endpoint_id, "pending", event.at, due_at=event.at)
            for event in events
            for endpoint_id in lists.get(event.type, ())
        ]
        # The step that tells an event is repeated if it dies between the two.
        insert_new(self._events, [msgspec.structs.asdict(own) | {"expires_at": own.at + KEPT} for own in events])
        insert_new(self._deliveries, [_document(own) for own in due])

    def get(self, event_id: str) -> Event | None:
        """Return an event, ``None`` if there is none."""
        document = self._events.find_one({"event_id": event_id}, _OF_EVENT)
        return None if document is None else _event(document)

    def newest(self, limit: int, before: tuple[datetime, str] | None, kind: EventType | None = None) -> list[Event]:
        """Return up to ``limit`` events, newest first, older than that of a time and id, of a type or all."""
        wanted: Document = {"type": kind} if kind else {}
        order = [("at", DESCENDING), ("event_id", DESCENDING)]
        found = self._events.find(_before(before) | wanted, _OF_EVENT).sort(order).limit(limit)
        return [_event(document) for document in found]

    def newest_with(
        self, status: DeliveryStatus, limit: int, before: tuple[datetime, str] | None
    ) -> list[tuple[datetime, str]]:
        """Return the time and id of up to ``limit`` deliveries in a state, newest first."""
        order = [("at", DESCENDING), ("event_id", DESCENDING)]
        found = self._deliveries.find({"status": status} | _before(before), {"at": True, "event_id": True})
        return [(document["at"], document["event_id"]) for document in found.sort(order).limit(limit)]

    def events(self, event_ids: Iterable[str]) -> list[Event]:
        """Return the events with these ids, in no order."""
        return [_event(document) for document in self._events.find({"event_id": {"$in": list(event_ids)}}, _OF_EVENT)]

    def deliveries(self, event_ids: Iterable[str], endpoint_id: str | None = None) -> list[Delivery]:
        """Return the deliveries of these events, to one endpoint or to all."""
        query: Document = {"event_id": {"$in": list(event_ids)}} | ({"endpoint_id": endpoint_id} if endpoint_id else {})
        return [_delivery(document) for document in self._deliveries.find(query, {"_id": False})]

    def due(self, endpoint_id: str, now: datetime, limit: int) -> list[Delivery]:
        """Return up to ``limit`` deliveries to an endpoint that are due, in the order of their times."""
        query = {"endpoint_id": endpoint_id, "due_at": {"$lte": now}}
        found = self._deliveries.find(query, {"_id": False}).sort("due_at", ASCENDING).limit(limit)
        return [_delivery(document) for document in found]

    def next_due(self, endpoint_id: str) -> datetime | None:
        """Return when the next delivery to an endpoint is due, ``None`` if none is pending."""
        query: Document = {"endpoint_id": endpoint_id, "due_at": {"$gt": _EPOCH}}
        found = self._deliveries.find(query, {"due_at": True}).sort("due_at", ASCENDING).limit(1)
        return next((document["due_at"] for document in found), None)

    def of_run(self, run_id: str, after: str, before: str, at_once: int) -> Iterator[Event]:
        """Yield the events that a run tells, by id, those with ids between two; about so many are read at once.

        Read by ranges of ids that contain so many, and put in order here: managed services sort in memory all that a
        query finds. Ids are digests, evenly spread, so each range tells how wide the next one is to be.
        """
        low, width = after, _FIRST_WIDTH
        while low < before:
            high = min(_id_beyond(low, width) or before, before)
            query = {"run_id": run_id, "event_id": {"$gt": low, "$lt": high}}
            # Whole documents: leaving out their two other members costs the database more than sending them.
            found = [_event(document) for document in self._events.find(query)]
            yield from sorted(found, key=_id)
            low, width = high, min(width * at_once // max(len(found), 1), width * _WIDER) or 1

    def record(self, deliveries: Sequence[Delivery]) -> None:
        """Store the state of deliveries, replacing earlier ones."""
        writes = [
            ReplaceOne({"event_id": own.event_id, "endpoint_id": own.endpoint_id}, _document(own), upsert=True)
            for own in deliveries
        ]
        bulk_write(self._deliveries, writes)

    def drop(self, deliveries: Sequence[Delivery]) -> None:
        """Delete deliveries of events that are no longer there."""
        for own in deliveries:
            self._deliveries.delete_one({"event_id": own.event_id, "endpoint_id": own.endpoint_id})

    def abandon(self, endpoint_id: str) -> None:
        """End the pending deliveries to an endpoint as dead."""
        pending = {"endpoint_id": endpoint_id, "due_at": {"$gt": _EPOCH}}
        self._deliveries.update_many(pending, {"$set": {"status": "dead", "due_at": None}})

    def withdraw(self, run_id: str) -> None:
        """Delete what a run that is no night tells of portfolios."""
        self._events.delete_many({"run_id": run_id, "type": {"$in": list(OF_PORTFOLIOS)}})

    def forget(self, user_id: str, *, erase: bool) -> int:
        """Count the events about a person, and the digests that name them; or delete them."""
        about = {"subject": user_id, "type": {"$in": list(OF_PORTFOLIOS)}}
        ids = [document["event_id"] for document in self._events.find(about, {"event_id": True})]
        # One a night, so few; not found by the names in them, which are in no index.
        digests = self._events.find({"type": _DIGEST}, {"event_id": True, "data.attention.user_id": True})
        ids += [own["event_id"] for own in digests if user_id in _named_in(own)]
        if erase:
            for lot in batched(ids, IDS_PER_LOOKUP, strict=False):
                of_lot = {"event_id": {"$in": list(lot)}}
                self._deliveries.delete_many(of_lot)
                self._events.delete_many(of_lot)
        return len(ids)


def _named_in(digest: Document) -> set[str]:
    return {one["user_id"] for one in digest["data"]["attention"]}


def _before(place: tuple[datetime, str] | None) -> Document:
    if place is None:
        return {}
    at, key = place
    return {"$or": [{"at": {"$lt": at}}, {"at": at, "event_id": {"$lt": key}}]}


def _document(delivery: Delivery) -> Document:
    return msgspec.structs.asdict(delivery) | {"expires_at": delivery.at + KEPT}


def _event(document: Document) -> Event:
    return msgspec.convert(document, Event)


def _id(event: Event) -> str:
    return event.event_id


def _delivery(document: Document) -> Delivery:
    return msgspec.convert(document, Delivery)


def _id_beyond(event_id: str, width: int) -> str | None:
    """Return the beginning of the ids that are so much greater by their first digits, ``None`` if there are none."""
    digits = event_id.removeprefix(_PREFIX)[:_DIGITS].ljust(_DIGITS, "0")
    number = int(digits, 16) + width
    return f"{_PREFIX}{number:0{_DIGITS}x}" if number < 16**_DIGITS else None
