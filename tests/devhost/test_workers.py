import asyncio
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest

from devhost.background import background
from devhost.messages import HttpRequest, HttpResponse
from devhost.worker_pool import AppToLoad, WorkerPool, worker_pool
from tests.devhost.harness import HOST_APP, Host, environment, eventually, refused_start, running_host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Yield a new host for each test, because a host exits after several deaths of its workers."""
    with running_host(tmp_path, FUNCTIONS_WORKER_PROCESS_COUNT="2") as running:
        yield running


def kill(pid: int) -> None:
    """Kill a worker and wait until the host notices: a zombie's other threads may still hold its socket."""
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(pid))


def both_workers(host: Host) -> list[psutil.Process]:
    return eventually(lambda: (workers := host.workers())[1:] and workers)


def test_functions_run_in_two_worker_processes_apart_from_the_host(host: Host) -> None:
    pids = {worker.pid for worker in both_workers(host)}
    assert len(pids) == 2
    assert int(host.client.get("/pid").text) in pids


@pytest.mark.parametrize("verbose", [True, False])
def test_the_time_of_every_call_is_logged_if_verbose(tmp_path: Path, *, verbose: bool) -> None:
    with running_host(tmp_path, HOST_APP, ["--verbose"] if verbose else []) as host:
        host.client.get("/sleep", params={"seconds": 0.2})
        assert host.client.get("/raise").status_code == 500
    times = dict(re.findall(r"DEBUG +(\w+): took (\d+) ms", host.log()))
    assert set(times) == ({"sleeps", "raises"} if verbose else set())
    assert not verbose or int(times["sleeps"]) >= 200


def test_idle_workers_that_are_killed_are_replaced(host: Host) -> None:
    for _ in range(3):
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
        app = AppToLoad(HOST_APP, environment(tmp_path, {}), lambda: "{}")
        async with worker_pool(app, 2) as pool, background(pool.keep_alive()):
            killed = await process_id(pool)
            os.kill(int(killed), signal.SIGKILL)
            time.sleep(0.5)  # noqa: ASYNC251 - a busy event loop is the point
            return killed, await process_id(pool)

    killed, answered = asyncio.run(invoke_before_the_death_is_noticed())
    assert answered != killed


async def process_id(pool: WorkerPool) -> str:
    answer = await pool.invoke("pid", HttpRequest("GET", "http://x/pid"))
    assert isinstance(answer, HttpResponse)
    return answer.body.decode()


def test_a_request_whose_worker_is_killed_is_answered_500_without_detail(host: Host) -> None:
    with ThreadPoolExecutor() as threads:
        for attempt in range(3):
            request = threads.submit(host.client.get, "/sleep", params={"seconds": 30})
            kill(int(eventually(partial(host.note, "sleep", attempt))))
            answer = request.result()
            assert (answer.status_code, answer.content) == (500, b"")
    assert host.client.get("/pid").status_code == 200
    assert host.log().count(", 1 invocations lost") == 3


def test_an_activity_whose_worker_is_killed_fails_and_is_retried_by_its_policy(host: Host) -> None:
    run = host.run("calls", {"activity": "slow_at_first", "input": "retried", "retry": True})
    kill(int(eventually(lambda: host.notes("retried"))[0]))
    assert host.outcome(run)["output"] == "attempt 2"


def test_an_activity_whose_worker_is_killed_fails_with_how_the_process_ended(host: Host) -> None:
    run = host.run("calls", {"activity": "slow_at_first", "input": "failed", "retry": False})
    pid = int(eventually(lambda: host.notes("failed"))[0])
    kill(pid)
    assert host.outcome(run)["output"]["inner"]["message"] == f"worker process {pid} exited with code -9"


def test_an_orchestrator_whose_worker_is_killed_continues_on_another(host: Host) -> None:
    run = host.run("dies_while_orchestrating", 1)
    kill(int(eventually(lambda: host.notes("orchestrating"))[0]))
    assert host.outcome(run) == {"status": "COMPLETED", "output": 4, "failure": None}
    first, second, *_ = host.notes("orchestrating")
    assert first != second


