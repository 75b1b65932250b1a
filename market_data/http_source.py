"""HTTP requests to a provider: within its rate limit, with retries, and within the time limit of a step.

Keys are added to a request below the client, so that its log lines and errors never contain one.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

import httpx
import msgspec
import tenacity
from opentelemetry import metrics, trace

from market_data.patience import PATIENCE_SECONDS
from market_data.provider import KeyRefused, ProviderUnavailable
from settings import KeyName, MarketDataServer, key_setting

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_ATTEMPTS = 5
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 30.0
_LARGEST_ANSWER_BYTES = 64 * 1024 * 1024
_PAUSE_SECONDS = 15.0
"""Between attempts at a server that answers "too many requests" without a time: all such limits last a minute."""
_LONGEST_PAUSE_SECONDS = 3600.0
_KEY = re.compile(r"[!-~]+")

# It logs a line for each request, with all its symbols.
logging.getLogger("httpx").setLevel(logging.WARNING)

_tracer = trace.get_tracer("portfolio_analysis")
_requests = metrics.get_meter("portfolio_analysis").create_counter(
    "portfolio_analysis.provider.requests", "{request}", "Requests to a provider's server."
)


class RequestLimit(Protocol):
    """The request rate of all workers together, or of each alone."""

    @property
    def shared(self) -> bool:
        """Return whether the rate is that of all workers together."""
        ...

    def wait(self, patience_seconds: float) -> bool:
        """Wait for a turn and return True; return False, at once, if it does not come within the patience."""
        ...

    def pause(self, seconds: float) -> None:
        """Let no request pass for a while."""
        ...


@dataclass(frozen=True, slots=True)
class KeyPlaces:
    """The headers and parameters of a request that carry the keys."""

    headers: Mapping[str, KeyName] = field(default_factory=dict)
    params: Mapping[str, KeyName] = field(default_factory=dict)

    def names(self) -> tuple[KeyName, ...]:
        """Return the names of all keys."""
        return (*self.headers.values(), *self.params.values())


@dataclass(frozen=True, slots=True)
class Answer:
    """A server's answer."""

    status: int
    body: bytes = field(repr=False)
    headers: httpx.Headers = field(repr=False)


class TryAgain(Exception):
    """The server did not answer, or not usefully; a retry may help. The message contains nothing of the answer."""


