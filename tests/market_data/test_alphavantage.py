"""The specifics of Alpha Vantage: one request per symbol, errors with status 200, texts that quote the key."""

import logging
import traceback
from collections.abc import Iterator
from copy import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from market_data.provider import KeyRefused, Provider, ProviderUnavailable
from tests.clock import Clock
from tests.market_data.made_up import EVER, SYMBOLS, made_up_market
from tests.market_data.provider_apis import KEYS, SENTENCES
from tests.market_data.provider_server import ProviderServer
from tests.market_data.remote import GENEROUS, a_remote_provider

START, END = date(2022, 1, 3), date(2022, 1, 31)
KEY = KEYS["alphavantage-api-key"]
PASSING = ["the note of five a minute", "the information of one a second", "an information of something else"]


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def remote(clock: Clock) -> Iterator[tuple[Provider, ProviderServer]]:
    with a_remote_provider("alphavantage", clock) as made:
        yield made


@pytest.fixture
def server(remote: tuple[Provider, ProviderServer], clock: Clock) -> ProviderServer:
    clock.advance(3600)  # ends a pause caused by the previous test
    remote[1].forget()
    return remote[1]


@pytest.fixture
def provider(remote: tuple[Provider, ProviderServer], server: ProviderServer) -> Provider:  # noqa: ARG001 - as new
    return remote[0]


def test_each_symbol_is_asked_for_once(provider: Provider, server: ProviderServer) -> None:
    assert set(provider.daily_bars([*SYMBOLS, "AAPL"], *EVER).bars) == set(SYMBOLS)
    assert sorted(server.params("symbol")) == sorted(symbol.replace(".", "-") for symbol in SYMBOLS)
    assert set(server.params("outputsize")) == {"full"}


@pytest.mark.parametrize(
    ("start", "size"),
    [
        (date(2022, 8, 12), "compact"),  # the 100th weekday back from the 29th of December
        (date(2022, 8, 11), "full"),
        (date(2022, 12, 28), "compact"),
    ],
)
def test_only_the_last_hundred_days_are_requested_if_they_suffice(start: date, size: str) -> None:
    with a_remote_provider("alphavantage", now=lambda: datetime(2022, 12, 29, 1, 0, tzinfo=UTC)) as (provider, server):
        bars = provider.daily_bars(["KO"], start, date(2022, 12, 28)).bars["KO"]
    assert server.params("outputsize") == [size]
    expected = made_up_market()["KO"].dates
    assert np.array_equal(bars.dates, expected[expected >= np.datetime64(start)])


def test_the_bar_of_a_day_that_has_not_ended_is_left_out() -> None:
    with a_remote_provider("alphavantage", now=lambda: datetime(2022, 12, 28, 20, 0, tzinfo=UTC)) as (provider, _):
        bars = provider.daily_bars(["KO"], START, date(2100, 1, 1)).bars["KO"]
        assert bars.dates[-1].item() == provider.last_day() == date(2022, 12, 27)


def test_symbols_are_asked_for_in_its_spelling_and_answered_in_ours(provider: Provider, server: ProviderServer) -> None:
    fetched = provider.daily_bars(["BRK-B", "BRK.B", "BRK/B", "^GSPC", "ko", "A&B"], START, END)
    assert server.params("symbol") == ["BRK-B"]
    assert set(fetched.bars) == {"BRK-B", "BRK.B", "BRK/B"}
    assert {provider.spelling(symbol) for symbol in ("BRK-B", "BRK.B", "BRK/B", "BRK B")} == {"BRK-B"}


def test_its_splits_are_told_with_the_day_and_the_ratio(provider: Provider) -> None:
    fetched = provider.daily_bars(["AAPL", "KO"], *EVER)
    assert fetched.bars["KO"].split is None
    bars = fetched.bars["AAPL"]
    assert bars.split is not None
    assert [(bars.dates[row].item(), bars.split[row]) for row in np.flatnonzero(bars.split != 1)] == [
        (date(2020, 8, 31), 4.0)
    ]


