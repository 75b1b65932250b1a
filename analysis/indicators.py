"""The formulas of indicators, for many symbols at once.

An indicator takes daily adjusted prices of shape ``(rows, symbols)``, oldest first, NaN before a symbol's first day.
Those of an average that never ends return a figure for every row, the others one for each of the last ``days``, shape
``(days, symbols)``, or the last one alone, shape ``(symbols,)``; NaN if the symbol's history is too short for it.
Definitions and seeding are those of TA-Lib 0.8, without its special cases: a price that never moves has an RSI of 50,
and no %B.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from analysis.measures import TRADING_DAYS, annual_volatility
from analysis.models import Booleans, Floats

MONTH, YEAR = 21, TRADING_DAYS

SAME_PRICE = 1e-12
"""Differences up to this share of the price are rounding: averages of equal prices contain some."""

RETRACEMENTS = (0.0, 0.236, 0.382, 0.5, 0.618, 0.786, 1.0)
"""Shares of a swing at which the retracement levels lie."""

_WILDER_DAYS = 14
_BOLLINGER_DAYS, _BOLLINGER_WIDTH = 20, 4  # from two deviations below the mean to two above it
_FAST, _SLOW, _SIGNAL = 12, 26, 9
_BLOCK = 32
_CANCELED = 1e-4


def simple_averages(prices: Floats, period: int, days: int) -> Floats:
    """Return the mean of the last ``period`` prices (SMA) on each of the last ``days``."""
    return _sums(prices, period, days) / period


def exponential_averages(prices: Floats, period: int) -> Floats:
    """Return the EMA of every row: a + (price - a) 2/(period + 1), seeded with the first mean."""
    return _averages(prices, period, 1 - 2 / (period + 1))


def macd(prices: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the line EMA 12 - EMA 26 and its signal EMA 9 of every row, and line - signal; all need 34 prices."""
    # TA-Lib starts both averages on one day, so the fast one is seeded with the last 12 of the first 26 prices.
    later = np.arange(len(prices))[:, None] >= np.isnan(prices).sum(axis=0) + _SLOW - _FAST
    fast = exponential_averages(np.where(later, prices, np.nan), _FAST)
    lines = fast - exponential_averages(prices, _SLOW)
    signals = exponential_averages(lines, _SIGNAL)
    lines = np.where(np.isnan(signals), np.nan, lines)
    return lines, signals, lines - signals


def relative_strength_index(prices: Floats) -> Floats:
    """Return the RSI 14 of every row but the first: 100 gains / (gains + losses), both Wilder's averages.

    It is 50 if the price has not moved.
    """
    changes = np.diff(prices, axis=0)
    gains, losses = _wilder_averages(np.maximum(changes, 0)), _wilder_averages(np.maximum(-changes, 0))
    moved = gains + losses
    return np.where(moved <= SAME_PRICE * prices[1:], 50.0, 100 * gains / moved)


def average_true_range(high: Floats, low: Floats, prices: Floats) -> Floats:
    """Return the last ATR 14: Wilder's average of max(high - low, abs(high - c), abs(low - c)), c the close before."""
    high, low, close = high[1:], low[1:], prices[:-1]
    last: Floats = _wilder_averages(np.maximum(high - low, np.maximum(np.abs(high - close), np.abs(low - close))))[-1]
    return last


def bollinger_percent_b(prices: Floats) -> Floats:
    """Return the last (price - lower) / (upper - lower), bands two deviations (ddof 0) around the mean of 20 prices."""
    last = prices[-_BOLLINGER_DAYS:]
    mean, deviation = last.mean(axis=0), last.std(axis=0)
    width = _BOLLINGER_WIDTH * np.where(deviation > SAME_PRICE * mean, deviation, np.nan)
    position: Floats = (prices[-1] - mean) / width
    return 0.5 + position


def distances_to_extremes(prices: Floats) -> tuple[Floats, Floats]:
    """Return last price / highest - 1 and / lowest - 1 of the last 252 prices: at most 0, and at least 0."""
    year = prices[-YEAR:]
    return prices[-1] / year.max(axis=0) - 1, prices[-1] / year.min(axis=0) - 1


def momentum_12_1(prices: Floats, days: int) -> Floats:
    """Return the return from 252 to 21 days before each of the last ``days``."""
    return before(prices, MONTH, days) / before(prices, YEAR, days) - 1


def before(prices: Floats, age: int, days: int) -> Floats:
    """Return the prices ``age`` days before each of the last ``days``."""
    rows = len(prices)
    return prices[rows - days - age : rows - age]


