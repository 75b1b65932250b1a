"""The audit log: each action, its actor, credential and address, and its outcome."""

from datetime import datetime, timedelta
from typing import override

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel

from records import AuditEntry
from stores.indexes import Indexed, Indexes
from stores.mongo import Document, DocumentDatabase

REFUSALS_KEPT = timedelta(days=90)
"""Strangers can cause refusals, so these expire; the actions of administrators do not."""


class AuditLog(Indexed):
    """Entries by ``entry_id``, newest first. An entry is written once, and again when its outcome is known."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._entries = database["audit_log"]

    @override
    def indexes(self) -> Indexes:
        """Return the key, the index behind the list, and the index that expires refused sign-ins."""
        newest = [("at", DESCENDING), ("entry_id", DESCENDING)]
        indexes = [
            IndexModel([("entry_id", ASCENDING)], name="entry_id", unique=True),
            IndexModel(newest, name="at_entry_id"),
            IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0),
        ]
        return [(self._entries, indexes)]

    def add(self, entry: AuditEntry) -> None:
        """Write an entry."""
        document: Document = msgspec.to_builtins(entry, builtin_types=(datetime,))
        if entry.action == "sign_in" and entry.outcome == "refused":
            document["expires_at"] = entry.at + REFUSALS_KEPT
        self._entries.insert_one(document)

    def conclude(self, entry: AuditEntry) -> None:
        """Write the outcome of an attempt: outcome, problem and run. A concluded entry does not change any more."""
        outcome = {"outcome": entry.outcome, "problem": entry.problem, "run_id": entry.run_id}
        self._entries.update_one({"entry_id": entry.entry_id, "outcome": "attempted"}, {"$set": outcome})

    def newest(self, limit: int, before: tuple[datetime, str] | None) -> list[AuditEntry]:
        """Return up to ``limit`` entries, newest first, older than the entry of that time and id."""
        query: Document = {}
        if before is not None:
            at, entry_id = before
            query = {"$or": [{"at": {"$lt": at}}, {"at": at, "entry_id": {"$lt": entry_id}}]}
        order = [("at", DESCENDING), ("entry_id", DESCENDING)]
        documents = self._entries.find(query, _MEMBERS).sort(order).limit(limit)
        return [msgspec.convert(document, AuditEntry) for document in documents]


_MEMBERS = {"_id": False, **dict.fromkeys(AuditEntry.__dataclass_fields__, True)}
