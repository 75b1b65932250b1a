"""The sample prices match the description in their README."""

from datetime import date

import numpy as np

from devhost.sample_data import SAMPLE_USERS
from market_data.provider import MissingPrices
from market_data.sample_prices import SampleProvider
from settings import DEFAULT_BENCHMARKS

COMPANIES = [
    "AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO",
    "LLY", "MRK", "MSFT", "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM",
]  # fmt: skip
INDEX = DEFAULT_BENCHMARKS["sample"]
EVER = (date(1900, 1, 1), date(2100, 1, 1))


def test_twenty_companies_and_the_benchmark_share_one_calendar_from_2010_to_2022() -> None:
    fetched = SampleProvider().daily_bars([*COMPANIES, INDEX], *EVER)
    assert fetched.errors == {}
    index = fetched.bars[INDEX].dates
    assert (index[0].item(), index[-1].item(), len(index)) == (date(2010, 1, 4), date(2022, 12, 28), 3270)
    for company in COMPANIES:
        dates = fetched.bars[company].dates
        assert np.array_equal(dates, index[: len(dates)])


def test_one_feed_has_stopped_two_months_before_the_end() -> None:
    bars = SampleProvider().daily_bars(COMPANIES, *EVER).bars
    last_dates = {company: bars[company].dates[-1].item() for company in COMPANIES}
    assert last_dates.pop("RRC") == date(2022, 10, 31)
    assert set(last_dates.values()) == {date(2022, 12, 28)}


def test_after_its_end_the_stopped_feed_has_no_prices() -> None:
    errors = SampleProvider().daily_bars(["RRC"], date(2022, 11, 1), date(2022, 12, 28)).errors
    assert isinstance(errors["RRC"], MissingPrices)


def test_only_adjusted_closes_are_known_so_they_are_used_for_both() -> None:
    for bars in SampleProvider().daily_bars(COMPANIES, *EVER).bars.values():
        assert np.array_equal(bars.close, bars.adj_close)
        assert (bars.high, bars.low) == (None, None)


def test_the_sample_users_hold_and_watch_symbols_of_the_sample_except_for_one() -> None:
    symbols = {holding.symbol for user in SAMPLE_USERS for holding in user.holdings}
    symbols |= {symbol for user in SAMPLE_USERS for symbol in user.watchlist}
    assert symbols - set(COMPANIES) == {"NOSUCH"}
