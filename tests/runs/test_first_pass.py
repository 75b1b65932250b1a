"""The first pass of a run: its pages are ranges of ids, each read once, and their symbols are collected afterward."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import replace
from threading import Barrier
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect

import stores.pages
from market_data.sample_prices import SampleProvider
from records import Batch, BatchResult, Outcome, Plan, Run, RunError, Trigger
from runs.collecting import collect
from runs.planning import plan_pages
from runs.prices import load_batch
from runs.reading import read
from runs.reports import analyze
from runs.research import research_batch
from runs.services import Services
from stores.backend import BackendCollection
from stores.mongo import DocumentDatabase
from stores.portfolios import PortfolioStore
from tests.runs.steps import NOW, RUN_ID, all_services, analyze_all, finish_run, start

RETRY_ID = "run_20260102_030405_bbbb"


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str) -> Iterator[Services]:
    with all_services(database, mongodb_url, SampleProvider()) as made:
        made.batches.ensure_indexes()
        yield made


def read_all(services: Services, planned: Plan, run_id: str = RUN_ID) -> None:
    for number in range(planned.pages):
        assert read(services, Batch(run_id, planned.plan_id, number)) == BatchResult()


def load_and_research(services: Services, made: Plan, run_id: str = RUN_ID) -> None:
    for number in range(made.symbol_batches):
        load_batch(services, Batch(run_id, made.plan_id, number))
        research_batch(services, Batch(run_id, made.plan_id, number))


def run_of(services: Services, run_id: str = RUN_ID) -> Run:
    run = services.runs.get(run_id)
    assert run is not None
    return run


def symbols_of(services: Services, made: Plan) -> dict[str, int]:
    batches = [services.batches.symbols(made.plan_id, number) for number in range(made.symbol_batches)]
    return {symbol: holders for batch in batches for symbol, holders in batch.items()}


def reported(database: DocumentDatabase) -> list[str]:
    return sorted(document["user_id"] for document in database.portfolio_analyses.find())


def test_the_plan_reads_no_document_of_a_user_and_estimates_their_number(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database, users=5)
    database.users.insert_many([{"user_id": "idle"}, {"user_id": "gone", "is_active": False}])
    made = plan_pages(services, RUN_ID, NOW)
    assert (made.pages, made.symbol_batches) == (4, 0)
    run = run_of(services)
    assert (run.users_to_analyze, run.users_to_analyze_estimated, run.progress.pages_total) == (7, True, 4)
    read_all(services, made)
    assert run_of(services).users_to_analyze_estimated
    collect(services, RUN_ID)
    run = run_of(services)
    assert (run.users_to_analyze, run.users_to_analyze_estimated, run.symbols) == (5, False, 1)


def test_a_run_that_ends_before_its_users_are_counted_has_none_to_analyze(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    plan_pages(services, RUN_ID, NOW)
    services.runs.request_cancel(RUN_ID, NOW)
    assert collect(services, RUN_ID) == Plan()
    finish_run(services)
    run = run_of(services)
    assert (run.status, run.users_to_analyze, run.users_to_analyze_estimated) == ("canceled", 0, False)
    assert run.metrics.avg_duration_per_user_seconds is None


def test_symbols_are_not_collected_before_all_pages_are_read(services: Services, database: DocumentDatabase) -> None:
    start(services, database)
    made = plan_pages(services, RUN_ID, NOW)
    read(services, Batch(RUN_ID, made.plan_id, 0))
    with pytest.raises(LookupError):
        collect(services, RUN_ID)


def test_of_two_attempts_at_once_each_step_counts_one(services: Services, database: DocumentDatabase) -> None:
    start(services, database, users=9)
    database.watchlist.insert_one({"user_id": "u3", "symbol": "MSFT"})
    together = Barrier(2)

    def plan_twice(_: int) -> Plan:
        together.wait()
        return plan_pages(services, RUN_ID, NOW)

    def read_twice(_: int) -> None:
        together.wait()
        read_all(services, planned[0])

    def collect_twice(_: int) -> Plan:
        together.wait()
        return collect(services, RUN_ID)

    with ThreadPoolExecutor(2) as pool:
        planned = list(pool.map(plan_twice, range(2)))
        list(pool.map(read_twice, range(2)))
        made = list(pool.map(collect_twice, range(2)))
    assert planned[0] == planned[1]
    assert made[0] == made[1]
    assert symbols_of(services, made[0]) == {"AAPL": 9, "MSFT": 0}
    assert set(database.run_batches.distinct("plan_id")) == {planned[0].plan_id}
    load_and_research(services, made[0])
    analyze_all(services, made[0])
    assert services.reports.outcome(RUN_ID) == Outcome(analyzed=9)


def test_a_collection_that_breaks_off_after_it_was_recorded_is_completed_by_the_next_attempt(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(services, database)
    made = plan_pages(services, RUN_ID, NOW)
    read_all(services, made)
    with monkeypatch.context() as patch:

        def break_off(*_: object) -> None:
            raise AutoReconnect("the server stopped")

        patch.setattr(services.batches, "adopt_symbols", break_off)
        with pytest.raises(AutoReconnect):
            collect(services, RUN_ID)
    whole = collect(services, RUN_ID)
    assert symbols_of(services, whole) == {"AAPL": 3}
    assert collect(services, RUN_ID) == whole


def test_a_plan_whose_walk_breaks_off_finds_everybody(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(services, database, users=9)
    keys, breaks = BackendCollection.keys, [4]

    def breaking(users: BackendCollection, condition: dict[str, Any], at_once: int) -> Iterator[Any]:
        for number, value in enumerate(keys(users, condition, at_once)):
            if breaks and number == breaks[0]:
                breaks.clear()
                raise AutoReconnect("the server stopped")
            yield value

    monkeypatch.setattr(BackendCollection, "keys", breaking)
    made = plan_pages(services, RUN_ID, NOW)
    assert breaks == []
    read_all(services, made)
    assert collect(services, RUN_ID).positions == 9


def test_a_page_delivered_twice_is_read_once_and_analyzed_once(services: Services, database: DocumentDatabase) -> None:
    start(services, database)
    made = plan_pages(services, RUN_ID, NOW)
    read_all(services, made)
    database.holdings.update_many({}, {"$set": {"symbol": "MSFT"}})
    read_all(services, made)
    whole = collect(services, RUN_ID)
    assert symbols_of(services, whole) == {"AAPL": 3}
    load_and_research(services, whole)
    assert database.run_batches.count_documents({"kept": {"$exists": True}}) == 2
    first = analyze_all(services, whole)
    # The portfolios are gone with the first delivery.
    assert database.run_batches.count_documents({"kept": {"$exists": True}}) == 0
    assert analyze_all(services, whole) == first
    assert services.reports.outcome(RUN_ID) == Outcome(analyzed=3)


def test_a_user_who_leaves_between_the_passes_has_the_report_of_the_first_one(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    made = plan_pages(services, RUN_ID, NOW)
    read_all(services, made)
    whole = collect(services, RUN_ID)
    load_and_research(services, whole)
    for name in ("users", "holdings"):
        database[name].delete_many({"user_id": "u0"})
    database.users.update_one({"user_id": "u1"}, {"$set": {"is_active": False}})
    database.users.insert_one({"user_id": "u00"})
    database.holdings.insert_one({"user_id": "u00", "symbol": "AAPL", "quantity": 1})
    analyze_all(services, whole)
    assert reported(database) == ["u0", "u1", "u2"]
    report = services.reports.get(RUN_ID, "u0")
    assert report is not None
    assert [holding["symbol"] for holding in report["holdings"]] == ["AAPL"]
    finish_run(services)
    run = run_of(services)
    assert (run.users_to_analyze, run.users_analyzed, run.users_to_analyze_estimated) == (3, 3, False)


def test_users_added_before_their_page_is_read_are_analyzed(services: Services, database: DocumentDatabase) -> None:
    start(services, database)
    made = plan_pages(services, RUN_ID, NOW)
    for user_id in ("a", "z"):
        database.users.insert_one({"user_id": user_id})
        database.holdings.insert_one({"user_id": user_id, "symbol": "AAPL", "quantity": 1})
    read_all(services, made)
    whole = collect(services, RUN_ID)
    load_and_research(services, whole)
    analyze_all(services, whole)
    assert reported(database) == ["a", "u0", "u1", "u2", "z"]


def test_a_page_too_large_to_be_kept_is_read_again_with_the_same_users(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores.pages, "MOST_KEPT_BYTES", 10)
    start(services, database)
    made = plan_pages(services, RUN_ID, NOW)
    read_all(services, made)
    assert database.run_batches.count_documents({"kept": {"$exists": True}}) == 0
    whole = collect(services, RUN_ID)
    load_and_research(services, whole)
    database.users.delete_one({"user_id": "u0"})
    database.users.insert_one({"user_id": "u00"})
    database.holdings.insert_one({"user_id": "u00", "symbol": "AAPL", "quantity": 1})
    analyze_all(services, whole)
    assert reported(database) == ["u0", "u1", "u2"]


def test_ids_of_several_types_are_one_user_in_one_page(services: Services, database: DocumentDatabase) -> None:
    known = ObjectId()
    start(services, database, users=0)
    database.users.insert_many(
        [
            {"user_id": 5}, {"user_id": "5"},  # of the first type, which is active
            {"user_id": 6, "is_active": False}, {"user_id": "6", "base_currency": "CHF"},
            {"user_id": known}, {"user_id": str(known), "is_active": False},
            {"user_id": "7", "is_active": False}, {"user_id": 7, "is_active": False},
            {"user_id": ["8", 8]}, {"user_id": "word"},
        ]
    )  # fmt: skip
    for user_id in ("5", 5, 6, str(known), "7", "8", "word"):
        database.holdings.insert_one({"user_id": user_id, "symbol": "AAPL", "quantity": 1})
    made = plan_pages(services, RUN_ID, NOW)
    read_all(services, made)
    whole = collect(services, RUN_ID)
    assert (whole.positions, run_of(services).users_to_analyze) == (4, 4)
    load_and_research(services, whole)
    analyze_all(services, whole)
    assert reported(database) == sorted(["5", "6", str(known), "word"])
    report = services.reports.get(RUN_ID, "5")
    assert report is not None
    assert report["holdings"][0]["quantity"] == 2


def test_a_page_of_a_run_that_is_over_does_nothing(services: Services, database: DocumentDatabase) -> None:
    start(services, database)
    made = plan_pages(services, RUN_ID, NOW)
    services.batches.delete(RUN_ID)
    read_all(services, made)
    assert analyze_all(services, made) == [BatchResult()] * 2
    assert database.run_batches.count_documents({}) == 0
    finish_run(services)
    read_all(services, made)
    assert collect(services, RUN_ID) == Plan()


def test_a_run_of_some_users_names_those_without_anything_to_analyze(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database, users=0)
    database.users.insert_many([{"user_id": "a"}, {"user_id": "b"}, {"user_id": "c", "is_active": False}])
    database.holdings.insert_many([{"user_id": user_id, "symbol": "AAPL", "quantity": 1} for user_id in "ac"])
    run_id = "run_20260102_030405_cccc"
    services.runs.create(Run(run_id, "queued", Trigger("http", "admin-secret"), NOW), ["c", "b", "a", "x", "a"])
    made = plan_pages(services, run_id, NOW)
    planned = run_of(services, run_id)
    assert (made.pages, planned.users_to_analyze, planned.users_to_analyze_estimated) == (2, 4, True)
    read_all(services, made, run_id)
    whole = collect(services, run_id)
    assert (whole.min_success_rate, whole.positions, whole.failure) == (0.0, 1, None)
    counted = run_of(services, run_id)
    assert (counted.users_to_analyze, counted.users_to_analyze_estimated, counted.errors_count) == (1, False, 3)
    assert counted.errors == (
        RunError("c", "unknown_user", "There is no active user of this id."),
        RunError("x", "unknown_user", "There is no active user of this id."),
        RunError("b", "nothing_to_analyze", "The user has neither holdings nor a watchlist."),
    )


def test_a_retry_reads_the_failed_users_of_the_other_run(services: Services, database: DocumentDatabase) -> None:
    start(services, database)
    database.accounts.insert_many([{"user_id": f"u{number}", "cash": "much"} for number in range(3)])
    made = plan_pages(services, RUN_ID, NOW)
    read_all(services, made)
    whole = collect(services, RUN_ID)
    # A user who cannot be analyzed for another reason holds the symbols all the same.
    assert symbols_of(services, whole) == {"AAPL": 3}
    load_and_research(services, whole)
    assert analyze_all(services, whole) == [BatchResult(failed=2), BatchResult(failed=1)]
    finish_run(services)
    database.accounts.delete_many({})
    retry = Run(RETRY_ID, "queued", Trigger("retry", "admin-secret"), NOW, retry_of=RUN_ID)
    services.runs.create(retry, None)
    again = plan_pages(services, RETRY_ID, NOW)
    assert (again.pages, run_of(services, RETRY_ID).users_to_analyze) == (2, 3)
    read_all(services, again, RETRY_ID)
    whole = collect(services, RETRY_ID)
    load_and_research(services, whole, RETRY_ID)
    for number in range(whole.pages):
        analyze(services, Batch(RETRY_ID, whole.plan_id, number))
    assert services.reports.outcome(RETRY_ID) == Outcome(analyzed=3)


def test_everything_inside_the_users_documents_is_read_with_them(
    services: Services, database: DocumentDatabase
) -> None:
    from fields import Fields

    fields = Fields.read("holdings=users.p[],accounts=users.w,watchlist=users.l[],watchlist.symbol=.")
    start(services, database, users=0)
    database.users.insert_many(
        [{"user_id": f"u{number}", "p": [{"symbol": "AAPL", "quantity": 2}], "w": {"cash": 3}, "l": ["MSFT"]}
         for number in range(3)]
    )  # fmt: skip
    portfolios = PortfolioStore(database, fields=fields)
    inside = replace(services, portfolios=portfolios, transactions=type(services.transactions)(portfolios))
    made = plan_pages(inside, RUN_ID, NOW)
    read_all(inside, made)
    whole = collect(inside, RUN_ID)
    assert symbols_of(inside, whole) == {"AAPL": 3, "MSFT": 0}
    page = services.pages.get(made.plan_id, 0)
    assert page is not None
    assert page.kept is not None
    assert page.kept.all() == portfolios.load(["u0", "u1"], contiguous=False)


def test_of_many_unknown_symbols_of_one_user_only_some_travel_and_all_are_counted(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("runs.reading._MOST_WAITING", 30)
    start(services, database, users=1)
    database.watchlist.insert_many([{"user_id": "u0", "symbol": f"NO{number:03}"} for number in range(100)])
    made = plan_pages(services, RUN_ID, NOW)
    read_all(services, made)
    (crowds,) = services.pages.crowds(made.plan_id, "watchlists")
    assert ([len(own) for own in crowds.symbols], crowds.left_out) == ([30], 70)
    with caplog.at_level(logging.INFO):
        assert collect(services, RUN_ID).symbols == 1 + 20
    assert "80 unknown symbols of watchlists wait for a later run" in caplog.messages
