import asyncio
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest

from devhost.background import background
from devhost.messages import HttpRequest, HttpResponse, LoadApp
from devhost.worker_pool import WorkerPool, worker_pool
from tests.devhost.harness import HOST_APP, Host, environment, eventually, running_host


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with running_host(tmp_path_factory.mktemp("workers"), FUNCTIONS_WORKER_PROCESS_COUNT="2") as running:
        yield running


def kill(pid: int) -> None:
    """Kill -9, and wait until the host has noticed: a zombie's other threads may still hold its socket."""
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(pid))


def both_workers(host: Host) -> list[psutil.Process]:
    return eventually(lambda: (workers := host.workers())[1:] and workers)


def test_functions_run_in_two_worker_processes_apart_from_the_host(host: Host) -> None:
    pids = {worker.pid for worker in both_workers(host)}
    assert len(pids) == 2
    assert int(host.client.get("/pid").text) in pids


def test_idle_workers_that_are_killed_are_replaced(host: Host) -> None:
    for _ in range(4):
        killed = both_workers(host)[0].pid
        kill(killed)
        assert int(host.client.get("/pid").text) != killed
    assert len(both_workers(host)) == 2


def test_a_request_waits_for_a_replacement_while_no_worker_is_alive(host: Host) -> None:
    killed = {worker.pid for worker in both_workers(host)}
    for pid in killed:
        kill(pid)
    answer = host.client.get("/pid")
    assert answer.status_code == 200
    assert int(answer.text) not in killed


def test_an_invocation_sent_to_a_worker_that_was_already_dead_runs_on_another(tmp_path: Path) -> None:
    async def invoke_before_the_death_is_noticed() -> tuple[str, str]:
        load = LoadApp(str(HOST_APP), {}, threads=1, verbose=False)
        async with worker_pool(load, environment(tmp_path, {}), 2) as pool, background(pool.keep_alive()):
            killed = await process_id(pool)
            os.kill(int(killed), signal.SIGKILL)
            time.sleep(0.5)  # noqa: ASYNC251 - a busy event loop is the point
            return killed, await process_id(pool)

    killed, answered = asyncio.run(invoke_before_the_death_is_noticed())
    assert answered != killed


async def process_id(pool: WorkerPool) -> str:
    answer = await pool.invoke("pid", HttpRequest("GET", "http://x/pid", {}, {}, {}, b""))
    assert isinstance(answer, HttpResponse)
    return answer.body.decode()


def test_a_request_whose_worker_is_killed_is_answered_500_without_detail(host: Host) -> None:
    lost_before = host.log().count(", 1 invocations lost")
    with ThreadPoolExecutor() as threads:
        for attempt in range(3):
            request = threads.submit(host.client.get, "/sleep", params={"seconds": 30})
            kill(int(eventually(partial(host.note, "sleep", attempt))))
            answer = request.result()
            assert (answer.status_code, answer.content) == (500, b"")
    assert host.client.get("/pid").status_code == 200
    assert host.log().count(", 1 invocations lost") == lost_before + 3


def test_an_activity_whose_worker_is_killed_fails_and_is_retried_by_its_policy(host: Host) -> None:
    run = host.run("calls", {"activity": "slow_at_first", "input": "retried", "retry": True})
    kill(int(eventually(lambda: host.notes("retried"))[0]))
    assert host.outcome(run)["output"] == "attempt 2"


def test_an_activity_whose_worker_is_killed_fails_with_the_hosts_error_type(host: Host) -> None:
    run = host.run("calls", {"activity": "slow_at_first", "input": "failed", "retry": False})
    pid = int(eventually(lambda: host.notes("failed"))[0])
    kill(pid)
    assert host.outcome(run)["output"] == {
        "error_type": "WorkerProcessExitException",
        "message": f"worker process {pid} exited with code -9",
    }


def test_an_orchestrator_whose_worker_is_killed_goes_on_elsewhere(host: Host) -> None:
    run = host.run("dies_while_orchestrating", 1)
    kill(int(eventually(lambda: host.notes("orchestrating"))[0]))
    assert host.outcome(run) == {"status": "COMPLETED", "output": 4, "failure": None}
    first, second, *_ = host.notes("orchestrating")
    assert first != second


def test_the_number_of_workers_is_a_setting(tmp_path: Path) -> None:
    with running_host(tmp_path, FUNCTIONS_WORKER_PROCESS_COUNT="3") as host:
        assert len(host.workers()) == 3


def test_what_the_app_registered_for_its_end_runs_when_the_host_stops(tmp_path: Path) -> None:
    with running_host(tmp_path, FUNCTIONS_WORKER_PROCESS_COUNT="2") as host:
        pids = {str(worker.pid) for worker in both_workers(host)}
        assert host.stop() == 0
        assert set(host.notes("closed")) == pids
