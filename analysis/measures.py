"""The formulas of performance and risk measures, for all portfolios at once.

Unless a docstring says otherwise, a measure takes daily simple returns of shape ``(observations, portfolios)`` and
returns one figure per portfolio, shape ``(portfolios,)``, as a fraction (0.05 is 5 %; losses are negative). Benchmarks
are one column, ``(observations,)``. The definitions are those of empyrical-reloaded 0.7.1 unless a source is named.

An undefined figure is NaN, and a NaN among the returns makes only the figures of its own column NaN. Whether there
is variance, downside or a drawdown to divide by is decided by comparison with ``noise``, never with zero: rounding
leaves a deviation of some 1e-17 in a constant return, and a division by it gives absurd ratios. It is :data:`NOISE`, or
for a weighted sum of returns their :func:`noise_of`.
"""

import math
from collections.abc import Iterable
from statistics import NormalDist

import numpy as np

from analysis.models import Floats, Integers

TRADING_DAYS = 252
"""Trading days per year, and the minimum number of returns for figures of a year and for the tails of 1 %."""

HALF_YEAR = 125
"""The minimum number of returns for the tails of 5 %."""

NOISE = 1e-12
"""Daily deviations, mean losses and drawdowns up to this size are rounding, not information."""

_ROUNDING = 1e-14
"""The rounding in the returns of a holding."""

CANCELED = 1e-12
"""A sum of long and short values this small relative to the sum of their sizes is rounding, too."""

LARGEST_TAIL = 0.05
"""The largest tail probability that :func:`worst_returns` supports."""


def noise_of(weights: Floats) -> Floats:
    """Return the noise in returns with these ``weights``, ``(portfolios, holdings)``: leverage magnifies rounding."""
    gross: Floats = np.abs(weights).sum(axis=1)
    return np.maximum(NOISE, _ROUNDING * gross)


def daily_rate(annual_rate: float) -> float:
    """Return the daily rate that compounds to ``annual_rate`` over a year."""
    return float((1 + annual_rate) ** (1 / TRADING_DAYS) - 1)


def compounded(returns: Floats) -> Floats:
    """Return prod(1 + r) - 1, undefined if a day lost more than everything: a standalone :func:`cumulative_return`."""
    growth: Floats = np.prod(1 + returns, axis=0)
    growth[returns.min(axis=0) < -1] = np.nan
    return growth - 1


def cumulative_return(value: Floats) -> Floats:
    """Return prod(1 + r) - 1, the last of the :func:`values` minus the first."""
    last: Floats = value[-1]
    return last - 1


def cagr(value: Floats) -> Floats:
    """Return the compound annual growth rate, prod(1 + r)^(252/n) - 1, of the :func:`values`.

    Not from the cumulative return: if nearly everything was lost, the rest is rounded away there.
    """
    growth: Floats = value[-1] ** (TRADING_DAYS / (len(value) - 1))
    return growth - 1


def annual_volatility(returns: Floats) -> Floats:
    """Return std(r, ddof 1) sqrt(252)."""
    return annualized(standard_deviation(centered(returns)))


def annualized(deviation: Floats) -> Floats:
    """Return s sqrt(252): from a standard deviation the annual volatility, over a benchmark the tracking error."""
    return deviation * math.sqrt(TRADING_DAYS)


def daily(volatility: Floats) -> Floats:
    """Return the daily standard deviation of an :func:`annualized` one."""
    return volatility / math.sqrt(TRADING_DAYS)


def centered(returns: Floats) -> Floats:
    """Return r - mean(r), same shape: the first step of several measures."""
    return returns - returns.mean(axis=0)


def standard_deviation(centered_returns: Floats) -> Floats:
    """Return the daily sample standard deviation (ddof 1) of :func:`centered` returns."""
    return np.sqrt(_sum_of_products(centered_returns, centered_returns) / (len(centered_returns) - 1))


def shortfalls(excess: Floats) -> Floats:
    """Return min(e, 0) of returns ``excess`` over the target, same shape."""
    return np.minimum(excess, 0)


def downside_deviation(shortfall: Floats) -> Floats:
    """Return the daily sqrt(mean(min(e, 0)^2)) of the :func:`shortfalls`, the mean over all observations."""
    return np.sqrt(_mean_product(shortfall, shortfall))


