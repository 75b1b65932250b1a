"""The watchdog: abandoned runs are closed, and old data is deleted in small amounts."""

import logging
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import cast

import pytest
from azure.durable_functions import SyncDurableFunctionsClient
from durabletask.client import OrchestrationState
from durabletask.task import OrchestrationContext
from durabletask.worker import TaskHubGrpcWorker

from analysis.models import Report
from devhost.memory_backend import LocalBackend
from functions.engine import ORCHESTRATION, DurableEngine
from records import Run, Trigger
from runs.ending import close_run, recount_if_over
from runs.engine import VERSION
from runs.services import Services
from runs.starting import RunActive, start_run
from runs.watching import _purge_history, close_stuck_runs, purge_old_runs
from stores.mongo import DocumentDatabase
from tests.builders import a_research, save
from tests.engine import carry_out, engine_away, hold_lease, run_of
from tests.faulty_engines import StubbornEngine, served
from tests.runs.conftest import Stores
from tests.stores.version_1 import RUN
from tests.stores.wired import Commands, wired

BY_HTTP = Trigger("http", "admin-secret")
RUN_ID = "run_20200102_000000_0000"
NOW = datetime.now(UTC)
A_WHILE_AGO = NOW - timedelta(minutes=10)


def progressed(database: DocumentDatabase, run_id: str, moment: datetime) -> None:
    database.portfolio_analysis_runs.update_one({"run_id": run_id}, {"$set": {"progressed_at": moment}})


def test_a_run_that_the_engine_lost_is_failed_its_lease_freed_and_an_error_logged(
    services: Services, engine: DurableEngine, caplog: pytest.LogCaptureFixture
) -> None:
    hold_lease(services, RUN_ID, requested_at=A_WHILE_AGO)
    services.runs.start(RUN_ID, A_WHILE_AGO)
    close_stuck_runs(services, engine)
    run = run_of(services, RUN_ID)
    assert (run.status, run.errors[0].error_type) == ("failed", "run_lost")
    assert services.lease.holder() is None
    assert [record.levelno for record in caplog.records if RUN_ID in record.getMessage()] == [logging.ERROR] * 2


def test_a_run_whose_orchestration_ended_without_it_is_failed(
    services: Services, engine: DurableEngine, client: SyncDurableFunctionsClient
) -> None:
    hold_lease(services, "run_20200102_000000_0001", requested_at=A_WHILE_AGO)
    client.schedule_new_orchestration(ORCHESTRATION, instance_id="run_20200102_000000_0001")
    client.terminate_orchestration("run_20200102_000000_0001")
    carry_out(client, "run_20200102_000000_0001")
    close_stuck_runs(services, engine)
    assert run_of(services, "run_20200102_000000_0001").errors[0].error_type == "run_lost"


def test_a_run_that_an_earlier_version_of_the_app_left_half_closed_is_closed(
    services: Services, engine: DurableEngine, database: DocumentDatabase
) -> None:
    database.portfolio_analysis_runs.insert_one(deepcopy(RUN))
    services.lease.acquire(RUN["run_id"], NOW)
    close_stuck_runs(services, engine)
    assert "closing" not in (database.portfolio_analysis_runs.find_one({"run_id": RUN["run_id"]}) or {})
    assert services.lease.holder() is None
    assert len(run_of(services, RUN["run_id"]).price_issues) == 4


def test_a_lost_run_whose_prices_an_earlier_version_of_the_app_prepared_is_closed_with_their_issues(
    services: Services, engine: DurableEngine, database: DocumentDatabase
) -> None:
    active: dict[str, object] = {"status": "running", "completed_at": None, "price_issues": [], "price_issues_count": 0}
    document = {name: value for name, value in deepcopy(RUN).items() if name != "closing"}
    database.portfolio_analysis_runs.insert_one(document | active)
    plan_id = RUN["plan"]["plan_id"]
    services.batches.write_symbols(RUN["run_id"], plan_id, [{"A": 1}])
    database.run_batches.update_one({"plan_id": plan_id}, {"$set": {"prices": {"issues": RUN["price_issues"]}}})
    close_stuck_runs(services, engine)
    run = run_of(services, RUN["run_id"])
    assert (run.status, run.errors[0].error_type, run.price_issues_count) == ("failed", "run_lost", 4)


