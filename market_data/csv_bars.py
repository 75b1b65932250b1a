"""The parser of CSV files: from bytes to bars, or to the first line that breaks a rule."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

import numpy as np

from analysis.models import Dates
from analysis.prices import Bars
from market_data.rows import Column, priced_rows, prices_of

_FIRST_ROW_LINE = 2

type _Row = Sequence[str]


class CsvFault(Exception):
    """A line, counted from 1, that breaks ``rule``."""

    def __init__(self, line: int, rule: str) -> None:
        super().__init__(f"line {line}: {rule}")
        self.line = line
        self.rule = rule


def parse_bars(content: bytes) -> Bars:
    """Return the bars of a file: a header with at least ``date`` and ``close``, one line per day, ascending by date.

    ``adj_close`` defaults to ``close``. Rows without a close are left out, and whether a price is possible is not
    decided here. Further columns are ignored, as are the case of the header, a byte order mark and blank lines at the
    end.

    Raises:
        CsvFault: a line breaks a rule, with its number.
    """
    header, *rows = _rows(_decoded(content).replace("\r\n", "\n").rstrip().split("\n"))
    names = _column_names(header)
    columns = _columns(names, rows)
    dates = _dates(columns["date"])
    known: tuple[Column, ...] = ("close", "adj_close", "high", "low")
    prices = {name: prices_of(columns[name]) for name in known if name in columns}
    return priced_rows(dates, {"adj_close": prices["close"], **prices})


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CsvFault(content.count(b"\n", 0, error.start) + 1, "it is not UTF-8 text") from None


def _rows(lines: Sequence[str]) -> list[_Row]:
    """Return the cells of each line; one row per line, so that a row's index gives its line number."""
    try:
        rows: list[_Row] = list(_reader(lines))
    except csv.Error:
        rows = []
    if len(rows) == len(lines):
        return rows
    # An unclosed quote made the reader join lines: parsed one by one, the faulty line is found.
    return [_row(line, number) for number, line in enumerate(lines, start=1)]


def _row(line: str, number: int) -> _Row:
    try:
        return next(_reader([line]))
    except csv.Error as error:
        raise CsvFault(number, f"it is not CSV: {error}") from None


def _reader(lines: Iterable[str]) -> Iterator[list[str]]:
    return csv.reader(lines, strict=True, skipinitialspace=True)


def _column_names(header: _Row) -> list[str]:
    if not header:
        raise CsvFault(1, "the file is empty")
    names = [name.strip().lower().replace(" ", "_") for name in header]
    for name in ("date", "close"):
        if name not in names:
            raise CsvFault(1, f"the header has no column {name}")
    for name in ("date", "close", "adj_close", "high", "low"):
        if names.count(name) > 1:
            raise CsvFault(1, f"the header has the column {name} more than once")
    return names


def _columns(names: Sequence[str], rows: Sequence[_Row]) -> dict[str, Sequence[str]]:
    for line, row in enumerate(rows, start=_FIRST_ROW_LINE):
        if len(row) != len(names):
            raise CsvFault(line, f"it has {len(row)} cells, the header has {len(names)}")
    cells: Iterable[Sequence[str]] = zip(*rows, strict=True) if rows else [()] * len(names)
    return dict(zip(names, cells, strict=True))


def _dates(cells: Sequence[str]) -> Dates:
    dates: list[date] = []
    try:
        dates.extend(map(date.fromisoformat, cells))
    except ValueError:  # the list contains the cells before it
        raise CsvFault(_FIRST_ROW_LINE + len(dates), "the date is not an ISO date such as 2026-01-31") from None
    # Via ordinals: numpy takes ten times as long to convert the dates themselves.
    ordinals = np.array([day.toordinal() for day in dates], dtype=np.int64)
    days = (ordinals - date(1970, 1, 1).toordinal()).astype("datetime64[D]")
    unordered = np.flatnonzero(days[1:] <= days[:-1])
    if unordered.size:
        earlier = int(unordered[0])
        rule = "repeats that of" if days[earlier + 1] == days[earlier] else "is before that of"
        raise CsvFault(_FIRST_ROW_LINE + earlier + 1, f"the date {rule} the line above")
    return days
