"""Price files that could be misunderstood, or that are none: each is refused with a sentence that says why."""

import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from market_data.csv_files import CsvProvider
from market_data.provider import BadPrices
from tests.own_data.exports import PLAIN, Day, Export, dated, days_of, number, numbered, us

EVER = (date(1900, 1, 1), date(2100, 1, 1))
TEXT = PLAIN.text(days_of())
EARLY = tuple(day for day in days_of() if day.date.day <= 12)


def rounded(value: float) -> str:
    """Return a number with nothing after its separator of thousands."""
    return f"{1000 + value:,.0f}"


def alternating(first: Callable[[Day], object], second: Callable[[Day], object]) -> Callable[[Day], object]:
    return lambda day: (first if day.date.day % 2 else second)(day)


def one_column(name: str, form: Callable[[float], str], separator: str = ",") -> str:
    export = Export(f"date{separator}{name}", lambda day: [day.date, day.close], separator, form, quoted=True)
    return export.text(days_of())


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "days up to 12 with slashes": (
        dated(us).text(EARLY),
        (
            "AAPL.csv: nothing proves whether dates such as 01/02/2020 are day, month, year or month, day, year, "
            "as no day is above 12: write them as 2026-01-31"
        ),
    ),
    "days up to 12 with dashes": (
        dated(lambda day: f"{day.date:%d-%m-%Y}").text(EARLY),
        "AAPL.csv: nothing proves whether dates such as 02-01-2020 are day, month, year or month, day, year",
    ),
    "years of two digits that look like days": (
        dated(lambda day: f"{day.date:%d.%m.%y}").text(days_of()[:1]),
        (
            "AAPL.csv: nothing proves whether dates such as 20.12.19 are day, month, year or year, month, day: "
            "write them as 2026-01-31"
        ),
    ),
    "rows out of order that are in order with the year first": (
        "date,close\n02.01.21,1\n30.12.20,2\n31.12.20,3\n",
        "AAPL.csv: nothing proves whether dates such as 02.01.21 are day, month, year or year, month, day",
    ),
    "days above 12 in both places": (
        dated(alternating(us, lambda day: f"{day.date:%d/%m/%Y}")).text(days_of()),
        (
            "AAPL.csv line 3: the date '12/23/2019' is not a day in the form of the first row: "
            "day, month, year or month, day, year"
        ),
    ),
    "dates in several forms": (
        dated(alternating(us, lambda day: day.date)).text(days_of()),
        "AAPL.csv line 3: the date '12/23/2019' is not a day in the form of the first row: year, month, day",
    ),
    "seconds and milliseconds": (
        dated(alternating(lambda day: day.epoch, lambda day: 1000 * day.epoch)).text(days_of()),
        "AAPL.csv line 3: the date '1577107800' is not a number in the form of the first row",
    ),
    "midnight east of UTC": (
        dated(lambda day: day.midnight - 7200).text(days_of()),
        "AAPL.csv: the times are not midnight UTC, and fall on Sundays and on no Friday: write the dates as 2026-01-31",
    ),
    "midnight east of UTC in milliseconds": (
        dated(lambda day: 1000 * (day.midnight - 32_400)).text(days_of()[:15]),
        "AAPL.csv: the times are not midnight UTC, and fall on Sundays and on no Friday",
    ),
    "no day of the calendar": (
        TEXT.replace("2020-02-28", "2020-02-30"),
        "AAPL.csv line 48: the date '2020-02-30' is not a day in the form of the first row: year, month, day",
    ),
    "serial numbers of a workbook": (
        "date,close\n44095,5\n", "AAPL.csv line 2: the date '44095' is not a date such as 2026-01-31",
    ),
    "thousands or decimals, with a comma": (
        one_column("Close", rounded),
        (
            "AAPL.csv: nothing proves whether 4,472 in the column close has thousands or decimals: "
            "write thousands without a separator, or another number of decimals"
        ),
    ),
    "thousands or decimals, with a point": (
        one_column("Close", lambda value: rounded(value).replace(",", "."), ";"),
        "AAPL.csv: nothing proves whether 4.472 in the column close has thousands or decimals",
    ),
    "decimal points and commas": (
        numbered(lambda value: number(value) if value > 1000 else number(value, ",")).text(days_of()),
        "AAPL.csv: the column adj_close has decimal points and decimal commas: ",
    ),
    "prices in two currencies": (
        numbered(lambda value: f"{'$' if value > 1000 else '€'}{number(value)}").text(days_of()),
        "AAPL.csv: the column adj_close has prices in $ and €",
    ),
    "decimal commas between commas": (
        TEXT.replace(".", ","), "AAPL.csv line 2: it has 12 cells, the header has 7",
    ),
    "decimal commas between commas before an empty column": (
        "Date,Close,Volume\n2026-11-24,101,5,\n2026-11-25,102,25,\n",
        (
            "AAPL.csv line 2: it ends with a separator that the header or other rows do not have: "
            "remove it, or quote the numbers with commas"
        ),
    ),
    "decimal commas after a sign between commas": (
        "Date,Close,Volume\n2026-11-24,$101,5,\n", "AAPL.csv line 2: it ends with a separator that the header",
    ),
    "thousands with commas between commas before an empty column": (
        "Date,Close,Volume\n2026-11-24,1,234.50,\n2026-11-25,1,240.25,\n",
        "AAPL.csv line 2: it ends with a separator that the header or other rows do not have",
    ),
    "a separator at the end of some rows": (
        TEXT.replace(",100\n2020-03", ",100,\n2020-03"),
        "AAPL.csv line 48: it ends with a separator that the header or other rows do not have",
    ),
    "a decimal comma between commas below a header with a separator at its end": (
        "Date,Close,Volume,\n2026-11-24,101,\n2026-11-25,102,25,\n",
        "AAPL.csv line 3: it ends with a separator that the header or other rows do not have",
    ),
    "several rows a day": (
        TEXT + TEXT.splitlines()[-1], f"AAPL.csv line {len(days_of()) + 2}: the date repeats that of the line above",
    ),
    "times of one day": (
        dated(lambda day: f"{day.date} 15:30").text(days_of()) + '"2020-12-31 16:00","1","1","1","1","1","1"\n',
        f"AAPL.csv line {len(days_of()) + 2}: the date repeats that of the line above",
    ),
    "rows out of order": (
        TEXT.replace("2020-03-02", "2020-01-02"), "AAPL.csv line 49: the date is before that of the line above",
    ),
    "rows out of order, newest first": (
        Export(PLAIN.header, PLAIN.cells, newest_first=True).text(days_of()).replace("2020-03-02", "2020-04-02"),
        "AAPL.csv line 214: the date is after that of the line above",
    ),
    "two closes": (
        "Date,Close,CLOSE\n2020-01-02,1,2\n",
        "AAPL.csv line 1: the columns Close and CLOSE mean the same: rename or remove one",
    ),
    "two adjusted closes": (
        "Date,Close,Adj Close,Adjusted_close\n2020-01-02,1,2,3\n",
        "AAPL.csv line 1: the columns Adj Close and Adjusted_close mean the same: rename or remove one",
    ),
    "two columns of one rank": (
        "Date,Last,Zuletzt\n2020-01-02,1,2\n",
        "AAPL.csv line 1: the columns Last and Zuletzt mean the same: rename or remove one",
    ),
    "an unknown adjustment": (
        "Date,Close,Split Adj. Value\n2020-01-02,1,2\n",
        (
            "AAPL.csv line 1: the column Split Adj. Value is adjusted in a way that is not known: "
            "name it adj_close or remove it"
        ),
    ),
    "an unknown adjustment in German": (
        "Datum;Schluss;bereinigt\n2020-01-02;1;2\n",
        "AAPL.csv line 1: the column bereinigt is adjusted in a way that is not known",
    ),
    "no close": ("Date,Open,High,Low\n2020-01-02,1,2,1\n", "AAPL.csv line 1: the header has no column close"),
    "no close in capitals": ("DATE,OPEN,VOLUME\n2020-01-02,1,2\n", "AAPL.csv line 1: the header has no column close"),
    "an average in capitals and no close": (
        "DATE,OPEN,VWAP\n2020-01-02,1,2\n", "AAPL.csv line 1: the header has no column close",
    ),
    "a low in capitals and no close": ("DATE,LOW\n2020-01-02,1\n", "AAPL.csv line 1: the header has no column close"),
    "a line of text above a header with two closes": (
        "TIME,UTC\nDate,Close,CLOSE\n2020-01-02,1,2\n",
        "AAPL.csv line 2: the columns Close and CLOSE mean the same: rename or remove one",
    ),
    "no known column": ("\nDate,value\n2020-01-02,1\n", "AAPL.csv line 2: the header has no column close"),
    "no date": ("day,close\n2020-01-02,1\n", "AAPL.csv line 1: the header has no column date"),
    "no header": ("2020-01-02,1\n2020-01-03,1\n", "AAPL.csv line 1: the header has no column date"),
    "nothing": ("\n\n", "AAPL.csv line 1: the file is empty"),
    "a last row that is cut": (TEXT[:-20], f"AAPL.csv line {len(days_of()) + 1}: it has 5 cells, the header has 7"),
    "a last date that is cut": (
        TEXT + "2021-01", f"AAPL.csv line {len(days_of()) + 2}: it has 1 cells, the header has 7",
    ),
    "text between the rows": (
        TEXT.replace("\n2020-03-02", "\nThe market was closed\n2020-03-02"),
        "AAPL.csv line 49: it has 1 cells, the header has 7",
    ),
    "an open quote": (
        TEXT.replace("2020-03-02", '"2020-03-02'), "AAPL.csv line 49: it is not CSV: unexpected end of data",
    ),
    "a byte order mark of another encoding": (
        TEXT.encode("utf-32"),
        "AAPL.csv: it is not text in UTF-8, UTF-16 or Windows-1252: save a workbook as CSV first",
    ),
    "UTF-16 without its mark": (TEXT.encode("utf-16-le"), "AAPL.csv: it is not text in UTF-8, UTF-16"),
    "half a character of UTF-16": (TEXT.encode("utf-16")[:-1], "AAPL.csv: it is not text in UTF-8, UTF-16"),
    "a workbook": (b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00", "AAPL.csv: it is not text in UTF-8, UTF-16"),
    "bytes": (bytes(range(256)), "AAPL.csv: it is not text in UTF-8, UTF-16"),
    "no Windows-1252": (b"date,close\n2020-01-02,\x8112\n", "AAPL.csv: it is not text in UTF-8, UTF-16"),
    "the symbol of another": (
        Export("ticker,date,close", lambda day: ["AAPL" if day.date.year < 2020 else "MSFT", day.date, day.close]).text(
            days_of()
        ),
        "AAPL.csv: its name is that of one symbol, and it has the prices of AAPL, MSFT",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_could_be_misunderstood_is_refused_with_a_sentence(
    content: str | bytes, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "AAPL.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert refusal(tmp_path, "AAPL").startswith(f"AAPL: {sentence}")


def refusal(folder: Path, symbol: str) -> str:
    """Return the sentence with which the prices of a symbol are refused."""
    fetched = CsvProvider(folder).daily_bars([symbol], *EVER)
    error = fetched.errors[symbol]
    assert isinstance(error, BadPrices)
    assert fetched.bars == {}
    return str(error)


@pytest.mark.parametrize("cut", [5, -9], ids=["in its header", "at its end"])
def test_a_compressed_file_that_is_cut_is_refused(tmp_path: Path, cut: int) -> None:
    (tmp_path / "AAPL.csv.gz").write_bytes(gzip.compress(TEXT.encode())[:cut])
    assert refusal(tmp_path, "AAPL").startswith("AAPL: AAPL.csv.gz: it is not a complete gzip file: ")


def test_a_compressed_file_that_is_not_compressed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv.gz").write_text(TEXT)
    assert refusal(tmp_path, "AAPL").startswith("AAPL: AAPL.csv.gz: it is not a complete gzip file: ")


def test_in_a_file_of_several_symbols_a_bad_row_refuses_only_its_symbol(tmp_path: Path) -> None:
    rows = ["symbol,date,close", "AAPL,2020-01-02,1", "KO,2020-01-02,5", "KO,2020-01-02,6", "AAPL,2020-01-03,2"]
    (tmp_path / "prices.csv").write_text("\n".join(rows))
    assert refusal(tmp_path, "KO") == "KO: prices.csv line 4: the date repeats that of the line above"
    assert set(CsvProvider(tmp_path).daily_bars(["AAPL", "KO"], *EVER).bars) == {"AAPL"}


def test_while_a_file_of_several_symbols_cannot_be_read_a_symbol_found_nowhere_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("symbol,date,close\nKO,2020-01-02,1\n,2020-01-02,5\n")
    assert refusal(tmp_path, "AAPL") == "AAPL: prices.csv line 3: it has no symbol"


def test_a_column_of_one_symbol_that_proves_nothing_refuses_only_that_symbol(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("Date;AAPL;KO\n2020-01-02;1,010;1,5\n2020-01-03;1,020;1,6\n")
    assert refusal(tmp_path, "AAPL").startswith("AAPL: prices.csv: nothing proves whether 1,010 in the column AAPL")
    assert CsvProvider(tmp_path).daily_bars(["KO"], *EVER).bars["KO"].close.tolist() == [1.5, 1.6]


def test_a_repeated_column_of_a_symbol_is_refused(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text("Date,AAPL,AAPL\n2020-01-02,1,2\n")
    assert refusal(tmp_path, "AAPL") == "AAPL: AAPL.csv line 1: the header has the column AAPL more than once"
