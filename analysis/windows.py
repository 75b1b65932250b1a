"""Performance and risk of all portfolios of a page: portfolios with the same window are measured together."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from analysis import diversification, measures
from analysis.exposure import TOLERANCE, WINDOW_COVERAGE, Exposure, stand_for_all
from analysis.models import Booleans, Floats, Integers, Performance, Risk
from analysis.price_table import PriceTable
from analysis.stress import OF_THE_WINDOW, SCENARIOS, stress_returns
from analysis.valuation import Positions, Totals, sum_by

BLOCK = 256
"""Portfolios measured together: enough to make numpy's calls cheap, few enough for the outer cache. A page is 200."""

BLOCK_HOLDINGS = 20 * BLOCK
"""The maximum number of their holdings, padding included."""

GATHER = 8
"""Portfolios whose holdings' returns are copied together: few enough for the copy to stay in the inner cache."""


@dataclass(frozen=True, slots=True)
class PageFigures:
    """The measured figures, one entry per portfolio, ``None`` or NaN if it was not measured or is undefined.

    ``stress`` are the returns in each scenario, and ``stress_coverage`` the share of everything owned behind them, both
    ``(scenarios, portfolios)``; ``risk_contribution`` is ``(positions,)``, the last two arrays are ``(portfolios,)``.
    """

    performance: list[Performance | None]
    risk: list[Risk | None]
    stress: Floats
    stress_coverage: Floats
    risk_contribution: Floats
    diversification_ratio: Floats
    average_correlation: Floats


def measure_page(
    positions: Positions,
    totals: Totals,
    exposure: Exposure,
    measurable: Booleans,
    table: PriceTable,
    risk_free_rate: float,
) -> PageFigures:
    """Return the figures of the portfolios marked in ``measurable``, ``(portfolios,)``; ``risk_free_rate`` is annual.

    Every window has at least 63 observations, because each included symbol has.
    """
    size = len(measurable)
    figures = PageFigures(
        performance=[None] * size,
        risk=[None] * size,
        stress=np.full((len(SCENARIOS), size), np.nan),
        stress_coverage=np.full((len(SCENARIOS), size), np.nan),
        risk_contribution=np.full(len(positions.owner), np.nan),
        diversification_ratio=np.full(size, np.nan),
        average_correlation=np.full(size, np.nan),
    )
    invested = (exposure.standing.weight != 0) & measurable[positions.owner]
    for start in np.unique(exposure.start[measurable]).tolist():
        sharing = exposure.start == start
        held = _Held(np.flatnonzero(invested & sharing[positions.owner]), positions, exposure)
        window = _Window(table, start, np.unique(held.columns), risk_free_rate)
        for members in held.blocks():
            _measure_block(window, held, members, figures)
    figures.stress_coverage[: len(OF_THE_WINDOW)] = np.where(measurable, exposure.standing.coverage, np.nan)
    _measure_episodes(positions, totals, exposure, measurable, table, figures)
    return figures


def _measure_episodes(
    positions: Positions,
    totals: Totals,
    exposure: Exposure,
    measurable: Booleans,
    table: PriceTable,
    figures: PageFigures,
) -> None:
    """Enter the returns of the episodes, of all holdings that reach back to each, young ones included."""
    rows = np.flatnonzero(exposure.eligible & measurable[positions.owner])
    of_rows = table.episode_returns[:, positions.column[rows]]
    for scenario, returns in enumerate(of_rows, start=len(OF_THE_WINDOW)):
        known = ~np.isnan(returns)
        if not known.any():
            continue
        reaching = np.zeros(len(positions.owner), dtype=np.bool_)
        reaching[rows[known]] = True
        standing = stand_for_all(reaching, positions, totals)
        lost = sum_by(positions.owner[reaching], standing.weight[reaching] * returns[known], len(measurable))
        enough = standing.coverage >= exposure.best_coverage - WINDOW_COVERAGE - TOLERANCE
        applies = measurable & standing.balanced & enough
        figures.stress[scenario] = np.where(applies, lost, np.nan)
        figures.stress_coverage[scenario] = np.where(applies, standing.coverage, np.nan)


