import math

import numpy as np
import pytest
import skfolio
from scipy import stats

from analysis import measures

RETURNS = np.random.default_rng(1).normal(0.0004, [0.005, 0.01, 0.015, 0.02], (300, 4))
COVARIANCE = np.cov(RETURNS, rowvar=False)
WEIGHTS = np.array([[0.4, 0.0], [0.3, 1.2], [0.2, -0.5], [0.0, 0.1]])


def test_contributions_agree_with_the_textbook() -> None:
    parts = measures.variance_parts(WEIGHTS, COVARIANCE)

    contributions = measures.risk_contributions(parts)

    for i in range(2):
        weights = WEIGHTS[:, i]
        variance = weights @ COVARIANCE @ weights
        expected = [weights[k] * (COVARIANCE[k] @ weights) / variance for k in range(4)]
        assert contributions[:, i] == pytest.approx(expected, rel=1e-12)
    assert contributions.sum(axis=0) == pytest.approx([1, 1], rel=1e-12)


@pytest.mark.parametrize("portfolio", [0, 1], ids=["long", "long and short"])
def test_contributions_agree_with_skfolio(portfolio: int) -> None:
    reference = skfolio.Portfolio(X=RETURNS, weights=WEIGHTS[:, portfolio])
    # Its contributions are central differences, which are exact for the variance whatever the spacing.
    shares = reference.contribution(measure=skfolio.RiskMeasure.VARIANCE, spacing=0.1, to_df=False)

    parts = measures.variance_parts(WEIGHTS, COVARIANCE)

    assert parts.sum(axis=0)[portfolio] == pytest.approx(reference.variance, rel=1e-9)
    assert measures.risk_contributions(parts)[:, portfolio] == pytest.approx(shares / shares.sum(), rel=1e-9)


def test_diversification_of_long_holdings_agrees_with_skfolio() -> None:
    reference = skfolio.Portfolio(X=RETURNS, weights=WEIGHTS[:, 0])

    ratio = measures.diversification_ratio(measures.variance_parts(WEIGHTS, COVARIANCE), WEIGHTS, COVARIANCE)[0]

    assert ratio == pytest.approx(reference.diversification, rel=1e-9)


def test_diversification_ratio_is_the_average_deviation_over_that_of_the_portfolio() -> None:
    parts = measures.variance_parts(WEIGHTS, COVARIANCE)

    ratios = measures.diversification_ratio(parts, WEIGHTS, COVARIANCE)

    deviations = RETURNS.std(axis=0, ddof=1)
    for i in range(2):
        weights = WEIGHTS[:, i]
        portfolio = (RETURNS @ weights).std(ddof=1)
        assert ratios[i] == pytest.approx((np.abs(weights) * deviations).sum() / portfolio, rel=1e-9)


def test_average_correlation_is_the_mean_over_the_pairs_held() -> None:
    averages = measures.average_correlation(WEIGHTS != 0, COVARIANCE)

    pairs = [(0, 1), (0, 2), (1, 2)], [(1, 2), (1, 3), (2, 3)]
    for i in range(2):
        expected = [float(stats.pearsonr(RETURNS[:, a], RETURNS[:, b]).statistic) for a, b in pairs[i]]
        assert averages[i] == pytest.approx(np.mean(expected), rel=1e-9)


def test_average_correlation_is_undefined_for_one_holding_or_one_that_never_moves() -> None:
    returns = np.column_stack([RETURNS, np.full(300, 0.001)])
    held = np.array([[1, 1, 1], [0, 1, 1], [0, 0, 0], [0, 0, 0], [0, 0, 1]], dtype=np.bool_)

    averages = measures.average_correlation(held, np.cov(returns, rowvar=False))

    assert [math.isnan(average) for average in averages] == [True, False, True]


def test_a_perfect_hedge_has_neither_contributions_nor_a_ratio() -> None:
    returns = np.column_stack([RETURNS[:, 0], RETURNS[:, 0], RETURNS[:, 1]])
    covariance = np.cov(returns, rowvar=False)
    weights = np.array([[1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]])

    parts = measures.variance_parts(weights, covariance)

    assert np.isnan(measures.risk_contributions(parts)).all(axis=0).tolist() == [True, False]
    ratios = measures.diversification_ratio(parts, weights, covariance)
    assert np.isnan(ratios).tolist() == [True, False]


def test_rounding_is_no_variance_to_contribute_to() -> None:
    parts = measures.variance_parts(WEIGHTS, COVARIANCE * 1e-32)

    assert np.isnan(measures.risk_contributions(parts)).all()
