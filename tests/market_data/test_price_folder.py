"""The folder of price files: which file has a symbol, and files that cannot be read or change."""

import gzip
import logging
import os
import threading
from datetime import date
from pathlib import Path

import pytest

from market_data.csv_files import CsvProvider
from market_data.price_files.index import MOST_FILES_OPENED
from market_data.provider import BadPrices, FetchedBars, MissingPrices

EVER = (date(1900, 1, 1), date(2100, 1, 1))
GOOD = "date,close\n2026-01-05,2\n2026-01-06,3\n"
SEVERAL = "symbol,date,close\nAAPL,2026-01-05,2\nKO,2026-01-05,5\nBRK-B,2026-01-05,7\n"


def fetch(folder: Path, *symbols: str) -> FetchedBars:
    return CsvProvider(folder).daily_bars(symbols, *EVER)


def refusal(folder: Path, symbol: str) -> str:
    error = fetch(folder, symbol).errors[symbol]
    assert isinstance(error, BadPrices)
    return str(error)


@pytest.mark.parametrize(
    ("file", "symbol"),
    [
        ("AAPL.CSV", "AAPL"), ("aapl.csv", "AAPL"), ("aapl.us.csv", "AAPL"), ("aapl.us.txt", "AAPL"),
        ("AAPL.US.csv", "AAPL.US"), ("AAPL.csv.gz", "AAPL"), ("aapl.CSV.GZ", "AAPL"), ("BRK-B.csv", "BRK.B"),
        ("BRK.B.csv", "BRK-B"), ("brk-b.us.txt", "BRK.B"), ("BRK B.csv", "BRK/B"), ("^GSPC.csv", "^GSPC"),
        ("^gspc.csv", "^GSPC"), ("vod.l.csv", "VOD.L"), ("my_fund.csv", "my_fund"), ("con.csv", "CON"),
    ],
)  # fmt: skip
def test_a_file_has_the_symbol_of_its_name(tmp_path: Path, file: str, symbol: str) -> None:
    content = GOOD.encode()
    (tmp_path / file).write_bytes(gzip.compress(content) if file.lower().endswith(".gz") else content)
    assert fetch(tmp_path, symbol).bars[symbol].close.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("file", "symbol"),
    [("AAPL.csv", "aapl"), ("AAPL.csv", "AAPL.US"), ("AAPL.json", "AAPL"), ("AAPL", "AAPL"), (".csv", "CSV"),
     ("AAPL.uk.csv", "AAPL"), ("AA\nPL.csv", "AA\nPL")],
)  # fmt: skip
def test_a_file_of_another_name_is_not_that_of_the_symbol(tmp_path: Path, file: str, symbol: str) -> None:
    (tmp_path / file).write_text(GOOD)
    assert isinstance(fetch(tmp_path, symbol).errors[symbol], MissingPrices)


@pytest.mark.parametrize(
    ("file", "content", "symbol", "place"),
    [
        ("AAPL.csv", GOOD, "aapl", "AAPL.csv"),
        ("AAPL.csv", GOOD, "Aapl", "AAPL.csv"),
        ("My_Fund.csv", GOOD, "my_fund", "My_Fund.csv"),
        ("prices.csv", SEVERAL, "brk.b", "prices.csv (BRK-B)"),
    ],
)
def test_a_symbol_with_small_letters_is_told_of_another_spelling(
    tmp_path: Path, file: str, content: str, symbol: str, place: str
) -> None:
    (tmp_path / file).write_text(content)
    error = fetch(tmp_path, symbol).errors[symbol]
    assert isinstance(error, MissingPrices)
    rule = "is another spelling: a symbol with small letters needs exactly that name"
    assert str(error) == f"{symbol}: no prices: {place} {rule}"


