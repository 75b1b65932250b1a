"""What all portfolios of a market share: the calendar, and the facts of each symbol, derived once.

Readings: the day of the analysis is the benchmark's last good day up to ``as_of``, and nothing after it is used;
later splits are found in the whole history, cleaned as a whole; a run is of the past if the benchmark has a
readable close after the ``as_of`` that was asked for.
"""

import math
from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from functools import cache, cached_property
from typing import Self

from tests.oracle import measures
from tests.oracle.bars import Bar, Cleaned, clean, readable
from tests.oracle.calendar_days import Calendar
from tests.oracle.inputs import Instrument, Market, Row
from tests.oracle.prices import SHORTEST_HISTORY, History, Issue, Move, steps
from tests.oracle.research import Research, daily_returns, research


class Clock:
    """A benchmark's calendar and its moves, up to a day."""

    def __init__(self, rows: Sequence[Row], lookback_days: int) -> None:
        self.cleaned = clean(rows)
        if self.cleaned.is_bad or not self.cleaned.bars:
            raise ValueError("the benchmark has no usable prices")
        self.calendar = Calendar(tuple(bar.day for bar in self.cleaned.bars), lookback_days)

    @property
    def bars(self) -> tuple[Bar, ...]:
        """Return the benchmark's bars."""
        return self.cleaned.bars

    def move(self, place: int) -> float | None:
        """Return the benchmark's return on the day at that place."""
        if not 1 <= place < len(self.bars):
            return None
        return self.bars[place].adjusted / self.bars[place - 1].adjusted - 1

    def history(self, symbol: str, cleaned: Cleaned, *, is_benchmark: bool, later: bool = False) -> History:
        """Return a symbol's history on this calendar, with the bars after it if asked for."""
        bars = tuple(bar for bar in cleaned.bars if later or bar.day <= self.calendar.as_of)
        move: Move | None = None if is_benchmark else self.move
        return History(symbol, self.calendar, bars, tuple(steps(bars, self.calendar, move)), cleaned)