def test_a_host_exits_after_three_deaths_per_worker_process(tmp_path: Path) -> None:
    with running_host(tmp_path, FUNCTIONS_WORKER_PROCESS_COUNT="1") as host:
        for _ in range(2):
            kill(eventually(host.workers)[0].pid)
            assert host.client.get("/pid").status_code == 200
        host.workers()[0].kill()
        assert host.process.wait(30) == 1
        assert "Exceeded language worker restart retry count: 3 worker processes exited." in host.log()


def test_a_host_whose_workers_died_often_continues_with_the_others(tmp_path: Path) -> None:
    with running_host(tmp_path, FUNCTIONS_WORKER_PROCESS_COUNT="2") as host:
        for _ in range(5):
            kill(int(host.client.get("/pid").text))  # one that has loaded the app, otherwise its replacement exits too
        killed, left = eventually(partial(both_answer, host))
        kill(killed)
        assert [int(host.client.get("/pid").text) for _ in range(3)] == [left] * 3


def both_answer(host: Host) -> set[int]:
    """Return the process ids of two concurrent requests; an empty set if one process answers both."""
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: host.client.get("/sleep", params={"seconds": 0.3}), range(2)))
    pids = {int(line) for line in host.notes("sleep")[-2:]}
    return pids if len(pids) == 2 else set()


def test_an_invocation_over_the_function_timeout_fails_and_its_worker_is_killed_with_all_it_does(
    tmp_path: Path,
) -> None:
    app = tmp_path / "app"
    shutil.copytree(HOST_APP, app)
    settings = json.loads((app / "host.json").read_text())
    (app / "host.json").write_text(json.dumps(settings | {"functionTimeout": "00:00:02"}))
    with running_host(tmp_path, app, FUNCTIONS_WORKER_PROCESS_COUNT="1") as host, ThreadPoolExecutor() as threads:
        slow = threads.submit(host.client.get, "/sleep", params={"seconds": 60})
        pid = int(eventually(partial(host.note, "sleep", 0)))
        neighbor = threads.submit(host.client.get, "/sleep", params={"seconds": 30})
        assert slow.result().status_code == 500
        assert neighbor.result().status_code == 500
        assert not psutil.pid_exists(pid)
        assert "sleeps: failed: FunctionTimeoutException: sleeps took longer than the functionTimeout of 2 s" in (
            host.log()
        )
        assert host.client.get("/pid").status_code == 200


def test_a_context_variable_that_a_synchronous_function_sets_stays_for_the_next_on_its_thread(tmp_path: Path) -> None:
    one_thread = {"FUNCTIONS_WORKER_PROCESS_COUNT": "1", "PYTHON_THREADPOOL_THREAD_COUNT": "1"}
    with running_host(tmp_path, **one_thread) as host:
        assert [host.client.get(f"/remember/{what}").text for what in ("first", "second")] == ["nothing", "first"]


def test_modules_are_searched_in_packages_then_in_the_workers_own_folder_and_last_in_the_app(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        order = host.client.get("/search-order").json()
    assert "site-packages" in order[0]
    assert "devhost-worker-" in order[1]
    assert order[-1] == str(HOST_APP)


@pytest.mark.parametrize("annotation", ["dict[str, int]", "int | None", "list[str]"])
def test_a_function_that_the_worker_library_refuses_stops_the_start_with_its_message(
    app: Path, tmp_path: Path, annotation: str
) -> None:
    (app / "function_app.py").write_text(
        "import azure.durable_functions as df\n\napp = df.DFApp()\n\n\n"
        f'@app.activity_trigger(input_name="message")\ndef step(message: {annotation}) -> None:\n    pass\n'
    )
    refused = refused_start(tmp_path, app)
    assert refused.returncode == 1
    assert "cannot load the step function: binding message has invalid non-type annotation" in refused.stderr


def test_the_number_of_workers_is_a_setting(tmp_path: Path) -> None:
    with running_host(tmp_path, FUNCTIONS_WORKER_PROCESS_COUNT="3") as host:
        assert len(host.workers()) == 3


def test_a_worker_is_killed_when_the_host_stops_without_running_what_the_app_registered_for_its_end(
    tmp_path: Path,
) -> None:
    with running_host(tmp_path, FUNCTIONS_WORKER_PROCESS_COUNT="2") as host:
        workers = both_workers(host)
        assert host.client.get("/pid").status_code == 200
        assert host.stop() == 0
        assert psutil.wait_procs(workers, timeout=5)[1] == []
        assert host.notes("closed") == []
