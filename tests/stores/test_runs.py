from concurrent.futures import ThreadPoolExecutor
from copy import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from records import Outcome, Parameters, Plan, Progress, Run, RunError, RunExists, Trigger
from stores.mongo import DocumentDatabase
from stores.runs import RunLease, RunStore

PLAN, LATE, WHOLE = Plan("first"), Plan("late"), Plan("first", symbol_batches=1)
AS_OF = date(2025, 1, 2)
PARAMETERS = Parameters("SP500", 1260, 0.02, 200, 0.7)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_run(run_id: str = "run_20260102_030405_abcd") -> Run:
    return Run(run_id=run_id, status="queued", trigger=Trigger("http", "admin-secret"), requested_at=NOW)


@pytest.fixture
def runs(database: DocumentDatabase) -> RunStore:
    store = RunStore(database)
    store.ensure_indexes()
    return store


@pytest.fixture
def lease(database: DocumentDatabase) -> RunLease:
    return RunLease(database)


def test_a_run_is_returned_as_it_was_recorded(runs: RunStore) -> None:
    run = replace(a_run(), as_of=date(2025, 12, 31), dry_run=True, users="some")
    runs.create(run, ["u1", "u2"])
    assert runs.get(run.run_id) == run
    assert runs.requested_user_ids(run.run_id) == ["u1", "u2"]


def test_an_unknown_run_is_none(runs: RunStore) -> None:
    assert runs.get("run_20260102_030405_ffff") is None


def test_a_run_id_cannot_be_recorded_twice(runs: RunStore) -> None:
    runs.create(a_run(), None)
    with pytest.raises(RunExists):
        runs.create(a_run(), None)


def test_only_the_first_of_two_starts_takes_effect(runs: RunStore) -> None:
    run = a_run()
    runs.create(run, None)
    assert [runs.start(run.run_id, NOW), runs.start(run.run_id, NOW)] == [True, False]
    started = runs.get(run.run_id)
    assert started is not None
    assert (started.status, started.started_at, started.progress.phase) == ("running", NOW, "plan")


def test_a_late_step_cannot_move_a_run_back(runs: RunStore) -> None:
    run = a_run()
    runs.create(run, None)
    runs.reach(run.run_id, "analyze")
    runs.reach(run.run_id, "market_data")
    reached = runs.get(run.run_id)
    assert reached is not None
    assert reached.progress.phase == "analyze"


def test_progress_adds_up_page_by_page(runs: RunStore) -> None:
    run = a_run()
    runs.create(run, None)
    figures = {"users_to_analyze": 30, "symbols": 7, "progress.pages_total": 3}
    runs.record_plan(run.run_id, PLAN, PARAMETERS, as_of=AS_OF, figures=figures)
    runs.page_done(run.run_id, Outcome(analyzed=9, skipped=1, failed=0))
    runs.page_done(run.run_id, Outcome(analyzed=8, skipped=1, failed=1))
    now = runs.get(run.run_id)
    assert now is not None
    assert now.progress == Progress("queued", pages_done=2, pages_total=3)
    assert (now.users_analyzed, now.users_skipped, now.users_failed, now.portfolios_analyzed) == (17, 2, 1, 17)
    assert (now.users_to_analyze, now.symbols, now.as_of) == (30, 7, date(2025, 1, 2))


def test_a_finished_run_takes_no_further_change(runs: RunStore) -> None:
    run = a_run()
    runs.create(run, None)
    assert runs.finish(run.run_id, "completed", {"completed_at": NOW})
    assert not runs.finish(run.run_id, "failed", {"completed_at": NOW})
    runs.reach(run.run_id, "analyze")
    runs.page_done(run.run_id, Outcome(analyzed=5))
    assert not runs.record_plan(run.run_id, PLAN, PARAMETERS, as_of=date(2025, 1, 2), figures={})
    assert runs.get(run.run_id) == replace(run, status="completed", completed_at=NOW)


def test_runs_are_listed_newest_first_and_paged_without_gap_or_overlap(runs: RunStore) -> None:
    # In the same second and even at the same moment; by their ids alone, runs of one second would be in random order.
    moments = [NOW, NOW, NOW + timedelta(milliseconds=5), NOW + timedelta(milliseconds=9), NOW + timedelta(seconds=1)]
    ids = [f"run_20260102_030405_{suffix}" for suffix in ("aaaa", "bbbb", "0000", "ffff", "1111")]
    for run_id, moment in zip(ids, moments, strict=True):
        runs.create(replace(a_run(run_id), requested_at=moment), None)
    pages: list[list[Run]] = [runs.newest(2, None)]
    while pages[-1]:
        pages.append(runs.newest(2, (pages[-1][-1].requested_at, pages[-1][-1].run_id)))
    assert [run.run_id for page in pages for run in page] == ids[::-1]


