"""The app's calls to the engine, against real engines that refuse, are silent, or take a run without an answer."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from azure.durable_functions import SyncDurableFunctionsClient
from durabletask.worker import TaskHubGrpcWorker

from devhost.memory_backend import LocalBackend
from functions import orchestration
from functions.engine import AT_ONCE, DurableEngine, _turns
from functions.messages import FinishInput, to_wire
from market_data.sample_prices import SampleProvider
from records import RequestKey, Trigger
from runs.collecting import collect
from runs.ending import finish
from runs.engine import VERSION, EngineUnavailable, StillRunning, is_newer
from runs.planning import plan_pages
from runs.services import Services
from runs.starting import start_run
from stores.mongo import DocumentDatabase
from tests.devhost.harness import eventually
from tests.engine import carry_out, engine_away
from tests.faulty_engines import SlowEngine, TakingEngine, served, silent
from tests.runs.steps import all_services

ROOT = Path(__file__).parent.parent.parent
BY_HTTP = Trigger("http", "admin-secret")
NOW = datetime.now(UTC)
CALLS: dict[str, Callable[[DurableEngine], object]] = {
    "start": lambda engine: engine.start("run"),
    "state": lambda engine: engine.state("run"),
    "ping": lambda engine: engine.ping(),
    "terminate": lambda engine: engine.terminate("run"),
    "purge": lambda engine: engine.purge("run", NOW, NOW),
}


@pytest.mark.parametrize("call", CALLS)
def test_each_call_to_an_engine_that_is_silent_ends_at_its_deadline(call: str) -> None:
    with silent() as client:
        engine = DurableEngine(client, 0.2)
        with pytest.raises(EngineUnavailable) as caught:
            CALLS[call](engine)
    assert "DEADLINE_EXCEEDED" in repr(caught.value.__cause__)


@pytest.mark.parametrize("call", CALLS)
def test_each_call_to_an_unavailable_engine_raises_the_apps_own_error(call: str) -> None:
    with pytest.raises(EngineUnavailable):
        CALLS[call](engine_away())


def test_a_run_is_started_once(engine: DurableEngine) -> None:
    for _ in range(2):
        engine.start("run")
    assert engine.state("run") == "active"


def test_after_a_call_without_an_answer_the_next_one_does_not_wait(caplog: pytest.LogCaptureFixture) -> None:
    with silent() as client:
        with pytest.raises(EngineUnavailable) as first:
            DurableEngine(client, 0.2).state("run")
        with pytest.raises(EngineUnavailable) as second:
            DurableEngine(client, 3_600).state("run")
    assert (first.value.__cause__ is None, second.value.__cause__ is None) == (False, True)
    warnings = [record for record in caplog.records if record.name == "functions.engine"]
    assert [(record.levelno, record.getMessage().split(";")[0]) for record in warnings] == [
        (logging.WARNING, "The orchestration engine does not answer")
    ]


def test_a_slow_purge_does_not_affect_other_calls() -> None:
    with silent() as client:
        with pytest.raises(EngineUnavailable):
            DurableEngine(client, 0.2).purge("run", NOW, NOW)
        with pytest.raises(EngineUnavailable) as asked:
            DurableEngine(client, 0.2).ping()
    assert asked.value.__cause__ is not None


def test_an_engine_that_answers_again_is_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.engine._SILENT_SECONDS", 0.0)
    backend = TakingEngine()
    with served(backend) as client:
        with pytest.raises(EngineUnavailable):
            DurableEngine(client, 0.2).start("run")
        assert DurableEngine(client).state("run") == "active"


def test_of_many_concurrent_calls_few_wait_for_a_silent_engine_and_none_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("functions.engine._TURN_SECONDS", 0.2)

    def reached_the_engine(engine: DurableEngine) -> bool:
        """Return whether the call reached the engine."""
        with pytest.raises(EngineUnavailable) as caught:
            engine.state("run")
        return caught.value.__cause__ is not None

    with silent() as client, ThreadPoolExecutor(25) as threads:
        # The deadline is much longer than the others take: all of them are refused before it.
        waiting = [threads.submit(reached_the_engine, DurableEngine(client, 5.0)) for _ in range(AT_ONCE)]
        refused = [threads.submit(reached_the_engine, DurableEngine(client, 5.0)) for _ in range(23)]
        assert [call.result() for call in refused] == [False] * 23
        assert [call.done() for call in waiting] == [False] * AT_ONCE
        assert [call.result() for call in waiting] == [True] * AT_ONCE


def test_an_engine_that_is_too_slow_for_the_health_check_still_takes_runs() -> None:
    with served(SlowEngine(0.5)) as client, ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(DurableEngine(client, 0.2).ping) for _ in range(8)]
        assert DurableEngine(client).state("run") is None
        assert [type(call.exception()) for call in asked] == [EngineUnavailable] * 8
        DurableEngine(client).start("run")
        assert DurableEngine(client).state("run") == "active"


def test_concurrent_health_checks_call_the_engine_once() -> None:
    backend = SlowEngine(0.3)
    with served(backend) as client, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: DurableEngine(client).ping(), range(8)))
    assert backend.asked == 1


def test_a_call_refused_for_lack_of_a_turn_does_not_refuse_later_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.engine._TURN_SECONDS", 0.1)
    with served(SlowEngine(0.6)) as client, ThreadPoolExecutor(AT_ONCE) as threads:
        taken = [threads.submit(DurableEngine(client).state, "run") for _ in range(AT_ONCE)]
        eventually(lambda: not _turns(client.rpcBaseUrl, client.taskHubName)._free._value)  # noqa: SLF001 - until all of them wait
        with pytest.raises(EngineUnavailable):
            DurableEngine(client).state("run")
        assert [call.result() for call in taken] == [None] * AT_ONCE
        assert DurableEngine(client).state("run") is None


def test_the_first_calls_of_many_threads_share_one_client_and_its_turns() -> None:
    begin = threading.Barrier(8)

    def first_use(client: SyncDurableFunctionsClient) -> tuple[object, object]:
        begin.wait()
        engine = DurableEngine(client)
        return engine._client, engine._turns  # noqa: SLF001 - what the threads share

    with silent() as client, ThreadPoolExecutor(8) as pool:
        shared = list(pool.map(first_use, [client] * 8))
    assert len({id(made) for made, _ in shared}) == len({id(turns) for _, turns in shared}) == 1


def test_fewer_calls_wait_for_the_engine_than_a_process_has_threads() -> None:
    values = json.loads((ROOT / "local.settings.json").read_text())["Values"]
    assert int(values["PYTHON_THREADPOOL_THREAD_COUNT"]) > AT_ONCE


def test_the_version_of_the_app_is_the_one_that_the_engine_compares() -> None:
    durable = json.loads((ROOT / "host.json").read_text())["extensions"]["durableTask"]
    assert durable["defaultVersion"] == VERSION


@pytest.mark.parametrize(
    ("version", "newer"),
    [("0.9", False), ("1.1", False), (VERSION, False), ("1.3", True), ("1.10", True), ("10.0", True)],
)
def test_versions_are_compared_as_numbers(version: str, newer: bool) -> None:
    assert is_newer(version) is newer


def test_terminating_an_ended_or_unknown_run_is_no_error_and_an_active_run_is_not_purged() -> None:
    with served(LocalBackend(default_version=None)) as client:
        engine = DurableEngine(client)
        engine.terminate("run")
        engine.start("run")
        with pytest.raises(StillRunning):
            engine.purge("run", NOW, NOW)
        engine.terminate("run")
        carry_out(client, "run")
        engine.terminate("run")
        assert engine.state("run") == "over"
        engine.purge("run", NOW, NOW)
        engine.purge("run", NOW, NOW)
        assert engine.state("run") is None


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str) -> Iterator[Services]:
    with all_services(database, mongodb_url, SampleProvider()) as made:
        made.runs.ensure_indexes()
        yield made


def test_a_run_that_was_taken_without_an_answer_leaves_nothing_and_does_nothing_when_it_begins(
    services: Services, database: DocumentDatabase, engine: DurableEngine, caplog: pytest.LogCaptureFixture
) -> None:
    database.users.insert_one({"user_id": "u"})
    database.holdings.insert_one({"user_id": "u", "symbol": "AAPL", "quantity": 1, "avg_price": 1})
    key, taking = RequestKey("key", "body"), TakingEngine()
    with served(taking) as client:
        with pytest.raises(EngineUnavailable):
            start_run(services, DurableEngine(client, 0.5), BY_HTTP, request=key)
        assert services.runs.newest(2, None) == []
        assert services.lease.holder() is None
        again = start_run(services, engine, BY_HTTP, request=key)
        (taken,) = taking.taken
        assert again != taken
        assert carried_to_its_end(services, client, taken) == ["plan_run", "collect_symbols", "finish_run"]
    assert [run.run_id for run in services.runs.newest(2, None)] == [again]
    assert database.portfolio_analyses.count_documents({}) == 0
    assert services.batches.count_pages_done(taken) == 0
    assert services.lease.holder() == again
    assert "Portfolio analysis failed" not in caplog.text


def carried_to_its_end(services: Services, client: SyncDurableFunctionsClient, run_id: str) -> list[str]:
    """Run a worker with the app's orchestrator and steps to the end of a run; return the steps that were called."""
    carrier: Any = orchestration.portfolio_analysis._function.get_user_function()  # noqa: SLF001 - created by the SDK
    asked = []

    def plan_run(_: object, message: dict[str, Any]) -> object:
        asked.append("plan_run")
        return to_wire(plan_pages(services, message["run_id"], datetime.fromisoformat(message["started_at"])))

    def collect_symbols(_: object, message: dict[str, Any]) -> object:
        asked.append("collect_symbols")
        return to_wire(collect(services, message["run_id"]))

    def finish_run(_: object, message: dict[str, Any]) -> object:
        asked.append("finish_run")
        end = msgspec.convert(message, FinishInput)
        return finish(services, end.run_id, end.failure, end.durations)

    with TaskHubGrpcWorker(host_address=client.rpcBaseUrl) as worker:
        worker.add_orchestrator(carrier.orchestrator_function)
        worker.add_activity(plan_run)
        worker.add_activity(collect_symbols)
        worker.add_activity(finish_run)
        worker.start()  # type: ignore[no-untyped-call] # the SDK's
        client.wait_for_orchestration_completion(run_id, timeout=10)
    return asked
