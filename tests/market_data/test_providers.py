"""The contract of every source of prices. A new one is added to ``PROVIDERS`` and gets all of these tests."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.prices import Bars
from market_data.csv_files import CsvProvider
from market_data.patience import PATIENCE_SECONDS
from market_data.provider import FetchedBars, MissingPrices, Provider
from market_data.providers import provider_from
from market_data.sample_prices import SampleProvider
from settings import Settings
from stores.rate_limit import Rate, RateLimit
from tests.market_data.made_up import EVER, SYMBOLS, made_up_market, write_csv
from tests.market_data.remote import REMOTE, a_remote_provider

IN_AZURE = {"MONGODB_URL": "mongodb://127.0.0.1", "ANALYSIS_SCHEDULE": "0 0 1 * * *"}
ALPACA = {"MARKET_DATA_PROVIDER": "alpaca", "ALPACA_KEY_ID": "x", "ALPACA_SECRET_KEY": "y"}
ALPHA_VANTAGE = {"MARKET_DATA_PROVIDER": "alphavantage", "ALPHAVANTAGE_API_KEY": "x"}


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    for symbol, bars in made_up_market().items():
        write_csv(folder, symbol, bars)
    return folder


def remote(api: str) -> Callable[[Path], Iterator[Provider]]:
    def made(_: Path) -> Iterator[Provider]:
        with a_remote_provider(api) as (provider, _server):
            yield provider

    return made


PROVIDERS: dict[str, Callable[[Path], Iterator[Provider]]] = {
    "sample": lambda _: iter([SampleProvider()]),
    "csv": lambda folder: iter([CsvProvider(folder)]),
    **{api: remote(api) for api in REMOTE},
}


@pytest.fixture(scope="session", params=PROVIDERS)
def provider(request: pytest.FixtureRequest, exported: Path) -> Iterator[Provider]:
    yield from PROVIDERS[request.param](exported)


@pytest.fixture(scope="session")
def index(provider: Provider) -> Bars:
    return provider.daily_bars(["SP500"], *EVER).bars["SP500"]


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


@settings(max_examples=25, deadline=None)
@given(start=st.dates(date(2009, 1, 1), date(2024, 1, 1)), days=st.integers(-10, 5000))
def test_no_price_is_outside_of_the_range(provider: Provider, index: Bars, start: date, days: int) -> None:
    end = start + timedelta(days=days)
    inside = (index.dates >= np.datetime64(start)) & (index.dates <= np.datetime64(end))
    fetched = provider.daily_bars(["SP500"], start, end)
    if not inside.any():
        assert isinstance(fetched.errors["SP500"], MissingPrices)
        return
    bars = fetched.bars["SP500"]
    assert np.array_equal(bars.dates, index.dates[inside])
    assert np.array_equal(bars.close, index.close[inside])


def test_a_range_without_any_price_is_missing_prices(provider: Provider) -> None:
    weekend = provider.daily_bars(["AAPL"], date(2020, 1, 4), date(2020, 1, 5))
    assert not weekend.bars
    assert isinstance(weekend.errors["AAPL"], MissingPrices)


def test_dates_ascend_without_repeats_and_prices_are_finite_and_positive(provider: Provider) -> None:
    for bars in provider.daily_bars(["AAPL", "SP500", "RRC"], *EVER).bars.values():
        assert bars.dates.dtype == np.dtype("datetime64[D]")
        assert (np.diff(bars.dates) > np.timedelta64(0, "D")).all()
        for prices in (bars.close, bars.adj_close):
            assert prices.dtype == np.float64
            assert prices.shape == bars.dates.shape
            assert np.isfinite(prices).all()
            assert (prices > 0).all()


def test_without_symbols_nothing_is_returned(provider: Provider) -> None:
    fetched = provider.daily_bars([], *EVER)
    assert (fetched.bars, fetched.errors) == ({}, {})


def test_the_version_does_not_change_while_the_data_is_the_same(provider: Provider) -> None:
    before = [provider.version(symbol) for symbol in (*SYMBOLS, "NOSUCH")]
    provider.daily_bars(SYMBOLS, *EVER)
    assert [provider.version(symbol) for symbol in (*SYMBOLS, "NOSUCH")] == before


@pytest.mark.parametrize("api", REMOTE)
def test_the_figures_of_a_server_are_those_of_the_files(api: str, exported: Path) -> None:
    expected = CsvProvider(exported).daily_bars([*SYMBOLS, "NOSUCH"], *EVER)
    with a_remote_provider(api) as (provider, _):
        assert_same(provider.daily_bars([*SYMBOLS, "NOSUCH"], *EVER), expected)


def test_the_figures_of_files_are_those_of_the_sample(tmp_path: Path) -> None:
    sample = SampleProvider().daily_bars(["AAPL", "SP500", "RRC"], *EVER)
    for symbol, bars in sample.bars.items():
        write_csv(tmp_path, symbol, bars)
    assert_same(CsvProvider(tmp_path).daily_bars(["AAPL", "SP500", "RRC"], *EVER), sample)


def assert_same(fetched: FetchedBars, expected: FetchedBars) -> None:
    assert set(fetched.bars) == set(expected.bars)
    assert {symbol: str(error) for symbol, error in fetched.errors.items()} == {
        symbol: str(error) for symbol, error in expected.errors.items()
    }
    for symbol, bars in expected.bars.items():
        for name in ("dates", "close", "adj_close", "high", "low"):
            ours, theirs = getattr(fetched.bars[symbol], name), getattr(bars, name)
            assert (ours is None) == (theirs is None), (symbol, name)
            assert ours is None or np.array_equal(ours, theirs), (symbol, name)


def test_no_price_is_later_than_the_last_final_day(provider: Provider, index: Bars) -> None:
    assert index.dates[-1].item() <= provider.last_day()


def test_traded_symbols_have_no_listing_changes(provider: Provider) -> None:
    assert provider.listings(["AAPL", "SP500"], date(2010, 1, 1)) == {}


def test_a_batch_has_at_least_one_symbol(provider: Provider) -> None:
    assert provider.symbols_per_batch >= 1


@pytest.mark.parametrize(
    ("environment", "symbols", "at_once"),
    [
        ({"MARKET_DATA_PROVIDER": "sample"}, 100, 0),
        ({"MARKET_DATA_PROVIDER": "csv", "PRICES_DIR": "."}, 100, 0),
        (ALPHA_VANTAGE | {"MARKET_DATA_REQUESTS_PER_MINUTE": "1"}, 1, 2),
        (ALPHA_VANTAGE, 5, 3),
        (ALPHA_VANTAGE | {"MARKET_DATA_REQUESTS_PER_MINUTE": "75"}, 75, 3),
        (ALPHA_VANTAGE | {"MARKET_DATA_REQUESTS_PER_MINUTE": "1200"}, 100, 47),
    ],
)
def test_as_many_batches_are_loaded_at_once_as_take_half_of_the_time_of_a_step_and_any_number_from_files(
    environment: dict[str, str], symbols: int, at_once: int
) -> None:
    provider = provider_from(Settings.from_environment(IN_AZURE | environment), str, lambda *_: NoLimit())
    assert (provider.symbols_per_batch, provider.batches_at_once) == (symbols, at_once)


@pytest.mark.parametrize("environment", [ALPACA, ALPHA_VANTAGE])
def test_one_batch_is_loaded_at_a_time_if_workers_do_not_share_a_limit(environment: dict[str, str]) -> None:
    chosen = Settings.from_environment(IN_AZURE | environment)
    alone = RateLimit(None, chosen.market_data_provider, Rate(75))
    assert provider_from(chosen, str, lambda *_: alone).batches_at_once == 1


def test_the_whole_histories_of_all_batches_of_alpaca_that_are_loaded_at_once_take_half_of_the_time_of_a_step() -> None:
    provider = provider_from(Settings.from_environment(IN_AZURE | ALPACA), str, lambda *_: NoLimit())
    days = np.busday_count(date(2016, 1, 1), provider.last_day())
    requests = 2 * provider.batches_at_once * provider.symbols_per_batch * days / 10_000
    assert 0.6 * PATIENCE_SECONDS / 2 <= 60 * requests / 200 <= PATIENCE_SECONDS / 2


def test_the_settings_choose_the_provider(tmp_path: Path) -> None:
    for environment, kind in (
        ({"MARKET_DATA_PROVIDER": "sample"}, "SampleProvider"),
        ({"MARKET_DATA_PROVIDER": "csv", "PRICES_DIR": str(tmp_path)}, "CsvProvider"),
        (ALPACA, "AlpacaProvider"),
        (ALPHA_VANTAGE, "AlphaVantageProvider"),
    ):
        chosen = Settings.from_environment(IN_AZURE | environment)
        assert type(provider_from(chosen, str, lambda *_: NoLimit())).__name__ == kind


class NoLimit:
    shared = True

    def wait(self, patience_seconds: float) -> bool:
        return patience_seconds > 0

    def pause(self, seconds: float) -> None:
        pass
