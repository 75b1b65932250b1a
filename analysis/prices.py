"""The daily prices of one symbol, and which of a source's rows count."""

from collections.abc import Iterator
from copy import replace
from datetime import date
from fractions import Fraction

import numpy as np

from analysis.models import Booleans, Dates, Floats, Integers
from analysis.splits import split_of, told_split_of, unadjusted_split_of
from records import Record

LOWEST_PRICE, HIGHEST_PRICE = 1e-30, 1e12
"""The range of readable prices; the square of the largest possible return is far from overflowing."""

_MOST_BAD_ROWS, _ROWS_PER_BAD_ROW = 5, 100
_SPIKE, _AGREEING = 2, 1.05  # of a close beside its neighbors, and of these beside each other
_ABSURD, _CONFIRMING = 5, 0.5
_LARGEST_FALL = 50


class Bars(Record, frozen=True):
    """Daily bars of one symbol, oldest first, one row per date, all arrays of shape ``(days,)``.

    ``dates`` is ``datetime64[D]``, strictly ascending. The bars of a source may contain NaN for what could not be read,
    and impossible prices: see :func:`clean`. A ``high`` or ``low`` is NaN on a day without one, and the whole column
    ``None`` if the source has none. ``split`` are the new shares for an old one that the source tells for a day: NaN or
    1 for none, and the whole column ``None`` if it tells of no split.
    """

    dates: Dates
    close: Floats
    adj_close: Floats
    high: Floats | None = None
    low: Floats | None = None
    split: Floats | None = None

    def at(self, days: slice | Integers | Booleans) -> "Bars":
        """Return the bars of some of the days."""
        optional = (None if column is None else column[days] for column in (self.high, self.low, self.split))
        return Bars(self.dates[days], self.close[days], self.adj_close[days], *optional)

    def told_split(self, row: int) -> Fraction | None:
        """Return the split that the source tells for the day of a row, new shares for an old one, if it tells one."""
        return None if self.split is None else told_split_of(float(self.split[row]))

    def told_splits(self) -> list[tuple[int, Fraction]]:
        """Return the rows for which the source tells a split, with it."""
        if self.split is None:
            return []
        rows = np.flatnonzero(~np.isnan(self.split) & (self.split != 1)).tolist()
        return [(row, split) for row in rows if (split := self.told_split(row)) is not None]

    def between(self, start: date, end: date) -> "Bars":
        """Return the bars from ``start`` to ``end``, both included."""
        return self.at(slice(int(self.dates.searchsorted(np.datetime64(start, "D"))), days_until(self, end)))

    def since(self, start: date) -> "Bars":
        """Return the bars from ``start`` on."""
        return self.at(slice(int(self.dates.searchsorted(np.datetime64(start, "D"))), None))


class CleanBars(Record, frozen=True):
    """The rows of a source that count: every close of ``bars`` is a price, every high and low a price or NaN.

    ``bad_days`` are the dates of the rows that were dropped; with ``too_many`` of them the symbol has no price at all.
    ``unconfirmed`` is a last day that does not count until a second one confirms it.
    """

    bars: Bars
    bad_days: Dates
    too_many: bool
    unconfirmed: date | None


def days_until(bars: Bars, last: date) -> int:
    """Return the number of days of ``bars`` up to ``last``."""
    return int(bars.dates.searchsorted(np.datetime64(last, "D"), "right"))


def as_date(day: np.datetime64) -> date:
    """Return numpy's day as a date."""
    value: date = day.astype("datetime64[D]").item()
    return value


# Ratios of absurd closes overflow; they are as large as infinity here.
@np.errstate(over="ignore")
def clean(bars: Bars, last: date) -> CleanBars:
    """Return the rows up to ``last`` that count.

    A row is bad if its close or adjusted close is no price (adjusted closes count only if there is one), if its high is
    below its low, or if its close stands out from its neighbors as no trade does.
    """
    rows = bars.at(slice(days_until(bars, last)))
    known = _are_prices(rows.adj_close)
    if not known.any():
        rows, known = replace(rows, adj_close=rows.close), np.ones_like(known)
    sound = _are_prices(rows.close) & known
    if rows.high is not None and rows.low is not None:
        high, low = _prices_or_nan(rows.high), _prices_or_nan(rows.low)
        sound &= ~(high < low)
        rows = replace(rows, high=high, low=low)
    kept = rows if sound.all() else rows.at(sound)
    outliers = list(_outliers(kept))
    unconfirmed = None
    if outliers:
        days = kept.dates[outliers]
        # A last row has no neighbor to tell that it is bad.
        if outliers[-1] == len(kept.dates) - 1:
            unconfirmed, days = as_date(days[-1]), days[:-1]
        sound[np.isin(rows.dates, days)] = False
        kept = kept.at(np.setdiff1d(np.arange(len(kept.dates)), outliers))
    bad_days = rows.dates[~sound]
    too_many = len(bad_days) > max(_MOST_BAD_ROWS, len(rows.dates) // _ROWS_PER_BAD_ROW)
    return CleanBars(kept, bad_days, too_many, unconfirmed)


def _are_prices(numbers: Floats) -> Booleans:
    return (numbers >= LOWEST_PRICE) & (numbers <= HIGHEST_PRICE)


def _prices_or_nan(numbers: Floats) -> Floats:
    good = _are_prices(numbers)
    return numbers if good.all() else np.where(good, numbers, np.nan)


def _outliers(bars: Bars) -> Iterator[int]:
    """Yield the rows whose close stands out from the last row kept and the next; a last row if it is unconfirmed."""
    steps = bars.close[1:] / bars.close[:-1]
    doubtful = np.flatnonzero((steps > _SPIKE) | (steps < 1 / _SPIKE)) + 1
    if not doubtful.size:
        return
    close, adj_close = bars.close.tolist(), bars.adj_close.tolist()
    row = int(doubtful[0])
    kept = row - 1
    while row < len(close):
        split = bars.told_split(row) or split_of(close[kept] / close[row] * (adj_close[row] / adj_close[kept]))
        is_absurd = split is None and (close[row] > _ABSURD * close[kept] or _ABSURD * close[row] < close[kept])
        if row == len(close) - 1:
            outlier = is_absurd and _is_unconfirmed(close[kept], close[row])
        else:
            outlier = _stands_out(close[kept], close[row], close[row + 1], is_absurd=is_absurd)
        if outlier:
            yield row
            row += 1
            continue
        # This row counts, and so do those up to the next doubtful one, for each is near the row before it.
        following = doubtful[doubtful.searchsorted(row, "right") :]
        row = int(following[0]) if following.size else len(close)
        kept = row - 1


def _stands_out(before: float, close: float, after: float, *, is_absurd: bool) -> bool:
    agree = max(before, after) <= _AGREEING * min(before, after)
    if agree and (close > _SPIKE * max(before, after) or _SPIKE * close < min(before, after)):
        return True
    return is_absurd and abs(after / close - 1) > _CONFIRMING


def _is_unconfirmed(before: float, close: float) -> bool:
    fall = unadjusted_split_of(before / close)
    return fall is None or not 1 < fall <= _LARGEST_FALL
