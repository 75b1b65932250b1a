"""The table in the text of a price file: where it begins and ends, and what separates its cells."""

import csv
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from market_data.price_files.columns import Layout, has_dates, layout_of, layout_of_levels
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.numbers import is_number

_SEPARATORS = ",;\t|"
_LINES_ABOVE = 30
_PLAIN_HEADER = {"date", "open", "high", "low", "close", "adj_close", "volume"}
_LEVELS = 3
_WORD = re.compile(r"[^\W\d_]{3,}")

type Row = list[str]


class Table(NamedTuple):
    """The rows of a table, each as wide as its header or wider, with the numbers of their lines, counted from 1.

    It is ``plain`` if its header has no other names than :data:`_PLAIN_HEADER`, and its cells no commas.
    """

    layout: Layout
    rows: list[Row]
    lines: Sequence[int]
    plain: bool


class _Header(NamedTuple):
    layout: Layout
    separator: str
    cells: Row
    length: int
    """The number of its cells with the blank ones at its end."""
    end: int
    """The number of lines up to its last."""

    @property
    def width(self) -> int:
        """Return the number of columns."""
        return len(self.cells)


def table_of(text: str) -> Table:
    """Return the table in ``text``: after lines of other text, and before such lines; blank lines are left out.

    Raises:
        PriceFileFault: there is none, or a line breaks a rule.
    """
    lines = _lines(text)
    header = _header(lines)
    rows = _cells(lines[header.end :], header.separator, header.end + 1)
    numbers: Sequence[int] = range(header.end + 1, len(lines) + 1)
    if not (set(map(len, rows)) <= {header.width} and all(map(any, rows))):
        fitted = _fitted(rows, header)
        rows, numbers = list(fitted.values()), list(fitted)
    has_commas = '"' in text and any("," in cell for row in rows for cell in row)
    plain = header.separator == "," and _PLAIN_HEADER.issuperset(header.cells) and not has_commas
    return Table(header.layout, rows, numbers, plain)


def beginning_of(text: str) -> tuple[Layout, Row]:
    """Return the layout of the table in ``text``, and its first row, empty if there is none.

    Raises:
        PriceFileFault: there is no header, or it breaks a rule.
    """
    lines = _lines(text)
    header = _header(lines)
    for number, line in enumerate(lines[header.end :], start=header.end + 1):
        if row := _trimmed(_row(line, header.separator, number)):
            return header.layout, row
    return header.layout, []


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")


def _header(lines: Sequence[str]) -> _Header:
    given = list(islice((number for number, line in enumerate(lines) if line.strip()), _LINES_ABOVE))
    if not given:
        raise PriceFileFault("the file is empty", 1)
    rule, line, wide = "the header has no column date", given[0], None
    for number in given:
        for separator in sorted(_SEPARATORS, key=lines[number].count, reverse=True):
            try:
                header, dated = _header_at(lines, number, separator)
            except PriceFileFault as fault:
                raise PriceFileFault(fault.rule, number + 1) from None
            if header is not None and not header.layout.is_wide:
                return header
            wide = wide or header
            if dated:
                rule, line = "the header has no column close", number
    if wide is not None:  # and no line of text above another header, such as Date,TODAY
        return wide
    raise PriceFileFault(rule, line + 1)


def _header_at(lines: Sequence[str], number: int, separator: str) -> tuple[_Header | None, bool]:
    """Return the header that begins with this line, if one does, and whether the line has a column of dates."""
    given, *below = (_header_cells(line, separator) for line in lines[number : number + _LEVELS])
    cells, length = _trimmed(given), len(given)
    below = list(map(_trimmed, below))
    if len(below) == _LEVELS - 1 and all([cells, *below]) and (layout := layout_of_levels([cells, *below])):
        return _Header(layout, separator, cells, length, number + _LEVELS), True
    layout = layout_of(cells)
    if layout is not None:
        return _Header(layout, separator, cells, length, number + 1), True
    return None, len(cells) > 1 and has_dates(cells)


def _header_cells(line: str, separator: str) -> Row:
    """Return the cells of a line that may be a header; none if it is not CSV."""
    try:
        return _row(line, separator, 0)
    except PriceFileFault:
        return []


def _reader(lines: Sequence[str], separator: str) -> Iterator[Row]:
    return csv.reader(lines, strict=True, skipinitialspace=True, delimiter=separator)


def _trimmed(row: Row) -> Row:
    """Return the cells up to the last that is not blank."""
    width = max((index for index, cell in enumerate(row, start=1) if cell.strip()), default=0)
    return row[:width]


def _cells(lines: Sequence[str], separator: str, first: int) -> list[Row]:
    """Return the cells of each line; one row per line, so that a row's index gives its line number."""
    try:
        rows = list(_reader(lines, separator))
    except csv.Error:
        rows = []
    if len(rows) == len(lines):
        return rows
    # An unclosed quote made the reader join lines: parsed one by one, the faulty line is found.
    return [_row(line, separator, number) for number, line in enumerate(lines, start=first)]


def _row(line: str, separator: str, number: int) -> Row:
    try:
        return next(_reader([line], separator), [])
    except csv.Error as error:
        raise PriceFileFault(f"it is not CSV: {error}", number) from None


def _fitted(rows: Sequence[Row], header: _Header) -> dict[int, Row]:
    """Return the rows that are not blank, by the numbers of their lines, up to the lines of text at the end."""
    end, width = len(rows), header.width
    while end and _is_text(rows[end - 1], width):
        end -= 1
    fitted = {number: row for number, row in enumerate(rows[:end], start=header.end + 1) if _trimmed(row)}
    for number, row in fitted.items():
        given = len(_trimmed(row))
        if len(row) < width or given > width:
            raise PriceFileFault(f"it has {max(given, min(len(row), width))} cells, the header has {width}", number)
    longer = [number for number, row in fitted.items() if len(row) > width]
    if longer and not _end_with_separators(fitted.values(), header):
        raise PriceFileFault(
            "it ends with a separator that the header or other rows do not have: "
            "remove it, or quote the numbers with commas",
            longer[0],
        )
    return fitted


def _end_with_separators(rows: Collection[Row], header: _Header) -> bool:
    """Return whether it is proved that separators end the rows: an empty last cell may also follow a divided number."""
    lengths = set(map(len, rows))
    if lengths == {header.width + 1}:
        return header.length in lengths or any(not _may_be_divided(row, header.separator) for row in rows)
    return lengths == {header.length}


def _may_be_divided(row: Row, separator: str) -> bool:
    """Return whether two cells side by side would be one number, as with a decimal comma between commas."""
    return any(left and right and is_number(f"{left}{separator}{right}") for left, right in pairwise(row))


def _is_text(row: Row, width: int) -> bool:
    """Return whether a row is blank or a sentence: its first cell has several words, and does not begin as a date."""
    given = len(_trimmed(row))
    return not given or (given != width and not row[0][:1].isdigit() and len(_WORD.findall(row[0])) > 1)
