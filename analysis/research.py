"""The research of each symbol's price history, the same for all users: one batch of symbols at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from analysis import indicators
from analysis.measures import optional
from analysis.models import Floats, Research
from analysis.prices import Bars, known_bars

_MEMORY = 1_000
"""Days of history used: in the slowest average here an older price weighs less than 1e-32, so it can be ignored."""

_SCORED_HISTORY = 200
_STRONG_MOMENTUM = 0.30
_OVERSOLD, _OVERBOUGHT = 30, 70


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
    figures = _figures(_align(list(known.values())))
    rows = zip(*figures.values(), strict=True)
    return [
        Research(
            symbol=symbol,
            as_of=as_of,
            close=float(own.close[-1]),
            adj_close=float(own.adj_close[-1]),
            **dict(zip(figures, row, strict=True)),
        )
        for (symbol, own), row in zip(known.items(), rows, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class _Histories:
    """Adjusted prices, ``(days, symbols)``, each symbol's last day in the last row; NaN if there is no such day."""

    prices: Floats
    high: Floats
    low: Floats


def _align(symbols: Sequence[Bars]) -> _Histories:
    prices, high, low = np.full((3, len(symbols), _MEMORY), np.nan)
    for symbol, bars in enumerate(symbols):
        days = min(len(bars.dates), _MEMORY)
        adjusted = bars.adj_close[-days:]
        prices[symbol, -days:] = adjusted
        if bars.high is not None and bars.low is not None:
            factor = adjusted / bars.close[-days:]
            high[symbol, -days:] = bars.high[-days:] * factor
            low[symbol, -days:] = bars.low[-days:] * factor
    return _Histories(*(np.ascontiguousarray(values.T) for values in (prices, high, low)))


def _figures(histories: _Histories) -> dict[str, Sequence[Any]]:
    """Return the figures of all symbols by their names in a record."""
    prices = histories.prices
    last = prices[-1]
    sma_50, sma_200 = indicators.simple_average(prices, 50), indicators.simple_average(prices, 200)
    macd, macd_signal, macd_histogram = indicators.macd(prices)
    below_high, above_low = indicators.distances_to_extremes(prices)
    rsi = indicators.relative_strength_index(prices)
    momentum = indicators.momentum_12_1(prices)
    trend = indicators.trend(last, sma_50, sma_200)
    levels = indicators.fibonacci_levels(prices)
    support, resistance = indicators.nearest_levels(levels, last)
    return {
        "sma_50": optional(sma_50),
        "sma_200": optional(sma_200),
        "ema_12": optional(indicators.exponential_averages(prices, 12)[-1]),
        "ema_26": optional(indicators.exponential_averages(prices, 26)[-1]),
        "macd": optional(macd),
        "macd_signal": optional(macd_signal),
        "macd_histogram": optional(macd_histogram),
        "rsi_14": optional(rsi),
        "bollinger_percent_b": optional(indicators.bollinger_percent_b(prices)),
        "atr_14": optional(indicators.average_true_range(histories.high, histories.low, prices)),
        "distance_to_52_week_high": optional(below_high),
        "distance_to_52_week_low": optional(above_low),
        "annual_volatility_63d": optional(indicators.recent_volatility(prices, 63)),
        "momentum_12_1": optional(momentum),
        "trend": [None if direction is None else int(direction) for direction in optional(trend)],
        "support": optional(support),
        "resistance": optional(resistance),
        "score": optional(_scores(prices, trend, momentum, macd_histogram, rsi)),
        "fibonacci_levels": _levels(levels),
    }


def _scores(prices: Floats, trend: Floats, momentum: Floats, histogram: Floats, rsi: Floats) -> Floats:
    """Return the weighted sum of trend, momentum, MACD and mean reversion; an undefined part counts 0."""
    rounding = np.abs(histogram) <= indicators.SAME_PRICE * prices[-1]
    reversion = (rsi < _OVERSOLD).astype(np.float64) - (rsi > _OVERBOUGHT)
    score = (
        0.35 * np.nan_to_num(trend)
        + 0.30 * np.nan_to_num(np.clip(momentum / _STRONG_MOMENTUM, -1, 1))
        + 0.20 * np.nan_to_num(np.sign(np.where(rounding, 0, histogram)))
        + 0.15 * reversion
    )
    # Rounded so that 0.35 + 0.30 - 0.15 is the 0.5 of the rules; plus 0, which turns -0 into 0.
    return np.where(np.isnan(prices[-_SCORED_HISTORY]), np.nan, np.round(score, 12) + 0.0)


def _levels(levels: Floats) -> list[tuple[float, ...] | None]:
    known = np.isfinite(levels).all(axis=0).tolist()
    return [tuple(own) if told else None for own, told in zip(levels.T.tolist(), known, strict=True)]
