"""Starting runs with the real engine and a real database: accepted and refused triggers, and the remains of a crash."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import cast

import pytest
from azure.durable_functions import SyncDurableFunctionsClient

from analysis.models import Report
from functions.engine import DurableEngine
from records import Failure, Run, RunError, Trigger
from runs.ending import close_if_lost, close_run
from runs.engine import EngineUnavailable
from runs.services import Services
from runs.starting import InvalidAsOf, RunActive, start_run
from runs.watching import close_stuck_runs
from stores.mongo import DocumentDatabase
from stores.webhooks import WebhookStore
from tests.builders import save
from tests.engine import OF_ALL, carry_out, engine_away, hold_lease
from tests.faults.meddling import Refusing
from tests.stores.wired import wired

BY_HTTP = Trigger("http", "admin-secret")
LONG_AGO = datetime(2020, 1, 2, tzinfo=UTC)


class FrozenClock(datetime):
    """A clock that gives two runs the same second."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override] # a plain datetime is stored
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=tz)


def test_a_started_run_is_recorded_under_the_id_the_engine_knows(
    services: Services, engine: DurableEngine, client: SyncDurableFunctionsClient
) -> None:
    run_id = start_run(services, engine, BY_HTTP, user_ids=["u"], as_of=date(2020, 1, 2), dry_run=True)
    run, state = services.runs.get(run_id), client.get_orchestration_state(run_id)
    assert run is not None
    assert state is not None
    assert (run.status, run.trigger, run.as_of, run.dry_run) == ("queued", BY_HTTP, date(2020, 1, 2), True)
    assert (state.instance_id, state.name) == (run_id, "portfolio_analysis")


def test_the_trigger_is_logged_once_with_the_run_id(
    services: Services, engine: DurableEngine, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "runs.starting"):
        run_id = start_run(services, engine, BY_HTTP)
        close_run(services, cast("Run", services.runs.get(run_id)), None)
        timer_run_id = start_run(services, engine, Trigger("timer", "nightly_analysis"))
    texts = [record.getMessage().split(" (")[0] for record in caplog.records if "triggered" in record.getMessage()]
    assert texts == ["Portfolio analysis triggered via API", "Portfolio analysis triggered by timer"]
    assert f"run_id={timer_run_id}" in caplog.text


