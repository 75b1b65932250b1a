"""The worked example of the documentation, recomputed from the numbers on the page."""

from datetime import date
from itertools import takewhile
from types import NoneType
from typing import get_args

import numpy as np
import pytest

from analysis import diversification, measures
from analysis.checks import RULES
from analysis.exposure import stand_for_all
from analysis.models import (
    Check,
    CurrencyExposure,
    DataQuality,
    Dates,
    Decision,
    Diversification,
    Floats,
    HoldingReport,
    Order,
    OrderPlan,
    Performance,
    Report,
    Research,
    Risk,
    Stress,
    Valuation,
)
from analysis.orders import SkipReason
from analysis.price_table import PriceTable
from analysis.prices import Bars
from analysis.stress import SCENARIOS
from analysis.valuation import value_positions
from records import PriceIssueKind
from tests.analysis.pages import DOCS, Page
from tests.builders import PortfolioBuilder, a_portfolio, a_research, a_table, analyze

PAGE = Page("analysis.md")


def numbers(rows: list[list[str]], first: int) -> Floats:
    return np.array([[float(cell) for cell in row[first:]] for row in rows])


PRICES = PAGE.table("day", "ALPHA", "BETA")
HOLDINGS = PAGE.table("holding", "quantity")
DAILY = PAGE.table("day", "return ALPHA")

RESULTS = PAGE.results("by hand")

DATES: Dates = np.array([date.fromisoformat(row[0]) for row in PRICES], dtype="datetime64[D]")
CLOSES = numbers(PRICES, 1)
RETURNS = CLOSES[1:] / CLOSES[:-1] - 1
OF_SHARES, BENCHMARK = RETURNS[:, :2], RETURNS[:, 2]
CASH = 181.50


def priced() -> PriceTable:
    alpha, beta, benchmark = (Bars(DATES, closes.copy(), closes.copy()) for closes in CLOSES.T)
    return a_table({"ALPHA": alpha, "BETA": beta}, benchmark)


def person() -> PortfolioBuilder:
    owner = a_portfolio().cash(CASH)
    for symbol, quantity, avg_price, *_ in HOLDINGS:
        owner = owner.holding(symbol, float(quantity), float(avg_price))
    return owner


def report(owner: PortfolioBuilder | None = None) -> Report:
    (found,) = analyze(priced(), owner or person())
    return found


WEIGHTS = np.array([[holding.weight for holding in report().holdings]], dtype=np.float64)
PORTFOLIO = OF_SHARES @ WEIGHTS.T


def figures() -> dict[str, float]:
    """Return the computed figure for every line of the table of results."""
    observations, mean = len(PORTFOLIO), PORTFOLIO.mean(axis=0)
    deviation, downside = (
        measures.standard_deviation(measures.centered(PORTFOLIO)),
        measures.downside_deviation(measures.shortfalls(PORTFOLIO)),
    )
    values = measures.values(PORTFOLIO)
    drawdown = measures.drawdowns(values)
    worst, beta = measures.worst_returns(PORTFOLIO), measures.beta(PORTFOLIO, BENCHMARK)
    standard_benchmark = measures.standardized(measures.centered(BENCHMARK[:, None]))[:, 0]
    deviations = measures.standard_deviation(measures.centered(OF_SHARES))[None]
    covariances = diversification.covariances(OF_SHARES.T[None], PORTFOLIO)
    noise = measures.noise_of(WEIGHTS)
    contributions = diversification.risk_contributions(WEIGHTS, covariances, deviation, noise)
    standard_returns = OF_SHARES @ diversification.per_deviation(WEIGHTS, deviations).T
    arrays = {
        "cumulative_return": measures.cumulative_return(values),
        "cagr": measures.cagr(values),
        "annual_volatility": measures.annualized(deviation),
        "downside_deviation": measures.annualized(downside),
        "sharpe_ratio": measures.sharpe_ratio(mean, deviation),
        "sortino_ratio": measures.sortino_ratio(mean, downside),
        "omega_ratio": measures.omega_ratio(PORTFOLIO, measures.shortfalls(PORTFOLIO)),
        "max_drawdown": measures.max_drawdown(drawdown),
        "current_drawdown": measures.current_drawdown(drawdown),
        "value_at_risk_95": measures.value_at_risk(worst, observations, 0.05),
        "conditional_value_at_risk_95": measures.conditional_value_at_risk(worst, observations, 0.05),
        "beta": beta,
        "correlation_to_benchmark": measures.correlation(
            measures.standardized(measures.centered(PORTFOLIO)), standard_benchmark
        ),
        "risk_contribution of ALPHA": contributions[:, 0],
        "risk_contribution of BETA": contributions[:, 1],
        "diversification_ratio": diversification.diversification_ratio(WEIGHTS, deviations, deviation, noise),
        "average_correlation": diversification.average_correlation(standard_returns, WEIGHTS),
        "worst_day": PORTFOLIO.min(axis=0),
        "market_-10": beta * -0.10,
    }
    return {name: float(figure[0]) for name, figure in arrays.items()} | valued()


