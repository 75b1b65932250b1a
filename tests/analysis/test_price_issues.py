"""The issues of prices, and their sentences."""

from copy import replace
from datetime import date, timedelta
from typing import get_args

import numpy as np
import pytest

from analysis.histories import read_histories, resolve_as_of
from analysis.price_issues import describe, symbol_issue
from analysis.price_table import PreparedPrices, join_prices, prepare_prices
from analysis.prices import Bars
from records import PriceIssue, PriceIssueKind, SymbolIssue
from tests.builders import bars, random_walk, weekdays, without

DAYS = weekdays(400)
WALK, MARKET = random_walk(DAYS, seed=3, volatility=0.005), random_walk(DAYS, seed=9)


def day(index: int) -> date:
    value: date = DAYS[index].item()
    return value


def scaled(own: Bars, days: slice | int, factor: float, *names: str) -> Bars:
    """Return the bars with prices of some days, by default both closes, multiplied by a factor."""
    factors = np.ones(len(own.dates))
    factors[days] = factor
    return replace(own, **{name: getattr(own, name) * factors for name in names or ("close", "adj_close")})


def prepared(
    own: Bars, market: Bars = MARKET, lookback_days: int = 300, asked_on: date | None = None
) -> PreparedPrices:
    histories = read_histories({"A": own}, market, resolve_as_of(market))
    return prepare_prices(histories, lookback_days, benchmark_symbol="SPY", asked_on=asked_on)


def issues_of(own: Bars, lookback_days: int = 300) -> list[SymbolIssue]:
    return list(prepared(own, lookback_days=lookback_days).issues)


def run_issues(market: Bars, lookback_days: int = 300, asked_on: date | None = None) -> list[SymbolIssue]:
    return list(prepared(WALK, market, lookback_days, asked_on).run_issues)


def test_sound_prices_have_no_issue() -> None:
    assert issues_of(WALK) == []
    assert run_issues(MARKET) == []


@pytest.mark.parametrize(
    ("own", "issue"),
    [
        (scaled(WALK, slice(0, 399), 10, "close"), PriceIssue("split", day(399), ratio="10:1")),
        (scaled(WALK, slice(0, 390), 0.05, "close"), PriceIssue("split", day(390), ratio="1:20")),
        (scaled(WALK, slice(0, 395), 1.37, "close"), PriceIssue("distribution", day(395))),
        (scaled(WALK, slice(0, 300), 2), PriceIssue("suspected_split", day(300), ratio="2:1")),
        (scaled(WALK, slice(0, 300), 0.1), PriceIssue("suspected_split", day(300), ratio="1:10")),
        (scaled(WALK, slice(0, 300), 1.3), PriceIssue("jump", day(300), count=1)),
        (scaled(WALK, slice(200, 300), 1.3), PriceIssue("jump", day(200), count=2)),
        (scaled(scaled(WALK, 200, 0), 250, 100), PriceIssue("bad_bars", day(200), count=2)),
        (scaled(WALK, slice(200, 206), 0), PriceIssue("bad_prices", day(200), count=6)),
        (scaled(WALK, 399, 100), PriceIssue("unconfirmed_price", day(399))),
        (without(WALK, slice(200, 211)), PriceIssue("long_gap", day(211), count=1, days=11)),
        (without(without(WALK, slice(200, 211)), slice(300, 315)), PriceIssue("long_gap", day(211), count=2, days=15)),
        (without(WALK, slice(200, 261)), PriceIssue("history_cut", day(261), days=61)),
    ],
)  # fmt: skip
def test_each_issue_is_told_with_its_days(own: Bars, issue: PriceIssue) -> None:
    assert issues_of(own) == [symbol_issue("A", issue)]


def test_a_gap_with_another_price_after_it_cuts_the_history() -> None:
    own = without(scaled(WALK, slice(0, 215), 2.6), slice(200, 215))
    assert [(issue.kind, issue.date) for issue in issues_of(own)] == [("history_cut", day(215))]


