"""Slow clients delay only themselves, and not forever."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from devhost.bodies import GRACE_SECONDS
from devhost.http_server import HttpFrontend, http_server
from devhost.messages import FunctionInfo, HttpRequest, HttpResponse
from devhost.patience import PatientProtocol
from devhost.platform_settings import PlatformSettings
from devhost.routes import RouteTable

HEAD = b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST /hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class HastyProtocol(PatientProtocol):
    idle_seconds = 0.2
    head_seconds = 0.2
    drain_seconds = 0.2


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def status(self) -> bytes:
        return await self.reader.readline()

    async def rest(self) -> bytes:
        """Return everything received until the host ends the connection in any way."""
        received = b""
        with contextlib.suppress(ConnectionError):
            while chunk := await self.reader.read(1000):
                received += chunk
        return received

    async def trickle(self, data: bytes) -> bytes:
        """Send this repeatedly, in small parts, until the host ends the connection; return everything received."""
        received = b""
        with contextlib.suppress(ConnectionError):
            while not self.reader.at_eof():
                await self.send(data)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.02):
                        received += await self.reader.read(1000)
        return received


type Connect = Callable[[], Awaitable[Client]]


@asynccontextmanager
async def a_host(
    *, grace_seconds: float = GRACE_SECONDS, protocol: type[PatientProtocol] = HastyProtocol
) -> AsyncIterator[Connect]:
    async def invoke(_function: str, request: HttpRequest, _traceparent: str) -> HttpResponse:
        return HttpResponse(200, [], b"hello" + request.body)

    route = FunctionInfo("hello", [{"type": "httpTrigger", "route": "hello"}])
    settings = PlatformSettings("key")
    frontend = HttpFrontend(RouteTable([route], ""), invoke, lambda _name, _input: False, settings, grace_seconds)
    clients: list[Client] = []

    async def connect() -> Client:
        clients.append(Client(*await asyncio.open_connection(*address)))
        return clients[-1]

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        async with http_server(frontend, listener, protocol):
            yield connect
            for client in clients:
                client.writer.close()
                with contextlib.suppress(ConnectionError):
                    await client.writer.wait_closed()


def test_the_limits_are_those_of_the_real_host() -> None:
    limits = (PatientProtocol.idle_seconds, PatientProtocol.head_seconds, PatientProtocol.drain_seconds, GRACE_SECONDS)
    assert limits == (130, 31, 5, 5)


def test_a_connection_without_a_request_is_closed_without_an_answer() -> None:
    async def run() -> None:
        async with a_host() as connect:
            assert await (await connect()).rest() == b""

    asyncio.run(run())


@pytest.mark.parametrize("start", [b"G", b"GET /hello HTTP/1.1\r\nX-Slow: "])
def test_a_head_that_does_not_arrive_is_an_empty_408_and_the_end_of_the_connection(start: bytes) -> None:
    async def run() -> None:
        async with a_host() as connect:
            client = await connect()
            await client.send(start)
            answer = await client.rest()
            assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            assert b"content-length: 0\r\n" in answer.lower()
            assert answer.endswith(b"\r\n\r\n")

    asyncio.run(run())


def test_the_host_does_not_wait_longer_for_a_head_that_trickles_in() -> None:
    async def run() -> None:
        async with a_host() as connect:
            client = await connect()
            await client.send(b"GET /hello HTTP/1.1\r\n")
            assert b"200" not in await client.trickle(b"X: y\r\n")

    asyncio.run(run())


def test_the_host_does_not_wait_long_for_the_second_request_of_a_connection() -> None:
    async def run() -> None:
        async with a_host() as connect:
            client = await connect()
            await client.send(HEAD + b"12345")
            assert b"200" in await client.status()
            await client.send(b"GET /hel")
            assert b"HTTP/1.1 408 " in await client.rest()

    asyncio.run(run())


@pytest.mark.parametrize("some", [b"", b"12"])
def test_a_body_that_does_not_arrive_is_an_empty_500_and_the_end_of_the_connection(some: bytes) -> None:
    async def run() -> None:
        async with a_host(grace_seconds=0.2) as connect:
            client = await connect()
            await client.send(HEAD + some)
            answer = await client.rest()
            assert answer.startswith(b"HTTP/1.1 500 ")
            assert b"connection: close\r\n" in answer.lower()
            assert answer.endswith(b"\r\n\r\n")

    asyncio.run(run())


def test_the_host_does_not_wait_for_a_body_below_240_bytes_per_second() -> None:
    async def run() -> None:
        async with a_host(grace_seconds=0.2) as connect:
            client = await connect()
            await client.send(b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
            assert b"HTTP/1.1 500 " in await client.trickle(b"1")

    asyncio.run(run())


def test_a_body_with_many_bytes_so_far_may_pause_for_longer() -> None:
    async def run() -> None:
        async with a_host(grace_seconds=0.1) as connect:
            client = await connect()
            await client.send(b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 10001\r\n\r\n" + b"x" * 10_000)
            await asyncio.sleep(0.3)
            await client.send(b"x")
            assert b"200" in await client.status()

    asyncio.run(run())


def test_the_host_does_not_wait_for_a_body_without_a_length_before_the_answer_and_not_long_after_it() -> None:
    async def run() -> None:
        async with a_host() as connect:
            client = await connect()
            await client.send(CHUNKED + b"5\r\n12")
            answer = await client.rest()
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.endswith(b"5\r\nhello\r\n0\r\n\r\n"), "without the body"

    asyncio.run(run())


def test_the_host_does_not_wait_longer_for_an_unwanted_body_that_trickles_in() -> None:
    async def run() -> None:
        async with a_host() as connect:
            client = await connect()
            await client.send(b"POST /unknown HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
            assert b"HTTP/1.1 404 " in await client.trickle(b"1")

    asyncio.run(run())


def test_a_malformed_chunk_does_not_prevent_the_answer_and_ends_the_connection() -> None:
    async def run() -> None:
        async with a_host() as connect:
            client = await connect()
            await client.send(CHUNKED + b"no length\r\n")
            assert (await client.rest()).startswith(b"HTTP/1.1 200 ")

    asyncio.run(run())


def test_a_body_without_a_length_is_drained_so_that_the_next_request_is_answered() -> None:
    async def run() -> None:
        async with a_host() as connect:
            client = await connect()
            await client.send(CHUNKED + b"5\r\n12345\r\n0\r\n\r\n" + HEAD + b"12345")
            answer = await client.rest()
            assert answer.count(b"HTTP/1.1 200 ") == 2
            assert answer.endswith(b"\r\nhello12345\r\n0\r\n\r\n")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /hello HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 9000, b"414"),
        (b"GET /hello HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000, b"431"),
        (b"GET /hello HTTP/3\r\n", b"505"),
        (b"* * HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"\x16\x03\x01\x00\xa5\n", b"400"),
    ],
)
@pytest.mark.parametrize("before", [b"", HEAD + b"12345"])
def test_a_refused_request_gets_an_empty_answer_and_the_end_of_the_connection(
    head: bytes, status: bytes, before: bytes
) -> None:
    async def run() -> None:
        async with a_host() as connect:
            client = await connect()
            await client.send(before + head)
            answer = await client.rest()
            _, _, refusal = answer.rpartition(b"HTTP/1.1 ")
            assert refusal.startswith(status)
            assert b"content-length: 0\r\n" in refusal.lower()
            assert b"connection: close\r\n" in refusal.lower()
            assert (b"allow: options\r\n" in refusal.lower()) is (status == b"405")
            assert refusal.endswith(b"\r\n\r\n")
            assert answer.count(b"HTTP/1.1 ") == (2 if before else 1)

    asyncio.run(run())


def test_slow_heads_and_bodies_do_not_delay_other_clients() -> None:
    async def run() -> None:
        async with a_host(protocol=PatientProtocol) as connect:
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
