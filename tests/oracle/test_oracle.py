"""The oracle's own arithmetic, beside the libraries that define it, and what must hold for everybody."""

import math
import random
from collections.abc import Iterator
from datetime import date, timedelta

import empyrical
import numpy as np
import pytest
import talib
from scipy import stats

from tests.oracle import cases, measures
from tests.oracle.bars import split_ratio
from tests.oracle.report import analyze
from tests.oracle.research import DayBar, atr, ema, macd, percent_b, rsi

SEED = 20250630
DAYS = [date(2020, 1, 1) + timedelta(days=at) for at in range(601)]


@pytest.fixture(scope="module")
def returns() -> list[float]:
    chance = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    return [chance.gauss(0.0004, 0.012) for _ in range(600)]


@pytest.fixture(scope="module")
def benchmark(returns: list[float]) -> list[float]:
    chance = random.Random(SEED + 1)  # noqa: S311 - repeatable on purpose
    return [0.6 * r + chance.gauss(0, 0.006) for r in returns]


@pytest.fixture(scope="module")
def closes(returns: list[float]) -> list[float]:
    return [100 * growth for growth in np.cumprod(1 + np.array(returns))]


def test_measures_agree_with_empyrical_and_scipy(returns: list[float], benchmark: list[float]) -> None:
    r, b, rate = np.array(returns), np.array(benchmark), measures.daily_rate(0.03)
    found = measures.risk(returns, benchmark, DAYS, 0.03) | measures.performance(returns, DAYS)
    expected = {
        "cumulative_return": empyrical.cum_returns_final(r),
        "cagr": empyrical.cagr(r),
        "annual_volatility": empyrical.annual_volatility(r),
        "downside_deviation": empyrical.downside_risk(r, required_return=rate),
        "sharpe_ratio": empyrical.sharpe_ratio(r, risk_free=rate),
        "sortino_ratio": empyrical.sortino_ratio(r, required_return=rate),
        "calmar_ratio": empyrical.calmar_ratio(r),
        "omega_ratio": empyrical.omega_ratio(r, risk_free=rate),
        "max_drawdown": empyrical.max_drawdown(r),
        "value_at_risk_95": empyrical.value_at_risk(r, 0.05),
        "value_at_risk_99": empyrical.value_at_risk(r, 0.01),
        "gaussian_value_at_risk_99": stats.norm.ppf(0.01, r.mean(), r.std(ddof=1)),
        "conditional_value_at_risk_95": empyrical.conditional_value_at_risk(r, 0.05),
        "conditional_value_at_risk_99": empyrical.conditional_value_at_risk(r, 0.01),
        "skewness": stats.skew(r),
        "excess_kurtosis": stats.kurtosis(r),
        "beta": empyrical.beta(r, b, risk_free=rate),
        "alpha": empyrical.alpha(r, b, risk_free=rate),
        "correlation_to_benchmark": stats.pearsonr(r, b).statistic,
        "tracking_error": (r - b).std(ddof=1) * math.sqrt(252),
        "information_ratio": empyrical.excess_sharpe(r, b) * math.sqrt(252),
        "return_63d": empyrical.cum_returns_final(r[-63:]),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_greatest_drawdown_has_the_days_of_peak_trough_and_recovery() -> None:
    found = measures.drawdown([0.1, -0.2, 0.05, 0.3, -0.05], DAYS)
    assert found == {
        "max_drawdown": pytest.approx(-0.2),
        "max_drawdown_peak": DAYS[1],
        "max_drawdown_trough": DAYS[2],
        "max_drawdown_recovery": DAYS[4],
        "current_drawdown": pytest.approx(-0.05),
    }


def test_a_loss_from_the_first_day_on_counts_from_the_day_before() -> None:
    found = measures.drawdown([-0.1, 0.05], DAYS)
    assert found["max_drawdown"] == pytest.approx(-0.1)
    assert found["max_drawdown_peak"] == DAYS[0]
    assert found["max_drawdown_recovery"] is None


def test_returns_that_do_not_vary_have_no_ratios() -> None:
    found = measures.risk([0.0] * 300, [0.0] * 300, DAYS[:301], 0.0)
    undefined = {name for name, value in found.items() if value is None}
    assert undefined == {
        "sharpe_ratio", "sortino_ratio", "calmar_ratio", "omega_ratio", "skewness", "excess_kurtosis", "beta", "alpha",
        "correlation_to_benchmark", "information_ratio", "max_drawdown_peak", "max_drawdown_trough",
        "max_drawdown_recovery",
    }  # fmt: skip
    assert found["annual_volatility"] == 0


def test_averages_of_closes_agree_with_talib(closes: list[float]) -> None:
    line, signal, histogram = talib.MACD(np.array(closes), 12, 26, 9)
    own = macd(closes)
    for values, expected in ((own.line, line), (own.signal, signal), (own.histogram, histogram)):
        assert list(values.values()) == pytest.approx(expected[33:].tolist(), rel=1e-9, abs=1e-12)
        assert min(values) == 33
    for period in (12, 26):
        expected = talib.EMA(np.array(closes), period)[period - 1 :]
        assert list(ema(closes, period).values()) == pytest.approx(expected.tolist(), rel=1e-12)


def test_wilder_averages_and_bands_agree_with_talib(closes: list[float]) -> None:
    array = np.array(closes)
    assert list(rsi(closes).values()) == pytest.approx(talib.RSI(array, 14)[14:].tolist(), rel=1e-9)
    chance = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    bars = [
        DayBar(day, close * (1 + chance.random() / 50), close * (1 - chance.random() / 50), close)
        for day, close in zip(DAYS, closes, strict=False)
    ]
    expected = talib.ATR(np.array([bar.high for bar in bars]), np.array([bar.low for bar in bars]), array, 14)[-1]
    assert atr(bars) == pytest.approx(expected, rel=1e-9)
    upper, _, lower = (band[-1] for band in talib.BBANDS(array, 20, 2, 2))
    assert percent_b(closes) == pytest.approx((closes[-1] - lower) / (upper - lower), rel=1e-9)


def test_a_flat_series_has_a_strength_of_50() -> None:
    assert set(rsi([1.003] * 40).values()) == {50.0}


@pytest.mark.parametrize(
    ("factor", "ratio"),
    [
        (10.0, "10"), (10.04, "10"), (10.2, "10"), (2.05, "2"), (1.5, "3/2"), (1.502, "3/2"), (1.3699, None),
        (0.05, "1/20"),
        (1 / 750, "1/750"), (2 / 3, "2/3"), (1.19, None), (2.07, None), (1.2, "6/5"), (1.25, "5/4"), (1.111, None),
        (0.7, None), (0.3, "3/10"), (33.4, "33"), (0.995, None),
    ],
)  # fmt: skip
def test_a_factor_is_a_split_only_near_a_ratio_of_shares(factor: float, ratio: str | None) -> None:
    found = split_ratio(factor)
    assert (None if found is None else str(found)) == ratio


def floats(value: object) -> Iterator[float]:
    if isinstance(value, dict):
        for member in value.values():
            yield from floats(member)
    elif isinstance(value, list):
        for member in value:
            yield from floats(member)
    elif isinstance(value, float):
        yield value


def test_every_figure_of_every_kind_of_person_is_finite_and_the_parts_add_up() -> None:
    for market in cases.markets(SEED)[2:]:
        for person in cases.people(market, SEED, 40):
            report = analyze(market, person)
            assert all(map(math.isfinite, floats(report)))
            holdings = report.get("holdings", [])
            assert isinstance(holdings, list)
            shares = [holding["risk_contribution"] for holding in holdings]
            if any(share is not None for share in shares):
                assert math.fsum(share or 0 for share in shares) == pytest.approx(1, abs=1e-9)


def test_the_same_seed_gives_the_same_cases() -> None:
    first, second = (cases.rising(SEED) for _ in range(2))
    assert first.rows == second.rows
    assert cases.people(first, 1, 20) == cases.people(second, 1, 20)
