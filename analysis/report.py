"""The reports of a page of portfolios: all are valued, then measured, then written one by one."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from analysis.checks import check_portfolio
from analysis.decisions import Adviser
from analysis.measures import CANCELED, optional, optional_rows
from analysis.models import (
    Booleans,
    Check,
    DataQuality,
    Diversification,
    HoldingReport,
    Portfolio,
    Report,
    Stress,
    Valuation,
)
from analysis.notes import Explainer
from analysis.orders import plan_orders
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
    portfolios: Sequence[Portfolio], table: PriceTable, adviser: Adviser, run_id: str, risk_free_rate: float
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
    diversifications = _diversifications(totals, figures)
    explainer = Explainer(table, adviser.research)
    reports = []
    for portfolio, reason, checks, quality, valuation, holdings, *measured in zip(
        portfolios,
        reasons,
        _checks(portfolios, positions, totals, exposure, figures, diversifications, reasons),
        _data_qualities(portfolios, positions, exposure, table),
        _valuations(totals),
        _holdings(portfolios, positions, totals, figures, table),
        figures.performance,
        figures.risk,
        diversifications,
        _stresses(totals, figures, measurable),
        strict=True,
    ):
        common = (run_id, portfolio.user_id, table.as_of, _CURRENCY)
        if reason in _SKIPPED:
            reports.append(Report(*common, "skipped", reason, data_quality=quality))
            continue
        decisions = adviser.decide(portfolio, holdings)
        plan = plan_orders(portfolio, decisions, table.figures, adviser.research)
        explained = replace(quality, notes=explainer.notes(valuation, holdings, *measured))
        parts = (valuation, holdings, *measured, checks, decisions, plan, explained)
        reports.append(Report(*common, "analyzed", reason, *parts))
    return reports


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


def _issues(portfolio: Portfolio, table: PriceTable) -> tuple[SymbolIssue, ...]:
    symbols = dict.fromkeys([*(holding.symbol for holding in portfolio.holdings), *portfolio.watchlist])
    return tuple(issue for symbol in symbols for issue in table.issues.get(symbol, ()))


def _data_qualities(
    portfolios: Sequence[Portfolio], positions: Positions, exposure: Exposure, table: PriceTable
) -> list[DataQuality]:
    """Return the quality of the data of each portfolio, without the notes."""
    symbols = [holding.symbol for portfolio in portfolios for holding in portfolio.holdings]
    flagged: dict[tuple[int, str], tuple[str, ...]] = {}
    # Column -1, a symbol without any price, gets the False at the end.
    excluded = ~np.append(table.included, False)[positions.column]
    for row in np.flatnonzero(excluded).tolist():
        owner, figures = int(positions.owner[row]), table.figures.get(symbols[row])
        history = figures.history if figures else "missing"
        flagged[owner, history] = (*flagged.get((owner, history), ()), symbols[row])
    rows = zip(portfolios, optional(1 - exposure.excluded_share), strict=True)
    return [
        DataQuality(
            coverage,
            missing_symbols=flagged.get((owner, "missing"), ()),
            stale_symbols=flagged.get((owner, "stale"), ()),
            short_history_symbols=flagged.get((owner, "short"), ()),
            invalid_holdings=portfolio.invalid_holdings,
            price_issues=_issues(portfolio, table) if table.issues else (),
        )
        for owner, (portfolio, coverage) in enumerate(rows)
    ]
