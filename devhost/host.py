"""The local Functions host: everything between an app folder and a port."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from devhost import logs
from devhost.background import background
from devhost.durable import memory_engine
from devhost.engine import Engine
from devhost.errors import InvocationError, StartError
from devhost.extension_engine import PROGRAM, ExtensionEngine
from devhost.host_json import HostJson
from devhost.http_server import HttpFrontend, http_server
from devhost.messages import FunctionInfo
from devhost.platform_settings import PlatformSettings
from devhost.routes import Route, RouteTable
from devhost.timers import Timer
from devhost.worker_pool import AppToLoad, WorkerPool, worker_pool

_log = logging.getLogger(__name__)
_DEFAULT_WORKERS = 2
_SCRIPT = "function_app.py"
_TRIGGERS = ("httpTrigger", "timerTrigger", "orchestrationTrigger", "activityTrigger")


@dataclass(frozen=True, slots=True)
class RunningHost:
    """A running host."""

    base_url: str
    routes: tuple[Route, ...]
    master_key: str


@asynccontextmanager
async def functions_host(
    app_dir: Path,
    environment: Mapping[str, str],
    listener: socket.socket,
    *,
    data_dir: Path | None = None,
) -> AsyncIterator[RunningHost]:
    """Run the function app in ``app_dir``; the body runs while it serves, and is canceled if the host fails.

    Raises:
        StartError: the app, its host.json or one of its functions is not acceptable.
    """
    host_json = HostJson.read(app_dir)
    if not (app_dir / _SCRIPT).exists():
        raise StartError(f"{_SCRIPT} is missing in {app_dir}")
    workers = _count(environment, "FUNCTIONS_WORKER_PROCESS_COUNT") or _DEFAULT_WORKERS
    with _engine(app_dir, environment, host_json, listener) as engine:
        app = AppToLoad(app_dir, environment, engine.client_binding)
        async with worker_pool(app, workers, host_json.timeout_seconds) as pool:
            _check_triggers(pool.functions)
            routes = RouteTable(pool.functions, host_json.extensions.http.route_prefix)
            timers = _timers(pool.functions, environment, data_dir)
            settings = PlatformSettings.read(environment)
            frontend = HttpFrontend(routes, pool.invoke, ManualInvocations(pool, timers).fire, settings)
            async with background(pool.keep_alive(), engine.run(pool.functions, pool.invoke)):
                await engine.ready()
                async with (
                    background(*(timer.run(pool.invoke) for timer in timers)),
                    http_server(frontend, listener),
                ):
                    yield RunningHost(_base_url(listener), tuple(routes.routes), settings.master_key)


def _engine(
    app_dir: Path, environment: Mapping[str, str], host_json: HostJson, listener: socket.socket
) -> AbstractContextManager[Engine]:
    """Return the durable engine: a program that carries the real extension where one is named, else the SDK's."""
    if environment.get(PROGRAM):
        _, port = listener.getsockname()
        return nullcontext(ExtensionEngine(app_dir, environment, port, host_json.timeout_seconds))
    return memory_engine(host_json.extensions.durable_task, _base_url(listener))


def _base_url(listener: socket.socket) -> str:
    return "http://{}:{}".format(*listener.getsockname())


class ManualInvocations:
    """Fires functions by hand; names are case-insensitive, as in FunctionsController.cs."""

    def __init__(self, pool: WorkerPool, timers: list[Timer]) -> None:
        self._pool = pool
        self._timers = {timer.function: timer for timer in timers}
        self._functions = {function.name.lower(): function for function in pool.functions}
        self._running: set[asyncio.Task[None]] = set()

    def fire(self, name: str, text: str) -> bool:
        """Start the function with ``text`` as its trigger, a timer with its usual one; return False if there is none.

        An HTTP function is accepted, then fails: a text is no request (HttpTriggerAttributeBindingProvider.cs).
        """
        function = self._functions.get(name.lower())
        if function is None:
            return False
        if function.trigger_type == "httpTrigger":
            with logs.of_function(function.name):
                _log.error("failed: an HTTP function cannot be started by hand; send a request to its route")
            return True
        if function.name in self._timers:
            text = self._timers[function.name].payload()
        task = asyncio.create_task(self._invoke(function.name, text))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return True

    async def _invoke(self, function: str, text: str) -> None:
        with contextlib.suppress(InvocationError):  # logged by the pool
            await self._pool.invoke(function, text)


def _timers(functions: list[FunctionInfo], environment: Mapping[str, str], data_dir: Path | None) -> list[Timer]:
    return [Timer(function, environment, data_dir) for function in functions if function.trigger_type == "timerTrigger"]


def _check_triggers(functions: list[FunctionInfo]) -> None:
    for function in functions:
        if function.trigger_type not in _TRIGGERS:
            raise StartError(f"function {function.name}: the local host does not support {function.trigger_type}")


def _count(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise StartError(f"{name} must be a whole number from 1, not {text}")
    return int(text)
