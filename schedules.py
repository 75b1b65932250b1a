"""Schedules, read by the rules of the host, so that one it would silently refuse is reported here.

The host reads NCRONTAB with the library NCrontab: six fields, seconds first; names of months and weekdays by any
prefix; a day must match both the day of the month and the weekday.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Literal

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
EXAMPLE = "0 0 1 * * *"

_A_LEAP_YEAR = 2000
# Numbers of ten digits and more overflow in NCrontab.
_TERM = re.compile(r"(?:(\*)|([0-9A-Za-z]+)(?:-([0-9A-Za-z]+))?)(?:/([+-]?[0-9]{1,9}))?")
_NUMBER = re.compile(r"[0-9]{1,9}")


class ScheduleError(Exception):
    """The host would refuse the schedule, or never fire. The message is one line that names the rule."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    def values(self, text: str) -> tuple[int, ...]:
        """Return the values of the field, ascending."""
        return tuple(sorted({value for term in text.split(",") for value in self._term(term)}))

    def _term(self, text: str) -> range:
        found = _TERM.fullmatch(text)
        if found is None:
            raise ScheduleError(f"has {text!r} as {self.name}: {self._rule()}")
        every, first, last, step = found.groups()
        low, high = self.low, self.high
        if not every:
            low = self._value(first)
            high = self._value(last) if last else high if step else low
        # As in NCrontab: the ends of a range may be in either order, and a step below one counts as one.
        return range(min(low, high), max(low, high) + 1, max(int(step or 1), 1))

    def _value(self, text: str) -> int:
        if _NUMBER.fullmatch(text):
            value = int(text)
        else:
            matching = (at for at, name in enumerate(self.names, self.low) if name.lower().startswith(text.lower()))
            value = next(matching, -1)
        if not self.low <= value <= self.high:
            raise ScheduleError(f"has {text!r} as {self.name}: {self._rule()}")
        return value

    def _rule(self) -> str:
        names = f" or names from {self.names[0]} to {self.names[-1]}," if self.names else ","
        return f"it takes numbers from {self.low} to {self.high}{names} as a-b, a,b or */n"


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, MONTHS),
    _Field("weekday", 0, 6, WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times a timer fires, in UTC: all times with each part among these."""

    expression: str
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    """Sunday is 0."""

    @classmethod
    def read(cls, expression: str) -> "Schedule":
        """Return the schedule that the host reads from ``expression``.

        Raises:
            ScheduleError: the host would refuse it, take it for another kind of schedule, or never fire.
        """
        texts = [text for text in expression.split(" ") if text]  # at spaces only, as in NCrontab
        if len(texts) != len(_FIELDS):
            # The host also accepts five fields, without seconds, and on some plans an interval (00:05:00). With only
            # one form, a missing field is detected.
            raise ScheduleError(f"must have the six fields of NCRONTAB, seconds first ({EXAMPLE}), not {len(texts)}")
        schedule = cls(expression, *(field.values(text) for field, text in zip(_FIELDS, texts, strict=True)))
        if not any(day <= monthrange(_A_LEAP_YEAR, month)[1] for day, month in product(schedule.days, schedule.months)):
            raise ScheduleError("names a day that none of its months has: it would never be due")
        return schedule

    def after(self, moment: datetime) -> datetime:
        """Return the first time after ``moment``."""
        return self._nearest(moment, "get_next")

    def before(self, moment: datetime) -> datetime:
        """Return the last time before ``moment``."""
        return self._nearest(moment, "get_prev")

    def _nearest(self, moment: datetime, direction: Literal["get_next", "get_prev"]) -> datetime:
        from croniter import croniter  # noqa: PLC0415 - not needed for indexing

        parts = (self.seconds, self.minutes, self.hours, self.days, self.months, self.weekdays)
        plain = " ".join(",".join(map(str, values)) for values in parts)
        # Unix accepts a day that matches either the day of the month or the weekday, the host one that matches both.
        search = croniter(plain, moment, second_at_beginning=True, day_or=False)
        found: datetime = getattr(search, direction)(datetime)
        return found
