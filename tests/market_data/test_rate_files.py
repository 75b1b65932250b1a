"""The folder of exchange rates: the ECB's file as it ships it, files of pairs, and what is refused."""

import gzip
import io
import logging
import os
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.prices import Bars, clean
from market_data.csv_files import CsvProvider
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.names import is_rate_file
from market_data.price_files.understanding import understood
from market_data.provider import BadPrices, FetchedBars, MissingPrices, ProviderUnavailable
from market_data.rate_files.ecb import ecb_rates_of_text
from market_data.rate_files.folder import RateFolder
from market_data.rate_files.understanding import understood_rates
from market_data.rates import currency_of, is_rate, rate_symbol
from tests.market_data.rate_exports import ECB, PAIR, zipped

EVER = (date(1900, 1, 1), date(2100, 1, 1))
ECB_DAYS = [date(2022, 3, 1), date(2022, 12, 23), date(2022, 12, 27), date(2022, 12, 28)]


def fetch(folder: Path, *currencies: str) -> FetchedBars:
    return CsvProvider(folder).daily_bars([rate_symbol(currency) for currency in currencies], *EVER)


def rates(folder: Path, currency: str) -> Bars:
    return fetch(folder, currency).bars[rate_symbol(currency)]


def refusal(folder: Path, currency: str = "USD") -> str:
    error = fetch(folder, currency).errors[rate_symbol(currency)]
    assert isinstance(error, BadPrices)
    return str(error)


def test_a_rate_is_named_after_its_currency_as_no_symbol_of_a_user_is() -> None:
    assert rate_symbol("USD") == "$USD"
    assert currency_of("$USD") == "USD"
    assert [symbol for symbol in ("$USD", "USD", "$usd", "$USDX", "$US", "EURUSD", "$$USD", "") if is_rate(symbol)] == [
        "$USD"
    ]


def ecb_csv(folder: Path, text: str = ECB) -> None:
    (folder / "eurofxref-hist.csv").write_text(text)


def ecb_zip(folder: Path, content: bytes | None = None) -> None:
    (folder / "eurofxref-hist.zip").write_bytes(zipped({"eurofxref-hist.csv": ECB}) if content is None else content)


@pytest.mark.parametrize("ship", [ecb_csv, ecb_zip])
def test_the_ecbs_file_has_units_for_one_euro_of_each_of_its_currencies(ship: object, tmp_path: Path) -> None:
    assert callable(ship)
    ship(tmp_path)
    bars = rates(tmp_path, "USD")
    assert bars.dates.tolist() == ECB_DAYS
    assert bars.close.tolist() == bars.adj_close.tolist() == [1.1162, 1.0622, 1.0624, 1.064]
    assert (bars.high, bars.low, bars.split) == (None, None, None)
    assert rates(tmp_path, "JPY").close[-1] == 142.21
    fetched = fetch(tmp_path, "ZAR", "RUB", "CYP", "BRL", "EUR")
    assert fetched.bars["$RUB"].dates.tolist() == [date(2022, 3, 1)]  # no rate is no row
    assert set(fetched.bars) == {"$ZAR", "$RUB"}
    assert all(isinstance(error, MissingPrices) for error in fetched.errors.values())
    assert set(fetched.errors) == {"$CYP", "$BRL", "$EUR"}


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + ECB,
        ECB.replace("\n", "\r\n"),
        ECB.rstrip("\n"),
        ECB + "\n\n",
        ECB.replace(",\n", "\n"),
        ECB.replace(",", ";"),
        "\n".join([ECB.split("\n")[0], *reversed(ECB.strip().split("\n")[1:])]),
    ],
)
def test_the_same_rates_saved_again_are_the_same_rates(text: str, tmp_path: Path) -> None:
    ecb_csv(tmp_path, text)
    assert rates(tmp_path, "USD").close.tolist() == [1.1162, 1.0622, 1.0624, 1.064]
    assert rates(tmp_path, "ZAR").close.tolist() == [17.2123, 18.086, 18.3625, 18.289]


