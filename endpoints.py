"""The receivers of events: the setting ``WEBHOOKS``, parsed.

An endpoint of the collection ``webhooks`` has the same members.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

type EventType = Literal[
    "portfolio-analysis.run.started",
    "portfolio-analysis.run.completed",
    "portfolio-analysis.run.failed",
    "portfolio-analysis.run.canceled",
    "portfolio-analysis.portfolio.breached",
    "portfolio-analysis.portfolio.recovered",
    "portfolio-analysis.portfolio.failed",
    "portfolio-analysis.portfolio.incomplete",
    "portfolio-analysis.digest",
    "portfolio-analysis.test",
]

EVENT_TYPES: tuple[EventType, ...] = get_args(EventType.__value__)
ENDPOINT_ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}\Z"
NAME_IN_VAULT_PATTERN = r"^[0-9A-Za-z-]{1,127}\Z"
"""The names that Key Vault allows."""

_LONGEST_URL = 2048
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z_](?:[0-9A-Za-z._-]*[0-9A-Za-z_.])?)(:[0-9]{1,5})?")


SIGNING_PREFIX = "whsec_"
"""Begins every secret that signs events."""

EVENT_GRID = "event-grid"
"""The id of Event Grid among the receivers."""


class EndpointsError(Exception):
    """An endpoint cannot be used. The message is one line that continues the setting's name and shows no URL."""


class Endpoint(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A receiver, the types of the events for it, and the name of the secret that signs them."""

    endpoint_id: Annotated[str, Meta(pattern=ENDPOINT_ID_PATTERN)]
    url: str
    types: Annotated[tuple[EventType, ...], Meta(min_length=1)] = EVENT_TYPES
    secret_name: Annotated[str, Meta(pattern=NAME_IN_VAULT_PATTERN)]

    def __repr__(self) -> str:
        # Not the URL: many receivers know their senders by a key in it.
        return f"Endpoint({self.endpoint_id!r})"


def event_grid(url: str) -> Endpoint:
    """Return the topic of Event Grid as a receiver of everything, which needs no secret."""
    return Endpoint(endpoint_id=EVENT_GRID, url=url, secret_name="")


def read_endpoints(text: str, *, allow_private: bool) -> tuple[Endpoint, ...]:
    """Return the endpoints in the JSON array ``text``, none for an empty text.

    Raises:
        EndpointsError: it is no such array, or one of its endpoints cannot be used.
    """
    if not text:
        return ()
    try:
        endpoints = msgspec.json.decode(text, type=tuple[Endpoint, ...])
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise EndpointsError(_ill_formed("a JSON array of endpoints", error)) from None
    ids = [endpoint.endpoint_id for endpoint in endpoints]
    for endpoint in endpoints:
        if ids.count(endpoint.endpoint_id) > 1:
            raise EndpointsError(f"has two endpoints with the endpoint_id {endpoint.endpoint_id}")
        _check(endpoint, allow_private=allow_private)
    return endpoints


def read_endpoint(members: Mapping[str, object], *, allow_private: bool) -> Endpoint:
    """Return the endpoint with exactly these members, checked; raises as :func:`read_endpoints`."""
    try:
        endpoint = msgspec.convert(members, Endpoint)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise EndpointsError(_ill_formed("an endpoint", error)) from None
    _check(endpoint, allow_private=allow_private)
    return endpoint


def _ill_formed(kind: str, error: Exception) -> str:
    reason = str(error) if isinstance(error, msgspec.MsgspecError) else "it is no UTF-8"
    return f"must be {kind}: {' '.join(reason.split())}"


def _check(endpoint: Endpoint, *, allow_private: bool) -> None:
    if endpoint.endpoint_id == EVENT_GRID:
        raise EndpointsError(f"must not have the endpoint_id {EVENT_GRID}: it is that of EVENT_GRID_ENDPOINT")
    schemes = ("https", "http") if allow_private else ("https",)
    if not _is_usable(endpoint.url, schemes):
        starts = " or ".join(f"{scheme}://" for scheme in schemes)
        raise EndpointsError(
            f"must have for {endpoint.endpoint_id} a url that starts with {starts} and names a host, in at most "
            f"{_LONGEST_URL} characters of ASCII, special characters encoded, without user and fragment"
        )


def _is_usable(url: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and not set(url) & set(' "<>\\^`{|}#') and len(url) <= _LONGEST_URL
    return plain and parts.scheme in schemes and port != 0 and _HOST.fullmatch(parts.netloc) is not None
