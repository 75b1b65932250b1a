"""Price paths: a seeded random walk beside a market, and everything that may happen to a price file."""

import math
import random
from collections.abc import Callable, Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Self

from tests.oracle.inputs import Row

NAN = math.nan
DAY = timedelta(days=1)


def weekdays(last: date, count: int) -> list[date]:
    """Return the last so many trading days of an exchange that closes on a few holidays a year."""
    return _days(last, count, lambda day: day.weekday() < 5 and not _is_holiday(day))


def every_day(first: date, last: date) -> list[date]:
    """Return all days of the span."""
    return [first + DAY * at for at in range((last - first).days + 1)]


def shanghai(first: date, last: date) -> list[date]:
    """Return the days of an exchange with two long holidays a year and none of the others."""

    def is_open(day: date) -> bool:
        golden_week = day.month == 10 and day.day <= 8
        lunar_new_year = date(day.year, 1, 28) <= day <= date(day.year, 2, 6)
        return day.weekday() < 5 and not golden_week and not lunar_new_year and (day.month, day.day) != (5, 1)

    return [day for day in every_day(first, last) if is_open(day)]


def _days(last: date, count: int, is_open: Callable[[date], bool]) -> list[date]:
    found: list[date] = []
    day = last
    while len(found) < count:
        if is_open(day):
            found.append(day)
        day -= DAY
    return found[::-1]


def _is_holiday(day: date) -> bool:
    is_third_monday = day.weekday() == 0 and 15 <= day.day <= 21
    is_fourth_thursday = day.weekday() == 3 and 22 <= day.day <= 28
    return (
        (day.month, day.day) in {(1, 1), (6, 19), (7, 4), (12, 25)}
        or (is_third_monday and day.month in {1, 2})
        or (is_fourth_thursday and day.month == 11)
        or (day.weekday() == 0 and day.day >= 25 and day.month == 5)
    )


@dataclass(slots=True)
class Path:
    """A price file in the making. Places count from the first row, negative ones from the end."""

    days: list[date]
    adjusted: list[float]
    close: list[float] = field(default_factory=list)
    told_splits: list[Fraction | None] = field(default_factory=list)
    spread: float = 0.01

    def __post_init__(self) -> None:
        self.close = self.close or list(self.adjusted)
        self.told_splits = self.told_splits or [None] * len(self.days)

    def _place(self, at: int) -> int:
        return at if at >= 0 else len(self.days) + at

    def split(self, at: int, ratio: float, dividend: float = 0.0) -> Self:
        """Split the shares on a day, adjusted; a dividend of that share may fall on it."""
        for place in range(self._place(at)):
            self.close[place] *= ratio / (1 - dividend)
        return self

    def told(self, at: int, ratio: Fraction) -> Self:
        """Let the source tell a split of a day."""
        self.told_splits[self._place(at)] = ratio
        return self

    def dividend(self, at: int, share: float) -> Self:
        """Pay out a share of the price."""
        return self.split(at, 1.0, share)

    def shift(self, at: int, factor: float) -> Self:
        """Multiply all prices from a day on."""
        for place in range(self._place(at), len(self.days)):
            self.close[place] *= factor
            self.adjusted[place] *= factor
        return self

    def spike(self, at: int, factor: float, *, adjusted_too: bool = True) -> Self:
        """Multiply the prices of one day."""
        place = self._place(at)
        self.close[place] *= factor
        if adjusted_too:
            self.adjusted[place] *= factor
        return self

    def bad(self, at: int, value: float) -> Self:
        """Put something that is no price in place of a close."""
        self.close[self._place(at)] = value
        return self

    def gap(self, at: int, days: int) -> Self:
        """Leave out days."""
        place = self._place(at)
        for column in (self.days, self.adjusted, self.close, self.told_splits):
            del column[place : place + days]
        return self

    def rows(self) -> tuple[Row, ...]:
        """Return the rows."""
        return tuple(
            Row(day, close, adjusted, close * (1 + self.spread), close * (1 - self.spread), split)
            for day, close, adjusted, split in zip(self.days, self.close, self.adjusted, self.told_splits, strict=True)
        )


def edited(rows: Sequence[Row], at: int, **changes: float | None) -> tuple[Row, ...]:
    """Return the rows with changed cells in one of them."""
    found = list(rows)
    found[at] = replace(found[at], **changes)  # type: ignore[arg-type]
    return tuple(found)


@dataclass(slots=True)
class Walks:
    """A source of random walks that follow the same market."""

    chance: random.Random
    market: dict[date, float]
    """The market's return of each of its days."""

    def path(
        self, days: Sequence[date], *, beta: float = 1.0, noise: float = 0.012, drift: float = 0.0002, price: float = 0
    ) -> Path:
        """Return a path over the days."""
        value = price or self.chance.uniform(5, 400)
        adjusted = []
        for day in days:
            adjusted.append(value)
            move = beta * self.market.get(day, 0.0) + drift + self.chance.gauss(0, noise)
            value *= max(0.7, 1 + move)
        return Path(list(days), adjusted)
