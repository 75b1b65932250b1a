"""Performance and risk of all portfolios of a page: those that share a window are measured together."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from analysis import measures
from analysis.arrays import optional
from analysis.models import Booleans, Floats, Integers, Performance, Risk
from analysis.returns import PriceTable
from analysis.stress import SCENARIOS, stress_returns
from analysis.valuation import Exposure, Positions

BLOCK = 128
"""Portfolios measured together: enough for a matrix product to pay, few enough for what it gives to stay in cache."""


@dataclass(frozen=True, slots=True)
class PageFigures:
    """What has been measured, one entry a portfolio, ``None`` or NaN where it was not or is undefined.

    ``stress`` are the returns in each scenario, ``(scenarios, portfolios)``; ``risk_contribution`` is ``(positions,)``,
    the last two arrays are ``(portfolios,)``.
    """

    performance: list[Performance | None]
    risk: list[Risk | None]
    stress: Floats
    risk_contribution: Floats
    diversification_ratio: Floats
    average_correlation: Floats


def measure_page(
    positions: Positions, exposure: Exposure, measurable: Booleans, table: PriceTable, risk_free_rate: float
) -> PageFigures:
    """Measure the portfolios marked in ``measurable``, ``(portfolios,)``; ``risk_free_rate`` is annual.

    Every window has at least 63 observations, because each included symbol has.
    """
    size = len(measurable)
    figures = PageFigures(
        performance=[None] * size,
        risk=[None] * size,
        stress=np.full((len(SCENARIOS), size), np.nan),
        risk_contribution=np.full(len(positions.owner), np.nan),
        diversification_ratio=np.full(size, np.nan),
        average_correlation=np.full(size, np.nan),
    )
    for start in np.unique(exposure.start[measurable]).tolist():
        sharing = measurable & (exposure.start == start)
        held = np.flatnonzero(exposure.included & sharing[positions.owner])
        window = _Window(table, start, np.unique(positions.column[held]), risk_free_rate)
        members = np.flatnonzero(sharing)
        for first in range(0, len(members), BLOCK):
            _measure_block(window, members[first : first + BLOCK], positions, exposure, figures)
    return figures


def _measure_block(
    window: "_Window", members: Integers, positions: Positions, exposure: Exposure, figures: PageFigures
) -> None:
    """Enter the figures of the portfolios ``members``, ascending, into ``figures``."""
    held = np.flatnonzero(exposure.included & np.isin(positions.owner, members))
    symbol = window.columns.searchsorted(positions.column[held])
    member = members.searchsorted(positions.owner[held])
    weights = np.zeros((len(window.columns), len(members)))
    weights[symbol, member] = exposure.weight[held]
    parts = measures.variance_parts(weights, window.covariance)
    figures.risk_contribution[held] = measures.risk_contributions(parts)[symbol, member]
    figures.diversification_ratio[members] = measures.diversification_ratio(parts, weights, window.covariance)
    figures.average_correlation[members] = measures.average_correlation(weights != 0, window.covariance)
    returns = (weights.T @ window.returns.T).T
    figures.stress[:, members] = stress_returns(returns, window.betas(returns), weights, window.episode_returns)
    rows = zip(members.tolist(), window.performance(returns), window.risk(returns), strict=True)
    for portfolio, performance, risk in rows:
        figures.performance[portfolio], figures.risk[portfolio] = performance, risk


class _Window:
    """The days from ``start`` to the end of the table, and the symbols held over them.

    ``returns`` are ``(observations, symbols)``, ``covariance`` is their sample covariance, ``episode_returns`` are
    ``(episodes, symbols)``; ``columns`` are the symbols' columns in the table, ascending.
    """

    def __init__(self, table: PriceTable, start: int, columns: Integers, risk_free_rate: float) -> None:
        self.columns = columns
        # Transposed twice, so that the days of a symbol, and then of a portfolio, lie side by side in memory.
        self.returns = table.returns.T[columns, start:].T
        deviations = self.returns - self.returns.mean(axis=0)
        self.covariance = deviations.T @ deviations / (len(deviations) - 1)
        self.episode_returns = table.episode_returns[:, columns]
        # One date more than there are observations.
        self._dates: list[date] = table.dates[start:].tolist()
        self._benchmark = table.benchmark_returns[start:]
        self._rate = measures.daily_rate(risk_free_rate)

    def betas(self, returns: Floats) -> Floats:
        """Give the betas of portfolios with daily ``returns``, ``(observations, portfolios)``."""
        return measures.beta(returns, self._benchmark)

    def performance(self, returns: Floats) -> list[Performance]:
        """Give the performance of portfolios with daily ``returns``, ``(observations, portfolios)``."""
        start, end, observations = self._dates[0], self._dates[-1], len(returns)
        this_year = sum(day.year == end.year for day in self._dates)

        def last(days: int) -> list[float | None]:
            if days > observations:
                return [None] * returns.shape[1]
            return optional(measures.cumulative_return(returns[-days:]))

        figures = zip(
            last(observations),
            optional(measures.cagr(returns)),
            last(1),
            last(5),
            last(21),
            last(63),
            # With a first price in this year every day counts here, one more than there are returns.
            last(this_year),
            last(252),
            strict=True,
        )
        return [Performance(start, end, observations, *row) for row in figures]

    def risk(self, returns: Floats) -> list[Risk]:
        """Give the risk figures of portfolios with daily ``returns``, ``(observations, portfolios)``."""
        benchmark, rate = self._benchmark, self._rate
        excess = returns - rate
        active = returns - benchmark[:, None]
        standard = measures.standardized(returns)
        drawdown = measures.drawdowns(returns)
        deepest = measures.max_drawdown(drawdown)
        worst = measures.worst_returns(returns)
        observations = len(returns)
        mean, deviation = returns.mean(axis=0), measures.standard_deviation(returns)
        betas = self.betas(returns)
        figures = zip(
            optional(measures.annual_volatility(returns)),
            optional(measures.downside_deviation(excess)),
            optional(measures.sharpe_ratio(excess)),
            optional(measures.sortino_ratio(excess)),
            optional(measures.calmar_ratio(measures.cagr(returns), deepest)),
            optional(measures.omega_ratio(excess)),
            optional(deepest),
            *(_dates(self._dates, days) for days in measures.drawdown_days(drawdown)),
            optional(measures.current_drawdown(drawdown)),
            optional(measures.value_at_risk(worst, observations, 0.05)),
            optional(measures.value_at_risk(worst, observations, 0.01)),
            optional(measures.gaussian_value_at_risk(mean, deviation, 0.05)),
            optional(measures.gaussian_value_at_risk(mean, deviation, 0.01)),
            optional(measures.conditional_value_at_risk(worst, observations, 0.05)),
            optional(measures.conditional_value_at_risk(worst, observations, 0.01)),
            optional(measures.skewness(standard)),
            optional(measures.excess_kurtosis(standard)),
            optional(betas),
            optional(measures.alpha(excess, benchmark - rate, betas)),
            optional(measures.correlation(standard, measures.standardized(benchmark[:, None])[:, 0])),
            optional(measures.annual_volatility(active)),
            optional(measures.sharpe_ratio(active)),
            strict=True,
        )
        return [Risk(*row) for row in figures]


def _dates(dates: list[date], days: Integers) -> list[date | None]:
    return [None if day < 0 else dates[day] for day in days.tolist()]
