"""The calendar: the benchmark's days up to the day of the analysis.

Reading: a price dated before the first day of the whole calendar is on none of its days; one between two days is on
the later.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

BEFORE = -1


@dataclass(frozen=True, slots=True)
class Calendar:
    """All days, the last of which is ``as_of``; ``start`` is the place of the first one of the lookback."""

    days: tuple[date, ...]
    lookback_days: int

    @property
    def start(self) -> int:
        """Return the place of the first day of the lookback."""
        return max(0, len(self.days) - 1 - self.lookback_days)

    @property
    def last(self) -> int:
        """Return the place of ``as_of``."""
        return len(self.days) - 1

    @property
    def as_of(self) -> date:
        """Return the last day."""
        return self.days[-1]

    def place(self, day: date) -> int:
        """Return the place of the day on which a price of this date counts."""
        return BEFORE if day < self.days[0] else bisect_left(self.days, day)

    def in_lookback(self, day: date) -> bool:
        """Return whether the date is in the lookback."""
        return day >= self.days[self.start]


def carried(places: Sequence[int], values: Sequence[float], last: int) -> dict[int, float]:
    """Return the value of each place from the first to the last, the latest one where there is none."""
    given = dict(zip(places, values, strict=True))
    found: dict[int, float] = {}
    for place in range(places[0], last + 1):
        found[place] = given[place] if place in given else found[place - 1]
    return found