def test_runs_tell_whose_they_are_and_are_listed_by_it(runs: RunStore, database: DocumentDatabase) -> None:
    of_all, of_some, of_failed = (a_run(f"run_20260102_030405_{suffix}") for suffix in ("0001", "0002", "0003"))
    runs.create(of_all, None)
    runs.create(of_some, ["u1", "u2"])
    runs.create(replace(of_failed, retry_of=of_all.run_id), None)
    assert [(run.run_id, run.users) for run in runs.newest(10, None)] == [
        (of_failed.run_id, "failed"),
        (of_some.run_id, "some"),
        (of_all.run_id, "all"),
    ]
    newest: tuple[datetime, str] = (NOW, of_failed.run_id)
    assert [own.run_id for own in runs.newest(10, newest, "all")] == [of_all.run_id]
    assert [own.run_id for own in runs.newest(10, newest, "some")] == [of_some.run_id]
    assert runs.newest(10, newest, "failed") == []
    database.portfolio_analysis_runs.update_many({"user_ids": {"$ne": None}}, {"$set": {"user_ids": []}})  # forgotten
    assert [run.users for run in runs.newest(10, newest, "some")] == ["some"]


def test_only_a_queued_run_can_be_deleted(runs: RunStore) -> None:
    queued, running = a_run("run_20260102_030405_0001"), a_run("run_20260102_030405_0002")
    for run in (queued, running):
        runs.create(run, None)
    runs.start(running.run_id, NOW)
    assert [runs.delete_queued(run) for run in (queued, running)] == [True, False]
    assert [run.run_id for run in runs.newest(10, None)] == [running.run_id]


def test_only_the_first_hundred_errors_of_a_plan_are_kept_and_all_are_counted(runs: RunStore) -> None:
    run = a_run()
    runs.create(run, None)
    errors = [RunError(f"u{i}", "unknown_user", "There is none.") for i in range(150)]
    runs.record_plan(run.run_id, PLAN, PARAMETERS, as_of=date(2025, 1, 2), figures={})
    runs.record_symbols(run.run_id, WHOLE, "attempt", figures={"errors_count": len(errors)}, errors=errors)
    planned = runs.get(run.run_id)
    assert planned is not None
    assert (len(planned.errors), planned.errors_count) == (100, 150)


def test_of_two_plans_only_the_first_counts(runs: RunStore) -> None:
    run = a_run()
    runs.create(run, None)
    assert runs.plan(run.run_id) is None
    assert runs.record_plan(run.run_id, PLAN, PARAMETERS, as_of=date(2025, 1, 2), figures={"symbols": 1})
    assert not runs.record_plan(run.run_id, LATE, PARAMETERS, as_of=date(2024, 1, 2), figures={"symbols": 9})
    planned = runs.get(run.run_id)
    assert planned is not None
    assert (planned.as_of, planned.symbols, runs.plan(run.run_id)) == (date(2025, 1, 2), 1, PLAN)


def test_queued_runs_are_found_by_their_age(runs: RunStore) -> None:
    old, young, started = (a_run(f"run_20260102_030405_000{i}") for i in range(3))
    runs.create(old, None)
    runs.create(replace(young, requested_at=NOW + timedelta(minutes=5)), None)
    runs.create(started, None)
    runs.start(started.run_id, NOW)
    assert runs.queued_before(NOW + timedelta(minutes=1)) == [old]


def test_the_second_request_gets_the_holder_of_the_lease(lease: RunLease) -> None:
    assert lease.acquire("first", NOW) is None
    assert lease.acquire("second", NOW) == "first"


def test_a_released_lease_can_be_taken_again(lease: RunLease) -> None:
    lease.acquire("first", NOW)
    lease.release("first")
    assert lease.acquire("second", NOW) is None


def test_a_lease_can_only_be_released_by_its_holder(lease: RunLease) -> None:
    lease.acquire("first", NOW)
    lease.release("second")
    assert lease.acquire("third", NOW) == "first"


def test_of_two_takeovers_from_one_holder_only_one_succeeds(lease: RunLease) -> None:
    lease.acquire("over", NOW)
    assert lease.take_over("over", "second", NOW)
    assert not lease.take_over("over", "third", NOW)
    assert lease.acquire("fourth", NOW) == "second"


def test_of_many_concurrent_requests_exactly_one_gets_the_lease(lease: RunLease) -> None:
    with ThreadPoolExecutor(16) as pool:
        for turn in range(30):
            names = [f"{turn}-{i}" for i in range(16)]
            answers = dict(zip(names, pool.map(lambda name: lease.acquire(name, NOW), names), strict=True))
            winners = [name for name, holder in answers.items() if holder is None]
            assert len(winners) == 1
            assert set(answers.values()) == {None, winners[0]}
            lease.release(winners[0])