class Facts:
    """The facts of one symbol."""

    def __init__(self, market: "Prepared", symbol: str) -> None:
        self.symbol = symbol
        self.instrument: Instrument = market.market.instrument(symbol)
        self._market = market
        self._is_benchmark = symbol == market.market.benchmark
        self._rows = market.market.rows.get(symbol, ())
        known = market.clock.cleaned
        if not self._is_benchmark:
            known = clean([row for row in self._rows if row.day <= market.clock.calendar.as_of])
        self.history = market.clock.history(symbol, known, is_benchmark=self._is_benchmark)
        self.is_missing = self.history.is_missing

    @cached_property
    def is_stale(self) -> bool:
        """Return whether the last price is too old."""
        return self.history.is_stale

    @cached_property
    def price(self) -> float:
        """Return the last close, divided by the later splits that are known."""
        return self.history.bars[-1].close / float(self._later_splits())

    @property
    def price_date(self) -> date:
        """Return the day of the last price."""
        return self.history.bars[-1].day

    def _later_splits(self) -> Fraction:
        everything, as_of = self._market.everything, self.history.calendar.as_of
        if self._rows[-1].day <= as_of:
            return Fraction(1)
        whole = everything.history(self.symbol, clean(self._rows), is_benchmark=self._is_benchmark, later=True)
        # A split that is told and not adjusted for is two steps of one bar.
        later = {step.bar: step.ratio for step in whole.steps if step.ratio and whole.bars[step.bar].day > as_of}
        return math.prod(later.values(), start=Fraction(1))

    @cached_property
    def adjusted(self) -> dict[int, float]:
        """Return the adjusted close of each day of the usable history, of all that was fetched."""
        return self.history.adjusted()

    @cached_property
    def start(self) -> int:
        """Return the place at which the usable history begins in the lookback."""
        calendar = self.history.calendar
        return max(calendar.start, min(self.adjusted, default=calendar.last))

    @cached_property
    def returns(self) -> list[float]:
        """Return the returns of the usable history in the lookback, up to ``as_of``."""
        return daily_returns([self.adjusted[place] for place in range(self.start, self.history.calendar.last + 1)])

    @cached_property
    def is_short(self) -> bool:
        """Return whether there are too few returns for figures."""
        return len(self.returns) < SHORTEST_HISTORY

    @cached_property
    def has_figures(self) -> bool:
        """Return whether the returns count in figures."""
        return not self.is_missing and not self.is_stale and not self.is_short

    def change_over(self, days: int) -> float | None:
        """Return the return over the last days of the calendar."""
        last = self.history.calendar.last
        if self.is_stale or last - self.start < days:
            return None
        return self.adjusted[last] / self.adjusted[last - days] - 1

    def change_between(self, start: int, end: int) -> float:
        """Return the return between two places of the calendar."""
        return self.adjusted[end] / self.adjusted[start] - 1

    @cached_property
    def day_change(self) -> float | None:
        """Return the change of a day as a share of the last price."""
        return self.history.day_change()

    @cached_property
    def annual_volatility(self) -> float | None:
        """Return the symbol's own volatility."""
        return measures.annual_volatility(self.returns) if self.has_figures else None

    @cached_property
    def beta(self) -> float | None:
        """Return the symbol's own beta."""
        if not self.has_figures:
            return None
        return measures.beta(self.returns, self._market.benchmark_returns(self.start))

    @cached_property
    def is_diversified(self) -> bool:
        """Return whether this is a diversified fund."""
        told = self.instrument.diversified
        if told is None:
            is_kind = self.instrument.kind in {"fund", "etf"}
            return is_kind and self.annual_volatility is not None and self.annual_volatility <= 0.40
        return told and (self.annual_volatility is None or self.annual_volatility <= 0.40)

    @cached_property
    def research(self) -> Research | None:
        """Return the research, if there is a price."""
        return None if self.is_missing else research(self.history)

    @cached_property
    def issues(self) -> list[Issue]:
        """Return the price issues."""
        return self.history.issues(is_benchmark=self._is_benchmark)

    @property
    def multiplier(self) -> float:
        """Return how many times the price a unit is worth."""
        return 1.0 if self.instrument.multiplier is None else self.instrument.multiplier

    @property
    def lot(self) -> float:
        """Return the smallest number of shares that is traded."""
        if self.instrument.lot_size is not None:
            return self.instrument.lot_size
        fractional = self.instrument.fractional
        if fractional is None:
            fractional = self.instrument.kind in {"crypto", "fund"}
        return 1e-6 if fractional else 1.0


class Prepared:
    """A market with its calendar, and the facts of the symbols that were asked for."""

    def __init__(self, market: Market) -> None:
        self.market = market
        rows = market.rows[market.benchmark]
        self.clock = Clock([row for row in rows if row.day <= market.as_of], market.lookback_days)
        self.is_past = any(row.day > market.as_of and readable(row.close) for row in rows)
        self._symbols: dict[str, Facts] = {}

    @classmethod
    @cache
    def of(cls, market: Market) -> Self:
        """Return the prepared market, the same one for the same market."""
        return cls(market)

    @cached_property
    def everything(self) -> Clock:
        """Return the calendar of all days that are known, later ones too."""
        return Clock(self.market.rows[self.market.benchmark], self.market.lookback_days)

    @property
    def calendar(self) -> Calendar:
        """Return the calendar up to ``as_of``."""
        return self.clock.calendar

    def symbol(self, symbol: str) -> Facts:
        """Return the facts of a symbol."""
        if symbol not in self._symbols:
            self._symbols[symbol] = Facts(self, symbol)
        return self._symbols[symbol]

    def benchmark_returns(self, start: int) -> list[float]:
        """Return the benchmark's returns from a place of the calendar on."""
        return daily_returns([bar.adjusted for bar in self.clock.bars[start:]])

    @cached_property
    def benchmark_issues(self) -> list[Issue]:
        """Return the issues of the benchmark that concern every report."""
        found = [
            issue
            for issue in self.symbol(self.market.benchmark).issues
            if issue.kind in {"bad_bars", "unconfirmed_price"}
        ]
        bars = self.clock.bars[self.calendar.start :]
        if len(bars) >= measures.YEAR and all(bar.adjusted == bar.close for bar in bars):
            found.append(Issue(self.market.benchmark, "benchmark_without_dividends"))
        return found
