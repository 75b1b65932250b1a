"""The reports of a page of portfolios: all are valued, then measured, then written one by one."""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

from analysis.base_currency import with_cash_in
from analysis.checks import Judged, Limits, check_portfolio, limits_of
from analysis.currency_exposure import expose_currencies, foreign_shares
from analysis.decisions import Adviser, Situation
from analysis.earnings import WITHOUT_LEDGER, Earned, with_implied_incomes
from analysis.exposure import expose
from analysis.judging import Judgment, Verdict, judge, judged_values
from analysis.measures import optional, optional_rows
from analysis.models import (
    SECTIONS,
    CurrencyExposure,
    DataQuality,
    Diversification,
    HoldingReport,
    Instrument,
    InvalidHolding,
    Performance,
    Portfolio,
    Report,
    Risk,
    Stress,
    UnpricedReason,
    Valuation,
)
from analysis.orders import OrderPlanner
from analysis.price_table import PriceTable
from analysis.quality import Explainer, data_qualities
from analysis.stress import SCENARIOS
from analysis.valuation import Positions, Totals, diversified_funds, value_positions
from analysis.windows import PageFigures, measure_page
from records import Record

_MEASURED = ("performance", "risk", "diversification", "stress")


# An undefined figure is NaN in the arrays and None in the reports; numpy need not warn of it.
@np.errstate(all="ignore")
def analyze_portfolios(
    portfolios: Sequence[Portfolio],
    table: PriceTable,
    adviser: Adviser,
    instruments: Mapping[str, Instrument],
    run_id: str,
    risk_free_rate: float,
    earned: Sequence[Earned] = (),
) -> list[Report]:
    """Return one report for each of ``portfolios`` as of the table's date and in its currency, in the same order.

    ``adviser`` and ``instruments`` may lack some symbols; ``risk_free_rate`` is annual. ``earned`` is what the persons
    really earned, by default nothing that is known. An error in one portfolio changes nothing in the report of another.
    """
    portfolios = [with_cash_in(portfolio, table.base, table.as_of) for portfolio in portfolios]
    earned = earned or [WITHOUT_LEDGER] * len(portfolios)
    funds = diversified_funds(portfolios, table, instruments)
    positions, totals = value_positions(portfolios, table, instruments, funds, [own.costs for own in earned])
    earned = with_implied_incomes(earned, positions, table)
    exposure = expose(positions, totals, table)
    judgment = judge(positions, totals, exposure, newest=table.newest)
    currency_exposures = expose_currencies(portfolios, positions, table.base)
    figures = measure_page(positions, totals, exposure, judgment.measurable, table, risk_free_rate)
    columns = zip(
        _valuations(totals),
        _holdings(positions, totals, figures, judgment, table),
        currency_exposures,
        figures.performance,
        figures.risk,
        _diversifications(totals, figures, judgment),
        _stresses(totals, figures, judgment),
        earned,
        strict=True,
    )
    measured = [_Figures(*row) for row in columns]
    limits = [limits_of(portfolio.thresholds) for portfolio in portfolios]
    explainer = Explainer(table, adviser.unknown, {holding.symbol for holding in positions.holdings})
    notes = [
        (*portfolio.notes, *own.earned.notes, *doubts, *(() if verdict.skipped else own.notes(explainer)))
        for portfolio, (_, doubts), verdict, own in zip(portfolios, limits, judgment.verdicts, measured, strict=True)
    ]
    foreign = foreign_shares(portfolios, currency_exposures, table.base)
    drawdowns = [person.returns.current_drawdown if person.returns else None for person in earned]
    rows = zip(
        portfolios,
        judgment.verdicts,
        [own for own, _ in limits],
        judged_values(positions, totals, exposure, figures, judgment, foreign, drawdowns),
        totals.total_value.tolist(),
        measured,
        data_qualities(portfolios, positions, totals, exposure, judgment, table, notes),
        strict=True,
    )
    writer = _Writer(table, adviser, instruments, funds, run_id)
    return [
        writer.skipped(portfolio, verdict, quality)
        if verdict.skipped
        else writer.analyzed(portfolio, verdict, own_limits, judged, own, quality, total_value)
        for portfolio, verdict, own_limits, judged, total_value, own, quality in rows
    ]


class _Figures(Record, frozen=True):
    """The parts of a report that were computed for all portfolios of a page at once."""

    valuation: Valuation
    holdings: tuple[HoldingReport, ...]
    currency_exposure: tuple[CurrencyExposure, ...]
    performance: Performance | None
    risk: Risk | None
    diversification: Diversification | None
    stress: tuple[Stress, ...] | None
    earned: Earned

    def notes(self, explainer: Explainer) -> tuple[str, ...]:
        """Return the notes about them."""
        return explainer.notes(
            self.valuation, self.holdings, self.performance, self.risk, self.diversification, self.stress
        )


