"""Which users are administrators: a flag on the existing backend's users, read at each request of such a user."""

import time
from collections.abc import Callable

import pymongo

from fields import Fields
from stores.backend import BackendCollection
from stores.mongo import DocumentDatabase
from stores.places import documents_in, needed_names
from stores.portfolio_documents import is_active

CACHE_SECONDS = 30.0
"""The longest time for which a withdrawn flag still counts."""
_PATIENCE_SECONDS = 5
_MOST_CACHED = 1_000
_MOST_DOCUMENTS = 100


class AdministratorStore:
    """The answer for each user, cached for half a minute so that the requests of one page cause one query."""

    def __init__(
        self, database: DocumentDatabase, clock: Callable[[], float] = time.monotonic, fields: Fields | None = None
    ) -> None:
        self._place = (fields or Fields())["users"]
        self._users = BackendCollection(database, self._place.collection, self._place.key)
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
        with pymongo.timeout(_PATIENCE_SECONDS):
            names = needed_names(self._place, ("is_admin", "is_active"))
            stored = self._users.of_user(user_id, names, _MOST_DOCUMENTS)
        # Documents with one id are one user, and all must agree.
        documents = [document for one in stored for document in documents_in(self._place, one)]
        return bool(documents) and all(user.get("is_admin") is True and is_active(user) for user in documents)
