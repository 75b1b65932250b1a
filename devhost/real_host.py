"""``make func``: the app under Azure Functions Core Tools, with Azurite and the embedded servers of ``make start``."""

import asyncio
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path

from devhost.banner import Servers, data_of, tell_console, tell_secret, tell_servers
from devhost.children import start_child, stop_child
from devhost.data_dir import held
from devhost.environment import local_settings
from devhost.errors import StartError
from devhost.start import StartOptions, run, servers

_ADDRESS = "127.0.0.1"
# The meaning of UseDevelopmentStorage=true: blobs, queues, tables.
_STORAGE_PORTS = (10_000, 10_001, 10_002)
_START_SECONDS = 60.0
_STOP_SECONDS = 4.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Tool:
    """An external program, in the tested version."""

    command: str
    name: str
    package: str


CORE_TOOLS = Tool("func", "Azure Functions Core Tools", "azure-functions-core-tools@4.15.1")
AZURITE = Tool("azurite", "Azurite", "azurite@3.37.0")


def func(app_dir: Path) -> int:
    """Run until SIGINT or SIGTERM and return the exit code."""
    return run(lambda: _serve(StartOptions.read(app_dir, os.environ, verbose=False)), verbose=False)


async def _serve(options: StartOptions) -> None:
    _check_tools()
    local = local_settings(options.app_dir)
    with held(options.data_dir):
        async with servers(options, local) as running, _storage():
            tell_console(f"http://{_ADDRESS}:{options.port}")
            tell_secret(running.environment)
            tell_servers(running, data_of(running))
            await _serve_until_it_ends(options, running)


async def _serve_until_it_ends(options: StartOptions, running: Servers) -> None:
    command = (CORE_TOOLS.command, "start", "--port", str(options.port))
    host = await start_child(
        *command, environment=_with_python(running.environment), cwd=options.app_dir, output=sys.stdout.fileno()
    )
    try:
        raise StartError(f"func exited with code {await host.wait()}")
    finally:
        await stop_child(host, grace=_STOP_SECONDS)


def _check_tools() -> None:
    missing = [tool for tool in (CORE_TOOLS, AZURITE) if shutil.which(tool.command) is None]
    if missing:
        lines = [f"{tool.name} ({tool.command}) is missing: npm install --global {tool.package}" for tool in missing]
        raise StartError("\n".join([*lines, "'make start' needs neither: see docs/deployment.md for what differs."]))


def _with_python(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with this interpreter for the host's workers."""
    here = str(Path(sys.executable).parent)
    return {
        **environment,
        "PATH": os.pathsep.join((here, environment["PATH"])),
        "VIRTUAL_ENV": str(Path(here).parent),
        "languageWorkers__python__defaultExecutablePath": sys.executable,
    }


@asynccontextmanager
async def _storage() -> AsyncIterator[None]:
    """Run Azurite on its usual ports; one that already runs is used."""
    if await _is_there():
        yield
        return
    with tempfile.TemporaryDirectory(prefix="devhost-azurite-", ignore_cleanup_errors=True) as folder:
        process = await start_child(AZURITE.command, "--silent", "--location", folder)
        try:
            await _wait_for(process)
            yield
        finally:
            await stop_child(process, grace=0)  # temporary data needs no orderly shutdown


async def _wait_for(process: Process) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                if await _is_there():
                    return
                await asyncio.sleep(_POLL_SECONDS)
    raise StartError(f"Azurite did not respond on ports {', '.join(map(str, _STORAGE_PORTS))}; is one of them in use?")


async def _is_there() -> bool:
    for port in _STORAGE_PORTS:
        try:
            _, writer = await asyncio.open_connection(_ADDRESS, port)
        except OSError:
            return False
        with closing(writer):
            pass
    return True