def test_a_run_without_progress_is_stopped_and_failed(
    services: Services, engine: DurableEngine, client: SyncDurableFunctionsClient, database: DocumentDatabase
) -> None:
    run_id = "run_20200102_000000_0002"
    hold_lease(services, run_id, requested_at=A_WHILE_AGO)
    client.schedule_new_orchestration(ORCHESTRATION, instance_id=run_id)
    progressed(database, run_id, NOW - timedelta(seconds=301))
    close_stuck_runs(services, engine)
    run = run_of(services, run_id)
    assert (run.status, run.errors[0].error_type) == ("failed", "run_stalled")
    assert "300 s, in phase queued" in run.errors[0].error
    assert services.lease.holder() is None
    carry_out(client, run_id)
    events = [type(event).__name__ for event in client.get_orchestration_history(run_id)]
    assert "ExecutionTerminatedEvent" in events


def test_a_run_with_progress_within_the_limit_is_not_stopped(
    services: Services, engine: DurableEngine, client: SyncDurableFunctionsClient, database: DocumentDatabase
) -> None:
    run_id = "run_20200102_000000_0003"
    hold_lease(services, run_id, requested_at=A_WHILE_AGO)
    client.schedule_new_orchestration(ORCHESTRATION, instance_id=run_id)
    progressed(database, run_id, datetime.now(UTC))
    close_stuck_runs(services, engine)
    assert run_of(services, run_id).is_active
    assert services.lease.holder() == run_id


@pytest.mark.parametrize("step", ["start", "reach", "reach again", "page_done"])
def test_every_step_of_a_run_counts_as_progress(services: Services, database: DocumentDatabase, step: str) -> None:
    from records import Outcome

    hold_lease(services, RUN_ID, requested_at=A_WHILE_AGO)
    if step == "reach again":
        services.runs.reach(RUN_ID, "analyze")
    progressed(database, RUN_ID, A_WHILE_AGO)
    match step:
        case "start":
            services.runs.start(RUN_ID, A_WHILE_AGO)
        case "page_done":
            services.runs.page_done(RUN_ID, Outcome(analyzed=1))
        case _:
            services.runs.reach(RUN_ID, "analyze")
    moment = services.runs.progressed_at(RUN_ID)
    assert moment is not None
    assert moment > A_WHILE_AGO + timedelta(minutes=5)


def test_a_run_that_was_just_requested_has_time_to_start(services: Services, engine: DurableEngine) -> None:
    hold_lease(services, RUN_ID, requested_at=datetime.now(UTC))
    close_stuck_runs(services, engine)
    assert run_of(services, RUN_ID).status == "queued"


def test_a_lost_run_that_is_to_be_canceled_ends_canceled(services: Services, engine: DurableEngine) -> None:
    hold_lease(services, RUN_ID, requested_at=A_WHILE_AGO)
    services.runs.request_cancel(RUN_ID, NOW)
    close_stuck_runs(services, engine)
    assert run_of(services, RUN_ID).status == "canceled"


@pytest.mark.parametrize("recorded", [True, False])
def test_a_lease_that_a_run_left_behind_is_freed(services: Services, engine: DurableEngine, *, recorded: bool) -> None:
    if recorded:
        services.runs.create(Run(RUN_ID, "completed", BY_HTTP, A_WHILE_AGO, completed_at=A_WHILE_AGO), None)
    services.lease.acquire(RUN_ID, A_WHILE_AGO)
    close_stuck_runs(services, engine)
    assert services.lease.holder() is None


def test_a_run_that_has_just_ended_frees_its_lease_itself(
    services: Services, engine: DurableEngine, caplog: pytest.LogCaptureFixture
) -> None:
    services.runs.create(Run(RUN_ID, "completed", BY_HTTP, A_WHILE_AGO, completed_at=datetime.now(UTC)), None)
    services.lease.acquire(RUN_ID, A_WHILE_AGO)
    close_stuck_runs(services, engine)
    assert services.lease.holder() == RUN_ID
    assert caplog.records == []


