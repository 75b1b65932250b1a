"""Clients that take their time: they wait for themselves only, and not for ever."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from devhost.http_server import HttpFrontend, http_server
from devhost.messages import FunctionInfo, HttpRequest, HttpResponse
from devhost.patience import PatientProtocol
from devhost.routes import RouteTable

HEAD = b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"


class HastyProtocol(PatientProtocol):
    head_seconds = 0.2


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def status(self) -> bytes:
        return await self.reader.readline()


type Connect = Callable[[], Awaitable[Client]]


@asynccontextmanager
async def a_host(*, body_seconds: float = 30) -> AsyncIterator[Connect]:
    async def invoke(_function: str, _request: HttpRequest, _traceparent: str) -> HttpResponse:
        return HttpResponse(200, [], b"hello")

    route = FunctionInfo("hello", [{"type": "httpTrigger", "route": "hello"}])
    frontend = HttpFrontend(RouteTable([route], ""), invoke, lambda _name, _input: False, body_seconds)
    clients: list[Client] = []

    async def connect() -> Client:
        clients.append(Client(*await asyncio.open_connection(*address)))
        return clients[-1]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        async with http_server(frontend, listener, HastyProtocol):
            yield connect
            for client in clients:
                client.writer.close()
                with contextlib.suppress(ConnectionError):
                    await client.writer.wait_closed()


@pytest.mark.parametrize("said", [b"", b"GET /hello HTTP/1.1\r\nX-Slow: "])
def test_a_head_that_does_not_arrive_costs_its_client_the_connection(said: bytes) -> None:
    async def run() -> None:
        async with a_host() as connect:
            client = await connect()
            await client.send(said)
            assert await client.reader.read() == b""

    asyncio.run(run())


def test_a_head_that_trickles_in_is_not_waited_for_any_longer() -> None:
    async def run() -> None:
        async with a_host() as connect:
            client = await connect()
            with contextlib.suppress(ConnectionError):
                await client.send(b"GET /hello HTTP/1.1\r\n")
                while not client.reader.at_eof():
                    await client.send(b"X: y\r\n")
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.02):
                            await client.reader.read(1)
            assert b"200" not in await client.reader.read()

    asyncio.run(run())


def test_the_second_request_of_a_connection_is_not_waited_for_either() -> None:
    async def run() -> None:
        async with a_host() as connect:
            client = await connect()
            await client.send(HEAD + b"12345")
            assert b"200" in await client.status()
            await client.send(b"GET /hel")
            assert b"HTTP/1.1" not in await client.reader.read()

    asyncio.run(run())


def test_a_body_that_does_not_arrive_is_answered_with_408() -> None:
    async def run() -> None:
        async with a_host(body_seconds=0.2) as connect:
            client = await connect()
            await client.send(HEAD + b"12")
            assert b"408" in await client.status()

    asyncio.run(run())


def test_slow_heads_and_bodies_keep_nobody_else_waiting() -> None:
    async def run() -> None:
        async with a_host() as connect:
            for said in (HEAD, HEAD + b"12", b"GET /hello HTTP/1.1\r\n") * 30:
                await (await connect()).send(said)
            quick = await connect()
            await quick.send(HEAD + b"12345")
            assert b"200" in await quick.status()

    asyncio.run(run())


def test_a_request_that_is_quick_may_be_answered_slowly() -> None:
    async def run() -> None:
        async with a_host() as connect:
            client = await connect()
            await client.send(HEAD)
            await asyncio.sleep(2 * HastyProtocol.head_seconds)
            await client.send(b"12345")
            assert b"200" in await client.status()

    asyncio.run(run())
