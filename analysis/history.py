"""Which of a symbol's daily bars count: the days that are known, and how long a gap may be."""

from datetime import date

import numpy as np

from analysis.models import Bars, Booleans, Dates, Floats, Integers

MAX_GAP = 5
"""Trading days without a price that are carried forward, and the age at which a last price is not yet stale."""


def known_bars(bars: Bars, as_of: date) -> Bars:
    """Give the days up to ``as_of``; one whose close, raw or adjusted, is no finite positive number is no day at all.

    Highs and lows are kept where they are such numbers on every day that is left.
    """
    days = days_until(bars, as_of)
    close, adj_close = bars.close[:days], bars.adj_close[:days]
    known = _are_prices(close) & _are_prices(adj_close)
    kept = slice(days) if known.all() else np.flatnonzero(known)
    high = None if bars.high is None else bars.high[kept]
    low = None if bars.low is None else bars.low[kept]
    if high is None or low is None or not (_are_prices(high) & _are_prices(low)).all():
        high = low = None
    return Bars(bars.dates[kept], bars.close[kept], bars.adj_close[kept], high, low)


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
