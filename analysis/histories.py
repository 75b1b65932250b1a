"""The usable history of each symbol on the calendar of a run: which of its prices figures and research stand on."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from fractions import Fraction

import numpy as np

from analysis.models import Dates, Floats, Integers
from analysis.prices import Bars, CleanBars, as_date, clean
from analysis.splits import is_corporate_action, split_of, unadjusted_split_of
from records import Record

MAX_GAP = 10
"""The longest gap in trading days that is carried forward, and the maximum age of a last price that is not stale."""

LONGEST_GAP = 60
"""The longest gap in trading days that is carried forward if the price after it is near that before."""

LARGE_MOVE = 0.19
"""A larger daily return, by adjusted closes, is told, or suspected to be a split that nobody adjusted for."""

_NEAR = 0.5
_MARKET_MOVE = 0.05
_UNADJUSTED = 0.01  # the ratios of closes and adjusted closes then differ by less


class NoBenchmarkDateError(ValueError):
    """The benchmark has no price on or before the requested date, so there is no date to analyze."""

    def __init__(self, benchmark: Bars, requested: date | None) -> None:
        rows = clean(benchmark, date.max).bars
        begin = f": its prices begin on {as_date(rows.dates[0])}" if len(rows.dates) else ""
        super().__init__(f"the benchmark has no price{f' up to {requested}' if requested else ''}{begin}")


class Calendar(Record, frozen=True):
    """The trading days: ``dates`` of the benchmark, ascending, and its return on each, 0 on the first; ``(days,)``."""

    dates: Dates
    returns: Floats

    def numbers(self, dates: Dates) -> Integers:
        """Return the number of the day on which the price of each date counts: the first day not before it.

        Before the first day, weekdays count downwards.
        """
        numbers = self.dates.searchsorted(dates)
        before = dates < self.dates[0]
        if before.any():
            numbers[before] = -np.busday_count(dates[before], self.dates[0])
        return numbers


class Gap(Record, frozen=True):
    """More than :data:`MAX_GAP` days without a price, before that of ``row``.

    Unless it is ``carried``, the usable history begins after it.
    """

    row: int
    days: int
    carried: bool


class PriceHistory(Record, frozen=True):
    """The prices of a symbol up to the as-of date.

    The usable history begins at row ``start`` of ``bars``, of which there is at least one. ``day`` is the number of
    the last priced day. ``suspected`` are the splits that nobody adjusted for, by row, and ``jumps`` the rows of other
    moves of that size. ``later_splits`` is the product of the splits after the last price, new shares for an old one.
    """

    rows: CleanBars
    start: int
    day: int
    stale: bool
    gaps: tuple[Gap, ...]
    suspected: Mapping[int, Fraction]
    jumps: tuple[int, ...]
    later_splits: Fraction

    @property
    def bars(self) -> Bars:
        """Return the rows that count."""
        return self.rows.bars

    def actions(self, first: int) -> "tuple[Dates, Dates]":
        """Return the days of splits, told or suspected, and those of distributions, from row ``first`` on."""
        told = dict(told_splits(self.bars, first))
        splits = [*(row for row, split in told.items() if split is not None), *self.suspected]
        distributions = [row for row, split in told.items() if split is None]
        return self.bars.dates[splits], self.bars.dates[distributions]

    def last_row_before(self, day: int, calendar: Calendar) -> int:
        """Return the last row whose price counts before ``day`` of the calendar; -1 if there is none."""
        if day > 0:
            return int(self.bars.dates.searchsorted(calendar.dates[day - 1], "right")) - 1
        return int((calendar.numbers(self.bars.dates) < day).sum()) - 1


class PriceHistories(Record, frozen=True):
    """The histories of some symbols on one calendar, which ends at the as-of date.

    ``bad`` are the rows of symbols of which too many are bad; symbols without a price are in neither.
    """

    calendar: Calendar
    benchmark: CleanBars
    last_benchmark_date: date
    usable: Mapping[str, PriceHistory]
    bad: Mapping[str, CleanBars]

    @property
    def as_of(self) -> date:
        """Return the last day of the calendar."""
        return as_date(self.calendar.dates[-1])


def resolve_as_of(benchmark: Bars, requested: date | None = None) -> date:
    """Return the last benchmark date that is not after ``requested``, or the last of all.

    Raises:
        NoBenchmarkDateError: there is no such date.
    """
    rows = clean(benchmark, requested or date.max).bars
    if not len(rows.dates):
        raise NoBenchmarkDateError(benchmark, requested)
    return as_date(rows.dates[-1])


def read_histories(bars: Mapping[str, Bars], benchmark: Bars, as_of: date) -> PriceHistories:
    """Return the histories of symbols up to ``as_of``, a benchmark date as :func:`resolve_as_of` returns it.

    The rows after it are used for later splits only.

    Raises:
        NoBenchmarkDateError: the benchmark has no date up to ``as_of``.
    """
    benchmark_rows = clean(benchmark, as_of)
    if not len(benchmark_rows.bars.dates):
        raise NoBenchmarkDateError(benchmark, as_of)
    everything = clean(benchmark, date.max)
    calendar, whole_calendar = _calendar(benchmark_rows.bars), _calendar(everything.bars)
    usable: dict[str, PriceHistory] = {}
    bad: dict[str, CleanBars] = {}
    for symbol, own in bars.items():
        rows = clean(own, as_of)
        if rows.too_many:
            bad[symbol] = rows
        elif len(rows.bars.dates):
            usable[symbol] = _history(rows, calendar, _later_splits(own, rows.bars.dates[-1], whole_calendar))
    last_date = as_date(everything.bars.dates[-1])
    # The newest date may be the last only because the rows after it do not count, which is to be told.
    told = everything if last_date == as_date(calendar.dates[-1]) else benchmark_rows
    return PriceHistories(calendar, told, last_date, usable, bad)


def _calendar(benchmark: Bars) -> Calendar:
    prices = benchmark.adj_close
    returns = np.zeros(len(prices))
    returns[1:] = prices[1:] / prices[:-1] - 1
    return Calendar(benchmark.dates, returns)


def _history(rows: CleanBars, calendar: Calendar, later_splits: Fraction) -> PriceHistory:
    bars = rows.bars
    moves = bars.adj_close[1:] / bars.adj_close[:-1] - 1
    gaps = tuple(_gaps(bars, calendar))
    cuts = [gap.row for gap in gaps if not gap.carried]
    # A move across a gap that ends the history is of no day.
    large = np.setdiff1d(np.flatnonzero(np.abs(moves) > LARGE_MOVE) + 1, cuts)
    suspected = dict(_suspected_splits(bars, large, calendar))
    day = int(calendar.numbers(bars.dates[-1:])[0])
    return PriceHistory(
        rows=rows,
        start=max([0, *suspected, *cuts]),
        day=day,
        stale=len(calendar.dates) - 1 - day > MAX_GAP,
        gaps=gaps,
        suspected=suspected,
        jumps=tuple(row for row in large.tolist() if row not in suspected),
        later_splits=later_splits,
    )


def _gaps(bars: Bars, calendar: Calendar) -> Iterator[Gap]:
    # There are never more trading days between two dates than days.
    for row in (np.flatnonzero(np.diff(bars.dates) > np.timedelta64(MAX_GAP, "D")) + 1).tolist():
        before, after = calendar.numbers(bars.dates[row - 1 : row + 1]).tolist()
        days = after - before - 1
        if days > MAX_GAP:
            change = bars.adj_close[row] / bars.adj_close[row - 1] - 1
            yield Gap(row, days, days <= LONGEST_GAP and bool(abs(change) <= _NEAR))


def _suspected_splits(bars: Bars, rows: Integers, calendar: Calendar) -> Iterator[tuple[int, Fraction]]:
    """Yield those of ``rows``, whose moves are large, on which a split seems to have happened."""
    if not rows.size:
        return
    days = calendar.numbers(bars.dates[rows])
    market = np.where((days >= 0) & (days < len(calendar.dates)), calendar.returns.take(days, mode="clip"), 0.0)
    moves = bars.adj_close[rows] / bars.adj_close[rows - 1] - 1
    with_the_market = (np.abs(market) > _MARKET_MOVE) & (np.sign(market) == np.sign(moves))
    ratios = bars.close[rows - 1] / bars.close[rows]
    unadjusted = np.abs(_factors(bars, rows) - 1) < _UNADJUSTED
    for index in np.flatnonzero(unadjusted).tolist():
        row = int(rows[index])
        split = bars.told_split(row)
        if split is None and not with_the_market[index]:
            split = unadjusted_split_of(float(ratios[index]))
        if split is not None:
            yield row, split


def _factors(bars: Bars, rows: Integers) -> Floats:
    """Return (close before / close) (adjusted close / that before) of some rows."""
    before = rows - 1
    factors: Floats = bars.close[before] / bars.close[rows] * (bars.adj_close[rows] / bars.adj_close[before])
    return factors


def told_splits(bars: Bars, first: int) -> Iterator[tuple[int, Fraction | None]]:
    """Yield the rows from ``first`` on with a corporate action, and its split; ``None`` if it is a distribution.

    A split that the source tells counts before the one that its prices show.
    """
    rows = np.arange(max(first, 1), len(bars.dates))
    for row, factor in zip(rows.tolist(), _factors(bars, rows).tolist(), strict=True):
        told = bars.told_split(row)
        if told is not None or is_corporate_action(factor):
            yield row, told or split_of(factor)


def _later_splits(own: Bars, last: np.datetime64, whole_calendar: Calendar) -> Fraction:
    """Return the product of all splits after the day ``last``, told and suspected."""
    if own.dates[-1] <= last:
        return Fraction(1)
    bars = clean(own, date.max).bars
    first = max(int(bars.dates.searchsorted(last, "right")), 1)
    rows = np.arange(first, len(bars.dates))
    moves = bars.adj_close[rows] / bars.adj_close[rows - 1] - 1
    suspected = _suspected_splits(bars, rows[np.abs(moves) > LARGE_MOVE], whole_calendar)
    splits = {**dict(suspected), **dict(told_splits(bars, first))}
    return _product(split for split in splits.values() if split is not None)


def _product(ratios: Iterable[Fraction]) -> Fraction:
    product = Fraction(1)
    for ratio in ratios:
        product *= ratio
    return product