def test_numbers_of_the_ecb_have_points_even_where_a_short_file_does_not_prove_it(tmp_path: Path) -> None:
    ecb_csv(tmp_path, "Date,USD,PHP,\n2026-10-30,1.117,71.143,\n2026-10-29,1.113,71.052,\n")
    assert rates(tmp_path, "PHP").close.tolist() == [71.052, 71.143]


LAST = "2022-03-01,1.1162,128.69,1.9558,N/A,0.8335,7.5685,1.0247,117.201,3.5985,17.2123,"
NOT_ECB = "the header is not that of the ECB: Date and codes of currencies, as in Date,USD,JPY,"
CUT = "line 5: the line is cut off: it does not end with a comma as the header does"
REFUSED = {
    "a row without some cells": (ECB.replace("0.8803,7.5365,", ""), "line 4: it has 10 cells, the header has 11"),
    "half a line": (ECB.replace(LAST, LAST[:30]), CUT),
    "half a date": (ECB.replace(LAST, "2022-0"), CUT),
    "half a number": (
        ECB.replace(LAST, LAST[:-3]),
        CUT,
    ),
    "a day twice": (ECB.replace("2022-12-27", "2022-12-28"), "line 3: the date repeats that of the lines above"),
    "a day out of order": (ECB.replace("2022-12-27", "2022-12-29"), "line 3: the date breaks the order of the lines"),
    "no date": (ECB.replace("2022-12-27", "2022-13-27"), "line 3: the date '2022-13-27' is not a day in the form"),
    "nothing": ("", "line 1: the file is empty"),
    "a page instead": ("<html><body>Not found</body></html>\n", "line 1: the header has no column date"),
    "prices": ("date,close\n2022-12-27,5\n", NOT_ECB),
    "symbols": ("Date,AAPL,KO\n2022-12-27,5,6\n", NOT_ECB),
    "two columns of one currency": (
        "Date,USD,USD,\n2022-12-27,5,6,\n",
        "line 1: the header has the column USD more than once",
    ),
    "a broken quote": (ECB.replace("N/A", '"N/A', 1), "line 2: it is not CSV"),
}


@pytest.mark.parametrize(("text", "rule"), REFUSED.values(), ids=REFUSED)
def test_a_damaged_file_is_refused_for_all_currencies_with_its_line(text: str, rule: str, tmp_path: Path) -> None:
    ecb_csv(tmp_path, text)
    where = "$USD: eurofxref-hist.csv " if rule.startswith("line") else "$USD: eurofxref-hist.csv: "
    assert refusal(tmp_path).startswith(where + rule)
    (tmp_path / "EURBRL.csv").write_text(PAIR)
    assert isinstance(fetch(tmp_path, "BRL").errors["$BRL"], BadPrices)  # whether the ECB has it is unknown
    (told,) = [found for found in understood_rates(tmp_path) if found.file == "eurofxref-hist.csv"]
    assert told.refusals[0].startswith(rule)


def test_a_bad_cell_is_a_bad_day_and_no_other(tmp_path: Path) -> None:
    ecb_csv(tmp_path, ECB.replace("1.0624", "-1").replace("1.0622", "x").replace("1.1162", "0"))
    bars = rates(tmp_path, "USD")
    assert bars.close.tolist() == [0.0, np.inf, -1.0, 1.064]
    assert clean(bars, EVER[1]).bars.close.tolist() == [1.064]
    assert rates(tmp_path, "JPY").close.size == 4


