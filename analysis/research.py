"""The research of each symbol's price history, the same for all users: one batch of symbols at once.

Unless a docstring says otherwise, an indicator takes daily adjusted prices of shape ``(days, symbols)``, oldest first,
NaN before a symbol's own first day, at least :data:`YEAR` + 1 rows (short histories are padded with NaN), and returns
its last value, shape ``(symbols,)``; NaN if the symbol's history is too short for it. Definitions and seeding are those
of TA-Lib 0.8, without its special cases: a price that never moves has an RSI of 50, and no %B.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from analysis.measures import TRADING_DAYS, annual_volatility, optional
from analysis.models import Booleans, Floats, Research
from analysis.prices import Bars, known_bars

MONTH, YEAR = 21, TRADING_DAYS

SAME_PRICE = 1e-12
"""Differences up to this share of the price are rounding: averages of equal prices contain some."""

RETRACEMENTS = (0.0, 0.236, 0.382, 0.5, 0.618, 0.786, 1.0)
"""Shares of a swing at which the retracement levels lie."""

_MEMORY = 1_000
"""Days of history used: in the slowest average here an older price weighs less than 1e-32, so it can be ignored."""

_SCORED_HISTORY = 200
_STRONG_MOMENTUM = 0.30
_OVERSOLD, _OVERBOUGHT = 30, 70
_WILDER_DAYS = 14
_BOLLINGER_DAYS, _BOLLINGER_WIDTH = 20, 4  # from two deviations below the mean to two above it
_FAST, _SLOW, _SIGNAL = 12, 26, 9
_BLOCK = 32


# An undefined figure is NaN in the arrays and None in the records; numpy need not warn of it.
@np.errstate(all="ignore")
def research_symbols(bars: Mapping[str, Bars], as_of: date) -> list[Research]:
    """Return the research of each symbol over its own ``bars`` up to ``as_of``; symbols without bars are left out.

    All figures except ``close`` are from adjusted closes, with highs and lows scaled alike; each is ``None`` if the
    history is too short for it. The other symbols of the batch change nothing for a symbol.
    """
    known = {symbol: known_bars(own, as_of) for symbol, own in bars.items()}
    known = {symbol: own for symbol, own in known.items() if len(own.dates)}
    if not known:
        return []
    figures = _figures(*_align(list(known.values())))
    rows = zip(*figures.values(), strict=True)
    return [
        Research(
            symbol=symbol,
            as_of=as_of,
            close=float(own.close[-1]),
            adj_close=float(own.adj_close[-1]),
            signal_since=None,
            **dict(zip(figures, row, strict=True)),
        )
        for (symbol, own), row in zip(known.items(), rows, strict=True)
    ]


def simple_average(prices: Floats, period: int) -> Floats:
    """Return the mean of the last ``period`` prices (SMA)."""
    return prices[-period:].mean(axis=0)


def exponential_averages(prices: Floats, period: int) -> Floats:
    """Return the EMA of every day, ``(days, symbols)``: a + (price - a) 2/(period + 1), seeded with the first mean."""
    return _averages(prices, period, 1 - 2 / (period + 1))


def macd(prices: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the line EMA 12 - EMA 26, its signal EMA 9, and the histogram line - signal; all need 34 prices."""
    # TA-Lib starts both averages on one day, so the fast one is seeded with the last 12 of the first 26 prices.
    later = np.arange(len(prices))[:, None] >= np.isnan(prices).sum(axis=0) + _SLOW - _FAST
    fast = exponential_averages(np.where(later, prices, np.nan), _FAST)
    lines = fast - exponential_averages(prices, _SLOW)
    signal = exponential_averages(lines, _SIGNAL)[-1]
    line = np.where(np.isnan(signal), np.nan, lines[-1])
    return line, signal, line - signal


def relative_strength_index(prices: Floats) -> Floats:
    """Return the RSI 14: 100 gains / (gains + losses), both Wilder's averages; 50 if the price has not moved."""
    changes = np.diff(prices, axis=0)
    gains, losses = _wilder_average(np.maximum(changes, 0)), _wilder_average(np.maximum(-changes, 0))
    moved = gains + losses
    return np.where(moved <= SAME_PRICE * prices[-1], 50.0, 100 * gains / moved)


def average_true_range(high: Floats, low: Floats, prices: Floats) -> Floats:
    """Return the ATR 14: Wilder's average of max(high - low, abs(high - c), abs(low - c)), c the previous close."""
    high, low, before = high[1:], low[1:], prices[:-1]
    return _wilder_average(np.maximum(high - low, np.maximum(np.abs(high - before), np.abs(low - before))))


def bollinger_percent_b(prices: Floats) -> Floats:
    """Return (price - lower) / (upper - lower), bands two deviations (ddof 0) around the mean of the last 20 prices."""
    last = prices[-_BOLLINGER_DAYS:]
    mean, deviation = last.mean(axis=0), last.std(axis=0)
    width = _BOLLINGER_WIDTH * np.where(deviation > SAME_PRICE * mean, deviation, np.nan)
    position: Floats = (prices[-1] - mean) / width
    return 0.5 + position


