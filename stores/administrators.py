"""Which users are administrators: a flag on the existing backend's users, read at each request of such a user."""

import time
from collections.abc import Callable

import pymongo

from stores.mongo import DocumentDatabase

CACHE_SECONDS = 30.0
"""The longest time for which a withdrawn flag still counts."""
_PATIENCE_SECONDS = 5
_MOST_CACHED = 1_000
_MOST_DOCUMENTS = 100


class AdministratorStore:
    """The answer for each user, cached for half a minute so that the requests of one page cause one query."""

    def __init__(self, database: DocumentDatabase, clock: Callable[[], float] = time.monotonic) -> None:
        self._users = database["users"]
        self._clock = clock
        self._cached: dict[str, tuple[float, bool]] = {}

    def is_administrator(self, user_id: str) -> bool:
        """Return whether the user exists, is active and has the flag.

        Raises:
            PyMongoError: the database did not answer. An expired cached answer is never used instead.
        """
        now = self._clock()
        cached_at, answer = self._cached.get(user_id, (float("-inf"), False))
        if now - cached_at <= CACHE_SECONDS:
            return answer
        answer = self._look_up(user_id)
        if len(self._cached) >= _MOST_CACHED:
            self._cached = {}
        self._cached[user_id] = now, answer
        return answer

    def _look_up(self, user_id: str) -> bool:
        fields = {"_id": False, "user_id": True, "is_admin": True, "is_active": True}
        with pymongo.timeout(_PATIENCE_SECONDS):
            found = self._users.find({"user_id": user_id}, fields).limit(_MOST_DOCUMENTS).to_list()
        # A query by value also matches arrays that contain it. Documents with one id are one user, and all must agree.
        documents = [document for document in found if document["user_id"] == user_id]
        return bool(documents) and all(
            document.get("is_admin") is True and document.get("is_active") in (None, True) for document in documents
        )
