"""The figures of the reference libraries for a portfolio's returns."""

import math

import empyrical
from scipy import stats

from analysis.models import Floats


def risk_of(returns: Floats, benchmark: Floats, daily_rate: float) -> dict[str, float]:
    """Return the risk figures of a report, except dates, by name."""
    mean, deviation = returns.mean(), returns.std(ddof=1)
    figures = {
        "annual_volatility": empyrical.annual_volatility(returns),
        "downside_deviation": empyrical.downside_risk(returns, daily_rate),
        "sharpe_ratio": empyrical.sharpe_ratio(returns, daily_rate),
        "sortino_ratio": empyrical.sortino_ratio(returns, daily_rate),
        "calmar_ratio": empyrical.calmar_ratio(returns),
        "omega_ratio": empyrical.omega_ratio(returns, daily_rate),
        "max_drawdown": empyrical.max_drawdown(returns),
        "value_at_risk_95": empyrical.value_at_risk(returns, 0.05),
        "value_at_risk_99": empyrical.value_at_risk(returns, 0.01),
        "gaussian_value_at_risk_95": stats.norm.ppf(0.05, mean, deviation),
        "gaussian_value_at_risk_99": stats.norm.ppf(0.01, mean, deviation),
        "conditional_value_at_risk_95": empyrical.conditional_value_at_risk(returns, 0.05),
        "conditional_value_at_risk_99": empyrical.conditional_value_at_risk(returns, 0.01),
        "skewness": stats.skew(returns),
        "excess_kurtosis": stats.kurtosis(returns),
        "beta": empyrical.beta_aligned(returns, benchmark),
        "alpha": empyrical.alpha_aligned(returns, benchmark, daily_rate),
        "correlation_to_benchmark": stats.pearsonr(returns, benchmark).statistic,
        "tracking_error": empyrical.annual_volatility(returns - benchmark),
        "information_ratio": empyrical.excess_sharpe(returns, benchmark) * math.sqrt(252),
    }
    return {name: float(figure) for name, figure in figures.items()}
