"""A worker process: runs the app's functions by Microsoft's worker library, as the process of Azure does.

The library (``azure_functions_runtime``) indexes the app, converts bindings, calls functions and formats errors. The
caller of the library in Azure is not a package; it is imitated here, from workers/proxy_worker of the worker's
repository (Azure/azure-functions-python-worker): dispatcher.py (messages, tasks, log lines) and utils/dependency.py
(search order of imports).

Started by the host, which talks FunctionRpc to it over a socket, and kills it in the end: exit handlers never run.
"""

import asyncio
import importlib
import logging
import os
import socket
import sys
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, override

from devhost import protos, wire

type Message = Any  # generated, without types
type Library = Any  # azure_functions_runtime, without types

_rpc: Any = protos.load()
_LEVELS = (
    (logging.CRITICAL, _rpc.RpcLog.Critical),
    (logging.ERROR, _rpc.RpcLog.Error),
    (logging.WARNING, _rpc.RpcLog.Warning),
    (logging.INFO, _rpc.RpcLog.Information),
    (logging.NOTSET, _rpc.RpcLog.Debug),
)
_SYSTEM = ("azure.functions", "azure_functions_runtime", "proxy_worker")
_RELOADED = ("azure", "azure_functions_runtime", "azurefunctions", "werkzeug", "markupsafe")
_DEPLOYED = Path(".python_packages", "lib", "site-packages")


@dataclass(frozen=True, slots=True)
class Request:
    """A message in the form that the library's handlers take."""

    name: str
    request: Message
    properties: dict[str, Any] = field(default_factory=dict)


class InvocationTask(asyncio.Task[Any]):
    """A task that belongs to the invocation of the task that made it."""

    def __init__(self, coro: Coroutine[Any, Any, Any], **options: Any) -> None:  # noqa: ANN401 - as of asyncio
        super().__init__(coro, **options)
        self.invocation_id: str | None = getattr(_current_task(), "invocation_id", None)


def _current_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return None


class LogStream(logging.Handler):
    """Sends each log line to the host, with the id of the invocation that it belongs to."""

    def __init__(self, dispatcher: "Dispatcher") -> None:
        super().__init__()
        self._dispatcher = dispatcher

    @override
    def emit(self, record: logging.LogRecord) -> None:
        invocation = getattr(_current_task(), "invocation_id", None) or self._dispatcher.invocation_of_thread()
        category = "System" if record.name.startswith(_SYSTEM) else "User"
        line = _rpc.RpcLog(
            level=next(level for least, level in _LEVELS if record.levelno >= least),
            message=self.format(record),
            category=record.name,
            log_category=_rpc.RpcLog.RpcLogCategory.Value(category),
            invocation_id=invocation or "",
        )
        self._dispatcher.send_from_any_thread(_rpc.StreamingMessage(rpc_log=line))


