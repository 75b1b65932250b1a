"""Count the files of the app that a trigger and a user's data pass through: ``python -m benchmarks.walks``.

Three walks are traced in this process, on the embedded database and the SDK's engine: a trigger, the steps of its run
over a user without transactions, and what a run over a sample user, who has some, needs beyond that. All are measured
after a first run, when everything is imported and connected. Redis, which would add one file to a trigger, is left out.
A file counts when a function defined in it is executed.
"""

import asyncio
import inspect
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from sys import monitoring
from types import CodeType
from typing import Any

import azure.functions as func
from azure.durable_functions import SyncDurableFunctionsClient

from devhost.background import background
from devhost.durable import memory_engine
from devhost.environment import app_environment, local_settings
from devhost.host_json import HostJson
from devhost.messages import FunctionInfo
from devhost.sample_data import SAMPLE_USERS
from devhost.seed import seed_sample_users
from devhost.services import embedded_mongodb
from stores.mongo import connect

# The most files that a reader of the code should have to open to follow a trigger, or a user's data. To add a file,
# first find one that can be left out. Why a user's data need so many: docs/decisions/0030-the-walk-of-a-report.md.
TRIGGER_FILES = 16
USER_FILES = 72
LEDGER_FILES = 22

ROOT = Path(__file__).parent.parent
_NOT_THE_APP = ("tests", "devhost", "benchmarks", "console", "scripts", "build")
_TOOL = monitoring.PROFILER_ID
_RUN_SECONDS = 60
_OWNER = SAMPLE_USERS[0].user_id
_WITHOUT_LEDGER = "without-ledger"

type Functions = Mapping[str, Any]  # azure.functions' Function, which has no type hints


def main() -> None:
    """Print the files of each walk in the order of their first calls; fail if a limit is exceeded."""
    logging.basicConfig(level=logging.INFO, handlers=[logging.NullHandler()])  # level INFO, as in a worker
    trigger, user, ledger = asyncio.run(_walks())
    over = []
    for name, files, limit in (
        ("one accepted trigger", trigger, TRIGGER_FILES),
        ("one user's data", user, USER_FILES),
        ("one user's ledger", ledger, LEDGER_FILES),
    ):
        print(f"{name}: {len(files)} files", *files, sep="\n  ")
        if len(files) > limit:
            over.append(f"Too many files for {name}: {len(files)}, and the limit is {limit}")
    if over:
        sys.exit("\n".join(over))


async def _walks() -> tuple[list[str], list[str], list[str]]:
    async with embedded_mongodb(None) as mongodb:
        servers = {"MONGODB_URL": mongodb.url, "MONGODB_DATABASE": "portfolio", "REDIS_URL": ""}
        os.environ.update(app_environment(local_settings(ROOT), {}, servers))
        seed_sample_users(mongodb.url, servers["MONGODB_DATABASE"])
        _add_user_without_ledger(mongodb.url, servers["MONGODB_DATABASE"])
        import function_app

        app: Functions = {str(function.get_function_name()): function for function in function_app.app.get_functions()}
        with memory_engine(HostJson.read(ROOT).extensions.durable_task, "http://127.0.0.1") as engine:

            async def invoke(name: str, text: str, _: str) -> str:
                is_step = app[name].get_trigger().type == "activityTrigger"
                result = _call(app[name], json.loads(text) if is_step else func.OrchestrationContext(text))
                return json.dumps(result) if is_step else await result

            infos = [FunctionInfo(name, [function.get_trigger().get_dict_repr()]) for name, function in app.items()]
            async with background(engine.run(infos, invoke)):
                await _walk(app, engine.client_binding(), _OWNER)
                trigger, user = await _walk(app, engine.client_binding(), _WITHOUT_LEDGER)
                _, whole = await _walk(app, engine.client_binding(), _OWNER)
                return trigger, user, [file for file in whole if file not in user]


def _add_user_without_ledger(url: str, database: str) -> None:
    """Add a user who holds the same, and of whom there are no transactions."""
    with connect(url) as client:
        for name in ("users", "holdings", "watchlist", "accounts"):
            own = client[database][name].find({"user_id": _OWNER}, {"_id": False}).to_list()
            client[database][name].insert_many([document | {"user_id": _WITHOUT_LEDGER} for document in own])


async def _walk(app: Functions, client: str, user_id: str) -> tuple[list[str], list[str]]:
    """Trigger a run over one user and let it end; return the files of the trigger and those of the run."""
    headers = {"X-Admin-Secret": os.environ["ADMIN_SECRET"], "X-Forwarded-For": "127.0.0.1"}
    body = json.dumps({"user_ids": [user_id]}).encode()
    url = "/api/admin/portfolio/trigger-analysis"
    # No step can run before the answer: the call blocks the loop that would start it.
    with _traced() as trigger:
        answer = _call(app["trigger_analysis"], func.HttpRequest("POST", url, headers=headers, body=body), client)
    if answer.status_code != HTTPStatus.ACCEPTED:
        raise RuntimeError(f"the trigger was answered with status {answer.status_code}: {answer.get_body()}")
    with _traced() as user:
        wait = SyncDurableFunctionsClient(client).wait_for_orchestration_completion
        state = await asyncio.to_thread(wait, json.loads(answer.get_body())["run_id"], timeout=_RUN_SECONDS)
    if state is None or state.serialized_output != '"completed"':
        raise RuntimeError(f"the run did not complete: {state}")
    return trigger, user


def _call(function: Any, trigger: object, client: str = "") -> Any:  # noqa: ANN401 - see Functions
    """Call a function with its bindings by their names, as the worker does."""
    accepted = inspect.signature(function.get_user_function()).parameters
    given: dict[str, object] = {"context": None} | {binding.name: client for binding in function.get_bindings()}
    given[function.get_trigger().name] = trigger
    return function.get_user_function()(**{name: value for name, value in given.items() if name in accepted})


@contextmanager
def _traced() -> Iterator[list[str]]:
    """Yield the list of files that the body, in any thread, passes through."""
    files: list[str] = []

    def on_start(code: CodeType, _: int) -> object:
        # Modules, class bodies, and the methods that dataclasses generate (in the file "<string>") do not count.
        file = _own(code.co_filename) if code.co_flags & inspect.CO_OPTIMIZED else None
        if file and file not in files:
            files.append(file)
        return monitoring.DISABLE  # the first call is enough

    monitoring.use_tool_id(_TOOL, __name__)
    monitoring.restart_events()
    for event in (monitoring.events.PY_START, monitoring.events.PY_RESUME):
        monitoring.register_callback(_TOOL, event, on_start)
    monitoring.set_events(_TOOL, monitoring.events.PY_START | monitoring.events.PY_RESUME)
    try:
        yield files
    finally:
        monitoring.set_events(_TOOL, monitoring.events.NO_EVENTS)
        monitoring.free_tool_id(_TOOL)


def _own(filename: str) -> str | None:
    """Return the path of a file of the app below its root, ``None`` for any other."""
    path = Path(filename)
    if not path.is_relative_to(ROOT):
        return None
    first = path.relative_to(ROOT).parts[0]
    return None if first in _NOT_THE_APP or first.startswith(".") else str(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
