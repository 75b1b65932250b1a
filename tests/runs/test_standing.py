"""How persons stand in a night, compared with the night before."""

from collections.abc import Iterator, Mapping
from datetime import date

import msgspec
import pytest
import zstandard
from msgspec import structs

from market_data.sample_prices import SampleProvider
from records import Failure
from runs.services import Services
from runs.standing import standing_of
from stores.lines import Line, Standing, line_of, unpacked
from stores.mongo import DocumentDatabase
from tests.builders import a_portfolio, a_table, analyze, bars, weekdays
from tests.runs.nightly import run_once
from tests.runs.steps import all_services

DATES = weekdays(300)
TABLE = a_table({"AAPL": bars(DATES, 200.0)}, bars(DATES, 100.0))
REPORT = analyze(TABLE, a_portfolio().holding("AAPL", 10).cash(500.0))[0]
CONCENTRATED = {"AAPL": 100.0}
SPREAD = dict.fromkeys(("AAPL", "MSFT", "KO", "JNJ", "XOM", "PG", "WMT", "JPM", "HD", "MRK", "PFE", "GE"), 10.0)


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str) -> Iterator[Services]:
    with all_services(database, mongodb_url, SampleProvider()) as made:
        made.runs.ensure_indexes()
        yield made


def hold(database: DocumentDatabase, user_id: str, holdings: Mapping[str, object]) -> None:
    """Let a user hold this and nothing else."""
    database.users.replace_one({"user_id": user_id}, {"user_id": user_id}, upsert=True)
    database.holdings.delete_many({"user_id": user_id})
    for symbol, quantity in holdings.items():
        database.holdings.insert_one({"user_id": user_id, "symbol": symbol, "quantity": quantity, "avg_price": 50.0})


def line(services: Services, run_id: str, user_id: str) -> Line:
    return next(services.rankings.of_users(run_id, [user_id]))


def test_the_first_night_has_no_changes(services: Services, database: DocumentDatabase) -> None:
    hold(database, "u", CONCENTRATED)
    standing = line(services, run_once(services), "u").standing
    assert "largest_position" in standing.since
    assert (standing.breached, standing.recovered) == ((), ())


def test_a_check_that_enters_or_leaves_breach_has_changed_since_the_night_before(
    services: Services, database: DocumentDatabase
) -> None:
    hold(database, "u", SPREAD)
    run_once(services)
    hold(database, "u", CONCENTRATED)
    worse = line(services, run_once(services), "u").standing
    same = line(services, run_once(services), "u").standing
    hold(database, "u", SPREAD)
    better = line(services, run_once(services), "u").standing
    assert "largest_position" in worse.breached
    assert (same.breached, same.recovered, same.since) == ((), (), worse.since)
    assert ("largest_position" in better.recovered, "largest_position" in better.since) == (True, False)


def test_a_check_is_compared_with_its_last_state_that_was_known(services: Services, database: DocumentDatabase) -> None:
    hold(database, "u", CONCENTRATED)
    run_once(services)
    hold(database, "u", {"AAPL": "many"})  # cannot be read: every check is unknown
    unknown = line(services, run_once(services), "u")
    hold(database, "u", CONCENTRATED)
    again = line(services, run_once(services), "u").standing
    assert "largest_position:breach" in unknown.standing.known
    assert "largest_position" not in (*again.breached, *again.recovered)


@pytest.mark.parametrize("between", ["dry", "as of a date", "of some", "failed"])
def test_other_runs_are_no_night_before(services: Services, database: DocumentDatabase, between: str) -> None:
    hold(database, "u", SPREAD)
    run_once(services)
    hold(database, "u", CONCENTRATED)
    match between:
        case "dry":
            run_once(services, dry_run=True)
        case "as of a date":
            run_once(services, as_of=date(2025, 1, 2))
        case "of some":
            other = run_once(services, user_ids=["u"])
            assert line(services, other, "u").standing.breached == ()
        case _:
            run_once(services, failure=Failure("step_failed", "A step failed."))
    assert "largest_position" in line(services, run_once(services), "u").standing.breached


def test_a_retry_is_compared_with_the_night_before_the_one_it_repeats(
    services: Services, database: DocumentDatabase
) -> None:
    hold(database, "u", SPREAD)
    hold(database, "v", SPREAD)
    run_once(services)
    hold(database, "u", CONCENTRATED)
    database.accounts.insert_one({"user_id": "u", "cash": "plenty"})
    night = run_once(services)
    assert line(services, night, "u").standing.since.keys() == {"failed"}
    database.accounts.delete_many({})
    retry = run_once(services, retry_of=night)
    assert "largest_position" in line(services, retry, "u").standing.breached
    again = line(services, run_once(services), "u").standing
    assert (again.breached, "largest_position" in again.since) == ((), True)


def test_what_a_retry_has_mended_is_what_the_next_night_is_compared_with_though_a_later_retry_failed(
    services: Services, database: DocumentDatabase
) -> None:
    hold(database, "u", SPREAD)
    broken = {"user_id": "u", "cash": "plenty"}
    database.accounts.insert_one(dict(broken))
    night = run_once(services)
    database.accounts.delete_many({})
    run_once(services, retry_of=night)
    database.accounts.insert_one(dict(broken))
    run_once(services, retry_of=night)
    database.accounts.delete_many({})
    hold(database, "u", CONCENTRATED)
    assert "largest_position" in line(services, run_once(services), "u").standing.breached


def test_the_documents_of_reports_have_the_same_standings_as_the_lists(
    services: Services, database: DocumentDatabase
) -> None:
    hold(database, "u", SPREAD)
    run_once(services)
    hold(database, "u", CONCENTRATED)
    night = run_once(services)
    listed = line(services, night, "u")
    services.rankings.write(night, services.reports.lines(night))
    assert line(services, night, "u") == listed


def test_the_value_of_the_book_is_in_its_currency_and_unknown_without_a_rate() -> None:
    whole = standing_of(REPORT, None, 1.0)
    assert whole.book_value == whole.total_value == pytest.approx(10 * 200.0 + 500.0)
    assert standing_of(REPORT, None, 0.5).book_value == pytest.approx((whole.book_value or 0.0) / 2)
    assert standing_of(REPORT, None, float("nan")).book_value is None


def test_a_line_of_an_earlier_version_has_an_empty_standing() -> None:
    earlier = msgspec.msgpack.encode([[list(structs.astuple(line_of(REPORT).summary)), []]])
    assert [own.standing for own in unpacked(zstandard.ZstdCompressor().compress(earlier))] == [Standing()]
