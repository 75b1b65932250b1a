"""The payments of a share that its closes and adjusted closes imply."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import log

import numpy as np

from analysis.models import Booleans, Dates, Floats, Integers
from analysis.prices import Bars, as_date
from analysis.splits import SMALLEST_ACTION

SMALLEST_PAYMENT = 0.0005
"""The smallest payment, as a share of the close before; smaller steps of the adjusted closes are none."""

LARGEST_PAYMENT = 1 - 1 / SMALLEST_ACTION
"""The largest payment, as a share of the close before; more is a split or a distribution."""

MOST_PER_YEAR = 13

_MONTHS = 12
ROWS_OF_A_YEAR = 370
"""Rows that are sure to contain the last twelve months, with the days before them."""
_ROUNDING = 1e-12
_COMMON_DECIMALS, _MOST_DECIMALS = 2, 10
_NEIGHBORS = 5
"""The days on both sides of a step of adjusted closes whose level must differ by it."""


@dataclass(frozen=True, slots=True, eq=False)
class Payments:
    """The payments of a share of each symbol that prices imply, in the last twelve months up to ``as_of``.

    Attributes:
        column: of the symbol, ``(payments,)``.
        day, amount: when and how much, in the currency of the table.
        without: whether all adjusted closes of a symbol are its closes, so that nothing is known, ``(symbols,)``.
    """

    column: Integers
    day: Dates
    amount: Floats
    without: Booleans

    def of(self, columns: Integers) -> "Payments":
        """Return the payments of some of the symbols, which are numbered in this order."""
        place = np.full(len(self.without), -1)
        place[columns] = np.arange(len(columns))
        kept = place[self.column] >= 0
        return Payments(place[self.column[kept]], self.day[kept], self.amount[kept], self.without[columns])


def recent_payments(symbols: Sequence[tuple[Bars, Dates, float]], as_of: date) -> Payments:
    """Return the payments of the last twelve months of symbols.

    They are given as their bars up to ``as_of``, the days of splits, and the new shares of later splits for an old one.
    """
    first = np.datetime64(months_before(as_of, _MONTHS), "D")
    found: list[tuple[Dates, Floats]] = []
    for bars, split_days, later in symbols:
        some = bars.at(slice(-ROWS_OF_A_YEAR, None))
        told = [(as_date(bars.dates[row]), float(split)) for row, split in bars.told_splits()]
        days, amounts = implied_payments(some.dates, some.close, some.adj_close, split_days, told)
        found.append((days[days > first], amounts[days > first] / later))
    return Payments(
        column=np.repeat(np.arange(len(found)), [len(days) for days, _ in found]),
        day=np.concatenate([np.empty(0, "datetime64[D]"), *(days for days, _ in found)]),
        amount=np.concatenate([np.empty(0), *(amounts for _, amounts in found)]),
        without=np.array([np.array_equal(bars.close, bars.adj_close) for bars, *_ in symbols], dtype=np.bool_),
    )


def joined_payments(parts: Sequence[Payments]) -> Payments:
    """Return the payments of all symbols, which are numbered part by part."""
    starts = np.cumsum([0, *(len(part.without) for part in parts)])
    return Payments(
        column=np.concatenate([part.column + start for part, start in zip(parts, starts[:-1], strict=True)]),
        day=np.concatenate([part.day for part in parts]),
        amount=np.concatenate([part.amount for part in parts]),
        without=np.concatenate([part.without for part in parts]),
    )


def months_before(day: date, months: int) -> date:
    """Return the day so many months before, the last of its month where that is shorter."""
    number = day.year * _MONTHS + day.month - 1 - months
    year, month = divmod(number, _MONTHS)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def implied_payments(
    dates: Dates, close: Floats, adj_close: Floats, split_days: Dates, splits: Sequence[tuple[date, float]]
) -> tuple[Dates, Floats]:
    """Return the days and amounts of the payments that prices imply, in the prices' currency and in today's shares.

    On day t it is close(t-1) (1 - adj(t-1)/adj(t) close(t)/close(t-1)), where that is at least 0.05 % of close(t-1) and
    at most 1 - 1/1.2 of it, adj/close steps by more than twice its rounding and stays there, and no split lies on the
    day. Of more than 13 in a year, counted back from the last day, the largest parts of the price count.

    Args:
        dates: ascending, ``(days,)``.
        close: positive, ``(days,)``, raw or in today's shares.
        adj_close: positive, adjusted for splits and payments, ``(days,)``.
        split_days: days on which a split is known or suspected, in any order.
        splits: the known splits, with the new shares for an old one, of any day.
    """
    if len(dates) < 2:  # noqa: PLR2004 - a payment is a step between two days
        return dates[:0], close[:0]
    ratio = adj_close / close
    rounding = ratio * (_rounding_of(close) / close + _rounding_of(adj_close) / adj_close)
    share = 1 - ratio[:-1] / ratio[1:]
    known = np.concatenate([split_days, np.array([day for day, _ in splits], dtype="datetime64[D]")])
    # A split of a day without trading shows on the next one.
    after_splits = np.isin(np.arange(1, len(dates)), dates.searchsorted(known))
    within = (share >= SMALLEST_PAYMENT - _ROUNDING) & (share <= LARGEST_PAYMENT + _ROUNDING)
    steps = ratio[1:] - ratio[:-1] > rounding[1:] + rounding[:-1] + _ROUNDING
    rows = np.flatnonzero(within & steps & ~after_splits) + 1
    starts = np.concatenate([[0], np.flatnonzero(after_splits) + 1, [len(dates)]])
    rows = np.array([row for row in rows.tolist() if _stays(ratio, row, starts)], dtype=np.int64)
    rows = _most_of_each_year(rows, dates, share)
    return dates[rows], close[rows - 1] * share[rows - 1] / _later_shares(dates, close, rows, splits)


def _rounding_of(prices: Floats) -> float:
    """Return the largest error of rounding of prices with as many decimals as these have.

    Whole numbers say nothing about decimals: prices are taken as quoted in hundredths.
    """
    if np.array_equal(prices, np.rint(prices)):
        return 0.5 * 10.0**-_COMMON_DECIMALS
    for decimals in range(1, _MOST_DECIMALS):
        scaled = prices * 10.0**decimals
        if np.all(np.abs(scaled - np.rint(scaled)) <= 1e-9 + 4 * np.finfo(np.float64).eps * scaled):
            return float(0.5 * 10.0**-decimals)
    return 0.0  # so many decimals are no rounding


def _stays(ratio: Floats, row: int, starts: Integers) -> bool:
    """Return whether adj/close is on another level after a step than before, not only on one or two days.

    ``starts`` are the days from which on all are in the same shares, and the end; a comparison stays between two.
    """
    part = int(starts.searchsorted(row, "right"))
    first, end = max(int(starts[part - 1]), row - _NEIGHBORS), min(int(starts[part]), row + _NEIGHBORS)
    rise = float(np.median(ratio[row:end])) - float(np.median(ratio[first:row]))
    return bool(rise > (ratio[row] - ratio[row - 1]) / 2)


def _most_of_each_year(rows: Integers, dates: Dates, share: Floats) -> Integers:
    """Return the rows without those beyond 13 in a year, the smallest of it."""
    months = dates.astype("datetime64[M]")
    # The day of the month makes a month of the last day's begin on the day after it.
    days_in = (dates - months).astype(np.int64) > (dates[-1] - months[-1]).astype(np.int64)
    years = (months[-1] - months).astype(np.int64) - days_in
    years //= 12
    kept = np.zeros(len(dates), dtype=np.bool_)
    for year in set(years[rows].tolist()):
        own = rows[years[rows] == year]
        kept[own[np.argsort(-share[own - 1], kind="stable")[:MOST_PER_YEAR]]] = True
    return np.flatnonzero(kept)


def _later_shares(dates: Dates, close: Floats, rows: Integers, splits: Sequence[tuple[date, float]]) -> Floats:
    """Return how many shares of today one of the close before each row is.

    Where nothing of a split shows in the closes, they are in new shares already.
    """
    shares = np.ones(len(rows))
    for day, ratio in splits:
        row = int(dates.searchsorted(np.datetime64(day, "D")))
        if 0 < row < len(dates):
            fall = log(close[row - 1] / close[row])
            if abs(fall) < abs(fall - log(ratio)):
                continue
        shares[rows < row] *= ratio
    return shares
