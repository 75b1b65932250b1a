"""Bad rows: which rows of a price file count.

Reading: a good ``adj_close`` in any row counts as one of the "others" that are good; "within 5 % of each other" is
by the larger over the smaller; "within 50 % of it" is of the bar in question.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from tests.oracle.inputs import Row

EXACT = 1e-12
NOT_ADJUSTED = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50, 100)


@dataclass(frozen=True, slots=True)
class Bar:
    """A row that counts: a positive close and adjusted close; high, low and a told split where they are there."""

    day: date
    close: float
    adjusted: float
    high: float | None
    low: float | None
    split: Fraction | None


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The bars of a file, the days of its bad rows, and the last day if it is not yet confirmed."""

    bars: tuple[Bar, ...]
    bad_days: tuple[date, ...]
    unconfirmed: date | None
    rows: int

    @property
    def is_bad(self) -> bool:
        """Return whether so many rows are bad that the symbol counts as missing."""
        bad = len(self.bad_days)
        return bad > 5 and bad > 0.01 * self.rows


def readable(value: float | None) -> bool:
    """Return whether the value can be a price."""
    return value is not None and math.isfinite(value) and value > 0


def clean(rows: Sequence[Row]) -> Cleaned:
    """Return the rows that count, among the rows up to the day of the analysis."""
    adjusts = any(readable(row.adj_close) for row in rows)
    bad: list[date] = []
    candidates: list[Bar] = []
    for row in rows:
        bar = _bar(row, adjusts=adjusts)
        if bar is None:
            bad.append(row.day)
        else:
            candidates.append(bar)
    kept: list[Bar] = []
    unconfirmed = None
    for position, bar in enumerate(candidates):
        following = candidates[position + 1] if position + 1 < len(candidates) else None
        if not kept:
            kept.append(bar)
        elif following is None:
            if _is_unconfirmed(kept[-1], bar):
                unconfirmed = bar.day
            else:
                kept.append(bar)
        elif _is_spike(kept[-1], bar, following):
            bad.append(bar.day)
        else:
            kept.append(bar)
    return Cleaned(tuple(kept), tuple(sorted(bad)), unconfirmed, len(rows))


def _bar(row: Row, *, adjusts: bool) -> Bar | None:
    high = row.high if readable(row.high) else None
    low = row.low if readable(row.low) else None
    if not readable(row.close) or (high is not None and low is not None and high < low):
        return None
    adjusted = row.adj_close if adjusts else row.close
    if adjusted is None or not readable(adjusted):
        return None
    return Bar(row.day, row.close, adjusted, high, low, row.split)


def _is_spike(before: Bar, bar: Bar, after: Bar) -> bool:
    neighbors = (before.close, after.close)
    apart = bar.close > 2 * max(neighbors) or bar.close < min(neighbors) / 2
    if apart and max(neighbors) / min(neighbors) <= 1.05 + EXACT:
        return True
    return _is_leap(before, bar) and abs(after.close / bar.close - 1) > 0.5 + EXACT


def _is_unconfirmed(before: Bar, bar: Bar) -> bool:
    fall = before.close / bar.close
    expected = any(abs(fall / ratio - 1) <= 0.015 + EXACT for ratio in NOT_ADJUSTED if ratio <= 50)
    return _is_leap(before, bar) and not expected


def _is_leap(before: Bar, bar: Bar) -> bool:
    far = bar.close > 5 * before.close or bar.close < before.close / 5
    return far and not bar.split and split_ratio(action_factor(before, bar)) is None


def action_factor(before: Bar, bar: Bar) -> float:
    """Return f: the new shares for an old one that close and adjusted close imply together."""
    return (before.close / bar.close) * (bar.adjusted / before.adjusted)


def is_action(factor: float) -> bool:
    """Return whether the factor is that of a corporate action."""
    return factor >= 1.2 - EXACT or factor <= 1 / 1.2 + EXACT


_WHOLE = [Fraction(n) for n in range(2, 101)]
_REVERSE = [Fraction(1, n) for n in range(2, 1001)]
_FRACTIONS = sorted(
    {
        ratio
        for small in range(2, 6)
        for large in range(small + 1, 11)
        if math.gcd(small, large) == 1
        for ratio in (Fraction(large, small), Fraction(small, large))
    }
)


def split_ratio(factor: float) -> Fraction | None:
    """Return new shares for old ones if the factor is that of a split."""
    if not is_action(factor):
        return None
    within = [
        (abs(factor / ratio - 1), ratio)
        for ratios, bound in ((_WHOLE, 0.005), (_REVERSE, 0.005), (_FRACTIONS, 0.002))
        for ratio in ratios
        if abs(factor / ratio - 1) <= bound + EXACT
    ]
    if not within:
        within = [(factor / ratio - 1, ratio) for ratio in _WHOLE if 0 <= factor / ratio - 1 <= 0.03 + EXACT]
    return min(within)[1] if within else None


def unadjusted_ratio(before: Bar, bar: Bar) -> Fraction | None:
    """Return new shares for old ones if the move looks like a split that nobody adjusted for."""
    if abs(action_factor(before, bar) - 1) >= 0.01 or abs(bar.adjusted / before.adjusted - 1) <= 0.19:
        return None
    if bar.split:
        return bar.split
    fall = before.close / bar.close
    listed = [Fraction(n) for n in NOT_ADJUSTED]
    known = [*listed, *(1 / ratio for ratio in listed), Fraction(3, 2)]
    near = [(abs(fall / ratio - 1), ratio) for ratio in known if abs(fall / ratio - 1) <= 0.015 + EXACT]
    return min(near)[1] if near else None
