"""Cut bars to the requested days."""

from datetime import date

import numpy as np

from analysis.prices import Bars
from market_data.provider import MissingPrices


def bars_between(bars: Bars, symbol: str, start: date, end: date) -> Bars:
    """Return the bars from ``start`` to ``end``, both included.

    Raises:
        MissingPrices: there is none.
    """
    first = np.searchsorted(bars.dates, np.datetime64(start), side="left")
    last = np.searchsorted(bars.dates, np.datetime64(end), side="right")
    if first >= last:
        raise MissingPrices(symbol)
    return bars.at(slice(first, last))
