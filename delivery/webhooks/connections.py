"""HTTP connections to chosen addresses, with limits of time and size for each exchange, and those kept for the next.

The time-outs of sockets are for one read or write: a server that sends a byte now and then never exceeds them.
"""

import http.client
import io
import select
import socket
import threading
import time
from collections.abc import Buffer, Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from ssl import SSLContext
from typing import cast

_LARGEST_ANSWER_BYTES = 32 * 1024
_PART_BYTES = 8 * 1024
_MOST_KEPT = 64
_FIRST_FINAL_STATUS = 200


class AnswerTooLong(Exception):
    """The answer has more bytes than anybody needs to say whether an event arrived."""


@dataclass(frozen=True, slots=True)
class Place:
    """The far end of a connection: the address and port to connect to, and the name that its certificate must have."""

    address: IPv4Address | IPv6Address
    port: int
    name: str
    tls: SSLContext | None
    """Without it the connection is not encrypted."""


class Connection(http.client.HTTPConnection):
    """A connection to one place, for one exchange at a time."""

    def __init__(self, place: Place, deadline: float) -> None:
        super().__init__(place.name, place.port)
        self.place = place
        self._line = _Line(_connected(place, deadline))
        self.sock = cast("socket.socket", self._line)
        self.auto_open = 0  # it would look the name up again

    @property
    def answering(self) -> bool:
        """Return whether a part of the answer to the last request has come."""
        return self._line.bytes_read > 0

    @property
    def is_idle(self) -> bool:
        """Return whether the server neither closed the connection nor sent anything unasked."""
        return not self._line.is_readable

    def post(self, path: str, headers: Mapping[str, str], body: bytes, deadline: float) -> http.client.HTTPResponse:
        """Return the answer as far as its headers.

        Raises:
            TimeoutError: they are not complete by the deadline.
            AnswerTooLong: they do not end.
            OSError, HTTPException: the connection breaks, or something else than HTTP is spoken.
        """
        self._line.begin(deadline)
        self.request("POST", path, body, headers)
        return self.getresponse()

    def can_be_kept(self, answer: http.client.HTTPResponse) -> bool:
        """Read the rest of the answer and return whether there can be another exchange."""
        if answer.will_close or answer.status < _FIRST_FINAL_STATUS:
            return False
        try:
            while answer.read(_PART_BYTES):
                pass
        except (OSError, ValueError, http.client.HTTPException, AnswerTooLong):
            return False
        return True


class KeptConnections:
    """Connections that may be used again, of all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: list[Connection] = []

    def take(self, places: Collection[Place]) -> Connection | None:
        """Return a connection to one of the places, which nobody else has, if there is one that still works."""
        while (connection := self._newest(places)) is not None:
            if connection.is_idle:
                return connection
            connection.close()
        return None

    def keep(self, connection: Connection) -> None:
        """Keep the connection for another exchange, and the oldest no longer if there are many."""
        with self._lock:
            self._connections.append(connection)
            surplus = self._connections.pop(0) if len(self._connections) > _MOST_KEPT else None
        if surplus is not None:
            surplus.close()

    def close(self) -> None:
        """Close all."""
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.close()

    def _newest(self, places: Collection[Place]) -> Connection | None:
        with self._lock:
            for connection in reversed(self._connections):
                if connection.place in places:
                    self._connections.remove(connection)
                    return connection
        return None


def connect(places: Sequence[Place], deadline: float) -> Connection:
    """Return a connection to the first of the places that accepts one. None gets more than its share of the time.

    Raises:
        OSError: none of them does; the error of the last one.
    """
    for position, place in enumerate(places[:-1]):
        try:
            return Connection(place, time.monotonic() + seconds_left(deadline) / (len(places) - position))
        except OSError:
            continue
    return Connection(places[-1], deadline)


def seconds_left(deadline: float) -> float:
    """Return the seconds until the deadline; raise TimeoutError if it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connected(place: Place, deadline: float) -> socket.socket:
    family = socket.AF_INET if isinstance(place.address, IPv4Address) else socket.AF_INET6
    plain = socket.socket(family, socket.SOCK_STREAM)
    try:
        plain.settimeout(seconds_left(deadline))
        plain.connect((str(place.address), place.port))
        # A request is sent in two parts: the second must not wait until the first has been acknowledged.
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if place.tls is None:
            return plain
        plain.settimeout(seconds_left(deadline))  # for the whole handshake
        return place.tls.wrap_socket(plain, server_hostname=place.name)
    except BaseException:
        plain.close()
        raise


class _Line:
    """As much of a socket as an HTTP connection needs, with the limits of the exchange under way."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._deadline = 0.0
        self.bytes_read = 0
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)

    @property
    def is_readable(self) -> bool:
        return self._readable.poll(0) != []

    def begin(self, deadline: float) -> None:
        self._deadline = deadline
        self.bytes_read = 0

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._socket.settimeout(seconds_left(self._deadline))
            rest = rest[self._socket.send(rest) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self))

    def receive(self, buffer: Buffer) -> int:
        if self.bytes_read >= _LARGEST_ANSWER_BYTES:
            raise AnswerTooLong
        self._socket.settimeout(seconds_left(self._deadline))
        received = self._socket.recv_into(buffer)
        self.bytes_read += received
        return received

    def close(self) -> None:
        self._socket.close()


class _Incoming(io.RawIOBase):
    """What a line receives, as a file."""

    def __init__(self, line: _Line) -> None:
        super().__init__()
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        return self._line.receive(buffer)
