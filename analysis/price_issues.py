"""The issues of prices, each with its sentence: what is told beside the figures that stand on these prices."""

from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np

from analysis.histories import Calendar, PriceHistories, PriceHistory, told_splits
from analysis.models import Dates
from analysis.prices import CleanBars, as_date
from analysis.splits import ratio_text
from records import PriceIssue, PriceIssueKind, SymbolIssue

RECENT_DAYS = 10
"""The last days of the calendar whose corporate actions are told."""

_MOST_ZERO_RETURNS = 0.1
_MOST_OTHER_DAYS = 0.02
_DIVIDEND_DAYS = 252
_MOST_NAMED = 5
OLD_WEEKDAYS = 5
"""Prices that are older are told: no market is closed for so long."""

_SENTENCES: dict[PriceIssueKind, str] = {
    "split": "It was split {ratio} (new shares for old): check that the quantity is that after the split.",
    "distribution": "Its value fell by a distribution, such as a special dividend or a spin-off: returns include it.",
    "suspected_split": "Its price moved as in a split of {ratio} that the source did not adjust for: "
    "the usable history begins on that day.",
    "jump": "The adjusted price moved by more than 19 % on {count}: the moves are used.",
    "bad_bars": "{count} with impossible prices, the first {date}: dropped.",
    "bad_prices": "Too many of its prices are impossible, the first {date}: it counts as having no price.",
    "unconfirmed_price": "The last price is too far from the one before: it waits for a second one that confirms it.",
    "long_gap": "There is no price for up to {days} days in a row: the price before is used for them.",
    "history_cut": "There is no price for {days} days: the usable history begins after them.",
    "thin_prices": "Its price stays the same on more than 10 % of the days: its risk may be understated.",
    "asynchronous_prices": "Its days are not those of the benchmark: its correlations may be understated.",
    "close_is_adjusted": "Its file has adjusted closes only: they stand for its prices, "
    "so values for earlier days are too low by later dividends.",
    "benchmark_without_dividends": "The benchmark's prices are without dividends: "
    "alpha and information ratio are too high by about its dividend yield.",
    "old_prices": "The last price of the benchmark is {days} weekdays older than the request: "
    "check the source of prices.",
    "duplicate_days": "The source gave more than one price for {count}: the last one counts.",
    "unordered_days": "The source gave {count} out of order: they were sorted.",
    "behind_market": "There is no price yet for {count}: the last known price counts.",
    "renamed": "It is called {new_symbol}{since}: change the symbol where it is held or watched.",
    "delisted": "It is no longer traded{since}: the last price known counts as long as there is one.",
    "suspected_minor_unit": "The purchase price is about a hundred times the price, or a hundredth of it: "
    "check whether one of them is in pence or another minor unit.",
}


def weekdays_between(earlier: date, later: date) -> int:
    """Return the number of weekdays from ``earlier`` on, before ``later``."""
    return int(np.busday_count(earlier, later))


def symbol_issue(symbol: str | None, issue: PriceIssue) -> SymbolIssue:
    """Return the issue with its symbol, ``None`` if it is of the whole run, and its sentence."""
    return SymbolIssue(
        symbol, issue.kind, issue.date, describe(issue), issue.ratio, issue.count, issue.days, issue.new_symbol
    )


def describe(issue: PriceIssue) -> str:
    """Return a sentence about an issue, with the action that was taken or is needed."""
    count = "" if issue.count is None else f"{issue.count} {'day' if issue.count == 1 else 'days'}"
    if issue.date is not None and issue.kind != "bad_bars":
        count += f", the first {issue.date}"
    return _SENTENCES[issue.kind].format(
        ratio=issue.ratio,
        count=count,
        days=issue.days,
        date=issue.date,
        new_symbol=issue.new_symbol,
        since=f" since {issue.date}" if issue.date else "",
    )


def assumed_currency(default: str, symbols: Sequence[str] = ()) -> SymbolIssue:
    """Return the issue of symbols without an instrument that says their currency, of a whole run if none is named."""
    text = f"{named(symbols) or 'Symbols'} without a currency in instruments: taken to be in {default}."
    return SymbolIssue(None, "assumed_currency", None, text, count=len(symbols) or None)


