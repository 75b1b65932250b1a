"""Waiting times after repeated failed sign-ins, counted for each client and each kind of credential.

They are counted for a few minutes: in Redis for all workers together, else in each worker separately. Clients whose
addresses cannot be told apart share one count. If all of them had to wait, one client could lock out all others, so
valid credentials are still accepted from them and only wrong ones have to wait. The user of a valid token without the
administrator's role is counted under its own name, not by its address, which administrators may share.
"""

import ipaddress
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from functions.access.tokens import Subject
from functions.access.windows import Counts, Window
from problems import Problem
from records import Credential
from settings import Network, Settings

SIGN_IN_FAILURES = Window("sign-in-failures", seconds=300, most=30)
"""After the most failures in a window, sign-ins are refused until it ends."""

REQUESTS = Window("requests-of-person", seconds=60, most=120)
"""The requests of one person for the own reports."""

UNKNOWN = "unknown"
FRONT_DOOR = "X-Azure-FDID"
_IPV6_NETWORK_BITS = 64
# With or without a port, which does not identify a client; IPv6 with a port is in brackets.
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|([0-9.]{7,15})(?::[0-9]{1,5})?")
_LONGEST = 45

_log = logging.getLogger(__name__)


class TooManyFailures(Problem):
    """The client failed to sign in too often, and has to wait."""

    status, slug, title = 429, "too-many-failures", "Too many failed sign-ins"
    arguments_of_example = (300,)

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Wait {seconds} seconds, then send the right credentials.")
        self.retry_after = seconds


@dataclass(frozen=True, slots=True)
class Client:
    """The address that a client's failures are counted by; ``shared`` if other clients may have the same."""

    address: str
    shared: bool = False


def client_of(headers: Mapping[str, str], settings: Settings) -> Client:
    """Return the client of a request, by the entries of X-Forwarded-For that no client can make up.

    The Functions host passes no peer address to a worker. Each proxy appends the address it sees, so the last entry is
    by the proxy next to the app. An entry before it counts only if the request is known to come from our own proxies:
    by the id of the Front Door, or because the addresses after it are in PROXY_NETWORKS. A request that went around
    them is its last entry.
    """
    most = settings.trusted_proxies
    if not most:
        return Client(UNKNOWN, shared=True)
    entries = headers.get("X-Forwarded-For", "").rsplit(",", most)[-most:]
    seen = [normalized_address(entry) for entry in reversed(entries)]
    networks, front_door = settings.proxy_networks, settings.front_door_id
    if front_door is not None and headers.get(FRONT_DOOR, "").lower() == front_door:
        address, shared = (seen[-1], False) if len(seen) == most else (seen[0], True)
    elif networks:
        address = next((each for each in seen if not _is_in(each, networks)), seen[-1])
        shared = _is_in(address, networks)
    else:
        address, shared = seen[0], most > 1 and front_door is None
    return Client(address, shared=shared or address == UNKNOWN)


def normalized_address(entry: str) -> str:
    """Return the normalized address in an entry of X-Forwarded-For, ``unknown`` if it is not an address."""
    text = entry.strip()
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    if len(text) > _LONGEST or "%" in text:
        return UNKNOWN
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return UNKNOWN
    return str((address.version == 6 and address.ipv4_mapped) or address)  # noqa: PLR2004 - the protocol's name


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    return address != UNKNOWN and any(ipaddress.ip_address(address) in network for network in networks)


def refuse_after_failures(failures: Counts, client: Client, credential: Credential) -> None:
    """Refuse a client that failed too often, before its credentials are checked.

    Raises:
        TooManyFailures: it did.
    """
    if client.shared:
        return
    counted = failures.of(_key(client, credential))
    if counted.too_many:
        raise TooManyFailures(counted.seconds_left)


def count_failure(failures: Counts, client: Client, credential: Credential, subject: Subject | None) -> None:
    """Count a failed sign-in: of the ``subject`` of a valid token, else of the client.

    Raises:
        TooManyFailures: there were too many before.
    """
    counted = failures.add(_key(client, credential) if subject is None else f"subject:{subject.issuer}:{subject.name}")
    if counted.just_too_many and subject is None:
        text = "Too many failed sign-ins: the client has to wait (client=%s, credential=%s)"
        _log.warning(text, client.address, credential)
    elif counted.just_too_many and subject is not None:
        _log.warning("Too many failed sign-ins: the user has to wait (user=%s)", subject.actor)
    if counted.beyond:
        raise TooManyFailures(counted.seconds_left)


def network_of(address: str) -> str:
    """Return the network to count by: the address, or for IPv6 its /64, which usually belongs to one client."""
    return str(ipaddress.ip_network((address, _IPV6_NETWORK_BITS), strict=False)) if ":" in address else address


def _key(client: Client, credential: Credential) -> str:
    return f"{credential}:{network_of(client.address)}"
