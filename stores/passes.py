"""The passes: the first attempts at all events on portfolios of a night, one pass for each endpoint.

A pass has sixteen slots, by the first digit of the events' ids, each with the last event that was attempted. What was
attempted and has no delivery of its own is delivered, so a million events cost a pass no million writes.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import override

import msgspec
from msgspec import Struct
from pymongo import ASCENDING, IndexModel

from records import DeliveryStatus
from stores.indexes import Indexed, Indexes
from stores.mongo import Document, DocumentDatabase
from stores.outbox import KEPT

SLOTS = "0123456789abcdef"
_FIRST, _BEYOND = "evt_", "g"
_SOME = {"$in": list(SLOTS)}
"""Finds passes that are not done. No query has more conditions: one in no index costs some servers the index."""


class Pass(Struct, frozen=True):
    """A pass; ``reached`` has by slot the last event that was attempted, ``left`` are the slots that are not done."""

    run_id: str
    endpoint_id: str
    left: tuple[str, ...]
    reached: Mapping[str, str] = {}
    dropped: bool = False
    """Whether the endpoint took no more events."""

    def status_of(self, event_id: str) -> DeliveryStatus:
        """Return the state of an event of the run that has no delivery of its own."""
        slot = event_id.removeprefix(_FIRST)[:1]
        if slot not in self.left or event_id <= self.reached.get(slot, ""):
            return "delivered"
        return "dead" if self.dropped else "pending"


def bounds(slot: str, reached: str) -> tuple[str, str]:
    """Return between which ids the events of a slot are that were not attempted."""
    return reached or f"{_FIRST}{slot}", f"{_FIRST}{slot}{_BEYOND}"


class PassStore(Indexed):
    """Passes by run and endpoint."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._passes = database["delivery_passes"]

    @override
    def indexes(self) -> Indexes:
        """Return the key, the indexes behind the passes that are not done, and the one that expires them."""
        indexes = [
            IndexModel([("run_id", ASCENDING), ("endpoint_id", ASCENDING)], name="run_id_endpoint_id", unique=True),
            IndexModel([("endpoint_id", ASCENDING), ("left", ASCENDING)], name="endpoint_id_left"),
            IndexModel([("left", ASCENDING)], name="left"),
            IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0),
        ]
        return [(self._passes, indexes)]

    def begin(self, run_id: str, endpoint_ids: Iterable[str]) -> None:
        """Begin the passes of a run that has ended as a night; those that have begun go on."""
        for endpoint_id in endpoint_ids:
            first: Document = {"left": list(SLOTS), "reached": {}, "expires_at": datetime.now(UTC) + KEPT}
            key = {"run_id": run_id, "endpoint_id": endpoint_id}
            self._passes.update_one(key, {"$setOnInsert": first}, upsert=True)

    def left(self, endpoint_id: str) -> list[Pass]:
        """Return the passes of an endpoint that are not done."""
        return [own for own in self._found({"endpoint_id": endpoint_id, "left": _SOME}) if not own.dropped]

    def unfinished(self, *, dropped: bool) -> list[Pass]:
        """Return the passes that are not done: those that go on, or those that were ended."""
        return [own for own in self._found({"left": _SOME}) if own.dropped == dropped]

    def of_runs(self, run_ids: Iterable[str]) -> list[Pass]:
        """Return the passes of some runs."""
        return self._found({"run_id": {"$in": list(run_ids)}})

    def get(self, run_id: str, endpoint_id: str) -> Pass | None:
        """Return a pass, ``None`` if there is none."""
        return next(iter(self._found({"run_id": run_id, "endpoint_id": endpoint_id})), None)

    def reach(self, of: Pass, slot: str, event_id: str | None) -> None:
        """Record the last event of a slot that was attempted, ``None`` after all of them."""
        key: Document = {"run_id": of.run_id, "endpoint_id": of.endpoint_id}
        if event_id is None:
            self._passes.update_one(key, {"$pull": {"left": slot}})
        else:
            self._passes.update_one(key, {"$max": {f"reached.{slot}": event_id}})

    def drop(self, endpoint_id: str) -> None:
        """End the passes of an endpoint that takes no more events."""
        query: Document = {"endpoint_id": endpoint_id, "left": _SOME}
        self._passes.update_many(query, {"$set": {"dropped": True}})

    def _found(self, query: Document) -> list[Pass]:
        return [msgspec.convert(document, Pass) for document in self._passes.find(query, {"_id": False})]