def deviations(returns: Floats, period: int, days: int) -> Floats:
    """Return the standard deviation (ddof 1) of the last ``period`` returns on each of the last ``days``."""
    recent = returns[1 - days - period :]
    known = ~np.isnan(recent)
    moved = recent - np.where(known, recent, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    squares = _sums(moved**2, period, days)
    variance = (squares - _sums(moved, period, days) ** 2 / period) / (period - 1)
    # Where little remains of the difference, it is mostly rounding.
    canceled = np.nonzero(variance <= _CANCELED * squares / period)
    variance[canceled] = sliding_window_view(recent, period, axis=0)[canceled].var(axis=-1, ddof=1)
    return np.sqrt(variance)


def recent_volatility(prices: Floats, days: int) -> Floats:
    """Return the annual volatility of the last ``days`` returns."""
    recent = prices[-1 - days :]
    return annual_volatility(recent[1:] / recent[:-1] - 1)


def trend(price: Floats, short: Floats, long: Floats) -> Floats:
    """Return 1 if price > short > long average, -1 if price < short < long, else 0; all are of one shape."""
    rising, falling = _above(price, short) & _above(short, long), _above(short, price) & _above(long, short)
    return np.where(np.isnan(long), np.nan, rising.astype(np.float64) - falling)


def fibonacci_levels(prices: Floats) -> Floats:
    """Return the prices at each of :data:`RETRACEMENTS` of the last 252 days' swing, from its end to its start.

    Shape ``(retracements, symbols)``. The swing runs between the highest and the lowest price and ends at the later.
    """
    latest_first = prices[: -1 - YEAR : -1]
    high, low = latest_first.max(axis=0), latest_first.min(axis=0)
    up = latest_first.argmax(axis=0) < latest_first.argmin(axis=0)
    end, start = np.where(up, high, low), np.where(up, low, high)
    levels = end + np.array(RETRACEMENTS)[:, None] * (start - end)
    return np.where(_above(high, low), levels, np.nan)


def nearest_levels(levels: Floats, price: Floats) -> tuple[Floats, Floats]:
    """Return the highest of ``levels`` below the price (support), the lowest above (resistance); infinite if none."""
    below, above = _above(price, levels), _above(levels, price)
    return np.where(below, levels, -np.inf).max(axis=0), np.where(above, levels, np.inf).min(axis=0)


def decayed_sums(inputs: Floats, decay: float) -> Floats:
    """Return s_t = decay s_(t-1) + inputs_t on every day, from s = 0 before the first; same shape ``(days, symbols)``.

    No loop over days: a triangle of powers of ``decay``, which is in (0, 1), sums each block of days, and a second
    one carries the blocks' sums to later blocks. No power exceeds 1, and underflow means a negligible weight.
    """
    days, symbols = inputs.shape
    count = -(-days // _BLOCK)
    padded = np.concatenate([np.zeros((count * _BLOCK - days, symbols)), inputs])
    sums = _powers(decay, _BLOCK) @ padded.reshape(count, _BLOCK, symbols)
    ends = _powers(decay**_BLOCK, count) @ sums[:, -1]
    sums[1:] += decay ** np.arange(1, _BLOCK + 1)[:, None] * ends[:-1, None]
    of_all_days: Floats = sums.reshape(-1, symbols)
    return of_all_days[-days:]


def _powers(decay: float, size: int) -> Floats:
    """Return the lower triangle of decay^(row - column)."""
    number = np.arange(size)
    return np.tril(decay ** np.abs(np.subtract.outer(number, number)))


def _averages(values: Floats, period: int, decay: float) -> Floats:
    """Return the exponential average of every day, same shape; NaN before value ``period``, which is the plain mean."""
    first = np.isnan(values).sum(axis=0)
    seed_rows = np.minimum(first + np.arange(period)[:, None], len(values) - 1)
    seed = np.take_along_axis(values, seed_rows, axis=0).mean(axis=0)
    row, seed_row = np.arange(len(values))[:, None], first + period - 1
    inputs = np.where(row > seed_row, (1 - decay) * values, np.where(row == seed_row, seed, 0.0))
    return np.where(row >= seed_row, decayed_sums(inputs, decay), np.nan)


def _wilder_averages(values: Floats) -> Floats:
    """Return Wilder's average over 14 days of every row: a + (value - a) / 14."""
    return _averages(values, _WILDER_DAYS, 1 - 1 / _WILDER_DAYS)


def _sums(values: Floats, period: int, days: int) -> Floats:
    """Return the sums of the last ``period`` values on each of the last ``days``; NaN if one of them is."""
    # From a block's end and the next one's beginning, not as differences of sums from the start, which rounding spoils.
    recent = values[1 - days - period :]
    blocks = np.zeros((-(-len(recent) // period), period, values.shape[1]))
    blocks.reshape(-1, values.shape[1])[: len(recent)] = recent
    until = blocks.cumsum(axis=1).reshape(-1, values.shape[1])
    since = blocks[:, ::-1].cumsum(axis=1)[:, ::-1].reshape(-1, values.shape[1])
    sums: Floats = since[:days] + until[period - 1 :][:days]
    sums[::period] = since[:days:period]
    return sums


def _above(price: Floats, other: Floats) -> Booleans:
    return price > other * (1 + SAME_PRICE)