def named(symbols: Sequence[str]) -> str:
    """Return the symbols in words, of many the first ones and the number of the others."""
    more = len(symbols) - _MOST_NAMED
    return ", ".join(symbols[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def issue_of(kind: PriceIssueKind, days: Dates) -> Iterator[PriceIssue]:
    """Yield the issue of these days, if there are any."""
    if len(days):
        yield PriceIssue(kind, as_date(days.min()), count=len(days))


def row_issues(rows: CleanBars, since: np.datetime64) -> Iterator[PriceIssue]:
    """Yield the issues of the rows that were dropped, from the day ``since`` on."""
    if rows.too_many:
        yield PriceIssue("bad_prices", as_date(rows.bad_days[0]), count=len(rows.bad_days))
        return
    yield from issue_of("bad_bars", rows.bad_days[rows.bad_days >= since])
    if rows.unconfirmed is not None:
        yield PriceIssue("unconfirmed_price", rows.unconfirmed)


def history_issues(own: PriceHistory, calendar: Calendar, since: np.datetime64) -> Iterator[PriceIssue]:
    """Yield the issues of the prices of a symbol, from the day ``since`` of the calendar on."""
    yield from row_issues(own.rows, since)
    dates = own.bars.dates

    def day(row: int) -> date:
        return as_date(dates[row])

    first = _first_row_counting_on(dates, calendar, len(calendar.dates) - RECENT_DAYS)
    for row, split in told_splits(own.bars, first):
        ratio = None if split is None else ratio_text(split)
        yield PriceIssue("distribution" if split is None else "split", day(row), ratio=ratio)
    for row, split in own.suspected.items():
        if dates[row] >= since:
            yield PriceIssue("suspected_split", day(row), ratio=ratio_text(split))
    yield from issue_of("jump", dates[[row for row in own.jumps if dates[row] >= since]])
    carried = [gap for gap in own.gaps if gap.carried and dates[gap.row] >= since]
    if carried:
        longest = max(gap.days for gap in carried)
        yield PriceIssue("long_gap", day(carried[0].row), count=len(carried), days=longest)
    for gap in own.gaps:
        if not gap.carried and dates[gap.row] >= since:
            yield PriceIssue("history_cut", day(gap.row), days=gap.days)


def _first_row_counting_on(dates: Dates, calendar: Calendar, number: int) -> int:
    """Return the first row whose price counts on day ``number`` of the calendar or later."""
    return int(dates.searchsorted(calendar.dates[number - 1], "right")) if number > 0 else 0


def return_issues(own: PriceHistory, calendar: Calendar, first: int, zero_share: float) -> Iterator[PriceIssue]:
    """Yield the issues of a symbol's returns: ``zero_share`` of them are 0, from day ``first`` of the calendar on."""
    if zero_share > _MOST_ZERO_RETURNS:
        yield PriceIssue("thin_prices")
    if _share_of_other_days(own, calendar, first) > _MOST_OTHER_DAYS:
        yield PriceIssue("asynchronous_prices")


def _share_of_other_days(own: PriceHistory, calendar: Calendar, first: int) -> float:
    """Return the share of days on which only one of symbol and calendar has a price, apart from long gaps."""
    market = calendar.dates[first : own.day + 1]
    dates = own.bars.dates[own.bars.dates.searchsorted(market[0]) :]
    if np.array_equal(dates, market):
        return 0.0
    ends = calendar.numbers(own.bars.dates[[gap.row for gap in own.gaps]])
    in_gaps = sum(max(min(gap.days, end - first), 0) for gap, end in zip(own.gaps, ends.tolist(), strict=True))
    common = int(np.isin(dates, market, assume_unique=True).sum())
    expected = len(market) - in_gaps
    return float((expected - common + len(dates) - common) / expected)


def run_issues(
    histories: PriceHistories,
    benchmark_symbol: str | None,
    days: int,
    asked_on: date | None,
    source_issues: Sequence[SymbolIssue],
) -> Iterator[SymbolIssue]:
    """Yield the issues of the whole run: of the benchmark over the last ``days`` of the calendar, and of its age."""
    benchmark, dates = histories.benchmark, histories.calendar.dates[-days:]
    for issue in row_issues(benchmark, dates[0]):
        yield symbol_issue(benchmark_symbol, issue)
    bars = benchmark.bars.at(slice(-len(dates), None))
    adjusted = (benchmark_symbol, "close_is_adjusted") in {(issue.symbol, issue.kind) for issue in source_issues}
    if len(dates) > _DIVIDEND_DAYS and np.array_equal(bars.close, bars.adj_close) and not adjusted:
        yield symbol_issue(benchmark_symbol, PriceIssue("benchmark_without_dividends"))
    last = histories.last_benchmark_date
    if asked_on is not None and (age := weekdays_between(last, asked_on)) > OLD_WEEKDAYS:
        yield symbol_issue(None, PriceIssue("old_prices", last, days=age))
