"""A MongoDB that accepts tokens: it answers the sign-in itself and forwards everything after it to a real server."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import bson

_HEADER_BYTES = 16
_OP_MSG = 2013
_BEGIN_OF_BODY = _HEADER_BYTES + 4 + 1  # flags, kind of the first section
_OPEN_TO_ALL = {"hello", "isMaster", "ismaster", "endSessions"}


@dataclass
class Server:
    """The port of the server, the accepted token, and the received tokens."""

    port: int
    good: set[str]
    shown: list[str] = field(default_factory=list)


@contextmanager
def a_mongodb_that_takes(token: str, real_port: int) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(listener.getsockname()[1], {token})
        threading.Thread(target=_accept, args=(listener, real_port, server), daemon=True).start()
        yield server


def _accept(listener: socket.socket, real_port: int, server: Server) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(client, real_port, server), daemon=True).start()


def _serve(client: socket.socket, real_port: int, server: Server) -> None:
    signed_in = False
    with client, socket.create_connection(("127.0.0.1", real_port)) as real:
        while message := _receive(client):
            command = _command(message)
            name = next(iter(command))
            if name == "saslStart":
                answer, signed_in = _sign_in(command, server)
            elif signed_in or name in _OPEN_TO_ALL:
                real.sendall(message)
                client.sendall(_receive(real))
                continue
            else:
                answer = {
                    "ok": 0.0,
                    "code": 13,
                    "codeName": "Unauthorized",
                    "errmsg": f"{name} requires authentication",
                }
            client.sendall(_message(answer, answer_to=message))


def _sign_in(command: dict[str, Any], server: Server) -> tuple[dict[str, Any], bool]:
    shown = bson.decode(command["payload"])["jwt"] if command["mechanism"] == "MONGODB-OIDC" else ""
    server.shown.append(shown)
    if shown in server.good:
        return {"ok": 1.0, "conversationId": 1, "done": True, "payload": b""}, True
    return {"ok": 0.0, "code": 18, "codeName": "AuthenticationFailed", "errmsg": "Authentication failed."}, False


def _command(message: bytes) -> dict[str, Any]:
    if int.from_bytes(message[12:16], "little") != _OP_MSG:
        return {"hello": 1}  # the first message of a connection may have the old format
    length = int.from_bytes(message[_BEGIN_OF_BODY : _BEGIN_OF_BODY + 4], "little")
    return dict(bson.decode(message[_BEGIN_OF_BODY : _BEGIN_OF_BODY + length]))


def _message(document: dict[str, Any], *, answer_to: bytes) -> bytes:
    body = bytes(5) + bson.encode(document)
    numbers = (_HEADER_BYTES + len(body), 1, int.from_bytes(answer_to[4:8], "little"), _OP_MSG)
    return b"".join(number.to_bytes(4, "little") for number in numbers) + body


def _receive(connection: socket.socket) -> bytes:
    header = _exactly(connection, _HEADER_BYTES)
    return header + _exactly(connection, int.from_bytes(header[:4], "little") - _HEADER_BYTES) if header else b""


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        part = connection.recv(length - len(received))
        if not part:
            return b""
        received += part
    return bytes(received)
