"""What the price history of one symbol says, whoever holds it."""

from datetime import date

import numpy as np

from analysis import measures
from analysis.arrays import optional
from analysis.models import Bars, Floats, Research

_SHORT_AVERAGE, _LONG_AVERAGE = 50, 200
_MONTH, _YEAR = 21, 252
_VOLATILITY_DAYS = 63

# Averaging equal prices leaves rounding, which is no trend.
_SAME_PRICE = 1e-12


def research_symbol(symbol: str, bars: Bars, as_of: date) -> Research | None:
    """Research one symbol over its own ``bars`` up to ``as_of``; ``None`` if there are none.

    All figures but ``close`` are from adjusted closes, and each is ``None`` where the history is too short for it.
    """
    days = int(bars.dates.searchsorted(np.datetime64(as_of, "D"), "right"))
    if days == 0:
        return None
    prices = bars.adj_close[:days]
    return Research(
        symbol=symbol,
        as_of=as_of,
        close=float(bars.close[days - 1]),
        trend=_trend(prices),
        momentum_12_1=_momentum(prices),
        annual_volatility_63d=_recent_volatility(prices),
    )


def _trend(prices: Floats) -> int | None:
    if len(prices) < _LONG_AVERAGE:
        return None
    close, short, long = (
        float(prices[-1]),
        float(prices[-_SHORT_AVERAGE:].mean()),
        float(prices[-_LONG_AVERAGE:].mean()),
    )
    if _above(close, short) and _above(short, long):
        return 1
    if _above(short, close) and _above(long, short):
        return -1
    return 0


def _above(price: float, other: float) -> bool:
    return price > other * (1 + _SAME_PRICE)


def _momentum(prices: Floats) -> float | None:
    if len(prices) <= _YEAR:
        return None
    return optional(prices[[-1 - _MONTH]] / prices[[-1 - _YEAR]] - 1)[0]


def _recent_volatility(prices: Floats) -> float | None:
    if len(prices) <= _VOLATILITY_DAYS:
        return None
    recent = prices[-1 - _VOLATILITY_DAYS :]
    return optional(measures.annual_volatility((recent[1:] / recent[:-1] - 1)[:, None]))[0]
