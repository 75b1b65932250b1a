"""The research of one symbol: indicators with TA-Lib's seeding, score, and the day since which the signal holds.

Readings: extremes of 252 days need 252 closes; %B without deviation is undefined; comparisons of prices have a
relative tolerance of 1e-12, so that a flat series has no trend; for ``signal_since`` every day of the history,
carried ones too, ends a series of its own.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from tests.oracle.bars import EXACT
from tests.oracle.measures import YEAR, deviation, mean
from tests.oracle.prices import History

FIBONACCI = (0.0, 0.236, 0.382, 0.5, 0.618, 0.786, 1.0)
FIGURES = (
    "sma_50", "sma_200", "ema_12", "ema_26", "macd", "macd_signal", "macd_histogram", "rsi_14", "bollinger_percent_b",
    "atr_14", "distance_to_52_week_high", "distance_to_52_week_low", "momentum_12_1", "annual_volatility_63d",
    "fibonacci_levels", "support", "resistance", "score",
)  # fmt: skip
type Closes = Sequence[float]


@dataclass(frozen=True, slots=True)
class Research:
    """The figures of a symbol by name, and since when its score is on today's side."""

    figures: dict[str, object]
    signal_since: date | None

    def number(self, name: str) -> float | None:
        """Return one figure."""
        value = self.figures[name]
        return value if isinstance(value, float) else None

    @property
    def score(self) -> float | None:
        """Return the score as it is compared: rounded to 12 digits."""
        score = self.number("score")
        return None if score is None else round(score, 12)


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day of the calendar, on adjusted prices."""

    day: date
    high: float | None
    low: float | None
    close: float


def day_bars(history: History) -> list[DayBar]:
    """Return one bar for each day of the usable history, the lookback or not, up to the last priced day."""
    calendar = history.calendar
    own: dict[int, DayBar] = {}
    for bar in history.usable:
        place, scale = calendar.place(bar.day), bar.adjusted / bar.close
        high = None if bar.high is None else bar.high * scale
        low = None if bar.low is None else bar.low * scale
        if place in own:
            earlier = own[place]
            high = None if high is None or earlier.high is None else max(high, earlier.high)
            low = None if low is None or earlier.low is None else min(low, earlier.low)
        own[place] = DayBar(calendar.days[place], high, low, bar.adjusted)
    found: list[DayBar] = []
    for place in range(min(own), max(own) + 1):
        if place in own:
            found.append(own[place])
        else:
            close = found[-1].close
            found.append(DayBar(calendar.days[place], close, close, close))
    return found


def ema(values: Closes, period: int, start: int | None = None) -> dict[int, float]:
    """Return the average at each place from ``start``, where it is the plain one of the last ``period`` values."""
    start = period - 1 if start is None else start
    if len(values) <= start:
        return {}
    found = {start: mean(values[start - period + 1 : start + 1])}
    for at in range(start + 1, len(values)):
        found[at] = found[at - 1] + (values[at] - found[at - 1]) * 2 / (period + 1)
    return found


@dataclass(frozen=True, slots=True)
class Macd:
    """Line, signal and histogram at each place that has them."""

    line: dict[int, float]
    signal: dict[int, float]
    histogram: dict[int, float]


def macd(closes: Closes) -> Macd:
    """Return MACD(12, 26, 9); both averages begin with the first place of the slow one."""
    fast, slow = ema(closes, 12, start=25), ema(closes, 26)
    line = [fast[at] - slow[at] for at in slow]
    signal = {at + 25: value for at, value in ema(line, 9).items()}
    return Macd(
        {at: line[at - 25] for at in signal}, signal, {at: line[at - 25] - value for at, value in signal.items()}
    )


def rsi(closes: Closes, period: int = 14) -> dict[int, float]:
    """Return Wilder's relative strength at each place that has one; 50 where nothing moved."""
    changes = [after - before for before, after in itertools.pairwise(closes)]
    ups = wilder([max(change, 0.0) for change in changes], period)
    downs = wilder([max(-change, 0.0) for change in changes], period)
    return {at + 1: 100 * ups[at] / (ups[at] + downs[at]) if ups[at] + downs[at] else 50.0 for at in ups}


def wilder(values: Closes, period: int) -> dict[int, float]:
    """Return Wilder's average at each place from the first that has one."""
    if len(values) < period:
        return {}
    found = {period - 1: mean(values[:period])}
    for at in range(period, len(values)):
        found[at] = (found[at - 1] * (period - 1) + values[at]) / period
    return found


def atr(bars: Sequence[DayBar], period: int = 14) -> float | None:
    """Return Wilder's average true range."""
    ranges = []
    for before, bar in itertools.pairwise(bars):
        if bar.high is None or bar.low is None:
            return None
        ranges.append(max(bar.high, before.close) - min(bar.low, before.close))
    if not bars or bars[0].high is None or bars[0].low is None or len(ranges) < period:
        return None
    return wilder(ranges, period)[len(ranges) - 1]


