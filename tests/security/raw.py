"""Raw HTTP, for requests that a well-behaved client would never send."""

import socket
from dataclasses import dataclass

from tests.end_to_end.app import SECRET, App

_PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class Answer:
    status: int
    head: bytes
    body: bytes


def send(app: App, target: str, *headers: bytes, method: str = "GET", body: bytes = b"", signed: bool = True) -> Answer:
    """Send exactly these bytes on a new connection, and return the answer."""
    secret = [b"X-Admin-Secret: " + SECRET.encode()] if signed else []
    length = [f"Content-Length: {len(body)}".encode()] if body else []
    lines = [f"{method} {target} HTTP/1.1".encode(), b"Host: evil.example", b"Connection: close"]
    request = b"\r\n".join([*lines, *secret, *length, *headers, b"", body])
    url = app.client.base_url
    with socket.create_connection((url.host, url.port or 0), timeout=_PATIENCE_SECONDS) as connection:
        connection.sendall(request)
        answer = b""
        while received := connection.recv(65_536):
            answer += received
    head, _, content = answer.partition(b"\r\n\r\n")
    return Answer(int(head.split(b" ")[1]), head, content)