def distances_to_extremes(prices: Floats) -> tuple[Floats, Floats]:
    """Return last price / highest - 1 and / lowest - 1 of the last 252 prices: at most 0, and at least 0."""
    year = prices[-YEAR:]
    return prices[-1] / year.max(axis=0) - 1, prices[-1] / year.min(axis=0) - 1


def momentum_12_1(prices: Floats) -> Floats:
    """Return the return from 252 to 21 days ago."""
    growth: Floats = prices[-1 - MONTH] / prices[-1 - YEAR]
    return growth - 1


def recent_volatility(prices: Floats, days: int) -> Floats:
    """Return the annual volatility of the last ``days`` returns."""
    recent = prices[-1 - days :]
    return annual_volatility(recent[1:] / recent[:-1] - 1)


def trend(price: Floats, short: Floats, long: Floats) -> Floats:
    """Return 1 if price > short > long average, -1 if price < short < long, else 0; all are ``(symbols,)``."""
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


def _align(symbols: Sequence[Bars]) -> tuple[Floats, ...]:
    """Return adjusted prices, highs and lows, ``(days, symbols)``, each symbol's last day in the last row.

    NaN if there is no such day.
    """
    prices, high, low = np.full((3, len(symbols), _MEMORY), np.nan)
    for symbol, bars in enumerate(symbols):
        days = min(len(bars.dates), _MEMORY)
        adjusted = bars.adj_close[-days:]
        prices[symbol, -days:] = adjusted
        if bars.high is not None and bars.low is not None:
            factor = adjusted / bars.close[-days:]
            high[symbol, -days:] = bars.high[-days:] * factor
            low[symbol, -days:] = bars.low[-days:] * factor
    return tuple(np.ascontiguousarray(values.T) for values in (prices, high, low))


def _figures(prices: Floats, high: Floats, low: Floats) -> dict[str, Sequence[Any]]:
    """Return the figures of all symbols by their names in a record."""
    last = prices[-1]
    sma_50, sma_200 = simple_average(prices, 50), simple_average(prices, 200)
    line, signal, histogram = macd(prices)
    below_high, above_low = distances_to_extremes(prices)
    rsi = relative_strength_index(prices)
    momentum = momentum_12_1(prices)
    direction = trend(last, sma_50, sma_200)
    levels = fibonacci_levels(prices)
    support, resistance = nearest_levels(levels, last)
    return {
        "sma_50": optional(sma_50),
        "sma_200": optional(sma_200),
        "ema_12": optional(exponential_averages(prices, 12)[-1]),
        "ema_26": optional(exponential_averages(prices, 26)[-1]),
        "macd": optional(line),
        "macd_signal": optional(signal),
        "macd_histogram": optional(histogram),
        "rsi_14": optional(rsi),
        "bollinger_percent_b": optional(bollinger_percent_b(prices)),
        "atr_14": optional(average_true_range(high, low, prices)),
        "distance_to_52_week_high": optional(below_high),
        "distance_to_52_week_low": optional(above_low),
        "annual_volatility_63d": optional(recent_volatility(prices, 63)),
        "momentum_12_1": optional(momentum),
        "trend": [None if value is None else int(value) for value in optional(direction)],
        "support": optional(support),
        "resistance": optional(resistance),
        "score": optional(_scores(prices, direction, momentum, histogram, rsi)),
        "fibonacci_levels": [tuple(own.tolist()) if np.isfinite(own).all() else None for own in levels.T],
    }


def _scores(prices: Floats, direction: Floats, momentum: Floats, histogram: Floats, rsi: Floats) -> Floats:
    """Return the weighted sum of trend, momentum, MACD and mean reversion; an undefined part counts 0."""
    rounding = np.abs(histogram) <= SAME_PRICE * prices[-1]
    reversion = (rsi < _OVERSOLD).astype(np.float64) - (rsi > _OVERBOUGHT)
    score = (
        0.35 * np.nan_to_num(direction)
        + 0.30 * np.nan_to_num(np.clip(momentum / _STRONG_MOMENTUM, -1, 1))
        + 0.20 * np.nan_to_num(np.sign(np.where(rounding, 0, histogram)))
        + 0.15 * reversion
    )
    # Rounded so that 0.35 + 0.30 - 0.15 is the 0.5 of the rules; plus 0, which turns -0 into 0.
    return np.where(np.isnan(prices[-_SCORED_HISTORY]), np.nan, np.round(score, 12) + 0.0)


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


def _wilder_average(values: Floats) -> Floats:
    """Return the last of Wilder's averages over 14 days: a + (value - a) / 14."""
    last: Floats = _averages(values, _WILDER_DAYS, 1 - 1 / _WILDER_DAYS)[-1]
    return last


def _above(price: Floats, other: Floats) -> Booleans:
    return price > other * (1 + SAME_PRICE)
