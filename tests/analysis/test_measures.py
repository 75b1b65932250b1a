import math
from collections.abc import Callable
from datetime import date

import empyrical
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis import measures
from analysis.models import Floats
from market_data.sample_prices import SampleProvider

RATE = 0.03
DAILY_RATE = 1.03 ** (1 / 252) - 1


def noise(count: int, seed: int, volatility: float = 0.01) -> Floats:
    return np.random.default_rng(seed).normal(0.0004, volatility, count)


def jump(size: float) -> Floats:
    returns = np.zeros(100)
    returns[40] = size
    return returns


SERIES: dict[str, Floats] = {
    "five years": noise(1260, 1),
    "one year": noise(252, 2),
    "63 days": noise(63, 3),
    "two days": np.array([0.01, -0.02]),
    "three days": np.array([-0.01, 0.03, 0.02]),
    "wild": np.random.default_rng(4).lognormal(0.0, 1.5, 300) - 1,
    "almost still": noise(252, 5, 1e-9),
    "rising": np.linspace(0.0001, 0.01, 200),
    "falling": np.linspace(-0.01, -0.0001, 200),
    "one jump": jump(0.3),
    "one drop": jump(-0.3),
    "ends at the bottom": np.concatenate([noise(100, 6), np.full(20, -0.02)]),
    "up and down by the same": np.tile([0.01, -0.01], 60),
    "loses nearly everything": np.concatenate([noise(1200, 8), np.full(60, -0.4)]),
    "still": np.zeros(100),
    "constant gain": np.full(100, 0.001),
    "constant loss": np.full(100, -0.001),
}
BENCHMARK = noise(1260, 7)
REAL = SampleProvider().daily_bars(["AAPL", "AMD", "KO", "XOM", "SP500"], date(2017, 12, 27), date(2022, 12, 28)).bars
SERIES |= {f"real {symbol}": own.adj_close[1:] / own.adj_close[:-1] - 1 for symbol, own in REAL.items()}


def benchmark_for(returns: Floats) -> Floats:
    return BENCHMARK[: len(returns)]


def column(returns: Floats) -> Floats:
    return returns[:, None]


def value_at_risk(returns: Floats, tail: float) -> Floats:
    return measures.value_at_risk(measures.worst_returns(returns), len(returns), tail)


def conditional_value_at_risk(returns: Floats, tail: float) -> Floats:
    return measures.conditional_value_at_risk(measures.worst_returns(returns), len(returns), tail)


def cagr(returns: Floats) -> Floats:
    return measures.cagr(measures.values(returns))


def calmar_ratio(returns: Floats) -> Floats:
    return measures.calmar_ratio(cagr(returns), measures.max_drawdown(measures.drawdowns(measures.values(returns))))


def sharpe_ratio(excess: Floats) -> Floats:
    return measures.sharpe_ratio(excess.mean(axis=0), measures.standard_deviation(measures.centered(excess)))


def sortino_ratio(excess: Floats) -> Floats:
    return measures.sortino_ratio(excess.mean(axis=0), measures.downside_deviation(measures.shortfalls(excess)))


def alpha(returns: Floats, benchmark: Floats) -> Floats:
    mean, benchmark_mean = returns.mean(axis=0) - DAILY_RATE, float(benchmark.mean()) - DAILY_RATE
    return measures.alpha(mean, benchmark_mean, measures.beta(returns, benchmark))


type Measure = Callable[[Floats], Floats]
type Reference = Callable[[Floats], float]