def test_a_run_that_has_started_is_answered_and_logged_although_its_deliveries_cannot_be_woken(
    services: Services, engine: DurableEngine, database: DocumentDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    refusing = Refusing(["find"], ["webhooks"])
    with wired(database, refusing) as seen, caplog.at_level(logging.INFO, "runs.starting"):
        services.webhooks = WebhookStore(seen)  # type: ignore[misc] # of these services it can be set
        run_id = start_run(services, engine, BY_HTTP)
    assert refusing.refused == [("find", "webhooks")]
    assert services.runs.get(run_id) is not None
    assert f"triggered via API (run_id={run_id}" in caplog.text


def test_a_second_trigger_while_a_run_is_active_is_refused_with_its_id_and_leaves_no_record(
    services: Services, engine: DurableEngine
) -> None:
    first = start_run(services, engine, BY_HTTP)
    with pytest.raises(RunActive) as caught:
        start_run(services, engine, BY_HTTP)
    assert caught.value.run_id == first
    assert [run.run_id for run in services.runs.newest(10, None)] == [first]


def test_of_many_concurrent_triggers_exactly_one_starts_a_run(services: Services, engine: DurableEngine) -> None:
    def trigger(_: int) -> str | None:
        try:
            return start_run(services, engine, BY_HTTP)
        except RunActive:
            return None

    with ThreadPoolExecutor(12) as pool:
        for turn in range(20):
            started = [run_id for run_id in pool.map(trigger, range(12)) if run_id]
            assert len(started) == 1
            assert len(services.runs.newest(100, None)) == turn + 1
            close_run(services, cast("Run", services.runs.get(started[0])), None)


def test_a_run_id_that_is_already_used_is_generated_again(
    services: Services, engine: DurableEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["00aa", "00aa", "00bb"])
    monkeypatch.setattr("runs.starting.random_source.token_hex", lambda _: next(drawn))
    monkeypatch.setattr("runs.starting.datetime", FrozenClock)
    first = start_run(services, engine, BY_HTTP)
    close_run(services, cast("Run", services.runs.get(first)), None)
    second = start_run(services, engine, BY_HTTP)
    assert (first, second) == ("run_20260102_030405_00aa", "run_20260102_030405_00bb")


@pytest.mark.parametrize("as_of", [datetime.now(UTC).date() + timedelta(days=2), date(1, 1, 1), date(1899, 12, 31)])
def test_a_date_in_the_future_or_before_all_prices_starts_nothing(
    services: Services, engine: DurableEngine, as_of: date
) -> None:
    with pytest.raises(InvalidAsOf):
        start_run(services, engine, BY_HTTP, as_of=as_of)
    assert services.runs.newest(10, None) == []


def test_a_date_before_the_first_price_starts_nothing_and_is_told_when_prices_begin(
    services: Services, engine: DurableEngine
) -> None:
    with pytest.raises(InvalidAsOf, match="prices begin on 2010-01-04"):
        start_run(services, engine, BY_HTTP, as_of=date(2010, 1, 3))
    assert services.runs.newest(10, None) == []
    start_run(services, engine, BY_HTTP, as_of=date(2010, 1, 4))


def test_an_unavailable_engine_leaves_nothing_and_no_failure_in_the_log(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = engine_away()
    with pytest.raises(EngineUnavailable):
        start_run(services, nowhere, BY_HTTP)
    assert services.runs.newest(2, None) == []
    assert "Portfolio analysis" not in caplog.text
    assert services.lease.acquire("next", LONG_AGO) is None


def test_a_run_that_begins_before_the_engine_confirms_it_counts_as_started(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = engine_away()
    ask = nowhere.start

    def begin_and_ask(run_id: str) -> None:
        services.runs.start(run_id, datetime.now(UTC))
        ask(run_id)

    monkeypatch.setattr(nowhere, "start", begin_and_ask)
    run_id = start_run(services, nowhere, BY_HTTP)
    assert (services.lease.holder(), services.runs.newest(2, None)[0].status) == (run_id, "running")


def test_the_lease_of_a_run_whose_orchestration_ended_is_taken_over_and_the_run_marked(
    services: Services, engine: DurableEngine, client: SyncDurableFunctionsClient
) -> None:
    hold_lease(services, "run_20200102_000000_0000", requested_at=datetime.now(UTC))
    client.schedule_new_orchestration("portfolio_analysis", instance_id="run_20200102_000000_0000")
    with pytest.raises(RunActive):
        start_run(services, engine, BY_HTTP)
    client.terminate_orchestration("run_20200102_000000_0000")
    carry_out(client, "run_20200102_000000_0000")
    run_id = start_run(services, engine, BY_HTTP)
    lost = services.runs.get("run_20200102_000000_0000")
    assert lost is not None
    assert (lost.status, lost.errors[0].error_type) == ("failed", "run_lost")
    assert services.lease.acquire("next", LONG_AGO) == run_id


def test_the_lease_of_a_run_that_the_engine_never_got_is_taken_over_only_after_a_while(
    services: Services, engine: DurableEngine
) -> None:
    hold_lease(services, "run_20200102_000000_0001", requested_at=datetime.now(UTC))
    with pytest.raises(RunActive):
        start_run(services, engine, BY_HTTP)
    services.lease.release("run_20200102_000000_0001")
    hold_lease(services, "run_20200102_000000_0002", requested_at=LONG_AGO)
    run_id = start_run(services, engine, BY_HTTP)
    assert services.lease.acquire("next", LONG_AGO) == run_id


def test_the_lease_of_a_running_run_that_the_engine_lost_is_taken_over_at_once_and_its_reports_counted(
    services: Services, engine: DurableEngine
) -> None:
    hold_lease(services, "run_20200102_000000_0004", requested_at=datetime.now(UTC))
    services.runs.start("run_20200102_000000_0004", datetime.now(UTC))
    save(services.reports, [Report("run_20200102_000000_0004", "u", date(2020, 1, 2), "USD", "analyzed")])
    start_run(services, engine, BY_HTTP)
    lost = services.runs.get("run_20200102_000000_0004")
    assert lost is not None
    assert (lost.status, lost.errors[0].error_type, lost.users_analyzed) == ("failed", "run_lost", 1)


def test_a_run_that_was_recorded_but_never_got_the_lease_is_closed_by_a_later_one(
    services: Services, engine: DurableEngine
) -> None:
    services.runs.create(Run("run_20200102_000000_0005", "queued", BY_HTTP, LONG_AGO), None)
    start_run(services, engine, BY_HTTP)
    abandoned = services.runs.get("run_20200102_000000_0005")
    assert abandoned is not None
    assert (abandoned.status, abandoned.errors[0].error_type) == ("failed", "run_lost")


def test_an_abandoned_run_does_not_prevent_the_release_of_the_lease_if_the_engine_is_unavailable(
    services: Services,
) -> None:
    services.runs.create(Run("run_20200102_000000_0006", "queued", BY_HTTP, LONG_AGO), None)
    nowhere = engine_away()
    with pytest.raises(EngineUnavailable):
        start_run(services, nowhere, BY_HTTP)
    assert services.lease.holder() is None


def test_the_lease_that_a_finished_run_left_behind_is_taken_over(services: Services, engine: DurableEngine) -> None:
    hold_lease(services, "run_20200102_000000_0003", requested_at=LONG_AGO)
    services.runs.finish("run_20200102_000000_0003", "completed", {})
    run_id = start_run(services, engine, BY_HTTP)
    assert services.lease.acquire("next", LONG_AGO) == run_id
    finished = services.runs.get("run_20200102_000000_0003")
    assert finished is not None
    assert finished.status == "completed"


def test_closing_a_run_twice_changes_and_logs_nothing_the_second_time(
    services: Services, engine: DurableEngine, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = start_run(services, engine, BY_HTTP)
    run = cast("Run", services.runs.get(run_id))
    failed = [
        Report(run_id, f"u{i:03}", date(2020, 1, 2), "USD", "failed", "invalid_account", error="no") for i in range(150)
    ]
    save(services.reports, failed)
    caplog.clear()
    assert close_run(services, run, Failure("gave_up", "It gave up.")) == "failed"
    closed = services.runs.get(run_id)
    # As two processes: one read the record before, the other reads it now.
    assert close_run(services, run, None) == "failed"
    assert close_run(services, cast("Run", closed), None) == "failed"
    assert closed is not None
    assert (len(closed.errors), closed.errors_count, closed.users_failed) == (100, 151, 150)
    assert closed.errors[0] == RunError(None, "gave_up", "It gave up.")
    assert services.runs.get(run_id) == closed
    ends = [record.getMessage() for record in caplog.records]
    assert ends == [f"Portfolio analysis failed (run_id={run_id}, {OF_ALL}, error_type=gave_up)"]


def test_a_run_that_finishes_during_the_query_of_the_engine_does_not_count_as_lost(
    services: Services, engine: DurableEngine, client: SyncDurableFunctionsClient, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = start_run(services, engine, BY_HTTP)
    seen = cast("Run", services.runs.get(run_id))
    close_run(services, seen, None)
    client.terminate_orchestration(run_id)
    carry_out(client, run_id)
    caplog.clear()
    assert close_if_lost(services, engine, seen)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_the_end_of_a_run_remains_to_be_logged_if_one_of_two_processes_closing_it_dies_before(
    services: Services, engine: DurableEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start_run(services, engine, BY_HTTP)
    seen = cast("Run", services.runs.get(run_id))

    def die(*_: object) -> None:
        close_run(services, seen, None)  # the other process, which also saw the run as active
        raise SystemExit

    monkeypatch.setattr("runs.ending._log_end", die)
    with pytest.raises(SystemExit):
        close_run(services, seen, None)
    assert [run.run_id for run in services.runs.half_closed(datetime.now(UTC))] == [run_id]


def test_of_two_processes_that_close_a_run_concurrently_one_logs_its_end(
    services: Services,
    engine: DurableEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run_id = start_run(services, engine, BY_HTTP)
    seen = cast("Run", services.runs.get(run_id))
    caplog.clear()

    def close_as_well(*_: object) -> None:
        monkeypatch.undo()
        close_run(services, seen, Failure("run_lost", "No engine runs it."))

    monkeypatch.setattr("runs.ending.recount_if_over", close_as_well)
    close_run(services, seen, Failure("run_stalled", "It got no further."))
    ends = [record.getMessage() for record in caplog.records]
    assert ends == [f"Portfolio analysis failed (run_id={run_id}, {OF_ALL}, error_type=run_stalled)"]
    assert services.runs.half_closed(datetime.now(UTC)) == []


def test_an_end_that_was_not_logged_because_of_a_crash_is_logged_by_the_watchdog(
    services: Services, engine: DurableEngine, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = start_run(services, engine, BY_HTTP)
    services.runs.finish(run_id, "completed", {"completed_at": datetime.now(UTC) - timedelta(minutes=2)})
    assert services.runs.take_log(run_id)
    caplog.clear()
    close_stuck_runs(services, engine)
    close_stuck_runs(services, engine)
    ends = [record.getMessage() for record in caplog.records if "Portfolio analysis" in record.getMessage()]
    assert ends == [f"Portfolio analysis completed successfully (run_id={run_id}, {OF_ALL})"]
