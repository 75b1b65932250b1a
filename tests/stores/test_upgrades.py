"""What earlier versions stored is served in the form of today. The stored documents here were written by version 1."""

import json
from copy import deepcopy
from datetime import date, timedelta
from typing import Any

import pytest

from analysis.decisions import Adviser
from analysis.report import analyze_portfolios
from records import PriceIssue, Summary, SymbolIssue, Wanted
from stores.mongo import DocumentDatabase
from stores.rankings import page_of, rankings_of
from stores.reports import ReportStore
from stores.runs import RunStore
from stores.symbols import History, PriceStore, ResearchStore
from stores.upgrades import issue_of_today, report_of_today
from tests.builders import a_portfolio, a_table, document_of, random_walk, research_on, weekdays
from tests.stores.version_1 import REPORT, RUN, SUMMARY


def shape(value: object) -> object:
    """Return the names of all members, of lists those of the first entry that has some."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return next((shape(entry) for entry in value if isinstance(entry, dict)), None)
    return None


def of_today() -> dict[str, Any]:
    days = weekdays(300)
    symbols, benchmark = {"A": random_walk(days, 1), "B": random_walk(days, 2)}, random_walk(days, 3)
    research = {found.symbol: found for found in research_on(symbols, benchmark)}
    owner = a_portfolio().holding("A", 10).holding("B", 5).holding("GONE", 2).invalid_holding("BAD", "quantity is text")
    (report,) = analyze_portfolios(
        [owner.watching("B").build()], a_table(symbols, benchmark), Adviser(research), {}, "run", 0.0
    )
    return document_of(report, research.values())


def test_a_stored_report_has_every_member_of_today() -> None:
    mine, today = report_of_today(deepcopy(REPORT)), json.loads(json.dumps(of_today(), default=dict))

    for document in (mine, today):  # they have other sentences, and other price issues; one has an implied income
        del document["data_quality"]["price_issues"], document["reasons"], document["order_plan"]["orders"]
        document["income"] = None
    assert shape(mine) == shape(today)


def test_a_report_of_before_base_currencies_is_in_one_currency_and_says_what_it_lacks() -> None:
    today = json.loads(json.dumps(of_today(), default=dict))
    today["reasons"] = {}
    new = ("returns", "income", "currency_exposure")
    earlier = {name: deepcopy(value) for name, value in today.items() if name not in new}
    for holding in earlier["holdings"]:
        del holding["fx_rate"], holding["market_value_local"]
    for holding in earlier["data_quality"]["invalid_holdings"]:
        del holding["currency"]

    mine = report_of_today(deepcopy(earlier))

    assert shape(mine) == shape(today | {"reasons": {"returns": None, "income": None}, "income": None})
    assert mine["currency_exposure"] == [{"currency": "USD", "share": 1.0}]
    assert mine["reasons"] == {"returns": "earlier_version", "income": "earlier_version"}
    assert {holding["fx_rate"] for holding in mine["holdings"]} == {1.0}


def test_its_figures_stay_what_they_were() -> None:
    mine = report_of_today(deepcopy(REPORT))

    assert mine["schema_version"] == 1
    for name in ("run_id", "user_id", "as_of", "status", "reason", "diversification", "checks"):
        assert mine[name] == REPORT[name]
    assert mine["risk"] == REPORT["risk"] | {"risk_free_rate": None}
    assert REPORT["valuation"].items() <= mine["valuation"].items()
    assert [entry["return"] for entry in mine["stress"]] == [entry["return"] for entry in REPORT["stress"]]
    assert [decision["strength"] for decision in mine["decisions"]] == [
        decision["confidence"] for decision in REPORT["decisions"]
    ]


def test_what_it_left_out_is_told() -> None:
    mine = report_of_today(deepcopy(REPORT))

    assert (mine["valuation"]["unpriced_cost"], mine["valuation"]["complete"]) == (50, False)
    reasons = {holding["symbol"]: holding["reason"] for holding in mine["holdings"]}
    assert reasons == {"A": None, "B": None, "GONE": "missing_price", "BAD": "invalid"}
    assert mine["holdings"][0]["cost_basis"] == 900
    assert mine["stress"][0]["coverage"] == 1
    assert mine["stress"][-1]["coverage"] is None


def test_its_price_issues_have_the_members_of_today() -> None:
    jump, _ = report_of_today(deepcopy(REPORT))["data_quality"]["price_issues"]

    assert jump.keys() == {member.name for member in SymbolIssue.__dataclass_fields__.values()}
    assert (jump["kind"], jump["date"], jump["count"], jump["days"]) == ("jump", "2019-07-30", 1, None)
    assert issue_of_today(jump) == jump


@pytest.mark.parametrize(("status", "reason"), [("skipped", "non_positive_value"), ("failed", "invalid_account")])
def test_a_report_without_any_section_stays_without(status: str, reason: str) -> None:
    sections = ("valuation", "performance", "risk", "diversification", "stress", "order_plan", "data_quality")
    empty = dict.fromkeys(sections) | {"holdings": [], "checks": [], "decisions": []}

    mine = report_of_today(deepcopy(REPORT) | empty | {"status": status, "reason": reason})

    assert {mine[name] for name in sections} == {None}
    assert mine["reasons"] == dict.fromkeys((*sections, "returns", "income"), reason)
    assert (mine["holdings"], mine["decisions"]) == ([], [])


def test_a_report_of_today_is_served_as_it_is() -> None:
    today = of_today()

    assert report_of_today(today) is today


def test_a_stored_report_and_its_summary_are_read_in_the_form_of_today(database: DocumentDatabase) -> None:
    database["portfolio_analyses"].insert_one(deepcopy(REPORT))
    database["portfolio_summaries"].insert_one(deepcopy(SUMMARY))
    store = ReportStore(database, ResearchStore(database))

    served = store.get("run", "old")
    rankings = rankings_of(store.lines("run"))
    (listed,) = page_of(rankings, limit=2, wanted=Wanted(), sort="user_id", descending=False, after=None)

    assert served == report_of_today(deepcopy(REPORT))
    assert isinstance(listed, Summary)
    assert (listed.breaches, listed.unknowns, listed.complete) == (4, 0, None)


def test_every_query_for_runs_reads_a_stored_run_in_the_form_of_today(database: DocumentDatabase) -> None:
    database["portfolio_analysis_runs"].insert_one(deepcopy(RUN))
    store = RunStore(database)
    later = RUN["completed_at"] + timedelta(days=1)

    run = store.get(RUN["run_id"])
    assert run is not None
    jump, missing, no_volume, renamed = run.price_issues
    assert (jump.kind, jump.date, jump.count, jump.days) == ("jump", date(2019, 7, 30), 1, None)
    assert (missing.kind, no_volume.kind, renamed.kind) == ("missing_days", "no_volume", "renamed")
    assert (renamed.date, renamed.new_symbol) == (date(2025, 12, 1), "DD")
    assert [issue.text for issue in run.price_issues] == [issue["text"] for issue in RUN["price_issues"]]
    assert store.newest(1, None) == store.half_closed(later) == store.to_purge(later, 1) == [run]


def test_the_price_issues_of_a_stored_history_are_of_today(database: DocumentDatabase) -> None:
    issue = {"kind": "duplicate_days", "days": 2, "first": "2019-05-21", "new_symbol": None}
    bars = random_walk(weekdays(30), 1)
    store = PriceStore(database)
    store.save({"A": History("source", date(2019, 1, 1), date(2020, 1, 1), bars)})
    database["symbol_prices"].update_one({"symbol": "A"}, {"$set": {"issues": [issue]}})

    assert store.load(["A"])["A"].issues == (PriceIssue("duplicate_days", date(2019, 5, 21), count=2),)
