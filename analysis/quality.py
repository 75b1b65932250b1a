"""The quality of the data behind the reports of a page: what is left out of figures, and why."""

from collections.abc import Sequence

import numpy as np

from analysis.exposure import SMALL_SIDE, Exposure
from analysis.judging import Judgment, reported_coverage
from analysis.measures import optional
from analysis.models import DataQuality, InvalidHolding, Portfolio
from analysis.returns import PriceTable
from analysis.valuation import Positions, Totals
from records import SymbolIssue


def data_qualities(
    portfolios: Sequence[Portfolio],
    positions: Positions,
    totals: Totals,
    exposure: Exposure,
    judgment: Judgment,
    table: PriceTable,
    notes: Sequence[tuple[str, ...]],
) -> list[DataQuality]:
    """Return the quality of the data of each portfolio; to its ``notes`` one about a small side is added."""
    flagged = _flagged(positions, exposure, table)
    coverages = optional(reported_coverage(totals, exposure))
    rows = zip(portfolios, coverages, judgment.measurable.tolist(), notes, strict=True)
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
            notes=_with_small_side(own_notes, flagged[owner, "cash"])
            if measured and (owner, "cash") in flagged
            else own_notes,
        )
        for owner, (portfolio, coverage, measured, own_notes) in enumerate(rows)
    ]


def _issues(portfolio: Portfolio, table: PriceTable) -> tuple[SymbolIssue, ...]:
    if not table.issues:
        return table.run_issues
    symbols = dict.fromkeys([*(holding.symbol for holding in portfolio.holdings), *portfolio.watchlist])
    return (*table.run_issues, *(issue for symbol in symbols for issue in table.issues.get(symbol, ())))


def _with_small_side(notes: tuple[str, ...], symbols: Sequence[str]) -> tuple[str, ...]:
    why = f"their side is at most {SMALL_SIDE:.0%} of the gross value, too little of it has enough history"
    return (*notes, f"No holdings.risk_contribution of {', '.join(symbols)}: {why}, and it counts as cash.")


def _flagged(positions: Positions, exposure: Exposure, table: PriceTable) -> dict[tuple[int, str], tuple[str, ...]]:
    """Return the symbols of what is not included, and why, by number of the portfolio and flag."""
    flagged: dict[tuple[int, str], tuple[str, ...]] = {}
    doubtful = (exposure.standing.weight == 0) | np.isnan(positions.cost)
    for row in np.flatnonzero(doubtful).tolist():
        owner, holding = int(positions.owner[row]), positions.holdings[row]
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