def ended(services: Services, run_id: str, *, days_ago: int, reports: int) -> None:
    moment = NOW - timedelta(days=days_ago)
    services.runs.create(Run(run_id, "completed", BY_HTTP, moment, completed_at=moment), None)
    save(
        services.reports,
        [Report(run_id, f"u{number:03}", date(2020, 1, 2), "USD", "analyzed") for number in range(reports)],
    )


def test_old_reports_and_engine_history_are_deleted_and_records_and_younger_runs_are_kept(
    services: Services, engine: DurableEngine, client: SyncDurableFunctionsClient
) -> None:
    old = start_run(services, engine, BY_HTTP)
    client.terminate_orchestration(old)
    carry_out(client, old)
    close_run(services, run_of(services, old), None)
    save(services.reports, [Report(old, "u", date(2020, 1, 2), "USD", "analyzed")])
    recount_if_over(services, old)
    _set(services, old, {"completed_at": NOW - timedelta(days=31)})
    ended(services, "run_20200102_000000_0005", days_ago=29, reports=3)
    before = run_of(services, old)
    purge_old_runs(services, engine)
    assert services.reports.get(old, "u") is None
    assert client.get_orchestration_state(old) is None
    assert run_of(services, old) == before
    assert services.reports.outcome("run_20200102_000000_0005").analyzed == 3
    assert [run.run_id for run in services.runs.to_purge(NOW, 10)] == ["run_20200102_000000_0005"]


def test_the_history_of_sub_orchestrations_is_deleted_with_that_of_their_run(
    services: Services, engine: DurableEngine, client: SyncDurableFunctionsClient
) -> None:
    def group(_: OrchestrationContext, __: object) -> int:
        return 1

    def portfolio_analysis(context: OrchestrationContext, _: object) -> Iterator[object]:
        yield context.call_sub_orchestrator(group)

    run_id = start_run(services, engine, BY_HTTP)
    with TaskHubGrpcWorker(host_address=client.rpcBaseUrl) as worker:
        worker.add_orchestrator(group)
        worker.add_orchestrator(portfolio_analysis)
        worker.start()  # type: ignore[no-untyped-call] # the SDK's
        client.wait_for_orchestration_completion(run_id, timeout=10)
    close_run(services, run_of(services, run_id), None)
    purged = run_of(services, run_id)
    assert {state.name for state in carried_during(client, purged)} == {"portfolio_analysis", "group"}
    _purge_history(services, engine, purged)
    assert carried_during(client, purged) == []


def carried_during(client: SyncDurableFunctionsClient, run: Run) -> list[OrchestrationState]:
    states = client.get_all_orchestration_states()
    return [state for state in states if state.created_at.replace(tzinfo=UTC) >= run.requested_at]


@pytest.mark.parametrize("ranked", [True, False])
def test_one_call_deletes_until_its_time_is_over_and_the_next_continues(
    services: Services, engine: DurableEngine, monkeypatch: pytest.MonkeyPatch, ranked: bool
) -> None:
    monkeypatch.setattr("runs.watching._REPORTS_PER_DELETE", 20)
    monkeypatch.setattr("stores.rankings._LINES_PER_BLOCK", 10)  # two blocks are deleted at a time, too
    monkeypatch.setattr("stores.rankings._BLOCKS_PER_DELETE", 20)
    monkeypatch.setattr("runs.watching._PURGE_SECONDS", 0)  # one step a call
    runs = [f"run_20200102_000000_000{number}" for number in range(2)]
    for number, run_id in enumerate(runs):
        ended(services, run_id, days_ago=40 - number, reports=50)
        if ranked:
            services.rankings.write(run_id, services.reports.lines(run_id))
    left: list[list[int]] = []
    while services.runs.to_purge(NOW, 10):
        purge_old_runs(services, engine)
        left.append([services.reports.outcome(run_id).analyzed for run_id in runs])
    assert [counts for counts, _ in groupby(left)] == [[30, 50], [10, 50], [0, 50], [0, 30], [0, 10], [0, 0]]
    assert services.rankings.boundaries(runs[0]) == []


