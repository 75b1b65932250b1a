"""Price issues, from the source to the run's record and the reports of the affected users."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from analysis.prices import Bars, symbol_issue
from market_data.csv_files import CsvProvider
from records import PriceIssue, Run
from runs.services import Services
from stores.mongo import DocumentDatabase
from stores.symbols import History
from tests.builders import random_walk, weekdays, without
from tests.runs.steps import RUN_ID, all_services, analyze_all, finish_run, prepare, start

DAYS = weekdays(100)
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


def test_price_issues_are_in_the_record_of_the_run_and_only_in_the_reports_of_affected_users(
    services: Services, database: DocumentDatabase, tmp_path: Path
) -> None:
    write(tmp_path, SPY=CALENDAR, AAPL=AAPL, HOLED=without(AAPL, slice(20, 22)), WATCHED=AAPL.at(slice(98)))
    start(services, database)
    database.holdings.insert_one({"user_id": "u1", "symbol": "HOLED", "quantity": 1, "avg_price": 1})
    database.watchlist.insert_one({"user_id": "u2", "symbol": "WATCHED"})

    ended = run(services)

    holed = symbol_issue("HOLED", PriceIssue("missing_days", 2, day(20)))
    watched = symbol_issue("WATCHED", PriceIssue("behind_market", 2, day(98)))
    assert ended.status == "completed"
    assert (ended.price_issues, ended.price_issues_count) == ((holed, watched), 2)
    reported = [(services.reports.get(RUN_ID, f"u{i}") or {})["data_quality"]["price_issues"] for i in range(3)]
    assert reported[0] == []
    assert [issue["text"] for issue in reported[1]] == [holed.text]
    assert [(issue["symbol"], issue["kind"]) for issue in reported[2]] == [("WATCHED", "behind_market")]


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
    expected = [symbol_issue("SPY", PriceIssue("behind_market", 2, day(98)))]  # a weekend lies between them
    assert found == (expected if symbols_ahead == 2 else [])


def test_a_run_for_an_earlier_day_finds_no_benchmark_behind(
    services: Services, database: DocumentDatabase, tmp_path: Path
) -> None:
    write(tmp_path, SPY=CALENDAR, AAPL=AAPL)
    start(services, database, as_of=day(50))

    ended = run(services)

    assert (ended.as_of, ended.price_issues) == (day(50), ())


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

    assert (ended.as_of, ended.price_issues) == (day(as_of), ())
