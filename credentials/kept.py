"""A value from a remote source, cached for a while: few requests, one at a time, and a fallback during an outage."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_log = logging.getLogger(__name__)


class Unavailable(Exception):
    """The source of the value does not answer or refuses the request; it may have named a time for the next attempt."""

    def __init__(self, reason: str = "", retry_after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Terms:
    """The lifetime of a value, and the limits on requests to its source."""

    fresh_seconds: float = 300.0
    bridge_seconds: float = 3600.0
    """The maximum age of a value while its source does not answer. An older one is not used."""
    between_second_looks_seconds: float = 5.0
    after_failure_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class _Entry[T]:
    value: T
    fetched_at: float


class Kept[T]:
    """The result of ``fetch``, fetched again by one thread at a time when it is no longer fresh.

    ``fetch`` raises :class:`Unavailable` if its source does not answer; any result is accepted as it is, also an empty
    one.
    """

    def __init__(
        self,
        name: str,
        fetch: Callable[[], T],
        clock: Callable[[], float] = time.monotonic,
        terms: Terms = Terms(),
    ) -> None:
        self._name = name
        self._fetch = fetch
        self._clock = clock
        self._terms = terms
        self._fetching = threading.Lock()
        self._entry: _Entry[T] | None = None
        self._failure: Unavailable | None = None
        self._not_before = self._no_second_look_before = float("-inf")

    @property
    def failing(self) -> bool:
        """Return whether the last fetch failed, even if an older value is still served."""
        return self._failure is not None

    def find[R](self, match: Callable[[T], R | None]) -> R | None:
        """Return the result of ``match`` on the value or, if it is ``None``, on a newer value that can be fetched now.

        Second fetches are rate-limited, so that guessed keys do not flood the source.

        Raises:
            Unavailable: there is no value, or only one that is too old.
        """
        asked_at = self._clock()
        entry = self._current()
        found = match(entry.value)
        # A value fetched after the call began is new enough: no second fetch is needed.
        while found is None and entry.fetched_at <= asked_at:
            newer = self._newer_than(entry)
            if newer is None:
                break
            entry, found = newer, match(newer.value)
        return found

    def _current(self) -> _Entry[T]:
        if fresh := self._not_older_than(self._terms.fresh_seconds):
            return fresh
        old = self._not_older_than(self._terms.bridge_seconds)
        # While one thread fetches, the others use the old value; threads without a value wait.
        if not self._fetching.acquire(blocking=old is None) and old is not None:
            return old
        try:
            return self._refreshed()
        finally:
            self._fetching.release()

    def _refreshed(self) -> _Entry[T]:
        if fresh := self._not_older_than(self._terms.fresh_seconds):
            return fresh  # fetched by another thread in the meantime
        if self._clock() >= self._not_before:
            self._try_to_fetch()
        if entry := self._not_older_than(self._terms.bridge_seconds):
            return entry
        # A new one each time: threads that raise the same error object would write into the same traceback.
        raise _without_traceback(self._failure or Unavailable())

    def _newer_than(self, entry: _Entry[T]) -> _Entry[T] | None:
        with self._fetching:  # waits for a fetch under way: its value may have the match
            if self._entry is not None and self._entry is not entry:
                return self._entry
            now = self._clock()
            if now < max(self._not_before, self._no_second_look_before):
                return None
            self._no_second_look_before = now + self._terms.between_second_looks_seconds
            return self._entry if self._try_to_fetch() else None

    def _try_to_fetch(self) -> bool:
        started = self._clock()
        try:
            value = self._fetch()
        except Unavailable as error:
            wished = min(error.retry_after_seconds, self._terms.fresh_seconds)
            self._not_before = self._clock() + max(self._terms.after_failure_seconds, wished)
            # The traceback would keep the variables of the fetch alive, secrets among them.
            self._failure = _without_traceback(error)
            _log.warning("%s cannot be fetched: %s", self._name, error)
            return False
        self._entry, self._failure = _Entry(value, started), None
        return True

    def _not_older_than(self, seconds: float) -> _Entry[T] | None:
        entry = self._entry
        return entry if entry is not None and self._clock() - entry.fetched_at <= seconds else None


def _without_traceback(error: Unavailable) -> Unavailable:
    return type(error)(str(error), error.retry_after_seconds)
