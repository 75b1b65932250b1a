import math

import numpy as np
import pytest
import skfolio
from scipy import stats

from analysis import measures
from analysis.models import Booleans, Floats

# Two portfolios of three holdings each out of four symbols; 0.0 pads the second one, which holds two.
RETURNS = np.random.default_rng(1).normal(0.0004, [0.005, 0.01, 0.015, 0.02], (300, 4))
SYMBOLS = np.array([[0, 1, 2], [1, 3, 3]])
WEIGHTS = np.array([[0.4, 0.3, 0.2], [1.2, -0.5, 0.0]])
HELD = WEIGHTS != 0


def holding_returns(returns: Floats = RETURNS) -> Floats:
    of_symbols: Floats = returns.T[SYMBOLS]
    return of_symbols


def deviations(returns: Floats = RETURNS) -> Floats:
    of_symbols: Floats = measures.standard_deviation(measures.centered(returns))[SYMBOLS]
    return of_symbols


def mixed(weights: Floats, returns: Floats = RETURNS) -> Floats:
    combined: Floats = np.einsum("ph,pho->op", weights, holding_returns(returns))
    return combined


def variance_parts(weights: Floats, returns: Floats = RETURNS) -> Floats:
    covariances = measures.covariances(holding_returns(returns), mixed(weights, returns))
    return measures.variance_parts(weights, covariances, deviations(returns))


def average_correlation(held: Booleans, returns: Floats = RETURNS) -> Floats:
    weights = measures.equal_risk_weights(held, deviations(returns))
    return measures.average_correlation(mixed(weights, returns), held.sum(axis=1))


def test_contributions_agree_with_the_textbook() -> None:
    contributions = measures.risk_contributions(variance_parts(WEIGHTS))

    for symbols, weights, found in zip(SYMBOLS, WEIGHTS, contributions, strict=True):
        covariance = np.cov(RETURNS[:, symbols], rowvar=False)
        expected = weights * (covariance @ weights) / (weights @ covariance @ weights)
        assert found == pytest.approx(expected, rel=1e-12)
    assert contributions.sum(axis=1) == pytest.approx([1, 1], rel=1e-12)


def test_padding_contributes_nothing() -> None:
    assert measures.risk_contributions(variance_parts(WEIGHTS))[1, 2] == 0


@pytest.mark.parametrize("portfolio", [0, 1], ids=["long", "long and short"])
def test_contributions_agree_with_skfolio(portfolio: int) -> None:
    reference = skfolio.Portfolio(X=RETURNS[:, SYMBOLS[portfolio]], weights=WEIGHTS[portfolio])
    # Its contributions are central differences, which are exact for the variance whatever the spacing.
    shares = reference.contribution(measure=skfolio.RiskMeasure.VARIANCE, spacing=0.1, to_df=False)

    parts = variance_parts(WEIGHTS)

    assert parts.sum(axis=1)[portfolio] == pytest.approx(reference.variance, rel=1e-9)
    assert measures.risk_contributions(parts)[portfolio] == pytest.approx(shares / shares.sum(), rel=1e-9, abs=1e-12)


def test_diversification_of_long_holdings_agrees_with_skfolio() -> None:
    reference = skfolio.Portfolio(X=RETURNS[:, SYMBOLS[0]], weights=WEIGHTS[0])

    ratio = measures.diversification_ratio(variance_parts(WEIGHTS), WEIGHTS, deviations())[0]

    assert ratio == pytest.approx(reference.diversification, rel=1e-9)


def test_diversification_ratio_is_the_average_deviation_over_that_of_the_portfolio() -> None:
    ratios = measures.diversification_ratio(variance_parts(WEIGHTS), WEIGHTS, deviations())

    average = (np.abs(WEIGHTS) * RETURNS.std(axis=0, ddof=1)[SYMBOLS]).sum(axis=1)
    assert ratios == pytest.approx(average / mixed(WEIGHTS).std(axis=0, ddof=1), rel=1e-9)


def test_average_correlation_is_the_mean_over_the_pairs_held() -> None:
    averages = average_correlation(HELD)

    for average, pairs in zip(averages, ([(0, 1), (0, 2), (1, 2)], [(1, 3)]), strict=True):
        expected = [float(stats.pearsonr(RETURNS[:, a], RETURNS[:, b]).statistic) for a, b in pairs]
        assert average == pytest.approx(np.mean(expected), rel=1e-9)


def test_average_correlation_is_undefined_for_one_holding_or_one_that_never_moves() -> None:
    still = RETURNS.copy()
    still[:, 2] = 0.001
    one_and_all = np.array([[True, False, False], [True, True, False]])

    assert np.isnan(average_correlation(one_and_all)).tolist() == [True, False]
    assert np.isnan(average_correlation(HELD, still)).tolist() == [True, False]


def test_a_perfect_hedge_has_neither_contributions_nor_a_ratio() -> None:
    twins = RETURNS[:, [0, 0, 1, 1]]
    weights = np.array([[1.0, -1.0, 0.0], [1.0, 0.0, 0.0]])

    parts = variance_parts(weights, twins)

    assert np.isnan(measures.risk_contributions(parts)).all(axis=1).tolist() == [True, False]
    ratios = measures.diversification_ratio(parts, weights, deviations(twins))
    assert np.isnan(ratios).tolist() == [True, False]


def test_rounding_is_no_variance_to_contribute_to() -> None:
    parts = variance_parts(WEIGHTS, RETURNS * 1e-16)

    assert np.isnan(measures.risk_contributions(parts)).all()
    assert all(math.isnan(ratio) for ratio in measures.diversification_ratio(parts, WEIGHTS, deviations()))
