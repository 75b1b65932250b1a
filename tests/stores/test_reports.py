from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import bson
import msgspec
import pytest
from pymongo.errors import BulkWriteError

from analysis.decisions import Adviser
from analysis.models import Check, Decision, Holding, HoldingReport, InvalidHolding, Portfolio, Report, Risk, Valuation
from analysis.report import analyze_portfolios
from records import CheckStatus, Outcome, RunError, SortField, Status, Summary, Wanted
from stores.mongo import DocumentDatabase, WriteRefused
from stores.portfolio_documents import MOST_HOLDINGS, MOST_WATCHED
from stores.reports import ReportStore, Shared, report_document, summarize
from tests.builders import a_research, a_table, random_walk, research_on, weekdays, with_range

ALL_REPORTS = Wanted()
TOO_LARGE = Valuation(2**70, 0.0, None, None, None, None, None, 0.0, complete=True)
NO_RISK = Risk(**dict.fromkeys(Risk.__dataclass_fields__))  # type: ignore[arg-type]


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
    store = ReportStore(database)
    store.ensure_indexes()
    return store


def place(summary: Summary, sort: SortField) -> tuple[float | None, str]:
    return None if sort == "user_id" else getattr(summary, sort), summary.user_id


def all_pages(reports: ReportStore, sort: SortField, *, descending: bool, wanted: Wanted = ALL_REPORTS) -> list[str]:
    found: list[Summary] = []
    while page := reports.summaries(
        "run", limit=2, wanted=wanted, sort=sort, descending=descending, after=place(found[-1], sort) if found else None
    ):
        found += page
    return [summary.user_id for summary in found]


def test_a_report_saved_twice_is_stored_once(reports: ReportStore) -> None:
    reports.save([a_report("u1", value=1.0)], Shared())
    reports.save([a_report("u1", value=2.0)], Shared())
    assert reports.outcome("run") == Outcome(analyzed=1)
    report = reports.get("run", "u1")
    assert report is not None
    assert report["valuation"]["market_value"] == 2.0
    assert report["as_of"] == "2025-01-02"
    (listed,) = reports.summaries("run", limit=2, wanted=ALL_REPORTS, sort="user_id", descending=False, after=None)
    assert listed.market_value == 2.0


def test_each_holding_is_kept_with_the_research_of_its_symbol(reports: ReportStore) -> None:
    research = a_research("A", 0.2)
    holdings = tuple(HoldingReport(symbol, 1.0, 2.0, "USD", *[None] * 16) for symbol in ("A", "B"))
    reports.save([replace(a_report("u1"), holdings=holdings)], Shared([research]))
    report = reports.get("run", "u1")
    assert report is not None
    assert [holding["research"] for holding in report["holdings"]] == [msgspec.to_builtins(research), None]


def test_a_decision_reads_the_same_whether_or_not_it_is_shared(reports: ReportStore) -> None:
    since = date(2025, 1, 1)
    shared, own = Decision("A", "BUY", 10, 7, since, "Buy."), Decision("B", "HOLD", 0, 1, None, "Hold.")

    reports.save([replace(a_report("u1"), decisions=(shared, own))], Shared(decisions=[shared]))

    report = reports.get("run", "u1")
    assert report is not None
    builtins = msgspec.to_builtins([shared, own])
    # Readers of older reports know the strength as confidence.
    assert report["decisions"] == [{**decision, "confidence": decision["strength"]} for decision in builtins]


def test_the_largest_report_there_can_be_fits_into_a_document(reports: ReportStore) -> None:
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
    reports.save([report], Shared(research.values()))

    assert [decision.decision for decision in report.decisions] == ["SELL"] * MOST_HOLDINGS + ["BUY"] * MOST_WATCHED
    kept = reports.get("run", "u" * 128)
    assert kept is not None
    assert len(bson.encode(kept)) < 12 * 2**20


