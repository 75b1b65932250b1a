"""Waiting times after repeated failed sign-ins, counted for each client and each kind of credential.

They are counted for a few minutes: in Redis for all workers together, else in each worker separately. Clients whose
addresses cannot be told apart share one count. If all of them had to wait, one client could lock out all others, so
valid credentials are still accepted from them and only wrong ones have to wait. The user of a valid token without the
administrator's role is counted under its own name, not by its address, which administrators may share.
"""

import ipaddress
import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.access.tokens import Subject
from problems import Problem
from records import Credential
from settings import Network, Settings

if TYPE_CHECKING:
    from redis import Redis

    from stores.redis_server import RedisServer


@dataclass(frozen=True, slots=True)
class Window:
    """A window begins with the first time something is counted; ``most`` is the limit in one."""

    name: str
    seconds: int
    most: int


SIGN_IN_FAILURES = Window("sign-in-failures", seconds=300, most=30)
"""After the most failures in a window, sign-ins are refused until it ends."""

REQUESTS = Window("requests-of-person", seconds=60, most=120)
"""The requests of one person for the own reports."""

MOST_KEYS = 10_000
UNKNOWN = "unknown"
FRONT_DOOR = "X-Azure-FDID"
_IPV6_NETWORK_BITS = 64
# With or without a port, which does not identify a client; IPv6 with a port is in brackets.
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|([0-9.]{7,15})(?::[0-9]{1,5})?")
_LONGEST = 45

_log = logging.getLogger(__name__)


class TooManyFailures(Problem):
    """The client failed to sign in too often, and has to wait."""

    status, slug, title = 429, "too-many-failures", "Too many failed sign-ins"
    arguments_of_example = (300,)

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Wait {seconds} seconds, then send the right credentials.")
        self.retry_after = seconds


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


@dataclass(frozen=True, slots=True)
class Client:
    """The address that a client's failures are counted by; ``shared`` if other clients may have the same."""

    address: str
    shared: bool = False


def client_of(headers: Mapping[str, str], settings: Settings) -> Client:
    """Return the client of a request, by the entries of X-Forwarded-For that no client can make up.

    The Functions host passes no peer address to a worker. Each proxy appends the address it sees, so the last entry is
    by the proxy next to the app. An entry before it counts only if the request is known to come from our own proxies:
    by the id of the Front Door, or because the addresses after it are in PROXY_NETWORKS. A request that went around
    them is its last entry.
    """
    most = settings.trusted_proxies
    if not most:
        return Client(UNKNOWN, shared=True)
    entries = headers.get("X-Forwarded-For", "").rsplit(",", most)[-most:]
    seen = [normalized_address(entry) for entry in reversed(entries)]
    networks, front_door = settings.proxy_networks, settings.front_door_id
    if front_door is not None and headers.get(FRONT_DOOR, "").lower() == front_door:
        address, shared = (seen[-1], False) if len(seen) == most else (seen[0], True)
    elif networks:
        address = next((each for each in seen if not _is_in(each, networks)), seen[-1])
        shared = _is_in(address, networks)
    else:
        address, shared = seen[0], most > 1 and front_door is None
    return Client(address, shared=shared or address == UNKNOWN)


def normalized_address(entry: str) -> str:
    """Return the normalized address in an entry of X-Forwarded-For, ``unknown`` if it is not an address."""
    text = entry.strip()
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    if len(text) > _LONGEST or "%" in text:
        return UNKNOWN
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return UNKNOWN
    return str((address.version == 6 and address.ipv4_mapped) or address)  # noqa: PLR2004 - the protocol's name


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    return address != UNKNOWN and any(ipaddress.ip_address(address) in network for network in networks)


def refuse_after_failures(failures: Counts, client: Client, credential: Credential) -> None:
    """Refuse a client that failed too often, before its credentials are checked.

    Raises:
        TooManyFailures: it did.
    """
    if client.shared:
        return
    counted = failures.of(_key(client, credential))
    if counted.too_many:
        raise TooManyFailures(counted.seconds_left)


def count_failure(failures: Counts, client: Client, credential: Credential, subject: Subject | None) -> None:
    """Count a failed sign-in: of the ``subject`` of a valid token, else of the client.

    Raises:
        TooManyFailures: there were too many before.
    """
    counted = failures.add(_key(client, credential) if subject is None else f"subject:{subject.issuer}:{subject.name}")
    if counted.just_too_many and subject is None:
        text = "Too many failed sign-ins: the client has to wait (client=%s, credential=%s)"
        _log.warning(text, client.address, credential)
    elif counted.just_too_many and subject is not None:
        _log.warning("Too many failed sign-ins: the user has to wait (user=%s)", subject.actor)
    if counted.beyond:
        raise TooManyFailures(counted.seconds_left)


def network_of(address: str) -> str:
    """Return the network to count by: the address, or for IPv6 its /64, which usually belongs to one client."""
    return str(ipaddress.ip_network((address, _IPV6_NETWORK_BITS), strict=False)) if ":" in address else address


def _key(client: Client, credential: Credential) -> str:
    return f"{credential}:{network_of(client.address)}"
