"""The libraries in common use for these figures, each called for the same set, in its usual way.

Every function takes a :class:`Task` and returns, by the names of our own report, the figures with the same definition
as ours, one list entry per portfolio. It computes the rest of the set as well if the library has it, by its own
definition. Figures that a library lacks are left out, except the risk of the parts, which numpy computes instead.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.models import Dates, Floats, Integers

type Figures = dict[str, float | list[float]]


@dataclass(frozen=True, slots=True)
class Task:
    """Daily returns of all symbols, ``(observations, symbols)``, and the holdings of each portfolio.

    ``columns`` and ``weights`` are ``(portfolios, holdings)``; ``dates`` are those of the returns.
    """

    dates: Dates
    returns: Floats
    benchmark: Floats
    columns: Integers
    weights: Floats

    def first(self, portfolios: int) -> "Task":
        """Return the same task for fewer portfolios."""
        return Task(self.dates, self.returns, self.benchmark, self.columns[:portfolios], self.weights[:portfolios])


def textbook_risk(of_holdings: Floats, weights: Floats) -> Figures:
    """Return contributions, diversification ratio and average correlation by plain numpy, for one portfolio."""
    covariance = np.cov(of_holdings, rowvar=False)
    variance = weights @ covariance @ weights
    deviations = np.sqrt(np.diagonal(covariance))
    correlations, products = np.corrcoef(of_holdings, rowvar=False), np.triu(np.outer(weights, weights), 1)
    return {
        "risk_contribution": (weights * (covariance @ weights) / variance).tolist(),
        "diversification_ratio": float(np.abs(weights) @ deviations / np.sqrt(variance)),
        "average_correlation": float((products * correlations).sum() / np.abs(products).sum()),
    }


def one_by_one(measure: Callable[[Floats, Floats, Task, Any], Figures]) -> Callable[[Task], list[Figures]]:
    """Return a function of all portfolios from one of a single portfolio's returns of holdings and weights."""

    def all_of_them(task: Task) -> list[Figures]:
        context: dict[str, Any] = {}
        return [
            measure(task.returns[:, columns], weights, task, context)
            for columns, weights in zip(task.columns, task.weights, strict=True)
        ]

    return all_of_them


def _empyrical(of_holdings: Floats, weights: Floats, task: Task, _: Any) -> Figures:  # noqa: ANN401 - see one_by_one
    empyrical, stats = importlib.import_module("empyrical"), importlib.import_module("scipy.stats")
    returns, benchmark = of_holdings @ weights, task.benchmark
    mean, deviation = returns.mean(), returns.std(ddof=1)
    alpha, beta = empyrical.alpha_beta_aligned(returns, benchmark)
    active = returns - benchmark
    return {
        "cumulative_return": empyrical.cum_returns_final(returns),
        "cagr": empyrical.cagr(returns),
        **{f"return_{days}d": empyrical.cum_returns_final(returns[-days:]) for days in (1, 5, 21, 63, 252)},
        "annual_volatility": empyrical.annual_volatility(returns),
        "downside_deviation": empyrical.downside_risk(returns),
        "sharpe_ratio": empyrical.sharpe_ratio(returns),
        "sortino_ratio": empyrical.sortino_ratio(returns),
        "calmar_ratio": empyrical.calmar_ratio(returns),
        "omega_ratio": empyrical.omega_ratio(returns),
        "max_drawdown": empyrical.max_drawdown(returns),
        "value_at_risk_95": empyrical.value_at_risk(returns, 0.05),
        "value_at_risk_99": empyrical.value_at_risk(returns, 0.01),
        "gaussian_value_at_risk_95": stats.norm.ppf(0.05, mean, deviation),
        "gaussian_value_at_risk_99": stats.norm.ppf(0.01, mean, deviation),
        "conditional_value_at_risk_95": empyrical.conditional_value_at_risk(returns, 0.05),
        "conditional_value_at_risk_99": empyrical.conditional_value_at_risk(returns, 0.01),
        "skewness": stats.skew(returns),
        "excess_kurtosis": stats.kurtosis(returns),
        "beta": beta,
        "alpha": alpha,
        "correlation_to_benchmark": stats.pearsonr(returns, benchmark).statistic,
        "tracking_error": empyrical.annual_volatility(active),
        "information_ratio": empyrical.sharpe_ratio(active),
        **textbook_risk(of_holdings, weights),
    }


def _quantstats(of_holdings: Floats, weights: Floats, task: Task, context: dict[str, Any]) -> Figures:
    pandas, stats = importlib.import_module("pandas"), importlib.import_module("quantstats").stats
    returns = pandas.Series(of_holdings @ weights, index=task.dates)
    if "benchmark" not in context:
        context["benchmark"] = pandas.Series(task.benchmark, index=task.dates)
    benchmark = context["benchmark"]
    stats.cvar(returns), stats.skew(returns), stats.kurtosis(returns), stats.calmar(returns)
    stats.information_ratio(returns, benchmark), stats.r_squared(returns, benchmark)
    return {
        "cumulative_return": stats.comp(returns),
        "cagr": stats.cagr(returns),
        "annual_volatility": stats.volatility(returns),
        "sharpe_ratio": stats.sharpe(returns),
        "sortino_ratio": stats.sortino(returns),
        "omega_ratio": stats.omega(returns),
        "max_drawdown": stats.max_drawdown((1 + returns).cumprod()),
        "gaussian_value_at_risk_95": stats.value_at_risk(returns, confidence=0.95),
        "gaussian_value_at_risk_99": stats.value_at_risk(returns, confidence=0.99),
        "beta": stats.greeks(returns, benchmark)["beta"],
        **textbook_risk(of_holdings, weights),
    }