class HttpSource:
    """One server, one client, for all threads of a process."""

    def __init__(
        self,
        name: str,
        server: MarketDataServer,
        places: KeyPlaces,
        key: Callable[[KeyName], str],
        limit: RequestLimit,
        read_seconds: float = _READ_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.server = server
        self._name = name
        self._places = places
        self._limit = limit
        self._sleep = sleep
        self._at_once = threading.BoundedSemaphore(server.concurrency)
        self._client = httpx.Client(
            base_url=server.url,
            timeout=httpx.Timeout(read_seconds, connect=_CONNECT_SECONDS),
            transport=_KeyedTransport(server.concurrency, places, key),
        )

    def get[Content](
        self, path: str, params: Mapping[str, str], read: Callable[[Answer], Content], deadline: float
    ) -> Content:
        """Return the result of ``read`` on the answer; if it raises :class:`TryAgain`, the request is repeated.

        Raises:
            ProviderUnavailable: no attempt led to a useful answer, or there is no time left.
            KeyRefused: there is no key to send. Any other error of ``read`` is passed on.
        """
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TryAgain),
            stop=lambda state: state.attempt_number >= _MOST_ATTEMPTS or state.upcoming_sleep >= _left(deadline),
            wait=tenacity.wait_exponential_jitter(initial=1, max=30),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return attempts(lambda: read(self._answer(path, params, deadline)))
        except TryAgain as error:
            raise ProviderUnavailable(f"{self._name}: {error}") from None

    def batches_at_once(self, requests: int) -> int:
        """Return how many batches of up to this number of requests can be under way, so that each ends in time.

        Together they take half of a batch's time: the rest is for pauses and repeated requests. If workers do not share
        the limit, one batch at a time keeps to it, because only one worker then sends requests.
        """
        if not self._limit.shared:
            return 1
        return max(1, int(PATIENCE_SECONDS / 2 * self.server.requests_per_minute / 60 / requests))

    def expect_success(self, answer: Answer) -> None:
        """Raise the error of an unsuccessful answer."""
        if answer.status in (401, 403):
            raise self.key_refused(f"{answer.status}")
        if answer.status != httpx.codes.OK:
            raise ProviderUnavailable(f"{self._name}: it answers {answer.status}")

    def content[Content](self, answer: Answer, kind: type[Content]) -> Content:
        """Return the JSON of a successful answer; raises as :meth:`expect_success` for another one."""
        self.expect_success(answer)
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise TryAgain("its answer is not what the documentation describes") from None

    def key_refused(self, reason: str) -> KeyRefused:
        """Return the error that names the keys to check."""
        names = self._places.names()
        settings = " and ".join(map(key_setting, names))
        return KeyRefused(
            f"{self._name} refuses the key ({reason}): see to {settings}, in a vault {' and '.join(names)}."
        )

    def pause(self, seconds: float = _PAUSE_SECONDS) -> None:
        """Pause the requests of all workers for a while."""
        self._limit.pause(min(seconds, _LONGEST_PAUSE_SECONDS))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _answer(self, path: str, params: Mapping[str, str], deadline: float) -> Answer:
        with self._turn(deadline):
            answer = self._traced_exchange(path, params, deadline)
        if answer.status == httpx.codes.TOO_MANY_REQUESTS:
            self.pause(_retry_after(answer.headers) or _until_reset(answer.headers) or _PAUSE_SECONDS)
            raise TryAgain("it answers 429, too many requests")
        if answer.status == httpx.codes.REQUEST_TIMEOUT or httpx.codes.is_server_error(answer.status):
            if seconds := _retry_after(answer.headers):
                self.pause(seconds)
            raise TryAgain(f"it answers {answer.status}")
        return answer

    @contextmanager
    def _turn(self, deadline: float) -> "Iterator[None]":
        if not self._at_once.acquire(timeout=_left(deadline)):
            raise ProviderUnavailable(f"{self._name}: other requests take all the time there is")
        try:
            if not self._limit.wait(_left(deadline)):
                raise ProviderUnavailable(f"{self._name}: the rate limit leaves no turn in time")
            yield
        finally:
            self._at_once.release()

    def _traced_exchange(self, path: str, params: Mapping[str, str], deadline: float) -> Answer:
        """Send a request and record it in traces and metrics: by path and status, without parameters or answer."""
        with _tracer.start_as_current_span(
            f"GET {path}",
            kind=trace.SpanKind.CLIENT,
            attributes={"http.request.method": "GET", "provider": self._name},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            answer = None
            try:
                answer = self._exchange(path, params, deadline)
                span.set_attribute("http.response.status_code", answer.status)
                return answer
            finally:
                if answer is None or httpx.codes.is_error(answer.status):
                    span.set_status(trace.StatusCode.ERROR)
                _requests.add(1, {"provider": self._name, "status": str(answer.status) if answer else "unanswered"})

    def _exchange(self, path: str, params: Mapping[str, str], deadline: float) -> Answer:
        body = bytearray()
        try:
            with self._client.stream("GET", path, params=params) as response:
                for part in response.iter_bytes():
                    body += part
                    if len(body) > _LARGEST_ANSWER_BYTES:
                        raise ProviderUnavailable(f"{self._name}: its answer is far too long")
                    if _left(deadline) == 0:
                        raise ProviderUnavailable(f"{self._name}: its answer does not end")
                return Answer(response.status_code, bytes(body), response.headers)
        except httpx.RequestError as error:
            # The class only: the message may quote anything.
            raise TryAgain(f"it cannot be reached ({type(error).__name__})") from None


class _KeyedTransport(httpx.BaseTransport):
    """Adds the keys to each outgoing request."""

    def __init__(self, connections: int, places: KeyPlaces, key: Callable[[KeyName], str]) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._inner = httpx.HTTPTransport(limits=limits)
        self._places = places
        self._key = key

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = request.headers.copy()
        headers.update({header: self._shown(name) for header, name in self._places.headers.items()})
        url = request.url.copy_merge_params({param: self._shown(name) for param, name in self._places.params.items()})
        keyed = httpx.Request(
            request.method, url, headers=headers, stream=request.stream, extensions=request.extensions
        )
        return self._inner.handle_request(keyed)

    def close(self) -> None:
        self._inner.close()

    def _shown(self, name: KeyName) -> str:
        key = self._key(name)
        if not _KEY.fullmatch(key):  # the client's error would quote it
            raise KeyRefused(f"{key_setting(name)} (in a vault {name}) has characters that no key has.")
        return key


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _retry_after(headers: httpx.Headers) -> float:
    """Return the seconds of the server's ``Retry-After``; 0 if there is none, or none that can be parsed."""
    after = headers.get("Retry-After", "")
    if after.isdecimal():
        return float(after)
    try:
        return max(0.0, (parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # not a date, or one without a time zone
        return 0.0


def _until_reset(headers: httpx.Headers) -> float:
    """Return the seconds until requests are allowed again. Each answer has this header: it matters only for a 429."""
    reset = headers.get("X-RateLimit-Reset", "")
    return max(0.0, float(reset) - datetime.now(UTC).timestamp()) if reset.isdecimal() else 0.0
