"""A value from elsewhere, kept for a while: few questions, one at a time, and what happens where nobody answers."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_log = logging.getLogger(__name__)


class Unavailable(Exception):
    """Where the value comes from does not answer, or refuses to; it may have said when to ask again."""

    def __init__(self, reason: str = "", retry_after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a value is good, and how often its source is asked."""

    fresh_seconds: float = 300.0
    bridge_seconds: float = 3600.0
    """So old a value may become while its source does not answer. After that there is none."""
    between_second_looks_seconds: float = 5.0
    after_failure_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class _Entry[T]:
    value: T
    fetched_at: float


class Kept[T]:
    """What ``fetch`` gave, fetched anew when it is no longer fresh, by one thread at a time.

    ``fetch`` raises :class:`Unavailable` where its source does not answer; anything that it gives is taken as true,
    also that there is nothing.
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
        """Whether the last attempt to fetch failed, whatever is still served from before."""
        return self._failure is not None

    def find[R](self, match: Callable[[T], R | None]) -> R | None:
        """Give what ``match`` finds in the value and, where it finds nothing, in a newer one that can be had now.

        Second looks are rare, so that nobody who guesses makes this app hammer the source.

        Raises:
            Unavailable: there is no value, or only one that is too old.
        """
        asked_at = self._clock()
        entry = self._current()
        found = match(entry.value)
        # What was fetched after the question was put cannot have missed anything.
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
        # While one thread fetches, the others go on with what there is; those that have nothing wait for it.
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
        # A new one each time: threads that raise one and the same error would write into its traceback together.
        raise _without_traceback(self._failure or Unavailable())

    def _newer_than(self, entry: _Entry[T]) -> _Entry[T] | None:
        with self._fetching:  # waits for a fetch that is under way: it may bring what is looked for
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
            # Its traceback would keep the fetch's variables alive, secrets among them.
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
