"""The daily bars of a symbol that count: known days, and the maximum length of a gap."""

from dataclasses import replace
from datetime import date

import numpy as np

from analysis.models import Bars, Booleans, Dates, Floats, Integers

MAX_GAP = 5
"""The longest gap in trading days that is carried forward, and the maximum age of a last price that is not stale."""


def known_bars(bars: Bars, as_of: date) -> Bars:
    """Return the days up to ``as_of`` whose close, raw and adjusted, is a finite positive number.

    Highs and lows are kept if they are such numbers on every remaining day.
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
    """Return the number of days of ``bars`` up to ``last``."""
    return int(bars.dates.searchsorted(np.datetime64(last, "D"), "right"))


def trading_day_numbers(dates: Dates, trading_days: Dates) -> Integers:
    """Return the number of the last of ``trading_days`` up to each date; before the first, weekdays count downwards."""
    numbers = trading_days.searchsorted(dates, "right") - 1
    before = numbers < 0
    numbers[before] = -np.busday_count(dates[before], trading_days[0])
    return numbers
