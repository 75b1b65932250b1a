import base64
from copy import replace
from datetime import date
from typing import Any

import bson
import msgspec
import numpy as np
import pytest
import zstandard
from pymongo.errors import AutoReconnect, BulkWriteError

from analysis.decisions import Adviser
from analysis.models import Check, Holding, HoldingReport, InvalidHolding, Portfolio, Report, Risk, Valuation
from analysis.report import analyze_portfolios
from records import CheckStatus, Outcome, RunError, Status
from stores.lines import line_of
from stores.mongo import DocumentDatabase, WriteRefused
from stores.portfolio_documents import MOST_HOLDINGS, MOST_WATCHED
from stores.report_values import compressor, decompressed, encoder
from stores.reports import ReportStore, stored_forms
from stores.symbols import ResearchStore
from tests.builders import a_research, a_table, random_walk, research_on, save, weekdays, with_range

TOO_LARGE = Valuation(2**70, 0.0, None, None, None, None, None, 0.0, complete=True)
NO_RISK = Risk(**dict.fromkeys(Risk.__struct_fields__))  # type: ignore[arg-type]


def a_report(
    user_id: str, *, value: float | None = None, volatility: float | None = None, status: Status = "analyzed"
) -> Report:
    report = Report(run_id="run", user_id=user_id, as_of=date(2025, 1, 2), currency="USD", status=status)
    if value is not None:
        report = replace(report, valuation=Valuation(value, 0.0, 1.0, 2.0, 3.0, None, None, 0.0, complete=True))
    if volatility is not None:
        report = replace(report, risk=replace(NO_RISK, annual_volatility=volatility))
    return report


@pytest.fixture
def reports(database: DocumentDatabase) -> ReportStore:
    store = ReportStore(database, ResearchStore(database))
    store.ensure_indexes()
    return store


