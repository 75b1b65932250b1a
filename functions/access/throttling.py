"""Waiting times after repeated failed sign-ins, counted for each client and each kind of credential.

Clients of unknown address share one count. If all of them had to wait, one client could lock out all others, so valid
credentials are still accepted from them and only wrong ones have to wait.
"""

import logging

from functions.access.client import UNKNOWN, network_of
from functions.services import sign_in_failures
from records import Credential

_log = logging.getLogger(__name__)


class TooManyFailures(Exception):
    """The client failed to sign in too often, and has to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def make_wait(client: str, credential: Credential) -> None:
    """Refuse a client that failed too often, before its credentials are checked.

    Raises:
        TooManyFailures: it did.
    """
    if client == UNKNOWN:
        return
    failures = sign_in_failures().of(_key(client, credential))
    if failures.too_many:
        raise TooManyFailures(failures.seconds_left)


def count_failure(client: str, credential: Credential) -> None:
    """Count a failed sign-in.

    Raises:
        TooManyFailures: there were too many before.
    """
    failures = sign_in_failures().add(_key(client, credential))
    if failures.just_too_many:
        _log.warning("Too many failed sign-ins: the client has to wait (client=%s, credential=%s)", client, credential)
    if failures.beyond:
        raise TooManyFailures(failures.seconds_left)


def _key(client: str, credential: Credential) -> str:
    return f"{credential}:{network_of(client)}"