REFERENCES: dict[str, tuple[Measure, Reference]] = {
    "cumulative return": (lambda r: measures.cumulative_return(measures.values(r)), empyrical.cum_returns_final),
    "cagr": (cagr, empyrical.cagr),
    "annual volatility": (measures.annual_volatility, empyrical.annual_volatility),
    "downside deviation": (
        lambda r: measures.annualized(measures.downside_deviation(measures.shortfalls(r - DAILY_RATE))),
        lambda r: empyrical.downside_risk(r, DAILY_RATE),
    ),
    "sharpe ratio": (
        lambda r: sharpe_ratio(r - DAILY_RATE),
        lambda r: empyrical.sharpe_ratio(r, DAILY_RATE),
    ),
    "sortino ratio": (
        lambda r: sortino_ratio(r - DAILY_RATE),
        lambda r: empyrical.sortino_ratio(r, DAILY_RATE),
    ),
    "omega ratio": (
        lambda r: measures.omega_ratio(r - DAILY_RATE, measures.shortfalls(r - DAILY_RATE)),
        lambda r: empyrical.omega_ratio(r, DAILY_RATE),
    ),
    "calmar ratio": (calmar_ratio, empyrical.calmar_ratio),
    "max drawdown": (lambda r: measures.max_drawdown(measures.drawdowns(measures.values(r))), empyrical.max_drawdown),
    "value at risk 95": (lambda r: value_at_risk(r, 0.05), lambda r: empyrical.value_at_risk(r, 0.05)),
    "value at risk 99": (lambda r: value_at_risk(r, 0.01), lambda r: empyrical.value_at_risk(r, 0.01)),
    "conditional value at risk 95": (
        lambda r: conditional_value_at_risk(r, 0.05),
        lambda r: empyrical.conditional_value_at_risk(r, 0.05),
    ),
    "conditional value at risk 99": (
        lambda r: conditional_value_at_risk(r, 0.01),
        lambda r: empyrical.conditional_value_at_risk(r, 0.01),
    ),
    "gaussian value at risk 95": (
        lambda r: measures.gaussian_value_at_risk(
            r.mean(axis=0), measures.standard_deviation(measures.centered(r)), 0.05
        ),
        lambda r: float(stats.norm.ppf(0.05, r.mean(), r.std(ddof=1))),
    ),
    "skewness": (
        lambda r: measures.skewness(measures.standardized(measures.centered(r))),
        lambda r: float(stats.skew(r)),
    ),
    "excess kurtosis": (
        lambda r: measures.excess_kurtosis(measures.standardized(measures.centered(r))),
        lambda r: float(stats.kurtosis(r)),
    ),
    "beta": (
        lambda r: measures.beta(r, benchmark_for(r)),
        lambda r: empyrical.beta_aligned(r, benchmark_for(r)),
    ),
    "alpha": (
        lambda r: alpha(r, benchmark_for(r)),
        lambda r: empyrical.alpha_aligned(r, benchmark_for(r), DAILY_RATE),
    ),
    "tracking error": (
        lambda r: measures.annual_volatility(r - column(benchmark_for(r))),
        lambda r: empyrical.annual_volatility(r - benchmark_for(r)),
    ),
    "information ratio": (
        lambda r: sharpe_ratio(r - column(benchmark_for(r))),
        lambda r: empyrical.excess_sharpe(r, benchmark_for(r)) * math.sqrt(252),
    ),
    "correlation": (
        lambda r: measures.correlation(
            measures.standardized(measures.centered(r)),
            measures.standardized(measures.centered(column(benchmark_for(r))))[:, 0],
        ),
        lambda r: float(stats.pearsonr(r, benchmark_for(r)).statistic),
    ),
}
CONSTANT = ("still", "constant gain", "constant loss")


# Their references warn about a constant series or return infinity; our result for these has its own test.
NEEDS_VARIANCE = ("gaussian value at risk 95", "skewness", "excess kurtosis", "correlation", "sharpe ratio")


@pytest.mark.parametrize(
    ("measure", "series"),
    [
        (measure, series)
        for measure in REFERENCES
        for series in SERIES
        if not (measure in NEEDS_VARIANCE and series in CONSTANT)
    ],
)
def test_a_measure_agrees_with_its_reference(measure: str, series: str) -> None:
    assert_agrees(measure, SERIES[series])


