"""Text of the backend in files: as long, as strange and as hostile as it can be."""

import csv
import io
import tracemalloc
from collections.abc import Iterator
from datetime import date

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from delivery.exports.csv_file import list_as_csv
from delivery.exports.html_file import report_as_html
from delivery.exports.pdf_file import report_as_pdf
from delivery.exports.reports import document_of
from delivery.exports.sections import Column, Document, Section, clean, text
from delivery.exports.xlsx_file import list_as_xlsx, report_as_xlsx
from tests.delivery.exports.examples import a_report, with_many_holdings


def of_text(value: str, *, wide: bool = False) -> Document:
    return Document(
        value, "2026-01-02", [Section("Texts", [Column("Text", wide=wide), Column("More")], [[text(value)] * 2])]
    )


@pytest.mark.parametrize("start", list("=+-@\t\r"))
def test_csv_text_that_a_spreadsheet_would_calculate_has_an_apostrophe(start: str) -> None:
    content = list_as_csv(("a", "b"), [(f"{start}1", -1.5), (None, True), (date(2026, 1, 2), f"1{start}")])
    rows = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert rows == [["a", "b"], [f"'{start}1", "-1.5"], ["", "true"], ["2026-01-02", f"1{start}"]]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_a_file_of_data(value: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(report_as_xlsx(of_text(value))))
    (_, (found, _)) = book["Texts"].values
    assert (found or "") == clean(value)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_becomes_markup(value: str) -> None:
    page = report_as_html(of_text(value)).decode()
    assert page.count("<td") == page.count("</td>") == 2
    assert page.count("<") == report_as_html(of_text("")).decode().count("<")


def test_directions_and_controls_are_not_shown() -> None:
    value = "a\u202eb\u2067c\u200fd\x00e\x1bf\ud800g\ufffeh\ti"
    assert clean(value) == "abcdefgh i"
    assert "\u202e" not in report_as_html(of_text(value)).decode()
    (_, (found, _)) = openpyxl.load_workbook(io.BytesIO(report_as_xlsx(of_text(value))))["Texts"].values
    assert found == "abcdefgh i"


def test_accents_that_are_characters_of_their_own_become_part_of_their_letters() -> None:
    assert clean("Zo\u0308e") == "Zöe"


def test_a_character_without_a_font_is_shown_as_unknown() -> None:
    (page,) = PdfReader(io.BytesIO(report_as_pdf(of_text("a🎉שb")))).pages
    assert "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b" in page.extract_text()


@pytest.mark.parametrize("letter", ["W", "山", "word "])
@pytest.mark.parametrize("wide", [True, False])
def test_a_name_of_ten_thousand_characters_is_cut_and_stays_on_its_page(letter: str, wide: bool) -> None:
    value = (letter * 10_000)[:10_000]
    pages = PdfReader(io.BytesIO(report_as_pdf(of_text(value, wide=wide)))).pages
    assert len(pages) <= 3
    for page in pages:
        places: list[tuple[float, float]] = []
        page.extract_text(visitor_text=lambda _, __, at, *___, places=places: places.append((at[4], at[5])))
        assert all(0 <= x <= float(page.mediabox.width) and 0 <= y <= float(page.mediabox.height) for x, y in places)
    assert len(report_as_html(of_text(value))) < 30_000


def test_text_is_cut_to_what_a_cell_of_a_spreadsheet_holds() -> None:
    content = list_as_xlsx("List", ("name",), [("x" * 40_000,)])
    (_, (found,)) = openpyxl.load_workbook(io.BytesIO(content))["List"].values
    assert found == "x" * 32_766 + "…"


def test_five_thousand_holdings_are_on_pages_with_their_head() -> None:
    document = document_of(with_many_holdings(5_000))
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(report_as_pdf(document))).pages]
    text = "\n".join(pages)
    assert all(f"S{number:05}" in text for number in range(5_000))
    assert all("Symbol Quantity Price Value" in page for page in pages if "S00" in page)


def test_a_list_becomes_a_file_without_being_in_memory() -> None:
    number = 20_000

    def rows() -> Iterator[tuple[str, float]]:
        return ((f"user-{place:06}", place / 3) for place in range(number))

    tracemalloc.start()
    try:
        in_csv, in_xlsx = list_as_csv(("user_id", "value"), rows()), list_as_xlsx("List", ("user_id", "value"), rows())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert in_csv.count(b"\r\n") == number + 1
    assert peak < 3 * (len(in_csv) + len(in_xlsx)), "the rows alone are larger"


def test_what_does_not_fit_in_a_sheet_goes_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("delivery.exports.xlsx_file._MOST_ROWS", 2)
    book = openpyxl.load_workbook(io.BytesIO(list_as_xlsx("List", ("n",), [(n,) for n in range(5)])))
    sheets = {name: list(book[name].values) for name in book.sheetnames}
    assert sheets == {"List": [("n",), (0,), (1,)], "List 2": [("n",), (2,), (3,)], "List 3": [("n",), (4,)]}
    (only,) = openpyxl.load_workbook(io.BytesIO(list_as_xlsx("List", ("n",), []))).worksheets
    assert list(only.values) == [("n",)]


def test_sheets_have_names_that_a_spreadsheet_accepts() -> None:
    section = Section("What's [this]: 1/2? A title of more than thirty-one characters", [Column("A")], [[text("b")]])
    (name,) = openpyxl.load_workbook(io.BytesIO(report_as_xlsx(Document("x", "2026-01-02", [section])))).sheetnames
    assert name == "What s  this   1 2  A title of "


def test_a_report_of_the_first_version_has_the_figures_it_has() -> None:
    report = a_report()
    later = ("returns", "income", "currency_exposure", "reasons")
    early = {name: value for name, value in report.items() if name not in later}
    early["decisions"] = [
        {name: value for name, value in each.items() if name not in {"strength", "signal_since"}}
        for each in report["decisions"]
    ]
    assert "Risk" in [section.title for section in document_of(early).sections]
    assert report_as_pdf(document_of(early)).startswith(b"%PDF-")