@pytest.mark.parametrize(
    "own",
    [
        scaled(WALK, slice(0, 389), 10, "close"),
        scaled(WALK, slice(0, 98), 2),
        scaled(WALK, slice(0, 98), 1.3),
        scaled(WALK, 98, 100),
        without(WALK, slice(80, 98)),
    ],
    ids=["split", "suspected split", "jump", "bad bar", "gap"],
)
def test_what_was_before_the_last_days_or_the_lookback_is_not_told(own: Bars) -> None:
    assert issues_of(own) == []


def test_prices_that_stay_the_same_on_more_than_a_tenth_of_the_days_are_thin() -> None:
    def staying(days: int) -> Bars:
        steps = np.where(np.arange(400) < 400 - days, np.arange(400), 400 - days)
        return bars(DAYS, 100 * 1.001**steps)

    assert [issue.kind for issue in issues_of(staying(32))] == ["thin_prices"]
    assert issues_of(staying(29)) == []
    assert issues_of(staying(32).at(slice(340, None))) == []  # too few returns to judge by


def test_an_exchange_with_other_days_is_asynchronous() -> None:
    kinds = {"asynchronous_prices"}
    every_day = DAYS[0] + np.arange((DAYS[-1] - DAYS[0]).astype(int) + 1)
    assert {issue.kind for issue in issues_of(random_walk(every_day, seed=3))} == kinds
    holidays = np.ones(400, dtype=np.bool_)
    holidays[np.arange(110, 390, 40)] = False  # 7 of 300
    assert {issue.kind for issue in issues_of(WALK.at(holidays))} == kinds
    holidays[np.arange(110, 190, 40)] = True
    assert issues_of(WALK.at(holidays)) == []


def test_a_long_gap_is_no_other_exchange() -> None:
    assert [issue.kind for issue in issues_of(without(WALK, slice(200, 225)))] == ["long_gap"]


def test_a_long_gap_that_began_before_the_lookback_is_apart_only_within_it() -> None:
    every_day = DAYS[0] + np.arange((DAYS[-1] - DAYS[0]).astype(int) + 1)
    crypto = random_walk(every_day, seed=3, volatility=0.002)
    gap = slice(int(every_day.searchsorted(DAYS[60])), int(every_day.searchsorted(DAYS[102])))
    assert {issue.kind for issue in issues_of(without(crypto, gap))} == {"asynchronous_prices", "long_gap"}


