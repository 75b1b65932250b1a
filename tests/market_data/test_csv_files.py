"""The folder of price files: the file of a symbol, and the handling of bad files."""

import os
from datetime import date
from pathlib import Path

import pytest

from market_data.csv_files import CsvProvider
from market_data.provider import BadPrices, FetchedBars, MissingPrices, ProviderUnavailable

GOOD = "date,close\n2026-01-05,2\n2026-01-06,3\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of prices, with a good file outside of it."""
    inside = tmp_path / "prices"
    inside.mkdir()
    (tmp_path / "OUTSIDE.csv").write_text(GOOD)
    (inside / "GOOD.csv").write_text(GOOD)
    return inside


def fetch(folder: Path, *symbols: str) -> FetchedBars:
    return CsvProvider(folder).daily_bars(symbols, date(2026, 1, 1), date(2026, 12, 31))


def test_a_bad_file_affects_only_its_symbol_and_is_named_with_its_line(folder: Path) -> None:
    (folder / "BAD.csv").write_text(GOOD + "2026-01-06,4\n")
    fetched = fetch(folder, "BAD", "GOOD")
    assert set(fetched.bars) == {"GOOD"}
    error = fetched.errors["BAD"]
    assert isinstance(error, BadPrices)
    assert str(error) == "BAD: BAD.csv line 4: the date repeats that of the line above"


def test_a_bad_line_outside_of_the_range_also_makes_the_file_bad(folder: Path) -> None:
    (folder / "BAD.csv").write_text(GOOD + "2027-01-04\n")
    assert isinstance(fetch(folder, "BAD").errors["BAD"], BadPrices)


@pytest.mark.parametrize(
    "symbol",
    [
        "../OUTSIDE", "x/../../OUTSIDE", "..", ".", "", ".hidden", "sub/GOOD", "sub\\GOOD", "C:GOOD", "GOOD\x00",
        "GOOD\n", "A" * 33, "GOOD.csv", "*", "G\u00d6OD",
    ],
)  # fmt: skip
def test_a_symbol_never_names_a_file_outside_of_the_folder(folder: Path, symbol: str) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "GOOD.csv").write_text(GOOD)
    (folder / ".hidden.csv").write_text(GOOD)
    fetched = fetch(folder, symbol)
    assert isinstance(fetched.errors[symbol], MissingPrices)
    assert CsvProvider(folder).version(symbol) == "csv missing"


def test_an_absolute_path_is_not_a_symbol(folder: Path) -> None:
    symbol = str(folder.parent / "OUTSIDE")
    assert isinstance(fetch(folder, symbol).errors[symbol], MissingPrices)


@pytest.mark.parametrize("symbol", ["BRK.B", "^GSPC", "RDS-A", "GC=F", "0700.HK", "my_fund"])
def test_symbols_of_other_markets_are_file_names(folder: Path, symbol: str) -> None:
    (folder / f"{symbol}.csv").write_text(GOOD)
    assert set(fetch(folder, symbol).bars) == {symbol}


SPELLINGS = ("BRK.B", "BRK-B", "BRK/B", "BRK B")


@pytest.mark.parametrize("file", ["BRK.B", "BRK-B", "BRK B"])
def test_every_spelling_of_a_share_is_that_of_its_file(folder: Path, file: str) -> None:
    (folder / f"{file}.csv").write_text(GOOD)
    provider = CsvProvider(folder)
    assert {provider.spelling(symbol) for symbol in SPELLINGS} == {file}
    assert set(fetch(folder, file).bars) == {file}


def test_spellings_of_a_share_without_a_file_or_with_several_files_are_one(folder: Path) -> None:
    provider = CsvProvider(folder)
    without = {provider.spelling(symbol) for symbol in SPELLINGS}
    for file in ("BRK-B", "BRK.B"):
        (folder / f"{file}.csv").write_text(GOOD)
    assert without == {provider.spelling(symbol) for symbol in SPELLINGS} == {"BRK.B"}


@pytest.mark.parametrize("symbol", ["TSCO.LON", "brk-b", "A-BC", "^GSPC", "GOOGLE-A", "RDSA"])
def test_other_symbols_have_one_spelling(folder: Path, symbol: str) -> None:
    assert CsvProvider(folder).spelling(symbol) == symbol


def test_anything_but_a_file_has_no_prices(folder: Path) -> None:
    (folder / "FOLDER.csv").mkdir()
    os.mkfifo(folder / "PIPE.csv")
    errors = fetch(folder, "FOLDER", "PIPE").errors
    assert all(isinstance(errors[symbol], MissingPrices) for symbol in ("FOLDER", "PIPE"))


def test_a_missing_folder_is_an_outage_and_not_a_market_without_prices(folder: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="PRICES_DIR"):
        fetch(folder / "elsewhere", "GOOD")


def test_a_rewritten_file_has_another_version(folder: Path) -> None:
    provider = CsvProvider(folder)
    before = provider.version("GOOD")
    os.utime(folder / "GOOD.csv", ns=(1, 1))
    touched = provider.version("GOOD")
    (folder / "GOOD.csv").write_text(GOOD + "2026-01-07,4\n")
    os.utime(folder / "GOOD.csv", ns=(1, 1))
    longer = provider.version("GOOD")
    (folder / "GOOD.csv").unlink()
    assert len({before, touched, longer, provider.version("GOOD")}) == 4