def encrypted() -> bytes:
    content = bytearray(zipped({"eurofxref-hist.csv": ECB}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


def bomb() -> bytes:
    content = io.BytesIO()
    with (
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("eurofxref-hist.csv", "w") as member,
    ):
        for _ in range(80):
            member.write(b"\n" * 2**20)
    return content.getvalue()


def lying(size: int) -> bytes:
    """Return a bomb whose directory claims this size."""
    content = bytearray(bomb())
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = size.to_bytes(4, "little")
    return bytes(content)


ZIPS: dict[str, tuple[Callable[[], bytes], str]] = {
    "two files": (lambda: zipped({"eurofxref-hist.csv": ECB, "b.csv": ECB}), "it has 2 files, and should have one CSV"),
    "no file": (lambda: zipped({}), "it has 0 files, and should have one CSV"),
    "another file": (lambda: zipped({"readme.txt": ECB}), "it has 1 files, and should have one CSV"),
    "a folder": (lambda: zipped({"eurofxref-hist.csv/": ""}), "it has 1 files, and should have one CSV"),
    "half": (lambda: zipped({"eurofxref-hist.csv": ECB})[:200], "it is not a complete zip file"),
    "a csv file": (ECB.encode, "it is not a complete zip file"),
    "a password": (encrypted, "it is not a complete zip file"),
    "a bomb": (bomb, "uncompressed it is larger than 64 MB"),
    "a bomb that lies": (lambda: lying(2**30), "uncompressed it is larger than 64 MB"),
    "a zip in a zip": (lambda: zipped({"x.csv": zipped({"y.csv": ECB})}), "it is not text"),
    "a damaged file": (
        lambda: zipped({"eurofxref-hist.csv": ECB}).replace(b"PK\x01\x02", b"PK\x01\x03"),
        "it is not a complete zip file",
    ),
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_zip_file_with_anything_else_than_one_csv_file_is_refused(name: str, tmp_path: Path) -> None:
    content, rule = ZIPS[name]
    ecb_zip(tmp_path, content())
    assert refusal(tmp_path).startswith(f"$USD: eurofxref-hist.zip: {rule}")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_zip_file_with_any_damage_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(zipped({"eurofxref-hist.csv": ECB}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("zip")
    ecb_zip(folder, bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content))
    error = fetch(folder, "USD").errors.get("$USD")
    if error is None:
        assert rates(folder, "USD").dates.size <= 4
    else:
        assert isinstance(error, BadPrices)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_text_with_any_damage_gives_ordered_days_or_is_refused(data: st.DataObject) -> None:
    text = ECB
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.sampled_from([0, 1, 7, 80, 1000]))
        text = text[:place] + data.draw(st.text("0123456789,.-/NA\n;\"' €", max_size=5)) + text[place + cut :]
    try:
        found = ecb_rates_of_text(text)
    except PriceFileFault:
        return
    for currency in found.columns:
        if (bars := found.of(currency)) is not None:
            assert (np.diff(bars.dates) > np.timedelta64(0, "D")).all()
            assert not np.isnan(bars.close).any()


@pytest.mark.parametrize("end", range(len(ECB) - len(LAST) - 1, len(ECB) - 2))
def test_a_download_that_stopped_within_the_last_line_is_never_taken_for_whole(end: int) -> None:
    text = ECB[:end]
    if text.endswith("\n"):
        assert ecb_rates_of_text(text).dates.size == 3  # the whole line is missing: nothing tells
    else:
        with pytest.raises(PriceFileFault):
            ecb_rates_of_text(text)


@pytest.mark.parametrize(
    "file", ["EURUSD.csv", "EURUSD=X.csv", "eurusd.csv", "eurusd=x.CSV", "EURUSD.txt", "EURUSD=X.csv.gz"]
)
def test_a_file_of_a_pair_has_the_units_for_one_euro(file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_bytes(gzip.compress(PAIR.encode()) if file.endswith("gz") else PAIR.encode())
    bars = rates(tmp_path, "USD")
    assert bars.dates.tolist() == [date(2022, 12, 27), date(2022, 12, 28)]
    assert bars.close.tolist() == bars.adj_close.tolist() == [1.1, 1.2]
    assert (bars.high, bars.low, bars.split) == (None, None, None)
    assert isinstance(fetch(tmp_path, "GBP").errors["$GBP"], MissingPrices)


def test_a_pair_as_yfinance_writes_it_is_read_and_nothing_is_told_of_adjusted_closes(tmp_path: Path) -> None:
    (tmp_path / "EURUSD.csv").write_text("Price,Close\nTicker,EURUSD=X\nDate,\n2022-12-28,1.0640001\n")
    (tmp_path / "EURGBP=X.csv").write_text("Date,Close,High,Low,Open,Volume\n2022-12-28,0.8805801,1,1,1,0\n")
    fetched = fetch(tmp_path, "USD", "GBP")
    assert (fetched.bars["$USD"].close.tolist(), fetched.bars["$GBP"].close.tolist()) == ([1.0640001], [0.8805801])
    assert fetched.issues == {}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("symbol,date,close\nUSDEUR,2022-12-28,0.94\n", "its name is that of the rates of USD, and it has prices of"),
        ("Date,EURGBP=X\n2022-12-28,0.88\n", "its name is that of the rates of USD, and it has prices of"),
        ("date,close\n2022-12-28,1.1\n2022-12-28,1.2\n", "the date repeats that of the line above"),
        ("date,close\n2022-12-2", "the date '2022-12-2' is not"),
        ("date,close\n2022-12", "it has 1 cells, the header has 2"),
    ],
)
def test_a_file_of_a_pair_that_breaks_a_rule_is_refused_for_its_currency_only(
    text: str, rule: str, tmp_path: Path
) -> None:
    (tmp_path / "EURUSD.csv").write_text(text)
    (tmp_path / "EURGBP.csv").write_text(PAIR)
    assert rule in refusal(tmp_path) or "it has 1 cells" in refusal(tmp_path)
    assert "$USD: EURUSD.csv" in refusal(tmp_path)
    assert set(fetch(tmp_path, "USD", "GBP").bars) == {"$GBP"}


def test_two_files_of_one_pair_are_refused_with_both_names(tmp_path: Path) -> None:
    for file in ("EURUSD.csv", "EURUSD=X.csv"):
        (tmp_path / file).write_text(PAIR)
    assert refusal(tmp_path) == (
        "$USD: RATES_DIR: EURUSD.csv and EURUSD=X.csv have the rates of one currency: remove all but one"
    )


def test_where_the_ecb_has_a_currency_no_other_file_is_read_for_it_however_new(tmp_path: Path) -> None:
    ecb_csv(tmp_path)
    for currency in ("USD", "BRL"):
        (tmp_path / f"EUR{currency}.csv").write_text(PAIR.replace("2022", "2025"))
    assert rates(tmp_path, "USD").dates[-1].item() == ECB_DAYS[-1]
    assert rates(tmp_path, "BRL").dates[-1].item() == date(2025, 12, 28)


def test_the_ecbs_csv_file_is_read_before_its_zip_file(tmp_path: Path) -> None:
    ecb_csv(tmp_path)
    ecb_zip(tmp_path, b"damaged")
    assert rates(tmp_path, "USD").close[-1] == 1.064


@pytest.mark.parametrize(
    "symbol", ["EURUSD", "EURUSD=X", "eurusd", "EUROFXREF-HIST", "eurofxref-hist", "USD", "JPY", "EUROFXREF"]
)
def test_files_of_rates_have_no_prices(symbol: str, tmp_path: Path) -> None:
    ecb_csv(tmp_path)
    (tmp_path / "eurofxref.csv").write_text("Date, USD, JPY, \n28 December 2022, 1.064, 142.21, \n")
    (tmp_path / "eurofxref-hist (1).csv").write_text(ECB)
    for file in ("EURUSD.csv", "eurgbp=x.csv"):
        (tmp_path / file).write_text(PAIR)
    assert isinstance(CsvProvider(tmp_path).daily_bars([symbol], *EVER).errors[symbol], MissingPrices)
    assert list(understood(tmp_path)) == []


@pytest.mark.parametrize("file", ["EUROPA.csv", "USDEUR.csv", "EUREUR.csv", "EURUSD2.csv", "EUR.csv", "XEURUSD.csv"])
def test_other_names_are_those_of_prices(file: str, tmp_path: Path) -> None:
    assert not is_rate_file(file)
    (tmp_path / file).write_text(PAIR)
    symbol = file.removesuffix(".csv")
    assert set(CsvProvider(tmp_path).daily_bars([symbol], *EVER).bars) == {symbol}
    assert isinstance(fetch(tmp_path, "USD").errors["$USD"], MissingPrices)


def test_anything_but_a_regular_file_inside_of_the_folder_has_no_rates(tmp_path: Path) -> None:
    folder = tmp_path / "rates"
    folder.mkdir()
    (folder / "eurofxref-hist.csv").mkdir()
    os.mkfifo(folder / "eurofxref-hist.zip")
    (folder / "EURGBP.csv").mkdir()
    (tmp_path / "outside.csv").write_text(PAIR)
    (folder / "EURUSD.csv").symlink_to(tmp_path / "outside.csv")
    assert isinstance(fetch(folder, "GBP").errors["$GBP"], MissingPrices)
    assert refusal(folder) == "$USD: EURUSD.csv: it is a link to a file outside of the folder"
    assert {found.file: found.refusals for found in understood_rates(folder)} == {
        "EURGBP.csv": ("it is no regular file",),
        "EURUSD.csv": ("it is a link to a file outside of the folder",),
        "eurofxref-hist.csv": ("it is no regular file",),
        "eurofxref-hist.zip": ("it is no regular file",),
    }


def test_a_missing_folder_is_an_outage_that_names_its_settings(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="RATES_DIR or else PRICES_DIR"):
        RateFolder(tmp_path / "elsewhere").rates("$USD")
    assert RateFolder(tmp_path / "elsewhere").version("$USD") == "rates missing"


def test_the_version_changes_with_the_files_that_may_have_the_currency_and_no_other(tmp_path: Path) -> None:
    folder = RateFolder(tmp_path)
    versions = [folder.version("$USD")]
    ecb_csv(tmp_path)
    versions.append(folder.version("$USD"))
    os.utime(tmp_path / "eurofxref-hist.csv", ns=(1, 1))
    versions.append(folder.version("$USD"))
    (tmp_path / "EURUSD.csv").write_text(PAIR)
    versions.append(folder.version("$USD"))
    assert len(set(versions)) == 4
    (tmp_path / "EURGBP.csv").write_text(PAIR)
    (tmp_path / "AAPL.csv").write_text(PAIR)
    assert folder.version("$USD") == versions[-1]


def test_a_file_is_told_once_in_each_state(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ecb_csv(tmp_path)
    provider = CsvProvider(tmp_path)
    for _ in range(2):
        provider.daily_bars(["$USD", "$GBP"], *EVER)
    assert [record.message for record in caplog.records] == ["Rates file eurofxref-hist.csv: up to 2022-12-28"]


def test_what_was_understood_is_told_for_each_file(tmp_path: Path) -> None:
    ecb_csv(tmp_path)
    ecb_zip(tmp_path)
    for file in ("EURUSD.csv", "EURBRL.csv", "EURINR.csv", "EURINR=X.csv"):
        (tmp_path / file).write_text(PAIR)
    (tmp_path / "EURMXN.csv").write_text("date,close\n")
    two = "EURINR.csv and EURINR=X.csv have the rates of one currency: remove all but one"
    told = {found.file: (found.sentence, found.refusals) for found in understood_rates(tmp_path)}
    assert told == {
        "eurofxref-hist.csv": (
            "rates of 4 days, 9 currencies, of these 8 up to the last day: USD, JPY, BGN, GBP, HRK, CHF, ILS, ZAR",
            (),
        ),
        "EURBRL.csv": ("rates of 2 days, BRL for one euro", ()),
        "EURINR.csv": ("not read", (two,)),
        "EURINR=X.csv": ("not read", (two,)),
        "EURMXN.csv": ("not read", ("it has no rate",)),
        "EURUSD.csv": ("not read: eurofxref-hist.csv has the rates of USD", ()),
        "eurofxref-hist.zip": ("not read: eurofxref-hist.csv is read instead", ()),
    }
