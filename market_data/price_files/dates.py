"""The dates of a price file: in any form of other programs, if the file itself proves what it means."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from typing import NamedTuple

import numpy as np

from analysis.models import Dates
from market_data.price_files.faults import PriceFileFault

_EPOCH = date(1970, 1, 1).toordinal()
_ISO_LENGTH = len("2026-01-31")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTH_NUMBERS = {name[:length]: number for number, name in enumerate(_MONTHS, start=1) for length in (3, 4, len(name))}
_LAST_YEAR_OF_2000 = 68  # as POSIX reads years of two digits
_WEEK = 7
_SUNDAY, _FRIDAY = 0, 5  # of an ordinal, as its remainder of weeks
_TIME = (
    r"(?:[T ,]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?: ?[AaPp][Mm])?"
    r"(?: ?(?:[A-Z]{1,4}|[+-][0-9]{2}:?[0-9]{2}))?)?"
)
_ORDERS = {"ymd": "year, month, day", "dmy": "day, month, year", "mdy": "month, day, year"}


class _Form(NamedTuple):
    """A form of dates, of three groups that may have these ``orders``."""

    pattern: re.Pattern[str]
    orders: tuple[str, ...]


def _form(pattern: str, *orders: str) -> _Form:
    return _Form(re.compile(pattern + _TIME), orders)


_FORMS = (
    _form(r"([0-9]{4})([0-9]{2})([0-9]{2})", "ymd"),
    *(_form(rf"([0-9]{{4}}){mark}([0-9]{{1,2}}){mark}([0-9]{{1,2}})", "ymd") for mark in ("-", "/", r"\.")),
    _form(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})", "dmy"),
    _form(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{2})", "dmy", "ymd"),
    *(_form(rf"([0-9]{{1,2}}){mark}([0-9]{{1,2}}){mark}([0-9]{{4}})", "dmy", "mdy") for mark in "-/"),
    *(_form(rf"([0-9]{{1,2}}){mark}([0-9]{{1,2}}){mark}([0-9]{{2}})", "dmy", "mdy", "ymd") for mark in "-/"),
    _form(r"([0-9]{1,2})[- ]([A-Za-z]{3,9})[- ]([0-9]{4}|[0-9]{2})", "dmy"),
    _form(r"([A-Za-z]{3,9})\.? ([0-9]{1,2}),? ([0-9]{4}|[0-9]{2})", "mdy"),
)
# Seconds, milliseconds, microseconds and nanoseconds since 1970, told apart by their digits: from 1973 on.
_SINCE_1970 = {
    re.compile(rf"[0-9]{{{digits - 1},{digits}}}"): 86_400 * 10 ** (digits - 10) for digits in (10, 13, 16, 19)
}


class _NoDate(Exception):
    def __init__(self, cell: str, expected: str) -> None:
        super().__init__(expected)
        self.cell = cell
        self.expected = expected


def dates_of(cells: Sequence[str], lines: Sequence[int]) -> Dates:
    """Return the dates in the cells of these lines, in their order. All are of one form, that of the first.

    A time is left out, and the date is the one written, whatever its zone; numbers since 1970 are days in UTC.

    Raises:
        PriceFileFault: a cell is no date of that form, or nothing proves which number is the day.
    """
    distinct = list(dict.fromkeys(cells))  # a file of several symbols repeats its dates
    try:
        ordinals = _ordinals(distinct)
    except _NoDate as fault:
        rule = f"the date {fault.cell.strip()[:30]!r} is not {fault.expected}"
        raise PriceFileFault(rule, lines[cells.index(fault.cell)]) from None
    if len(distinct) < len(cells):
        known = dict(zip(distinct, ordinals, strict=True))
        ordinals = [known[cell] for cell in cells]
    # Via ordinals: numpy takes ten times as long to convert the dates themselves.
    return (np.array(ordinals, dtype=np.int64) - _EPOCH).astype("datetime64[D]")


def _ordinals(cells: Sequence[str]) -> list[int]:
    if _have_iso_form(cells):
        with suppress(ValueError):  # the faulty cell is found below
            return [day.toordinal() for day in map(date.fromisoformat, cells)]
    first = cells[0].strip()
    for number, per_day in _SINCE_1970.items():
        if number.fullmatch(first):
            return _days_since_1970(cells, number, per_day)
    for form in _FORMS:
        if form.pattern.fullmatch(first):
            return _calendar_days(cells, form)
    raise _NoDate(cells[0], "a date such as 2026-01-31")


def _have_iso_form(cells: Sequence[str]) -> bool:
    """Return whether the dashes are in their places: Python also takes ten digits for a date."""
    if not set(map(len, cells)) <= {_ISO_LENGTH}:
        return False
    joined, dashes = "".join(cells), "-" * len(cells)
    return joined[4::_ISO_LENGTH] == joined[7::_ISO_LENGTH] == dashes


def _days_since_1970(cells: Sequence[str], number: re.Pattern[str], per_day: int) -> list[int]:
    for cell in cells:
        if number.fullmatch(cell.strip()) is None:
            raise _NoDate(cell, "a number in the form of the first row")
    days = [_EPOCH + int(cell) // per_day for cell in cells]
    weekdays = {day % _WEEK for day in days}
    long = max(days) - min(days) >= 2 * _WEEK
    if long and _SUNDAY in weekdays and _FRIDAY not in weekdays and any(int(cell) % per_day for cell in cells):
        raise PriceFileFault(
            "the times are not midnight UTC, and fall on Sundays and on no Friday: write the dates as 2026-01-31"
        )
    return days


def _calendar_days(cells: Sequence[str], form: _Form) -> list[int]:
    readings: dict[str, list[int]] = {order: [] for order in form.orders}
    for cell in cells:
        match = form.pattern.fullmatch(cell.strip())
        for order in tuple(readings):
            day = _ordinal(match.groups(), order) if match else None
            if day is None:
                del readings[order]
            else:
                readings[order].append(day)
        if not readings:
            raise _NoDate(cell, f"a day in the form of the first row: {_names(form.orders)}")
    if "ymd" in readings and len(readings) > 1:
        readings = _with_or_without_year_first(readings)
    if len(readings) != 1:
        orders = tuple(readings) or form.orders
        reason = "" if "ymd" in orders else ", as no day is above 12"
        example = cells[0].strip()[:30]
        raise PriceFileFault(
            f"nothing proves whether dates such as {example} are {_names(orders)}{reason}: write them as 2026-01-31"
        )
    return next(iter(readings.values()))


def _names(orders: Sequence[str]) -> str:
    return " or ".join(_ORDERS[order] for order in orders)


def _ordinal(parts: Sequence[str], order: str) -> int | None:
    year, month, day = (parts[order.index(part)] for part in "ymd")
    number = int(month) if month.isdigit() else _MONTH_NUMBERS.get(month.lower(), 0)
    try:
        return date(_year(year), number, int(day)).toordinal()
    except ValueError:
        return None


def _year(text: str) -> int:
    if len(text) > len("99"):
        return int(text)
    return int(text) + (2000 if int(text) <= _LAST_YEAR_OF_2000 else 1900)


def _with_or_without_year_first(readings: dict[str, list[int]]) -> dict[str, list[int]]:
    """Return what remains of the readings of years with two digits, which look like days, and all if nothing is proved.

    Only one of them gives daily rows: in the other, day after day is year after year.
    """
    daily = {order for order, days in readings.items() if _are_daily(days)}
    if daily == {"ymd"}:
        return {"ymd": readings["ymd"]}
    if daily and "ymd" not in daily:
        return {order: days for order, days in readings.items() if order != "ymd"}
    return readings


def _are_daily(days: Sequence[int]) -> bool:
    """Return whether days are in order and, on average, at most a week apart."""
    steps = np.diff(days)
    in_order = bool((steps > 0).all() or (steps < 0).all())
    return in_order and steps.size > 0 and abs(days[-1] - days[0]) <= _WEEK * steps.size
