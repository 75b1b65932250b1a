"""The program with the real extension, as a part of the local host: its start, and the end of both."""

import asyncio
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from devhost.extension_engine import _functions_app
from devhost.messages import FunctionInfo
from tests import real_engine
from tests.conftest import ENGINE_PROGRAM
from tests.devhost.harness import Host, eventually, refused_start, running_host

STORAGE = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=a;" + ";".join(
    f"{service}Endpoint=http://127.0.0.1:1/a" for service in ("Blob", "Queue", "Table")
)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a stand-in for the program that exits at once with an error."""
    file = tmp_path / "engine"
    file.write_text("#!/bin/sh\necho 'Unhandled exception. System.Exception: the hub is gone' >&2\nexit 3\n")
    file.chmod(stat.S_IRWXU)
    return file


def test_a_missing_program_stops_the_start_and_is_named(app: Path, tmp_path: Path) -> None:
    refused = refused_start(tmp_path, app, DURABLE_HOST="/nowhere/engine", AzureWebJobsStorage=STORAGE)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == "DURABLE_HOST: /nowhere/engine is not an executable program"


@pytest.mark.parametrize(
    ("storage", "said"),
    [
        ("", "AzureWebJobsStorage is not set"),
        ("somewhere", "AzureWebJobsStorage is not an Azure Storage connection string"),
        (STORAGE, "AzureWebJobsStorage: no response from 127.0.0.1:1; is Azurite running?"),
    ],
)
def test_storage_that_cannot_be_used_stops_the_start_and_its_expected_address_is_shown(
    app: Path, tmp_path: Path, program: Path, storage: str, said: str
) -> None:
    refused = refused_start(tmp_path, app, DURABLE_HOST=str(program), AzureWebJobsStorage=storage)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith(said)


def test_a_program_that_ends_before_it_is_ready_stops_the_start_with_its_reason(
    app: Path, tmp_path: Path, program: Path, redis_url: str
) -> None:
    port = redis_url.rpartition(":")[2]  # any server that accepts connections
    refused = refused_start(
        tmp_path, app, DURABLE_HOST=str(program), AzureWebJobsStorage=STORAGE.replace(":1/", f":{port}/")
    )
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == (
        f"the engine {program} exited with code 3: Unhandled exception. System.Exception: the hub is gone"
    )


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Yield a host on the real engine."""
    with running_host(tmp_path, **real_engine.environment(tmp_path)) as running:
        yield running


def engine_of(host: Host) -> psutil.Process:
    (process,) = [child for child in host.children() if child.name().startswith("durable-host")]
    return process


def test_a_host_whose_engine_is_killed_exits(host: Host) -> None:
    engine_of(host).kill()
    assert host.process.wait(30) == 1
    assert f"the engine {ENGINE_PROGRAM} exited with code -9" in host.log()


def test_the_engine_of_a_killed_host_exits_and_the_next_host_continues_the_run(host: Host, tmp_path: Path) -> None:
    run = host.run("waits_forever", "")
    eventually(lambda: host.client.get(f"/runs/{run}").status_code == 202)
    engine = engine_of(host)
    os.kill(host.process.pid, signal.SIGKILL)
    host.process.wait()
    eventually(lambda: not psutil.pid_exists(engine.pid))
    with running_host(tmp_path, **real_engine.environment(tmp_path)) as next_host:
        assert next_host.manage(run, "terminate") == "OK"
        assert next_host.outcome(run)["status"] == "TERMINATED"


def test_a_host_that_is_stopped_stops_its_engine_in_time(host: Host) -> None:
    engine = engine_of(host)
    assert host.stop() == 0
    assert not psutil.pid_exists(engine.pid)


def test_a_setting_overrides_the_hub_name_of_host_json(host: Host) -> None:
    settings = real_engine.environment(host.folder)
    hub = settings["AzureFunctionsJobHost__extensions__durableTask__hubName"]
    assert host.client.get("/hub").text == hub


@pytest.mark.parametrize(
    ("name", "headers", "status"),
    [
        ("step", {}, 200),
        ("step", {"Origin": "http://127.0.0.1:7071"}, 403),
        ("step", {"Host": "page.example"}, 403),
        ("watchdog", {}, 404),
        ("nowhere", {}, 404),
    ],
)
def test_only_the_program_runs_functions_and_only_those_of_the_engine(
    name: str, headers: dict[str, str], status: int
) -> None:
    functions = [
        FunctionInfo("step", [{"type": "activityTrigger", "activity": "step"}]),
        FunctionInfo("watchdog", [{"type": "timerTrigger"}]),
    ]
    ran: list[str] = []

    async def invoke(function: str, *_: str) -> str:
        ran.append(function)
        return "{}"

    async def invoke_step() -> int:
        transport = httpx.ASGITransport(_functions_app(functions, invoke))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7100") as client:
            return (await client.post(f"/invoke/{name}", content="null", headers=headers)).status_code

    assert asyncio.run(invoke_step()) == status
    assert ran == (["step"] if status == 200 else [])
