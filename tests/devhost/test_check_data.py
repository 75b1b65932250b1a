"""``check-data``: what it accepts, refuses and suspects over a real database and a real folder, without writing."""

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bson import Code, ObjectId

from devhost.check_data import check_data
from devhost.check_documents import _allowed
from devhost.findings import Finding
from stores.mongo import DocumentDatabase
from tests.builders import random_walk, weekdays
from tests.conftest import free_port
from tests.devhost.harness import ROOT
from tests.market_data.made_up import write_csv

TODAY = datetime.now(UTC).date()
DAYS = weekdays(300, start=str(TODAY - timedelta(days=425)))
TEN_SHARES = {"quantity": 10, "avg_price": 100}

type Check = Callable[..., list[Finding]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, symbol in enumerate(("INDEX", "ALFA", "BRAVO")):
        write_csv(tmp_path, symbol, random_walk(DAYS[np.datetime64(TODAY) >= DAYS], seed))
    return tmp_path


@pytest.fixture
def check(database: DocumentDatabase, mongodb_url: str, folder: Path) -> Check:
    def findings(**environment: str) -> list[Finding]:
        own = {"MONGODB_URL": mongodb_url, "MONGODB_DATABASE": database.name, "MARKET_DATA_PROVIDER": "csv"}
        return list(check_data(ROOT, own | {"PRICES_DIR": str(folder), "BENCHMARK_SYMBOL": "INDEX"} | environment))

    return findings


@pytest.fixture
def sound(database: DocumentDatabase) -> DocumentDatabase:
    """Return a database with two sound users."""
    for user_id, symbol in {"ann": "ALFA", "ben": "BRAVO"}.items():
        database.users.insert_one({"user_id": user_id})
        database.holdings.insert_one({"user_id": user_id, "symbol": symbol, **TEN_SHARES})
    for name in ("users", "holdings"):
        database[name].create_index("user_id")
    return database


def refused(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.subject, finding.text) for finding in findings if finding.good is False]


def suspicious(findings: list[Finding], subject: str) -> list[Finding]:
    return [finding for finding in findings if finding.good is None and finding.subject == subject]


def texts(findings: list[Finding], subject: str) -> list[str]:
    return [finding.text for finding in suspicious(findings, subject)]


def contents(database: DocumentDatabase) -> dict[str, Any]:
    names = database.list_collection_names()
    return {name: (list(database[name].find()), database[name].index_information()) for name in names}


def test_sound_data_are_accepted_and_nothing_is_written(check: Check, sound: DocumentDatabase) -> None:
    before = contents(sound)
    findings = check()
    assert refused(findings) == []
    texts = {f"{finding.subject}: {finding.text}" for finding in findings if finding.good}
    assert "people: 2 users to analyze, with 2 symbols held" in texts
    assert any(text.startswith("prices: 2 of 2 symbols held; INDEX up to ") for text in texts)
    assert any(re.match(r"files: ALFA.csv: \d+ days, ", text) for text in texts)
    assert "indexes: all there" in texts
    assert contents(sound) == before


def test_owners_without_a_user_are_told_and_refused_if_they_are_most(check: Check, sound: DocumentDatabase) -> None:
    strangers = [{"user_id": ObjectId(f"65f00000000000000000000{n}"), "symbol": "ALFA", **TEN_SHARES} for n in range(3)]
    sound.holdings.insert_one(strangers[0])
    findings = check()
    assert refused(findings) == []
    assert "1 owner of holdings without a user, left out: 65f000000000000000000000" in texts(findings, "holdings")
    sound.holdings.insert_many(strangers[1:])
    (finding,) = [found for found in check() if found.good is False]
    assert finding.text.startswith("3 owners of holdings without a user, left out: 65f000000000000000000000, ")
    assert "FIELDS=holdings.user_id=" in finding.change


def test_documents_of_other_names_are_refused_with_the_line_that_reads_them(
    check: Check, sound: DocumentDatabase
) -> None:
    sound.holdings.delete_many({})
    sound.holdings.insert_one({"user_id": "ann", "ticker": "ALFA", "shares": 3})
    findings = check()
    assert ("holdings", "1 of 1: no field `symbol`; the document has `ticker`: set FIELDS") in refused(findings)
    (proposal,) = suspicious(findings, "FIELDS")
    line = proposal.change.removeprefix("FIELDS=")
    assert {"holdings.symbol=ticker", "holdings.quantity=shares"} <= set(line.split(","))
    assert refused(check(FIELDS=line)) == []


