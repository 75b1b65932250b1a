"""Waiting times after repeated failed sign-ins, counted for each client and each kind of credential.

They are counted for a few minutes: in Redis for all workers together, else in each worker separately. Clients of
unknown address share one count. If all of them had to wait, one client could lock out all others, so valid credentials
are still accepted from them and only wrong ones have to wait.
"""

import ipaddress
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from problems import Problem
from records import Credential

if TYPE_CHECKING:
    from redis import Redis

    from stores.redis_server import RedisServer

MOST_FAILURES = 30
WINDOW_SECONDS = 300
"""A window begins with the first failure; after ``MOST_FAILURES`` in one, sign-ins are refused until it ends."""

MOST_KEYS = 10_000
_IPV6_NETWORK_BITS = 64

_log = logging.getLogger(__name__)


class TooManyFailures(Problem):
    """The client failed to sign in too often, and has to wait."""

    status, slug, title = 429, "too-many-failures", "Too many failed sign-ins"
    arguments_of_example = (300,)

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Wait {seconds} seconds, then send the right credentials.")
        self.retry_after = seconds


@dataclass(frozen=True, slots=True)
class Failures:
    """The number of failures in the window, and its remaining seconds."""

    count: int = 0
    seconds_left: int = 0

    @property
    def too_many(self) -> bool:
        """Return whether the limit is reached."""
        return self.count >= MOST_FAILURES

    @property
    def just_too_many(self) -> bool:
        """Return whether this failure reached the limit."""
        return self.count == MOST_FAILURES

    @property
    def beyond(self) -> bool:
        """Return whether the limit is exceeded."""
        return self.count > MOST_FAILURES


class OwnFailures:
    """Counts in this process. The table is bounded: if it is full, the window that ends first is removed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most_keys: int = MOST_KEYS) -> None:
        self._clock = clock
        self._most_keys = most_keys
        # All windows are equally long, so they end in the order in which they begin.
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._windows)

    def of(self, key: str) -> Failures:
        """Return the failures of ``key``."""
        with self._lock:
            self._remove_expired()
            return self._failures(key)

    def add(self, key: str) -> Failures:
        """Count one more failure of ``key``; return the failures including it."""
        with self._lock:
            self._remove_expired()
            if key not in self._windows and len(self._windows) >= self._most_keys:
                self._windows.popitem(last=False)
            end, count = self._windows.get(key, (self._clock() + WINDOW_SECONDS, 0))
            self._windows[key] = end, count + 1
            return self._failures(key)

    def _failures(self, key: str) -> Failures:
        if key not in self._windows:
            return Failures()
        end, count = self._windows[key]
        return Failures(count, max(1, round(end - self._clock())))

    def _remove_expired(self) -> None:
        now = self._clock()
        while self._windows and next(iter(self._windows.values()))[0] <= now:
            self._windows.popitem(last=False)


class SharedFailures:
    """Counts in Redis, which expires them."""

    def __init__(self, client: "Redis") -> None:
        self._client = client

    def of(self, key: str) -> Failures:
        """Return the failures of ``key``; raises RedisError, or ValueError if another program wrote under the key."""
        from stores.redis_server import command

        with command("GET"), self._client.pipeline() as pipeline:
            pipeline.get(_name(key))
            pipeline.ttl(_name(key))
            count, seconds_left = pipeline.execute()
        return Failures(int(count), max(1, seconds_left)) if count else Failures()

    def add(self, key: str) -> Failures:
        """Count one more failure of ``key``; return the failures including it; raises RedisError."""
        from stores.redis_server import command

        with command("INCR"), self._client.pipeline() as pipeline:
            pipeline.set(_name(key), 0, ex=WINDOW_SECONDS, nx=True)
            pipeline.incr(_name(key))
            pipeline.ttl(_name(key))
            _, count, seconds_left = pipeline.execute()
        return Failures(count, max(1, seconds_left))


def _name(key: str) -> str:
    return f"sign-in-failures:{key}"


class SignInFailures:
    """Counts in Redis, and in this process while Redis is down: then the limit is per worker. Never an error."""

    def __init__(self, redis_server: "RedisServer | None") -> None:
        self._redis_server = redis_server
        self._own = OwnFailures()

    def of(self, key: str) -> Failures:
        """Return the failures of ``key``."""
        return self._ask(lambda counter: counter.of(key))

    def add(self, key: str) -> Failures:
        """Count one more failure of ``key``; return the failures including it."""
        return self._ask(lambda counter: counter.add(key))

    def _ask(self, question: Callable[[SharedFailures | OwnFailures], Failures]) -> Failures:
        if self._redis_server is None:
            return question(self._own)
        return self._redis_server.ask(lambda client: question(SharedFailures(client)), lambda: question(self._own))


def refuse_after_failures(failures: SignInFailures, address: str, credential: Credential) -> None:
    """Refuse a client that failed too often, before its credentials are checked.

    Raises:
        TooManyFailures: it did.
    """
    counted = failures.of(_key(address, credential))
    if counted.too_many:
        raise TooManyFailures(counted.seconds_left)


def count_failure(failures: SignInFailures, address: str, credential: Credential) -> None:
    """Count a failed sign-in.

    Raises:
        TooManyFailures: there were too many before.
    """
    counted = failures.add(_key(address, credential))
    if counted.just_too_many:
        _log.warning("Too many failed sign-ins: the client has to wait (client=%s, credential=%s)", address, credential)
    if counted.beyond:
        raise TooManyFailures(counted.seconds_left)


def network_of(address: str) -> str:
    """Return the network to count by: the address, or for IPv6 its /64, which usually belongs to one client."""
    return str(ipaddress.ip_network((address, _IPV6_NETWORK_BITS), strict=False)) if ":" in address else address


def _key(address: str, credential: Credential) -> str:
    return f"{credential}:{network_of(address)}"