class Dispatcher:
    """Receives messages from the host, one task each, and sends the library's answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, packages: str) -> None:
        self._reader, self._writer, self._packages = reader, writer, packages
        self._folder = sys.path[0]
        self._library: Library = None
        self._loop = asyncio.get_running_loop()
        self._running: set[asyncio.Task[None]] = set()
        self._handlers: dict[str, Callable[[Message], Awaitable[dict[str, Message]]]] = {
            "worker_init_request": self._init,
            "function_environment_reload_request": self._reload,
            "functions_metadata_request": self._metadata,
            "function_load_request": self._load,
            "invocation_request": self._invoke,
        }

    async def serve(self) -> None:
        """Answer until the host closes the connection or dies."""
        self._loop.set_task_factory(lambda _loop, coro, **options: InvocationTask(coro, loop=_loop, **options))
        root = logging.getLogger()
        root.setLevel(logging.INFO)
        root.addHandler(LogStream(self))
        self._send(_rpc.StreamingMessage(start_stream=_rpc.StartStream()))
        while (message := await wire.receive(self._reader, _rpc.StreamingMessage)) is not None:
            # Each in its own context: no task sees the variables of another.
            task = self._loop.create_task(self._answer(message), context=Context())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _answer(self, message: Message) -> None:
        try:
            answer = await self._handlers[message.WhichOneof("content")](message)
        except Exception:  # noqa: BLE001 - the library answers for the app; this is a defect of the worker, and ends it
            traceback.print_exc()
            os._exit(1)
        self._send(_rpc.StreamingMessage(**answer))

    def _send(self, message: Message) -> None:
        wire.send(self._writer, message)

    def send_from_any_thread(self, message: Message) -> None:
        """Send a log line in order, before the answer of its invocation."""
        if _current_task() is None:
            self._loop.call_soon_threadsafe(self._send, message)
        else:  # at once, or the answer of a coroutine would arrive before its lines, and the host discard them
            self._send(message)

    def invocation_of_thread(self) -> str | None:
        """Return the invocation that a pool thread works for. Threads started by the app itself belong to none."""
        invocation: str | None = self._library and self._library.invocation_id_cv.get()
        return invocation

    async def _init(self, message: Message) -> dict[str, Message]:
        if os.environ.get("WEBSITE_PLACEHOLDER_MODE") != "1":
            self._search_in(Path(message.worker_init_request.function_app_directory))
        self._load_library()
        answer = await self._library.worker_init_request(Request("WorkerInitRequest", message, self._properties))
        return {"worker_init_response": answer}

    async def _reload(self, message: Message) -> dict[str, Message]:
        self._search_in(Path(message.function_environment_reload_request.function_app_directory))
        self._load_library()
        request = Request("FunctionEnvironmentReloadRequest", message, self._properties)
        answer = await self._library.function_environment_reload_request(request)
        return {"function_environment_reload_response": answer}

    def _load_library(self) -> None:
        self._library = importlib.import_module("azure_functions_runtime")
        self._library.start_threadpool_executor()

    @property
    def _properties(self) -> dict[str, Any]:
        return {"protos": _rpc, "host": "127.0.0.1"}

    def _search_in(self, app_dir: Path) -> None:
        """Search modules first in the app's packages, then in the worker's own folder, last in the app.

        Modules from the worker's own folder are unloaded, so that the app's versions are loaded, except those of
        protobuf and gRPC: their binary parts are the same file here and cannot be loaded twice.
        """
        packages = str(app_dir / _DEPLOYED) if (app_dir / _DEPLOYED).is_dir() else self._packages
        sys.path[:] = [packages, self._folder, *sys.path[1:], str(app_dir)]
        for name in [name for name, module in sys.modules.items() if self._is_own(name, module)]:
            del sys.modules[name]

    def _is_own(self, name: str, module: ModuleType) -> bool:
        places = [getattr(module, "__file__", None) or "", *(getattr(module, "__path__", None) or ())]
        return name.partition(".")[0] in _RELOADED and any(place.startswith(self._folder) for place in places)

    async def _metadata(self, message: Message) -> dict[str, Message]:
        answer = await self._library.functions_metadata_request(Request("WorkerMetadataRequest", message))
        return {"function_metadata_response": answer}

    async def _load(self, message: Message) -> dict[str, Message]:
        return {
            "function_load_response": await self._library.function_load_request(Request("FunctionLoadRequest", message))
        }

    async def _invoke(self, message: Message) -> dict[str, Message]:
        task = asyncio.current_task()
        if isinstance(task, InvocationTask):
            task.invocation_id = message.invocation_request.invocation_id
        answer = await self._library.invocation_request(Request("FunctionInvocationRequest", message))
        return {"invocation_response": answer}


async def _serve(packages: str, connection: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    await Dispatcher(reader, writer, packages).serve()


def main() -> None:
    """Run as a process; arguments: the package folder of an app that has none of its own, and the file descriptor."""
    packages, descriptor = sys.argv[1:]
    asyncio.run(_serve(packages, socket.socket(fileno=int(descriptor))))
    os._exit(0)  # not a return: the interpreter would wait for functions that still run


if __name__ == "__main__":
    main()
