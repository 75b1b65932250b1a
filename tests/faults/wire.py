"""The network between the app and MongoDB: forwards every message, and can hold one at an exact moment of a run.

Messages sent before the sender's death still arrive after their release, as on a real network.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.conftest import free_port
from tests.devhost.harness import eventually
from tests.faults.meddling import Meddling
from tests.faults.messages import HEADER_BYTES, Message, is_command

_ADDRESS = "127.0.0.1"

type _Look = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Moment:
    """A command on a collection, containing ``text``: when it is sent, or if ``carried_out`` when it is answered."""

    command: str
    collection: str
    text: bytes = b""
    carried_out: bool = False

    def is_it(self, message: bytes) -> bool:
        if not is_command(message):
            return False
        command, collection = next(iter(Message.read(message).body.items()))
        return (command, collection) == (self.command, self.collection) and self.text in message


@dataclass
class Hold:
    """The messages of one moment, held until their release."""

    moment: Moment
    let_go: threading.Event = field(default_factory=threading.Event)
    client_ports: list[int] = field(default_factory=list)

    def wait(self, messages: int = 1) -> None:
        """Wait until this number of messages is held."""
        eventually(lambda: len(self.client_ports) >= messages)


class Wire:
    """Listens on its own port and forwards each connection to the server."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener: socket.socket | None = socket.create_server((_ADDRESS, free_port()))
        self.port: int = self._listener.getsockname()[1]
        self._holds: list[Hold] = []
        self._connections: set[_Connection] = set()
        # Replacements for bytes in answers, of the same length: for values that no server here stores.
        self.garbled: dict[bytes, bytes] = {}
        self.meddling: list[Meddling] = []
        self._accept_in_background(self._listener)

    def close(self) -> None:
        """Refuse connections, like the port of a server that is not running."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # otherwise the accepting thread would keep it open
            self._listener.close()
            self._listener = None

    def open(self) -> None:
        """Accept connections again."""
        if self._listener is None:
            self._listener = socket.create_server((_ADDRESS, self.port))
            self._accept_in_background(self._listener)

    def cut(self) -> None:
        """Drop every connection, as the restart of a router does."""
        for connection in tuple(self._connections):
            connection.close()

    @contextmanager
    def holding(self, moment: Moment) -> Iterator[Hold]:
        """Hold every message of a moment while the body runs."""
        hold = Hold(moment)
        self._holds.append(hold)
        try:
            yield hold
        finally:
            self._holds.remove(hold)
            hold.let_go.set()

    def _accept_in_background(self, listener: socket.socket) -> None:
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, (_, port) = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((_ADDRESS, self._server_port))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(client, server, port, self._holds, self.garbled, self.meddling)
            self._connections = {other for other in self._connections if not other.is_closed} | {connection}
            connection.carry()


class _Connection:
    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        port: int,
        holds: list[Hold],
        garbled: dict[bytes, bytes],
        meddling: list[Meddling],
    ) -> None:
        self._client, self._server, self._port = client, server, port
        self._holds, self._garbled, self._meddling = holds, garbled, meddling
        self._held_answers: dict[bytes, Hold] = {}
        self._meddled: dict[int, tuple[Meddling, ...]] = {}
        self.is_closed = False

    def carry(self) -> None:
        ways = ((self._client, self._server, self._sent), (self._server, self._client, self._answered))
        for source, target, look in ways:
            threading.Thread(target=self._carry, args=(source, target, look), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, look: _Look) -> None:
        try:
            while header := _read(source, HEADER_BYTES):
                message = header + _read(source, int.from_bytes(header[:4], "little") - HEADER_BYTES)
                target.sendall(look(message))
        except OSError:
            pass
        finally:
            self.close()

    def close(self) -> None:
        self.is_closed = True
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _sent(self, message: bytes) -> bytes:
        for hold in tuple(self._holds):
            if hold.moment.is_it(message):
                if hold.moment.carried_out:
                    self._held_answers[message[4:8]] = hold
                else:
                    self._keep(hold)
        if not (self._meddling and is_command(message)):
            return message
        original = command = Message.read(message)
        meddlings = tuple(self._meddling)
        for meddling in meddlings:
            command = meddling.sent(command)
            if command.answers:
                # The driver sends nothing else on a connection before the answer.
                self._client.sendall(command.write())
                return b""
        if command is original:
            return message
        # The answer passes the same ones, even if they are removed meanwhile.
        self._meddled[command.number] = meddlings
        return command.write()

    def _answered(self, message: bytes) -> bytes:
        if hold := self._held_answers.pop(message[8:12], None):
            self._keep(hold)
        for original, garbled in tuple(self._garbled.items()):
            message = message.replace(original, garbled)
        meddlings = self._meddled.pop(int.from_bytes(message[8:12], "little"), ())
        if not meddlings or not is_command(message):
            return message
        answer = Message.read(message)
        for meddling in meddlings:
            answer = meddling.answered(answer)
        return answer.write()

    def _keep(self, hold: Hold) -> None:
        hold.client_ports.append(self._port)
        hold.let_go.wait()


def _read(source: socket.socket, size: int) -> bytes:
    """Return exactly this number of bytes; none at the end of the connection."""
    blocks = bytearray()
    while len(blocks) < size:
        block = source.recv(size - len(blocks))
        if not block:
            return b""
        blocks += block
    return bytes(blocks)
