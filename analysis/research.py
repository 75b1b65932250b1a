"""The research of each symbol's usable history, the same for all users: one batch of symbols at once."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from analysis import indicators
from analysis.histories import Calendar, PriceHistories, PriceHistory
from analysis.measures import optional
from analysis.models import Dates, Floats, Integers, Research
from analysis.prices import as_date
from records import Record

_MEMORY = 750
"""Days before the first one with a figure: in the slowest average here an older price weighs less than 1e-23."""

_DAYS, _OLDER_DAYS = 250, 1_000
"""Days whose scores are computed for all symbols; then older ones, for those symbols whose signal is older."""

_SCORED_HISTORY = 200
_VOLATILITY_DAYS = 63
_STRONG_MOMENTUM = 0.30
_OVERSOLD, _OVERBOUGHT = 30, 70
_SIGNAL = 0.5
_NO_DEVIATION = 1e-12
_NO_SIDE = 2


# An undefined figure is NaN in the arrays and None in the records; numpy need not warn of it.
@np.errstate(all="ignore")
def research_symbols(histories: PriceHistories) -> list[Research]:
    """Return the research of each symbol with a price, up to its last priced day.

    All figures except ``close`` are from adjusted closes, with highs and lows scaled alike; each is ``None`` if the
    usable history is too short for it, and all but the two closes if it is stale. The other symbols of the batch change
    nothing for a symbol.
    """
    fresh = {symbol: own for symbol, own in histories.usable.items() if not own.stale}
    figures: dict[str, dict[str, Any]] = {}
    if fresh:
        columns = _figures(list(fresh.values()), histories.calendar)
        rows = zip(*columns.values(), strict=True)
        figures = {symbol: dict(zip(columns, row, strict=True)) for symbol, row in zip(fresh, rows, strict=True)}
    return [
        Research(
            symbol=symbol,
            as_of=histories.as_of,
            close=float(own.bars.close[-1]),
            adj_close=float(own.bars.adj_close[-1]),
            **figures.get(symbol, _NO_FIGURES),
        )
        for symbol, own in histories.usable.items()
    ]


_NO_FIGURES: Mapping[str, Any] = dict.fromkeys(
    name for name in Research.__struct_fields__ if name not in ("symbol", "as_of", "close", "adj_close")
)


class _Signals(Record, frozen=True):
    """The figures that make up the score, and the score from -1 to 1, NaN before the 200th price: all of one shape."""

    sma_50: Floats
    sma_200: Floats
    trend: Floats
    momentum: Floats
    macd: Floats
    macd_signal: Floats
    macd_histogram: Floats
    rsi: Floats
    score: Floats


def _figures(symbols: Sequence[PriceHistory], calendar: Calendar) -> dict[str, Sequence[Any]]:
    """Return the figures of all symbols by their names in a record."""
    prices = _prices(symbols, calendar, 0, _MEMORY + _DAYS)
    signals = _signals(prices, _DAYS)
    last = prices[-1]
    below_high, above_low = indicators.distances_to_extremes(prices)
    levels = indicators.fibonacci_levels(prices)
    support, resistance = indicators.nearest_levels(levels, last)
    return {
        "sma_50": optional(signals.sma_50[-1]),
        "sma_200": optional(signals.sma_200[-1]),
        "ema_12": optional(indicators.exponential_averages(prices, 12)[-1]),
        "ema_26": optional(indicators.exponential_averages(prices, 26)[-1]),
        "macd": optional(signals.macd[-1]),
        "macd_signal": optional(signals.macd_signal[-1]),
        "macd_histogram": optional(signals.macd_histogram[-1]),
        "rsi_14": optional(signals.rsi[-1]),
        "bollinger_percent_b": optional(indicators.bollinger_percent_b(prices)),
        "atr_14": optional(indicators.average_true_range(*_ranges(symbols, calendar, prices), prices)),
        "distance_to_52_week_high": optional(below_high),
        "distance_to_52_week_low": optional(above_low),
        "annual_volatility_63d": optional(indicators.recent_volatility(prices, _VOLATILITY_DAYS)),
        "momentum_12_1": optional(signals.momentum[-1]),
        "trend": [None if value is None else int(value) for value in optional(signals.trend[-1])],
        "support": optional(support),
        "resistance": optional(resistance),
        "score": optional(signals.score[-1]),
        "signal_since": _signals_since(symbols, calendar, signals.score),
        "fibonacci_levels": [tuple(own.tolist()) if np.isfinite(own).all() else None for own in levels.T],
    }


def _signals(prices: Floats, days: int) -> _Signals:
    """Return the signals of the last ``days``, and the score: their weighted sum, to which an undefined one adds 0."""
    last, rows = indicators.before(prices, 0, days), slice(-days, None)
    sma_50, sma_200 = (indicators.simple_averages(prices, period, days) for period in (50, 200))
    trend = indicators.trend(last, sma_50, sma_200)
    momentum = indicators.momentum_12_1(prices, days)
    line, signal, histogram = (values[rows] for values in indicators.macd(prices))
    rsi = indicators.relative_strength_index(prices)[rows]
    deviation = indicators.deviations(prices[1:] / prices[:-1] - 1, _VOLATILITY_DAYS, days)
    deviation[deviation <= _NO_DEVIATION] = np.nan
    score = (
        0.35 * np.nan_to_num(trend)
        + 0.30 * np.nan_to_num(np.clip(momentum / _STRONG_MOMENTUM, -1, 1))
        + 0.20 * np.nan_to_num(np.clip(histogram / (last * deviation), -1, 1))
        + 0.15 * ((rsi < _OVERSOLD).astype(np.float64) - (rsi > _OVERBOUGHT))
    )
    unscored = np.isnan(indicators.before(prices, _SCORED_HISTORY - 1, days))
    # Rounded so that 0.35 + 0.30 - 0.15 is the 0.5 of the rules; plus 0, which turns -0 into 0.
    score = np.where(unscored, np.nan, np.round(score, 12) + 0.0)
    return _Signals(sma_50, sma_200, trend, momentum, line, signal, histogram, rsi, score)


def _signals_since(symbols: Sequence[PriceHistory], calendar: Calendar, scores: Floats) -> list[date | None]:
    """Return the first day of each symbol's unbroken run of days on the side of its last score, if it has one."""
    pending = np.flatnonzero(~np.isnan(scores[-1]))
    found: list[date | None] = [None] * len(symbols)
    sides = _sides(scores[:, pending])
    today, age = sides[-1], 0
    while pending.size:
        same = (sides == today)[::-1]
        ended = ~same.all(axis=0)
        for index, days in zip(pending[ended].tolist(), same.argmin(axis=0)[ended].tolist(), strict=True):
            found[index] = as_date(calendar.dates[symbols[index].day + 1 - age - days])
        pending, today, age = pending[~ended], today[~ended], age + len(sides)
        if pending.size:
            prices = _prices([symbols[index] for index in pending], calendar, age, _MEMORY + _OLDER_DAYS)
            sides = _sides(_signals(prices, _OLDER_DAYS).score)
    return found


