"""Which of a symbol's daily bars count: the days that are known, and how long a gap may be."""

from dataclasses import replace
from datetime import date

import numpy as np

from analysis.models import Bars, Booleans, Dates, Floats, Integers

MAX_GAP = 5
"""Trading days without a price that are carried forward, and the age at which a last price is not yet stale."""


def known_bars(bars: Bars, as_of: date) -> Bars:
    """Give the days up to ``as_of``; one whose close, raw or adjusted, is no finite positive number is no day at all.

    Highs and lows are kept where they are such numbers on every day that is left.
    """
    bars = bars.at(slice(days_until(bars, as_of)))
    known = _are_prices(bars.close) & _are_prices(bars.adj_close)
    if not known.all():
        bars = bars.at(known)
    if bars.high is None or bars.low is None or not (_are_prices(bars.high) & _are_prices(bars.low)).all():
        return replace(bars, high=None, low=None)
    return bars


def _are_prices(numbers: Floats) -> Booleans:
    return (numbers > 0) & (numbers < np.inf)


def days_until(bars: Bars, last: date) -> int:
    """Count the days of ``bars`` up to ``last``."""
    return int(bars.dates.searchsorted(np.datetime64(last, "D"), "right"))


def trading_day_numbers(dates: Dates, trading_days: Dates) -> Integers:
    """Give the number of the last of ``trading_days`` up to each date; before the first, weekdays count downwards."""
    numbers = trading_days.searchsorted(dates, "right") - 1
    before = numbers < 0
    numbers[before] = -np.busday_count(dates[before], trading_days[0])
    return numbers