def test_an_entry_of_fields_that_leads_nowhere_is_refused(check: Check, sound: DocumentDatabase) -> None:
    assert sound.users.count_documents({}) == 2
    found = [text for subject, text in refused(check(FIELDS="holdings.quantity=pieces")) if subject == "FIELDS"]
    assert found == ["holdings.quantity=pieces leads nowhere: no document has it"]


def test_nobody_to_analyze_is_refused_in_counts(check: Check, sound: DocumentDatabase) -> None:
    sound.users.update_many({}, {"$set": {"is_active": False}})
    (found,) = [text for subject, text in refused(check()) if subject == "people"]
    assert found.startswith("nobody to analyze: 2 users and 2 holdings exist, but no user is active")


def test_a_symbol_held_without_prices_is_refused_with_its_holders(check: Check, sound: DocumentDatabase) -> None:
    sound.holdings.insert_many([{"user_id": user_id, "symbol": "GONE", **TEN_SHARES} for user_id in ("ann", "ben")])
    texts = [text for _, text in refused(check())]
    assert texts == [
        "held by 2: GONE: no prices",
        "only 2 of 4 positions have prices, 70% are needed: a run fails",
    ]


def test_a_symbol_whose_prices_are_all_impossible_is_refused_as_a_run_does(
    check: Check, sound: DocumentDatabase, folder: Path
) -> None:
    assert sound.users.count_documents({}) == 2
    rows = [f"{day},{close}" for day, close in zip(DAYS[:250].tolist(), ["12.5 EUR each"] * 250, strict=True)]
    (folder / "ALFA.csv").write_text("\n".join(["date,close", *rows]))
    found = [text for subject, text in refused(check()) if subject == "prices"]
    assert found == [
        "held by 1: ALFA: too many of its prices are impossible",
        "only 1 of 2 positions have prices, 70% are needed: a run fails",
    ]


def test_prices_that_end_early_or_in_the_future_are_told(check: Check, sound: DocumentDatabase, folder: Path) -> None:
    assert sound.users.count_documents({}) == 2
    (folder / "ALFA.csv").write_text("date,close\n2020-01-02,1\n2020-01-03,1\n")
    later = TODAY + timedelta(days=400)
    (folder / "BRAVO.csv").write_text(f"date,close\n2020-01-02,1\n{later},1\n")
    findings = check()
    assert "ALFA: its prices end on 2020-01-03" in texts(findings, "prices")
    told = f"BRAVO.csv: it has prices of {later}, which is yet to come, and are not used"
    assert told in texts(findings, "files")


def test_users_with_too_many_holdings_are_refused(check: Check, sound: DocumentDatabase) -> None:
    sound.holdings.insert_many([{"user_id": "ann", "symbol": "ALFA", **TEN_SHARES} for _ in range(5_000)])
    assert refused(check()) == [("holdings", "5,001 of 5,002: 1 of their owners have more than 5,000, and fail for it")]


def test_costs_that_cannot_be_read_are_told(check: Check, sound: DocumentDatabase) -> None:
    sound.holdings.update_one({"user_id": "ann"}, {"$set": {"avg_price": "$3"}})
    (found,) = texts(check(), "holdings")
    assert found == "1 of 2 without a cost that can be read: their gain is unknown"


def test_an_id_of_a_strange_type_is_refused_and_the_user_not_counted(check: Check, sound: DocumentDatabase) -> None:
    for user_id in (Code("u"), "u\u202e"):
        sound.users.insert_one({"user_id": user_id})
        sound.holdings.insert_one({"user_id": user_id, "symbol": "ALFA", **TEN_SHARES})
    findings = check()
    assert {subject for subject, _ in refused(findings)} == {"users", "holdings"}
    assert any(found.subject == "people" and found.text.startswith("2 users to analyze") for found in findings)


def test_a_file_that_is_refused_is_named_with_its_rule(check: Check, sound: DocumentDatabase, folder: Path) -> None:
    assert sound.users.count_documents({}) == 2
    (folder / "ODD.csv").write_text("date,close\n2026-01-02,1\n2026-01-02,2\n")
    (found,) = refused(check())
    assert found[0] == "files"
    assert found[1].startswith("ODD.csv: ")


