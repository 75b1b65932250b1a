"""The app's own identity in Azure: its tokens, for servers that accept them instead of a password."""

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.identity import DefaultAzureCredential

IMPATIENT: dict[str, Any] = {
    # The SDK would retry for minutes, and honor any Retry-After, while an administrator waits.
    "retry_total": 1,
    "retry_status": 0,
    "connection_timeout": 3,
    "read_timeout": 3,
}


class NoToken(Exception):
    """The token service does not answer, or this app has no identity there."""


@functools.cache
def credential() -> "DefaultAzureCredential":
    """Return the process's one credential; it caches its tokens until shortly before they expire."""
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential(**IMPATIENT)


def token(scope: str) -> str:
    """Return a token for ``scope``.

    Raises:
        NoToken: no token is available. The message contains no secret.
    """
    from azure.core.exceptions import ClientAuthenticationError

    try:
        return credential().get_token(scope).token
    except ClientAuthenticationError as error:
        # The class only: the message quotes the response.
        raise NoToken(type(error).__name__) from None
