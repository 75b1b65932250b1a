"""Every null of a report is explained in it: by its reason, by the lists of its data quality, or by a note."""

from collections.abc import Iterator

import bson
import pytest
from hypothesis import given, settings

from analysis.models import Portfolio, Report, Research
from analysis.price_table import PriceTable
from analysis.report import analyze_portfolios
from stores.mongo import Document
from tests.analysis import test_invariants as invariants
from tests.analysis.market import BENCHMARK, DAYS, EVEN_TABLE, SYMBOLS, TABLE, only
from tests.builders import (
    PortfolioBuilder,
    a_portfolio,
    a_table,
    analyze,
    bars,
    document_of,
    random_walk,
    research_on,
    weekdays,
    with_range,
    without,
)

NEW = without(random_walk(DAYS, 21), slice(0, len(DAYS) - 1))
ALL = {**SYMBOLS, "NEW": NEW, "RANGE": with_range(random_walk(DAYS, 22), 23)}
MOVING = {symbol: random_walk(DAYS, 24) for symbol in ("MOVING", "STEADY")}
RESEARCH = {found.symbol: found for found in research_on(ALL | MOVING, BENCHMARK)}
FLAT_BENCHMARK = a_table(ALL, bars(DAYS, 100.0))
THIS_YEAR = a_table({"A": without(SYMBOLS["A"], slice(0, len(DAYS) - 70))}, BENCHMARK)

OF_COST = ("avg_price", "cost_basis", "unrealized_pl", "unrealized_pl_pct")
REST_ON_RETURNS = (
    "holdings.risk_contribution",
    *("diversification.diversification_ratio", "diversification.average_correlation"),
)
REST_ON_VALUES = ("valuation.",)
RUIN = "nothing compounds once a day lost more than everything, or gained beyond what a number can hold."


def nulls(document: Document, path: str = "") -> Iterator[str]:
    """Yield the paths of the nulls in a document, without list indexes."""
    for name, value in document.items():
        if value is None:
            yield f"{path}{name}"
        elif isinstance(value, dict):
            yield from nulls(value, f"{path}{name}.")


def nulls_of(report: Report, research: dict[str, Research]) -> Iterator[str]:
    document = bson.decode(bson.encode(document_of(report, research.values())))
    yield from nulls(
        {part: document[part] for part in ("valuation", "performance", "risk", "diversification", "stress")}
    )
    yield from (f"stress.{entry['scenario']}" for entry in document["stress"] or () if entry["return"] is None)
    quality = document["data_quality"]
    flagged = {*quality["missing_symbols"], *quality["stale_symbols"], *quality["short_history_symbols"]}
    for holding in document["holdings"]:
        own = {"research": holding["research"]} if holding["symbol"] in flagged else holding
        if holding["symbol"] in quality["young_symbols"]:
            own = {name: value for name, value in own.items() if name != "risk_contribution"}
        if holding["symbol"] in quality["unknown_cost_symbols"]:
            own = {name: value for name, value in own.items() if name not in OF_COST}
        if holding["reason"] is None:
            yield from (path for path in nulls(own, "holdings.") if path != "holdings.reason")


def unexplained(report: Report, research: dict[str, Research]) -> set[str]:
    assert report.data_quality is not None
    found = set(nulls_of(report, research))
    if report.risk and report.risk.max_drawdown:
        found.discard("risk.max_drawdown_recovery")  # it has not recovered
    if report.risk and report.risk.max_drawdown_peak is None:
        found.discard("risk.max_drawdown_recovery")  # without a fall there is none from it
    # What a person earned has reasons of its own.
    reasons = {section: why for section, why in report.reasons.items() if section not in ("returns", "income")}
    assert set(reasons.values()) <= {report.reason}
    found -= set(report.reasons)
    if report.reason is not None:
        found = {path for path in found if not path.startswith(REST_ON_RETURNS)}
    if report.reasons.get("diversification") in ("incomplete_valuation", "no_prices"):
        found.discard("holdings.weight")  # there is nothing to relate it to
    if report.reason in ("no_holdings", "no_prices"):
        found = {path for path in found if not path.startswith(REST_ON_VALUES)}
    named = {name for note in report.data_quality.notes for name in note[3:].split(":")[0].split(" of ")[0].split(", ")}
    return found - named


