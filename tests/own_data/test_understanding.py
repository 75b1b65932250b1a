"""What is told about a folder of price files before any run."""

import os
from datetime import date
from pathlib import Path

import pytest

from market_data.csv_files import CsvProvider
from market_data.price_files.understanding import UnderstoodFile, understood
from market_data.provider import BadPrices
from tests.own_data.exports import Shape, shapes
from tests.own_data.test_refused_price_files import REFUSED

EVER = (date(1900, 1, 1), date(2100, 1, 1))
SHAPES = shapes()
GOOD = "date,close\n2026-01-05,2\n2026-01-06,3\n"


def by_file(folder: Path) -> dict[str, UnderstoodFile]:
    return {found.file: found for found in understood(folder)}


def test_each_file_is_told_with_its_symbols_days_and_newest_date(tmp_path: Path) -> None:
    (tmp_path / "aapl.us.csv").write_text("Date,Price\n01/15/2026,2\n01/14/2026,3\n01/13/2026,\n")
    (tmp_path / "brk-b.csv").write_text(GOOD)
    (tmp_path / "closes.csv").write_text("Date,KO,PEP\n2026-01-07,1,2\n2026-01-08,1,\n")
    (tmp_path / "msft.csv").write_text("Price,Close\nTicker,MSFT\nDate,\n2026-01-09,5\n")
    told = list(understood(tmp_path))
    assert [(found.file, found.symbols, found.days, found.newest, found.refusals) for found in told] == [
        ("aapl.us.csv", ("AAPL",), 2, date(2026, 1, 15), ()),
        ("brk-b.csv", ("BRK.B",), 2, date(2026, 1, 6), ()),
        ("closes.csv", ("KO", "PEP"), 2, date(2026, 1, 8), ()),
        ("msft.csv", ("MSFT",), 1, date(2026, 1, 9), ()),
    ]
    assert [found.sentence for found in told] == [
        "2 days, newest first, columns Date, Price",
        "2 days, columns date, close",
        "2 days, columns Date, symbols KO, PEP",
        "1 day, columns Date, Close, closes are adjusted, symbols MSFT",
    ]


def test_what_is_refused_is_told_with_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "BAD.csv").write_text("date,close\n2026-01-05\n")
    (tmp_path / "broken.csv").write_text("symbol,date,close\nKO,2026-01-05,1\n,2026-01-05,2\n")
    (tmp_path / "prices.csv").write_text("symbol,date,close\nA,2026-01-05,1\nA,2026-01-05,2\nB,2026-01-05,3\n")
    (tmp_path / "MSFT.csv").write_text(GOOD)
    (tmp_path / "msft.txt").write_text(GOOD)
    (tmp_path / "AAPL.xlsx").write_text("")
    (tmp_path / "FOLDER.csv").mkdir()
    os.mkfifo(tmp_path / "PIPE.csv")
    two_files = "MSFT.csv and msft.txt have the prices of one symbol: remove all but one, or join them"
    assert {file: (found.symbols, found.refusals) for file, found in by_file(tmp_path).items()} == {
        "BAD.csv": ((), ("line 2: it has 1 cells, the header has 2",)),
        "broken.csv": ((), ("line 3: it has no symbol",)),
        "prices.csv": (("B",), ("line 3: the date repeats that of the line above",)),
        "MSFT.csv": ((), (two_files,)),
        "msft.txt": ((), (two_files,)),
        "AAPL.xlsx": ((), ()),
        "FOLDER.csv": ((), ("it is no regular file",)),
        "PIPE.csv": ((), ("it is no regular file",)),
    }
    assert by_file(tmp_path)["AAPL.xlsx"].sentence == "not read: no name of a price file"


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_file_that_the_provider_reads_is_understood(shape: Shape, tmp_path: Path) -> None:
    (tmp_path / shape.file).write_bytes(shape.content)
    (found,) = understood(tmp_path)
    bars = CsvProvider(tmp_path).daily_bars([shape.symbol], *EVER).bars[shape.symbol]
    assert found.refusals == ()
    assert shape.symbol in found.symbols
    assert found.newest == bars.dates[-1].item()


@pytest.mark.parametrize("content", [content for content, _ in REFUSED.values()], ids=REFUSED)
def test_a_file_that_the_provider_refuses_is_told_in_the_same_words(content: str | bytes, tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    error = CsvProvider(tmp_path).daily_bars(["AAPL"], *EVER).errors["AAPL"]
    assert isinstance(error, BadPrices)
    (found,) = understood(tmp_path)
    words = str(error).removeprefix("AAPL: AAPL.csv").removeprefix(":").strip()
    assert found.refusals == (words,)