def _measure_block(window: "_Window", held: "_Held", members: Integers, figures: PageFigures) -> None:
    """Enter the figures of the portfolios ``members`` into ``figures``."""
    rows, present = held.rows(members)
    columns, weights = held.columns[rows], np.where(present, held.weights[rows], 0.0)
    deviations = window.deviations[columns]
    correlating = diversification.varying(weights, deviations)
    returns, standard_returns, covariances = window.combine(
        columns, weights, held.cash[members], diversification.per_deviation(correlating, deviations)
    )
    noise = measures.noise_of(weights)
    centered = measures.centered(returns)
    deviation = measures.standard_deviation(centered)
    contributions = diversification.risk_contributions(weights, covariances, deviation, noise)
    figures.risk_contribution[held.positions[rows[present]]] = contributions[present]
    figures.diversification_ratio[members] = diversification.diversification_ratio(
        weights, deviations, deviation, noise
    )
    figures.average_correlation[members] = diversification.average_correlation(standard_returns, correlating)
    for row in np.flatnonzero(diversification.dominated(correlating)).tolist():
        some = correlating[row] != 0
        exact = diversification.correlation_of_pairs(window.returns_of(columns[row, some]), correlating[row, some])
        figures.average_correlation[members[row]] = exact
    values = measures.values(returns)
    betas = measures.beta(returns, window.benchmark)
    figures.stress[: len(OF_THE_WINDOW), members] = stress_returns(returns, values, betas)
    measured = window.measure(_Block(returns, centered, deviation, values, betas, noise))
    for portfolio, (performance, risk) in zip(members.tolist(), measured, strict=True):
        figures.performance[portfolio], figures.risk[portfolio] = performance, risk


@dataclass(frozen=True, slots=True)
class _Block:
    """Portfolios that are measured together: their daily returns, ``(observations, portfolios)``, and what they give.

    ``centered`` has the same shape, ``values`` are :func:`measures.values`; ``deviation``, the daily standard one,
    ``betas`` and ``noise``, of :func:`measures.noise_of`, are ``(portfolios,)``.
    """

    returns: Floats
    centered: Floats
    deviation: Floats
    values: Floats
    betas: Floats
    noise: Floats


