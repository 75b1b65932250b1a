"""Splits, suspected splits, gaps and price issues of one symbol, and its usable history.

Readings: the move across a gap that ends the history is neither a jump nor a suspected split; an issue belongs to
the lookback by its date; ``bad_prices`` is told alone, with the first bad day of all; zero returns are counted up
to ``as_of``, and neither they nor the days of the exchange are judged for a stale symbol.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal

from tests.oracle.bars import Bar, Cleaned, action_factor, is_action, split_ratio, unadjusted_ratio
from tests.oracle.calendar_days import Calendar, carried

CARRIED_DAYS = 10
LONGEST_CARRIED_GAP = 60
SHORTEST_HISTORY = 63
type Move = Callable[[int], float | None]
"""The benchmark's return on the day at a place of the calendar."""


@dataclass(frozen=True, slots=True)
class Issue:
    """A price issue, without its text."""

    symbol: str | None
    kind: str
    day: date | None = None
    ratio: str | None = None
    count: int | None = None
    days: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What happens from one bar to the next."""

    kind: Literal["split", "distribution", "suspected_split", "jump", "long_gap", "history_cut"]
    bar: int
    ratio: Fraction | None = None
    days: int | None = None

    @property
    def ends_history(self) -> bool:
        """Return whether the usable history begins with this bar."""
        return self.kind in {"suspected_split", "history_cut"}


def steps(bars: Sequence[Bar], calendar: Calendar, benchmark_move: Move | None) -> list[Step]:
    """Return what happens between the bars; ``benchmark_move`` is absent for the benchmark itself."""
    found: list[Step] = []
    for at in range(1, len(bars)):
        before, bar = bars[at - 1], bars[at]
        factor = action_factor(before, bar)
        if bar.split or is_action(factor):
            ratio = bar.split or split_ratio(factor)
            found.append(Step("split", at, ratio) if ratio else Step("distribution", at))
        gap = calendar.place(bar.day) - calendar.place(before.day) - 1
        if gap > CARRIED_DAYS:
            near = abs(bar.adjusted / before.adjusted - 1) <= 0.5 + 1e-12
            if gap > LONGEST_CARRIED_GAP or not near:
                found.append(Step("history_cut", at, days=gap))
                continue
            found.append(Step("long_gap", at, days=gap))
        found += _move(before, bar, at, calendar, benchmark_move)
    return found


def _move(before: Bar, bar: Bar, at: int, calendar: Calendar, benchmark_move: Move | None) -> list[Step]:
    change = bar.adjusted / before.adjusted - 1
    if abs(change) <= 0.19:
        return []
    ratio = unadjusted_ratio(before, bar) if benchmark_move else None
    if ratio and benchmark_move:
        move = benchmark_move(calendar.place(bar.day))
        if bar.split or move is None or abs(move) <= 0.05 or (move > 0) != (change > 0):
            return [Step("suspected_split", at, ratio)]
    return [Step("jump", at)]


@dataclass(frozen=True, slots=True)
class History:
    """The bars of a symbol on the calendar, and where its usable history begins."""

    symbol: str
    calendar: Calendar
    bars: tuple[Bar, ...]
    steps: tuple[Step, ...]
    cleaned: Cleaned

    @property
    def is_missing(self) -> bool:
        """Return whether there is no price at all."""
        return self.cleaned.is_bad or not self.bars

    @property
    def is_stale(self) -> bool:
        """Return whether the last price is more than 10 days old."""
        return self.calendar.last - self.calendar.place(self.bars[-1].day) > CARRIED_DAYS

    @property
    def usable(self) -> tuple[Bar, ...]:
        """Return the bars of the usable history, of all that was fetched."""
        first = max((step.bar for step in self.steps if step.ends_history), default=0)
        return tuple(bar for bar in self.bars[first:] if self.calendar.place(bar.day) >= 0)

    def adjusted(self) -> dict[int, float]:
        """Return the adjusted close of each day of the usable history up to ``as_of``, carried."""
        closes = {self.calendar.place(bar.day): bar.adjusted for bar in self.usable}
        return carried(list(closes), list(closes.values()), self.calendar.last) if closes else {}

    def day_change(self) -> float | None:
        """Return the change of a day as a share of the last price."""
        closes = {self.calendar.place(bar.day): bar.adjusted for bar in self.bars if self.calendar.place(bar.day) >= 0}
        places = sorted(closes)
        if not places or self.calendar.last - places[-1] > 1:
            return 0.0
        if len(places) == 1 or places[-1] - places[-2] - 1 > CARRIED_DAYS:
            return None
        for step in self.steps:
            if step.kind == "suspected_split" and self.calendar.place(self.bars[step.bar].day) == places[-1]:
                return None
        return 1 - closes[places[-2]] / closes[places[-1]]

    def issues(self, *, is_benchmark: bool = False) -> list[Issue]:
        """Return the price issues of the symbol."""
        bad = self.cleaned.bad_days
        if self.cleaned.is_bad:
            return [Issue(self.symbol, "bad_prices", bad[0], count=len(bad))]
        found = [self._issue(step) for step in self.steps if self._is_told(step)]
        bad = tuple(day for day in bad if self.calendar.in_lookback(day))
        if bad:
            found.append(Issue(self.symbol, "bad_bars", bad[0], count=len(bad)))
        unconfirmed = self.cleaned.unconfirmed
        if unconfirmed and self.calendar.in_lookback(unconfirmed):
            found.append(Issue(self.symbol, "unconfirmed_price", unconfirmed))
        if not self.is_missing and not self.is_stale and not is_benchmark:
            found += self._habits()
        return found

    def _is_told(self, step: Step) -> bool:
        day = self.bars[step.bar].day
        if step.kind in {"split", "distribution"}:
            return self.calendar.place(day) > self.calendar.last - 10
        return self.calendar.in_lookback(day)

    def _issue(self, step: Step) -> Issue:
        day = self.bars[step.bar].day
        if step.kind in {"long_gap", "history_cut"}:
            day = self.calendar.days[self.calendar.place(day)]
        ratio = f"{step.ratio.numerator}:{step.ratio.denominator}" if step.ratio else None
        return Issue(self.symbol, step.kind, day, ratio=ratio, days=step.days)

    def _habits(self) -> list[Issue]:
        found: list[Issue] = []
        adjusted = self.adjusted()
        places = [place for place in adjusted if place >= self.calendar.start]
        if len(places) - 1 < SHORTEST_HISTORY:
            return found  # too few days to tell a habit
        still = sum(adjusted[place] == adjusted[place - 1] for place in places[1:])
        if still > 0.1 * (len(places) - 1):
            found.append(Issue(self.symbol, "thin_prices"))
        if self._differing_days() > 0.02:
            found.append(Issue(self.symbol, "asynchronous_prices"))
        return found

    def _differing_days(self) -> float:
        """Return the days of one of exchange and calendar as a share of the calendar's, long gaps apart."""
        own = {bar.day for bar in self.usable if self.calendar.in_lookback(bar.day)}
        if not own:
            return 0.0
        ordered = sorted(own)
        theirs = {day for day in self.calendar.days[self.calendar.start :] if ordered[0] <= day <= ordered[-1]}
        for before, after in itertools.pairwise(ordered):
            if self.calendar.place(after) - self.calendar.place(before) - 1 > CARRIED_DAYS:
                theirs -= {day for day in theirs if before < day < after}
        if not theirs:
            return 0.0
        first = min(theirs)
        return len({day for day in own if day >= first} ^ theirs) / len(theirs)