class TestRun:
    def test_row_24_a_benchmark_without_dividends_is_told_once(self) -> None:
        plain = bars(DAYS, MARKET.close)
        found = run_issues(plain)
        assert found == [symbol_issue("SPY", PriceIssue("benchmark_without_dividends"))]
        assert run_issues(plain, lookback_days=251) == []
        assert run_issues(replace(plain, adj_close=np.where(np.arange(400) < 380, 0.99, 1) * plain.close)) == []

    @pytest.mark.parametrize(("symbol", "told"), [("SPY", []), ("A", ["benchmark_without_dividends"])])
    def test_a_benchmark_whose_closes_are_known_to_be_adjusted_is_not_without_dividends(
        self, symbol: str, told: list[str]
    ) -> None:
        histories = read_histories({"A": WALK}, bars(DAYS, MARKET.close), day(399))
        source = [symbol_issue(symbol, PriceIssue("close_is_adjusted"))]
        found = prepare_prices(histories, 300, source, benchmark_symbol="SPY").run_issues
        assert [issue.kind for issue in found] == told

    def test_row_13_bad_days_of_the_benchmark_are_told(self) -> None:
        found = run_issues(scaled(MARKET, 250, 0))
        assert found == [symbol_issue("SPY", PriceIssue("bad_bars", day(250), count=1))]
        found = run_issues(scaled(MARKET, 399, 100))
        assert found == [symbol_issue("SPY", PriceIssue("unconfirmed_price", day(399)))]

    @pytest.mark.parametrize(("later", "weekdays_old"), [(5, None), (6, 6), (7, 7)])
    def test_prices_more_than_five_weekdays_older_than_the_request_are_old(
        self, later: int, weekdays_old: int | None
    ) -> None:
        asked_on: date = np.busday_offset(DAYS[-1], later).astype("datetime64[D]").item()
        old = [symbol_issue(None, PriceIssue("old_prices", day(399), days=weekdays_old))] if weekdays_old else []
        assert run_issues(MARKET, asked_on=asked_on) == old

    def test_days_at_a_weekend_do_not_count(self) -> None:
        friday = MARKET.at(slice(int(np.flatnonzero(np.is_busday(DAYS, "0000100"))[-1]) + 1))
        last: date = friday.dates[-1].item()
        kinds = [[issue.kind for issue in run_issues(friday, asked_on=last + timedelta(days=n))] for n in (7, 9, 10)]
        assert kinds == [[], ["old_prices"], ["old_prices"]]

    def test_for_an_earlier_day_the_newest_price_counts(self) -> None:
        histories = read_histories({"A": WALK}, MARKET, day(350))
        assert prepare_prices(histories, 300, asked_on=day(399)).run_issues == ()

    def test_an_issue_of_the_run_is_not_repeated_for_its_symbol(self) -> None:
        spoiled = scaled(MARKET, 250, 0)
        histories = read_histories({"SPY": spoiled}, spoiled, day(399))
        parts = [prepare_prices(histories, 300, benchmark_symbol="SPY")]
        table = join_prices(parts)
        assert [issue.kind for issue in table.run_issues] == ["bad_bars"]
        assert table.issues == {}

    def test_bad_days_of_a_benchmark_that_is_held_are_told_once_though_its_last_day_is_bad(self) -> None:
        spoiled = scaled(scaled(MARKET, 250, 0), 399, 0)
        histories = read_histories({"SPY": spoiled}, spoiled, resolve_as_of(spoiled))
        table = join_prices([prepare_prices(histories, 300, benchmark_symbol="SPY")])
        assert [(issue.kind, issue.count) for issue in table.run_issues] == [("bad_bars", 2)]
        assert table.issues == {}


# The issue of an assumed currency names symbols, which issues of prices do not have.
@pytest.mark.parametrize("kind", sorted({*get_args(PriceIssueKind.__value__)} - {"assumed_currency"}))
def test_every_kind_has_a_sentence(kind: PriceIssueKind) -> None:
    issue = PriceIssue(kind, day(0), ratio="3:2", count=2, days=17, new_symbol="NEW")
    sentence = describe(issue)
    assert sentence.endswith(".")
    assert "None" not in sentence
    assert "{" not in sentence


@pytest.mark.parametrize(
    ("issue", "sentence"),
    [
        (PriceIssue("split", day(0), ratio="10:1"), "It was split 10:1 (new shares for old): check that the quantity"),
        (PriceIssue("jump", day(0), count=1), "moved by more than 19 % on 1 day, the first 2019-01-01: the moves"),
        (PriceIssue("bad_bars", day(0), count=3), "3 days with impossible prices, the first 2019-01-01: dropped."),
        (PriceIssue("long_gap", day(1), count=1, days=25), "There is no price for up to 25 days in a row:"),
        (PriceIssue("behind_market", day(1), count=2), "There is no price yet for 2 days, the first 2019-01-02:"),
        (PriceIssue("renamed", day(0), new_symbol="META"), "It is called META since 2019-01-01: change the symbol"),
        (PriceIssue("renamed", new_symbol="META"), "It is called META: change the symbol"),
        (PriceIssue("delisted", day(0)), "It is no longer traded since 2019-01-01:"),
        (PriceIssue("close_is_adjusted"), "Its file has adjusted closes only: they stand for its prices"),
        (PriceIssue("old_prices", day(0), days=9), "The last price of the benchmark is 9 weekdays older"),
    ],
)
def test_an_issue_reads_as_a_sentence(issue: PriceIssue, sentence: str) -> None:
    assert sentence in describe(issue)