def sharpe_ratio(mean: Floats, deviation: Floats, noise: Floats | float = NOISE) -> Floats:
    """Return mean(e) / std(e, ddof 1) sqrt(252) of returns e over the risk-free rate; arguments are ``(portfolios,)``.

    For returns over a benchmark it is the information ratio.
    """
    return quotient(mean, deviation, noise) * math.sqrt(TRADING_DAYS)


def sortino_ratio(mean: Floats, downside: Floats, noise: Floats | float = NOISE) -> Floats:
    """Return mean(e) / :func:`downside_deviation` (e) sqrt(252); all arguments are ``(portfolios,)``."""
    return quotient(mean, downside, noise) * math.sqrt(TRADING_DAYS)


def omega_ratio(excess: Floats, shortfall: Floats, noise: Floats | float = NOISE) -> Floats:
    """Return sum(max(e, 0)) / sum(max(-e, 0)), the latter from the :func:`shortfalls`."""
    return quotient(np.maximum(excess, 0).mean(axis=0), -shortfall.mean(axis=0), noise)


def values(returns: Floats) -> Floats:
    """Return V, the value on each day of 1 before the first return, shape ``(observations + 1, portfolios)``.

    Undefined if a day lost more than everything, since nothing compounds from below zero.
    """
    # In the memory order of the returns: the running products and maxima of a portfolio then stay in cache.
    value = np.empty_like(returns, shape=(len(returns) + 1, *returns.shape[1:]))
    value[0] = 1
    np.cumprod(1 + returns, axis=0, out=value[1:])
    value[:, returns.min(axis=0) < -1] = np.nan
    return value


def worst_return(value: Floats, days: int) -> Floats:
    """Return the lowest compounded return of ``days`` days in a row, min(V_t / V_(t - days) - 1) of :func:`values`."""
    # There is no return on zero (0 / 0), and fmin ignores it.
    lowest: Floats = np.fmin.reduce(value[days:] / value[:-days], axis=0)
    return lowest - 1


def drawdowns(value: Floats) -> Floats:
    """Return V/peak(V) - 1 for each day, V the :func:`values`, shape ``(observations + 1, portfolios)``."""
    peaks = np.maximum.accumulate(value, axis=0, out=np.empty_like(value))
    drawdown = np.divide(value, peaks, out=peaks)
    drawdown -= 1
    return drawdown


def max_drawdown(drawdown: Floats, noise: Floats | float = NOISE) -> Floats:
    """Return the deepest of the :func:`drawdowns`, in [-1, 0]."""
    return _without_noise(drawdown.min(axis=0), noise)


def current_drawdown(drawdown: Floats, noise: Floats | float = NOISE) -> Floats:
    """Return the last of the :func:`drawdowns`, in [-1, 0]."""
    return _without_noise(drawdown[-1], noise)


def drawdown_days(drawdown: Floats, noise: Floats | float = NOISE) -> tuple[Integers, Integers, Integers]:
    """Return the rows in :func:`drawdowns` of the peak, the trough and the recovery of the deepest one; -1 is none.

    The peak is the last day at the running maximum before the trough, the recovery the first one after it.
    """
    trough = drawdown.argmin(axis=0)
    # One portfolio per row, in the memory order of the drawdowns.
    at_peak = (drawdown >= -noise).T
    after = np.arange(len(drawdown)) > trough[:, None]
    peak = len(drawdown) - 1 - np.argmax((at_peak & ~after)[:, ::-1], axis=1)
    recovered = at_peak & after
    recovery = np.where(recovered.any(axis=1), recovered.argmax(axis=1), -1)
    fell = max_drawdown(drawdown, noise) < 0
    return np.where(fell, peak, -1), np.where(fell, trough, -1), np.where(fell, recovery, -1)


def calmar_ratio(growth_rate: Floats, deepest: Floats, noise: Floats | float = NOISE) -> Floats:
    """Return the :func:`cagr` divided by the depth of the :func:`max_drawdown`, both of shape ``(portfolios,)``."""
    return quotient(growth_rate, -deepest, noise)


def worst_returns(returns: Floats) -> Floats:
    """Return the lowest returns, ascending, enough rows for a tail of :data:`LARGEST_TAIL`; input of the next two."""
    count = math.ceil((len(returns) - 1) * LARGEST_TAIL) + 1
    worst = np.sort(np.partition(returns, count - 1, axis=0)[:count], axis=0)
    # Sorting puts a NaN last, out of the tail; it must not go unnoticed.
    worst[:, np.isnan(returns).any(axis=0)] = np.nan
    return worst


