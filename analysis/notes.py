"""The reasons why figures of a report are null: a sentence for each cause, which names the unknown figures.

Figures that the report's ``reason`` or the lists of ``data_quality`` explain are not explained again: return-based
figures without returns, and the unknown figures of a symbol that is missing, stale or short of history.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from types import NoneType
from typing import get_args

from analysis.models import Diversification, HoldingReport, Performance, Research, Risk, Stress, Valuation
from analysis.returns import PriceTable, SymbolFigures

_FEW_RETURNS = "there are not as many returns"
_RUIN = "nothing compounds once a day lost more than everything, or gained beyond what a number can hold"
_FLAT_BENCHMARK = "the benchmark does not vary"
_NO_DAY_BEFORE = "no holding has a close of the day before"
_FEW_CLOSES = "there are not as many closes, or they do not vary"

_CAUSES = {
    "what is long and what is short cancel out": ("valuation.unrealized_pl_pct", "valuation.day_change_pct"),
    _NO_DAY_BEFORE: ("valuation.day_change",),
    _FEW_RETURNS: (
        *(f"performance.return_{period}" for period in ("5d", "21d", "63d", "ytd", "252d")),
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
    "it takes two holdings or more, each with varying prices": ("diversification.average_correlation",),
    "not all prices reach back that far without a long gap": (
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
_COMPOUNDED = ("risk.calmar_ratio", "risk.max_drawdown_peak", "risk.max_drawdown_trough")
_OVER_BENCHMARK = ("risk.alpha", "risk.correlation_to_benchmark")

# The missing end of a drawdown without recovery is not an unknown figure.
_NAMES: dict[type, tuple[str, ...]] = {
    record: tuple(
        member.name
        for member in fields(record)
        if NoneType in get_args(member.type) and member.name != "max_drawdown_recovery"
    )
    for record in (Valuation, Performance, Risk, Diversification, SymbolFigures, Research)
}
_FIGURES = {record: attrgetter(*names) for record, names in _NAMES.items()}


class Explainer:
    """Explains all portfolios of a page; the unknown figures of a symbol are determined once."""

    def __init__(self, table: PriceTable, research: Mapping[str, Research]) -> None:
        self._table = table
        self._research = research
        self._of_symbols: dict[str, tuple[str, ...]] = {}

    def notes(
        self,
        valuation: Valuation,
        holdings: Sequence[HoldingReport],
        performance: Performance | None,
        risk: Risk | None,
        diversification: Diversification,
        stress: Sequence[Stress] | None,
    ) -> tuple[str, ...]:
        """Return the sentences about one report."""
        unknown: list[str] = []
        if diversification.herfindahl_index is not None:
            unknown += _unknown("valuation", valuation)
        if performance and risk and stress:
            unknown += _unknown("performance", performance)
            unknown += _unknown("risk", risk)
            unknown += _unknown("diversification", diversification)
            if diversification.diversification_ratio is None:
                unknown.append("holdings.risk_contribution")
            unknown += [f"stress.{entry.scenario}" for entry in stress if entry.return_ is None]
        for holding in holdings:
            unknown += self._of_symbol(holding.symbol)
        figures_of: dict[str, list[str]] = {}
        for figure in sorted(set(unknown)):  # so that the order of the holdings changes nothing
            figures_of.setdefault(_cause(figure, valuation, performance, risk), []).append(figure)
        return tuple(f"No {', '.join(figures)}: {cause}." for cause, figures in figures_of.items())

    def _of_symbol(self, symbol: str) -> Sequence[str]:
        """Return the unknown figures of a symbol, the same for all users."""
        if symbol not in self._of_symbols:
            figures, research = self._table.figures.get(symbol), self._research.get(symbol)
            measured = _unknown("holdings", figures) if figures and figures.history == "enough" else ()
            self._of_symbols[symbol] = (*measured, *(_unknown("holdings.research", research) if research else ()))
        return self._of_symbols[symbol]


def _unknown(part: str, record: object) -> Sequence[str]:
    figures = _FIGURES[type(record)](record)
    if None not in figures:
        return ()
    return [f"{part}.{name}" for name, figure in zip(_NAMES[type(record)], figures, strict=True) if figure is None]


def _cause(figure: str, valuation: Valuation, performance: Performance | None, risk: Risk | None) -> str:
    if figure == "valuation.day_change_pct" and valuation.day_change is None:
        return _NO_DAY_BEFORE
    if performance and risk:
        if figure.startswith("performance.return_") and not _too_short(figure, performance):
            return _RUIN
        if figure in _COMPOUNDED and risk.max_drawdown is None:
            return _RUIN
        if figure in _OVER_BENCHMARK and risk.beta is None:
            return _FLAT_BENCHMARK
        if figure.startswith("risk.") and risk.annual_volatility is None:
            return _OUT_OF_RANGE
    return _CAUSE_OF.get(figure, _FEW_CLOSES if figure.startswith("holdings.research.") else _OUT_OF_RANGE)


def _too_short(figure: str, performance: Performance) -> bool:
    """Return whether the portfolio's window is too short for a return like ``performance.return_21d``."""
    period = figure.removeprefix("performance.return_")
    if period == "ytd":
        return performance.start.year == performance.end.year
    return performance.observations < int(period.removesuffix("d"))
