"""The audit log: each action, its actor, credential and address, and its outcome."""

from datetime import datetime, timedelta
from typing import override

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel

from records import AuditEntry
from stores.indexes import Indexed, Indexes
from stores.mongo import Document, DocumentDatabase

REFUSED_SIGN_INS_KEPT = timedelta(days=90)
"""Anyone can cause these, so they expire earlier."""


class AuditLog(Indexed):
    """Entries by ``entry_id``, newest first, each kept for ``retention_days`` as they are when it is written."""

    def __init__(self, database: DocumentDatabase, retention_days: int = 365) -> None:
        self._entries = database["audit_log"]
        self._kept = timedelta(days=retention_days)

    @override
    def indexes(self) -> Indexes:
        """Return the key, the index behind the list, and the index that expires entries."""
        newest = [("at", DESCENDING), ("entry_id", DESCENDING)]
        indexes = [
            IndexModel([("entry_id", ASCENDING)], name="entry_id", unique=True),
            IndexModel(newest, name="at_entry_id"),
            IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0),
        ]
        return [(self._entries, indexes)]

    def add(self, entry: AuditEntry) -> None:
        """Write an entry."""
        is_refused_sign_in = entry.action == "sign_in" and entry.outcome == "refused"
        kept = min(self._kept, REFUSED_SIGN_INS_KEPT) if is_refused_sign_in else self._kept
        self._entries.insert_one(_members(entry) | {"expires_at": entry.at + kept})

    def conclude(self, entry: AuditEntry) -> None:
        """Write the outcome of an attempt and what else is known. A concluded entry does not change any more."""
        self._entries.update_one({"entry_id": entry.entry_id, "outcome": "attempted"}, {"$set": _members(entry)})

    def forget(self, user_id: str, *, erase: bool) -> int:
        """Count the entries about what was asked of a user, or leave that user out of them; all are looked through.

        So are sign-ins that were refused because the user is no administrator. Entries of what an administrator did
        keep the name of the administrator.
        """
        read, listed = {"user_id": user_id}, {"user_ids": user_id}
        tried: Document = {"problem": "forbidden", "$or": [{"actor": user_id}, {"credential_id": user_id}]}
        count = self._entries.count_documents({"$or": [read, listed, tried]})
        if erase:
            self._entries.update_many(tried, {"$set": dict.fromkeys(("actor", "credential_id", "client"))})
            self._entries.update_many(read, {"$set": {"user_id": None}})
            self._entries.update_many(listed, {"$pull": {"user_ids": user_id}})
        return count

    def newest(self, limit: int, before: tuple[datetime, str] | None) -> list[AuditEntry]:
        """Return up to ``limit`` entries, newest first, older than the entry of that time and id."""
        query: Document = {}
        if before is not None:
            at, entry_id = before
            query = {"$or": [{"at": {"$lt": at}}, {"at": at, "entry_id": {"$lt": entry_id}}]}
        order = [("at", DESCENDING), ("entry_id", DESCENDING)]
        documents = self._entries.find(query, _MEMBERS).sort(order).limit(limit)
        return [msgspec.convert(document, AuditEntry) for document in documents]


def _members(entry: AuditEntry) -> Document:
    members: Document = msgspec.to_builtins(entry, builtin_types=(datetime,))
    return members


_MEMBERS = {"_id": False, **dict.fromkeys(AuditEntry.__dataclass_fields__, True)}
