"""Columns of values from many documents: fast where the values are plain, value by value where they are not.

Each function returns its column and the rows whose value is there and cannot be read.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import batched
from typing import Any

import numpy as np
from bson import Int64
from bson.tz_util import utc

from analysis.models import Dates, Floats, Objects
from stores.backend import text_of
from stores.document_values import LARGEST_NUMBER, is_blank, number_of
from stores.mongo import Document

_OF_NUMBERS = frozenset({float, int, Int64, type(None)})
_NOTHING = {type(None)}
# With the driver's own object of the zone, with which differences take no call for each.
_EPOCH = datetime(1970, 1, 1, tzinfo=utc)
_LENGTH_OF_DATE = 10
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"[T ]([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9](?:\.[0-9]{1,9})?))?")
_LONGEST_ID = 200
# So few that they stay in the processor's cache while all their fields are taken, which takes half the time.
_AT_ONCE = 200


def values_of(documents: Sequence[Document], names: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values of each field, ``None`` where it is absent."""
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for part in batched(documents, _AT_ONCE, strict=False):
        there = set[str]().union(*part)
        for name, column in columns.items():
            column.extend([document.get(name) for document in part] if name in there else [None] * len(part))
    return columns


def numbers(values: list[Any]) -> tuple[Floats, list[int]]:
    """Return the numbers, NaN for none, and the rows that cannot be read."""
    types = set(map(type, values))
    if types == _NOTHING:
        return np.full(len(values), np.nan), []
    if types <= _OF_NUMBERS:
        column = np.array(values, np.float64)  # NaN for None
        none = ~(np.abs(column) <= LARGEST_NUMBER)
        if np.count_nonzero(none) == (values.count(None) if type(None) in types else 0):
            return column, []
    found = [None if value is None else number_of(value) for value in values]
    rows = [row for row, number in enumerate(found) if number is None and values[row] is not None]
    return np.array(found, np.float64), rows


def texts(values: list[Any], read: Callable[[Any], str | None]) -> tuple[Objects, list[int]]:
    """Return the texts that are read from values, empty for blank ones, and the rows that cannot be read."""
    types = set(map(type, values))
    if types == _NOTHING:
        return _objects([""] * len(values)), []
    if types <= {str, type(None)}:
        known = {value: "" if is_blank(value) else read(value) for value in set(values)}
        found = [known[value] for value in values]
        if None not in known.values():
            return _objects(found), []
    else:
        found = ["" if is_blank(value) else read(value) for value in values]
    return _objects([text or "" for text in found]), [row for row, text in enumerate(found) if text is None]


def ids(values: list[Any]) -> tuple[Objects, list[int]]:
    """Return the texts of ids, empty for none, and the rows that cannot be read."""
    types = set(map(type, values))
    if types == {str} and len(max(values, key=len)) <= _LONGEST_ID:
        return _objects(values), []
    if types == _NOTHING:
        return _objects([""] * len(values)), []
    return texts(values, _id)


def _id(value: object) -> str | None:
    text = text_of(value)
    return text if 0 < len(text) <= _LONGEST_ID else None


def _objects(values: list[Any]) -> Objects:
    column: Objects = np.empty(len(values), object)
    column[:] = values
    return column


def dates(values: list[Any]) -> tuple[Dates, Floats, list[int]]:
    """Return the day and the seconds after its midnight, NaT and 0 for what cannot be read, and the rows of these."""
    types = set(map(type, values))
    if types == {datetime}:
        since = [value - _EPOCH for value in values]
        days = np.array([time.days for time in since], "datetime64[D]")
        return days, np.array([time.seconds + time.microseconds / 1e6 for time in since]), []
    if types == {str} and {len(value) for value in values} == {_LENGTH_OF_DATE}:
        known = {text: _day_in(text) for text in set(values)}
        if None not in known.values():
            return np.array([known[text] for text in values], "datetime64[D]"), np.zeros(len(values)), []
    moments = [_moment(value) for value in values]
    unreadable = [row for row, (day, _) in enumerate(moments) if day is None]
    days = np.array([np.datetime64("NaT", "D") if day is None else day for day, _ in moments], "datetime64[D]")
    return days, np.array([time for _, time in moments]), unreadable


def _moment(value: object) -> tuple[np.datetime64 | None, float]:
    if isinstance(value, datetime):
        since = value - _EPOCH
        return np.datetime64(since.days, "D"), since.seconds + since.microseconds / 1e6
    if not isinstance(value, str):
        return None, 0.0
    # The time only orders the transactions of a day: whatever follows it, such as a zone, is left aside.
    time_of = _TIME.match(value, _LENGTH_OF_DATE)
    hours, minutes, seconds = (float(part or 0) for part in time_of.groups()) if time_of else (0.0, 0.0, 0.0)
    return _day_in(value[:_LENGTH_OF_DATE]), hours * 3600 + minutes * 60 + seconds


def _day_in(text: str) -> np.datetime64 | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return np.datetime64(date.fromisoformat(text), "D")
    except ValueError:  # no such day
        return None