def assert_agrees(measure: str, returns: Floats, rounding: float = 1e-15) -> None:
    ours, reference = REFERENCES[measure]
    figure = float(ours(column(returns))[0])
    expected = float(reference(returns))
    if math.isfinite(expected):
        assert figure == pytest.approx(expected, rel=1e-9, abs=rounding)
    else:
        assert math.isnan(figure)


def moves(low: float, high: float, size: float = 1.0) -> st.SearchStrategy[list[float]]:
    """Return a strategy for returns of four digits: two different ones differ by more than rounding."""
    whole = st.integers(round(low * 10_000), round(high * 10_000))
    return st.lists(whole.map(lambda number: size * number / 10_000), min_size=2, max_size=90)


AWKWARD = {
    "anything": moves(-0.5, 1),
    "rising": moves(0.0001, 0.5),
    "falling": moves(-0.5, -0.0001),
    "one jump": st.builds(
        lambda before, size, after: [0.0] * before + [size] + [0.0] * after,
        st.integers(1, 40),
        st.floats(-0.9, 5).filter(lambda size: abs(size) > 1e-3),
        st.integers(1, 40),
    ),
    "all gaps": st.integers(2, 90).map(lambda days: [0.0] * days),
    "huge": moves(1, 10),
    # Smaller ones lose too many digits in 1 + r to be compared to nine digits.
    "tiny": moves(-1, 1, 1e-2),
}


@pytest.mark.parametrize("measure", REFERENCES)
@settings(deadline=None, max_examples=60)
@given(returns=st.one_of(*AWKWARD.values()).map(np.array))
def test_a_measure_agrees_with_its_reference_on_awkward_series(measure: str, returns: Floats) -> None:
    assume(np.ptp(returns) > 0 or measure not in NEEDS_VARIANCE)
    assert_agrees(measure, returns, rounding=1e-9 if measure in NEEDS_VARIANCE else 1e-12 * np.abs(returns).max())


@pytest.mark.parametrize("measure", REFERENCES)
def test_a_column_alone_gives_what_it_gives_among_others(measure: str) -> None:
    ours, _ = REFERENCES[measure]
    returns = np.stack([noise(500, seed) for seed in range(10, 15)], axis=1)

    together = ours(returns)

    assert together.shape == (5,)
    assert together == pytest.approx([float(ours(returns[:, [i]])[0]) for i in range(5)], rel=1e-12)


@pytest.mark.parametrize("measure", REFERENCES)
def test_a_nan_reaches_its_own_column_only(measure: str) -> None:
    ours, _ = REFERENCES[measure]
    returns = np.stack([noise(500, seed) for seed in range(3)], axis=1)
    expected = ours(returns)
    returns[77, 1] = np.nan

    figures = ours(returns)

    assert math.isnan(figures[1])
    assert figures[[0, 2]] == pytest.approx(expected[[0, 2]], rel=1e-12)


@pytest.mark.parametrize("gain", [0.0, 0.001, -0.001, 0.1 / 3, 0.07])
@pytest.mark.parametrize("observations", [63, 100, 1260])
@pytest.mark.parametrize("measure", ["sharpe ratio", "skewness", "excess kurtosis", "correlation"])
def test_a_measure_divided_by_the_variance_is_undefined_for_a_constant_return(
    measure: str, observations: int, gain: float
) -> None:
    ours, _ = REFERENCES[measure]
    assert math.isnan(ours(np.full((observations, 1), gain))[0])


def test_a_perfect_hedge_has_no_variance_downside_or_drawdown_despite_rounding() -> None:
    returns = column(noise(500, 1) * 1e-16)
    drawdown = measures.drawdowns(measures.values(returns))

    assert math.isnan(sharpe_ratio(returns)[0])
    assert math.isnan(sortino_ratio(returns)[0])
    assert math.isnan(measures.omega_ratio(returns, measures.shortfalls(returns))[0])
    assert measures.max_drawdown(drawdown)[0] == 0
    assert math.isnan(calmar_ratio(returns)[0])


