"""Leverage magnifies the rounding errors of returns; no figure must result from them."""

from copy import replace

import numpy as np
import pytest

from analysis.models import Risk
from tests.analysis.market import BENCHMARK, DAYS, EVEN_TABLE, ending_at_100, only
from tests.builders import PortfolioBuilder, a_portfolio, a_table, analyze, bars, random_walk

MOVING = ending_at_100(random_walk(DAYS, 11))
TABLE = a_table(
    {
        "EVER UP": ending_at_100(bars(DAYS, np.array([1.00001**day for day in range(len(DAYS))]))),
        "MOVING": MOVING,
        # The same returns except for the last digits.
        "TWIN": replace(MOVING, adj_close=MOVING.adj_close * 0.7),
    },
    BENCHMARK,
)
OVER_THE_VARIANCE = ("sharpe_ratio", "skewness", "excess_kurtosis", "correlation_to_benchmark")
OVER_THE_LOSSES = ("sortino_ratio", "calmar_ratio", "omega_ratio")
OF_A_FALL = ("max_drawdown_peak", "max_drawdown_trough", "max_drawdown_recovery")


def with_gross_weight(gross: float) -> dict[str, PortfolioBuilder]:
    half = gross / 2
    return {
        "constant gain": a_portfolio().holding("EVER UP", gross).cash(100 - 100 * gross),
        "perfect hedge": a_portfolio().holding("MOVING", half).holding("TWIN", -half).cash(100),
    }


@pytest.mark.parametrize("gross", [0.5, 1, 300, 100_000])
@pytest.mark.parametrize("kind", ["constant gain", "perfect hedge"])
def test_a_value_that_only_rounding_moves_has_no_ratio_and_never_fell(kind: str, gross: float) -> None:
    report = only(analyze(TABLE, with_gross_weight(gross)[kind]))

    risk = report.risk
    assert risk is not None
    assert {getattr(risk, name) for name in (*OVER_THE_VARIANCE, *OVER_THE_LOSSES, *OF_A_FALL)} == {None}
    assert (risk.max_drawdown, risk.current_drawdown) == (0, 0)
    assert {holding.risk_contribution for holding in report.holdings} == {None}
    assert report.diversification is not None
    assert report.diversification.diversification_ratio is None


def test_a_portfolio_that_differs_from_the_benchmark_by_rounding_has_no_information_ratio() -> None:
    table = a_table(
        {"INDEX": BENCHMARK, "TWIN": replace(MOVING, adj_close=MOVING.adj_close * 0.7), "MOVING": MOVING}, BENCHMARK
    )
    index = 1_000 / float(BENCHMARK.close[-1])

    risk = only(analyze(table, a_portfolio().holding("INDEX", index).holding("MOVING", 5e3).holding("TWIN", -5e3))).risk

    assert risk is not None
    assert risk.information_ratio is None


def test_a_leveraged_risk_is_not_mistaken_for_rounding() -> None:
    hundredfold, plain = analyze(
        EVEN_TABLE, a_portfolio().holding("STEADY", 100).cash(-9_900), a_portfolio().holding("STEADY", 1)
    )

    def ratios(risk: Risk | None) -> list[float]:
        return [getattr(risk, name) for name in (*OVER_THE_VARIANCE, "sortino_ratio", "omega_ratio")]

    assert ratios(hundredfold.risk) == pytest.approx(ratios(plain.risk), rel=1e-9)
