"""The reports of a page of portfolios: all are valued, then measured, then written one by one."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Any

import numpy as np

from analysis.advice import Adviser, plan_orders
from analysis.checks import check_portfolio
from analysis.measures import CANCELED, optional, optional_rows
from analysis.models import (
    Booleans,
    Check,
    DataQuality,
    Decision,
    Diversification,
    HoldingReport,
    OrderPlan,
    Portfolio,
    Report,
    Research,
    Stress,
    Valuation,
)
from analysis.notes import Explainer
from analysis.returns import PriceTable
from analysis.stress import SCENARIOS
from analysis.valuation import MIN_COVERAGE, Exposure, Positions, Totals, expose, largest_by, value_positions
from analysis.windows import PageFigures, measure_page
from records import SymbolIssue

_CURRENCY = "USD"
_SKIPPED = ("non_finite_value", "non_positive_value")


# An undefined figure is NaN in the arrays and None in the reports; numpy need not warn of it.
@np.errstate(all="ignore")
def analyze_portfolios(
    portfolios: Sequence[Portfolio],
    table: PriceTable,
    adviser: Adviser,
    run_id: str,
    risk_free_rate: float,
) -> list[Report]:
    """Return one report for each of ``portfolios`` as of the table's date, in the same order.

    ``adviser`` may lack some symbols; ``risk_free_rate`` is annual. An error in one portfolio changes nothing in the
    report of another.
    """
    positions, totals = value_positions(portfolios, table)
    exposure = expose(positions, totals, table)
    reasons = _reasons(positions, totals, exposure)
    measurable = np.array([reason is None for reason in reasons], dtype=np.bool_)
    figures = measure_page(positions, exposure, measurable, table, risk_free_rate)
    valuations, diversifications = _valuations(totals), _diversifications(totals, figures)
    holdings = _holdings(portfolios, positions, totals, figures, table)
    stresses = _stresses(totals, figures, measurable)
    notes = _notes(
        Explainer(table, adviser.research),
        reasons,
        *(valuations, holdings, figures.performance, figures.risk, diversifications, stresses),
    )
    decisions = _decisions(portfolios, reasons, holdings, adviser)
    rows = zip(
        portfolios,
        reasons,
        valuations,
        holdings,
        figures.performance,
        figures.risk,
        diversifications,
        stresses,
        _checks(portfolios, positions, totals, exposure, figures, diversifications, reasons),
        decisions,
        _order_plans(portfolios, decisions, table, adviser.research),
        _data_qualities(portfolios, positions, exposure, table, notes),
        strict=True,
    )
    return [_report(run_id, table.as_of, *row) for row in rows]


def _report(
    run_id: str,
    as_of: date,
    portfolio: Portfolio,
    reason: str | None,
    *parts: Any,  # noqa: ANN401 - the members of a report from the valuation on, in order
) -> Report:
    if reason in _SKIPPED:
        return Report(run_id, portfolio.user_id, as_of, _CURRENCY, "skipped", reason, data_quality=parts[-1])
    return Report(run_id, portfolio.user_id, as_of, _CURRENCY, "analyzed", reason, *parts)


def _reasons(positions: Positions, totals: Totals, exposure: Exposure) -> list[str | None]:
    """Return the reason why each portfolio is skipped or has no return-based figures; ``None`` if it has them."""
    missing = np.bincount(positions.owner[positions.column < 0], minlength=len(totals.cash)) > 0
    valued = totals.gross_value > 0
    # Weights relative to the rounding error of a total that cancels out would be absurd.
    rounding = CANCELED * (totals.gross_value + np.abs(totals.cash))
    rules = (
        (~totals.finite, "non_finite_value"),
        (~(totals.total_value > rounding), "non_positive_value"),
        (~valued & missing, "no_prices"),
        (~valued, "no_holdings"),
        (~(1 - exposure.excluded_share >= MIN_COVERAGE), "low_coverage"),
        (~exposure.balanced, "undefined_weights"),
    )
    named = np.select([applies for applies, _ in rules], [reason for _, reason in rules], "")
    return [reason or None for reason in named.tolist()]


def _valuations(totals: Totals) -> list[Valuation]:
    rows = zip(
        totals.market_value.tolist(),
        totals.cash.tolist(),
        totals.cost_basis.tolist(),
        totals.unrealized_pl.tolist(),
        optional(totals.unrealized_pl_pct),
        optional(totals.day_change),
        optional(totals.day_change_pct),
        strict=True,
    )
    return [Valuation(*row) for row in rows]


def _holdings(
    portfolios: Sequence[Portfolio],
    positions: Positions,
    totals: Totals,
    figures: PageFigures,
    table: PriceTable,
) -> list[tuple[HoldingReport, ...]]:
    owned = [holding for portfolio in portfolios for holding in portfolio.holdings]
    market_value, weight, profit, profit_pct, risk_contribution = optional_rows(
        [
            positions.market_value,
            positions.market_value / totals.total_value[positions.owner],
            positions.unrealized_pl,
            positions.unrealized_pl_pct,
            figures.risk_contribution,
        ]
    )
    # Column -1, a symbol without any price, gets the None at the end.
    price, price_date, *of_symbol = table.reported[:, positions.column].tolist()
    rows = map(
        HoldingReport,
        [holding.symbol for holding in owned],
        [holding.quantity for holding in owned],
        [holding.avg_price for holding in owned],
        price,
        price_date,
        market_value,
        weight,
        profit,
        profit_pct,
        *of_symbol,
        risk_contribution,
    )
    return [tuple(islice(rows, len(portfolio.holdings))) for portfolio in portfolios]


def _diversifications(totals: Totals, figures: PageFigures) -> list[Diversification]:
    rows = zip(
        optional(totals.herfindahl_index),
        optional(1 / totals.herfindahl_index),
        optional(totals.largest_value / totals.total_value),
        optional(figures.diversification_ratio),
        optional(figures.average_correlation),
        strict=True,
    )
    return [Diversification(*row) for row in rows]


def _stresses(totals: Totals, figures: PageFigures, measurable: Booleans) -> list[tuple[Stress, ...] | None]:
    returns, losses = optional_rows(figures.stress), optional_rows(figures.stress * totals.total_value)
    rows = zip(measurable.tolist(), zip(*returns, strict=True), zip(*losses, strict=True), strict=True)
    return [tuple(map(Stress, SCENARIOS, *own)) if measured else None for measured, *own in rows]


def _checks(
    portfolios: Sequence[Portfolio],
    positions: Positions,
    totals: Totals,
    exposure: Exposure,
    figures: PageFigures,
    diversifications: Sequence[Diversification],
    reasons: Sequence[str | None],
) -> list[tuple[Check, ...]]:
    largest_contribution = largest_by(positions.owner, figures.risk_contribution, len(portfolios))
    rows = zip(
        portfolios,
        diversifications,
        figures.risk,
        optional(largest_contribution),
        optional(totals.cash / totals.total_value),
        optional(exposure.excluded_share),
        reasons,
        strict=True,
    )
    checks = []
    for portfolio, diversification, risk, contribution, cash_share, excluded_share, reason in rows:
        beta = risk.beta if risk else None
        values = {
            "largest_position": diversification.largest_weight,
            "effective_holdings": diversification.effective_holdings,
            "risk_concentration": contribution,
            "volatility": risk.annual_volatility if risk else None,
            "drawdown": risk.current_drawdown if risk else None,
            "value_at_risk": risk.value_at_risk_95 if risk else None,
            "beta": None if beta is None else abs(beta),
            "correlation": diversification.average_correlation,
            "cash_share": cash_share,
            "price_coverage": excluded_share,
        }
        checks.append(check_portfolio(values, portfolio.thresholds, reason))
    return checks


def _decisions(
    portfolios: Sequence[Portfolio],
    reasons: Sequence[str | None],
    holdings: Sequence[tuple[HoldingReport, ...]],
    adviser: Adviser,
) -> list[tuple[Decision, ...]]:
    return [
        () if reason in _SKIPPED else adviser.decide(portfolio, valued)
        for portfolio, reason, valued in zip(portfolios, reasons, holdings, strict=True)
    ]


def _order_plans(
    portfolios: Sequence[Portfolio],
    decisions: Sequence[tuple[Decision, ...]],
    table: PriceTable,
    research: Mapping[str, Research],
) -> list[OrderPlan]:
    return [
        plan_orders(portfolio, decided, table.figures, research)
        for portfolio, decided in zip(portfolios, decisions, strict=True)
    ]


def _notes(explainer: Explainer, reasons: Sequence[str | None], *parts: Sequence[Any]) -> list[tuple[str, ...]]:
    rows = zip(reasons, *parts, strict=True)
    return [() if reason in _SKIPPED else explainer.notes(*row) for reason, *row in rows]


def _issues(portfolio: Portfolio, table: PriceTable) -> tuple[SymbolIssue, ...]:
    symbols = dict.fromkeys([*(holding.symbol for holding in portfolio.holdings), *portfolio.watchlist])
    return tuple(issue for symbol in symbols for issue in table.issues.get(symbol, ()))


def _data_qualities(
    portfolios: Sequence[Portfolio],
    positions: Positions,
    exposure: Exposure,
    table: PriceTable,
    notes: Sequence[tuple[str, ...]],
) -> list[DataQuality]:
    symbols = [holding.symbol for portfolio in portfolios for holding in portfolio.holdings]
    flagged: dict[tuple[int, str], tuple[str, ...]] = {}
    # Column -1, a symbol without any price, gets the False at the end.
    excluded = ~np.append(table.included, False)[positions.column]
    for row in np.flatnonzero(excluded).tolist():
        owner, figures = int(positions.owner[row]), table.figures.get(symbols[row])
        history = figures.history if figures else "missing"
        flagged[owner, history] = (*flagged.get((owner, history), ()), symbols[row])
    rows = zip(portfolios, optional(1 - exposure.excluded_share), notes, strict=True)
    return [
        DataQuality(
            coverage,
            missing_symbols=flagged.get((owner, "missing"), ()),
            stale_symbols=flagged.get((owner, "stale"), ()),
            short_history_symbols=flagged.get((owner, "short"), ()),
            invalid_holdings=portfolio.invalid_holdings,
            price_issues=_issues(portfolio, table) if table.issues else (),
            notes=own_notes,
        )
        for owner, (portfolio, coverage, own_notes) in enumerate(rows)
    ]
