"""The sessions of administrators, by the digests of their ids: nobody who reads the database can use one."""

from datetime import datetime
from typing import override

import msgspec
from pymongo import ASCENDING, IndexModel

from records import Session
from stores.indexes import Indexed, Indexes
from stores.mongo import Document, DocumentDatabase


class SessionStore(Indexed):
    """Sessions, each under its digest as ``_id``: a key that is there before any other index is created.

    The database deletes expired ones, up to some minutes late.
    """

    def __init__(self, database: DocumentDatabase) -> None:
        self._sessions = database["sessions"]

    @override
    def indexes(self) -> Indexes:
        """Return the index that expires sessions."""
        return [(self._sessions, [IndexModel([("expires_at", ASCENDING)], name="expires_at", expireAfterSeconds=0)])]

    def add(self, digest: str, session: Session) -> None:
        """Write a new session."""
        members: Document = msgspec.to_builtins(session, builtin_types=(datetime,))
        self._sessions.insert_one({"_id": digest, **members})

    def get(self, digest: str) -> Session | None:
        """Return the session, which may have expired; ``None`` if there is none."""
        document = self._sessions.find_one({"_id": digest}, _MEMBERS)
        return None if document is None else msgspec.convert(document, Session)

    def remove(self, digest: str) -> None:
        """Delete the session."""
        self._sessions.delete_one({"_id": digest})


_MEMBERS = {"_id": False, **dict.fromkeys(Session.__dataclass_fields__, True)}
