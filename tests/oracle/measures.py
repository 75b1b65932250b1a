"""The measures of a series of daily returns, as plain functions of lists.

``None`` is an undefined figure. Deviations, downsides and drawdowns up to 1e-12 count as none.

Reading: nothing compounds once a day lost more than everything, so there is neither growth nor drawdown then.
"""

import math
from collections.abc import Sequence
from datetime import date
from statistics import NormalDist

from tests.oracle.bars import EXACT

YEAR = 252
type Returns = Sequence[float]


def mean(values: Returns) -> float:
    """Return the mean."""
    return math.fsum(values) / len(values)


def covariance(left: Returns, right: Returns) -> float:
    """Return the sample covariance (ddof 1)."""
    return math.sumprod(centered(left), centered(right)) / (len(left) - 1)


def centered(values: Returns) -> list[float]:
    """Return the values less their mean."""
    middle = mean(values)
    return [value - middle for value in values]


def deviation(values: Returns) -> float:
    """Return the sample standard deviation (ddof 1), 0 if it is none."""
    if len(values) < 2:
        return 0.0
    found = math.sqrt(covariance(values, values))
    return found if found > EXACT else 0.0


def compounded(returns: Returns) -> float | None:
    """Return the product of 1 + r, less 1."""
    return None if min(returns) < -1 else math.prod(1 + r for r in returns) - 1


def daily_rate(annual: float) -> float:
    """Return the daily rate of an effective annual one."""
    return math.pow(1 + annual, 1 / YEAR) - 1


def annual_volatility(returns: Returns) -> float:
    """Return the annual standard deviation."""
    return deviation(returns) * math.sqrt(YEAR)


def _downside(returns: Returns, rate: float) -> float:
    found = math.sqrt(mean([min(r - rate, 0) ** 2 for r in returns]))
    return found if found > EXACT else 0.0


def percentile(values: Returns, share: float) -> float:
    """Return the percentile by linear interpolation."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def mean_of_worst(values: Returns, share: float) -> float:
    """Return the mean of the k + 1 smallest values, k = int((n - 1) share)."""
    return mean(sorted(values)[: int((len(values) - 1) * share) + 1])


def gaussian_percentile(returns: Returns, share: float) -> float:
    """Return the percentile of the normal distribution with the same mean and deviation."""
    return mean(returns) + deviation(returns) * NormalDist().inv_cdf(share)


def standardized_moment(returns: Returns, order: int) -> float | None:
    """Return the biased central moment over the power of the biased deviation."""
    if deviation(returns) == 0:
        return None
    differences = centered(returns)
    variance = mean([d**2 for d in differences])
    return mean([d**order for d in differences]) / math.pow(variance, order / 2)


def beta(returns: Returns, benchmark: Returns) -> float | None:
    """Return the beta to the benchmark."""
    if len(returns) < 2 or deviation(benchmark) == 0:
        return None
    return covariance(returns, benchmark) / covariance(benchmark, benchmark)


def correlation(left: Returns, right: Returns) -> float | None:
    """Return Pearson's correlation."""
    if deviation(left) == 0 or deviation(right) == 0:
        return None
    return covariance(left, right) / (deviation(left) * deviation(right))


def drawdown(returns: Returns, days: Sequence[date]) -> dict[str, object]:
    """Return the greatest and the current drawdown; ``days`` has the day before the first return, too.

    Peak and trough are the first days of their value; recovered is the first later day at the peak.
    """
    names = (*(f"max_drawdown{part}" for part in ("", "_peak", "_trough", "_recovery")), "current_drawdown")
    if min(returns) < -1:
        return dict.fromkeys(names)
    value = peak = 1.0
    peak_at = 0
    values = [1.0]
    worst = (0.0, 0, 0)
    for at, r in enumerate(returns, 1):
        value *= 1 + r
        values.append(value)
        if value > peak:
            peak, peak_at = value, at
        if value / peak - 1 < worst[0]:
            worst = (value / peak - 1, peak_at, at)
    current = value / peak - 1
    depth, start, trough = worst
    exists = depth < -EXACT
    recovery = next((at for at in range(trough, len(values)) if values[at] / values[start] - 1 >= -EXACT), None)
    figures = (
        depth if exists else 0.0,
        days[start] if exists else None,
        days[trough] if exists else None,
        days[recovery] if exists and recovery is not None else None,
        current if current < -EXACT else 0.0,
    )
    return dict(zip(names, figures, strict=True))


