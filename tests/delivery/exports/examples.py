"""Reports to export: made by the analysis, with earnings as the ledger's part would add them."""

from copy import replace
from datetime import date
from typing import Any

from analysis.models import (
    Contribution,
    Income,
    MonthlyIncome,
    Report,
    ReturnPeriod,
    Returns,
    ReturnsIssue,
    SymbolIncome,
)
from tests.analysis.market import BENCHMARK, SYMBOLS, TABLE, only
from tests.builders import a_portfolio, analyze, document_of, research_on

NAME = "Żółć Άλέξης Жуков 山田太郎 김철수"
FORMULA = '=HYPERLINK("http://example.com")'


def a_report(user_id: str = NAME) -> dict[str, Any]:
    """Return a report with every section."""
    research = research_on(SYMBOLS, BENCHMARK)
    builder = a_portfolio(user_id).holding("A", 10.5).holding("B", 3000).holding("C", -2).holding("STALE", 1)
    builder = builder.holding(FORMULA, 7, 12.5).watching("YOUNG")
    report = only(analyze(TABLE, builder, research=research))
    return document_of(replace(report, returns=_returns(report), income=_INCOME, reasons={}), research)


def with_many_holdings(number: int) -> dict[str, Any]:
    """Return a report of so many holdings."""
    report = a_report()
    first, *_ = report["holdings"]
    report["holdings"] = [first | {"symbol": f"S{place:05}", "weight": 1 / number} for place in range(number)]
    return report


def _returns(report: Report) -> Returns:
    period = ReturnPeriod(
        "since", date(2020, 2, 29), report.as_of, twr=0.12345, twr_annualized=0.02005, mwr=-0.031, start_value=0.0,
        end_value=123_456.789, net_flows=-999.995, price_gain=1.005, income=12.5, fees=3.25, taxes=0.0, fx_gain=-0.001,
        residual=0.0,
    )  # fmt: skip
    return Returns(
        basis="account",
        since=date(2020, 2, 29),
        current_drawdown=-0.01,
        periods=(ReturnPeriod("1y", None, report.as_of, reason="ledger_begins_later"), period),
        contributions=(Contribution("since", "A", 12.0, 0.5, 0.01), Contribution("since", None, 12.0, 0.5, None)),
        issues=(ReturnsIssue(None, "unknown_type", "An entry of the type '+x' is not known."),),
        notes=("Cash counts.",),
    )


_INCOME = Income(
    "transactions", 12.5, (MonthlyIncome("2026-11", 12.5),), (SymbolIncome("A", 12.5, 0.01, None),), 0.01, None, 13.0
)