def valued() -> dict[str, float]:
    found = report()
    assert found.valuation
    assert found.diversification
    names = ("market_value", "unrealized_pl", "unrealized_pl_pct", "day_change")
    spread = ("herfindahl_index", "effective_holdings")
    return {name: getattr(found.valuation, name) for name in names} | {
        name: getattr(found.diversification, name) for name in spread
    }


@pytest.mark.parametrize("line", RESULTS)
def test_a_result_of_the_worked_example_is_what_the_code_computes(line: str) -> None:
    assert figures()[line] == pytest.approx(RESULTS[line], abs=5e-7)


def test_the_worked_example_leaves_no_figure_out() -> None:
    assert RESULTS.keys() == figures().keys()


def test_the_example_of_a_holding_without_a_price_is_what_the_code_computes() -> None:
    owner = person().holding("GAMMA", 30, 18.15)
    found = report(owner)
    assert found.valuation
    positions, totals = value_positions([owner.build()], priced(), {}, frozenset())
    with np.errstate(invalid="ignore"):  # as in the analysis: there are no shorts to scale
        standing = stand_for_all(positions.column >= 0, positions, totals)
    weights = standing.weight[None, :2]
    checks = {check.rule: check.value for check in found.checks}

    assert PAGE.results("with GAMMA, by hand") == pytest.approx(
        {
            "unpriced_cost": found.valuation.unpriced_cost,
            "market_value": found.valuation.market_value,
            "weight of ALPHA": found.holdings[0].weight,
            "weight of ALPHA in the backtest": standing.weight[0],
            "weight of BETA in the backtest": standing.weight[1],
            "weight of cash in the backtest": standing.cash[0],
            "coverage": standing.coverage[0],
            "annual_volatility": measures.annual_volatility(OF_SHARES @ weights.T)[0],
            **{f"check {rule}": checks[rule] for rule in ("largest_position", "effective_holdings", "cash_share")},
        },
        abs=5e-7,
    )
    assert not found.valuation.complete
    assert found.order_plan
    assert found.order_plan.reason == "incomplete_valuation"
    assert [decision.decision for decision in found.decisions] == ["HOLD"] * 3


def test_the_example_of_a_split_is_what_the_code_computes() -> None:
    rows = PAGE.table("day", "close", "adjusted close")
    closes, adjusted = numbers(rows, 1).T
    dates: Dates = np.array([row[0] for row in rows], dtype="datetime64[D]")
    alpha, benchmark = Bars(dates, closes, adjusted), Bars(DATES, CLOSES[:, 2], CLOSES[:, 2])
    owner = a_portfolio().holding("ALPHA", 20)
    days = (dates[-1], dates[-2])
    (now,), (before,) = (analyze(a_table({"ALPHA": alpha}, benchmark, as_of=day.item()), owner) for day in days)
    assert now.valuation
    assert now.data_quality
    assert before.valuation

    assert PAGE.results("around the split, by hand") == pytest.approx(
        {
            "market_value": now.valuation.market_value,
            "day_change": now.valuation.day_change,
            "day_change_pct": now.valuation.day_change_pct,
            "price as of the day before": before.holdings[0].price,
            "market_value as of the day before": before.valuation.market_value,
        },
        abs=5e-7,
    )
    told = [(issue.kind, issue.ratio) for issue in now.data_quality.price_issues if issue.symbol == "ALPHA"]
    assert told == [("split", "2:1")]


def test_the_values_and_weights_of_the_worked_example_are_what_the_code_computes() -> None:
    valued_holdings = [(holding.market_value, holding.weight) for holding in report().holdings]
    assert valued_holdings == [pytest.approx(row) for row in numbers(HOLDINGS, 3).tolist()]