def test_a_benchmark_without_prices_is_refused(check: Check, sound: DocumentDatabase) -> None:
    assert sound.users.count_documents({}) == 2
    assert refused(check(BENCHMARK_SYMBOL="NONE")) == [("prices", "the benchmark has none: NONE: no prices")]


def test_a_suspected_split_is_told_with_its_symbol(check: Check, sound: DocumentDatabase, folder: Path) -> None:
    assert sound.users.count_documents({}) == 2
    closes = np.where(np.arange(250) < 200, 100.0, 50.0)
    rows = [f"{day},{close}" for day, close in zip(DAYS[:250].tolist(), closes, strict=True)]
    (folder / "ALFA.csv").write_text("\n".join(["date,close", *rows]))
    assert any("ALFA: " in text and "a split of 2:1" in text for text in texts(check(), "prices"))


def test_the_rates_of_the_folder_are_told_and_are_no_prices(
    check: Check, sound: DocumentDatabase, folder: Path
) -> None:
    assert sound.users.count_documents({}) == 2
    newest = TODAY - timedelta(days=1)
    (folder / "eurofxref-hist.csv").write_text(f"Date,USD,JPY,\n{newest},1.0640,142.21,\n2022-12-23,1.0622,140.86,\n")
    (folder / "EURGBP=X.csv").write_text("date,close\n2022-12-28,0.88058\n")
    findings = check()
    assert refused(findings) == []
    told = [finding.text for finding in findings if finding.subject == "rates"]
    currencies = "rates of 2 days, 2 currencies, of these 2 up to the last day: USD, JPY"
    assert told == [
        f"eurofxref-hist.csv: {currencies}, the last {newest}",
        "EURGBP=X.csv: rates of 1 day, GBP for one euro, the last 2022-12-28",
        "EURGBP=X.csv: its last rate is more than 10 days old: today it counts for nothing",
    ]
    files = [finding.text for finding in findings if finding.subject == "files"]
    assert files
    assert not any("EUR" in text or "eurofx" in text for text in files)


