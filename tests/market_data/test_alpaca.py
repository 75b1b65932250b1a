"""The specifics of Alpaca: pages, adjustments, splits, timestamps of days, symbols that invalidate a request."""

from collections.abc import Iterator
from copy import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from analysis.prices import Bars
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


def test_a_batch_that_fits_a_page_takes_three_requests_whatever_its_size(
    provider: Provider, server: ProviderServer
) -> None:
    assert set(provider.daily_bars(SYMBOLS, START, END).bars) == set(SYMBOLS)
    assert server.params("adjustment") == ["raw", "all", ""]
    assert server.params("types") == ["", "", "forward_split,reverse_split,stock_dividend"]
    assert server.params("symbols") == [",".join(SYMBOLS)] * 3


def test_pages_are_read_to_the_end_and_each_only_once(provider: Provider, server: ProviderServer) -> None:
    whole = provider.daily_bars(SYMBOLS, START, END)
    server.forget()
    server.page_rows = 17  # fewer than requested, and not a multiple of the days of a symbol
    paged = provider.daily_bars(SYMBOLS, START, END)
    rows = sum(bars.dates.size for bars in whole.bars.values())
    assert len(server.asked) == 2 * -(-rows // 17) + 1
    assert len({(asked.params.get("adjustment"), asked.params.get("page_token")) for asked in server.asked}) == len(
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
    assert len(server.asked) == 2 * (2 * -(-11 * rows // 10_000) + -(-2 * rows // 10_000)) + 3


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
        ends = [asked.params["end"] for asked in server.asked if "timeframe" in asked.params]
        assert all(datetime.fromisoformat(end) < now for end in ends)
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
    assert server.params("symbols") == ["CSP1,KO,X9", "KO,X9", "KO", "KO", "KO"]


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
        assert server.params("feed") == ["sip", "sip", ""]
        server.always = "no subscription"
        with pytest.raises(KeyRefused, match="ALPACA_FEED=sip"):
            provider.daily_bars(["KO"], START, END)


def told_splits(bars: Bars) -> dict[date, float]:
    """Return the splits that bars tell, by day."""
    assert bars.split is not None
    return {bars.dates[row].item(): float(bars.split[row]) for row in np.flatnonzero(bars.split != 1)}


def test_splits_in_both_directions_are_told_on_their_day_as_by_the_other_provider(provider: Provider) -> None:
    fetched = provider.daily_bars(["AAPL", "KO", "RRC"], *EVER)
    assert fetched.bars["KO"].split is None
    assert told_splits(fetched.bars["AAPL"]) == {date(2020, 8, 31): 4.0}
    assert told_splits(fetched.bars["RRC"]) == {date(2016, 3, 1): 0.1}
    with a_remote_provider("alphavantage") as (other, _):
        theirs = other.daily_bars(["AAPL", "RRC"], *EVER)
    for symbol in ("AAPL", "RRC"):
        assert told_splits(theirs.bars[symbol]) == told_splits(fetched.bars[symbol])


def split_on(bars: Bars, **ratios: float) -> Bars:
    """Return the bars with splits on days such as ``d20220118``."""
    column = np.ones_like(bars.close)
    for day, ratio in ratios.items():
        column[bars.dates == np.datetime64(datetime.strptime(day, "d%Y%m%d").date())] = ratio  # noqa: DTZ007 - a day
    return replace(bars, split=column)


def test_a_stock_dividend_is_a_split_of_one_and_its_rate(provider: Provider, server: ProviderServer) -> None:
    before = server.market["KO"]
    server.market["KO"] = split_on(before, d20220118=1.05)
    bars = provider.daily_bars(["KO"], START, END).bars["KO"]
    server.market["KO"] = before
    assert told_splits(bars) == {date(2022, 1, 18): pytest.approx(1.05)}


ACTION = {"symbol": "KO", "ex_date": "2022-01-18", "process_date": "2022-01-18"}
SPLIT = ACTION | {"new_rate": 3, "old_rate": 1}


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ({"forward_splits": [SPLIT]}, {date(2022, 1, 18): 3.0}),
        ({"forward_splits": [SPLIT | {"new_rate": 1.5}]}, {date(2022, 1, 18): 1.5}),
        ({"forward_splits": [SPLIT | {"new_rate": "3", "old_rate": "2"}]}, {date(2022, 1, 18): 1.5}),
        ({"reverse_splits": [SPLIT | {"new_rate": 1, "old_rate": 50}]}, {date(2022, 1, 18): 0.02}),
        # Of one day: each changes the number of shares.
        (
            {"forward_splits": [SPLIT], "stock_dividends": [ACTION | {"rate": 0.5}]},
            {date(2022, 1, 18): 4.5},
        ),
        ({"forward_splits": [SPLIT | {"ex_date": "2022-01-16"}]}, {date(2022, 1, 18): 3.0}),  # a Sunday, then a holiday
        ({"forward_splits": [SPLIT | {"ex_date": "2022-01-03"}]}, {date(2022, 1, 3): 3.0}),
        ({"forward_splits": [SPLIT | {"ex_date": "2022-01-02"}]}, {}),
        ({"forward_splits": [SPLIT | {"ex_date": "2022-02-01"}]}, {}),
        ({"forward_splits": [SPLIT | {"ex_date": None}]}, {}),
        ({"forward_splits": [SPLIT | {"symbol": "PEP"}]}, {}),
        ({"forward_splits": [SPLIT | {"old_rate": 0}]}, {}),
        ({"forward_splits": [SPLIT | {"new_rate": -3}]}, {}),
        ({"forward_splits": [SPLIT | {"new_rate": 0}]}, {}),
        ({"forward_splits": [SPLIT | {"new_rate": "many"}]}, {}),
        ({"forward_splits": [SPLIT | {"new_rate": None}]}, {}),
        ({"forward_splits": [ACTION]}, {}),
        ({"stock_dividends": [ACTION | {"rate": -1}]}, {}),
        ({"stock_dividends": [ACTION | {"rate": [0.05]}]}, {}),
        ({"unit_splits": [SPLIT], "cash_dividends": [ACTION | {"rate": 0.4}]}, {}),
        ({}, {}),
        (None, {}),
    ],
)
def test_only_actions_with_a_ratio_and_an_ex_date_in_the_range_are_splits(
    provider: Provider,
    server: ProviderServer,
    monkeypatch: pytest.MonkeyPatch,
    actions: dict[str, Any] | None,
    expected: dict[date, float],
) -> None:
    answer = {"corporate_actions": actions, "next_page_token": None}
    monkeypatch.setattr("tests.market_data.provider_apis._corporate_actions", lambda *_: (200, answer, {}))
    bars = provider.daily_bars(["KO"], START, END).bars["KO"]
    assert (told_splits(bars) if expected else bars.split) == (expected or None)
    assert server.params("start")[-1] < "2021-12-01"  # processed before the ex-date
    assert server.params("end")[-1] > "2022-03-01"  # processed weeks after it


def test_an_action_of_a_wrong_shape_is_an_outage_and_no_split_is_invented(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"corporate_actions": {"forward_splits": [SPLIT | {"ex_date": "soon"}]}, "next_page_token": None}
    monkeypatch.setattr("tests.market_data.provider_apis._corporate_actions", lambda *_: (200, answer, {}))
    with pytest.raises(ProviderUnavailable):
        provider.daily_bars(["KO"], START, END)


@pytest.mark.parametrize("status", ["400", "403", "404"])
def test_prices_do_not_depend_on_the_splits_if_the_server_does_not_offer_these(
    status: str, caplog: pytest.LogCaptureFixture
) -> None:
    with a_remote_provider("alpaca", Clock()) as (provider, server):
        for _ in range(2):
            server.failures.extend(["none", "none", status])
            assert provider.daily_bars(["AAPL"], *EVER).bars["AAPL"].split is None
    assert [record.message for record in caplog.records] == [
        f"Alpaca tells no splits: its corporate actions answer {status}"
    ]


def test_splits_that_cannot_be_read_now_make_the_batch_fail_so_that_it_is_repeated(
    provider: Provider, server: ProviderServer
) -> None:
    server.failures.extend(["none", "none", *["503"] * 5])
    with pytest.raises(ProviderUnavailable):
        provider.daily_bars(["AAPL"], *EVER)
    server.failures.extend(["none", "none", "401"])
    with pytest.raises(KeyRefused):
        provider.daily_bars(["AAPL"], *EVER)
