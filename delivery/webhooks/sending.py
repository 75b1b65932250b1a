"""One attempt to deliver an event to a receiver, which may be slow, broken or hostile."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from ssl import SSLError
from typing import Literal
from urllib.parse import SplitResult, urlsplit

import httpx

from delivery.webhooks.addresses import AddressRefused, NameNotResolved, addresses_of
from delivery.webhooks.connections import (
    AnswerTooLong,
    Connection,
    KeptConnections,
    Place,
    connect,
    seconds_left,
)
from delivery.webhooks.signing import InvalidSigningSecret, signed_headers
from endpoints import Endpoint

TIME_LIMIT_SECONDS = 15.0
LONGEST_RETRY_AFTER = timedelta(hours=24)

RESOLVED_SECONDS = 1.0
"""As long as the addresses of a name count: a million events must not be a million look-ups. Azure answers a machine a
thousand of them a second."""

_LOOKUPS_AT_ONCE = 64
"""More than senders: a look-up goes on in the system after its attempt has ended, for up to a minute."""
_HEADERS = {"Content-Type": "application/cloudevents+json", "User-Agent": "portfolio-analysis-webhooks/1"}
_PROBLEMS: tuple[tuple[type[Exception], str], ...] = (
    (InvalidSigningSecret, "invalid_secret"),
    (NameNotResolved, "name_not_resolved"),
    (AddressRefused, "address_refused"),
    (TimeoutError, "timed_out"),
    (SSLError, "tls_failed"),
    (OSError, "connection_failed"),
    (AnswerTooLong, "answer_too_long"),
    (HTTPException, "answer_ill_formed"),
)
"""The first that fits counts: some errors are of several kinds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an attempt. ``gone``: the receiver wants no more events. ``failed``: it may be tried again."""

    outcome: Literal["delivered", "gone", "failed"]
    status: int | None = None
    """``None`` if there was no answer."""
    problem: str | None = None
    """A word for operators, if the event was not delivered; nothing of the receiver's is in it."""
    retry_after: timedelta | None = None
    """How long the receiver asks not to be called, at most a day."""


class Sender:
    """Sends events to receivers, from any number of threads, and keeps connections for further ones."""

    def __init__(
        self,
        *,
        allow_private: bool,
        time_limit_seconds: float = TIME_LIMIT_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._allow_private = allow_private
        self.time_limit_seconds = time_limit_seconds
        self._now = now
        self._tls = httpx.create_ssl_context()  # with the authorities that the app's other clients trust
        self._kept = KeptConnections()
        self._resolved: dict[tuple[str, str, int], tuple[list[Place], float]] = {}
        self._lookups = ThreadPoolExecutor(_LOOKUPS_AT_ONCE, "webhook-lookup")

    def send(self, endpoint: Endpoint, secret_text: str, event_id: str, body: bytes) -> Answer:
        """Return what became of one attempt. Whatever the receiver does, it ends within the time limit."""
        deadline = time.monotonic() + self.time_limit_seconds
        try:
            signed = signed_headers(secret_text, event_id, int(self._now().timestamp()), body)
            answer = self._post(urlsplit(endpoint.url), _HEADERS | signed, body, deadline)
        except tuple(kind for kind, _ in _PROBLEMS) as error:
            return Answer("failed", problem=next(word for kind, word in _PROBLEMS if isinstance(error, kind)))
        return judged(answer.status, answer.getheader("Retry-After", ""), self._now())

    def close(self) -> None:
        """Close the kept connections."""
        self._kept.close()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    def _post(self, url: SplitResult, headers: dict[str, str], body: bytes, deadline: float) -> HTTPResponse:
        places = self._places(url, deadline)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = {"Host": _host_header(url), **headers}
        connection = self._kept.take(places)
        if connection is not None:
            try:
                return self._exchange(connection, path, headers, body, deadline)
            except OSError:
                # Servers close idle connections when they like, also while a request is on its way. If the time is
                # over instead, there is none for another connection either.
                if connection.answering:
                    raise
        return self._exchange(connect(places, deadline), path, headers, body, deadline)

    def _exchange(
        self, connection: Connection, path: str, headers: dict[str, str], body: bytes, deadline: float
    ) -> HTTPResponse:
        kept = False
        try:
            answer = connection.post(path, headers, body, deadline)
            kept = connection.can_be_kept(answer)
        finally:
            if not kept:
                connection.close()
        if kept:
            self._kept.keep(connection)
        return answer

    def _places(self, url: SplitResult, deadline: float) -> list[Place]:
        """Return the places to connect to, checked a moment ago at most.

        Look-ups have no time limit, so another thread waits for them.
        """
        tls = self._tls if url.scheme == "https" else None
        host, port = url.hostname or "", url.port or (443 if tls else 80)
        places, until = self._resolved.get((url.scheme, host, port), ([], 0.0))
        if time.monotonic() < until:
            return places
        lookup = self._lookups.submit(addresses_of, host, port, allow_private=self._allow_private)
        try:
            addresses = lookup.result(seconds_left(deadline))
        except TimeoutError:
            lookup.cancel()
            raise NameNotResolved from None
        places = [Place(address, port, host.removesuffix("."), tls) for address in addresses]
        self._resolved[url.scheme, host, port] = places, time.monotonic() + RESOLVED_SECONDS
        return places


def _host_header(url: SplitResult) -> str:
    host = (url.hostname or "").removesuffix(".")
    return (f"[{host}]" if ":" in host else host) + (f":{url.port}" if url.port else "")


def judged(status: int, retry_after: str, now: datetime) -> Answer:
    """Return what an answer with a status, and a header Retry-After, stands for."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Answer("delivered", status)
    if status == HTTPStatus.GONE:
        return Answer("gone", status, "gone")
    redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    problem = "redirected" if redirected else f"status_{status}"
    return Answer("failed", status, problem, _retry_after(retry_after, now))


def _retry_after(text: str, now: datetime) -> timedelta | None:
    """Return the time of the header ``Retry-After``, seconds or a date, if it has one."""
    try:
        after = timedelta(seconds=min(float(text), 1e9)) if text.isdecimal() else parsedate_to_datetime(text) - now
    except (ValueError, TypeError, OverflowError):  # no date, or one without a time zone
        return None
    return max(timedelta(), min(after, LONGEST_RETRY_AFTER))