class _Writer:
    """Writes the reports of a page one by one, of what was computed of all at once."""

    def __init__(
        self,
        table: PriceTable,
        adviser: Adviser,
        instruments: Mapping[str, Instrument],
        funds: frozenset[str],
        run_id: str,
    ) -> None:
        self._table, self._adviser, self._funds, self._run_id = table, adviser, funds, run_id
        self._planner = OrderPlanner(table.figures, adviser.research, instruments)

    def skipped(self, portfolio: Portfolio, verdict: Verdict, quality: DataQuality) -> Report:
        """Return the report of a portfolio that is not analyzed."""
        absent = dict.fromkeys(SECTIONS, verdict.reason or "")
        del absent["data_quality"]
        common = (self._run_id, portfolio.user_id, self._table.as_of, self._table.base.code)
        return Report(*common, "skipped", verdict.reason, absent, data_quality=quality)

    def analyzed(
        self,
        portfolio: Portfolio,
        verdict: Verdict,
        limits: Mapping[str, Limits],
        judged: Judged,
        figures: _Figures,
        quality: DataQuality,
        total_value: float,
    ) -> Report:
        """Return the report of a portfolio, with its checks, decisions and orders."""
        situation = Situation(
            total_value, figures.valuation.complete, verdict.valuation_only, limits["largest_position"], self._funds
        )
        # Without those that cannot be read, which come last.
        readable = figures.holdings[: len(portfolio.holdings)]
        decisions = self._adviser.decide(portfolio, readable, situation)
        plan = self._planner.plan(portfolio, decisions, verdict.no_orders)
        measured = (figures.performance, figures.risk, figures.diversification, figures.stress)
        return Report(
            self._run_id,
            portfolio.user_id,
            self._table.as_of,
            self._table.base.code,
            "analyzed",
            verdict.reason,
            _absent(verdict, measured) | figures.earned.reasons,
            figures.valuation,
            figures.holdings,
            figures.currency_exposure,
            *measured,
            figures.earned.returns,
            figures.earned.income,
            check_portfolio(judged, limits),
            decisions,
            plan,
            quality,
        )


def _absent(verdict: Verdict, measured: Sequence[object]) -> dict[str, str]:
    """Return the reason for each measured section that is ``None``."""
    if verdict.reason is None:
        return {}
    return {name: verdict.reason for name, part in zip(_MEASURED, measured, strict=True) if part is None}


def _valuations(totals: Totals) -> list[Valuation]:
    rows = zip(
        *optional_rows(
            [
                totals.market_value,
                totals.cash,
                totals.cost_basis,
                totals.unrealized_pl,
                totals.unrealized_pl_pct,
                totals.day_change,
                totals.day_change_pct,
                totals.unpriced_cost,
            ]
        ),
        (totals.unpriced == 0).tolist(),
        strict=True,
    )
    return [Valuation(*row) for row in rows]


def _holdings(
    positions: Positions, totals: Totals, figures: PageFigures, judgment: Judgment, table: PriceTable
) -> list[tuple[HoldingReport, ...]]:
    owned = positions.holdings
    whole = np.where(judgment.valuation_only, np.nan, totals.total_value)
    market_value, quoted_value, cost, weight, profit, profit_pct, risk_contribution = optional_rows(
        [
            positions.market_value,
            positions.quoted_value,
            positions.cost,
            positions.market_value / whole[positions.owner],
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
        positions.currency,
        optional(positions.fx_rate),
        price,
        price_date,
        market_value,
        quoted_value,
        cost,
        weight,
        profit,
        profit_pct,
        *of_symbol,
        risk_contribution,
        _unpriced_reasons(positions),
    )
    return [tuple(islice(rows, held)) for held in totals.held.tolist()]


def _unpriced_reasons(positions: Positions) -> list[UnpricedReason | None]:
    reasons: list[UnpricedReason | None] = [None] * len(positions.holdings)
    for row in np.flatnonzero(positions.column < 0).tolist():
        if np.isnan(positions.fx_rate[row]):
            reasons[row] = "missing_fx_rate"
        else:
            reasons[row] = "invalid" if isinstance(positions.holdings[row], InvalidHolding) else "missing_price"
    return reasons


def _diversifications(totals: Totals, figures: PageFigures, judgment: Judgment) -> list[Diversification | None]:
    absent = judgment.valuation_only | (totals.held == 0)
    rows = zip(
        absent.tolist(),
        *optional_rows(
            [
                totals.herfindahl_index,
                1 / totals.herfindahl_index,
                totals.largest_value / totals.total_value,
                figures.diversification_ratio,
                figures.average_correlation,
            ]
        ),
        strict=True,
    )
    return [None if nothing else Diversification(*row) for nothing, *row in rows]


def _stresses(totals: Totals, figures: PageFigures, judgment: Judgment) -> list[tuple[Stress, ...] | None]:
    sized = np.where(np.isnan(figures.stress) | (totals.unsized > 0), np.nan, figures.stress_coverage)
    returns, losses, coverages = (
        zip(*optional_rows(of_all), strict=True)
        for of_all in (figures.stress, figures.stress * totals.total_estimate, sized)
    )
    rows = zip(judgment.measurable.tolist(), returns, losses, coverages, strict=True)
    return [tuple(map(Stress, SCENARIOS, *own)) if measured else None for measured, *own in rows]
