"""CSV files (RFC 4180) with raw numbers. Text that a spreadsheet would take for a formula begins with an apostrophe."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import batched

from delivery.exports.sections import Document

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_ROWS_AT_ONCE = 1_000
_COLUMNS = ("section", "row", "item", "figure", "value")


def list_as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a list as a file; numbers are neither rounded nor grouped, what is unknown is empty."""
    content = io.BytesIO()
    content.write(_block([columns]))
    content.writelines(_block(some) for some in batched(rows, _ROWS_AT_ONCE, strict=False))
    return content.getvalue()


def report_as_csv(document: Document) -> bytes:
    """Return a report, one line for each figure: its section, the number and first cell of its row, and its column."""
    return list_as_csv(_COLUMNS, _figures(document))


def _figures(document: Document) -> Iterator[Sequence[object]]:
    for section in document.sections:
        for number, row in enumerate(section.rows, 1):
            item = row[0].value
            if len(row) == 1:
                yield section.title, number, None, section.columns[0].label, item
            for column, cell in zip(section.columns[1:], row[1:], strict=True):
                yield section.title, number, item, column.label, cell.value


def _block(rows: Iterable[Sequence[object]]) -> bytes:
    content = io.StringIO()
    csv.writer(content).writerows([_cell(value) for value in row] for row in rows)
    return content.getvalue().encode()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
        case date():
            return value.isoformat()
        case _:
            return repr(value)
