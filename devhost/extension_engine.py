"""The durable engine as a separate program with the real Durable extension, on Azure Storage or Azurite.

The program uses HTTP for the part of the Functions host: the list of functions (``GET /functions``), and their
invocation (``POST /invoke/NAME`` with the text of the trigger). An answer of 503 stands for a worker that ended, 500
for a function that raised; the program then throws the exceptions of the Functions host. It lives as long as the host,
as the extension does in the real one: each ends with the other.
"""

import asyncio
import logging
import re
import shutil
import socket
import tempfile
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from devhost.children import start_child, stop_child
from devhost.engine import Invoke
from devhost.errors import FunctionTimeoutError, InvocationError, StartError, WorkerExitedError
from devhost.host_api import is_loopback
from devhost.http_server import Server
from devhost.logs import of_function
from devhost.messages import FunctionInfo
from devhost.storage import check_storage

PROGRAM = "DURABLE_HOST"
"""The setting that names the program."""

_STORAGE = "AzureWebJobsStorage"
_DURABLE_NAMES = {"orchestrationTrigger": "orchestration", "activityTrigger": "activity"}
_START_SECONDS = 60.0
_STOP_SECONDS = 3.0  # the whole host must stop within 5 s
_POLL_SECONDS = 0.05
# Longer than the program keeps an idle connection: otherwise a close on our side could cross a request.
_KEEP_ALIVE_SECONDS = 300
_UNLIMITED = "24.00:00:00"  # the longest time limit of the program
_LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} (?P<level>[a-z]{4}): (?P<text>.*)")
_LEVELS = {"trce": logging.DEBUG, "dbug": logging.DEBUG, "info": logging.DEBUG, "warn": logging.WARNING}
_LINES_KEPT = 20

_log = logging.getLogger("devhost.workers.engine")


class ExtensionEngine:
    """The real extension in a separate program; its instances stay in the storage."""

    def __init__(self, app_dir: Path, environment: Mapping[str, str], port: int, timeout_seconds: float | None) -> None:
        self._program = environment[PROGRAM]
        self._host_json = app_dir / "host.json"
        self._environment = environment
        self._port = port
        self._timeout_seconds = timeout_seconds
        self._client = ""
        self._is_ready = asyncio.Event()
        self._lines = deque[str](maxlen=_LINES_KEPT)

    def client_binding(self) -> str:
        """Return the binding data of durable clients as the extension wrote it; empty until it is ready."""
        return self._client

    async def ready(self) -> None:
        """Wait until durable clients are served."""
        await self._is_ready.wait()

    async def run(self, functions: Sequence[FunctionInfo], invoke: Invoke) -> None:
        """Run orchestrations with these functions until canceled.

        Raises:
            StartError: there is no such program, its storage cannot be reached, or it ended.
        """
        if shutil.which(self._program) is None:
            raise StartError(f"{PROGRAM}: {self._program} is not an executable program")
        await check_storage(_STORAGE, self._environment.get(_STORAGE, ""))
        with tempfile.TemporaryDirectory(prefix="devhost-engine-", ignore_cleanup_errors=True) as folder:
            client = Path(folder) / "client.json"
            async with _served(_functions_app(functions, invoke)) as url, self._started(url, client) as process:
                await self._written(client, process)
                self._client = client.read_text()
                self._is_ready.set()
                await process.wait()
        raise self._ended(process)

    @asynccontextmanager
    async def _started(self, url: str, client: Path) -> AsyncIterator[Process]:
        """Run the program and log its output."""
        # With CONTAINER_NAME the extension assumes Azure, and prints each of its events.
        environment = {name: value for name, value in self._environment.items() if name != "CONTAINER_NAME"}
        environment |= {"FUNCTIONS_WORKER_RUNTIME": "python"}  # the extension warns without it
        environment |= {"PYTHON_INVOKE": url, "DURABLE_CLIENT": str(client), "PORT": str(self._port)}
        if self._timeout_seconds is None:
            environment["AzureFunctionsJobHost__functionTimeout"] = _UNLIMITED
        if not _log.isEnabledFor(logging.DEBUG):
            environment["QUIET"] = "1"
        process = await start_child(self._program, str(self._host_json), environment=environment, output=PIPE)
        reading = asyncio.gather(*(self._read(stream) for stream in (process.stdout, process.stderr) if stream))
        try:
            yield process
        finally:
            await stop_child(process, grace=_STOP_SECONDS)
            await reading

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while True:
            try:
                line = (await stream.readline()).decode(errors="replace")
            except ValueError:  # a line longer than the buffer is skipped
                continue
            if not line:
                return
            self._tell(line.rstrip())

    def _tell(self, line: str) -> None:
        self._lines.append(line)
        match = _LINE.fullmatch(line)
        level, text = (_LEVELS.get(match["level"], logging.ERROR), match["text"]) if match else (logging.DEBUG, line)
        with of_function("engine"):
            _log.log(level, "%s", text)

    async def _written(self, client: Path, process: Process) -> None:
        """Wait until the extension has written the binding data of durable clients."""
        try:
            async with asyncio.timeout(_START_SECONDS):
                while not client.exists():  # noqa: ASYNC240 - in our own folder
                    if process.returncode is not None:
                        raise self._ended(process)
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            message = f"{self._program} is not ready after {_START_SECONDS:.0f} s"
            raise StartError(message, "\n".join(self._lines)) from None

    def _ended(self, process: Process) -> StartError:
        said = [line for line in self._lines if line.startswith("Unhandled exception")] or list(self._lines)
        reason = f": {said[-1]}" if said else ""
        return StartError(
            f"the engine {self._program} exited with code {process.returncode}{reason}",
            "\n".join(self._lines),
        )


def _functions_app(functions: Sequence[FunctionInfo], invoke: Invoke) -> Starlette:
    """Return the HTTP application for the program."""
    known = [
        {
            "name": function.name,
            "kind": function.trigger_type,
            "durableName": function.trigger.get(_DURABLE_NAMES[function.trigger_type]),
        }
        for function in functions
        if function.trigger_type in _DURABLE_NAMES
    ]

    async def functions_known(_: Request) -> Response:
        return JSONResponse(known)

    names = {function["name"] for function in known}

    async def invoked(request: Request) -> Response:
        name = request.path_params["name"]
        if "origin" in request.headers or not is_loopback(request.headers.get("host", "")):
            return Response(status_code=403)  # a web page, not the program
        if name not in names:
            return Response(status_code=404)
        text = (await request.body()).decode()
        try:
            result = await invoke(name, text, request.headers.get("traceparent", ""))
        except WorkerExitedError as error:
            return Response(error.message, status_code=503)
        except FunctionTimeoutError:
            # The program has the same limit and fails the invocation itself; an answer would count as the function's.
            await request.receive()
            return Response(status_code=504)
        except InvocationError as error:
            failure = {"type": error.error_type, "message": error.message, "stack": error.stack}
            return JSONResponse(failure, status_code=500)
        return Response(result or "")

    return Starlette(routes=[Route("/functions", functions_known), Route("/invoke/{name}", invoked, methods=["POST"])])


@asynccontextmanager
async def _served(app: Starlette) -> AsyncIterator[str]:
    """Serve on a free loopback port and yield the URL."""
    config = uvicorn.Config(
        app, ws="none", lifespan="off", log_config=None, access_log=False, timeout_keep_alive=_KEEP_ALIVE_SECONDS
    )
    server = Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield "http://{}:{}".format(*listener.getsockname())
        finally:
            server.should_exit = server.force_exit = True
            await serving
