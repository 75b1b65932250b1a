"""The endpoints in a connection string of Azure Storage, and a check of them."""

import asyncio
from collections.abc import Iterable
from contextlib import closing
from urllib.parse import urlsplit

from devhost.errors import StartError

DEVELOPMENT = "UseDevelopmentStorage=true"
DEVELOPMENT_PORTS = (10_000, 10_001, 10_002)
"""Azurite's usual ports: blobs, queues, tables."""

_ADDRESS = "127.0.0.1"
_SERVICES = ("Blob", "Queue", "Table")
_CONNECT_SECONDS = 5.0

type Endpoint = tuple[str, int]


async def check_storage(setting: str, connection: str) -> None:
    """Check that each of the three services accepts connections.

    Raises:
        StartError: one does not, or the connection string names none.
    """
    if not connection:
        raise StartError(f"{setting} is not set: orchestrations need storage (Azurite: {DEVELOPMENT})")
    found = endpoints(connection)
    if not found:
        raise StartError(f"{setting} is not an Azure Storage connection string")
    for host, port in found:
        if not await answers(host, port):
            raise StartError(f"{setting}: no response from {host}:{port}; is Azurite running?")


def endpoints(connection: str) -> list[Endpoint]:
    """Return host and port of blobs, queues and tables; nothing if it is not a connection string."""
    if connection.strip().rstrip(";").lower() == DEVELOPMENT.lower():
        return [(_ADDRESS, port) for port in DEVELOPMENT_PORTS]
    parts = dict(_pairs(connection.split(";")))
    suffix, account = parts.get("endpointsuffix", "core.windows.net"), parts.get("accountname")
    urls = [
        parts.get(f"{service}Endpoint".lower()) or (account and f"https://{account}.{service.lower()}.{suffix}")
        for service in _SERVICES
    ]
    found = [urlsplit(url) for url in urls if url]
    return [(url.hostname, url.port or (80 if url.scheme == "http" else 443)) for url in found if url.hostname]


def _pairs(parts: Iterable[str]) -> Iterable[tuple[str, str]]:
    for part in parts:
        name, _, value = part.partition("=")
        yield name.strip().lower(), value.strip()


async def answers(host: str, port: int) -> bool:
    """Return whether a server accepts connections there."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # includes TimeoutError
        return False
    with closing(writer):
        return True
