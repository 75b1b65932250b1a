"""Exchange rates across nights: requested, stored and continued like prices, and read as rates."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from analysis.models import Dates, Floats
from analysis.prices import Bars
from market_data.csv_files import CsvProvider
from market_data.provider import Provider
from market_data.rate_files.folder import RateFolder
from market_data.sample_prices import SampleProvider
from runs.prices import TURNS, bring_up_to_date, fetch_histories
from runs.rates import rates_of
from stores.mongo import DocumentDatabase
from stores.symbols import History, PriceStore
from tests.builders import weekdays
from tests.clock import Clock
from tests.market_data.provider_server import ProviderServer
from tests.market_data.rate_exports import ECB
from tests.market_data.remote import a_remote_provider
from tests.runs.steps import all_services

START = date(2022, 1, 3)
DAYS = weekdays(300, start="2022-01-03")


def history(dates: Dates, rates: Floats, source: str = "test") -> History:
    return History(source, START, DAYS[-1].item(), Bars(dates, rates, rates))


def three(*rates: float) -> Floats:
    return np.array(rates, dtype=np.float64)


class Evening:
    """The time of a provider: one in the morning, UTC, after a day of ``DAYS``."""

    def __init__(self) -> None:
        self.day = 0

    def __call__(self) -> datetime:
        after: date = DAYS[self.day].item() + timedelta(days=1)
        return datetime(after.year, after.month, after.day, 1, tzinfo=UTC)

    @property
    def wanted(self) -> date:
        day: date = DAYS[self.day].item()
        return day


@pytest.fixture
def evening() -> Evening:
    return Evening()


@pytest.fixture
def alphavantage(evening: Evening) -> Iterator[tuple[Provider, ProviderServer]]:
    with a_remote_provider("alphavantage", Clock(), now=evening) as (provider, server):
        rates = np.round(1.1 + 0.05 * np.sin(np.arange(300) / 20), 5)
        server.market["$USD"] = Bars(DAYS, rates, rates)
        yield provider, server


def test_a_night_adds_its_day_with_one_small_request_and_no_question_about_delistings(
    alphavantage: tuple[Provider, ProviderServer], evening: Evening
) -> None:
    provider, server = alphavantage
    kept: dict[str, History] = {}
    expected = server.market["$USD"]
    for evening.day in range(280, 284):
        kept = bring_up_to_date(provider, kept, ["$USD", "$GBP"], START, evening.wanted).histories
        assert kept["$USD"].bars.dates.tolist() == DAYS[: evening.day + 1].tolist()
        assert np.array_equal(kept["$USD"].bars.close, expected.close[: evening.day + 1])
        assert len(kept["$GBP"].bars.dates) == 0
    functions = server.params("function")
    assert set(functions) == {"FX_DAILY"}
    currencies = server.params("to_symbol")
    assert currencies.count("USD") == 4
    assert currencies.count("GBP") == 1  # asked in vain, and not again for a week
    sizes = [own.params["outputsize"] for own in server.asked if own.params["to_symbol"] == "USD"]
    assert sizes.count("full") <= 2  # the first night, and the turn of this symbol if it comes


def test_a_corrected_rate_of_the_last_days_makes_the_whole_history_be_requested(
    alphavantage: tuple[Provider, ProviderServer], evening: Evening
) -> None:
    provider, server = alphavantage
    evening.day = 200
    kept = bring_up_to_date(provider, {}, ["$USD"], START, evening.wanted).histories
    close = server.market["$USD"].close.copy()
    close[[50, 199]] = 1.2
    server.market["$USD"] = Bars(DAYS, close, close)
    evening.day = 201
    update = bring_up_to_date(provider, kept, ["$USD"], START, evening.wanted)
    assert update.histories["$USD"].bars.close[[50, 199]].tolist() == [1.2, 1.2]


def test_the_day_that_is_not_over_in_utc_comes_the_next_night(
    alphavantage: tuple[Provider, ProviderServer], evening: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, _ = alphavantage
    evening.day = 200
    early = datetime.combine(evening.wanted, datetime.min.time(), UTC) + timedelta(hours=23, minutes=30)
    monkeypatch.setattr(provider, "_now", lambda: early)
    kept = bring_up_to_date(provider, {}, ["$USD"], START, evening.wanted).histories
    assert (kept["$USD"].end, kept["$USD"].bars.dates[-1]) == (evening.wanted, DAYS[199])
    monkeypatch.setattr(provider, "_now", evening)
    evening.day = 201
    kept = bring_up_to_date(provider, kept, ["$USD"], START, evening.wanted).histories
    assert kept["$USD"].bars.dates.tolist() == DAYS[:202].tolist()


@pytest.mark.parametrize("alone", [True, False], ids=["csv", "RATES_DIR beside a server"])
def test_a_file_that_the_ecb_continued_is_read_again_and_a_damaged_one_replaces_nothing(
    alone: bool, tmp_path: Path, alphavantage: tuple[Provider, ProviderServer], evening: Evening
) -> None:
    evening.day = 200
    provider: Provider = CsvProvider(tmp_path)
    if not alone:
        provider = alphavantage[0]
        vars(provider)["_rates"] = RateFolder(tmp_path)
    file = tmp_path / "eurofxref-hist.csv"
    file.write_text(ECB.replace("2022-12-28", "2022-08-28").replace("2022-12-2", "2022-08-2"))
    start, wanted = date(2022, 1, 1), date(2022, 8, 30)
    kept = bring_up_to_date(provider, {}, ["$USD"], start, wanted).histories
    assert kept["$USD"].bars.close.tolist() == [1.1162, 1.0622, 1.0624, 1.064]
    text = file.read_text()
    header, rows = text.split("\n", 1)
    file.write_text(f"{header}\n2022-08-31,1.07,142,1.9558,N/A,0.88,7.5,0.98,N/A,3.7,18.2,\n{rows}")
    update = bring_up_to_date(provider, kept, ["$USD"], start, date(2022, 9, 1))
    assert update.histories["$USD"].bars.close.tolist() == [1.1162, 1.0622, 1.0624, 1.064, 1.07]
    kept = update.histories
    file.write_text(file.read_text()[:-20])
    update = bring_up_to_date(provider, kept, ["$USD"], start, date(2022, 9, 2))
    assert {symbol: error.error_type for symbol, error in update.errors.items()} == {"$USD": "bad_prices"}
    assert update.new(kept) == {}
    file.unlink()
    update = bring_up_to_date(provider, kept, ["$USD"], start, date(2022, 9, 2))
    assert len(update.histories["$USD"].bars.dates) == 0  # as the prices of a file that was removed


def test_rates_are_stored_with_the_prices_and_read_back(database: DocumentDatabase, mongodb_url: str) -> None:
    with all_services(database, mongodb_url, SampleProvider()) as services:
        update = fetch_histories(services, ["KO", "$USD", "$JPY", "$BRL"], date(2022, 12, 28), 1260, ask_again=False)
        assert set(update.errors) == {"$BRL"}
        stored = PriceStore(database).load(["KO", "$USD", "$JPY", "$BRL"])
    rates = rates_of(stored)
    assert set(rates.per_euro) == {"USD", "JPY"}
    day = np.array(["2022-12-26"], "datetime64[D]")  # a holiday of the ECB: the rate of the 23rd
    assert rates.between("EUR", "USD", day).tolist() == [1.0622]
    assert rates.between("USD", "JPY", day).tolist() == [140.86 / 1.0622]
    assert np.isnan(rates.between("BRL", "USD", day)).all()


def test_prices_and_currencies_without_a_rate_are_no_rates() -> None:
    dates, empty = DAYS[:3], np.empty(0)
    found = rates_of({
        "KO": history(dates, three(60, 61, 62)),
        "EURUSD": history(dates, three(1.1, 1.1, 1.1)),
        "$USD": history(dates, three(1.1, 1.11, 1.12)),
        "$GBP": history(DAYS[:0], empty),
    })  # fmt: skip
    assert set(found.per_euro) == {"USD"}
    assert found.per_euro["USD"][0].tolist() == dates.tolist()
    assert found.per_euro["USD"][1].tolist() == [1.1, 1.11, 1.12]
    assert rates_of({}).per_euro == {}


@pytest.mark.parametrize("bad", [0.0, -1.1, np.nan, np.inf, 1e13, 11.0])
def test_a_bad_rate_never_counts_and_its_day_takes_the_one_before(bad: float) -> None:
    found = rates_of({"$USD": history(DAYS[:4], np.array([1.1, 1.11, bad, 1.12]))})
    assert found.per_euro["USD"][1].tolist() == [1.1, 1.11, 1.12]
    assert found.between("EUR", "USD", DAYS[2:3]).tolist() == [1.11]


@pytest.mark.parametrize("rates", [np.zeros(10), -np.ones(10), np.full(10, np.inf)])
def test_a_currency_with_bad_rates_alone_has_none(rates: Floats) -> None:
    assert rates_of({"$USD": history(DAYS[:10], rates)}).per_euro == {}


def test_a_rate_that_really_fell_counts() -> None:
    # The lira in December 2021, and a peg that ended.
    rates = np.array([15.5, 18.5, 20.1, 12.4, 12.9, 13.2])
    found = rates_of({"$TRY": history(DAYS[:6], rates)})
    assert found.per_euro["TRY"][1].tolist() == rates.tolist()


def test_every_20th_weekday_the_whole_history_of_a_currency_is_requested(
    alphavantage: tuple[Provider, ProviderServer], evening: Evening
) -> None:
    provider, server = alphavantage
    evening.day = 275
    kept = bring_up_to_date(provider, {}, ["$USD"], START, evening.wanted).histories
    server.asked.clear()
    for evening.day in range(276, 276 + TURNS):
        kept = bring_up_to_date(provider, kept, ["$USD"], START, evening.wanted).histories
    assert sorted(server.params("outputsize")) == ["compact"] * (TURNS - 1) + ["full"]
    assert kept["$USD"].end == evening.wanted