def test_a_deviation_that_overflows_makes_no_ratio_of_zero() -> None:
    returns = column(noise(100, 1) * 1e200)

    with np.errstate(over="ignore"):
        assert math.isnan(sharpe_ratio(returns)[0])
        assert math.isnan(sortino_ratio(returns)[0])
        assert np.isnan(measures.standardized(measures.centered(returns))).all()


def test_without_a_loss_the_ratios_over_the_downside_are_undefined() -> None:
    returns = column(np.abs(noise(100, 1)))

    assert math.isnan(sortino_ratio(returns)[0])
    assert math.isnan(measures.omega_ratio(returns, measures.shortfalls(returns))[0])
    assert measures.downside_deviation(measures.shortfalls(returns))[0] == 0


def test_a_benchmark_that_never_moves_leaves_beta_and_correlation_undefined() -> None:
    returns = column(noise(100, 1))
    benchmark = np.full(100, 0.001)

    assert math.isnan(measures.beta(returns, benchmark)[0])
    standard_benchmark = measures.standardized(measures.centered(column(benchmark)))[:, 0]
    assert math.isnan(measures.correlation(measures.standardized(measures.centered(returns)), standard_benchmark)[0])


def test_nothing_compounds_after_a_day_that_lost_more_than_everything() -> None:
    returns = np.array([[0.1, 0.1], [-1.5, -0.5], [-3.0, 0.2]])

    assert math.isnan(measures.cumulative_return(measures.values(returns))[0])
    assert math.isnan(cagr(returns)[0])
    assert math.isnan(measures.max_drawdown(measures.drawdowns(measures.values(returns)))[0])
    assert measures.cumulative_return(measures.values(returns))[1] == pytest.approx(1.1 * 0.5 * 1.2 - 1)


def test_a_day_that_lost_everything_is_a_total_loss() -> None:
    returns = np.array([[0.1], [-1.0], [0.5]])
    drawdown = measures.drawdowns(measures.values(returns))

    assert measures.cumulative_return(measures.values(returns))[0] == -1
    assert cagr(returns)[0] == -1
    assert measures.max_drawdown(drawdown)[0] == -1
    assert measures.current_drawdown(drawdown)[0] == -1


@pytest.mark.parametrize(
    ("returns", "days"),
    [
        ([0.1, -0.5, 0.1, 1.0], (1, 2, 4)),
        ([-0.5, 1.0], (0, 1, 2)),
        ([0.1, 0.0, -0.5, 0.2], (2, 3, -1)),
        ([0.1, -0.1, 0.2, -0.3, 0.1], (3, 4, -1)),
        ([0.1, 0.1], (-1, -1, -1)),
        ([-0.1, -0.1], (0, 2, -1)),
        ([-0.25, 1 / 3, -0.25, 1 / 3], (0, 1, 2)),
    ],
)
def test_a_drawdown_runs_from_the_last_peak_before_the_trough_to_the_first_after_it(
    returns: list[float], days: tuple[int, int, int]
) -> None:
    # One row more than there are returns: row 0 is the day before the first.
    drawdown = measures.drawdowns(measures.values(column(np.array(returns))))
    assert tuple(int(day[0]) for day in measures.drawdown_days(drawdown)) == days


def test_the_days_of_a_drawdown_agree_with_a_plain_search() -> None:
    returns = np.stack([noise(400, seed) for seed in range(20)], axis=1)
    drawdown = measures.drawdowns(measures.values(returns))

    peaks, troughs, recoveries = measures.drawdown_days(drawdown)

    values = np.concatenate([np.ones((1, 20)), np.cumprod(1 + returns, axis=0)])
    for i, (peak, trough, recovery) in enumerate(zip(peaks, troughs, recoveries, strict=True)):
        value = values[:, i]
        falls = [value[day] / value[: day + 1].max() - 1 for day in range(len(value))]
        assert trough == int(np.argmin(falls))
        assert peak == max(day for day in range(trough) if value[day] == value[: trough + 1].max())
        later = [day for day in range(trough + 1, len(value)) if value[day] >= value[peak]]
        assert recovery == (later[0] if later else -1)
