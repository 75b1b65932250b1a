"""The reports of a page of portfolios: all are valued, then measured, then written one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from analysis.checks import Judged, check_portfolio, limits_of
from analysis.decisions import Adviser, Situation
from analysis.exposure import SMALL_SIDE, Exposure, expose
from analysis.judging import Judgment, Verdict, judge, judged_values, reported_coverage
from analysis.measures import optional, optional_rows
from analysis.models import (
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
    record,
)
from analysis.notes import Explainer
from analysis.orders import plan_orders
from analysis.returns import PriceTable
from analysis.stress import SCENARIOS
from analysis.valuation import Positions, Totals, diversified_funds, owned_by, value_positions
from analysis.windows import PageFigures, measure_page
from records import SymbolIssue

_CURRENCY = "USD"
_MEASURED = ("performance", "risk", "diversification", "stress")
_SECTIONS = ("valuation", *_MEASURED, "order_plan")


# An undefined figure is NaN in the arrays and None in the reports; numpy need not warn of it.
@np.errstate(all="ignore")
def analyze_portfolios(
    portfolios: Sequence[Portfolio],
    table: PriceTable,
    adviser: Adviser,
    instruments: Mapping[str, Instrument],
    run_id: str,
    risk_free_rate: float,
    newest: bool = True,  # noqa: FBT001, FBT002 - the last of many
) -> list[Report]:
    """Return one report for each of ``portfolios`` as of the table's date, in the same order.

    ``adviser`` and ``instruments`` may lack some symbols; ``risk_free_rate`` is annual; ``newest`` is false if there
    are prices after the table's date. An error in one portfolio changes nothing in the report of another.
    """
    funds = diversified_funds(portfolios, table, instruments)
    positions, totals = value_positions(portfolios, table, instruments, funds)
    exposure = expose(positions, totals, table)
    judgment = judge(positions, totals, exposure, newest=newest)
    figures = measure_page(positions, totals, exposure, judgment.measurable, table, risk_free_rate)
    writer = _Writer(table, adviser, instruments, funds, run_id)
    measured = zip(
        _valuations(totals),
        _holdings(portfolios, positions, totals, figures, judgment, table),
        figures.performance,
        figures.risk,
        _diversifications(totals, figures, judgment),
        _stresses(totals, figures, judgment),
        strict=True,
    )
    columns = (
        portfolios,
        judgment.verdicts,
        judged_values(positions, totals, exposure, figures, judgment),
        _data_qualities(portfolios, positions, totals, exposure, judgment, table),
        totals.total_value.tolist(),
        [_Figures(*row) for row in measured],
    )
    return [writer.report(*row) for row in zip(*columns, strict=True)]


@record
class _Figures:
    """The parts of a report that were computed for all portfolios of a page at once."""

    valuation: Valuation
    holdings: tuple[HoldingReport, ...]
    performance: Performance | None
    risk: Risk | None
    diversification: Diversification | None
    stress: tuple[Stress, ...] | None


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
        self._table, self._adviser, self._instruments, self._funds = table, adviser, instruments, funds
        self._explainer = Explainer(table, adviser.research)
        self._run_id = run_id

    def report(
        self,
        portfolio: Portfolio,
        verdict: Verdict,
        judged: Judged,
        quality: DataQuality,
        total_value: float,
        figures: _Figures,
    ) -> Report:
        """Return the report of one portfolio; ``quality`` is to get more notes."""
        common = (self._run_id, portfolio.user_id, self._table.as_of, _CURRENCY)
        limits, doubts = limits_of(portfolio.thresholds)
        told = (*portfolio.notes, *doubts)
        if verdict.skipped:
            quality = replace(quality, notes=told)
            return Report(*common, "skipped", verdict.reason, _absent(verdict, _SECTIONS), data_quality=quality)
        valuation, holdings = figures.valuation, figures.holdings
        measured = (figures.performance, figures.risk, figures.diversification, figures.stress)
        situation = Situation(
            total_value, valuation.complete, verdict.valuation_only, limits["largest_position"], self._funds
        )
        # Without those that cannot be read, which come last.
        decisions = self._adviser.decide(portfolio, holdings[: len(portfolio.holdings)], situation)
        plan = plan_orders(
            portfolio, decisions, self._table.figures, self._adviser.research, self._instruments, verdict.no_orders
        )
        notes = (*told, *quality.notes, *self._explainer.notes(valuation, holdings, *measured))
        quality = replace(quality, notes=notes)
        return Report(
            *common,
            "analyzed",
            verdict.reason,
            _absent(verdict, [name for name, part in zip(_MEASURED, measured, strict=True) if part is None]),
            valuation,
            holdings,
            *measured,
            check_portfolio(judged, limits),
            decisions,
            plan,
            quality,
        )


def _absent(verdict: Verdict, sections: Sequence[str]) -> dict[str, str]:
    """Return the reason for each of the ``sections`` that are ``None``."""
    return dict.fromkeys(sections, verdict.reason or "")


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
    portfolios: Sequence[Portfolio],
    positions: Positions,
    totals: Totals,
    figures: PageFigures,
    judgment: Judgment,
    table: PriceTable,
) -> list[tuple[HoldingReport, ...]]:
    owned = [holding for portfolio in portfolios for holding in owned_by(portfolio)]
    whole = np.where(judgment.valuation_only, np.nan, totals.total_value)
    market_value, cost, weight, profit, profit_pct, risk_contribution = optional_rows(
        [
            positions.market_value,
            positions.cost,
            positions.market_value / whole[positions.owner],
            positions.unrealized_pl,
            positions.unrealized_pl_pct,
            figures.risk_contribution,
        ]
    )
    # Column -1, a symbol without any price, gets the None at the end.
    price, price_date, *of_symbol = table.reported[:, positions.column].tolist()
    unpriced: list[UnpricedReason | None] = [None] * len(owned)
    for row in np.flatnonzero(positions.column < 0).tolist():
        unpriced[row] = "invalid" if isinstance(owned[row], InvalidHolding) else "missing_price"
    rows = map(
        HoldingReport,
        [holding.symbol for holding in owned],
        [holding.quantity for holding in owned],
        [holding.avg_price for holding in owned],
        [_CURRENCY] * len(owned),
        price,
        price_date,
        market_value,
        cost,
        weight,
        profit,
        profit_pct,
        *of_symbol,
        risk_contribution,
        unpriced,
    )
    return [tuple(islice(rows, len(owned_by(portfolio)))) for portfolio in portfolios]


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


def _issues(portfolio: Portfolio, table: PriceTable) -> tuple[SymbolIssue, ...]:
    if not table.issues:
        return table.run_issues
    symbols = dict.fromkeys([*(holding.symbol for holding in portfolio.holdings), *portfolio.watchlist])
    return (*table.run_issues, *(issue for symbol in symbols for issue in table.issues.get(symbol, ())))


def _data_qualities(
    portfolios: Sequence[Portfolio],
    positions: Positions,
    totals: Totals,
    exposure: Exposure,
    judgment: Judgment,
    table: PriceTable,
) -> list[DataQuality]:
    """Return the quality of the data of each portfolio; the notes are those about its small side."""
    flagged = _flagged(portfolios, positions, exposure, table)
    coverages = optional(reported_coverage(totals, exposure))
    rows = zip(portfolios, coverages, judgment.measurable.tolist(), strict=True)
    return [
        DataQuality(
            coverage,
            missing_symbols=flagged.get((owner, "missing"), ()),
            stale_symbols=flagged.get((owner, "stale"), ()),
            short_history_symbols=flagged.get((owner, "short"), ()),
            young_symbols=flagged.get((owner, "young"), ()),
            unknown_cost_symbols=flagged.get((owner, "unknown_cost"), ()),
            invalid_holdings=portfolio.invalid_holdings,
            price_issues=_issues(portfolio, table),
            notes=_of_small_side(flagged.get((owner, "cash"), ())) if measured else (),
        )
        for owner, (portfolio, coverage, measured) in enumerate(rows)
    ]


def _of_small_side(symbols: Sequence[str]) -> tuple[str, ...]:
    if not symbols:
        return ()
    why = f"their side is at most {SMALL_SIDE:.0%} of the gross value, too little of it has enough history"
    return (f"No holdings.risk_contribution of {', '.join(symbols)}: {why}, and it counts as cash.",)


def _flagged(
    portfolios: Sequence[Portfolio], positions: Positions, exposure: Exposure, table: PriceTable
) -> dict[tuple[int, str], tuple[str, ...]]:
    """Return the symbols of what is not included, and why, by number of the portfolio and flag."""
    flagged: dict[tuple[int, str], tuple[str, ...]] = {}
    owned = [holding for portfolio in portfolios for holding in owned_by(portfolio)]
    doubtful = (exposure.standing.weight == 0) | np.isnan(positions.cost)
    for row in np.flatnonzero(doubtful).tolist():
        owner, holding = int(positions.owner[row]), owned[row]
        if isinstance(holding, InvalidHolding):
            continue
        figures = table.figures.get(holding.symbol)
        flags: list[str] = [figures.history if figures else "missing"]
        if exposure.eligible[row]:
            flags = ["young"] if not exposure.included[row] else ["cash"] if exposure.standing.weight[row] == 0 else []
        if np.isnan(positions.cost[row]):
            flags.append("unknown_cost")
        for flag in flags:
            flagged[owner, flag] = (*flagged.get((owner, flag), ()), holding.symbol)
    return flagged