@pytest.mark.parametrize("sentence", PASSING)
def test_after_a_message_about_the_rate_limit_the_request_is_repeated(
    provider: Provider, server: ProviderServer, clock: Clock, sentence: str
) -> None:
    before = clock.seconds
    server.failures.append(sentence)
    assert set(provider.daily_bars(["AAPL", "KO"], START, END).bars) == {"AAPL", "KO"}
    assert len(server.asked) == 3
    assert clock.seconds - before >= (1 if "else" in sentence else 15)


@pytest.mark.parametrize("sentence", PASSING)
def test_with_repeated_messages_the_provider_is_unavailable(
    provider: Provider, server: ProviderServer, sentence: str
) -> None:
    server.always = sentence
    with pytest.raises(ProviderUnavailable):
        provider.daily_bars(["AAPL", "KO"], START, END)
    assert len(server.asked) == 5


def test_used_up_requests_of_the_day_are_detected_with_one_request(provider: Provider, server: ProviderServer) -> None:
    server.always = "the information of the day's limit"
    with pytest.raises(ProviderUnavailable, match="of the day are used up"):
        provider.daily_bars(SYMBOLS, START, END)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("sentence", "message"),
    [
        ("the information of a premium endpoint", "plan does not include"),
        ("the error of an invalid key", r"\(invalid\): see to ALPHAVANTAGE_API_KEY, in a vault alphavantage-api-key"),
    ],
)
def test_a_key_without_access_is_reported_after_one_request(
    provider: Provider, server: ProviderServer, sentence: str, message: str
) -> None:
    server.always = sentence
    with pytest.raises(KeyRefused, match=message):
        provider.daily_bars(SYMBOLS, START, END)
    assert len(server.asked) == 1


def test_an_unknown_symbol_among_known_ones_has_missing_prices(provider: Provider, server: ProviderServer) -> None:
    server.failures.append("nothing at all")
    fetched = provider.daily_bars(["AAPL", "KO", "NOSUCH"], START, END)
    assert {symbol: error.error_type for symbol, error in fetched.errors.items()} == {
        "AAPL": "missing_prices",
        "NOSUCH": "missing_prices",
    }
    assert set(fetched.bars) == {"KO"}


def test_an_answer_about_another_symbol_is_not_used_for_this_one(provider: Provider, server: ProviderServer) -> None:
    server.failures.append("another symbol")
    fetched = provider.daily_bars(["AAPL", "KO"], START, END)
    assert set(fetched.bars) == {"KO"}
    assert str(fetched.errors["AAPL"]) == "AAPL: answer: it is about another symbol"


def test_a_bad_day_that_was_not_requested_has_no_effect(provider: Provider, server: ProviderServer) -> None:
    server.always = "a negative price"
    assert set(provider.daily_bars(["AAPL"], date(2022, 2, 1), END.replace(month=3)).bars) == {"AAPL"}


def test_a_history_that_was_adjusted_overnight_is_returned_in_its_current_state(
    provider: Provider, server: ProviderServer
) -> None:
    before = server.market["KO"]
    server.market["KO"] = replace(before, adj_close=before.adj_close / 2)
    bars = provider.daily_bars(["KO"], *EVER).bars["KO"]
    server.market["KO"] = before
    assert np.array_equal(bars.adj_close, before.adj_close / 2)


@pytest.mark.parametrize(("per_minute", "symbols"), [(5, 5), (75, 75), (1200, 100)])
def test_the_size_of_a_batch_is_the_limit_per_minute(per_minute: int, symbols: int) -> None:
    with a_remote_provider("alphavantage", settings=replace(GENEROUS, requests_per_minute=per_minute)) as (provider, _):
        assert provider.symbols_per_batch == symbols


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_key_quoted_in_a_message_is_never_logged_or_part_of_an_error(
    provider: Provider, server: ProviderServer, caplog: pytest.LogCaptureFixture, sentence: str
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpx")
    server.always = sentence
    try:
        output = repr(provider.daily_bars(["AAPL"], START, END))
    except (ProviderUnavailable, KeyRefused) as error:
        output = "".join(traceback.TracebackException.from_exception(error).format(chain=True))
    output += "".join(f"{record.getMessage()} {record.args!r} {record.exc_text}" for record in caplog.records)
    assert "httpx" in {record.name for record in caplog.records}
    assert set(server.params("apikey")) == {KEY}
    assert not any(part in output for part in (KEY, "INVENTED", "%2FOF%26"))