def test_a_call_asks_once_where_the_reports_of_a_run_begin_and_each_delete_goes_on_from_the_last(
    database: DocumentDatabase, engine: DurableEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stores.rankings._LINES_PER_BLOCK", 10)
    commands = Commands()
    with wired(database, commands=commands) as own:
        services = cast("Services", Stores(own))
        ended(services, RUN_ID, days_ago=40, reports=50)
        services.rankings.write(RUN_ID, services.reports.lines(RUN_ID))
        commands.sent.clear()
        purge_old_runs(services, engine)
    assert [sent.get("find") for sent in commands.sent].count("portfolio_analyses") == 1
    deletes = [sent["deletes"][0] for sent in commands.sent if sent.get("delete") == "portfolio_analyses"]
    deleted = [delete["q"]["user_id"] for delete in deletes]
    assert len(deleted) > 1
    assert [bounds.get("$gte") for bounds in deleted] == [None, *(bounds["$lt"] for bounds in deleted[:-1])]
    assert database.portfolio_analyses.count_documents({}) == 0


def test_research_is_deleted_some_symbols_at_a_time(
    services: Services, engine: DurableEngine, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stores.symbols._RESEARCH_PER_DELETE", 2)
    monkeypatch.setattr("runs.watching._PURGE_SECONDS", 0)  # one step a call
    for run_id, days_ago in ((RUN_ID, 40), ("run_20200102_000000_0001", 29)):
        ended(services, run_id, days_ago=days_ago, reports=0)
        services.research.save(run_id, [a_research(symbol, None) for symbol in "ABCDE"])
    left = []
    while services.runs.to_purge(NOW - timedelta(days=30), 10):
        purge_old_runs(services, engine)
        left.append(database.symbol_research.count_documents({"run_id": RUN_ID}))
    assert left == [3, 1, 0, 0]
    assert database.symbol_research.count_documents({}) == 5


def _set(services: Services, run_id: str, values: dict[str, object]) -> None:
    services.runs._runs.update_one({"run_id": run_id}, {"$set": values})  # noqa: SLF001 - simulates the passage of time


def test_with_an_unavailable_engine_reports_are_deleted_and_the_history_is_purged_later(
    services: Services, engine: DurableEngine
) -> None:
    for number in range(2):
        ended(services, f"run_20200102_000000_000{number}", days_ago=40 - number, reports=2)
    nowhere = engine_away()
    purge_old_runs(services, nowhere)
    assert [services.reports.outcome(run.run_id).analyzed for run in services.runs.to_purge(NOW, 10)] == [0, 0]
    purge_old_runs(services, engine)
    assert services.runs.to_purge(NOW, 10) == []


def test_runs_that_are_still_active_in_the_engine_are_purged_later_with_one_warning_and_do_not_delay_others(
    services: Services, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.watching._RUNS_PURGED", 2)
    running, over = [f"run_20200102_000000_000{number}" for number in range(2)], "run_20200102_000000_0002"
    for number, run_id in enumerate([*running, over]):
        ended(services, run_id, days_ago=40 - number, reports=1)
    with served(LocalBackend(default_version=None)) as client:
        for run_id in running:
            client.schedule_new_orchestration(ORCHESTRATION, instance_id=run_id)
        for _ in range(3):
            purge_old_runs(services, DurableEngine(client))
        assert services.runs.to_purge(NOW, 10) == []
        assert warned(caplog) == running
        carry_out(client, running[0])  # including its termination
        caplog.clear()
        for run_id in running:
            _set(services, run_id, {"purge_after": A_WHILE_AGO})
        purge_old_runs(services, DurableEngine(client))
        assert client.get_orchestration_state(running[0]) is None
    assert warned(caplog) == []


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the runs in warnings and errors, in order."""
    ours = (record for record in caplog.records if record.name == "runs.watching")
    records = [record for record in ours if record.levelno >= logging.WARNING]
    return [record.getMessage().split("run_id=")[1].rstrip(")") for record in records]


def test_an_unavailable_engine_is_called_once_for_all_purges(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        ended(services, f"run_20200102_000000_000{number}", days_ago=40 - number, reports=2)
    purge_old_runs(services, engine_away())
    assert warned(caplog) == ["run_20200102_000000_0000"]


def test_a_stalled_run_is_closed_even_if_its_orchestration_cannot_be_stopped(
    services: Services, database: DocumentDatabase
) -> None:
    run_id = "run_20200102_000000_0007"
    hold_lease(services, run_id, requested_at=A_WHILE_AGO)
    progressed(database, run_id, NOW - timedelta(seconds=301))
    with served(StubbornEngine()) as client:
        client.schedule_new_orchestration(ORCHESTRATION, instance_id=run_id)
        close_stuck_runs(services, DurableEngine(client))
    assert run_of(services, run_id).errors[0].error_type == "run_stalled"


def of_version(services: Services, client: SyncDurableFunctionsClient, version: str | None, number: int) -> str:
    """Return an active run in the engine that was started by another version of the app."""
    run_id = f"run_20200102_000000_01{number:02}"
    services.runs.create(Run(run_id, "queued", BY_HTTP, A_WHILE_AGO), None, version=version)
    services.lease.acquire(run_id, A_WHILE_AGO)
    client.schedule_new_orchestration(ORCHESTRATION, instance_id=run_id)
    return run_id


def test_a_run_of_a_newer_version_without_progress_for_a_minute_is_closed_by_the_watchdog(
    services: Services, engine: DurableEngine, client: SyncDurableFunctionsClient, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = of_version(services, client, "99.0", 0)
    close_stuck_runs(services, engine)
    run = run_of(services, run_id)
    assert (run.status, run.errors[0].error_type) == ("failed", "newer_version")
    assert f"from version 99.0 of the orchestration to {VERSION}" in run.errors[0].error
    assert services.lease.holder() is None
    assert "An active run cannot continue in the orchestration engine" in caplog.text  # the text in the alert's query


def test_a_trigger_closes_a_run_of_a_newer_version_without_progress_for_the_time_limit_of_all_runs(
    services: Services, engine: DurableEngine, client: SyncDurableFunctionsClient, database: DocumentDatabase
) -> None:
    run_id = of_version(services, client, "99.0", 1)
    progressed(database, run_id, datetime.now(UTC) - timedelta(seconds=services.settings.stall_seconds - 60))
    with pytest.raises(RunActive):  # a newer host may still run a long step
        start_run(services, engine, BY_HTTP)
    progressed(database, run_id, datetime.now(UTC) - timedelta(seconds=services.settings.stall_seconds + 60))
    started = start_run(services, engine, BY_HTTP)
    assert services.lease.holder() == started
    assert run_of(services, run_id).errors[0].error_type == "newer_version"


def test_a_run_of_a_newer_version_with_progress_is_left_to_the_newer_host(
    services: Services, engine: DurableEngine, client: SyncDurableFunctionsClient, database: DocumentDatabase
) -> None:
    run_id = of_version(services, client, "99.0", 2)
    progressed(database, run_id, datetime.now(UTC))
    close_stuck_runs(services, engine)
    assert run_of(services, run_id).is_active


@pytest.mark.parametrize(("version", "number"), [("0.9", 3), (VERSION, 4), (None, 5)])
def test_a_run_of_this_version_an_older_or_an_unknown_one_has_the_normal_time_limit(
    services: Services,
    engine: DurableEngine,
    client: SyncDurableFunctionsClient,
    database: DocumentDatabase,
    version: str | None,
    number: int,
) -> None:
    run_id = of_version(services, client, version, number)
    progressed(database, run_id, datetime.now(UTC) - timedelta(seconds=120))
    close_stuck_runs(services, engine)
    assert run_of(services, run_id).is_active


def test_the_version_that_started_a_run_is_on_its_record(services: Services, engine: DurableEngine) -> None:
    assert services.runs.version(start_run(services, engine, BY_HTTP)) == VERSION
