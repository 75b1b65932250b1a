"""The connection to Redis: with the password of its URL or, for a user without one, with the app's identity."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, override
from urllib.parse import unquote, urlsplit, urlunsplit

import redis
from opentelemetry import trace
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.retry import Retry

from credentials.identity import NoToken, token

_SCOPE = "https://redis.azure.com/.default"
_TIMEOUT_SECONDS = 0.5  # every sign-in waits for it
_OUTAGE_SECONDS = 30.0

_log = logging.getLogger(__name__)
_tracer = trace.get_tracer("portfolio_analysis")


class _AsIdentity(CredentialProvider):
    """Signs in each new connection. The server closes one whose token expires; then the pool opens another."""

    def __init__(self, user: str) -> None:
        self._user = user

    @override
    def get_credentials(self) -> tuple[str, str]:
        try:
            return self._user, token(_SCOPE)
        except NoToken as error:
            raise redis.AuthenticationError(str(error)) from None


def connect(url: str, **options: Any) -> redis.Redis:  # noqa: ANN401 - as the client takes them
    """Return a client; it connects on first use.

    ``rediss://USER@HOST`` uses the identity with the object id ``USER``: Azure Managed Redis without access keys.
    Over TLS only: a token is as sensitive as a password.
    """
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    if parts.scheme == "rediss" and user and ":" not in user:
        url = urlunsplit(parts._replace(netloc=host))
        options["credential_provider"] = _AsIdentity(unquote(user))
    client: redis.Redis = redis.Redis.from_url(url, **options)
    return client


class RedisServer:
    """One client for the whole process. Its callers have a way without Redis, so a failed request is not repeated.

    After a failed request Redis is not used for a while, since timeouts would slow all callers; one warning is logged.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = connect(
            url, socket_timeout=_TIMEOUT_SECONDS, socket_connect_timeout=_TIMEOUT_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        self._clock = clock
        self._lock = threading.Lock()
        self._unavailable_until = float("-inf")
        self._warned = False

    def ask[Answer](self, question: Callable[[redis.Redis], Answer], otherwise: Callable[[], Answer]) -> Answer:
        """Return the answer to ``question``, or that of ``otherwise`` while Redis is unavailable.

        ``question`` may raise ValueError for a value that another program wrote; other questions are not affected.
        """
        if self._clock() >= self._unavailable_until:
            try:
                return question(self._client)
            except redis.RedisError as error:
                self._unavailable_until = self._clock() + _OUTAGE_SECONDS
                self._warn(error)
            except ValueError as error:
                self._warn(error)
        return otherwise()

    def ping(self) -> None:
        """Check that Redis takes a write; raises RedisError."""
        self._client.set("health", "ok", ex=60)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _warn(self, error: Exception) -> None:
        with self._lock:
            if self._warned:
                return
            self._warned = True
        # The class only: a message of the driver may contain the URL with its password.
        name = type(error).__name__
        _log.warning("Redis is unavailable (%s): rate limits and sign-in failures are counted by each worker", name)


@contextmanager
def command(name: str) -> Iterator[None]:
    """Trace the body, one request to the server: by name, and by the class of its error."""
    with _tracer.start_as_current_span(
        name,
        kind=trace.SpanKind.CLIENT,
        attributes={"db.system.name": "redis", "db.operation.name": name},
        # Both would quote the error, which may contain the URL with its password.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except redis.RedisError as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(trace.StatusCode.ERROR)
            raise