def test_the_days_of_the_worked_example_are_what_the_code_computes() -> None:
    values = np.cumprod(1 + PORTFOLIO, axis=0)
    days = np.hstack([OF_SHARES, PORTFOLIO, values, measures.drawdowns(measures.values(PORTFOLIO))[1:]])
    assert days == pytest.approx(numbers(DAILY, 1), abs=1e-12)


def test_every_figure_of_a_report_is_explained() -> None:
    records = (Valuation, HoldingReport, CurrencyExposure, Performance, Risk, Diversification, Research, Stress)
    others = (Check, Decision, Order, OrderPlan, DataQuality)
    described = {name.rstrip("_") for record in (*records, *others) for name in record.__struct_fields__}
    # What a reader knows without an explanation.
    described -= {"symbol", "side", "shares", "rule", "status", "decision", "scenario", "orders", "as_of"}
    # The figures of one row share the beginning of its name: `value_at_risk_95`, `_99`.
    endings = {name: f"_{name.rsplit('_', 1)[-1]}" for name in described}
    unexplained = [name for name in described if not (PAGE.explains(name) or PAGE.explains(endings[name]))]
    assert unexplained == []


def test_every_kind_of_price_issue_is_explained() -> None:
    page = (DOCS / "data.md").read_text().split("\n## Price issues\n")[1].split("\n## ")[0]
    rows = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `")]
    explained = {kind for kind in get_args(PriceIssueKind.__value__) if any(f"`{kind}`" in row for row in rows)}
    assert explained == set(get_args(PriceIssueKind.__value__))


def test_the_thresholds_of_the_checks_are_those_of_the_code() -> None:
    written = {rule.strip("`"): (warning, breach) for rule, _, warning, breach in PAGE.table("rule", "figure")}
    assert written.keys() == {rule.name for rule in RULES}
    for rule in RULES:
        warning, breach = map(float, written[rule.name])
        assert (warning, breach) == (rule.warning, rule.breach)


def test_every_figure_that_may_be_null_is_explained() -> None:
    records = (Valuation, HoldingReport, Performance, Risk, Diversification)
    nullable = {name for of in records for name, kind in of.__annotations__.items() if NoneType in get_args(kind)}
    nullable |= {scenario for scenario in SCENARIOS if scenario not in ("worst_day", *nullable)}

    # Figures defined for every series of returns are null only after an overflow.
    always = {"gaussian_value_at_risk_95", "downside_deviation", "tracking_error"}

    explained = PAGE.section("When a figure is null")
    assert {name for name in nullable if f"`{name}`" not in explained} == always


def test_every_reason_to_skip_an_order_is_explained() -> None:
    assert {
        reason for reason in get_args(SkipReason.__value__) if f"`{reason}`" not in PAGE.section("Order plan")
    } == set()


@pytest.mark.parametrize(
    ("what", "quantity", "score", "decision"),
    [
        ("a long position", 10, -0.5, "SELL"),
        ("a long position", 10, 0.5, "BUY"),
        ("a short position", -10, 0.5, "BUY, to cover"),
        ("a short position", -10, -0.5, None),
        ("a watched symbol", 0, 0.5, "BUY"),
        ("a watched symbol", 0, -0.5, None),
    ],
)
def test_the_scores_of_the_table_of_decisions_are_those_of_the_code(
    what: str, quantity: float, score: float, decision: str | None
) -> None:
    rows = PAGE.table("what", "when")
    start = next(i for i, row in enumerate(rows) if row[0] == what)
    own = [rows[start], *takewhile(lambda row: not row[0], rows[start + 1 :])]
    written = {row[1].removesuffix(" and weight < w"): row[2:] for row in own}
    owner = a_portfolio().watching("ALPHA").cash(1e6)
    owner = owner.holding("ALPHA", quantity) if quantity else owner

    (found,) = analyze(priced(), owner, research=[a_research("ALPHA", score)])

    (decided,) = found.decisions
    row = written.get(f"score {'<=' if score < 0 else '>='} {score:g}")
    assert (row[0] if row else None) == decision
    assert decided.decision == (decision or "HOLD").split(",")[0]
    assert f"{decided.position_size_percent:g}" == (row[1].split()[0] if row else "0")
