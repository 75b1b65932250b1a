"""What every source of prices promises. A new one joins ``PROVIDERS`` and gets all of these tests."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.models import Bars
from market_data.csv_files import CsvProvider
from market_data.provider import MissingPrices, Provider
from market_data.providers import provider_from
from market_data.sample_prices import SampleProvider
from settings import Settings

EVER = (date(1900, 1, 1), date(2100, 1, 1))
SYMBOLS = ("AAPL", "SP500", "RRC")
MONGODB = {"MONGODB_URL": "mongodb://127.0.0.1"}


def write_csv(folder: Path, symbol: str, bars: Bars) -> None:
    """Write bars as somebody else's file would hold them."""
    rows = zip(bars.dates.tolist(), bars.close.tolist(), bars.adj_close.tolist(), strict=True)
    lines = ["date,close,adj_close", *(f"{day},{close!r},{adj_close!r}" for day, close, adj_close in rows)]
    (folder / f"{symbol}.csv").write_text("\n".join(lines))


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    for symbol, bars in SampleProvider().daily_bars(SYMBOLS, *EVER).bars.items():
        write_csv(folder, symbol, bars)
    return folder


PROVIDERS: dict[str, Callable[[Path], Provider]] = {
    "sample": lambda _: SampleProvider(),
    "csv": CsvProvider,
}


@pytest.fixture(scope="session", params=PROVIDERS)
def provider(request: pytest.FixtureRequest, exported: Path) -> Provider:
    make = PROVIDERS[request.param]
    return make(exported)


def test_each_symbol_asked_for_is_in_exactly_one_of_bars_and_errors(provider: Provider) -> None:
    fetched = provider.daily_bars(["AAPL", "NOSUCH", "SP500", "AAPL"], *EVER)
    assert set(fetched.bars) == {"AAPL", "SP500"}
    assert set(fetched.errors) == {"NOSUCH"}


def test_an_unknown_symbol_has_missing_prices(provider: Provider) -> None:
    error = provider.daily_bars(["NOSUCH"], *EVER).errors["NOSUCH"]
    assert isinstance(error, MissingPrices)
    assert (error.error_type, str(error)) == ("missing_prices", "NOSUCH: no prices")


def test_both_ends_of_the_range_are_included_and_nothing_beyond(provider: Provider) -> None:
    start, end = date(2020, 1, 2), date(2020, 1, 6)
    bars = provider.daily_bars(["AAPL"], start, end).bars["AAPL"]
    assert bars.dates.tolist() == [start, date(2020, 1, 3), end]


@given(start=st.dates(date(2009, 1, 1), date(2024, 1, 1)), days=st.integers(-10, 5000))
def test_whatever_the_range_no_price_is_outside_it(provider: Provider, start: date, days: int) -> None:
    end = start + timedelta(days=days)
    whole = provider.daily_bars(["SP500"], *EVER).bars["SP500"]
    inside = (whole.dates >= np.datetime64(start)) & (whole.dates <= np.datetime64(end))
    fetched = provider.daily_bars(["SP500"], start, end)
    if not inside.any():
        assert isinstance(fetched.errors["SP500"], MissingPrices)
        return
    bars = fetched.bars["SP500"]
    assert np.array_equal(bars.dates, whole.dates[inside])
    assert np.array_equal(bars.close, whole.close[inside])


def test_a_range_without_any_price_is_missing_prices(provider: Provider) -> None:
    weekend = provider.daily_bars(["AAPL"], date(2020, 1, 4), date(2020, 1, 5))
    assert not weekend.bars
    assert isinstance(weekend.errors["AAPL"], MissingPrices)


def test_dates_ascend_without_repeats_and_prices_are_finite_and_positive(provider: Provider) -> None:
    for bars in provider.daily_bars(SYMBOLS, *EVER).bars.values():
        assert bars.dates.dtype == np.dtype("datetime64[D]")
        assert (np.diff(bars.dates) > np.timedelta64(0, "D")).all()
        for prices in (bars.close, bars.adj_close):
            assert prices.dtype == np.float64
            assert prices.shape == bars.dates.shape
            assert np.isfinite(prices).all()
            assert (prices > 0).all()


def test_nothing_asked_for_gives_nothing(provider: Provider) -> None:
    fetched = provider.daily_bars([], *EVER)
    assert (fetched.bars, fetched.errors) == ({}, {})


def test_the_version_stays_while_the_data_does(provider: Provider) -> None:
    before = [provider.version(symbol) for symbol in (*SYMBOLS, "NOSUCH")]
    provider.daily_bars(SYMBOLS, *EVER)
    assert [provider.version(symbol) for symbol in (*SYMBOLS, "NOSUCH")] == before


def test_the_same_figures_come_from_files_as_from_the_sample(exported: Path) -> None:
    sample = SampleProvider().daily_bars(SYMBOLS, *EVER).bars
    files = CsvProvider(exported).daily_bars(SYMBOLS, *EVER).bars
    for symbol in SYMBOLS:
        assert np.array_equal(files[symbol].dates, sample[symbol].dates)
        assert np.array_equal(files[symbol].close, sample[symbol].close)
        assert np.array_equal(files[symbol].adj_close, sample[symbol].adj_close)


def test_the_settings_choose_the_provider(tmp_path: Path) -> None:
    sample = Settings.from_environment(MONGODB | {"MARKET_DATA_PROVIDER": "sample"})
    assert isinstance(provider_from(sample), SampleProvider)
    files = Settings.from_environment(MONGODB | {"MARKET_DATA_PROVIDER": "csv", "PRICES_DIR": str(tmp_path)})
    assert isinstance(provider_from(files), CsvProvider)
