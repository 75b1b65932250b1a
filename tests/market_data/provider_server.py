"""A local server that answers as the documentation of the providers' APIs describes, and fails like them."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from analysis.prices import Bars

type Reply = tuple[int, Any, dict[str, str]]


@dataclass
class Question:
    """One request, and the name of its failure."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]
    client: tuple[str, int]
    failure: str = ""
    moment: float = field(default_factory=time.monotonic)


@dataclass
class ProviderServer:
    """The data of the server, its failures, and the requests that it received."""

    url: str
    market: dict[str, Bars]
    """By symbol, spelled with a dot."""
    stop: Callable[[], None]
    renamed: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By symbol: the date of its renaming, and the new symbol."""
    delisted: dict[str, str] = field(default_factory=dict)
    """By symbol: the date since which it is no longer traded."""
    failures: deque[str] = field(default_factory=deque)
    """The names of failures, one for each of the next requests."""
    always: str = ""
    """The failure of all other requests."""
    page_rows: int = 10_000
    """The maximum number of rows per page, whatever was requested."""
    requests_per_minute: int = 1_000_000
    asked: list[Question] = field(default_factory=list)
    door: threading.Event = field(default_factory=threading.Event)
    """While it is not set, requests with the failure "time-out" wait."""
    under_way: int = 0
    most_at_once: int = 0
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def params(self, name: str) -> list[str]:
        """Return the value of the parameter ``name`` in each request."""
        return [question.params.get(name, "") for question in self.asked]

    def forget(self) -> None:
        """Clear the failures and the recorded requests."""
        self.failures.clear()
        self.asked.clear()
        self.always, self.page_rows, self.requests_per_minute = "", 10_000, 1_000_000

    def receive(self, question: Question) -> None:
        """Record a request, and set its failure."""
        with self._counting:
            question.failure = self.failures.popleft() if self.failures else self.always
            self.asked.append(question)
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)

    def answered(self) -> None:
        """Record the end of a request, with or without an answer."""
        with self._counting:
            self.under_way -= 1

    def too_many(self) -> bool:
        """Return whether the last minute has more requests than allowed."""
        minute_ago = time.monotonic() - 60
        return sum(question.moment > minute_ago for question in self.asked) > self.requests_per_minute


type Api = Callable[[ProviderServer, Question], Reply]


def _refusal(status: int, **headers: str) -> Callable[[], Reply]:
    return lambda: (
        status,
        {"message": f"invented {status}"},
        {name.replace("_", "-"): headers[name] for name in headers},
    )


def _in_half_a_minute() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=30)


REFUSALS: dict[str, Callable[[], Reply]] = {
    **{str(status): _refusal(status) for status in (302, 400, 401, 403, 404, 408, 429, 500, 502, 503)},
    "429 with Retry-After in seconds": _refusal(429, Retry_After="30"),
    "429 with Retry-After of a second": _refusal(429, Retry_After="1"),
    "429 with Retry-After as a date": lambda: (
        429,
        {},
        {"Retry-After": format_datetime(_in_half_a_minute(), usegmt=True)},
    ),
    "429 with X-RateLimit-Reset": lambda: (429, {}, {"X-RateLimit-Reset": f"{_in_half_a_minute().timestamp():.0f}"}),
    "503 with X-RateLimit-Reset": lambda: (503, {}, {"X-RateLimit-Reset": f"{_in_half_a_minute().timestamp():.0f}"}),
    "429 with an invalid Retry-After": _refusal(429, Retry_After="soon"),
    "429 with a Retry-After that is too long": _refusal(429, Retry_After="900"),
    "503 with Retry-After": _refusal(503, Retry_After="30"),
    "not JSON": lambda: (200, b"<html>Bad gateway</html>", {}),
    "another JSON": lambda: (200, [1, 2, 3], {}),
    "no UTF-8": lambda: (200, b'{"next_page_token": "\xff", "Note": "\xff"}', {}),
    "403 that is no UTF-8": lambda: (403, b'{"message": "\xff"}', {}),
    "no body": lambda: (200, b"", {}),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"

    def do_GET(self) -> None:
        url, running = urlsplit(self.path), self.server.running
        question = Question(url.path, dict(parse_qsl(url.query)), dict(self.headers.items()), self.client_address)
        running.receive(question)
        if question.failure == "time-out":
            running.door.wait()
        name = "429" if running.too_many() else question.failure
        reply = REFUSALS[name]() if name in REFUSALS else self.server.api(running, question)
        running.answered()  # before the client gets the answer and may send the next request
        if name == "connection lost":
            self.close_connection = True
        else:
            self._answer(reply, name)

    def _answer(self, reply: Reply, failure: str) -> None:
        status, content, headers = reply
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        if failure == "truncated JSON":
            body = body[: len(body) // 2]
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.close_connection = failure == "body cut off"
        if failure == "body drop by drop":
            for start in range(len(body)):
                self.wfile.write(body[start : start + 1])
                self.server.running.door.wait(0.02)
        else:
            self.wfile.write(body[: len(body) // 2] if self.close_connection else body)

    def log_message(self, *_arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: Api, market: dict[str, Bars]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api
        self.running = ProviderServer(f"http://127.0.0.1:{self.server_port}", market, self.stop)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self.running.door.set()
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, *_arguments: object) -> None:
        pass  # the client has disconnected


@contextmanager
def a_provider_server(api: Api, market: dict[str, Bars]) -> Iterator[ProviderServer]:
    """Yield a running server of ``api`` with the prices in ``market``."""
    server = _Server(api, market)
    try:
        yield server.running
    finally:
        server.stop()
