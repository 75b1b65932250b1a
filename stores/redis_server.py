"""The connection to Redis: with the password of its URL or, for a user without one, with the app's identity."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, override
from urllib.parse import unquote, urlsplit, urlunsplit

import redis
from opentelemetry import trace
from redis.credentials import CredentialProvider

from credentials.identity import NoToken, token

_SCOPE = "https://redis.azure.com/.default"
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
