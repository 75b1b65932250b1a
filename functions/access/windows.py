"""Counts of what a client or person does in a window of time: in Redis for all workers together, else per worker."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis

    from stores.redis_server import RedisServer

MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class Window:
    """A window begins with the first time something is counted; ``most`` is the limit in one."""

    name: str
    seconds: int
    most: int


@dataclass(frozen=True, slots=True)
class Count:
    """How often something happened in the window, and the remaining seconds of it."""

    most: int
    count: int = 0
    seconds_left: int = 0

    @property
    def too_many(self) -> bool:
        """Return whether the limit is reached."""
        return self.count >= self.most

    @property
    def just_too_many(self) -> bool:
        """Return whether the last time reached the limit."""
        return self.count == self.most

    @property
    def beyond(self) -> bool:
        """Return whether the limit is exceeded."""
        return self.count > self.most


class OwnCounts:
    """Counts in this process. The table is bounded: if it is full, the window that ends first is removed."""

    def __init__(self, window: Window, clock: Callable[[], float] = time.monotonic, most_keys: int = MOST_KEYS) -> None:
        self._window = window
        self._clock = clock
        self._most_keys = most_keys
        # All windows are equally long, so they end in the order in which they begin.
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._windows)

    def of(self, key: str) -> Count:
        """Return the count of ``key``."""
        with self._lock:
            self._remove_expired()
            return self._count(key)

    def add(self, key: str) -> Count:
        """Count ``key`` once more; return the count including it."""
        with self._lock:
            self._remove_expired()
            if key not in self._windows and len(self._windows) >= self._most_keys:
                self._windows.popitem(last=False)
            end, count = self._windows.get(key, (self._clock() + self._window.seconds, 0))
            self._windows[key] = end, count + 1
            return self._count(key)

    def _count(self, key: str) -> Count:
        if key not in self._windows:
            return Count(self._window.most)
        end, count = self._windows[key]
        return Count(self._window.most, count, max(1, round(end - self._clock())))

    def _remove_expired(self) -> None:
        now = self._clock()
        while self._windows and next(iter(self._windows.values()))[0] <= now:
            self._windows.popitem(last=False)


class SharedCounts:
    """Counts in Redis, which expires them."""

    def __init__(self, window: Window, client: "Redis") -> None:
        self._window, self._client = window, client

    def of(self, key: str) -> Count:
        """Return the count of ``key``; raises RedisError, or ValueError if another program wrote under the key."""
        from stores.redis_server import command

        with command("GET"), self._client.pipeline() as pipeline:
            pipeline.get(self._name(key))
            pipeline.ttl(self._name(key))
            count, seconds_left = pipeline.execute()
        most = self._window.most
        return Count(most, int(count), max(1, seconds_left)) if count else Count(most)

    def add(self, key: str) -> Count:
        """Count ``key`` once more; return the count including it; raises RedisError."""
        from stores.redis_server import command

        with command("INCR"), self._client.pipeline() as pipeline:
            pipeline.set(self._name(key), 0, ex=self._window.seconds, nx=True)
            pipeline.incr(self._name(key))
            pipeline.ttl(self._name(key))
            _, count, seconds_left = pipeline.execute()
        return Count(self._window.most, count, max(1, seconds_left))

    def _name(self, key: str) -> str:
        return f"{self._window.name}:{key}"


class Counts:
    """Counts in Redis, and in this process while Redis is down: then the limit is per worker. Never an error."""

    def __init__(self, window: Window, redis_server: "RedisServer | None") -> None:
        self._window, self._redis_server = window, redis_server
        self._own = OwnCounts(window)

    def of(self, key: str) -> Count:
        """Return the count of ``key``."""
        return self._ask(lambda counter: counter.of(key))

    def add(self, key: str) -> Count:
        """Count ``key`` once more; return the count including it."""
        return self._ask(lambda counter: counter.add(key))

    def _ask(self, question: Callable[[SharedCounts | OwnCounts], Count]) -> Count:
        if self._redis_server is None:
            return question(self._own)
        return self._redis_server.ask(
            lambda client: question(SharedCounts(self._window, client)), lambda: question(self._own)
        )
