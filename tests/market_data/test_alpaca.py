"""The specifics of Alpaca: pages, the two adjustments, timestamps of days, symbols that invalidate a request."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from market_data.provider import KeyRefused, Provider, ProviderUnavailable
from records import PriceIssue
from tests.clock import Clock
from tests.market_data.made_up import EVER, SYMBOLS, made_up_market
from tests.market_data.provider_server import ProviderServer
from tests.market_data.remote import GENEROUS, a_remote_provider

START, END = date(2022, 1, 3), date(2022, 1, 31)


@pytest.fixture(scope="module")
def remote() -> Iterator[tuple[Provider, ProviderServer]]:
    with a_remote_provider("alpaca", Clock()) as made:
        yield made


@pytest.fixture
def server(remote: tuple[Provider, ProviderServer]) -> ProviderServer:
    remote[1].forget()
    return remote[1]


@pytest.fixture
def provider(remote: tuple[Provider, ProviderServer], server: ProviderServer) -> Provider:  # noqa: ARG001 - as new
    return remote[0]


def test_a_batch_that_fits_a_page_takes_two_requests_whatever_its_size(
    provider: Provider, server: ProviderServer
) -> None:
    assert set(provider.daily_bars(SYMBOLS, START, END).bars) == set(SYMBOLS)
    assert server.params("adjustment") == ["raw", "all"]
    assert server.params("symbols") == [",".join(SYMBOLS)] * 2


def test_pages_are_read_to_the_end_and_each_only_once(provider: Provider, server: ProviderServer) -> None:
    whole = provider.daily_bars(SYMBOLS, START, END)
    server.forget()
    server.page_rows = 17  # fewer than requested, and not a multiple of the days of a symbol
    paged = provider.daily_bars(SYMBOLS, START, END)
    rows = sum(bars.dates.size for bars in whole.bars.values())
    assert len(server.asked) == 2 * -(-rows // 17)
    assert len({(asked.params["adjustment"], asked.params.get("page_token")) for asked in server.asked}) == len(
        server.asked
    )
    for symbol in SYMBOLS:
        assert np.array_equal(paged.bars[symbol].dates, whole.bars[symbol].dates)
        assert np.array_equal(paged.bars[symbol].adj_close, whole.bars[symbol].adj_close)


def test_long_histories_are_requested_in_parts_of_a_few_full_pages(provider: Provider, server: ProviderServer) -> None:
    start, end = date(2007, 1, 1), date(2022, 12, 30)  # 4,175 weekdays: 11 symbols fill five pages
    names = [f"S{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWX"]
    server.market |= dict.fromkeys(names, server.market["KO"])
    fetched = provider.daily_bars(names, start, end)
    assert set(fetched.bars) == set(names)
    parts = dict.fromkeys(len(symbols.split(",")) for symbols in server.params("symbols"))
    assert list(parts) == [11, 2]
    rows = server.market["KO"].dates.size
    assert len(server.asked) == 2 * (2 * -(-11 * rows // 10_000) + -(-2 * rows // 10_000))


@pytest.mark.parametrize("failure", ["the same page again and again", "pages without end"])
def test_endless_pages_are_not_read_forever(
    provider: Provider, server: ProviderServer, failure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("market_data.alpaca._MOST_PAGES", 30)
    server.always = failure
    with pytest.raises(ProviderUnavailable, match="pages do not end"):
        provider.daily_bars(SYMBOLS, START, END)
    assert len(server.asked) <= 30


def test_closes_are_as_traded_and_adjusted_closes_know_splits_and_dividends(provider: Provider) -> None:
    bars = provider.daily_bars(["AAPL"], date(2020, 8, 28), date(2020, 8, 31)).bars["AAPL"]
    assert bars.close[0] > 3 * bars.close[1]
    assert abs(bars.adj_close[1] / bars.adj_close[0] - 1) < 0.05
    assert bars.high is not None
    assert bars.low is not None
    assert ((bars.low < bars.close) & (bars.close < bars.high)).all()


@pytest.mark.parametrize(
    ("now", "complete", "last"),
    [
        # 17:59 in New York; the 17th is a holiday
        (datetime(2022, 1, 18, 22, 59, tzinfo=UTC), date(2022, 1, 17), date(2022, 1, 14)),
        (datetime(2022, 1, 18, 23, 0, tzinfo=UTC), date(2022, 1, 18), date(2022, 1, 18)),  # 18:00 in New York
        (datetime(2022, 1, 19, 3, 0, tzinfo=UTC), date(2022, 1, 18), date(2022, 1, 18)),
        (datetime(2022, 7, 18, 21, 59, tzinfo=UTC), date(2022, 7, 17), date(2022, 7, 15)),  # 17:59 in summer
        (datetime(2022, 7, 18, 22, 0, tzinfo=UTC), date(2022, 7, 18), date(2022, 7, 18)),
    ],
)
def test_a_day_whose_session_has_not_ended_is_never_requested(now: datetime, complete: date, last: date) -> None:
    with a_remote_provider("alpaca", now=lambda: now) as (provider, server):
        bars = provider.daily_bars(["AAPL"], date(2022, 1, 3), date(2100, 1, 1)).bars["AAPL"]
        assert bars.dates[-1].item() == last
        assert all(datetime.fromisoformat(end) < now for end in server.params("end"))
        before = len(server.asked)
        assert set(provider.daily_bars(["AAPL"], date(2022, 7, 19), date(2100, 1, 1)).errors) == {"AAPL"}
        assert len(server.asked) == before
        assert provider.last_day() == complete


def test_timestamps_become_days_of_new_york_in_winter_and_in_summer(provider: Provider) -> None:
    expected = made_up_market()["KO"]
    bars = provider.daily_bars(["KO"], *EVER).bars["KO"]
    assert np.array_equal(bars.dates, expected.dates)


def test_symbols_are_asked_for_in_alpacas_spelling_and_answered_in_ours(
    provider: Provider, server: ProviderServer
) -> None:
    fetched = provider.daily_bars(["BRK-B", "BRK.B", "BRK/B"], START, END)
    assert set(server.params("symbols")) == {"BRK.B"}
    assert set(fetched.bars) == {"BRK-B", "BRK.B", "BRK/B"}
    assert {provider.spelling(symbol) for symbol in ("BRK-B", "BRK.B", "BRK/B", "BRK B")} == {"BRK.B"}


def test_an_invalid_symbol_for_a_us_share_is_not_requested(provider: Provider, server: ProviderServer) -> None:
    fetched = provider.daily_bars(["^GSPC", "EURUSD=X", "aapl", "A,B", "", "KO&feed=sip"], START, END)
    assert len(fetched.errors) == 6
    assert server.asked == []


def test_a_symbol_that_invalidates_a_request_is_left_out_of_the_next(
    provider: Provider, server: ProviderServer
) -> None:
    fetched = provider.daily_bars(["CSP1", "KO", "X9"], START, END)
    assert set(fetched.bars) == {"KO"}
    assert {symbol: error.error_type for symbol, error in fetched.errors.items()} == {
        "CSP1": "missing_prices",
        "X9": "missing_prices",
    }
    assert server.params("symbols") == ["CSP1,KO,X9", "KO,X9", "KO", "KO"]


def test_a_refusal_of_a_symbol_that_was_not_requested_ends_the_requests(
    provider: Provider, server: ProviderServer
) -> None:
    server.always = "an invalid symbol that was not requested"
    with pytest.raises(ProviderUnavailable, match="not asked for"):
        provider.daily_bars(["KO"], START, END)
    assert len(server.asked) == 1


def test_symbols_that_are_not_in_the_answer_have_missing_prices(provider: Provider, server: ProviderServer) -> None:
    server.always = "half of the batch missing"
    fetched = provider.daily_bars(["AAPL", "AMD", "BRK.B", "KO"], START, END)
    assert {symbol: error.error_type for symbol, error in fetched.errors.items()} == {
        "AAPL": "missing_prices",
        "AMD": "bad_prices",  # raw bars in the first answer, but no adjusted ones in the second
        "BRK.B": "missing_prices",
    }
    assert set(fetched.bars) == {"KO"}


def test_rows_of_a_symbol_that_was_not_requested_are_ignored(provider: Provider, server: ProviderServer) -> None:
    server.always = "another symbol"
    fetched = provider.daily_bars(["AAPL", "KO"], START, END)
    assert set(fetched.bars) | set(fetched.errors) == {"AAPL", "KO"}
    assert fetched.errors["AAPL"].error_type == "missing_prices"


def test_a_day_without_an_adjusted_bar_has_no_adjusted_close(provider: Provider, server: ProviderServer) -> None:
    expected = provider.daily_bars(["AAPL"], START, END).bars["AAPL"]
    server.failures.extend(["none", "a day less"])
    bars = provider.daily_bars(["AAPL", "KO"], START, END).bars["AAPL"]
    assert bars.close.tolist() == expected.close.tolist()
    assert bars.adj_close[:-1].tolist() == expected.adj_close[:-1].tolist()
    assert np.isnan(bars.adj_close[-1])


def test_an_adjusted_bar_of_a_day_without_a_bar_is_no_day(provider: Provider, server: ProviderServer) -> None:
    expected = provider.daily_bars(["AAPL"], START, END).bars["AAPL"]
    server.failures.append("a day less")
    bars = provider.daily_bars(["AAPL"], START, END).bars["AAPL"]
    assert bars.dates.tolist() == expected.dates[:-1].tolist()
    assert bars.adj_close.tolist() == expected.adj_close[:-1].tolist()


def test_a_row_that_comes_twice_counts_once_and_is_an_issue(provider: Provider, server: ProviderServer) -> None:
    server.always = "a row that comes twice"
    fetched = provider.daily_bars(["AAPL", "KO"], START, END)
    assert fetched.bars["AAPL"].dates[-1].item() == END
    assert fetched.issues == {"AAPL": (PriceIssue("duplicate_days", END, count=1),)}


def test_bars_without_highs_are_bars(provider: Provider, server: ProviderServer) -> None:
    server.always = "closes alone"
    bars = provider.daily_bars(["AAPL"], START, END).bars["AAPL"]
    assert (bars.high, bars.low) == (None, None)


def test_a_history_that_was_adjusted_overnight_is_returned_in_its_current_state(
    provider: Provider, server: ProviderServer
) -> None:
    before = server.market["KO"]
    server.market["KO"] = replace(before, adj_close=before.adj_close / 2)
    bars = provider.daily_bars(["KO"], *EVER).bars["KO"]
    server.market["KO"] = before
    assert np.array_equal(bars.adj_close, before.adj_close / 2)
    assert np.array_equal(bars.close, before.close)


def test_a_feed_outside_of_the_subscription_is_reported_with_its_setting() -> None:
    with a_remote_provider("alpaca", settings=replace(GENEROUS, feed="sip")) as (provider, server):
        assert set(provider.daily_bars(["KO"], START, END).bars) == {"KO"}
        assert set(server.params("feed")) == {"sip"}
        server.always = "no subscription"
        with pytest.raises(KeyRefused, match="ALPACA_FEED=sip"):
            provider.daily_bars(["KO"], START, END)
