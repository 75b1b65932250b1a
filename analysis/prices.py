"""The daily prices of one symbol: which days count, and their issues.

Doubtful prices are used nevertheless; their issues are shown beside the figures.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np

from analysis.models import Booleans, Dates, Floats, Integers, record
from records import PriceIssue, PriceIssueKind, SymbolIssue

MAX_GAP = 5
"""The longest gap in trading days that is carried forward, and the maximum age of a last price that is not stale."""

LARGEST_MOVE = 0.6
"""A larger daily return, by adjusted closes, is probably an unadjusted split or a wrong price."""

_SENTENCES: dict[PriceIssueKind, str] = {
    "duplicate_days": "The source gave more than one price for {days}: the last one counts.",
    "unordered_days": "The source gave {days}, out of order: they were sorted.",
    "jump": "The adjusted price moved by more than 60 % on {days}: check for an unadjusted split.",
    "behind_market": "There is no price yet for {days}: the last known price counts.",
    "renamed": "It is called {new_symbol}{since}: change the symbol where it is held or watched.",
    "delisted": "It is no longer traded{since}: the last price known counts as long as there is one.",
}


@record
class Bars:
    """Daily bars of one symbol, oldest first, one row per date, all arrays of shape ``(days,)``.

    ``dates`` is ``datetime64[D]``, strictly ascending; every price is finite and positive. ``high`` and ``low`` are
    ``None`` unless the source has both for every day, ``volume`` (shares traded, not negative) unless it has that for
    every day.
    """

    dates: Dates
    close: Floats
    adj_close: Floats
    high: Floats | None = None
    low: Floats | None = None
    volume: Floats | None = None

    def at(self, days: slice | Integers | Booleans) -> "Bars":
        """Return the bars of some of the days."""
        optional = (None if column is None else column[days] for column in (self.high, self.low, self.volume))
        return Bars(self.dates[days], self.close[days], self.adj_close[days], *optional)

    def between(self, start: date, end: date) -> "Bars":
        """Return the bars from ``start`` to ``end``, both included."""
        return self.at(slice(int(self.dates.searchsorted(np.datetime64(start, "D"))), days_until(self, end)))


def known_bars(bars: Bars, as_of: date) -> Bars:
    """Return the days up to ``as_of`` whose close, raw and adjusted, is a finite positive number.

    Highs and lows remain if they are such numbers on every remaining day.
    """
    bars = bars.at(slice(days_until(bars, as_of)))
    known = _are_prices(bars.close) & _are_prices(bars.adj_close)
    if not known.all():
        bars = bars.at(known)
    if bars.high is None or bars.low is None or not (_are_prices(bars.high) & _are_prices(bars.low)).all():
        return replace(bars, high=None, low=None)
    return bars


def days_until(bars: Bars, last: date) -> int:
    """Return the number of days of ``bars`` up to ``last``."""
    return int(bars.dates.searchsorted(np.datetime64(last, "D"), "right"))


def trading_day_numbers(dates: Dates, trading_days: Dates) -> Integers:
    """Return the number of the last of ``trading_days`` up to each date; before the first, weekdays count downwards."""
    numbers = trading_days.searchsorted(dates, "right") - 1
    before = numbers < 0
    numbers[before] = -np.busday_count(dates[before], trading_days[0])
    return numbers


def find_issues(bars: Bars, trading_days: Dates) -> tuple[PriceIssue, ...]:
    """Return the issues of ``bars`` (at least one day) on ``trading_days``, the last of which is the as-of date.

    Days before the first of ``trading_days`` or after the last are not checked.
    """
    until = bars.at(slice(bars.dates.searchsorted(trading_days[-1], "right")))
    recent = until.at(slice(until.dates.searchsorted(trading_days[0]), None))
    return tuple(_find(until.dates, recent, trading_days))


def symbol_issue(symbol: str, issue: PriceIssue) -> SymbolIssue:
    """Return the issue with its symbol and its sentence."""
    return SymbolIssue(symbol, issue.kind, issue.date, describe(issue), count=issue.count, new_symbol=issue.new_symbol)


def describe(issue: PriceIssue) -> str:
    """Return a sentence about an issue, with the action that was taken or is needed."""
    since = f" since {issue.date}" if issue.date else ""
    days = f"{issue.count} {'day' if issue.count == 1 else 'days'}{f', the first {issue.date}' if issue.date else ''}"
    return _SENTENCES[issue.kind].format(days=days, since=since, new_symbol=issue.new_symbol)


def _are_prices(numbers: Floats) -> Booleans:
    return (numbers > 0) & (numbers < np.inf)


def _find(known: Dates, recent: Bars, trading_days: Dates) -> Iterator[PriceIssue]:
    """Yield the issues of the ``recent`` bars; ``known`` are all dates with a price up to the as-of date."""
    moves = recent.adj_close[1:] / recent.adj_close[:-1] - 1
    yield from issue_of("jump", recent.dates[1:][np.abs(moves) > LARGEST_MOVE])
    if len(known):
        yield from issue_of("behind_market", trading_days[trading_days > known[-1]])


def issue_of(kind: PriceIssueKind, days: Dates) -> Iterator[PriceIssue]:
    """Yield the issue of these days, if there are any."""
    if len(days):
        yield PriceIssue(kind, days.min().astype("datetime64[D]").item(), count=len(days))