def performance(returns: Returns, days: Sequence[date]) -> dict[str, object]:
    """Return the section of that name; ``days`` has the day before the first return, too."""
    n = len(returns)
    growth = compounded(returns)
    last_year = [at for at, day in enumerate(days) if day.year < days[-1].year]
    figures: dict[str, object] = {
        "basis": "current_holdings",
        "start": days[0],
        "end": days[-1],
        "observations": n,
        "cumulative_return": growth,
        "cagr": math.prod(1 + r for r in returns) ** (YEAR / n) - 1 if n >= YEAR and growth is not None else None,
        "return_ytd": compounded(returns[last_year[-1] :]) if last_year else None,
    }
    for k in (1, 5, 21, 63, 252):
        figures[f"return_{k}d"] = compounded(returns[n - k :]) if n >= k else None
    return figures


def risk(returns: Returns, benchmark: Returns, days: Sequence[date], annual_rate: float) -> dict[str, object]:
    """Return the section of that name."""
    n, rate = len(returns), daily_rate(annual_rate)
    excess = [r - rate for r in returns]
    active = [r - b for r, b in zip(returns, benchmark, strict=True)]
    downside, gains, losses = _downside(returns, rate), *_sums(excess)
    slope = beta(returns, benchmark)
    kurtosis = standardized_moment(returns, 4)
    falls = drawdown(returns, days)
    deepest = falls["max_drawdown"]
    growth = performance(returns, days)["cagr"]
    figures: dict[str, object] = {
        "annual_volatility": annual_volatility(returns),
        "downside_deviation": downside * math.sqrt(YEAR),
        "sharpe_ratio": _ratio(mean(excess) * math.sqrt(YEAR), deviation(excess)),
        "sortino_ratio": _ratio(mean(excess) * math.sqrt(YEAR), downside),
        "calmar_ratio": growth / -deepest
        if isinstance(growth, float) and isinstance(deepest, float) and deepest
        else None,
        "omega_ratio": gains / losses if losses > EXACT else None,
        **falls,
        "value_at_risk_95": percentile(returns, 0.05),
        "value_at_risk_99": percentile(returns, 0.01),
        "gaussian_value_at_risk_95": gaussian_percentile(returns, 0.05),
        "gaussian_value_at_risk_99": gaussian_percentile(returns, 0.01),
        "conditional_value_at_risk_95": mean_of_worst(returns, 0.05),
        "conditional_value_at_risk_99": mean_of_worst(returns, 0.01),
        "skewness": standardized_moment(returns, 3),
        "excess_kurtosis": kurtosis - 3 if kurtosis is not None else None,
        "beta": slope,
        "alpha": _alpha(excess, [b - rate for b in benchmark], slope),
        "correlation_to_benchmark": correlation(returns, benchmark),
        "tracking_error": deviation(active) * math.sqrt(YEAR),
        "information_ratio": _ratio(mean(active) * math.sqrt(YEAR), deviation(active)),
    }
    for name in _NEED_A_YEAR if n < YEAR else ():
        figures[name] = None
    for name in ("value_at_risk_95", "conditional_value_at_risk_95") if n < 125 else ():
        figures[name] = None
    return figures


_NEED_A_YEAR = (
    "calmar_ratio", "alpha", "sharpe_ratio", "sortino_ratio", "information_ratio", "value_at_risk_99",
    "gaussian_value_at_risk_99", "conditional_value_at_risk_99",
)  # fmt: skip


def _sums(excess: Returns) -> tuple[float, float]:
    return math.fsum(max(e, 0) for e in excess), math.fsum(max(-e, 0) for e in excess)


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator > EXACT else None


def _alpha(excess: Returns, benchmark_excess: Returns, slope: float | None) -> float | None:
    if slope is None:
        return None
    daily = mean([e - slope * b for e, b in zip(excess, benchmark_excess, strict=True)])
    return (1 + daily) ** YEAR - 1
