"""Which users are administrators: a flag in the existing backend's users, looked up whenever one of them comes."""

import time
from collections.abc import Callable

import pymongo

from stores.mongo import DocumentDatabase

KEEP_SECONDS = 30.0
"""So long a withdrawn flag may still open the door."""
_PATIENCE_SECONDS = 5
_MOST_KEPT = 1_000
_MOST_DOCUMENTS = 100


class AdministratorStore:
    """Answers for a user, kept for half a minute so that somebody's page of requests is one query."""

    def __init__(self, database: DocumentDatabase, clock: Callable[[], float] = time.monotonic) -> None:
        self._users = database["users"]
        self._clock = clock
        self._kept: dict[str, tuple[float, bool]] = {}

    def is_administrator(self, user_id: str) -> bool:
        """Tell whether there is such a user, active and with the flag.

        Raises:
            PyMongoError: the database did not answer. Nobody is an administrator on the word of an older answer.
        """
        now = self._clock()
        asked_at, answer = self._kept.get(user_id, (float("-inf"), False))
        if now - asked_at <= KEEP_SECONDS:
            return answer
        answer = self._look_up(user_id)
        if len(self._kept) >= _MOST_KEPT:
            self._kept = {}
        self._kept[user_id] = now, answer
        return answer

    def _look_up(self, user_id: str) -> bool:
        fields = {"_id": False, "user_id": True, "is_admin": True, "is_active": True}
        with pymongo.timeout(_PATIENCE_SECONDS):
            found = self._users.find({"user_id": user_id}, fields).limit(_MOST_DOCUMENTS).to_list()
        # A query by value also finds arrays that hold it. Two documents of one id are one user, and both must say so.
        documents = [document for document in found if document["user_id"] == user_id]
        return bool(documents) and all(
            document.get("is_admin") is True and document.get("is_active") in (None, True) for document in documents
        )
