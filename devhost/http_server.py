"""The HTTP side of the host: requests in, function invocations out."""

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import Any, override

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from devhost import logs, messages
from devhost.bodies import GRACE_SECONDS, UnreadableBodyError, read_body
from devhost.errors import InvocationError
from devhost.host_api import Asked, FireByHand, HostApi
from devhost.kestrel import encoded, headers_of, path_of, query_of
from devhost.patience import IDLE_SECONDS, MOST_CONNECTIONS, PatientProtocol
from devhost.platform_settings import PlatformSettings
from devhost.routes import RouteTable

_log = logging.getLogger(__name__)
_FORWARDED_FOR = "x-forwarded-for"
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_STOP_SECONDS = 1

type Invoke = Callable[[str, messages.HttpRequest, str], Awaitable[Any]]


class HttpFrontend:
    """The ASGI application: the host's own answers, and those of functions by their routes.

    As in WebJobsApplicationBuilderExtension.cs (the order of the parts) and FunctionInvocationMiddleware.cs.
    """

    def __init__(
        self,
        routes: RouteTable,
        invoke: Invoke,
        fire_by_hand: FireByHand,
        settings: PlatformSettings,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._routes = routes
        self._invoke = invoke
        self._settings = settings
        self._host_api = HostApi(settings, fire_by_hand)
        self._grace_seconds = grace_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        headers = headers_of(request.headers.raw)
        try:
            response = await self._respond(request, headers)
        except ClientDisconnect:
            return
        except UnreadableBodyError as error:
            _log.error("%s %s is answered 500: %s", request.method, request.url.path, error)
            response = Response(status_code=500, headers={"Connection": "close"})
        if request.method == "HEAD" and response.headers.get("content-length") == "0":
            del response.headers["content-length"]
        if _length(headers) > self._settings.body_limit or "x-content-length" in headers:
            response.headers["connection"] = "close"  # the rest is not read, or has no valid framing
        await response(scope, receive, send)

    async def _respond(self, request: Request, headers: dict[str, str]) -> Response:
        path = path_of(request.scope["raw_path"])
        query = query_of(request.scope["query_string"])
        read = partial(read_body, request, limit=self._settings.body_limit, grace_seconds=self._grace_seconds)
        announced = None if "transfer-encoding" in headers else _length(headers)
        asked = Asked(request.method, path, headers, partial(read, length=announced))
        if answer := await self._host_api.answer(asked):
            return answer
        match = self._routes.match(request.method, path)
        if match is None:
            return self._host_api.homepage() if path == "/" else Response(status_code=404)
        function, route = match
        if self._settings.is_disabled(function):
            return Response(status_code=404)
        # GrpcMessageConversionExtensions.cs, ToRpcHttp: a body without a length is not read.
        body = await read(length=_length(headers))
        message = messages.HttpRequest(
            method=request.method,
            url=_url(request, headers, path),
            headers=headers | {_FORWARDED_FOR: _with_peer(headers.get(_FORWARDED_FOR), request)},
            query={name: value for name, value in query.items() if value},  # the host drops empty ones
            route=route,
            body=body,
        )
        try:
            return _response(function, await self._invoke(function, message, headers.get("traceparent", "")))
        except InvocationError:  # logged by the pool; the caller gets no detail
            return Response(status_code=500)


def _length(headers: dict[str, str]) -> int:
    return int(headers.get("content-length", "0"))


def _url(request: Request, headers: dict[str, str], path: str) -> str:
    query = request.scope["query_string"].decode("ascii")
    return f"{request.url.scheme}://{headers.get('host', '')}{encoded(path)}{'?' if query else ''}{query}"


def _response(function: str, result: messages.HttpResponse) -> Response:
    """Return a function's answer: without a length, so that it is sent in chunks (Http1OutputProducer.cs)."""
    if not all(_HEADER_VALUE.fullmatch(value) for _, value in result.headers):  # HttpHeaders.cs
        with logs.of_function(function):
            _log.error("a header of the answer is not ASCII")
        return Response(status_code=500)
    response = Response(result.body, result.status)
    response.raw_headers = [(name.lower().encode(), value.encode()) for name, value in result.headers]
    return response


def _with_peer(forwarded: str | None, request: Request) -> str:
    """Return the forwarded addresses with that of the peer appended, as the platform's front end does."""
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
    """Serve on a listening socket; on exit, requests under way get a moment to finish."""
    config = uvicorn.Config(
        frontend,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # otherwise local clients could claim any address
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
