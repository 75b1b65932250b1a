"""Price issues, from the source to the run's record and the reports of the affected users."""

from collections.abc import Iterator
from copy import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from analysis.price_issues import symbol_issue
from analysis.prices import Bars
from market_data.csv_files import CsvProvider
from records import PriceIssue, Run
from runs.services import Services
from stores.mongo import DocumentDatabase
from stores.symbols import History
from tests.builders import random_walk, weekdays, without
from tests.runs.steps import RUN_ID, all_services, analyze_all, finish_run, prepare, start

DAYS = weekdays(100, "2025-08-15")  # up to the day before the request
CALENDAR, AAPL = random_walk(DAYS, seed=0), random_walk(DAYS, seed=1)


def day(index: int) -> date:
    value: date = DAYS[index].item()
    return value


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str, tmp_path: Path) -> Iterator[Services]:
    folder = {"MARKET_DATA_PROVIDER": "csv", "PRICES_DIR": str(tmp_path)}
    with all_services(database, mongodb_url, CsvProvider(tmp_path), **folder) as made:
        yield made


def write(folder: Path, **symbols: Bars) -> None:
    for symbol, own in symbols.items():
        rows = zip(own.dates.tolist(), own.close.tolist(), own.adj_close.tolist(), strict=True)
        lines = ["date,close,adj_close", *(f"{when},{close!r},{adjusted!r}" for when, close, adjusted in rows)]
        (folder / f"{symbol}.csv").write_text("\n".join(lines))


def run(services: Services) -> Run:
    analyze_all(services, prepare(services))
    finish_run(services)
    ended = services.runs.get(RUN_ID)
    assert ended is not None
    return ended


# The holdings here have no instruments, and purchase prices that look like another unit.
_OF_THE_PERSON = ("assumed_currency", "suspected_minor_unit")


def test_price_issues_are_in_the_record_of_the_run_and_only_in_the_reports_of_affected_users(
    services: Services, database: DocumentDatabase, tmp_path: Path
) -> None:
    split = replace(AAPL, close=AAPL.close * np.where(np.arange(100) < 97, 3, 2))
    write(tmp_path, SPY=CALENDAR, AAPL=AAPL, HALTED=without(AAPL, slice(40, 55)), WATCHED=split)
    start(services, database)
    database.holdings.insert_one({"user_id": "u1", "symbol": "HALTED", "quantity": 1, "avg_price": 1})
    database.watchlist.insert_one({"user_id": "u2", "symbol": "WATCHED"})

    ended = run(services)

    halted = symbol_issue("HALTED", PriceIssue("long_gap", day(55), count=1, days=15))
    watched = symbol_issue("WATCHED", PriceIssue("split", day(97), ratio="3:2"))
    assert ended.status == "completed"
    found = [issue for issue in ended.price_issues if issue.kind not in ("thin_prices", "assumed_currency")]
    assert found == [halted, watched]
    assert ended.price_issues_count == len(ended.price_issues)
    reported = [(services.reports.get(RUN_ID, f"u{i}") or {})["data_quality"]["price_issues"] for i in range(3)]
    of_others = [[issue for issue in own if issue["kind"] not in _OF_THE_PERSON] for own in reported]
    assert of_others[0] == []
    assert halted.text in [issue["text"] for issue in reported[1]]
    assert [(issue["symbol"], issue["kind"], issue["ratio"]) for issue in of_others[2]] == [("WATCHED", "split", "3:2")]


def prepared(services: Services) -> tuple[list[str], list[tuple[str | None, str, date | None]]]:
    """Return the symbols with prices, and the price issues, of a run up to its pages."""
    made = prepare(services)
    prices = [own.prices for own in services.batches.researched(made.plan_id)]
    issues = services.batches.price_issues(made.plan_id, 99)[1]
    symbols = [symbol for part in prices for symbol in part.symbols]
    told = [issue for issue in issues if issue.kind not in _OF_THE_PERSON]
    return symbols, [(issue.symbol, issue.kind, issue.date) for issue in told]


def closes(own: Bars, index: int | slice, factor: float) -> Bars:
    """Return the bars with some closes multiplied."""
    factors = np.ones(len(own.dates))
    factors[index] = factor
    return replace(own, close=own.close * factors)


def test_row_13_a_bad_row_is_dropped_and_told_and_too_many_fail_the_symbol_alone(
    services: Services, database: DocumentDatabase, tmp_path: Path
) -> None:
    write(tmp_path, SPY=CALENDAR, AAPL=closes(AAPL, 30, 0), BAD=closes(AAPL, slice(30, 36), -1))
    start(services, database)
    database.holdings.insert_one({"user_id": "u1", "symbol": "BAD", "quantity": 1, "avg_price": 1})

    symbols, issues = prepared(services)

    assert symbols == ["AAPL"]
    assert issues == [("AAPL", "bad_bars", day(30)), ("BAD", "bad_prices", day(30))]
    finish_run(services)
    ended = services.runs.get(RUN_ID)
    assert ended is not None
    assert ended.symbols_failed == 1
    assert [error.error_type for error in ended.errors] == ["bad_prices"]
    assert "BAD: 6 days have impossible prices, the first 2025-" in ended.errors[0].error