def value_at_risk(worst: Floats, observations: int, tail: float) -> Floats:
    """Return percentile ``tail`` of the returns with these :func:`worst_returns`, linearly interpolated."""
    position = (observations - 1) * tail
    below = int(position)
    above = math.ceil(position)
    percentile: Floats = worst[below] + (worst[above] - worst[below]) * (position - below)
    return percentile


def conditional_value_at_risk(worst: Floats, observations: int, tail: float) -> Floats:
    """Return the mean of the k + 1 lowest returns, k = int((n - 1) tail), from the :func:`worst_returns`."""
    return worst[: int((observations - 1) * tail) + 1].mean(axis=0)


def gaussian_value_at_risk(mean: Floats, deviation: Floats, tail: float) -> Floats:
    """Return the percentile of normal returns, mean + std(ddof 1) z(tail); both arguments are ``(portfolios,)``."""
    return mean + deviation * NormalDist().inv_cdf(tail)


def standardized(centered_returns: Floats, noise: Floats | float = NOISE) -> Floats:
    """Return (r - mean(r)) / std(r, ddof 0) of :func:`centered` returns, same shape; NaN without variance."""
    return centered_returns * quotient(1.0, np.sqrt(_mean_product(centered_returns, centered_returns)), noise)


def skewness(standard: Floats) -> Floats:
    """Return the biased g1 of :func:`standardized` returns (scipy.stats.skew)."""
    return _mean_product(standard * standard, standard)


def excess_kurtosis(standard: Floats) -> Floats:
    """Return the biased g2 of :func:`standardized` returns (scipy.stats.kurtosis)."""
    squares = standard * standard
    return _mean_product(squares, squares) - 3


def correlation(standard: Floats, standard_benchmark: Floats) -> Floats:
    """Return Pearson's correlation of :func:`standardized` returns with the standardized benchmark."""
    return np.clip(_mean_product(standard, standard_benchmark[:, None]), -1, 1)


def beta(returns: Floats, benchmark: Floats) -> Floats:
    """Return cov(r, b) / var(b)."""
    deviations = benchmark - benchmark.mean()
    variance = float(deviations @ deviations) / len(benchmark)
    # The deviations sum to zero, so the returns need not be centered as well.
    return _mean_product(returns, deviations[:, None]) / (variance if variance > NOISE**2 else np.nan)


def alpha(mean: Floats, benchmark_mean: float, betas: Floats) -> Floats:
    """Return (1 + mean(e) - beta mean(e_b))^252 - 1 of returns over the risk-free rate; undefined for a negative base.

    ``mean`` and ``betas`` are ``(portfolios,)``.
    """
    daily = 1 + mean - betas * benchmark_mean
    return np.where(daily < 0, np.nan, daily) ** TRADING_DAYS - 1


def quotient(numerator: Floats | float, denominator: Floats, noise: Floats | float = NOISE) -> Floats:
    """Return numerator / denominator, undefined where that is up to ``noise`` or infinite."""
    # An infinite denominator is an overflow: a division by it would give a false zero.
    usable = (denominator > noise) & np.isfinite(denominator)
    return numerator / np.where(usable, denominator, np.nan)


def optional(figures: Floats) -> list[float | None]:
    """Return plain floats for records, with ``None`` for every figure that is not finite."""
    (values,) = optional_rows([figures])
    return values


def optional_rows(figures: Iterable[Floats]) -> list[list[float | None]]:
    """Return the rows of :func:`optional` for several arrays of one length, at once."""
    rows = np.stack(list(figures))
    values: list[list[float | None]] = rows.tolist()
    for row, place in np.argwhere(~np.isfinite(rows)).tolist():
        values[row][place] = None
    return values


def _mean_product(left: Floats, right: Floats) -> Floats:
    return _sum_of_products(left, right) / len(left)


def _sum_of_products(left: Floats, right: Floats) -> Floats:
    total: Floats = np.vecdot(left.T, right.T)
    return total


def _without_noise(drawdown: Floats, noise: Floats | float) -> Floats:
    return np.where(drawdown >= -noise, 0.0, drawdown)