class _Held:
    """The included holdings of the portfolios that share a window, ordered by portfolio, one row per holding.

    ``positions`` are their numbers among all holdings of the page, ``columns`` their symbols' columns in the table.
    """

    def __init__(self, included: Integers, positions: Positions, exposure: Exposure) -> None:
        self.positions = included
        self.columns = positions.column[included]
        self.weights = exposure.standing.weight[included]
        self.cash = exposure.standing.cash
        self._counts = np.bincount(positions.owner[included])
        self._first = np.cumsum(self._counts) - self._counts

    def blocks(self) -> Iterator[Integers]:
        """Yield blocks of portfolios with about equal numbers of symbols, so that there is little padding."""
        members = np.flatnonzero(self._counts)
        members = members[np.argsort(-self._counts[members], kind="stable")]
        while len(members):
            size = max(1, min(BLOCK, BLOCK_HOLDINGS // int(self._counts[members[0]])))
            yield members[:size]
            members = members[size:]

    def rows(self, members: Integers) -> tuple[Integers, Booleans]:
        """Return the rows of each member's holdings, ``(members, holdings)``, and which of them are not padding."""
        counts = self._counts[members][:, None]
        slots = np.arange(counts.max())
        return self._first[members][:, None] + np.minimum(slots, counts - 1), slots < counts


class _Window:
    """The days from ``start`` to the end of the table.

    ``deviations`` are the daily standard deviations over these days of the symbols in ``columns``, ``(symbols,)``;
    ``benchmark`` are its returns on these days, ``episode_returns`` those of the table.
    """

    def __init__(self, table: PriceTable, start: int, columns: Integers, risk_free_rate: float) -> None:
        # One symbol per row, as in memory: the days of a symbol, and then of a portfolio, are contiguous.
        self._returns = table.returns.T[:, start:]
        # The table has those of symbols whose own history is the window: most, in the window of the whole table.
        whole = table.first_day == start
        self.deviations = np.where(whole, measures.daily(table.volatility), np.nan)
        others = columns[~whole[columns]]
        for some in np.array_split(others, len(others) // BLOCK + 1):
            self.deviations[some] = measures.standard_deviation(measures.centered(self._returns[some].T))
        self.episode_returns = table.episode_returns
        # One date more than there are observations.
        dates = table.dates[start:]
        self._dates: list[date] = dates.tolist()
        # With a first price in this year every day counts here, one more than there are returns.
        self._days_this_year = int((dates >= dates[-1].astype("datetime64[Y]")).sum())
        self.benchmark = table.benchmark_returns[start:]
        self._centered_benchmark = measures.centered(self.benchmark)
        self._standard_benchmark = measures.standardized(self._centered_benchmark[:, None])[:, 0]
        self._annual_rate, self._rate = risk_free_rate, measures.daily_rate(risk_free_rate)

    def combine(
        self, columns: Integers, weights: Floats, cash: Floats, other_weights: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Return the returns with either weights, ``(observations, portfolios)``, and the covariances with the first.

        The first include the risk-free return of ``cash``, the weights of it, ``(portfolios,)``. The covariances are
        :func:`diversification.covariances`, ``(portfolios, holdings)`` as are ``columns`` and the other weights.
        """
        portfolios, observations = len(columns), self._returns.shape[1]
        returns, other_returns = np.empty((2, portfolios, observations))
        covariances = np.empty(columns.shape)
        for first in range(0, portfolios, GATHER):
            some = slice(first, first + GATHER)
            of_holdings = self._returns[columns[some]]
            # One vector-matrix product each: for two vectors at once BLAS would copy the matrix, at twice the time.
            np.vecmat(weights[some], of_holdings, out=returns[some])
            np.vecmat(other_weights[some], of_holdings, out=other_returns[some])
            covariances[some] = diversification.covariances(of_holdings, returns[some].T)
        returns += self._rate * cash[:, None]
        return returns.T, other_returns.T, covariances

    def returns_of(self, columns: Integers) -> Floats:
        """Return the returns of some symbols, ``(observations, symbols)``."""
        return self._returns[columns].T

    def measure(self, block: _Block) -> Iterator[tuple[Performance, Risk]]:
        """Yield the figures of the portfolios of a block."""
        growth_rate = self._of_a_year(measures.cagr(block.values))
        recent = [_last(block.returns, days) for days in (1, 5, 21, 63, self._days_this_year, 252)]
        figures = measures.optional_rows([measures.cumulative_return(block.values), growth_rate, *recent])
        start, end, observations = self._dates[0], self._dates[-1], len(block.returns)
        performance = (
            Performance("current_holdings", start, end, observations, *row) for row in zip(*figures, strict=True)
        )
        return zip(performance, self._risk(block, growth_rate), strict=True)

    def _risk(self, block: _Block, growth_rate: Floats) -> Iterator[Risk]:
        noise, mean, excess = block.noise, block.returns.mean(axis=0), block.returns - self._rate
        shortfall = measures.shortfalls(excess)
        downside = measures.downside_deviation(shortfall)
        drawdown = measures.drawdowns(block.values)
        deepest = measures.max_drawdown(drawdown, noise)
        ratios = (
            measures.annualized(block.deviation),
            measures.annualized(downside),
            self._of_a_year(measures.sharpe_ratio(mean - self._rate, block.deviation, noise)),
            self._of_a_year(measures.sortino_ratio(mean - self._rate, downside, noise)),
            measures.calmar_ratio(growth_rate, deepest, noise),
            measures.omega_ratio(excess, shortfall, noise),
            deepest,
        )
        days = [self._dates_of(days) for days in measures.drawdown_days(drawdown, noise)]
        others = (
            measures.current_drawdown(drawdown, noise),
            *_tails(block.returns, mean, block.deviation),
            *self._against_benchmark(block, mean),
            np.full_like(mean, self._annual_rate),
        )
        rows = zip(*measures.optional_rows(ratios), *days, *measures.optional_rows(others), strict=True)
        return (Risk(*row) for row in rows)

    def _against_benchmark(self, block: _Block, mean: Floats) -> Iterator[Floats]:
        """Yield the shape of the returns and their relation to the benchmark, in the order of :class:`Risk`."""
        standard = measures.standardized(block.centered, block.noise)
        yield measures.skewness(standard)
        yield measures.excess_kurtosis(standard)
        yield block.betas
        benchmark_mean = float(self.benchmark.mean())
        yield self._of_a_year(measures.alpha(mean - self._rate, benchmark_mean - self._rate, block.betas))
        yield measures.correlation(standard, self._standard_benchmark)
        tracking_error = measures.standard_deviation(block.centered - self._centered_benchmark[:, None])
        yield measures.annualized(tracking_error)
        yield self._of_a_year(measures.sharpe_ratio(mean - benchmark_mean, tracking_error, block.noise))

    def _of_a_year(self, figures: Floats) -> Floats:
        """Return the figures, undefined in a window of less than a year."""
        return figures if len(self.benchmark) >= measures.TRADING_DAYS else np.full_like(figures, np.nan)

    def _dates_of(self, days: Integers) -> list[date | None]:
        return [None if day < 0 else self._dates[day] for day in days.tolist()]


def _tails(returns: Floats, mean: Floats, deviation: Floats) -> Iterator[Floats]:
    """Yield the values at risk, in the order of :class:`Risk`; undefined where a tail has too few returns."""
    worst, observations = measures.worst_returns(returns), len(returns)
    unknown = np.full_like(mean, np.nan)
    tails = ((0.05, observations >= measures.HALF_YEAR), (0.01, observations >= measures.TRADING_DAYS))
    for tail, known in tails:
        yield measures.value_at_risk(worst, observations, tail) if known else unknown
    yield measures.gaussian_value_at_risk(mean, deviation, 0.05)
    yield measures.gaussian_value_at_risk(mean, deviation, 0.01) if tails[1][1] else unknown
    for tail, known in tails:
        yield measures.conditional_value_at_risk(worst, observations, tail) if known else unknown


def _last(returns: Floats, days: int) -> Floats:
    if days > len(returns):
        return np.full(returns.shape[1], np.nan)
    return measures.compounded(returns[-days:])
