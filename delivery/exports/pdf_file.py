"""A report as a PDF: tables on pages of A4, the heads of which are repeated.

Text is wrapped or cut to its column. A number is never cut, since it would look like another one: it is set smaller.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from fpdf import FPDF

from delivery.exports.pdf_fonts import Fonts, fonts_of
from delivery.exports.sections import Cell, Column, Document, Section, clean, shortened

_LONGEST_TEXT = 2_000
_MOST_LINES = 30
_TITLE_LINES = 3
_MARGIN, _WIDTH, _BOTTOM = 12.0, 273.0, 196.0
_LINE, _GAP, _PADDING = 4.2, 1.4, 1.5
_SIZE, _TITLE_SIZE, _HEAD_SIZE = 8.0, 16.0, 11.0
_RULE, _INK, _GRAY = (221, 225, 233), (26, 31, 43), (88, 97, 116)
_SHARES = {"wide": 4.0, "numeric": 1.0, "text": 1.4}
_CUT = "…"

# The library reports each table of a font that it leaves out of the file.
logging.getLogger("fontTools").setLevel(logging.ERROR)


def report_as_pdf(document: Document) -> bytes:
    """Return a report as a PDF."""
    pdf = FPDF(orientation="landscape", format="A4")
    pdf.set_auto_page_break(auto=False)
    pdf.set_title(clean(document.title))
    pdf.set_lang("en-US")
    pdf.set_creation_date(datetime.fromisoformat(document.as_of).replace(tzinfo=UTC))  # the same report, the same file
    with fonts_of(pdf) as fonts:
        pages = _Pages(pdf, fonts)
        pages.title(document.title)
        for section in document.sections:
            if section.printed:
                pages.section(section)
        return bytes(pdf.output())


class _Pages:
    """The pages so far, and the place of the next line."""

    def __init__(self, pdf: FPDF, fonts: Fonts) -> None:
        self._pdf, self._fonts, self._y = pdf, fonts, _MARGIN
        self._new_page()

    def title(self, text: str) -> None:
        for line in self._wrapped(text, _WIDTH, "B", _TITLE_SIZE, most=_TITLE_LINES):
            self._y += _TITLE_SIZE / 2
            self._draw(_MARGIN, self._y, line, "B", _TITLE_SIZE)

    def section(self, section: Section) -> None:
        """Draw a table under its title, with room for its head and first row."""
        places = [place for place, column in enumerate(section.columns) if column.printed]
        columns = [section.columns[place] for place in places]
        widths = _widths(columns)
        head = [
            self._cell(column, Cell(None, column.label), width, "B")
            for column, width in zip(columns, widths, strict=True)
        ]
        if self._y + 8 * _LINE > _BOTTOM:
            self._new_page()
        self._y += 9
        self._draw(_MARGIN, self._y, section.title, "B", _HEAD_SIZE)
        self._y += 2
        self._pdf.set_text_color(*_GRAY)
        for line in self._wrapped(section.note, _WIDTH, "", _SIZE) if section.note else ():
            self._y += _LINE
            self._draw(_MARGIN, self._y, line, "", _SIZE)
        self._pdf.set_text_color(*_INK)
        self._row(columns, widths, head, "B")
        for row in section.rows:
            cells = [
                self._cell(column, row[place], width, "")
                for place, column, width in zip(places, columns, widths, strict=True)
            ]
            if self._y + _height(cells) > _BOTTOM:
                self._new_page()
                self._row(columns, widths, head, "B")
            self._row(columns, widths, cells, "")

    def _row(self, columns: Sequence[Column], widths: Sequence[float], cells: list[list[str]], style: str) -> None:
        x, bottom = _MARGIN, self._y + _height(cells)
        for column, width, lines in zip(columns, widths, cells, strict=True):
            for number, line in enumerate(lines, 1):
                size, left = self._numeric(line, width - 2 * _PADDING, style) if column.numeric else (_SIZE, 0.0)
                self._draw(x + _PADDING + left, self._y + number * _LINE, line, style, size)
            x += width
        self._pdf.line(_MARGIN, bottom, x, bottom)
        self._y = bottom

    def _numeric(self, line: str, room: float, style: str) -> tuple[float, float]:
        """Return the size that a line fits in, and what is left of the room before it."""
        used = self._fonts.width(line, style, _SIZE)
        return (_SIZE, room - used) if used <= room else (_SIZE * room / used, 0.0)

    def _cell(self, column: Column, cell: Cell, width: float, style: str) -> list[str]:
        """Return the lines of a cell; those of text fit."""
        room = width - 2 * _PADDING
        if isinstance(cell.value, int | float):
            return [cell.shown]
        if column.wide or column.numeric:
            return self._wrapped(cell.shown, room, style, _SIZE)
        return [self._fitting(shortened(clean(cell.shown), _LONGEST_TEXT), room, style, _SIZE)]

    def _fitting(self, text: str, room: float, style: str, size: float) -> str:
        """Return text, or as much of it as there is room for."""
        if self._fonts.width(text, style, size) <= room:
            return text
        return text[: self._fit(text, room - self._fonts.width(_CUT, style, size), style, size)] + _CUT

    def _wrapped(self, text: str, room: float, style: str, size: float, *, most: int = _MOST_LINES) -> list[str]:
        """Return at most so many lines of text, broken at blanks where a line has one."""
        left, lines = shortened(clean(text), _LONGEST_TEXT), list[str]()
        while left and len(lines) < most - 1:
            if self._fonts.width(left, style, size) <= room:
                break
            end = max(self._fit(left, room, style, size), 1)
            blank = left.rfind(" ", 1, end + 1)
            end = blank if blank > 0 else end
            lines.append(left[:end].rstrip())
            left = left[end:].lstrip()
        return [*lines, self._fitting(left, room, style, size)] if left or not lines else lines

    def _fit(self, text: str, room: float, style: str, size: float) -> int:
        """Return how many characters there is room for."""
        used = 0.0
        for number, letter in enumerate(text):
            used += self._fonts.width(letter, style, size)
            if used > room:
                return number
        return len(text)

    def _draw(self, x: float, y: float, text: str, style: str, size: float) -> None:
        if text:
            self._fonts.draw((x, y), text, style, size)

    def _new_page(self) -> None:
        self._pdf.add_page()
        self._pdf.set_draw_color(*_RULE)
        self._pdf.set_text_color(*_INK)
        self._y = _MARGIN
        number = str(self._pdf.page_no())
        self._draw(_MARGIN + _WIDTH - self._fonts.width(number, "", _SIZE), _BOTTOM + _LINE, number, "", _SIZE)


def _widths(columns: Sequence[Column]) -> list[float]:
    """Return the widths of columns: those of sentences are the widest."""
    shares = [_SHARES["wide" if column.wide else "numeric" if column.numeric else "text"] for column in columns]
    # A table of few figures is easier to read if it is not as wide as the page.
    whole = sum(shares) if any(column.wide for column in columns) else max(sum(shares), 4.0)
    return [_WIDTH * share / whole for share in shares]


def _height(cells: list[list[str]]) -> float:
    return max(map(len, cells)) * _LINE + _GAP
