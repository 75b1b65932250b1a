"""Exchange rates by the contract of prices, from each provider, and from a folder that serves all of them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from analysis.prices import Bars
from market_data.alpaca import AlpacaProvider
from market_data.alphavantage import AlphaVantageProvider
from market_data.csv_files import CsvProvider
from market_data.provider import BadPrices, KeyRefused, MissingPrices, Provider, ProviderUnavailable
from market_data.providers import provider_from
from market_data.rate_files.folder import RateFolder
from market_data.sample_prices import SampleProvider
from settings import Settings
from tests.builders import weekdays
from tests.clock import Clock
from tests.market_data.made_up import EVER, write_csv
from tests.market_data.provider_server import ProviderServer
from tests.market_data.rate_exports import ECB, PAIR
from tests.market_data.remote import a_remote_provider
from tests.market_data.test_providers import ALPACA, ALPHA_VANTAGE, IN_AZURE, NoLimit

SAMPLE = ("USD", "GBP", "JPY", "CHF", "CAD", "SEK", "AUD", "ZAR", "ILS")


def made_up_rates() -> Bars:
    days = weekdays(300, start="2021-12-01")
    rates = np.round(1.1 + 0.05 * np.sin(np.arange(300) / 20), 5)
    return Bars(days, rates, rates)


@pytest.fixture
def remote() -> Iterator[tuple[Provider, ProviderServer]]:
    now = datetime(2022, 12, 29, 1, 0, tzinfo=UTC)
    with a_remote_provider("alphavantage", Clock(), now=lambda: now) as (provider, server):
        server.market["$USD"] = made_up_rates()
        yield provider, server


def test_the_sample_has_the_rates_of_nine_currencies_of_its_years() -> None:
    fetched = SampleProvider().daily_bars([f"${currency}" for currency in SAMPLE], *EVER)
    assert fetched.errors == {}
    for symbol, bars in fetched.bars.items():
        begin = date(2011, 1, 3) if symbol == "$ILS" else date(2010, 1, 4)
        assert (bars.dates[0].item(), bars.dates[-1].item()) == (begin, date(2022, 12, 28))
        assert np.isfinite(bars.close).all()
        assert np.array_equal(bars.close, bars.adj_close)
        steps = np.diff(bars.dates).astype(int)
        assert (steps > 0).all()
        assert steps.max() <= 6
    last = {symbol: bars.close[-1] for symbol, bars in fetched.bars.items()}
    assert (last["$USD"], last["$GBP"], last["$JPY"], last["$ILS"]) == (1.064, 0.88058, 142.21, 3.7526)


def test_the_rates_of_the_sample_are_small_enough_for_a_repository() -> None:
    folder = Path(__file__).parents[2] / "market_data" / "sample"
    assert (folder / "rates.csv.gz").stat().st_size < 150_000


def test_a_currency_that_the_sample_lacks_has_missing_prices_and_it_is_no_symbol() -> None:
    errors = SampleProvider().daily_bars(["$BRL", "USD", "$AAPL"], *EVER).errors
    assert {symbol: str(error) for symbol, error in errors.items()} == {
        "$BRL": "$BRL: no prices",
        "USD": "USD: no prices",
        "$AAPL": "$AAPL: no prices",
    }


def test_alpha_vantage_has_rates_as_its_documentation_describes_them(
    remote: tuple[Provider, ProviderServer],
) -> None:
    provider, server = remote
    expected = made_up_rates()
    fetched = provider.daily_bars(["$USD", "KO", "$GBP", "$usd"], *EVER)
    assert set(fetched.bars) == {"$USD", "KO"}
    assert set(fetched.errors) == {"$GBP", "$usd"}
    assert all(isinstance(error, MissingPrices) for error in fetched.errors.values())
    bars = fetched.bars["$USD"]
    inside = expected.dates <= np.datetime64("2022-12-28")
    assert np.array_equal(bars.dates, expected.dates[inside])
    assert bars.close.tolist() == bars.adj_close.tolist() == expected.close[inside].tolist()
    assert (bars.high, bars.low, bars.split) == (None, None, None)
    asked = [question.params for question in server.asked if question.params.get("to_symbol") == "USD"]
    assert [{name: own[name] for name in ("function", "from_symbol", "to_symbol", "outputsize")} for own in asked] == [
        {"function": "FX_DAILY", "from_symbol": "EUR", "to_symbol": "USD", "outputsize": "full"}
    ]
    assert "symbol" not in asked[0]


def test_a_day_of_currencies_is_over_at_midnight_utc_and_no_session_earlier() -> None:
    now = datetime(2022, 12, 28, 23, 30, tzinfo=UTC)
    with a_remote_provider("alphavantage", now=lambda: now) as (provider, server):
        server.market["$USD"] = made_up_rates()
        fetched = provider.daily_bars(["$USD", "KO"], date(2022, 12, 1), date(2100, 1, 1))
    assert fetched.bars["KO"].dates[-1].item() == provider.last_day() == date(2022, 12, 28)
    assert fetched.bars["$USD"].dates[-1].item() == date(2022, 12, 27)


def test_the_usual_night_needs_the_last_hundred_days_only(remote: tuple[Provider, ProviderServer]) -> None:
    provider, server = remote
    bars = provider.daily_bars(["$USD"], date(2022, 12, 16), date(2022, 12, 28)).bars["$USD"]
    assert server.params("outputsize") == ["compact"]
    assert bars.dates[0].item() == date(2022, 12, 16)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ("rows of another shape", "$USD: answer: it is not of the shape that the documentation describes"),
        ("no rows but a word", "$USD: answer: it is not of the shape that the documentation describes"),
        ("another symbol", "$USD: answer: it is about other currencies"),
    ],
)
def test_an_answer_of_a_wrong_shape_or_about_others_is_not_used(
    remote: tuple[Provider, ProviderServer], failure: str, error: str
) -> None:
    provider, server = remote
    server.always = failure
    found = provider.daily_bars(["$USD"], *EVER).errors["$USD"]
    assert isinstance(found, BadPrices)
    assert str(found) == error


@pytest.mark.parametrize("failure", ["500", "429", "not JSON", "the note of five a minute", "body cut off"])
def test_a_temporary_failure_takes_one_more_request(remote: tuple[Provider, ProviderServer], failure: str) -> None:
    provider, server = remote
    server.failures.append(failure)
    assert set(provider.daily_bars(["$USD"], *EVER).bars) == {"$USD"}
    assert len(server.asked) == 2


def test_a_used_up_limit_and_a_refused_key_end_the_requests(remote: tuple[Provider, ProviderServer]) -> None:
    provider, server = remote
    server.always = "the information of the day's limit"
    with pytest.raises(ProviderUnavailable):
        provider.daily_bars(["$USD", "$GBP"], *EVER)
    server.always = "the error of an invalid key"
    with pytest.raises(KeyRefused):
        provider.daily_bars(["$USD", "$GBP"], *EVER)
    assert len(server.asked) == 2


def test_alpaca_has_no_rates_and_is_not_asked_for_any() -> None:
    with a_remote_provider("alpaca") as (provider, server):
        fetched = provider.daily_bars(["$USD"], *EVER)
    assert isinstance(fetched.errors["$USD"], MissingPrices)
    assert server.asked == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rates").mkdir()
    (tmp_path / "rates" / "eurofxref-hist.csv").write_text(ECB)
    (tmp_path / "prices").mkdir()
    write_csv(tmp_path / "prices", "KO", SampleProvider().daily_bars(["KO"], *EVER).bars["KO"])
    (tmp_path / "prices" / "EURJPY.csv").write_text(PAIR)
    return tmp_path / "rates"


@pytest.mark.parametrize(
    "environment",
    [{"MARKET_DATA_PROVIDER": "sample"}, {"MARKET_DATA_PROVIDER": "csv"}, ALPACA, ALPHA_VANTAGE],
    ids=lambda environment: str(environment["MARKET_DATA_PROVIDER"]),
)
def test_a_folder_of_rates_serves_every_provider(environment: dict[str, str], folder: Path) -> None:
    directories = {"RATES_DIR": str(folder), "PRICES_DIR": str(folder.parent / "prices")}
    nowhere = {"ALPACA_URL": "http://127.0.0.1:9", "ALPHAVANTAGE_URL": "http://127.0.0.1:9"}
    chosen = Settings.from_environment(IN_AZURE | environment | directories | nowhere)
    provider = provider_from(chosen, str, lambda *_: NoLimit())
    fetched = provider.daily_bars(["$USD", "$JPY", "$SEK"], *EVER)
    assert fetched.bars["$USD"].close.tolist() == [1.1162, 1.0622, 1.0624, 1.064]
    assert fetched.bars["$JPY"].close[-1] == 142.21
    assert str(fetched.errors["$SEK"]).startswith("$SEK: no prices: neither the ECB's eurofxref-hist.csv nor a file")
    assert provider.version("$USD").startswith("rates eurofxref-hist.csv ")
    assert provider.version("KO").startswith(environment["MARKET_DATA_PROVIDER"])
    assert provider.spelling("$USD") == "$USD"


@pytest.mark.parametrize("kind", [AlpacaProvider, AlphaVantageProvider])
def test_rates_of_a_folder_are_kept_when_the_server_fails_and_cost_no_request(
    kind: type[AlpacaProvider | AlphaVantageProvider], folder: Path
) -> None:
    api = "alpaca" if kind is AlpacaProvider else "alphavantage"
    with a_remote_provider(api, Clock()) as (provider, server):
        source = vars(provider)["_source"]
        own = kind(source, rates=RateFolder(folder))
        fetched = own.daily_bars(["KO", "$USD"], *EVER)
        assert set(fetched.bars) == {"KO", "$USD"}
        assert not any("USD" in str(question.params) for question in server.asked)
        server.always = "500"
        with pytest.raises(ProviderUnavailable) as caught:
            own.daily_bars(["KO", "$USD"], *EVER)
        assert set(caught.value.fetched.bars) == {"$USD"}
        server.forget()
        with pytest.raises(ProviderUnavailable, match="RATES_DIR"):
            kind(source, rates=RateFolder(folder / "elsewhere")).daily_bars(["KO", "$USD"], *EVER)
        assert server.asked == []


def test_files_of_prices_have_the_rates_of_their_folder_unless_another_one_is_named(folder: Path) -> None:
    prices = folder.parent / "prices"
    assert set(CsvProvider(prices).daily_bars(["KO", "$JPY", "$USD"], *EVER).bars) == {"KO", "$JPY"}
    apart = CsvProvider(prices, RateFolder(folder)).daily_bars(["KO", "$JPY", "$USD", "EURJPY"], *EVER)
    assert set(apart.bars) == {"KO", "$JPY", "$USD"}
    assert apart.bars["$JPY"].close[-1] == 142.21