CASES: dict[str, tuple[PriceTable, PortfolioBuilder]] = {
    "ordinary": (TABLE, a_portfolio().holding("A", 10).holding("B", 5).cash(100)),
    "nothing held": (TABLE, a_portfolio().cash(5)),
    "nothing priced": (TABLE, a_portfolio().holding("NONE", 5).cash(5)),
    "low coverage": (TABLE, a_portfolio().holding("A", 1).holding("STALE", 1000)),
    "young": (TABLE, a_portfolio().holding("YOUNG", 10).holding("SHORT", 1)),
    "younger than a quarter": (THIS_YEAR, a_portfolio().holding("A", 10)),
    "never moving": (TABLE, a_portfolio().holding("FLAT", 10).holding("OTHER FLAT", 3)),
    "hedged": (TABLE, a_portfolio().holding("A", 10).holding("A", -10).cash(500)),
    "ruined": (EVEN_TABLE, a_portfolio().holding("MOVING", 100).holding("STEADY", -99)),
    "flat benchmark": (FLAT_BENCHMARK, a_portfolio().holding("A", 10).holding("RANGE", 10)),
    "new": (FLAT_BENCHMARK, a_portfolio().holding("NEW", 10).cash(5)),
    "small side": (TABLE, a_portfolio().holding("A", 100).holding("B", -1).holding("SHORT", -3).cash(900)),
    "gifts": (TABLE, a_portfolio().holding("A", 10, 0.0).holding("B", 5, None).cash(100)),
    "costs unknown": (TABLE, a_portfolio().holding("A", 10, None)),
    "no total": (TABLE, a_portfolio().holding("A", 1).holding("NONE", 100).cash(-5000)),
    "unknown size in debt": (TABLE, a_portfolio().holding("A", 100).holding("NONE", 1, None).cash(-5)),
    "paid as much as got": (TABLE, a_portfolio().holding("A", 10, 1.0).holding("B", -10, 1.0).cash(5000)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_null_of_a_report_is_explained_in_it(case: str) -> None:
    table, portfolio = CASES[case]

    report = only(analyze(table, portfolio, research=RESEARCH.values()))

    assert report.status == "analyzed"
    assert unexplained(report, RESEARCH) == set()


@settings(deadline=None, max_examples=60)
@given(invariants.pages)
def test_every_null_of_any_report_is_explained_in_it(page: list[Portfolio]) -> None:
    for report in analyze_portfolios(page, invariants.TABLE, invariants.ADVISER, {}, "run", 0.01):
        assert report.status == "skipped" or unexplained(report, dict(invariants.ADVISER.research)) == set()


def notes(case: str) -> dict[str, str]:
    """Return the cause of each figure that a note names."""
    table, portfolio = CASES[case]
    quality = only(analyze(table, portfolio, research=RESEARCH.values())).data_quality
    assert quality is not None
    parts = [note.removeprefix("No ").split(": ") for note in quality.notes if note.startswith("No ")]
    return {name: why for names, why in parts for name in names.split(", ")}


@pytest.mark.parametrize(
    ("case", "figure", "why"),
    [
        ("ordinary", "stress.global_financial_crisis", "the prices of too large a part do not reach back that far."),
        ("ordinary", "holdings.research.atr_14", "the highs and lows, or as many closes, are not known."),
        ("young", "holdings.research.score", "there are not as many closes, or they do not vary."),
        ("younger than a quarter", "performance.return_252d", "there are not as many returns."),
        ("younger than a quarter", "performance.return_ytd", "there are not as many returns."),
        ("younger than a quarter", "holdings.return_252d", "there are not as many returns."),
        ("never moving", "risk.sharpe_ratio", "the returns do not vary."),
        ("never moving", "risk.correlation_to_benchmark", "the returns do not vary."),
        ("never moving", "risk.calmar_ratio", "the value never fell."),
        ("never moving", "risk.omega_ratio", "no return is below the risk-free rate."),
        ("hedged", "holdings.risk_contribution", "the holdings have no risk, or their risks cancel out."),
        ("ruined", "risk.calmar_ratio", RUIN),
        ("ruined", "performance.return_252d", RUIN),
        ("ruined", "performance.return_ytd", RUIN),
        ("flat benchmark", "risk.beta", "the benchmark does not vary."),
        ("flat benchmark", "risk.correlation_to_benchmark", "the benchmark does not vary."),
        ("flat benchmark", "risk.alpha", "the benchmark does not vary."),
        ("flat benchmark", "holdings.beta", "the benchmark does not vary."),
        ("flat benchmark", "stress.market_-20", "the benchmark does not vary."),
        ("new", "valuation.day_change_pct", "no holding has a change of its last day."),
        ("paid as much as got", "valuation.unrealized_pl_pct", "there is no cost to relate it to."),
        (
            *("small side", "holdings.risk_contribution of B"),
            "their side is at most 5% of the gross value, too little of it has enough history, and it counts as cash.",
        ),
        ("gifts", "holdings.unrealized_pl_pct", "there is no cost to relate it to."),
        ("costs unknown", "valuation.unrealized_pl", "the cost of no holding with a price is known."),
        ("costs unknown", "valuation.unrealized_pl_pct", "the cost of no holding with a price is known."),
        ("younger than a quarter", "performance.cagr", "there are fewer than 252 returns."),
        ("younger than a quarter", "risk.value_at_risk_95", "there are fewer than 125 returns."),
    ],
)
def test_a_note_contains_the_cause(case: str, figure: str, why: str) -> None:
    assert notes(case)[figure] == why


def test_a_note_names_all_figures_of_one_cause_and_each_figure_once() -> None:
    table, portfolio = CASES["never moving"]

    quality = only(analyze(table, portfolio, research=RESEARCH.values())).data_quality

    assert quality is not None
    causes = [note for note in quality.notes if note.startswith("No ")]
    assert len({note.split(": ")[1] for note in causes}) == len(causes)
    names = [name for note in causes for name in note.removeprefix("No ").split(": ")[0].split(", ")]
    assert len(set(names)) == len(names)


def test_without_a_null_the_only_note_says_what_the_figures_are() -> None:
    days = weekdays(4200, "2007-01-01")
    # The price ends inside its swing, so there are levels on both sides.
    bars_of = {symbol: with_range(random_walk(days, seed), seed) for symbol, seed in (("A", 3), ("B", 5))}
    research = research_on(bars_of, random_walk(days, 1))

    report = only(
        analyze(
            a_table(bars_of, random_walk(days, 1)), a_portfolio().holding("A", 1).holding("B", 1), research=research
        )
    )

    assert report.data_quality is not None
    (note,) = report.data_quality.notes
    assert note.startswith("Hypothetical: ")


def test_a_skipped_report_has_its_reason_alone() -> None:
    report = only(analyze(TABLE, a_portfolio().holding("A", -5), research=RESEARCH.values()))

    assert report.data_quality is not None
    assert (report.reason, report.data_quality.notes) == ("non_positive_value", ())
