"""The app's own identity in Azure: its tokens, for servers that take them in place of a password."""

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.identity import DefaultAzureCredential

IMPATIENT: dict[str, Any] = {
    # The SDK would try for minutes, and sleep as long as an answer's Retry-After says, while an administrator waits.
    "retry_total": 1,
    "retry_status": 0,
    "connection_timeout": 3,
    "read_timeout": 3,
}


class NoToken(Exception):
    """Who gives tokens does not answer, or knows no identity of this app."""


@functools.cache
def credential() -> "DefaultAzureCredential":
    """Give the process's one credential; it keeps its tokens until shortly before they expire."""
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - slow, not used on a laptop

    return DefaultAzureCredential(**IMPATIENT)


def token(scope: str) -> str:
    """Give a token for ``scope``.

    Raises:
        NoToken: there is none to be had. The message holds no secret.
    """
    from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - slow, not used on a laptop

    try:
        return credential().get_token(scope).token
    except ClientAuthenticationError as error:
        # The class only: the message quotes what was answered.
        raise NoToken(type(error).__name__) from None
