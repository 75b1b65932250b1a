"""A receiver of events on this machine, which answers as a test says: also slowly, never, or in no known form."""

import contextlib
import functools
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

TICK_SECONDS = 0.01


@dataclass(frozen=True)
class Request:
    """What a sender sent, and the number of the connection it came by."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


class Exchange:
    """One request, and the way back."""

    def __init__(self, request: Request, sock: socket.socket, stopping: threading.Event) -> None:
        self.request = request
        self._socket = sock
        self._stopping = stopping

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def drip(self, data: bytes) -> None:
        """Send a byte now and then, as long as the connection lasts."""
        while not self._stopping.wait(TICK_SECONDS):
            self.send(data)

    def flood(self, data: bytes) -> None:
        """Send without end, as long as the connection lasts."""
        while not self._stopping.is_set():
            self.send(data)

    def wait(self) -> None:
        """Do nothing until the end of the test."""
        self._stopping.wait()

    def close(self) -> None:
        """Close the connection."""
        self._socket.shutdown(socket.SHUT_RDWR)
        raise ConnectionError

    def reset(self) -> None:
        """Break the connection off."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise ConnectionError


type Behavior = Callable[[Exchange], None]


def answering(status: int = 204, *headers: str, body: bytes = b"") -> Behavior:
    """Return the behavior of a receiver that always gives this answer."""
    length = [] if status == 204 else [f"Content-Length: {len(body)}"]
    lines = "\r\n".join([f"HTTP/1.1 {status} Because", *length, *headers])
    return lambda exchange: exchange.send(f"{lines}\r\n\r\n".encode() + body)


class Receiver:
    """A server with one thread for each connection."""

    def __init__(self, behavior: Behavior, tls: ssl.SSLContext | None, address: str, port: int) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.names: list[str | None] = []
        """The names that senders asked for in TLS."""
        self.behavior = behavior
        self._tls = tls
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family)
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def url(self, host: str = "127.0.0.1", path: str = "/hook") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def wait_until_closed(self, connection: int) -> None:
        """Wait until the receiver has closed its connection of this number, counted from 1."""
        self._threads[connection].join()

    def stop(self) -> None:
        self._stopping.set()
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._listener.accept()
                self.connections += 1
                self._sockets.append(accepted)
                self._start(functools.partial(self._serve, accepted, self.connections))

    def _serve(self, accepted: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError), self._secured(accepted) as sock, sock.makefile("rb") as incoming:
            while (request := _read(incoming, number)) is not None:
                self.requests.append(request)
                self.behavior(Exchange(request, sock, self._stopping))

    def _secured(self, accepted: socket.socket) -> socket.socket:
        if self._tls is None:
            return accepted
        try:
            secured = self._tls.wrap_socket(accepted, server_side=True)
        finally:
            accepted.close()
        self._sockets.append(secured)
        return secured


def _read(incoming: BinaryIO, connection: int) -> Request | None:
    line = incoming.readline().decode().strip()
    if not line:
        return None
    headers = {}
    while header := incoming.readline().decode().strip():
        name, _, value = header.partition(": ")
        headers[name] = value
    return Request(line, headers, incoming.read(int(headers["Content-Length"])), connection)


@contextmanager
def a_receiver(
    behavior: Behavior | None = None, *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1", port: int = 0
) -> Iterator[Receiver]:
    receiver = Receiver(behavior or answering(), tls, address, port)
    try:
        yield receiver
    finally:
        receiver.stop()
