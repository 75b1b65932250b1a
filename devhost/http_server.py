"""The HTTP side of the host: requests in, function invocations out."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Any, override

import msgspec
import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from devhost import messages
from devhost.errors import InvocationError
from devhost.patience import BODY_SECONDS, MOST_CONNECTIONS, PatientProtocol
from devhost.routes import RouteTable

MAX_BODY_BYTES = 104_857_600  # the host's default
_FORWARDED_FOR = "x-forwarded-for"
_ADMIN_PATH = "/admin/functions/"
_STOP_SECONDS = 1

type Invoke = Callable[[str, messages.HttpRequest, str], Awaitable[Any]]
type FireByHand = Callable[[str, str], bool]


class _ManualInvocation(msgspec.Struct, frozen=True):
    """Body of ``POST /admin/functions/{name}``."""

    input: str = ""


class HttpFrontend:
    """The ASGI application: routes to functions, and the admin API that fires one by hand."""

    def __init__(
        self, routes: RouteTable, invoke: Invoke, fire_by_hand: FireByHand, body_seconds: float = BODY_SECONDS
    ) -> None:
        self._body_seconds = body_seconds
        self._routes = routes
        self._invoke = invoke
        self._fire_by_hand = fire_by_hand

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("ascii").partition("?")[0]
        match = None if path.startswith(_ADMIN_PATH) else self._routes.match(request.method, path)
        if match is None and not path.startswith(_ADMIN_PATH):
            return Response(status_code=404)
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await _read_body(request)
        except TimeoutError:
            return Response(status_code=408, headers={"Connection": "close"})
        if body is None:
            return Response(status_code=413)
        if match is None:
            return self._fire(request.method, path.removeprefix(_ADMIN_PATH), body)
        function, route_values = match
        try:
            traceparent = request.headers.get("traceparent", "")
            result = await self._invoke(function, _message(request, path, route_values, body), traceparent)
        except InvocationError:  # logged by the worker; the caller gets no detail
            return Response(status_code=500)
        response = Response(result.body, result.status)
        response.raw_headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in result.headers]
        return response

    def _fire(self, method: str, function: str, body: bytes) -> Response:
        try:
            invocation = msgspec.json.decode(body, type=_ManualInvocation)
        except msgspec.DecodeError:
            return Response(status_code=400)
        known = method == "POST" and self._fire_by_hand(function, invocation.input)
        return Response(status_code=202 if known else 404)


async def _read_body(request: Request) -> bytes | None:
    """The whole body, or None if it is longer than the host accepts."""
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MAX_BODY_BYTES:
        return None
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _message(request: Request, path: str, route: dict[str, str], body: bytes) -> messages.HttpRequest:
    query_string = request.scope["query_string"].decode("latin-1")
    query = {name: ",".join(request.query_params.getlist(name)) for name in request.query_params}
    headers = {name: ",".join(request.headers.getlist(name)) for name in request.headers}
    return messages.HttpRequest(
        method=request.method,
        url=f"{request.url.scheme}://{request.url.netloc}{path}{'?' if query_string else ''}{query_string}",
        headers=headers | {_FORWARDED_FOR: _with_peer(headers.get(_FORWARDED_FOR), request)},
        query={name: value for name, value in query.items() if value},  # the host drops empty ones
        route=route,
        body=body,
    )


def _with_peer(forwarded: str | None, request: Request) -> str:
    """Add where the request comes from to what it says of that, as the platform's front end does."""
    peer = "{}:{}".format(*request.client) if request.client else "unknown"
    return f"{forwarded}, {peer}" if forwarded else peer


class Server(uvicorn.Server):
    """A server that leaves signals to the program it runs in."""

    @override
    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override] # a generator there
        return nullcontext()


@asynccontextmanager
async def http_server(
    frontend: HttpFrontend, listener: socket.socket, protocol: type[PatientProtocol] = PatientProtocol
) -> AsyncIterator[None]:
    """Serve on a listening socket; on the way out, requests under way get a moment to finish."""
    config = uvicorn.Config(
        frontend,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # else whoever connects from this machine could name any address as its own
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
