"""The days behind what a person earned, by week: the data of a chart."""

from collections.abc import Iterator
from datetime import date

import numpy as np

from analysis.measures import optional_rows
from analysis.returns.outcomes import DailyReturns
from records import Record

_MONDAY = 3  # 1970-01-01, day 0, was a Thursday
_WEEK = 7


class WeeklyReturns(Record, frozen=True):
    """The last trading day of each ISO week, and the last day; amounts are in the base currency.

    ``invested`` is the start value and the flows up to the day. Both indexes are 1 at the start of the sound period,
    ``None`` where they are undefined.
    """

    days: tuple[date, ...]
    value: tuple[float | None, ...]
    invested: tuple[float | None, ...]
    twr_index: tuple[float | None, ...]
    benchmark_index: tuple[float | None, ...]

    def rows(self) -> Iterator[tuple[date, float | None, float | None, float | None, float | None]]:
        """Return the weeks one by one."""
        return zip(self.days, self.value, self.invested, self.twr_index, self.benchmark_index, strict=True)


def weekly_returns(daily: DailyReturns, first: date | None = None, last: date | None = None) -> WeeklyReturns:
    """Return the weeks of ``daily`` from ``first`` to ``last``, both inclusive; all of them by default.

    The days of no week are empty tuples, as where ``first`` is after ``last``.
    """
    days = daily.days
    begin = 0 if first is None else int(days.searchsorted(np.datetime64(first, "D")))
    end = len(days) if last is None else int(days.searchsorted(np.datetime64(last, "D"), "right"))
    weeks = (days[begin:end].astype(np.int64) + _MONDAY) // _WEEK
    rows = np.flatnonzero(np.diff(weeks, append=-1)) + begin if end > begin else np.empty(0, np.int64)
    series = optional_rows(each[rows] for each in (daily.value, daily.invested, daily.twr_index, daily.benchmark_index))
    return WeeklyReturns(tuple(days[rows].tolist()), *map(tuple, series))