def random_text(length: int) -> str:
    """Return text that cannot be compressed to less than three quarters of its length."""
    return base64.b64encode(np.random.default_rng(1).bytes(length * 3 // 4)).decode()


def test_a_report_saved_twice_is_stored_once(reports: ReportStore, database: DocumentDatabase) -> None:
    save(reports, [a_report("u1", value=1.0)])
    save(reports, [a_report("u1", value=2.0)])
    assert reports.outcome("run") == Outcome(analyzed=1)
    report = reports.get("run", "u1")
    assert report is not None
    assert report["valuation"]["market_value"] == 2.0
    assert report["as_of"] == "2025-01-02"
    stored = list(database.portfolio_analyses.find({}, {"_id": False, "report": False}))
    assert [(own["user_id"], own["market_value"], own["as_of"]) for own in stored] == [("u1", 2.0, "2025-01-02")]


def test_each_holding_is_read_with_the_research_of_its_symbol(reports: ReportStore, database: DocumentDatabase) -> None:
    research = a_research("A", 0.2)
    holdings = tuple(HoldingReport(symbol, 1.0, 2.0, "USD", *[None] * 16) for symbol in ("A", "B"))
    ResearchStore(database).save("run", [research])
    save(reports, [replace(a_report("u1"), holdings=holdings)])
    report = reports.get("run", "u1")
    assert report is not None
    assert [holding["research"] for holding in report["holdings"]] == [msgspec.to_builtins(research), None]


def test_the_largest_report_there_can_be_fits_into_a_document(reports: ReportStore, database: DocumentDatabase) -> None:
    days = weekdays(300)
    symbols = [f"SYMBOL-OF-THIRTY-TWO-LETTERS{i:04}" for i in range(MOST_HOLDINGS + MOST_WATCHED)]
    held, watched = symbols[:MOST_HOLDINGS], symbols[MOST_HOLDINGS:]
    walk = with_range(random_walk(days, 1), 2)
    (found,) = research_on({"A": walk}, walk)
    # Every holding is far beyond a breach and has a negative score: the longest sentences.
    research = {symbol: replace(found, symbol=symbol, score=-0.987654321) for symbol in held}
    research |= {symbol: replace(found, symbol=symbol, score=0.987654321) for symbol in watched}
    owner = Portfolio(
        "u" * 128,
        tuple(Holding(symbol, 1.23456789, 98.7654321) for symbol in held),
        tuple(watched),
        cash=1 - 1.23456789 * float(walk.close[-1]) * MOST_HOLDINGS,
        buying_power=1e12,
        invalid_holdings=tuple(InvalidHolding("X" * 32, "quantity is not a number up to 1e+12") for _ in range(100)),
    )
    table = a_table(dict.fromkeys(symbols, walk), random_walk(days, 3), lookback_days=70)

    (report,) = analyze_portfolios([owner], table, Adviser(research), {}, "run", 0.0)
    ResearchStore(database).save("run", [research[held[0]]])
    save(reports, [report])

    assert [decision.decision for decision in report.decisions] == ["SELL"] * MOST_HOLDINGS + ["BUY"] * MOST_WATCHED
    stored = database.portfolio_analyses.find_one({"user_id": "u" * 128})
    assert stored is not None
    assert len(bson.encode(stored)) < 4 * 2**20
    kept = reports.get("run", "u" * 128)
    assert kept is not None
    first, *others = (holding["research"] for holding in kept["holdings"])
    assert first["score"] == -0.987654321
    assert set(others) == {None}


@pytest.mark.parametrize(
    ("impossible", "why"),
    [
        ({"error": random_text(24 * 2**20)}, "The report is too large for a document."),
        ({"error": "\ud800"}, "The report cannot be written as a document: UnicodeEncodeError"),
        (
            {"valuation": TOO_LARGE},
            "The report cannot be written as a document: OverflowError",
        ),
        ({"currency": object()}, "The report cannot be written as a document: TypeError"),
    ],
    ids=["too large", "no text", "no number", "no value"],
)
def test_a_report_that_does_not_fit_a_document_is_named_and_the_others_are_stored(
    reports: ReportStore, impossible: dict[str, Any], why: str
) -> None:
    stored, refused = stored_forms([a_report("u1"), replace(a_report("u2"), **impossible), a_report("u3")])
    reports.save(stored)

    assert refused == {"u2": why}
    assert [own.report.user_id for own in stored] == ["u1", "u3"]
    assert reports.outcome("run") == Outcome(analyzed=2)


def test_a_report_just_small_enough_is_stored(reports: ReportStore) -> None:
    text = random_text(16 * 2**20)
    # Its error stands in the report and, plain, beside it.
    report = replace(a_report("u" * 128), error=text[: 8 * 2**20], reason=text[8 * 2**20 :][:1000])

    save(reports, [report])

    kept = reports.get("run", "u" * 128)
    assert kept is not None
    assert kept["error"] == report.error


def test_an_unknown_report_is_none(reports: ReportStore) -> None:
    assert reports.get("run", "nobody") is None


def test_an_outcome_counts_by_status_and_run(reports: ReportStore) -> None:
    statuses: list[Status] = ["analyzed", "analyzed", "skipped", "failed"]
    save(reports, [a_report(f"u{i}", status=status) for i, status in enumerate(statuses)])
    save(reports, [replace(a_report("u1"), run_id="other")])
    assert reports.outcome("run") == Outcome(analyzed=2, skipped=1, failed=1)


def test_failures_are_the_failed_by_user_id_up_to_the_limit(reports: ReportStore) -> None:
    save(reports, [replace(a_report(u, status="failed"), reason="bad", error="It is.") for u in ("c", "a", "b")])
    assert reports.failures("run", 2) == [RunError("a", "bad", "It is."), RunError("b", "bad", "It is.")]


def test_the_summary_counts_warnings_breaches_and_unknowns() -> None:
    statuses: list[CheckStatus] = ["ok", "warning", "warning", "breach", "unknown", "unknown", "unknown"]
    checks = tuple(Check("rule", status, None, 0.0, "") for status in statuses)
    summary = line_of(replace(a_report("u1", value=5.0, volatility=0.2), checks=checks)).summary
    assert (summary.warnings, summary.breaches, summary.unknowns) == (2, 1, 3)
    assert (summary.market_value, summary.annual_volatility, summary.complete) == (5.0, 0.2, True)
    assert line_of(a_report("u1")).summary.complete is None


def test_a_page_delivered_again_replaces_existing_reports_and_adds_missing_ones(
    reports: ReportStore, database: DocumentDatabase
) -> None:
    save(reports, [a_report("a", value=1.0), a_report("b", value=2.0)])
    kept = database.portfolio_analyses.find_one({"user_id": "a"}, {"_id": True})
    save(reports, [a_report("c", value=3.0), a_report("a", value=9.0)])
    listed = list(database.portfolio_analyses.find({"run_id": "run"}).sort("market_value"))
    assert [own["user_id"] for own in listed] == ["b", "c", "a"]
    assert database.portfolio_analyses.find_one({"user_id": "a"}, {"_id": True}) == kept


def test_an_error_of_the_database_contains_its_codes_and_no_content_of_the_reports(
    reports: ReportStore, database: DocumentDatabase
) -> None:
    validator = {"$jsonSchema": {"properties": {"user_id": {"enum": ["a"]}}}}
    database.command("collMod", "portfolio_analyses", validator=validator)
    with pytest.raises(WriteRefused) as caught:
        save(reports, [a_report("a", value=12345.0), a_report("b", value=67890.0)])
    assert str(caught.value) == "The database refused 1 documents: [121]"
    assert caught.value.__suppress_context__


def test_an_error_for_a_report_that_is_delivered_again_contains_only_codes_too(
    reports: ReportStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BulkWriteError({"writeErrors": [{"index": 0, "code": 10003, "op": {"u": {"market_value": 67890.0}}}]})

    save(reports, [a_report("a", value=12345.0)])
    monkeypatch.setattr(reports._reports, "bulk_write", refuse)  # noqa: SLF001 - as no server here responds
    with pytest.raises(WriteRefused) as caught:
        save(reports, [a_report("a", value=67890.0)])
    assert str(caught.value) == "The database refused 1 documents: [10003]"
    assert caught.value.__suppress_context__


def test_the_run_of_each_is_the_first_that_has_a_report_and_did_not_fail(reports: ReportStore) -> None:
    run_ids = ["run_20260103_000000_aaaa", "run_20260102_000000_0000", "run_20260101_000000_ffff"]
    latest, before, first = run_ids
    save(reports, [replace(a_report(user_id), run_id=first) for user_id in ("u1", "u2", "u3", "u4")])
    save(reports, [replace(a_report("u1"), run_id=before), replace(a_report("u2", status="failed"), run_id=before)])
    save(reports, [replace(a_report(user_id, status="failed"), run_id=latest) for user_id in ("u1", "u5")])
    expected = {"u1": before, "u2": first, "u3": first, "u4": first, "u5": latest}
    assert reports.run_of_each(run_ids, ["u1", "u2", "u3", "u4", "u5", "u6"]) == expected


def test_a_purge_leaves_no_report_below_its_bound(reports: ReportStore, database: DocumentDatabase) -> None:
    save(reports, [a_report(f"u{i}") for i in range(5)])
    save(reports, [replace(a_report("u1"), run_id="other")])
    database.portfolio_summaries.insert_many([{"run_id": "run", "user_id": "u1"}, {"run_id": "other", "user_id": "u1"}])

    reports.purge("run", None, "u3")
    assert [kept["user_id"] for kept in database.portfolio_analyses.find({"run_id": "run"})] == ["u3", "u4"]
    reports.purge("run", None, None)

    for name in ("portfolio_analyses", "portfolio_summaries"):
        assert [kept["run_id"] for kept in database[name].find()] == ["other"]


def test_a_purge_that_breaks_off_leaves_no_earlier_summary_without_its_report(
    reports: ReportStore, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object) -> None:
        raise AutoReconnect("the server stopped")

    save(reports, [a_report("u1")])
    database.portfolio_summaries.insert_one({"run_id": "run", "user_id": "u1"})
    monkeypatch.setattr(reports._earlier_summaries, "delete_many", break_off)  # noqa: SLF001 - as no server here does
    with pytest.raises(AutoReconnect):
        reports.purge("run", None, None)
    assert reports.nth_user_id("run", 0) == "u1"


def test_the_place_of_a_user_among_those_of_a_run_is_counted_from_0(reports: ReportStore) -> None:
    save(reports, [a_report(user_id) for user_id in ("c", "a", "b")])
    assert [reports.nth_user_id("run", number) for number in range(4)] == ["a", "b", "c", None]


def test_a_report_is_read_as_it_was_encoded(reports: ReportStore, database: DocumentDatabase) -> None:
    # Figures of every length, and text that looks like the place of the research.
    report = replace(a_report("u1", value=1 / 3, volatility=1e-300), error='{"research":null} "research":null')
    save(reports, [report])
    assert reports.json("run", "u1") == encoder()(report)
    stored = database.portfolio_analyses.find_one({"user_id": "u1"})
    assert stored is not None
    assert decompressed(stored["report"]) == encoder()(report)


def test_a_report_that_was_damaged_is_refused_with_its_reason(reports: ReportStore, database: DocumentDatabase) -> None:
    save(reports, [a_report("u1")])
    database.portfolio_analyses.update_one({"user_id": "u1"}, {"$set": {"report": b"(\xb5/\xfd damaged"}})
    with pytest.raises(ValueError, match="a stored report cannot be read"):
        reports.get("run", "u1")


def test_a_report_of_a_dictionary_that_is_not_here_is_refused(reports: ReportStore, database: DocumentDatabase) -> None:
    save(reports, [a_report("u1")])
    samples: list[bytes | bytearray | memoryview[int]] = [b"%d" % number * 20 for number in range(1_000)]
    other = zstandard.train_dictionary(1024, samples, dict_id=123_456)
    value = zstandard.ZstdCompressor(dict_data=other).compress(encoder()(a_report("u1")))
    database.portfolio_analyses.update_one({"user_id": "u1"}, {"$set": {"report": value}})
    with pytest.raises(ValueError, match="a stored report cannot be read"):
        reports.get("run", "u1")


def test_the_dictionary_of_today_is_among_those_that_can_be_read() -> None:
    value = compressor()(b"{}")
    assert zstandard.get_frame_parameters(value).dict_id != 0
    assert decompressed(value) == b"{}"
