"""The quality of the data behind the reports of a page: what is left out of figures, and notes that say why.

The notes say what the figures stand for, and why figures are null, a sentence for each cause. Figures that the report's
``reasons`` or the lists of ``data_quality`` explain are not explained again: those of a section that is null, and the
unknown figures of a symbol that is missing, stale, short of history or of unknown cost.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import get_args

import numpy as np

from analysis.currencies import AS_QUOTED
from analysis.exposure import SMALL_SIDE, Exposure
from analysis.judging import Judgment, reported_coverage
from analysis.measures import HALF_YEAR, TRADING_DAYS, optional
from analysis.models import (
    DataQuality,
    Diversification,
    HoldingReport,
    InvalidHolding,
    Performance,
    Portfolio,
    Research,
    Risk,
    Stress,
    Valuation,
)
from analysis.price_issues import assumed_currency, symbol_issue
from analysis.price_table import PriceTable, SymbolFigures
from analysis.valuation import Positions, Totals, of_symbol
from records import PriceIssue, SymbolIssue

_FEW_RETURNS = "there are not as many returns"
_RUIN = "nothing compounds once a day lost more than everything, or gained beyond what a number can hold"
_FLAT_BENCHMARK = "the benchmark does not vary"
_NO_DAY_BEFORE = "no holding has a change of its last day"
_NO_COST = "the cost of no holding with a price is known"
_MINOR_UNITS, _SAME_UNIT = 100, 0.05
_YEAR, _HALF_YEAR = (f"there are fewer than {least} returns" for least in (TRADING_DAYS, HALF_YEAR))
_FEW_CLOSES = "there are not as many closes, or they do not vary"

_PERIODS = tuple(f"performance.return_{period}" for period in ("1d", "5d", "21d", "63d", "ytd", "252d"))
_CAUSES = {
    "there is no cost to relate it to": ("valuation.unrealized_pl_pct", "holdings.unrealized_pl_pct"),
    "there was no value the day before": ("valuation.day_change_pct",),
    _NO_DAY_BEFORE: ("valuation.day_change",),
    _NO_COST: ("valuation.cost_basis", "valuation.unrealized_pl"),
    _FEW_RETURNS: (
        *_PERIODS,
        *("holdings.return_21d", "holdings.return_252d"),
    ),
    _RUIN: (
        *("performance.cumulative_return", "performance.cagr", "risk.max_drawdown", "risk.current_drawdown"),
        *("stress.worst_5_days", "stress.worst_21_days"),
    ),
    "the returns do not vary": (
        *("risk.sharpe_ratio", "risk.skewness", "risk.excess_kurtosis", "risk.correlation_to_benchmark"),
    ),
    "no return is below the risk-free rate": ("risk.sortino_ratio", "risk.omega_ratio"),
    "the value never fell": ("risk.calmar_ratio", "risk.max_drawdown_peak", "risk.max_drawdown_trough"),
    "the returns do not stray from the benchmark's": ("risk.information_ratio",),
    _FLAT_BENCHMARK: ("risk.beta", "holdings.beta", "stress.market_-10", "stress.market_-20", "stress.market_-30"),
    "the holdings have no risk, or their risks cancel out": (
        *("holdings.risk_contribution", "diversification.diversification_ratio"),
    ),
    "it takes two holdings with varying prices": ("diversification.average_correlation",),
    "the prices of too large a part do not reach back that far": (
        *("stress.global_financial_crisis", "stress.covid_crash", "stress.inflation_bear_2022"),
    ),
    "the highs and lows, or as many closes, are not known": ("holdings.research.atr_14",),
    "no level of the last year's swing is on that side of the close": (
        "holdings.research.support",
        "holdings.research.resistance",
    ),
}
_CAUSE_OF = {figure: cause for cause, figures in _CAUSES.items() for figure in figures}
_OUT_OF_RANGE = "it is beyond what a number can hold"
_OF_A_YEAR = (
    *("performance.cagr", "risk.calmar_ratio", "risk.alpha", "risk.sharpe_ratio", "risk.sortino_ratio"),
    *("risk.information_ratio", "risk.value_at_risk_99", "risk.gaussian_value_at_risk_99"),
    "risk.conditional_value_at_risk_99",
)
_OF_HALF_A_YEAR = ("risk.value_at_risk_95", "risk.conditional_value_at_risk_95")
_COMPOUNDED = ("risk.calmar_ratio", "risk.max_drawdown_peak", "risk.max_drawdown_trough")
_OVER_BENCHMARK = ("risk.alpha", "risk.correlation_to_benchmark")

# The missing end of a drawdown without recovery is not an unknown figure.
_FACTS = ("name", "sector", "country")
"""What the backend may know of an instrument, beside the figures."""
_NAMES: dict[type, tuple[str, ...]] = {
    record: tuple(
        name
        for name, kind in record.__annotations__.items()
        if NoneType in get_args(kind) and name not in ("max_drawdown_recovery", *_FACTS)
    )
    for record in (Valuation, Performance, Risk, Diversification, SymbolFigures, Research)
}
_FIGURES = {record: attrgetter(*names) for record, names in _NAMES.items()}


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
    flagged, suspected = _flagged(positions, exposure, table), _suspected_minor_units(positions, table)
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
            price_issues=_issues(portfolio, table, suspected.get(owner, ())),
            notes=(*own_notes, *_left_out(flagged, owner, table.base.code, measured=measured)),
        )
        for owner, (portfolio, coverage, measured, own_notes) in enumerate(rows)
    ]


def _issues(portfolio: Portfolio, table: PriceTable, suspected: Sequence[SymbolIssue]) -> tuple[SymbolIssue, ...]:
    if table.base is AS_QUOTED and not table.issues:
        return (*table.run_issues, *suspected)
    held = [holding.symbol for holding in portfolio.holdings]
    found = list(table.run_issues)
    if table.base is not AS_QUOTED and (assumed := table.base.currencies.assumed(held)):
        found.append(assumed_currency(table.base.currencies.default, assumed))
    symbols = dict.fromkeys([*held, *portfolio.watchlist])
    found += [issue for symbol in symbols for issue in table.issues.get(symbol, ())]
    return (*found, *suspected)


def _suspected_minor_units(positions: Positions, table: PriceTable) -> dict[int, list[SymbolIssue]]:
    """Return the issues of holdings whose purchase price seems to be in another unit than the price, by portfolio."""
    ratio = positions.avg_price / of_symbol(table.quoted_close, positions.column)
    off = np.minimum(np.abs(ratio / _MINOR_UNITS - 1), np.abs(ratio * _MINOR_UNITS - 1)) <= _SAME_UNIT
    issues: dict[int, list[SymbolIssue]] = {}
    for row in np.flatnonzero(off).tolist():
        symbol = positions.holdings[row].symbol
        issue = PriceIssue("suspected_minor_unit", table.figures[symbol].price_date)
        issues.setdefault(int(positions.owner[row]), []).append(symbol_issue(symbol, issue))
    return issues


def _left_out(
    flagged: Mapping[tuple[int, str], tuple[str, ...]], owner: int, base: str, *, measured: bool
) -> Iterator[str]:
    """Yield the sentences about holdings without a rate, and about those of a side that counts as cash."""
    if symbols := flagged.get((owner, "rate")):
        yield f"Not valued: {', '.join(sorted(symbols))}, whose currency has no rate in {base}."
    if measured and (symbols := flagged.get((owner, "cash"))):
        why = f"their side is at most {SMALL_SIDE:.0%} of the gross value, too little of it has enough history"
        yield f"No holdings.risk_contribution of {', '.join(sorted(symbols))}: {why}, and it counts as cash."


def _flagged(positions: Positions, exposure: Exposure, table: PriceTable) -> dict[tuple[int, str], tuple[str, ...]]:
    """Return the symbols of what is not included, and why, by number of the portfolio and flag."""
    flagged: dict[tuple[int, str], tuple[str, ...]] = {}
    doubtful = (exposure.standing.weight == 0) | np.isnan(positions.cost)
    for row in np.flatnonzero(doubtful).tolist():
        owner, holding = int(positions.owner[row]), positions.holdings[row]
        if isinstance(holding, InvalidHolding):
            continue
        figures = table.figures.get(holding.symbol) if positions.column[row] >= 0 else None
        flags: list[str] = [figures.history if figures else "rate" if np.isnan(positions.fx_rate[row]) else "missing"]
        if exposure.eligible[row]:
            flags = ["young"] if not exposure.included[row] else ["cash"] if exposure.standing.weight[row] == 0 else []
        if np.isnan(positions.cost[row]):
            flags.append("unknown_cost")
        for flag in flags:
            flagged[owner, flag] = (*flagged.get((owner, flag), ()), holding.symbol)
    return flagged


class Explainer:
    """Explains all portfolios of a page, which hold these ``symbols``.

    The unknown figures of a symbol are determined once: those of its prices here, those of its research by
    :func:`unknown_research`.
    """

    def __init__(self, table: PriceTable, of_research: Mapping[str, tuple[str, ...]], symbols: Collection[str]) -> None:
        found = {
            symbol: (*_unknown_prices(table.figures.get(symbol)), *of_research.get(symbol, ())) for symbol in symbols
        }
        self._of_symbols = {symbol: figures for symbol, figures in found.items() if figures}
        # Not of a method of its own: the cycle would keep the page's prices until the garbage collector finds it.
        self._hypothetical = cache(_hypothetical)
        self._known_sentences: dict[frozenset[str], tuple[str, ...]] = {}
        self._splits = {
            symbol: f"{symbol} is valued at its price divided by {ratio:g}, the ratio of its later splits."
            for symbol, ratio in table.later_splits.items()
        }

    def notes(
        self,
        valuation: Valuation,
        holdings: Sequence[HoldingReport],
        performance: Performance | None,
        risk: Risk | None,
        diversification: Diversification | None,
        stress: Sequence[Stress] | None,
    ) -> tuple[str, ...]:
        """Return the sentences about one report."""
        unknown: set[str] = set()
        if performance and risk and diversification and stress:
            unknown.update(
                _unknown("performance", performance),
                _unknown("risk", risk),
                _unknown("diversification", diversification),
                [f"stress.{entry.scenario}" for entry in stress if entry.return_ is None],
            )
            if diversification.diversification_ratio is None:
                unknown.add("holdings.risk_contribution")
        of_symbols = self._of_symbols
        unknown.update(*[of_symbols[holding.symbol] for holding in holdings if holding.symbol in of_symbols])
        without_profit = [holding for holding in holdings if holding.unrealized_pl_pct is None]
        if any(holding.unrealized_pl is not None for holding in without_profit):
            unknown.add("holdings.unrealized_pl_pct")
        if any(holding.market_value is not None for holding in holdings):
            unknown.update(_unknown("valuation", valuation))
        causes = _causes_here(valuation, performance, risk)
        why = self._sentences(frozenset(unknown)) if not causes else _sentences(unknown, causes)
        without_cost = sum(holding.cost_basis is None for holding in without_profit)
        return (*self._about(valuation, holdings, performance, without_cost), *why)

    def _sentences(self, unknown: frozenset[str]) -> tuple[str, ...]:
        """Return the sentences without any cause of the report's own, which are the same for many."""
        if unknown not in self._known_sentences:
            self._known_sentences[unknown] = _sentences(unknown, {})
        return self._known_sentences[unknown]

    def _about(
        self,
        valuation: Valuation,
        holdings: Sequence[HoldingReport],
        performance: Performance | None,
        without_cost: int,
    ) -> Iterator[str]:
        """Yield what the figures of one report stand for."""
        if performance:
            yield self._hypothetical(performance.start)
        if self._splits:
            yield from [self._splits[holding.symbol] for holding in holdings if holding.symbol in self._splits]
        if without_cost and valuation.cost_basis is not None:
            yield (
                f"The cost of {without_cost} of {len(holdings)} holdings is unknown: the portfolio's cost_basis and "
                "unrealized_pl are of the others."
            )