def _ffn(of_holdings: Floats, weights: Floats, task: Task, _: Any) -> Figures:  # noqa: ANN401 - see one_by_one
    pandas, ffn = importlib.import_module("pandas"), importlib.import_module("ffn")
    returns = of_holdings @ weights
    day_before = task.dates[:1] - np.timedelta64(1, "D")
    dates = np.concatenate([day_before, task.dates])
    stats = ffn.PerformanceStats(pandas.Series(np.cumprod(np.concatenate([[1.0], 1 + returns])), index=dates))
    return {
        "cumulative_return": stats.total_return,
        "annual_volatility": stats.daily_vol,
        "sharpe_ratio": stats.daily_sharpe,
        "sortino_ratio": stats.daily_sortino,
        "max_drawdown": stats.max_drawdown,
        **textbook_risk(of_holdings, weights),
    }


def _skfolio(of_holdings: Floats, weights: Floats, task: Task, _: Any) -> Figures:  # noqa: ANN401 - see one_by_one
    pandas, skfolio = importlib.import_module("pandas"), importlib.import_module("skfolio")
    names = [str(number) for number in range(len(weights))]
    portfolio = skfolio.Portfolio(
        X=pandas.DataFrame(of_holdings, index=task.dates, columns=names), weights=weights, compounded=True
    )
    for other in ("value_at_risk", "cvar", "calmar_ratio", "annualized_sortino_ratio", "skew", "kurtosis"):
        getattr(portfolio, other)
    contributions = np.asarray(portfolio.contribution(measure=skfolio.RiskMeasure.STANDARD_DEVIATION))
    return {
        "annual_volatility": portfolio.annualized_standard_deviation,
        "sharpe_ratio": portfolio.annualized_sharpe_ratio,
        "max_drawdown": -portfolio.max_drawdown,
        "risk_contribution": (contributions / contributions.sum()).tolist(),
    }


def _vectorbt(task: Task) -> list[Figures]:
    pandas = importlib.import_module("pandas")
    importlib.import_module("vectorbt")
    weights = np.zeros((len(task.columns), task.returns.shape[1]))
    np.put_along_axis(weights, task.columns, task.weights, axis=1)
    # With the days of a portfolio contiguous, its fastest layout.
    returns = np.asfortranarray((weights @ task.returns.T).T)
    accessor = pandas.DataFrame(returns, index=task.dates).vbt.returns(freq="1D", year_freq="252 days")
    benchmark = pandas.Series(task.benchmark, index=task.dates)
    accessor.alpha(benchmark)
    figures = {
        "cumulative_return": accessor.total(),
        "cagr": accessor.annualized(),
        "annual_volatility": accessor.annualized_volatility(),
        "downside_deviation": accessor.downside_risk(),
        "sharpe_ratio": accessor.sharpe_ratio(),
        "sortino_ratio": accessor.sortino_ratio(),
        "calmar_ratio": accessor.calmar_ratio(),
        "omega_ratio": accessor.omega_ratio(),
        "max_drawdown": accessor.max_drawdown(),
        "value_at_risk_95": accessor.value_at_risk(cutoff=0.05),
        "value_at_risk_99": accessor.value_at_risk(cutoff=0.01),
        "conditional_value_at_risk_95": accessor.cond_value_at_risk(cutoff=0.05),
        "conditional_value_at_risk_99": accessor.cond_value_at_risk(cutoff=0.01),
        "beta": accessor.beta(benchmark),
    }
    by_portfolio = zip(*(np.asarray(figure).tolist() for figure in figures.values()), strict=True)
    return [dict(zip(figures, row, strict=True)) for row in by_portfolio]


@dataclass(frozen=True, slots=True)
class Peer:
    """A library, its function, and its number of portfolios: a slow one gets fewer, and its time is scaled."""

    name: str
    module: str
    distribution: str
    measure: Callable[[Task], list[Figures]]
    portfolios: int
    lacks: str = ""


PEERS: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("empyrical (arrays)", "empyrical", "empyrical-reloaded", one_by_one(_empyrical), 100),
        Peer("quantstats", "quantstats", "quantstats", one_by_one(_quantstats), 10),
        Peer("ffn", "ffn", "ffn", one_by_one(_ffn), 10, "benchmark figures"),
        Peer("skfolio", "skfolio", "skfolio", one_by_one(_skfolio), 10, "benchmark figures"),
        Peer("vectorbt (batch)", "vectorbt", "vectorbt", _vectorbt, 1_000, "risk contributions, moments"),
    )
}
