"""Embedded MongoDB and Redis for development, as child processes."""

import asyncio
import shutil
import socket
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from devhost.children import start_child, stop_child
from devhost.errors import StartError

_ADDRESS = "127.0.0.1"
_PING_MILLISECONDS = 250
_START_SECONDS = 30.0
_STOP_SECONDS = 2.5
_POLL_SECONDS = 0.05
_CODE = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Service:
    """A running server; ``description`` names the program and the place of its data."""

    url: str
    description: str


@asynccontextmanager
async def embedded_mongodb(data_dir: Path | None) -> AsyncIterator[Service]:
    """Run SecantusDB, a MongoDB-compatible server, with its data in ``data_dir/mongodb`` if there is a data_dir.

    Raises:
        StartError: the server does not start.
    """
    port = _free_port()
    url = f"mongodb://{_ADDRESS}:{port}"
    with _storage(data_dir, "mongodb") as folder:
        command = (sys.executable, "-m", "secantus", "--host", _ADDRESS, "--port", str(port), "--log-level", "ERROR")
        stop_seconds = _STOP_SECONDS if data_dir else 0  # temporary data needs no orderly shutdown
        async with _server("MongoDB", folder, (*command, "--storage-path", str(folder)), stop_seconds) as ready:
            from devhost.mongodb import ping

            await ready(lambda: ping(url, _PING_MILLISECONDS))
            yield Service(url, f"embedded SecantusDB, {_kept(data_dir)}")


@asynccontextmanager
async def embedded_redis(data_dir: Path | None) -> AsyncIterator[Service]:
    """Run redis-server from PATH, with its data in ``data_dir/redis`` if there is a data_dir; else in-memory fakeredis.

    Raises:
        StartError: the server does not start.
    """
    port = _free_port()
    url = f"redis://{_ADDRESS}:{port}/0"
    program = shutil.which("redis-server")
    with _storage(data_dir if program else None, "redis") as folder:
        if program:
            keep = ("--appendonly", "yes") if data_dir else ("--save", "", "--appendonly", "no")
            command = (program, "--bind", _ADDRESS, "--port", str(port), "--dir", str(folder), *keep)
            description = f"embedded redis-server, {_kept(data_dir)}"
        else:
            command = (sys.executable, "-m", "devhost.fake_redis", str(port))
            description = f"embedded fakeredis (no redis-server on PATH), {_kept(None)}"
        async with _server("Redis", folder, command, _STOP_SECONDS if data_dir else 0) as ready:
            await ready(lambda: _ping_redis(port))
            yield Service(url, description)


type _Ready = Callable[[Callable[[], Awaitable[object]]], Awaitable[None]]


@asynccontextmanager
async def _server(name: str, folder: Path, command: tuple[str, ...], stop_seconds: float) -> AsyncIterator[_Ready]:
    """Run a server process and yield a function that waits until a ping succeeds."""
    log = folder / "server.log"
    with log.open("wb") as output:
        process = await start_child(*command, cwd=_CODE, output=output)
    try:
        yield lambda ping: _answers(name, process, log, ping)
    finally:
        await stop_child(process, grace=stop_seconds)


async def _ping_redis(port: int) -> None:
    # By hand: importing the client library takes longer than starting the server.
    reader, writer = await asyncio.open_connection(_ADDRESS, port)
    try:
        writer.write(b"*1\r\n$4\r\nPING\r\n")
        answer = await reader.readline()
    finally:
        writer.close()
    if answer != b"+PONG\r\n":
        raise OSError(f"unexpected answer {answer!r}")


async def _answers(name: str, process: Process, log: Path, ping: Callable[[], Awaitable[object]]) -> None:
    try:
        async with asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                try:
                    await ping()
                except OSError:
                    await asyncio.sleep(_POLL_SECONDS)
                else:
                    return
    except TimeoutError:
        raise StartError(f"embedded {name} did not respond within {_START_SECONDS:.0f} s") from None
    raise _ended(name, process.returncode, log)


def _ended(name: str, exit_code: int | None, log: Path) -> StartError:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    reason = lines[-1] if lines else "no output"
    return StartError(f"embedded {name} exited with code {exit_code}: {reason}", "\n".join(lines))


@contextmanager
def _storage(data_dir: Path | None, name: str) -> Iterator[Path]:
    if data_dir is None:
        with tempfile.TemporaryDirectory(prefix=f"devhost-{name}-", ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)
    else:
        folder = data_dir / name
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def _kept(data_dir: Path | None) -> str:
    return f"data in {data_dir}" if data_dir else "data discarded on exit"


def _free_port() -> int:
    with socket.create_server((_ADDRESS, 0)) as probe:
        return int(probe.getsockname()[1])
