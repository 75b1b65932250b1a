"""A worker process: runs the app's functions by Microsoft's worker library, as the process of Azure does.

The library (``azure_functions_runtime``) indexes the app, converts bindings, calls functions and shapes errors. What
calls the library in Azure is no package; it is imitated here, from workers/proxy_worker of the worker's repository
(Azure/azure-functions-python-worker): dispatcher.py (messages, tasks, log lines) and utils/dependency.py (search order
of imports).

Started by the host, with which it speaks FunctionRpc over a socket. The host kills it when it is done with it: exit
handlers never run.
"""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, override

import azure_functions_runtime as library

from devhost import protos, wire

type Message = Any  # generated, without types

_rpc: Any = protos.load()
_LEVELS = (
    (logging.CRITICAL, _rpc.RpcLog.Critical),
    (logging.ERROR, _rpc.RpcLog.Error),
    (logging.WARNING, _rpc.RpcLog.Warning),
    (logging.INFO, _rpc.RpcLog.Information),
    (logging.NOTSET, _rpc.RpcLog.Debug),
)
_log = logging.getLogger("devhost.worker")
_SYSTEM = ("azure.functions", "azure_functions_runtime", "proxy_worker")
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

    def __init__(self, send: Callable[[Message], None]) -> None:
        super().__init__()
        self._send = send

    @override
    def emit(self, record: logging.LogRecord) -> None:
        # Such threads as the app starts itself belong to none.
        invocation = getattr(_current_task(), "invocation_id", None) or library.invocation_id_cv.get()
        category = "System" if record.name.startswith(_SYSTEM) else "User"
        line = _rpc.RpcLog(
            level=next(level for least, level in _LEVELS if record.levelno >= least),
            message=self.format(record),
            category=record.name,
            log_category=_rpc.RpcLog.RpcLogCategory.Value(category),
            invocation_id=invocation or "",
        )
        self._send(_rpc.StreamingMessage(rpc_log=line))


class Dispatcher:
    """Takes messages from the host, one task each, and sends what the library answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, packages: str) -> None:
        self._reader, self._writer, self._packages = reader, writer, packages
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
        root.addHandler(LogStream(self._send_from_any_thread))
        self._send(_rpc.StreamingMessage(start_stream=_rpc.StartStream()))
        while (message := await wire.receive(self._reader, _rpc.StreamingMessage)) is not None:
            # Each in a context of its own: none is left with what another has set.
            task = self._loop.create_task(self._answer(message), context=Context())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _answer(self, message: Message) -> None:
        try:
            answer = await self._handlers[message.WhichOneof("content")](message)
            self._send(_rpc.StreamingMessage(**answer))
        except ValueError as error:  # text that is no UTF-8 cannot be sent; told here only, it hangs in Azure, too
            reason = ascii(str(error))
            _log.error("what came of a call cannot be told, so that it hangs until functionTimeout: %s", reason)

    def _send(self, message: Message) -> None:
        wire.send(self._writer, message)

    def _send_from_any_thread(self, message: Message) -> None:
        if _current_task() is None:
            self._loop.call_soon_threadsafe(self._send, message)
        else:  # at once, or the answer of a coroutine would overtake its lines, and the host discard them
            self._send(message)

    async def _init(self, message: Message) -> dict[str, Message]:
        self._search_in(Path(message.worker_init_request.function_app_directory))
        library.start_threadpool_executor()
        answer = await library.worker_init_request(Request("WorkerInitRequest", message, self._properties))
        return {"worker_init_response": answer}

    async def _reload(self, message: Message) -> dict[str, Message]:
        self._search_in(Path(message.function_environment_reload_request.function_app_directory))
        library.start_threadpool_executor()
        request = Request("FunctionEnvironmentReloadRequest", message, self._properties)
        answer = await library.function_environment_reload_request(request)
        return {"function_environment_reload_response": answer}

    @property
    def _properties(self) -> dict[str, Any]:
        return {"protos": _rpc, "host": "127.0.0.1"}

    def _search_in(self, app_dir: Path) -> None:
        """Look for modules among what the app requires, then in the worker's own folder, last in the app."""
        packages = str(app_dir / _DEPLOYED) if (app_dir / _DEPLOYED).is_dir() else self._packages
        if packages not in sys.path:
            sys.path.insert(0, packages)
        if str(app_dir) not in sys.path:
            sys.path.append(str(app_dir))

    async def _metadata(self, message: Message) -> dict[str, Message]:
        answer = await library.functions_metadata_request(Request("WorkerMetadataRequest", message))
        return {"function_metadata_response": answer}

    async def _load(self, message: Message) -> dict[str, Message]:
        return {"function_load_response": await library.function_load_request(Request("FunctionLoadRequest", message))}

    async def _invoke(self, message: Message) -> dict[str, Message]:
        task = asyncio.current_task()
        if isinstance(task, InvocationTask):
            task.invocation_id = message.invocation_request.invocation_id
        answer = await library.invocation_request(Request("FunctionInvocationRequest", message))
        return {"invocation_response": answer}


async def _serve(packages: str, connection: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    await Dispatcher(reader, writer, packages).serve()


def main() -> None:
    """Run as a process: packages of an app that brings none itself, file descriptor."""
    packages, descriptor = sys.argv[1:]
    asyncio.run(_serve(packages, socket.socket(fileno=int(descriptor))))
    os._exit(0)  # not a return: the interpreter would wait for functions that still run


if __name__ == "__main__":
    main()
