"""All forms of one report say the same: the data forms its raw numbers, the printed ones the digits of the console."""

import csv
import io
import re
from html.parser import HTMLParser
from typing import Any, override

import openpyxl
import pytest
from pypdf import PdfReader

from delivery.exports.csv_file import report_as_csv
from delivery.exports.digits import NONE
from delivery.exports.html_file import report_as_html
from delivery.exports.pdf_file import report_as_pdf
from delivery.exports.reports import document_of
from delivery.exports.sections import Document, Section
from delivery.exports.words import REASONS
from delivery.exports.xlsx_file import report_as_xlsx
from tests.delivery.exports.examples import FORMULA, NAME, a_report


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return a_report()


@pytest.fixture(scope="module")
def document(report: dict[str, Any]) -> Document:
    return document_of(report)


class Tables(HTMLParser):
    """The text of the rows of a page, cell by cell."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._in_cell = False
        self.feed(page.decode())

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
            self._in_cell = True

    @override
    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in {"td", "th"}

    @override
    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


def printed(section: Section) -> list[list[str]]:
    """Return the cells of a section that a reader is shown, the head first."""
    places = [place for place, column in enumerate(section.columns) if column.printed]
    head = [section.columns[place].label for place in places]
    return [head, *([row[place].shown for place in places] for row in section.rows)]


def pdf_text(content: bytes) -> str:
    """Return the text of a PDF without blanks, where lines of a cell may be broken."""
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)
    return re.sub(r"[\s\0]", "", text)  # the library takes characters of this font for two


def test_a_full_report_has_all_sections(document: Document) -> None:
    assert [section.title for section in document.sections] == [
        "Report", "Value", "Checks", "Holdings", "Research", "Backtest", "Risk", "Diversification", "Stress tests",
        "By period", "Contributions", "Issues of the transactions", "Notes on returns", "Income", "Income by month",
        "Income by symbol", "Decisions", "Order plan", "Orders", "Notes on orders", "Data quality", "Notes",
    ]  # fmt: skip


def test_csv_and_xlsx_have_every_value_as_the_json_has_it(document: Document) -> None:
    lines = list(csv.DictReader(io.StringIO(report_as_csv(document).decode(), newline="")))
    book = openpyxl.load_workbook(io.BytesIO(report_as_xlsx(document)))
    assert book.sheetnames == [section.title for section in document.sections]
    for section in document.sections:
        head, *rows = book[section.title].values
        assert list(head) == [column.label for column in section.columns]
        assert len(rows) == len(section.rows)
        for number, (row, found) in enumerate(zip(section.rows, rows, strict=True), 1):
            assert [cell.value for cell in row] == [of_sixteen_digits(value) for value in found]
            in_csv = {
                line["figure"]: line["value"]
                for line in lines
                if (line["section"], line["row"]) == (section.title, str(number))
            }
            for column, cell in zip(section.columns[1:], row[1:], strict=True):
                assert in_csv[column.label] == in_a_file(cell.value)


def of_sixteen_digits(value: Any) -> Any:  # noqa: ANN401 - any value of a cell
    """Return what equals a value that a spreadsheet has, where numbers have sixteen digits."""
    return pytest.approx(value, rel=1e-15) if isinstance(value, float) else value


def in_a_file(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str() if value[:1] in set("=+-@\t\r"):
            return f"'{value}"
        case _:
            return str(value)


def test_the_raw_numbers_are_those_of_the_report(report: dict[str, Any], document: Document) -> None:
    lines = list(csv.DictReader(io.StringIO(report_as_csv(document).decode(), newline="")))
    figures = {(line["section"], line["item"], line["figure"]): line["value"] for line in lines}
    risk, valuation, (*_, period) = report["risk"], report["valuation"], report["returns"]["periods"]
    assert float(figures["Risk", "Value at risk, 95%", "Value"]) == risk["value_at_risk_95"]
    assert float(figures["Value", "Unrealized gain", "Value"]) == valuation["unrealized_pl"]
    assert float(figures["By period", "Fees", "Since the start"]) == period["fees"]
    for held in report["holdings"]:
        symbol = in_a_file(held["symbol"])
        assert figures["Holdings", symbol, "Value"] == in_a_file(held["market_value"])
        assert figures["Holdings", symbol, "Quantity"] == in_a_file(held["quantity"])


def test_html_and_pdf_show_the_same_digits_and_labels(document: Document) -> None:
    shown = [section for section in document.sections if section.printed]
    assert Tables(report_as_html(document)).rows == [row for section in shown for row in printed(section)]
    text = pdf_text(report_as_pdf(document))
    for section in shown:
        assert section.title.replace(" ", "") in text
        columns = [column for column in section.columns if column.printed]
        for row in printed(section):
            for column, cell in zip(columns, row, strict=True):
                # A narrow cell of text has the beginning of it.
                length = len(cell) if column.numeric or column.wide else 9
                assert re.sub(r"\s", "", cell)[:length] in text, (section.title, cell)


def test_a_pdf_has_every_digit_of_the_largest_numbers_and_the_whole_reason(report: dict[str, Any]) -> None:
    first, *others = report["holdings"]
    large = first | {"quantity": 1_234_567.123456, "price": 9_876_543.0, "market_value": 12_345_678_901.5}
    reason = {"status": "skipped", "reason": "low_coverage"}
    text = pdf_text(report_as_pdf(document_of(report | {"currency": "IDR", "holdings": [large, *others]} | reason)))
    for shown in ("1,234,567.123456", "9,876,543USD", "IDR12,345,678,902", REASONS["low_coverage"].replace(" ", "")):
        assert shown in text


def test_digits_are_those_of_the_console(document: Document) -> None:
    shown = {(section.title, row[0]): row[1:] for section in document.sections for row in printed(section)[1:]}
    assert shown["By period", "Time-weighted"] == [NONE, "12.3%"]
    assert shown["By period", "Fees"] == [NONE, "-$3.25"]
    assert shown["By period", "Taxes"] == [NONE, "$0.00"]
    assert shown["By period", "Prices"] == [NONE, "+$1.01"]
    assert shown["By period", "Paid in, less paid out"] == [NONE, "-$1,000.00"]
    assert shown["By period", "Value at the end"] == [NONE, "$123,457"]
    assert shown["Income by month", "Nov 2026"] == ["$12.50"]


def test_text_never_becomes_a_formula_or_a_link(document: Document) -> None:
    assert f"'{FORMULA}".replace('"', '""') in report_as_csv(document).decode()
    cells = [cell for row in openpyxl.load_workbook(io.BytesIO(report_as_xlsx(document)))["Holdings"] for cell in row]
    (own,) = [cell for cell in cells if cell.value == FORMULA]
    assert own.data_type in {"s", "inlineStr"}
    assert all(cell.data_type != "f" and cell.hyperlink is None for cell in cells)


def test_a_pdf_shows_names_in_latin_greek_cyrillic_and_cjk_scripts(document: Document) -> None:
    content = report_as_pdf(document)
    assert NAME.replace(" ", "") in pdf_text(content)
    assert PdfReader(io.BytesIO(content)).metadata["/Title"] == NAME  # type: ignore[index] # it has some


def test_the_same_report_is_the_same_pdf(document: Document) -> None:
    assert report_as_pdf(document) == report_as_pdf(document)


def test_a_page_needs_nothing_and_allows_nothing(document: Document) -> None:
    page = report_as_html(document).decode()
    assert "<script" not in page
    assert not re.search(r"(src|href)=|url\(|@import", page)
    assert "default-src 'none'; style-src 'sha256-" in page


@pytest.mark.parametrize("status", ["skipped", "failed"])
def test_a_report_without_figures_says_why(report: dict[str, Any], status: str) -> None:
    sections = ("valuation", "performance", "risk", "diversification", "stress", "returns", "income", "order_plan")
    empty = dict.fromkeys((*sections, "data_quality")) | {"holdings": [], "checks": [], "decisions": []}
    own = (
        report
        | empty
        | {"status": status, "reason": "no_holdings", "error": "It <failed>.", "reasons": {"risk": "x_y"}}
    )
    document = document_of(own)
    text = pdf_text(report_as_pdf(document))
    assert [section.title for section in document.sections] == ["Report", "Not available"]
    assert "Theportfoliohasnoholdings." in text
    assert "It<failed>." in text
    assert "It &lt;failed&gt;." in report_as_html(document).decode()
    assert b"Not available,1,risk,Reason,x_y" in report_as_csv(document)
    assert openpyxl.load_workbook(io.BytesIO(report_as_xlsx(document))).sheetnames == ["Report", "Not available"]
