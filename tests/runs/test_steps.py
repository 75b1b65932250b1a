"""The steps of a run on a real database: delivered twice, late, and with unusual users."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from analysis.models import SECTIONS, Report
from analysis.report import analyze_portfolios
from functions.messages import to_wire
from market_data.provider import FetchedBars
from market_data.sample_prices import SampleProvider
from records import Batch, BatchResult, Failure, Outcome, Plan, Run, RunError
from runs.ending import close_run, recount_if_over
from runs.prices import fetch_histories, load_batch
from runs.reports import analyze
from runs.research import research_batch
from runs.services import Services
from stores.lines import Lines
from stores.mongo import DocumentDatabase
from stores.reports import StoredReport
from tests.builders import save
from tests.runs.steps import NOW, RUN_ID, all_services, analyze_all, finish_run, make_plan, prepare, start


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str) -> Iterator[Services]:
    with all_services(database, mongodb_url, SampleProvider()) as made:
        yield made


def test_a_plan_delivered_again_after_the_prices_were_loaded_changes_nothing(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    made = prepare(services)
    database.users.insert_one({"user_id": "late"})
    database.holdings.insert_one({"user_id": "late", "symbol": "MSFT", "quantity": 1, "avg_price": 1})
    assert make_plan(services) == made
    assert services.batches.priced_symbols(made.plan_id, 0) == ["AAPL"]
    analyze_all(services, made)
    assert services.reports.outcome(RUN_ID) == Outcome(analyzed=3)


@pytest.mark.parametrize(("as_of", "reason"), [(None, None), (date(2022, 6, 1), "past_as_of")])
def test_a_run_of_an_earlier_day_than_the_last_plans_no_orders(
    services: Services, database: DocumentDatabase, as_of: date | None, reason: str | None
) -> None:
    start(services, database, users=1, as_of=as_of)
    analyze_all(services, prepare(services))

    report = services.reports.get(RUN_ID, "u0")

    assert report is not None
    assert (report["as_of"] == "2022-06-01") == (as_of is not None)
    assert report["order_plan"]["reason"] == reason


@pytest.mark.parametrize(("store", "method"), [("pages", "write"), ("batches", "write_symbols")])
def test_a_plan_made_while_its_run_is_closed_leaves_no_batches(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch, store: str, method: str
) -> None:
    start(services, database)
    write = getattr(getattr(services, store), method)

    def close_meanwhile(*batches: Any) -> None:  # noqa: ANN401 - passed on
        finish_run(services, Failure("run_stalled", "It got no further."))
        write(*batches)

    monkeypatch.setattr(getattr(services, store), method, close_meanwhile)
    assert make_plan(services) == Plan()
    assert database.run_batches.count_documents({}) == 0


def test_every_step_delivered_twice_leaves_the_same_result(services: Services, database: DocumentDatabase) -> None:
    start(services, database)
    made = prepare(services)
    again = prepare(services)
    results = [analyze_all(services, plan) for plan in (made, again)]
    assert results[0] == results[1]
    assert [finish_run(services) for _ in range(2)] == ["completed", "completed"]
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert (run.users_to_analyze, run.users_analyzed, run.progress.pages_done) == (3, 3, 2)
    assert database.portfolio_analyses.count_documents({}) == 3
    assert database.run_batches.count_documents({}) == 0
    assert database.run_leases.count_documents({}) == 0


def test_a_run_lasts_until_its_lists_are_stored(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[datetime] = []
    write = services.rankings.write

    def write_and_note(run_id: str, lines: Lines) -> None:
        write(run_id, lines)
        stored.append(datetime.now(UTC))

    start(services, database)
    analyze_all(services, prepare(services))
    monkeypatch.setattr(services.rankings, "write", write_and_note)
    finish_run(services)
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert run.completed_at is not None
    assert run.started_at is not None
    # The database keeps milliseconds.
    assert run.completed_at >= stored[0].replace(microsecond=stored[0].microsecond // 1000 * 1000)
    assert run.metrics.total_duration_seconds is not None
    assert run.metrics.total_duration_seconds >= (stored[0] - run.started_at).total_seconds() - 0.001


def test_a_last_step_overtaken_by_its_other_delivery_while_it_reads_the_lines_leaves_lists_and_book_whole(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(services, database)
    analyze_all(services, prepare(services))
    read = services.batches.lines

    def be_overtaken(plan_id: str) -> Lines:
        """Return the lines of the first page: the other delivery deletes the second one meanwhile."""
        first, *_ = read(plan_id)
        monkeypatch.setattr(services.batches, "lines", read)
        assert finish_run(services) == "completed"
        return Lines([first])

    monkeypatch.setattr(services.batches, "lines", be_overtaken)
    assert finish_run(services) == "completed"
    assert database.run_batches.count_documents({}) == 0
    listed = [line.summary.user_id for block in services.rankings.blocks(RUN_ID) for line in block]
    assert listed == ["u0", "u1", "u2"]
    book = services.books.get(RUN_ID)
    assert book is not None
    assert book.people == 3


def test_users_with_unusable_ids_are_counted_and_no_other_user_loses_a_report(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    for user_id in (["u0"], ["x"], True, " space", "a/b", "$gt", "x" * 200):
        database.users.insert_one({"user_id": user_id})
        database.holdings.insert_one({"user_id": user_id, "symbol": "AAPL", "quantity": 1, "avg_price": 1})
    analyze_all(services, prepare(services))
    assert services.reports.outcome(RUN_ID) == Outcome(analyzed=3)
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert [error.error for error in run.errors] == [
        "7 documents in users have no user_id, or one that cannot be used."
    ]


def test_a_report_that_cannot_be_written_fails_its_user_and_no_other_user_loses_a_report(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_one_too_large(*arguments: Any) -> list[Report]:  # noqa: ANN401 - passed on
        large, *others = analyze_portfolios(*arguments)
        return [replace(large, error="x" * 17 * 2**20), *others]

    start(services, database, users=2)
    made = prepare(services)
    monkeypatch.setattr("runs.reports.analyze_portfolios", with_one_too_large)

    assert analyze_all(services, made) == [BatchResult(failed=1)]
    assert finish_run(services) == "completed_with_errors"
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert (run.users_analyzed, run.users_failed) == (1, 1)
    assert run.errors == (RunError("u0", "unwritable_report", "The report is too large for a document."),)
    report = services.reports.get(RUN_ID, "u0")
    assert report is not None
    assert {name for name in SECTIONS if report[name] is None} == set(SECTIONS)
    assert report["reasons"] == dict.fromkeys(SECTIONS, "unwritable_report")


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_run_of_people_without_a_readable_symbol_ends_with_each_holding_that_cannot_be_read(
    services: Services, database: DocumentDatabase, dry_run: bool
) -> None:
    start(services, database, users=0, dry_run=dry_run)
    for user_id, symbol in {"ann": 7, "bob": None}.items():
        database.users.insert_one({"user_id": user_id})
        database.holdings.insert_one({"user_id": user_id, "symbol": symbol, "quantity": 1, "avg_price": 1})
    database.holdings.insert_one({"user_id": "bob", "symbol": "AAPL", "quantity": "many", "avg_price": 1})
    made = prepare(services)
    assert (made.symbols, made.positions) == (0, 0)
    analyze_all(services, made)
    assert finish_run(services) == "completed_with_errors"
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert (run.users_analyzed, run.users_failed, run.errors_count) == (2, 0, 3)
    assert {(error.user_id, error.error_type) for error in run.errors} == {
        ("ann", "invalid_holding"),
        ("bob", "invalid_holding"),
    }
    assert run.errors[-1].error == "AAPL: quantity is not a number up to 1e+12."


def add_a_broken_user(database: DocumentDatabase, user_id: str) -> None:
    database.users.insert_one({"user_id": user_id})
    database.holdings.insert_one({"user_id": user_id, "symbol": "AAPL", "quantity": 1, "avg_price": 1})
    database.accounts.insert_one({"user_id": user_id, "cash": "1.000,00"})


def test_messages_stay_small_however_bad_the_data(services: Services, database: DocumentDatabase) -> None:
    start(services, database, users=0, dry_run=True)
    for number in range(200):
        user_id = f"{'u' * 120}{number:04}"
        add_a_broken_user(database, user_id)
        database.holdings.insert_many(
            {"user_id": user_id, "symbol": f"{'S' * 28}{i:04}", "quantity": "ten"} for i in range(5)
        )
    services = replace(services, settings=replace(services.settings, page_size=200, min_success_rate=0.0))
    made = prepare(services)
    (page,) = analyze_all(services, made)
    assert page == BatchResult(failed=200)
    assert services.batches.outcome(made.plan_id) == Outcome(failed=200)
    assert len(json.dumps(to_wire(page))) < 100
    finish_run(services)
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert (run.status, run.users_failed, len(run.errors), run.errors_count) == ("completed_with_errors", 200, 100, 200)


def test_steps_of_a_run_that_is_over_do_nothing(services: Services, database: DocumentDatabase) -> None:
    start(services, database)
    made = prepare(services)
    finish_run(services)
    before = services.runs.get(RUN_ID)
    assert make_plan(services) == Plan()
    assert load_batch(services, Batch(RUN_ID, made.plan_id, 0)) == BatchResult()
    assert research_batch(services, Batch(RUN_ID, made.plan_id, 0)) == BatchResult()
    assert analyze_all(services, made) == [BatchResult()] * 2
    assert database.portfolio_analyses.count_documents({}) == 0
    assert services.runs.get(RUN_ID) == before


def test_steps_of_a_run_that_is_being_canceled_do_nothing_more_and_what_is_stored_stays(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    made = prepare(services)
    analyze(services, Batch(RUN_ID, made.plan_id, 0))
    assert services.runs.request_cancel(RUN_ID, NOW)
    assert make_plan(services) == Plan()
    assert analyze_all(services, made) == [BatchResult()] * 2
    assert finish_run(services) == "canceled"
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert (run.status, run.users_to_analyze, run.users_analyzed, run.progress.pages_done) == ("canceled", 3, 2, 1)
    assert database.portfolio_analyses.count_documents({}) == 2
    assert database.run_leases.count_documents({}) == 0


def test_a_cancel_that_arrives_while_the_run_finishes_decides_its_state(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    analyze_all(services, prepare(services))
    seen = services.runs.get(RUN_ID)
    assert seen is not None
    assert services.runs.request_cancel(RUN_ID, NOW)
    # Like a last step that read the record just before.
    assert close_run(services, seen, Failure("gave_up", "It gave up.")) == "canceled"
    assert not services.runs.request_cancel(RUN_ID, NOW)


def test_the_end_of_a_run_counts_stored_reports_and_not_earlier_messages(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    analyze_all(services, prepare(services))
    database.portfolio_analysis_runs.update_one({"run_id": RUN_ID}, {"$set": {"users_analyzed": 99, "users_failed": 7}})
    finish_run(services)
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert (run.users_analyzed, run.portfolios_analyzed, run.users_failed) == (3, 3, 0)


def close_during_a_page(services: Services, monkeypatch: pytest.MonkeyPatch, made: Plan) -> Run:
    """Analyze the first page, close the run before the page is saved, and return the run."""
    save_reports = services.reports.save

    def close_meanwhile(reports: Sequence[StoredReport]) -> None:
        finish_run(services, Failure("run_stalled", "It got no further."))
        save_reports(reports)

    monkeypatch.setattr(services.reports, "save", close_meanwhile)
    analyze(services, Batch(RUN_ID, made.plan_id, 0))
    run = services.runs.get(RUN_ID)
    assert run is not None
    return run


def test_a_page_that_ends_after_its_run_was_closed_corrects_the_counts(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(services, database)
    made = prepare(services)
    run = close_during_a_page(services, monkeypatch, made)
    assert (run.status, run.users_analyzed) == ("failed", 2)
    assert database.portfolio_analyses.count_documents({}) == 2


def test_a_user_who_fails_in_a_page_that_ends_after_its_run_was_closed_is_named(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(services, database, users=1)
    add_a_broken_user(database, "broken")
    made = prepare(services)
    run = close_during_a_page(services, monkeypatch, made)
    assert (run.users_analyzed, run.users_failed, run.errors_count) == (1, 1, 2)
    assert [(error.user_id, error.error_type) for error in run.errors] == [
        (None, "run_stalled"),
        ("broken", "invalid_account"),
    ]


def test_a_page_that_ends_between_the_count_and_the_end_of_its_run_is_counted(
    services: Services, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(services, database)
    made = prepare(services)
    record_end = services.runs.finish

    def end_a_page_before(*arguments: Any) -> bool:  # noqa: ANN401 - passed on
        analyze(services, Batch(RUN_ID, made.plan_id, 0))
        return record_end(*arguments)

    monkeypatch.setattr(services.runs, "finish", end_a_page_before)
    finish_run(services, Failure("run_stalled", "It got no further."))
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert run.users_analyzed == services.reports.outcome(RUN_ID).analyzed == 2


def test_pages_whose_prices_another_version_of_the_app_prepared_end_the_run_with_that_reason(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    made = prepare(services)
    database.run_batches.update_many({"kind": "symbols"}, {"$unset": {"prices.form": "", "prices.newest": ""}})
    results = analyze_all(services, made)
    assert {result.failure and result.failure.error_type for result in results} == {"other_version"}
    assert finish_run(services, results[0].failure) == "failed"
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert "deployed during the run" in run.errors[0].error
    assert services.lease.holder() is None


def test_a_dry_run_counts_everything_and_keeps_only_its_record_and_the_shared_prices(
    services: Services, database: DocumentDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    start(services, database, dry_run=True)
    add_a_broken_user(database, "broken")
    before = contents(database)
    analyze_all(services, prepare(services))
    assert finish_run(services) == "completed_with_errors"
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert (run.users_to_analyze, run.users_analyzed, run.users_failed, run.progress.pages_done) == (4, 3, 1, 2)
    assert [(error.user_id, error.error_type) for error in run.errors] == [("broken", "invalid_account")]
    assert_kept_only_the_record_and_prices(database, before, {"AAPL", services.settings.benchmark_symbol})
    # Alerts must not mistake it for the nightly run.
    assert (
        f"Portfolio analysis completed with errors (run_id={RUN_ID}, users=all, dry_run=true, as_of=newest)"
        in caplog.messages
    )


@pytest.mark.parametrize("step", ["plan", "load_prices"])
def test_a_dry_run_that_is_closed_while_a_step_fetches_prices_keeps_only_its_record_and_the_shared_prices(
    services: Services, database: DocumentDatabase, step: str
) -> None:
    class ClosingProvider(SampleProvider):
        def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
            finish_run(services, Failure("run_stalled", "It got no further."))
            return super().daily_bars(symbols, start, end)

    start(services, database, dry_run=True)
    before = contents(database)
    closing = replace(services, provider=ClosingProvider())
    fetched = {services.settings.benchmark_symbol}
    if step == "plan":
        make_plan(closing)
    else:
        load_batch(closing, Batch(RUN_ID, make_plan(services).plan_id, 0))
        fetched.add("AAPL")
    assert_kept_only_the_record_and_prices(database, before, fetched)


OF_THE_BACKEND = ("users", "holdings", "accounts")


def contents(database: DocumentDatabase) -> dict[str, list[dict[str, Any]]]:
    """Return the documents of the backend and the app by collection."""
    kept = {name: list(database[name].find()) for name in sorted(database.list_collection_names())}
    return {name: documents for name, documents in kept.items() if documents}


def assert_kept_only_the_record_and_prices(
    database: DocumentDatabase, before: dict[str, list[dict[str, Any]]], symbols: set[str]
) -> None:
    after = contents(database)
    assert {document["run_id"] for document in after.pop("portfolio_analysis_runs")} == {RUN_ID}
    assert {document["symbol"] for document in after.pop("symbol_prices")} == symbols
    assert after == {name: before[name] for name in before if name in OF_THE_BACKEND}  # no report, no batch, no lease


class Counting(SampleProvider):
    """A provider that counts the requests for each symbol."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
        self.asked.update(symbols)
        return super().daily_bars(symbols, start, end)


