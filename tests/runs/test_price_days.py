"""The days that a run can be as of: of files what is in them, of a server what is stored."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from market_data.provider import ProviderUnavailable
from market_data.sample_prices import SampleProvider
from records import PriceDays
from runs.price_days import price_days
from runs.services import Services
from settings import Settings
from stores.mongo import DocumentDatabase
from stores.symbols import History
from tests.builders import random_walk, weekdays
from tests.runs.steps import all_services

FRIDAY, FIRST, MONDAY = date(2026, 1, 2), date(2016, 1, 4), date(2007, 1, 1)
AT_ALPACA = {
    "MONGODB_URL": "mongodb://not-used", "ANALYSIS_SCHEDULE": "0 0 1 * * *", "BENCHMARK_SYMBOL": "SPY",
    "MARKET_DATA_PROVIDER": "alpaca", "ALPACA_KEY_ID": "x", "ALPACA_SECRET_KEY": "y",
}  # fmt: skip


class NeverAsked(SampleProvider):
    """A source with a server, of which only the clock is read."""

    def daily_bars(self, *_: object) -> None:  # type: ignore[override] # it never returns
        raise AssertionError("the server was asked")

    def last_day(self) -> date:
        return FRIDAY


class Unavailable(SampleProvider):
    def daily_bars(self, *_: object) -> None:  # type: ignore[override] # it never returns
        raise ProviderUnavailable("the folder cannot be read")


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str) -> Iterator[Services]:
    with all_services(database, mongodb_url, SampleProvider()) as made:
        yield made


@pytest.fixture
def remote(services: Services) -> Services:
    return replace(services, settings=Settings.from_environment(AT_ALPACA), provider=NeverAsked())


def test_of_files_they_are_those_of_the_first_and_the_last_price(services: Services) -> None:
    assert price_days(services) == PriceDays(date(2010, 1, 4), date(2022, 12, 28))


def test_of_files_that_cannot_be_read_none_are_known(services: Services) -> None:
    assert price_days(replace(services, provider=Unavailable())) == PriceDays(None, None)


def test_of_a_server_nothing_is_known_but_the_last_day_until_prices_are_stored(remote: Services) -> None:
    assert price_days(remote) == PriceDays(None, FRIDAY)


@pytest.mark.parametrize(
    ("asked_from", "begin"),
    [
        (MONDAY, FIRST),  # years of days were asked for that have no prices
        (FIRST - timedelta(days=1), None),  # a weekend: there may be older ones
    ],
)
def test_stored_prices_tell_when_those_of_a_server_begin(
    remote: Services, asked_from: date, begin: date | None
) -> None:
    bars = random_walk(weekdays(50, start=FIRST.isoformat()), seed=1)
    remote.prices.save({"SPY": History("alpaca iex", asked_from, date(2016, 3, 31), bars)})
    assert price_days(remote) == PriceDays(begin, FRIDAY)
