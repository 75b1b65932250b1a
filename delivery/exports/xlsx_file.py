"""Spreadsheets with raw numbers. All text is in cells of text: nothing in it becomes a formula or a link.

Rows are written one after the other to a temporary file, so that memory does not grow with their number.
"""

import io
import re
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime
from itertools import chain, islice

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from delivery.exports.sections import Document, clean, shortened

_MOST_ROWS = 1_048_575
"""The rows that a sheet has room for below its header."""
_LONGEST_TEXT = 32_767
_LONGEST_TITLE = 31
_NOT_IN_TITLES = re.compile(r"[\[\]:*?/\\']")
_WIDTHS = (22, 16)
"""The widths of the first column and of all others."""


def list_as_xlsx(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a list as a spreadsheet; what does not fit in a sheet goes on in the next one."""
    content = io.BytesIO()
    with closing(_workbook(content)) as book:
        left, number = iter(rows), 1
        _write(_sheet(book, title), columns, islice(left, _MOST_ROWS))
        while (first := next(left, None)) is not None:
            number += 1
            _write(_sheet(book, f"{title} {number}"), columns, chain((first,), islice(left, _MOST_ROWS - 1)))
    return content.getvalue()


def report_as_xlsx(document: Document) -> bytes:
    """Return a report as a spreadsheet with a sheet for each section."""
    content = io.BytesIO()
    with closing(_workbook(content)) as book:
        book.set_properties({"created": datetime.fromisoformat(document.as_of)})  # the same report, the same file
        for section in document.sections:
            rows = ([cell.value for cell in row] for row in section.rows)
            _write(_sheet(book, section.title), [column.label for column in section.columns], rows)
    return content.getvalue()


def _workbook(content: io.BytesIO) -> Workbook:
    plain = dict.fromkeys(("strings_to_formulas", "strings_to_urls", "strings_to_numbers"), False)
    return Workbook(content, {"constant_memory": True, **plain})


def _sheet(book: Workbook, title: str) -> Worksheet:
    sheet = book.add_worksheet(_NOT_IN_TITLES.sub(" ", title)[:_LONGEST_TITLE])
    sheet.freeze_panes(1, 0)
    first, others = _WIDTHS
    sheet.set_column(0, 0, first)
    sheet.set_column(1, 50, others)
    return sheet


def _write(sheet: Worksheet, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    for number, row in enumerate(chain((columns,), rows)):
        for column, value in enumerate(row):
            match value:
                case None:
                    continue
                case bool():
                    sheet.write_boolean(number, column, value)
                case int() | float():
                    sheet.write_number(number, column, value)
                case _:
                    sheet.write_string(number, column, shortened(clean(str(value)), _LONGEST_TEXT))