def _sides(scores: Floats) -> Integers:
    """Return 1 for a score to buy, -1 for one to sell, 0 between them, and another number without a score."""
    sides = (scores >= _SIGNAL).astype(np.int64) - (scores <= -_SIGNAL)
    return np.where(np.isnan(scores), _NO_SIDE, sides)


def _prices(symbols: Sequence[PriceHistory], calendar: Calendar, age: int, days: int) -> Floats:
    """Return the adjusted closes of ``days``, the last of them ``age`` days before each symbol's last priced one.

    Shape ``(days, symbols)``; NaN before the usable history.
    """
    prices = np.full((len(symbols), days), np.nan)
    for symbol, own in enumerate(symbols):
        rows = _last_rows(own, calendar, own.day - age, days)
        prices[symbol, days - len(rows) :] = own.bars.adj_close[rows]
    return np.ascontiguousarray(prices.T)


def _ranges(symbols: Sequence[PriceHistory], calendar: Calendar, prices: Floats) -> tuple[Floats, Floats]:
    """Return the adjusted highs and lows of the days of ``prices``, NaN for symbols that lack one on some day."""
    high, low = np.full((2, *prices.shape[::-1]), np.nan)
    for symbol, own in enumerate(symbols):
        rows = _last_rows(own, calendar, own.day, len(prices))
        ranges = _own_ranges(own)
        if ranges is None or not rows.size:
            continue
        first = max(own.last_row_before(own.day + 1 - len(rows), calendar) + 1, own.start)
        first_rows = np.concatenate([[first], rows[:-1] + 1])
        traded = first_rows <= rows
        days = slice(len(prices) - len(rows), None)
        high[symbol, days] = low[symbol, days] = own.bars.adj_close[rows]
        factor = own.bars.adj_close[first:] / own.bars.close[first:]
        high[symbol, days][traded] = np.maximum.reduceat(ranges[0][first:] * factor, first_rows[traded] - first)
        low[symbol, days][traded] = np.minimum.reduceat(ranges[1][first:] * factor, first_rows[traded] - first)
    return np.ascontiguousarray(high.T), np.ascontiguousarray(low.T)


def _own_ranges(own: PriceHistory) -> tuple[Floats, Floats] | None:
    """Return the highs and lows, unless a day of the usable history lacks one."""
    high, low = own.bars.high, own.bars.low
    if high is None or low is None or np.isnan(high[own.start :]).any() or np.isnan(low[own.start :]).any():
        return None
    return high, low


def _last_rows(own: PriceHistory, calendar: Calendar, day: int, days: int) -> Integers:
    """Return the last row of the usable history up to each of the ``days`` up to ``day``, from its first day on."""
    dates: Dates = calendar.dates[max(day + 1 - days, 0) : max(day + 1, 0)]
    rows = own.bars.dates.searchsorted(dates, "right") - 1
    return rows[rows.searchsorted(own.start) :]