def test_a_symbol_found_in_no_spelling_has_no_reason(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text(GOOD)
    assert str(fetch(tmp_path, "ko").errors["ko"]) == "ko: no prices"


def test_a_symbol_with_the_name_of_a_device_is_looked_for_among_the_files_and_never_opened(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text(GOOD)
    errors = fetch(tmp_path, "CON", "NUL", "/dev/stdin", "COM1").errors
    assert all(isinstance(error, MissingPrices) for error in errors.values())


@pytest.mark.parametrize(
    ("files", "symbol", "places"),
    [
        ({"AAPL.csv": GOOD, "aapl.csv": GOOD}, "AAPL", "AAPL.csv and aapl.csv"),
        ({"AAPL.csv": GOOD, "aapl.us.txt": GOOD}, "AAPL", "AAPL.csv and aapl.us.txt"),
        ({"BRK-B.csv": GOOD, "BRK.B.csv": GOOD}, "BRK.B", "BRK-B.csv and BRK.B.csv"),
        ({"KO.csv": GOOD, "prices.csv": SEVERAL}, "KO", "KO.csv and prices.csv (KO)"),
        ({"a.csv": SEVERAL, "b.csv": "Date,KO,PEP\n2026-01-05,1,2\n"}, "KO", "a.csv (KO) and b.csv (KO)"),
        ({f"day-{day}.csv": SEVERAL for day in range(500)}, "KO", "day-0.csv (KO) and day-1.csv (KO) and 498 more"),
        ({"a.csv": SEVERAL + "BRK.B,2026-01-05,8\n"}, "BRK.B", "a.csv (BRK-B) and a.csv (BRK.B)"),
    ],
)
def test_several_places_of_a_symbol_are_an_error_that_names_two(
    tmp_path: Path, files: dict[str, str], symbol: str, places: str
) -> None:
    for file, content in files.items():
        (tmp_path / file).write_text(content)
    rule = "have the prices of one symbol: remove all but one, or join them"
    assert refusal(tmp_path, symbol) == f"{symbol}: PRICES_DIR: {places} {rule}"


@pytest.mark.parametrize(
    "content",
    [
        "Date,Name,Close\n2026-01-05,Apple Inc.,1\n",
        "Date,MSFT\n2026-01-05,1\n",
        "date,close,symbol\n2026-01-05,1,MSFT\n",
    ],
)
def test_a_file_without_the_symbol_of_its_name_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "AAPL.csv").write_text(content)
    rule = "AAPL.csv has prices of other symbols, and not of that in its name"
    assert refusal(tmp_path, "AAPL") == f"AAPL: PRICES_DIR: {rule}"


@pytest.mark.parametrize(
    ("file", "content"),
    [("brk-b.us.csv", GOOD), ("prices.csv", SEVERAL), ("prices.csv", "Date,BRK-B,LOW\n2026-01-05,1,2\n")],
)
def test_a_share_is_spelled_as_in_its_file(tmp_path: Path, file: str, content: str) -> None:
    (tmp_path / file).write_text(content)
    provider = CsvProvider(tmp_path)
    assert {provider.spelling(symbol) for symbol in ("BRK.B", "BRK-B", "BRK/B", "BRK B")} == {"BRK-B"}
    assert set(provider.daily_bars(["BRK-B"], *EVER).bars) == {"BRK-B"}


def test_a_link_inside_of_the_folder_is_followed_and_one_that_leads_out_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "prices"
    (folder / "..data").mkdir(parents=True)
    for target in (tmp_path / "OUTSIDE.csv", folder / "..data" / "INSIDE.csv"):
        target.write_text(GOOD)
    (folder / "INSIDE.csv").symlink_to(Path("..data") / "INSIDE.csv")
    (folder / "OUT.csv").symlink_to(tmp_path / "OUTSIDE.csv")
    (folder / "GONE.csv").symlink_to(tmp_path / "NOTHING.csv")
    assert fetch(folder, "INSIDE").bars["INSIDE"].close.tolist() == [2, 3]
    assert refusal(folder, "OUT") == "OUT: OUT.csv: it is a link to a file outside of the folder"
    assert isinstance(fetch(folder, "GONE").errors["GONE"], MissingPrices)


def test_the_folder_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "prices").mkdir()
    (tmp_path / "prices" / "AAPL.csv").write_text(GOOD)
    (tmp_path / "link").symlink_to(tmp_path / "prices")
    assert set(fetch(tmp_path / "link", "AAPL").bars) == {"AAPL"}


def test_a_file_of_two_gigabytes_is_refused_by_its_size(tmp_path: Path) -> None:
    with (tmp_path / "AAPL.csv").open("w") as file:
        file.write(GOOD)
        file.truncate(2 * 2**30)
    assert refusal(tmp_path, "AAPL") == ("AAPL: AAPL.csv: it is larger than 64 MB: divide it into one file per symbol")


