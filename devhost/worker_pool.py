"""The host's side of its worker processes: start them, distribute invocations, replace those that die.

As in the Functions host: GrpcWorkerChannel.cs (messages), WorkerProcess.cs (a worker is killed, not asked to end) and
RpcFunctionInvocationDispatcher.cs (three deaths per process end the host).
"""

import asyncio
import logging
import socket
import time
import uuid
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devhost import logs, protos, rpc, wire, worker_folder
from devhost.children import start_child, stop_child
from devhost.errors import (
    FunctionTimeoutError,
    HostEndedError,
    InvocationError,
    StartError,
    WorkerExitedError,
)
from devhost.messages import FunctionInfo, HttpRequest, HttpResponse

_log = logging.getLogger(__name__)
_rpc: Any = protos.load()
_STDERR = 2
_DEATHS_PER_PROCESS = 3
_DEATHS_FORGOTTEN_SECONDS = 30 * 60

type Message = Any  # generated, without types


class UndeliveredError(Exception):
    """The worker died before it received the invocation, so another one may run it."""


@dataclass(frozen=True, slots=True)
class AppToLoad:
    """The app for a worker: its folder and environment, and the binding data of durable clients."""

    app_dir: Path
    environment: Mapping[str, str]
    durable_client: Callable[[], str]


class Worker:
    """One worker process and the invocations it is running."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self.timed_out = False
        self._reader = reader
        self._writer = writer
        self._pending: dict[str, tuple[FunctionInfo, asyncio.Future[Message]]] = {}
        self._answers: asyncio.Queue[Message | None] = asyncio.Queue()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, folder: Path, environment: Mapping[str, str], directory: Path) -> "Worker":
        """Start the process, connected by a socket pair."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await start_child(
                    *worker_folder.command(folder, theirs.fileno()),
                    environment=environment,
                    cwd=directory,
                    pass_fds=[theirs.fileno()],
                    output=_STDERR,  # output of functions must not mix with the host's own lines
                )
            reader, writer = await asyncio.open_connection(sock=ours)
        except BaseException:  # also on cancellation: a process without its other end ends by itself
            ours.close()
            raise
        return cls(process, reader, writer)

    async def load(self, app_dir: Path) -> list[FunctionInfo]:
        """Import and index the app in the worker; return its functions.

        Raises:
            StartError: the app cannot be imported, or the worker library refuses one of its functions.
        """
        init = await self.ask(worker_init_request=_rpc.WorkerInitRequest(function_app_directory=str(app_dir)))
        _check(init.worker_init_response.result)
        return await self.load_functions()

    async def load_functions(self) -> list[FunctionInfo]:
        """Load all functions that the worker has indexed, and return them.

        Raises:
            StartError: the worker refuses one.
        """
        found = await self.ask(functions_metadata_request=_rpc.FunctionsMetadataRequest())
        functions = [
            rpc.function_info(metadata) for metadata in found.function_metadata_response.function_metadata_results
        ]
        for function in functions:
            loaded = await self.ask(function_load_request=_rpc.FunctionLoadRequest(function_id=function.function_id))
            _check(loaded.function_load_response.result)
        return functions

    async def ask(self, **content: Message) -> Message:
        """Send a message other than an invocation and return the answer; one at a time.

        Raises:
            StartError: the process ends instead.
        """
        wire.send(self._writer, _rpc.StreamingMessage(**content))
        answer = await self._answers.get()
        if answer is None:
            raise StartError(f"the app exited during import with code {await self.process.wait()}")
        return answer

    @property
    def in_flight(self) -> int:
        """Return the number of invocations under way."""
        return len(self._pending)

    async def invoke(
        self, function: FunctionInfo, trigger: HttpRequest | str, durable_client: str, traceparent: str
    ) -> HttpResponse | str | None:
        """Run a function and return its value: HTTP answer, JSON or base64 text, or nothing for a timer.

        Raises:
            InvocationError: the function raised, or the process ended (WorkerExitedError).
            UndeliveredError: the process had ended before.
        """
        invocation_id = str(uuid.uuid4())
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._pending[invocation_id] = (function, answer)
        try:
            wire.send(
                self._writer, rpc.invocation_request(function, invocation_id, trigger, durable_client, traceparent)
            )
            if self._writer.is_closing():  # a socket pair reports it at once
                raise UndeliveredError
            return rpc.outcome(function, await answer)
        finally:
            self._pending.pop(invocation_id, None)

    async def ended(self) -> None:
        """Wait until the process has ended."""
        await asyncio.shield(self._listening)

    async def _listen(self) -> None:
        """Dispatch answers and log lines until the process ends."""
        while (message := await wire.receive(self._reader, _rpc.StreamingMessage)) is not None:
            match message.WhichOneof("content"):
                case "rpc_log":
                    self._log(message.rpc_log)
                case "invocation_response":
                    _, answer = self._pending.get(message.invocation_response.invocation_id, (None, None))
                    if answer and not answer.done():
                        answer.set_result(message.invocation_response)
                case "start_stream":
                    pass
                case _:
                    self._answers.put_nowait(message)
        self._answers.put_nowait(None)

    def _log(self, line: Message) -> None:
        function, _ = self._pending.get(line.invocation_id, (None, None))
        is_system = line.log_category == _rpc.RpcLog.RpcLogCategory.Value("System")
        logs.log_line_of_worker(line.level, line.message, function.name if function and not is_system else None)

    async def stop(self) -> None:
        """Kill the process; invocations under way fail."""
        self._writer.close()
        await stop_child(self.process, grace=0)
        await self._listening
        for _, answer in self._pending.values():
            if not answer.done():
                answer.set_exception(WorkerExitedError(self.process.pid, self.process.returncode))


