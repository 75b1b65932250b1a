"""Waiting times after repeated failed sign-ins, counted for each client and each kind of credential.

Clients of unknown address share one count. If all of them had to wait, one client could lock out all others, so valid
credentials are still accepted from them and only wrong ones have to wait.
"""

import ipaddress
import logging
from typing import TYPE_CHECKING

from problems import Problem
from records import Credential

if TYPE_CHECKING:
    from stores.sign_in_failures import SignInFailures

_IPV6_NETWORK_BITS = 64

_log = logging.getLogger(__name__)


class TooManyFailures(Problem):
    """The client failed to sign in too often, and has to wait."""

    status, slug, title = 429, "too-many-failures", "Too many failed sign-ins"
    arguments_of_example = (300,)

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Wait {seconds} seconds, then send the right credentials.")
        self.retry_after = seconds


def refuse_after_failures(failures: "SignInFailures", address: str, credential: Credential) -> None:
    """Refuse a client that failed too often, before its credentials are checked.

    Raises:
        TooManyFailures: it did.
    """
    counted = failures.of(_key(address, credential))
    if counted.too_many:
        raise TooManyFailures(counted.seconds_left)


def count_failure(failures: "SignInFailures", address: str, credential: Credential) -> None:
    """Count a failed sign-in.

    Raises:
        TooManyFailures: there were too many before.
    """
    counted = failures.add(_key(address, credential))
    if counted.just_too_many:
        _log.warning("Too many failed sign-ins: the client has to wait (client=%s, credential=%s)", address, credential)
    if counted.beyond:
        raise TooManyFailures(counted.seconds_left)


def network_of(address: str) -> str:
    """Return the network to count by: the address, or for IPv6 its /64, which usually belongs to one client."""
    return str(ipaddress.ip_network((address, _IPV6_NETWORK_BITS), strict=False)) if ":" in address else address


def _key(address: str, credential: Credential) -> str:
    return f"{credential}:{network_of(address)}"