def percent_b(closes: Closes, period: int = 20) -> float | None:
    """Return the place of the last close in the Bollinger bands of 2 deviations (ddof 0)."""
    if len(closes) < period:
        return None
    last = closes[-period:]
    middle = mean(last)
    width = math.sqrt(mean([(close - middle) ** 2 for close in last]))
    return (closes[-1] - middle + 2 * width) / (4 * width) if width > EXACT * middle else None


def fibonacci(closes: Closes) -> list[float] | None:
    """Return the levels of the swing of the last 252 days, from the later extreme back."""
    if len(closes) < YEAR:
        return None
    last = closes[-YEAR:]
    high, low = max(last), min(last)
    if high - low <= EXACT * high:
        return None  # no swing
    high_is_later = _last_place(last, high) >= _last_place(last, low)
    return [high - level * (high - low) if high_is_later else low + level * (high - low) for level in FIBONACCI]


def _last_place(values: Closes, value: float) -> int:
    return max(at for at, candidate in enumerate(values) if candidate == value)


@dataclass(frozen=True, slots=True)
class Scores:
    """The score of each day of a series of closes, by what is known on that day."""

    closes: Closes
    histogram: dict[int, float]
    strength: dict[int, float]

    def at(self, at: int) -> float | None:
        """Return the score at a place, ``None`` with fewer than 200 closes."""
        if at < 199:
            return None
        momentum = self.momentum(at)
        reversion = 1 if self.strength[at] < 30 else -1 if self.strength[at] > 70 else 0
        return (
            0.35 * self.trend(at)
            + 0.30 * (_clip(momentum / 0.30) if momentum is not None else 0)
            + 0.20 * self._thrust(at)
            + 0.15 * reversion
        )

    def trend(self, at: int) -> int:
        """Return 1, 0 or -1."""
        close = self.closes[at]
        fast, slow = mean(self.closes[at - 49 : at + 1]), mean(self.closes[at - 199 : at + 1])
        margin = EXACT * close
        if close > fast + margin and fast > slow + margin:
            return 1
        return -1 if close < fast - margin and fast < slow - margin else 0

    def momentum(self, at: int) -> float | None:
        """Return the return from 252 to 21 days ago."""
        return self.closes[at - 21] / self.closes[at - 252] - 1 if at >= 252 else None

    def _thrust(self, at: int) -> float:
        spread = deviation(daily_returns(self.closes[at - 63 : at + 1]))
        return _clip(self.histogram[at] / (self.closes[at] * spread)) if spread else 0.0


def _clip(value: float) -> float:
    return max(-1.0, min(1.0, value))


def daily_returns(closes: Closes) -> list[float]:
    """Return the simple returns."""
    return [after / before - 1 for before, after in itertools.pairwise(closes)]


def side(score: float | None) -> int | None:
    """Return 1 for a buying score, -1 for a selling one, 0 between."""
    if score is None:
        return None
    rounded = round(score, 12)
    return 1 if rounded >= 0.5 else -1 if rounded <= -0.5 else 0


def research(history: History) -> Research:
    """Return the research of a symbol that has a price."""
    last_bar = history.bars[-1]
    figures: dict[str, object] = {"close": last_bar.close, "adj_close": last_bar.adjusted, "trend": None}
    if history.is_stale:
        return Research(figures | dict.fromkeys(FIGURES), None)
    bars = day_bars(history)
    closes = [bar.close for bar in bars]
    at, last = len(closes) - 1, closes[-1]
    lines, strength = macd(closes), rsi(closes)
    scores = Scores(closes, lines.histogram, strength)
    year = closes[-YEAR:] if len(closes) >= YEAR else None
    levels = fibonacci(closes)
    figures |= {
        "sma_50": mean(closes[-50:]) if at >= 49 else None,
        "sma_200": mean(closes[-200:]) if at >= 199 else None,
        "ema_12": ema(closes, 12).get(at),
        "ema_26": ema(closes, 26).get(at),
        "macd": lines.line.get(at),
        "macd_signal": lines.signal.get(at),
        "macd_histogram": lines.histogram.get(at),
        "rsi_14": strength.get(at),
        "bollinger_percent_b": percent_b(closes),
        "atr_14": atr(bars),
        "distance_to_52_week_high": last / max(year) - 1 if year else None,
        "distance_to_52_week_low": last / min(year) - 1 if year else None,
        "momentum_12_1": scores.momentum(at),
        "annual_volatility_63d": deviation(daily_returns(closes[-64:])) * math.sqrt(YEAR) if at >= 63 else None,
        "fibonacci_levels": levels,
        "support": max((level for level in levels or () if level < last * (1 - EXACT)), default=None),
        "resistance": min((level for level in levels or () if level > last * (1 + EXACT)), default=None),
        "score": scores.at(at),
        "trend": scores.trend(at) if at >= 199 else None,
    }
    return Research(figures, _signal_since(bars, scores))


def _signal_since(bars: Sequence[DayBar], scores: Scores) -> date | None:
    at = len(bars) - 1
    today = side(scores.at(at))
    if today is None:
        return None
    while side(scores.at(at - 1)) == today:
        at -= 1
    return bars[at].day
