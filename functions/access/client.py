"""The client of a request, as far as it is known."""

import ipaddress
import re

import azure.functions as func

from functions.services import settings
from records import Credential

UNKNOWN = "unknown"
_IPV6_NETWORK_BITS = 64
# With or without a port, which does not identify a client; IPv6 with a port is in brackets.
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?|([0-9.]{7,15})(?::[0-9]{1,5})?")
_LONGEST = 45


def client_of(request: func.HttpRequest) -> str:
    """Return the address of the request's client, or ``unknown``.

    The Functions host passes no peer address to a worker. Each proxy appends the address it sees to X-Forwarded-For;
    entries before those of the trusted proxies (setting TRUSTED_PROXIES) may be forged.
    """
    proxies = settings().trusted_proxies
    forwarded = request.headers.get("X-Forwarded-For", "").rsplit(",", proxies) if proxies else []
    entries = forwarded[-proxies:]
    return normalised(entries[0]) if len(entries) == proxies and entries else UNKNOWN


def normalised(entry: str) -> str:
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


def network_of(client: str) -> str:
    """Return what to count a client by: its address, or for IPv6 its /64, which usually belongs to one client."""
    return str(ipaddress.ip_network((client, _IPV6_NETWORK_BITS), strict=False)) if ":" in client else client


def credential_of(request: func.HttpRequest) -> Credential:
    """Return the kind of credential the request carries; if there are two, the secret decides."""
    if "X-Admin-Secret" in request.headers:
        return "admin-secret"
    return "bearer" if "Authorization" in request.headers else "none"
