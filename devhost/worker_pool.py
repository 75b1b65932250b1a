"""The host's side of its worker processes: start them, spread invocations over them, replace those that die."""

import asyncio
import logging
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from devhost import messages
from devhost.children import start_child, stop_child
from devhost.errors import InvocationError, StartError, WorkerExitedError
from devhost.messages import (
    AppLoaded,
    AppRefused,
    Failed,
    FunctionInfo,
    HttpRequest,
    HttpResponse,
    Invoke,
    LoadApp,
    Succeeded,
)

_log = logging.getLogger(__name__)
_CODE = Path(__file__).parent.parent
_STDERR = 2
_RETRY_SECONDS = 1.0
_STOP_SECONDS = 0.5


class UndeliveredError(Exception):
    """The worker was dead before it could get the invocation, so another one may run it."""


class Worker:
    """One worker process and the invocations it is running."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process = process
        self._reader = reader
        self._writer = writer
        self._pending: dict[int, asyncio.Future[Succeeded | Failed]] = {}
        self._ids = count(1)

    @classmethod
    async def start(cls, environment: Mapping[str, str]) -> "Worker":
        """Start the process, connected by a socket pair."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await start_child(
                *(sys.executable, "-m", "devhost.worker", str(theirs.fileno())),
                environment=environment,
                cwd=_CODE,
                pass_fds=[theirs.fileno()],
                output=_STDERR,  # what a function prints must not mix with the host's own lines
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    async def load(self, load: LoadApp) -> list[FunctionInfo]:
        """Have it import the app; the functions found.

        Raises:
            StartError: the app refuses to be imported.
        """
        messages.send(self._writer, load)
        match await messages.receive(self._reader, messages.to_host_decoder):
            case AppLoaded(functions):
                return functions
            case AppRefused(error, stack):
                raise StartError(error, stack)
            case _:
                raise StartError(f"the app ended its process at import, exit code {await self.process.wait()}")

    @property
    def in_flight(self) -> int:
        """Number of invocations under way."""
        return len(self._pending)

    async def invoke(
        self, function: str, trigger: HttpRequest | str, traceparent: str = ""
    ) -> HttpResponse | str | None:
        """Run a function and return its value: HTTP answer, JSON or base64 text, or nothing from a timer.

        Raises:
            InvocationError: the function raised, or the process ended (WorkerExitedError).
            UndeliveredError: the process had ended before.
        """
        invocation = next(self._ids)
        answer: asyncio.Future[Succeeded | Failed] = asyncio.get_running_loop().create_future()
        self._pending[invocation] = answer
        try:
            messages.send(self._writer, Invoke(invocation, function, trigger, traceparent))
            if self._writer.is_closing():  # a socket pair tells the sender at once
                raise UndeliveredError
            outcome = await answer
        finally:
            self._pending.pop(invocation, None)
        if isinstance(outcome, Failed):
            raise InvocationError(outcome.error_type, outcome.message, outcome.stack)
        return outcome.value

    async def listen(self) -> None:
        """Hand answers to those who wait for them, until the process ends."""
        while isinstance(answer := await messages.receive(self._reader, messages.to_host_decoder), Succeeded | Failed):
            waiting = self._pending.get(answer.id)
            if waiting and not waiting.done():
                waiting.set_result(answer)

    async def stop(self) -> None:
        """End the process; invocations under way fail."""
        self._writer.close()
        await stop_child(self.process, grace=_STOP_SECONDS)
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(WorkerExitedError(self.process.pid, self.process.returncode))


class WorkerPool:
    """The workers that are alive. An invocation goes to the least busy one, or waits for one to be alive."""

    def __init__(self, load: LoadApp, environment: Mapping[str, str]) -> None:
        self._load = load
        self._environment = environment
        self._alive: list[Worker] = []
        self._some_alive = asyncio.Event()
        self.functions: list[FunctionInfo] = []

    async def invoke(
        self, function: str, trigger: HttpRequest | str, traceparent: str = ""
    ) -> HttpResponse | str | None:
        """Run a function on one of the workers.

        Raises:
            InvocationError: the function raised, or its worker ended (WorkerExitedError).
        """
        while True:
            while not self._alive:
                await self._some_alive.wait()
            worker = min(self._alive, key=lambda worker: worker.in_flight)
            try:
                return await worker.invoke(function, trigger, traceparent)
            except UndeliveredError:
                self._forget(worker)

    def _forget(self, worker: Worker) -> None:
        if worker in self._alive:
            self._alive.remove(worker)
        if not self._alive:
            self._some_alive.clear()

    async def add_worker(self) -> Worker:
        """Start one more worker.

        Raises:
            StartError: the app refuses to be imported.
        """
        worker = await Worker.start(self._environment)
        try:
            self.functions = await worker.load(self._load)
        except BaseException:
            await worker.stop()
            raise
        self._alive.append(worker)
        self._some_alive.set()
        return worker

    async def keep_alive(self) -> None:
        """Replace every worker that dies; runs until cancelled."""
        async with asyncio.TaskGroup() as group:
            for worker in tuple(self._alive):
                group.create_task(self._keep_alive(worker))

    async def _keep_alive(self, worker: Worker) -> None:
        while True:
            await worker.listen()
            self._forget(worker)
            lost = worker.in_flight
            await worker.stop()
            exit_code = worker.process.returncode
            _log.warning("worker %d exited with code %s, %d invocations lost", worker.process.pid, exit_code, lost)
            worker = await self._replacement()

    async def _replacement(self) -> Worker:
        while True:
            try:
                return await self.add_worker()
            except StartError as error:
                _log.error("no replacement for the worker yet: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def stop(self) -> None:
        """End all workers."""
        await asyncio.gather(*(worker.stop() for worker in self._alive))


@asynccontextmanager
async def worker_pool(load: LoadApp, environment: Mapping[str, str], size: int) -> AsyncIterator[WorkerPool]:
    """A pool of ``size`` workers that have all loaded the app.

    Raises:
        StartError: the app refuses to be imported.
    """
    pool = WorkerPool(load, environment)
    try:
        starting = await asyncio.gather(*(pool.add_worker() for _ in range(size)), return_exceptions=True)
        for outcome in starting:
            if isinstance(outcome, BaseException):
                raise outcome
        yield pool
    finally:
        await pool.stop()