def test_row_13_bad_days_of_the_benchmark_drop_out_and_are_told_once(
    services: Services, database: DocumentDatabase, tmp_path: Path
) -> None:
    write(tmp_path, SPY=closes(closes(CALENDAR, 30, 0), 99, 0), AAPL=AAPL, MSFT=AAPL)
    start(services, database)
    database.holdings.insert_one({"user_id": "u1", "symbol": "MSFT", "quantity": 1, "avg_price": 1})

    symbols, issues = prepared(services)

    run = services.runs.get(RUN_ID)
    assert run is not None
    assert run.as_of == day(98)
    assert symbols == ["AAPL", "MSFT"]
    assert issues == [("SPY", "bad_bars", day(30))]


def test_row_13_a_benchmark_with_too_many_bad_rows_fails_the_run_with_a_sentence(
    services: Services, database: DocumentDatabase, tmp_path: Path
) -> None:
    write(tmp_path, SPY=closes(CALENDAR, slice(30, 36), 0), AAPL=AAPL)
    start(services, database)

    failure = prepare(services).failure

    assert failure is not None
    assert failure.error_type == "benchmark_prices"
    assert failure.error.startswith("BENCHMARK_SYMBOL has no usable prices: SPY: 6 days have impossible prices")


def test_prices_that_were_old_when_the_run_was_asked_for_are_told(
    services: Services, database: DocumentDatabase, tmp_path: Path
) -> None:
    write(tmp_path, SPY=CALENDAR.at(slice(93)), AAPL=AAPL.at(slice(93)))
    start(services, database)
    assert prepared(services)[1] == [(None, "old_prices", day(92))]


def test_a_file_of_adjusted_closes_alone_is_told_in_the_run_and_in_the_reports_of_its_holders(
    services: Services, database: DocumentDatabase, tmp_path: Path
) -> None:
    write(tmp_path, SPY=CALENDAR)
    rows = zip(AAPL.dates.tolist(), AAPL.close.tolist(), strict=True)
    lines = ["Price,Close", "Ticker,AAPL", "Date,", *(f"{when},{close!r}" for when, close in rows)]
    (tmp_path / "AAPL.csv").write_text("\n".join(lines))
    start(services, database)

    ended = run(services)

    told = symbol_issue("AAPL", PriceIssue("close_is_adjusted"))
    assert ended.status == "completed"
    assert told in ended.price_issues
    reported = (services.reports.get(RUN_ID, "u0") or {})["data_quality"]["price_issues"]
    assert told.text in [issue["text"] for issue in reported]


def test_row_6_a_run_for_a_day_before_a_split_values_at_the_price_after_it(
    services: Services, database: DocumentDatabase, tmp_path: Path
) -> None:
    split = closes(AAPL, slice(0, 80), 4)
    write(tmp_path, SPY=CALENDAR, AAPL=split)
    start(services, database, as_of=day(70))

    made = prepare(services)

    (prices,) = (own.prices for own in services.batches.researched(made.plan_id))
    assert prices.later_splits == {"AAPL": 4}
    assert prices.close.tolist() == pytest.approx([AAPL.close[70]])
    assert prices.figures[0].price == pytest.approx(AAPL.close[70])


@pytest.mark.parametrize("symbols_ahead", [1, 2], ids=["half of the symbols", "most symbols"])
def test_a_benchmark_that_ends_before_most_symbols_is_behind_the_market(
    services: Services, database: DocumentDatabase, tmp_path: Path, symbols_ahead: int
) -> None:
    behind = slice(98)
    others = {f"S{i}": AAPL if i < symbols_ahead else AAPL.at(behind) for i in range(3)}
    write(tmp_path, SPY=CALENDAR.at(behind), AAPL=AAPL, **others)
    start(services, database)
    for symbol in others:
        database.holdings.insert_one({"user_id": "u1", "symbol": symbol, "quantity": 1, "avg_price": 1})

    ended = run(services)

    assert ended.as_of == day(97)
    found = [issue for issue in ended.price_issues if issue.symbol == "SPY"]
    expected = [symbol_issue("SPY", PriceIssue("behind_market", day(98), count=2))]  # a weekend lies between them
    assert found == (expected if symbols_ahead == 2 else [])


def test_a_run_for_an_earlier_day_finds_no_benchmark_behind(
    services: Services, database: DocumentDatabase, tmp_path: Path
) -> None:
    write(tmp_path, SPY=CALENDAR, AAPL=AAPL)
    start(services, database, as_of=day(50))

    ended = run(services)

    of_prices = [issue for issue in ended.price_issues if issue.kind not in _OF_THE_PERSON]
    assert (ended.as_of, of_prices) == (day(50), [])


@pytest.mark.parametrize(("as_of", "asked_until"), [(97, 97), (50, 99)], ids=["not asked since", "an earlier day"])
def test_a_benchmark_is_not_behind_because_of_days_that_were_not_requested_or_are_not_needed(
    services: Services, database: DocumentDatabase, tmp_path: Path, as_of: int, asked_until: int
) -> None:
    write(tmp_path, SPY=CALENDAR, AAPL=AAPL, NEW=AAPL)
    kept = History(services.provider.version("SPY"), date(2000, 1, 1), day(asked_until), CALENDAR.at(slice(98)))
    services.prices.save({"SPY": kept})
    start(services, database, as_of=day(as_of))
    database.holdings.insert_one({"user_id": "u1", "symbol": "NEW", "quantity": 1, "avg_price": 1})

    ended = run(services)

    of_prices = [issue for issue in ended.price_issues if issue.kind not in _OF_THE_PERSON]
    assert (ended.as_of, of_prices) == (day(as_of), [])