@pytest.mark.parametrize(
    ("impossible", "why"),
    [
        ({"error": "x" * 17 * 2**20}, "The report is too large for a document."),
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
    refused = reports.save([a_report("u1"), replace(a_report("u2"), **impossible), a_report("u3")], Shared())

    assert refused == {"u2": why}
    assert all_pages(reports, "user_id", descending=False) == ["u1", "u3"]


def test_a_report_just_small_enough_is_stored(reports: ReportStore) -> None:
    report = replace(a_report("u" * 128), error="x" * (16 * 2**20 - 3_000))

    assert reports.save([report], Shared()) == {}
    assert reports.get("run", "u" * 128) is not None


def test_an_unknown_report_is_none(reports: ReportStore) -> None:
    assert reports.get("run", "nobody") is None


def test_an_outcome_counts_by_status_and_run(reports: ReportStore) -> None:
    statuses: list[Status] = ["analyzed", "analyzed", "skipped", "failed"]
    reports.save([a_report(f"u{i}", status=status) for i, status in enumerate(statuses)], Shared())
    reports.save([replace(a_report("u1"), run_id="other")], Shared())
    assert reports.outcome("run") == Outcome(analyzed=2, skipped=1, failed=1)


def test_failures_are_the_failed_by_user_id_up_to_the_limit(reports: ReportStore) -> None:
    reports.save(
        [replace(a_report(u, status="failed"), reason="bad", error="It is.") for u in ("c", "a", "b")], Shared()
    )
    assert reports.failures("run", 2) == [RunError("a", "bad", "It is."), RunError("b", "bad", "It is.")]


def test_the_summary_counts_warnings_breaches_and_unknowns() -> None:
    statuses: list[CheckStatus] = ["ok", "warning", "warning", "breach", "unknown", "unknown", "unknown"]
    checks = tuple(Check("rule", status, None, 0.0, "") for status in statuses)
    summary = summarize(report_document(replace(a_report("u1", value=5.0, volatility=0.2), checks=checks), Shared()))
    assert (summary.warnings, summary.breaches, summary.unknowns) == (2, 1, 3)
    assert (summary.market_value, summary.annual_volatility, summary.complete) == (5.0, 0.2, True)
    assert summarize(report_document(a_report("u1"), Shared())).complete is None


@pytest.mark.parametrize("descending", [False, True])
def test_pages_by_user_id_neither_repeat_nor_miss_anyone(reports: ReportStore, descending: bool) -> None:
    reports.save([a_report(f"u{i}") for i in (3, 1, 5, 2, 4)], Shared())
    expected = sorted((f"u{i}" for i in range(1, 6)), reverse=descending)
    assert all_pages(reports, "user_id", descending=descending) == expected


@pytest.mark.parametrize(
    ("descending", "expected"),
    [
        (False, ["low", "even1", "even2", "high", "none1", "none2", "none3"]),
        (True, ["high", "even2", "even1", "low", "none1", "none2", "none3"]),
    ],
)
def test_pages_by_a_figure_put_those_without_it_last_and_equals_by_user_id(
    reports: ReportStore,
    descending: bool,
    expected: list[str],
) -> None:
    volatilities = {"high": 0.9, "low": 0.1, "even2": 0.5, "even1": 0.5, "none2": None, "none1": None, "none3": None}
    reports.save([a_report(user_id, volatility=volatility) for user_id, volatility in volatilities.items()], Shared())
    assert all_pages(reports, "annual_volatility", descending=descending) == expected


def test_a_page_delivered_again_replaces_existing_reports_and_adds_missing_ones(
    reports: ReportStore, database: DocumentDatabase
) -> None:
    reports.save([a_report("a", value=1.0), a_report("b", value=2.0)], Shared())
    kept = database.portfolio_analyses.find_one({"user_id": "a"}, {"_id": True})
    reports.save([a_report("c", value=3.0), a_report("a", value=9.0)], Shared())
    assert all_pages(reports, "market_value", descending=False) == ["b", "c", "a"]
    assert database.portfolio_analyses.find_one({"user_id": "a"}, {"_id": True}) == kept


def test_an_error_of_the_database_contains_its_codes_and_no_content_of_the_reports(
    reports: ReportStore, database: DocumentDatabase
) -> None:
    validator = {"$jsonSchema": {"properties": {"user_id": {"enum": ["a"]}}}}
    database.command("collMod", "portfolio_analyses", validator=validator)
    with pytest.raises(WriteRefused) as caught:
        reports.save([a_report("a", value=12345.0), a_report("b", value=67890.0)], Shared())
    assert str(caught.value) == "The database refused 1 documents: [121]"
    assert caught.value.__suppress_context__


def test_an_error_for_a_report_that_is_delivered_again_contains_only_codes_too(
    reports: ReportStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BulkWriteError({"writeErrors": [{"index": 0, "code": 10003, "op": {"u": {"market_value": 67890.0}}}]})

    reports.save([a_report("a", value=12345.0)], Shared())
    monkeypatch.setattr(reports._reports, "bulk_write", refuse)  # noqa: SLF001 - as no server here responds
    with pytest.raises(WriteRefused) as caught:
        reports.save([a_report("a", value=67890.0)], Shared())
    assert str(caught.value) == "The database refused 1 documents: [10003]"
    assert caught.value.__suppress_context__


def test_a_status_limits_the_list(reports: ReportStore) -> None:
    reports.save([a_report("a", value=1.0), a_report("b", status="failed"), a_report("c", value=3.0)], Shared())
    assert all_pages(reports, "market_value", descending=True, wanted=Wanted(status="analyzed")) == ["c", "a"]
    assert all_pages(reports, "user_id", descending=False, wanted=Wanted(status="failed")) == ["b"]


def with_checks(user_id: str, value: float | None, **statuses: CheckStatus) -> Report:
    checks = tuple(Check(rule, status, None, 0.0, "") for rule, status in statuses.items())
    return replace(a_report(user_id, value=value), checks=checks)


@pytest.mark.parametrize("descending", [False, True])
def test_a_check_limits_the_list_to_the_reports_that_cross_it(reports: ReportStore, descending: bool) -> None:
    reports.save(
        [
            with_checks("a", 1.0, beta="breach", drawdown="ok"),
            with_checks("b", 2.0, beta="ok", drawdown="warning"),
            with_checks("c", 3.0, beta="warning", drawdown="warning"),
            with_checks("d", None, beta="warning", drawdown="breach"),
            with_checks("e", 4.0, beta="ok", cash_share="unknown"),
        ],
        Shared(),
    )

    def found(sort: SortField, check: str, status: CheckStatus | None = None) -> list[str]:
        return all_pages(reports, sort, descending=descending, wanted=Wanted(check=check, check_status=status))

    crossing = ["c", "a"] if descending else ["a", "c"]
    assert found("market_value", "beta") == [*crossing, "d"]  # reports without the figure come last
    assert found("user_id", "beta") == sorted("acd", reverse=descending)
    assert found("user_id", "beta", "breach") == ["a"]
    assert found("user_id", "drawdown", "warning") == sorted("bc", reverse=descending)
    assert found("user_id", "volatility") == []
    assert found("user_id", "cash_share", "unknown") == ["e"]
    assert found("user_id", "cash_share") == []  # it is not beyond a threshold
    assert found("user_id", "cash_share", "warning") == []


@pytest.mark.parametrize("sort", ["user_id", "market_value"])
@pytest.mark.parametrize("descending", [False, True])
def test_a_prefix_limits_the_list_to_ids_that_begin_with_it(
    reports: ReportStore, sort: SortField, descending: bool
) -> None:
    user_ids = ["al", "ala", "alb", "al\U0001d7d8", "ak", "am", "bal"]
    reports.save([a_report(user_id, value=None if user_id == "ala" else 1.0) for user_id in user_ids], Shared())
    listed = all_pages(reports, sort, descending=descending, wanted=Wanted(user_id_prefix="al"))
    assert sorted(listed) == ["al", "ala", "alb", "al\U0001d7d8"]
    assert sort == "market_value" or listed == sorted(listed, reverse=descending)


def test_the_first_report_is_that_of_the_first_run_that_has_one(reports: ReportStore) -> None:
    run_ids = ["run_20260103_000000_aaaa", "run_20260102_000000_0000", "run_20260101_000000_ffff"]
    reports.save([replace(a_report("u1", value=1.0), run_id=run_ids[2])], Shared())
    reports.save([replace(a_report("u1", value=2.0), run_id=run_ids[1])], Shared())
    reports.save([replace(a_report("u2", value=3.0), run_id=run_ids[0])], Shared())
    first = reports.first(run_ids, "u1")
    assert first is not None
    assert first["valuation"]["market_value"] == 2.0
    assert reports.first(run_ids[:1], "u1") is None


def test_a_purge_leaves_neither_reports_nor_lines_of_lists(reports: ReportStore, database: DocumentDatabase) -> None:
    reports.save([a_report(f"u{i}") for i in range(5)], Shared())
    reports.save([replace(a_report("u1"), run_id="other")], Shared())
    assert [reports.purge("run", 3) for _ in range(3)] == [3, 2, 0]
    for name in ("portfolio_analyses", "portfolio_summaries"):
        assert [kept["run_id"] for kept in database[name].find()] == ["other"]


def test_many_equal_figures_are_paged_in_order(reports: ReportStore) -> None:
    reports.save([a_report(f"u{i:02}", value=float(i % 3)) for i in range(30)], Shared())
    listed = all_pages(reports, "market_value", descending=False)
    assert len(set(listed)) == 30
    keys = [(int(user_id[1:]) % 3, user_id) for user_id in listed]
    assert all(earlier < later for earlier, later in pairwise(keys))


def test_a_report_whose_writer_died_before_its_summary_is_listed_and_counted_once_completed(
    reports: ReportStore, database: DocumentDatabase
) -> None:
    saved = [a_report("u1", value=5.0, volatility=0.2), a_report("u2", value=7.0)]
    reports.save(saved, Shared())
    run_id = saved[0].run_id
    kept = list(database.portfolio_summaries.find({}, {"_id": False}).sort("user_id"))
    database.portfolio_summaries.delete_one({"user_id": "u2"})
    assert reports.outcome(run_id) == Outcome(analyzed=1)
    for _ in range(2):
        reports.complete(run_id)
        assert reports.outcome(run_id) == Outcome(analyzed=2)
        assert list(database.portfolio_summaries.find({}, {"_id": False}).sort("user_id")) == kept