def unknown_research(research: Mapping[str, Research]) -> dict[str, tuple[str, ...]]:
    """Return the names of the unknown figures in the ``research`` of each symbol that has some."""
    found = {symbol: tuple(_unknown("holdings.research", own)) for symbol, own in research.items()}
    return {symbol: figures for symbol, figures in found.items() if figures}


def _unknown_prices(figures: SymbolFigures | None) -> Sequence[str]:
    return _unknown("holdings", figures) if figures and figures.history == "enough" else ()


def _hypothetical(start: date) -> str:
    return (
        f"Hypothetical: performance, risk and stress are those of today's holdings, held in the same mix since {start}."
    )


def _unknown(part: str, record: object) -> Sequence[str]:
    figures = _FIGURES[type(record)](record)
    if None not in figures:
        return ()
    return [f"{part}.{name}" for name, figure in zip(_NAMES[type(record)], figures, strict=True) if figure is None]


def _sentences(unknown: Collection[str], causes: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each cause of ``unknown`` figures, ``causes`` before the usual ones."""
    figures_of: dict[str, list[str]] = {}
    for figure in sorted(unknown):  # so that the order of the holdings changes nothing
        usual = _CAUSE_OF.get(figure, _FEW_CLOSES if figure.startswith("holdings.research.") else _OUT_OF_RANGE)
        figures_of.setdefault(causes.get(figure, usual), []).append(figure)
    return tuple(f"No {', '.join(figures)}: {cause}." for cause, figures in figures_of.items())


def _causes_here(valuation: Valuation, performance: Performance | None, risk: Risk | None) -> dict[str, str]:
    """Return the causes of unknown figures that are another unknown figure or the length of the window."""
    causes: dict[str, str] = {}
    if valuation.day_change is None:
        causes["valuation.day_change_pct"] = _NO_DAY_BEFORE
    if valuation.cost_basis is None:
        causes["valuation.unrealized_pl_pct"] = _NO_COST
    if performance and risk:
        if risk.annual_volatility is None:
            causes |= dict.fromkeys([f"risk.{name}" for name in _NAMES[Risk]], _OUT_OF_RANGE)
        if risk.beta is None:
            causes |= dict.fromkeys(_OVER_BENCHMARK, _FLAT_BENCHMARK)
        if risk.max_drawdown is None:
            causes |= dict.fromkeys(_COMPOUNDED, _RUIN)
            causes |= {figure: _RUIN for figure in _PERIODS if not _too_short(figure, performance)}
        if performance.observations < TRADING_DAYS:
            causes |= dict.fromkeys(_OF_A_YEAR, _YEAR)
        if performance.observations < HALF_YEAR:
            causes |= dict.fromkeys(_OF_HALF_A_YEAR, _HALF_YEAR)
    return causes


def _too_short(figure: str, performance: Performance) -> bool:
    """Return whether the portfolio's window is too short for a return like ``performance.return_21d``."""
    period = figure.removeprefix("performance.return_")
    if period == "ytd":
        return performance.start.year == performance.end.year
    return performance.observations < int(period.removesuffix("d"))
