"""HTTP byte by byte, for requests that a client library would correct or refuse to send."""

import contextlib
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """An answer as received: header names in lower case, the content joined from its chunks."""

    status: int
    headers: dict[str, list[str]]
    content: bytes

    def header(self, name: str) -> str | None:
        values = self.headers.get(name.lower(), [])
        return ", ".join(values) if values else None


def exchange(url: str, request: bytes) -> Answer:
    """Send exactly these bytes on a new connection, which the request must close, and return the answer."""
    received = b""
    with _connection(url) as connection:
        with contextlib.suppress(ConnectionError):  # refused before all was sent
            connection.sendall(request)
        with contextlib.suppress(ConnectionError):  # the bytes before it are the answer
            while chunk := connection.recv(65_536):
                received += chunk
    return _answer(received)


def _connection(url: str) -> socket.socket:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    name = parts.hostname or ""
    connection = socket.create_connection((name, parts.port or (443 if secure else 80)), timeout=_PATIENCE_SECONDS)
    return ssl.create_default_context().wrap_socket(connection, server_hostname=name) if secure else connection


def _answer(received: bytes) -> Answer:
    head, end, content = received.partition(b"\r\n\r\n")
    assert end, f"not an answer: {received!r}"
    status_line, *lines = head.decode("ascii").split("\r\n")
    status = int(status_line.split(" ")[1])
    if status == 100:  # "Continue", before the answer
        return _answer(content)
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers.setdefault(name.lower(), []).append(value.strip())
    chunked = headers.get("transfer-encoding") == ["chunked"]
    return Answer(status, headers, _joined(content) if chunked else content)


def _joined(content: bytes) -> bytes:
    """Return the joined chunks; an answer that was cut off fails."""
    joined = b""
    while True:
        length, _, content = content.partition(b"\r\n")
        size = int(length, 16)
        if not size:
            assert content == b"\r\n"
            return joined
        joined, content = joined + content[:size], content[size + len(b"\r\n") :]