def test_damaged_rates_are_refused_with_their_line_and_a_folder_of_rates_without_any_too(
    check: Check, sound: DocumentDatabase, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert sound.users.count_documents({}) == 2
    (folder / "eurofxref-hist.csv").write_text("Date,USD,JPY,\n2022-12-28,1.0640,142.21,\n2022-12-2")
    rule = "line 3: the line is cut off: it does not end with a comma as the header does"
    assert refused(check()) == [("rates", f"eurofxref-hist.csv: {rule}")]
    empty = tmp_path_factory.mktemp("empty")
    assert refused(check(RATES_DIR=str(empty))) == [
        ("rates", f"{empty} has none: no eurofxref-hist.csv, no EURUSD.csv")
    ]


def test_old_prices_are_told(check: Check, sound: DocumentDatabase, folder: Path) -> None:
    assert sound.users.count_documents({}) == 2
    for seed, symbol in enumerate(("INDEX", "ALFA", "BRAVO")):
        write_csv(folder, symbol, random_walk(weekdays(300, start="2019-01-01"), seed))
    assert any("weekdays older than the request" in finding.text for finding in suspicious(check(), "prices"))


def test_of_the_sample_it_is_told_that_it_ends_on_purpose(check: Check, sound: DocumentDatabase) -> None:
    sound.holdings.update_many({}, {"$set": {"symbol": "AAPL"}})
    findings = check(MARKET_DATA_PROVIDER="sample", PRICES_DIR="", BENCHMARK_SYMBOL="")
    assert refused(findings) == []
    assert "the sample ends in 2022 on purpose" in [finding.text for finding in suspicious(findings, "prices")]


def test_currencies_of_holdings_inside_users_are_told(check: Check, sound: DocumentDatabase) -> None:
    sound.users.insert_one({"user_id": "eve", "currency": "GBP", "positions": [{"symbol": "ALFA", "currency": "eur"}]})
    findings = check(FIELDS="holdings=users.positions[]")
    (text,) = texts(findings, "currencies")
    assert text.startswith("users.positions[] names EUR, which is not read: a holding is in the currency of its")


def test_transactions_are_told_as_holdings_are(check: Check, sound: DocumentDatabase) -> None:
    buy = {"type": "buy", "date": "2026-01-05", "symbol": "ALFA", "quantity": 1, "price": 5, "currency": "EUR"}
    deposit = {"type": "deposit", "date": "2026-01-05", "amount": 5}
    unit = {name: value for name, value in buy.items() if name != "quantity"} | {"shares": 1}
    sound.transactions.insert_many(
        [
            {"user_id": user_id, **own}
            for user_id, own in (
                ("ann", buy),
                ("ann", deposit),
                ("ben", unit),
                ("ben", buy | {"type": "?"}),
                ("eve", buy),
            )
        ]
    )
    findings = check()
    assert {text for subject, text in refused(findings) if subject == "transactions"} == {
        "1 of 5: no field `quantity`; the document has `shares`: set FIELDS",
        "1 of 5: type is none that is known",
    }
    assert "3 of 5 documents in transactions (ids: 5 text)" in [found.text for found in findings if found.good]
    assert texts(findings, "transactions") == ["1 owner of transactions without a user, left out: eve"]
    assert texts(findings, "currencies") == ["transactions names EUR: figures need the rates to USD"]
    assert 'db.transactions.createIndex({"user_id": 1})' in [own.change for own in suspicious(findings, "indexes")]
    (proposal,) = suspicious(findings, "FIELDS")
    assert proposal.change == "FIELDS=transactions.quantity=shares"


def test_base_currencies_and_those_of_accounts_are_told(check: Check, sound: DocumentDatabase) -> None:
    sound.users.update_one({"user_id": "ann"}, {"$set": {"base_currency": "Euro", "lot_method": "oldest"}})
    sound.users.update_one({"user_id": "ben"}, {"$set": {"base_currency": "CHF"}})
    sound.accounts.insert_many(
        [
            {"user_id": "ann", "cash": 1, "currency": "GBp"},
            {"user_id": "ben", "cash": 1, "currency": "Dollar"},
        ]
    )
    findings = check(BASE_CURRENCY="CHF")
    assert ("accounts", "1 of 2: The account cannot be read: currency is no code of three letters") in refused(findings)
    assert [text for text in texts(findings, "users") if text.startswith("1 of 2")] == [
        "1 of 2: base_currency is no currency of three letters: the default applies.",
        "1 of 2: lot_method is none of fifo, lifo, hifo, average, specific: fifo applies.",
    ]
    assert texts(findings, "currencies") == ["accounts names GBP: figures need the rates to CHF"]


def test_other_currencies_and_missing_indexes_are_told(check: Check, sound: DocumentDatabase) -> None:
    sound.instruments.insert_one({"symbol": "ALFA", "currency": "EUR"})
    sound.holdings.drop_index("user_id_1")
    findings = check()
    assert refused(findings) == []
    assert [finding.text for finding in suspicious(findings, "currencies")] == [
        "instruments names EUR: figures need the rates to USD"
    ]
    assert 'db.holdings.createIndex({"user_id": 1})' in [f.change for f in suspicious(findings, "indexes")]


def test_a_database_that_does_not_answer_is_refused_and_the_prices_are_checked_all_the_same(check: Check) -> None:
    findings = check(MONGODB_URL=f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=500")
    assert [subject for subject, _ in refused(findings)] == ["database"]
    assert any(finding.subject == "files" and finding.good for finding in findings)


def test_a_folder_that_is_not_there_is_refused(check: Check, sound: DocumentDatabase, folder: Path) -> None:
    assert sound.users.count_documents({}) == 2
    shutil.rmtree(folder)
    text = "PRICES_DIR must name an existing folder when MARKET_DATA_PROVIDER is csv"
    assert refused(check()) == [("settings", text)]


def test_an_ill_formed_setting_is_the_only_finding(check: Check) -> None:
    (finding,) = check(ANALYSIS_LOOKBACK_DAYS="many")
    assert finding.good is False
    assert "ANALYSIS_LOOKBACK_DAYS" in finding.text


@pytest.mark.parametrize(
    ("resource", "allowed"),
    [
        ({"db": "shop", "collection": "users"}, True),
        ({"db": "shop", "collection": ""}, True),
        ({"db": "", "collection": ""}, True),
        ({"anyResource": True}, True),
        ({"db": "shop", "collection": "orders"}, False),
        ({"db": "other", "collection": ""}, False),
        ({"cluster": True}, False),
    ],
)
def test_a_right_counts_where_its_resource_covers_the_collection(resource: dict[str, Any], allowed: bool) -> None:
    privileges = [{"resource": resource, "actions": ["find"]}]
    assert _allowed(privileges, "shop", "users") == ({"find"} if allowed else set())