@pytest.mark.parametrize("dry_run_first", [True, False])
def test_a_dry_run_and_another_run_together_fetch_the_prices_of_a_day_once(
    services: Services, database: DocumentDatabase, *, dry_run_first: bool
) -> None:
    provider = Counting()
    counted, symbols = replace(services, provider=provider), ["AAPL", services.settings.benchmark_symbol]
    start(counted, database, dry_run=True)
    if not dry_run_first:
        fetch_histories(counted, symbols, provider.last_day(), services.settings.lookback_days, ask_again=False)
    analyze_all(counted, prepare(counted))
    fetch_histories(counted, symbols, provider.last_day(), services.settings.lookback_days, ask_again=False)
    assert provider.asked == dict.fromkeys(symbols, 1)


def test_a_user_with_too_many_symbols_does_not_affect_the_prices_of_others(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    database.users.insert_one({"user_id": "hoarder"})
    database.watchlist.insert_many({"user_id": "hoarder", "symbol": f"X{number}"} for number in range(10_001))
    made = prepare(services)
    assert made.symbols == 1
    analyze_all(services, made)
    assert services.reports.outcome(RUN_ID) == Outcome(analyzed=3, failed=1)


def test_symbols_are_planned_in_batches_of_the_size_that_the_source_accepts(
    services: Services, database: DocumentDatabase
) -> None:
    class SmallBatches(SampleProvider):
        symbols_per_batch = 2

    start(services, database)
    database.watchlist.insert_many({"user_id": "u0", "symbol": symbol} for symbol in ("AMD", "KO", "MSFT", "PG"))
    made = make_plan(replace(services, provider=SmallBatches()))
    batches = [services.batches.members(made.plan_id, "symbols", number) for number in range(made.symbol_batches)]
    assert batches == [["AAPL", "AMD"], ["KO", "MSFT"], ["PG"]]


def test_a_page_that_ends_late_and_differently_corrects_the_counts_and_the_state_of_its_run(
    services: Services, database: DocumentDatabase
) -> None:
    start(services, database)
    made = prepare(services)
    analyze_all(services, made)
    assert finish_run(services) == "completed"
    # As if the documents of this user had been corrupted before a second delivery of the page.
    late = Report(RUN_ID, "u1", date(2020, 1, 2), "USD", "failed", reason="invalid_account", error="It cannot be read.")
    save(services.reports, [late])
    recount_if_over(services, RUN_ID)
    run = services.runs.get(RUN_ID)
    assert run is not None
    assert (run.status, run.users_analyzed, run.users_failed) == ("completed_with_errors", 2, 1)
    assert [error.user_id for error in run.errors] == ["u1"]