def test_a_small_compressed_file_of_a_large_one_is_refused_by_the_size_of_its_content(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "AAPL.csv.gz", "wb", compresslevel=1) as file:
        file.write(GOOD.encode())
        for _ in range(80):
            file.write(bytes(2**20))
    assert (tmp_path / "AAPL.csv.gz").stat().st_size < 2**20
    assert refusal(tmp_path, "AAPL") == (
        "AAPL: AAPL.csv.gz: uncompressed it is larger than 64 MB: divide it into one file per symbol"
    )


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "AAPL.csv"
    path.write_text("date,close\n" + "\n" * 2**22)
    stopped = threading.Event()

    def append() -> None:
        with path.open("ab", buffering=0) as file:
            while not stopped.is_set():
                file.write(b"\n")

    writer = threading.Thread(target=append)
    writer.start()
    try:
        errors = (fetch(tmp_path, "AAPL").errors["AAPL"] for _ in range(100))
        told = next(str(error) for error in errors if isinstance(error, BadPrices))
    finally:
        stopped.set()
        writer.join()
    assert told == "AAPL: AAPL.csv: it changed while it was read: start again when it is complete"


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """Return a folder of 100,000 files, of which a few have prices."""
    for number in range(100_000):
        os.close(os.open(tmp_path / f"S{number}.csv", os.O_CREAT | os.O_WRONLY))
    for name in ("AAPL.csv", "BRK-B.csv"):
        (tmp_path / name).write_text(GOOD)
    (tmp_path / "KO.csv").write_text(SEVERAL)
    os.utime(tmp_path, ns=(1, 1))
    return tmp_path


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the folders that were listed."""
    found: list[object] = []
    scandir = os.scandir

    def counted(path: str) -> object:
        found.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    return found


def test_a_folder_of_100_000_files_is_listed_once_and_not_again_while_it_is_the_same(
    crowded: Path, listings: list[object]
) -> None:
    provider = CsvProvider(crowded)
    symbols = ["AAPL", "BRK.B", *(f"S{number}" for number in range(50))]
    fetched = provider.daily_bars(symbols, *EVER)
    assert set(fetched.bars) == {"AAPL", "BRK.B"}
    assert str(fetched.errors["S7"]) == "S7: S7.csv line 1: the file is empty"
    assert {provider.version(symbol) for symbol in ("S1", "S2", "AAPL")} > {provider.version("S1")}
    assert provider.spelling("BRK.B") == "BRK-B"
    provider.daily_bars(symbols, *EVER)
    assert len(listings) == 1

    (crowded / "NEW.csv").write_text(GOOD)
    assert set(provider.daily_bars(["NEW"], *EVER).bars) == {"NEW"}
    error = provider.daily_bars(["KO"], *EVER).errors["KO"]
    assert str(error) == "KO: KO.csv: its name is that of one symbol, and it has the prices of AAPL, KO, BRK-B"


def test_in_a_folder_of_too_many_files_each_has_the_symbol_of_its_name_alone(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text(SEVERAL)
    for number in range(MOST_FILES_OPENED - 1):
        (tmp_path / f"S{number}.csv").touch()
    assert set(fetch(tmp_path, "KO").bars) == {"KO"}
    (tmp_path / "one_more.csv").touch()
    error = fetch(tmp_path, "KO").errors["KO"]
    assert isinstance(error, MissingPrices)
    assert str(error) == (
        "KO: no prices: in a folder of more than 1,000 files those of several symbols are not looked into"
    )


class TestVersions:
    @pytest.fixture
    def provider(self, tmp_path: Path) -> CsvProvider:
        (tmp_path / "prices.csv").write_text(SEVERAL)
        (tmp_path / "MSFT.csv").write_text(GOOD)
        os.utime(tmp_path, ns=(1, 1))
        return CsvProvider(tmp_path)

    def test_the_symbols_of_a_file_have_another_version_when_it_changes(
        self, provider: CsvProvider, tmp_path: Path
    ) -> None:
        before = {symbol: provider.version(symbol) for symbol in ("AAPL", "BRK.B", "MSFT", "NEW")}
        (tmp_path / "prices.csv").write_text(SEVERAL + "NEW,2026-01-05,1\n")
        after = {symbol: provider.version(symbol) for symbol in before}
        assert {symbol for symbol in before if before[symbol] != after[symbol]} == {"AAPL", "BRK.B", "NEW"}
        assert before["NEW"] == "csv missing"

    def test_a_symbol_that_moves_to_another_file_has_another_version(
        self, provider: CsvProvider, tmp_path: Path
    ) -> None:
        before = provider.version("KO")
        (tmp_path / "prices.csv").rename(tmp_path / "moved.csv")
        moved = provider.version("KO")
        (tmp_path / "moved.csv").write_text(SEVERAL.replace("KO", "PEP"))
        assert len({before, moved, provider.version("KO")}) == 3

    def test_a_second_file_of_a_symbol_gives_another_version(self, provider: CsvProvider, tmp_path: Path) -> None:
        before = provider.version("KO")
        (tmp_path / "KO.csv").write_text(GOOD)
        assert provider.version("KO") != before

    def test_versions_of_earlier_readers_are_not_those_of_today(self, provider: CsvProvider, tmp_path: Path) -> None:
        state = (tmp_path / "MSFT.csv").stat()
        assert provider.version("MSFT") != f"csv {state.st_mtime_ns}-{state.st_size}"


def test_what_was_understood_is_told_once_for_each_content_of_a_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "market_data")
    (tmp_path / "MSFT.csv").write_text("Date,Close/Last,Volume\n01/15/2026,$2.5,9\n01/14/2026,$2,9\n")
    (tmp_path / "prices.csv").write_text(SEVERAL)
    provider = CsvProvider(tmp_path)
    provider.daily_bars(["MSFT", "KO", "BRK.B"], *EVER)
    provider.daily_bars(["MSFT", "KO"], *EVER)
    assert caplog.messages == [
        "Price file MSFT.csv: 2 days, newest first, columns Date, Close/Last",
        "Price file prices.csv: 1 day, columns date, symbol, close, symbols AAPL, KO, BRK-B",
    ]
    (tmp_path / "MSFT.csv").write_text(GOOD)
    provider.daily_bars(["MSFT"], *EVER)
    assert caplog.messages[2:] == ["Price file MSFT.csv: 2 days, columns date, close"]