def _check(result: Message) -> None:
    if result.status != _rpc.StatusResult.Success:
        raise StartError(" ".join(result.exception.message.split()), result.exception.stack_trace)


class WorkerPool:
    """The workers that are alive. An invocation goes to the least busy one, or waits until one is alive."""

    def __init__(self, folder: Path, app: AppToLoad, size: int, timeout_seconds: float | None) -> None:
        self._folder = folder
        self._app = app
        self._timeout_seconds = timeout_seconds
        self._alive: list[Worker] = []
        self._some_alive = asyncio.Event()
        self._most_deaths = _DEATHS_PER_PROCESS * size
        self._deaths: list[float] = []
        self._by_name: dict[str, FunctionInfo] = {}

    @property
    def functions(self) -> list[FunctionInfo]:
        """Return the functions that the workers have loaded."""
        return list(self._by_name.values())

    async def invoke(
        self, function: str, trigger: HttpRequest | str, traceparent: str = ""
    ) -> HttpResponse | str | None:
        """Run a function on one of the workers.

        Raises:
            InvocationError: the function raised, its worker ended (WorkerExitedError), or it took longer than host.json
                allows (FunctionTimeoutError): then its worker is killed with all its invocations.
        """
        begin = time.monotonic()
        with logs.of_function(function):
            try:
                return await self._run(self._by_name[function], trigger, traceparent)
            except InvocationError as error:
                _log.error("failed: %s", logs.located(str(error), error.stack))
                raise
            finally:
                _log.debug("took %d ms", round(1e3 * (time.monotonic() - begin)))

    async def _run(
        self, function: FunctionInfo, trigger: HttpRequest | str, traceparent: str
    ) -> HttpResponse | str | None:
        while True:
            while not self._alive:
                await self._some_alive.wait()
            worker = min(self._alive, key=lambda worker: worker.in_flight)
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    return await worker.invoke(function, trigger, self._app.durable_client(), traceparent)
            except UndeliveredError:
                self._forget(worker)
            except TimeoutError:
                worker.timed_out = True
                self._forget(worker)
                await worker.stop()
                raise FunctionTimeoutError(function.name, self._timeout_seconds or 0) from None

    def _forget(self, worker: Worker) -> None:
        if worker in self._alive:
            self._alive.remove(worker)
        if not self._alive:
            self._some_alive.clear()

    async def add_worker(self) -> Worker:
        """Start one more worker.

        Raises:
            StartError: the app cannot be imported.
        """
        worker = await Worker.start(self._folder, self._app.environment, self._app.app_dir)
        try:
            self._by_name = {function.name: function for function in await worker.load(self._app.app_dir)}
        except BaseException:
            await worker.stop()
            raise
        self._alive.append(worker)
        self._some_alive.set()
        return worker

    async def keep_alive(self) -> None:
        """Replace every worker that dies; runs until canceled.

        Raises:
            HostEndedError: too many have died.
        """
        async with asyncio.TaskGroup() as group:
            for worker in tuple(self._alive):
                group.create_task(self._keep_alive(worker))

    async def _keep_alive(self, worker: Worker | None) -> None:
        while worker is not None:
            await worker.ended()
            self._forget(worker)
            lost = worker.in_flight
            await worker.stop()
            exit_code = worker.process.returncode
            _log.warning("worker %d exited with code %s, %d invocations lost", worker.process.pid, exit_code, lost)
            worker = await self._replacement(died=not worker.timed_out)

    async def _replacement(self, *, died: bool) -> Worker | None:
        """Return a new worker; None if too many died for another replacement, but some are left."""
        while True:
            if died:
                self._count_death()
            if len(self._deaths) >= self._most_deaths:
                if not self._alive:
                    raise HostEndedError(len(self._deaths))
                return None
            try:
                return await self.add_worker()
            except StartError as error:
                _log.error("no replacement for the worker: %s", error)
                died = True

    def _count_death(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._deaths and now - self._deaths[-1] > _DEATHS_FORGOTTEN_SECONDS:
            self._deaths.clear()
        self._deaths.append(now)

    async def stop(self) -> None:
        """End all workers."""
        await asyncio.gather(*(worker.stop() for worker in self._alive))


@asynccontextmanager
async def worker_pool(app: AppToLoad, size: int, timeout_seconds: float | None = None) -> AsyncIterator[WorkerPool]:
    """Yield a pool of ``size`` workers that have all loaded the app, with the time limit of an invocation.

    Raises:
        StartError: the app cannot be imported.
    """
    with worker_folder.worker_folder() as folder:
        pool = WorkerPool(folder, app, size, timeout_seconds)
        try:
            starting = await asyncio.gather(*(pool.add_worker() for _ in range(size)), return_exceptions=True)
            for outcome in starting:
                if isinstance(outcome, BaseException):
                    raise outcome
            yield pool
        finally:
            await pool.stop()
