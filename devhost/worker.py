"""A worker process: imports the app, indexes it once, and runs its functions for the host.

Started by the host with the file descriptor of a socket; ends when the host closes its end or dies.
"""

import asyncio
import atexit
import contextvars
import importlib
import json
import logging
import os
import signal
import socket
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NoReturn

import azure.functions as func

from devhost import logs, messages
from devhost.bindings import LoadedFunction
from devhost.messages import AppLoaded, AppRefused, Failed, FunctionInfo, Invoke, LoadApp, Succeeded

_log = logging.getLogger(__name__)


def load_app(app_dir: Path) -> dict[str, LoadedFunction]:
    """Import ``function_app.py`` and index the functions of the one app object in it."""
    os.chdir(app_dir)
    sys.path.insert(0, str(app_dir))
    module = importlib.import_module("function_app")
    apps = [value for value in vars(module).values() if isinstance(value, func.FunctionRegister)]
    if len(apps) != 1:
        raise ImportError(f"function_app.py must define exactly one function app, not {len(apps)}")
    functions = {}
    for function in apps[0].get_functions():
        bindings = [json.loads(raw) for raw in function.get_raw_bindings()]
        info = FunctionInfo(str(function.get_function_name()), bindings, function.get_settings_dict("retry_policy"))
        functions[info.name] = LoadedFunction(info, function.get_user_function(), str(app_dir))
    return functions


class FunctionRunner:
    """Runs invocations: coroutine functions on the loop, the others in a thread each."""

    def __init__(self, functions: dict[str, LoadedFunction], load: LoadApp) -> None:
        self._functions = functions
        self._durable_client = json.dumps(load.durable_client)
        self._threads = ThreadPoolExecutor(load.threads, thread_name_prefix="function")

    async def run(self, invoke: Invoke) -> Succeeded | Failed:
        """Run one invocation; whatever the function raises becomes a message."""
        logs.current_function.set(invoke.function)
        function = self._functions[invoke.function]
        try:
            arguments = function.arguments(invoke, self._durable_client)
            if function.is_async:
                result = await function.call(**arguments)
            else:
                call = partial(contextvars.copy_context().run, function.call, **arguments)
                result = await asyncio.get_running_loop().run_in_executor(self._threads, call)
            return Succeeded(invoke.id, function.outcome(result))
        except Exception as error:  # noqa: BLE001 - any failure of a function is its answer to the host
            _log.exception("failed:")
            # As the Durable extension reads it from a worker: the type without its module, the first line.
            first_line = str(error).partition("\n")[0].rstrip()
            return Failed(invoke.id, type(error).__name__, first_line, traceback.format_exc())


async def serve(connection: socket.socket) -> None:
    """Load the app and answer invocations until the host closes the connection."""
    reader, writer = await asyncio.open_connection(sock=connection)
    load = await messages.receive(reader, messages.to_worker_decoder)
    if not isinstance(load, LoadApp):
        return
    logs.configure(verbose=load.verbose)
    logs.current_function.set("worker")
    try:
        functions = load_app(Path(load.app_dir))
    except Exception as error:  # noqa: BLE001 - whatever the app raises at import is the host's to report
        messages.send(writer, AppRefused(logs.last_line(error), traceback.format_exc()))
        await writer.drain()
        return
    messages.send(writer, AppLoaded([function.info for function in functions.values()]))
    await _answer(reader, writer, FunctionRunner(functions, load))


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, runner: FunctionRunner) -> None:
    running: set[asyncio.Task[None]] = set()

    async def answer(invoke: Invoke) -> None:
        messages.send(writer, await runner.run(invoke))
        await writer.drain()

    while isinstance(invoke := await messages.receive(reader, messages.to_worker_decoder), Invoke):
        task = asyncio.create_task(answer(invoke))
        running.add(task)
        task.add_done_callback(running.discard)


def _leave() -> NoReturn:
    atexit._run_exitfuncs()  # noqa: SLF001 - the app closes its connections
    sys.stdout.flush()
    # Not a return: the interpreter would wait for threads that still run functions nobody waits for.
    os._exit(0)


def main() -> None:
    """Entry point of the process."""

    async def run() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _leave)
        await serve(socket.socket(fileno=int(sys.argv[1])))
        _leave()

    asyncio.run(run())


if __name__ == "__main__":
    main()
