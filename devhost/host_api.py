"""The Functions host's own answers, before and beside the app's functions.

As in HostController.cs and FunctionsController.cs (routes and statuses), AuthenticationLevelHandler.cs (the key) and
HomepageMiddleware.cs. The admin API has only the routes that developers need: the health check, and firing a
function by hand.
"""

import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
from starlette.responses import Response

from devhost.platform_settings import PlatformSettings

_HOMEPAGE = b"""<!DOCTYPE html>
<html lang="en">
<head><title>Local Functions host</title></head>
<body><p>The function app is up and running.</p></body>
</html>
"""
_FIRE = re.compile(r"/admin/functions/([^/]+)/?", re.IGNORECASE)
_PING = re.compile(r"/admin/host/ping/?", re.IGNORECASE)
_ADMIN = re.compile(r"/admin(/.*)?", re.IGNORECASE | re.DOTALL)
_WEBHOOK = re.compile(r"/runtime/webhooks/[^/]+(/.*)?", re.IGNORECASE | re.DOTALL)
_WEBHOOK_METHODS = ("GET", "PUT", "POST", "DELETE", "OPTIONS")
_NOT_KEPT = {"Cache-Control": "no-store,no-cache", "Pragma": "no-cache"}
_JSON = re.compile(r"(application|text)/json|application/.+\+json", re.IGNORECASE)

type FireByHand = Callable[[str, str], bool]


class _FunctionInvocation(msgspec.Struct, frozen=True):
    """The body that fires a function (FunctionInvocation.cs)."""

    input: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of a request that the host's own routes use."""

    method: str
    path: str
    headers: dict[str, str]
    read_body: Callable[[], Awaitable[bytes]]


class HostApi:
    """The host's own routes; they come before the app's."""

    def __init__(self, settings: PlatformSettings, fire_by_hand: FireByHand) -> None:
        self._settings = settings
        self._fire_by_hand = fire_by_hand

    async def answer(self, asked: Asked) -> Response | None:
        """Return the host's own answer; None if the path belongs to the app."""
        is_admin = _ADMIN.fullmatch(asked.path) is not None
        if (is_admin or _WEBHOOK.fullmatch(asked.path)) and not _is_from_this_machine(asked.headers):
            return Response(status_code=403)
        if is_admin:
            return await self._administer(asked)
        if _WEBHOOK.fullmatch(asked.path) and asked.method in _WEBHOOK_METHODS:
            # The real host serves the routes of extensions there to clients with the key.
            return Response(status_code=404 if self._has_key(asked) else 401)
        return None

    def homepage(self) -> Response:
        """Return the answer for ``/`` if no function has that route."""
        if not self._settings.has_homepage:
            return Response(status_code=204)
        response = Response(_HOMEPAGE)
        response.headers["Content-Type"] = "text/html"
        return response

    async def _administer(self, asked: Asked) -> Response:
        if _PING.fullmatch(asked.path) and asked.method in ("GET", "POST"):
            return Response(headers=_NOT_KEPT)
        if not self._has_key(asked):
            return Response(status_code=401)
        named = _FIRE.fullmatch(asked.path)
        if named is None or asked.method != "POST":
            return Response(status_code=404)
        return Response(status_code=await self._fire(named[1], asked))

    async def _fire(self, function: str, asked: Asked) -> Literal[202, 400, 404, 415]:
        if not _JSON.fullmatch(asked.headers.get("content-type", "").partition(";")[0].strip()):
            return 415
        try:
            invocation = msgspec.json.decode(await asked.read_body(), type=_FunctionInvocation)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return 400
        return 202 if self._fire_by_hand(function, invocation.input or "") else 404

    def _has_key(self, asked: Asked) -> bool:
        # Unlike in the real host, not from the query: no form or link of a web page can send the header.
        given = asked.headers.get("x-functions-key", "")
        return hmac.compare_digest(given.encode(), self._settings.master_key.encode())


def _is_from_this_machine(headers: dict[str, str]) -> bool:
    """Return whether neither a page of another origin nor one whose name resolves to this machine sent the request.

    Not so in the real host: on a laptop, any web page may send requests to its ports.
    """
    host = headers.get("host", "")
    return is_loopback(host) and headers.get("origin", f"http://{host}").lower() == f"http://{host}".lower()


def is_loopback(host: str) -> bool:
    """Return whether a Host header names this machine and cannot be made to name another."""
    name = host.rpartition(":")[0] if re.search(r":\d*$", host) else host
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
