import numpy as np
import pytest
import skfolio
from scipy import stats

from analysis import diversification, measures
from analysis.models import Floats
from tests.builders import a_portfolio, a_table, analyze, random_walk, weekdays

# Two portfolios of three holdings each out of four symbols; 0.0 pads the second one, which holds two.
RETURNS = np.random.default_rng(1).normal(0.0004, [0.005, 0.01, 0.015, 0.02], (300, 4))
SYMBOLS = np.array([[0, 1, 2], [1, 3, 3]])
DAYS = weekdays(300)
WEIGHTS = np.array([[0.4, 0.3, 0.2], [1.2, -0.5, 0.0]])


def holding_returns(returns: Floats = RETURNS) -> Floats:
    of_symbols: Floats = returns.T[SYMBOLS]
    return of_symbols


def deviations(returns: Floats = RETURNS) -> Floats:
    of_symbols: Floats = measures.standard_deviation(measures.centered(returns))[SYMBOLS]
    return of_symbols


def mixed(weights: Floats, returns: Floats = RETURNS) -> Floats:
    combined: Floats = np.einsum("ph,pho->op", weights, holding_returns(returns))
    return combined


def deviation(weights: Floats, returns: Floats) -> Floats:
    return measures.standard_deviation(measures.centered(mixed(weights, returns)))


def contributions(weights: Floats, returns: Floats = RETURNS) -> Floats:
    covariances = diversification.covariances(holding_returns(returns), mixed(weights, returns))
    own, noise = deviation(weights, returns), measures.noise_of(weights)
    return diversification.risk_contributions(weights, covariances, own, noise)


def diversification_ratio(weights: Floats, returns: Floats = RETURNS) -> Floats:
    own, noise = deviation(weights, returns), measures.noise_of(weights)
    return diversification.diversification_ratio(weights, deviations(returns), own, noise)


def average_correlation(weights: Floats, returns: Floats = RETURNS) -> Floats:
    varying = diversification.varying(weights, deviations(returns))
    standard_returns = mixed(diversification.per_deviation(varying, deviations(returns)), returns)
    return diversification.average_correlation(standard_returns, varying)


def test_contributions_agree_with_the_textbook() -> None:
    found_together = contributions(WEIGHTS)

    for symbols, weights, found in zip(SYMBOLS, WEIGHTS, found_together, strict=True):
        covariance = np.cov(RETURNS[:, symbols], rowvar=False)
        expected = weights * (covariance @ weights) / (weights @ covariance @ weights)
        assert found == pytest.approx(expected, rel=1e-12)
    assert found_together.sum(axis=1) == pytest.approx([1, 1], rel=1e-12)


def test_padding_contributes_nothing() -> None:
    assert contributions(WEIGHTS)[1, 2] == 0


@pytest.mark.parametrize("portfolio", [0, 1], ids=["long", "long and short"])
def test_contributions_agree_with_skfolio(portfolio: int) -> None:
    reference = skfolio.Portfolio(X=RETURNS[:, SYMBOLS[portfolio]], weights=WEIGHTS[portfolio])
    # Its contributions are central differences, which are exact for the variance whatever the spacing.
    shares = reference.contribution(measure=skfolio.RiskMeasure.VARIANCE, spacing=0.1, to_df=False)

    assert deviation(WEIGHTS, RETURNS)[portfolio] ** 2 == pytest.approx(reference.variance, rel=1e-9)
    assert contributions(WEIGHTS)[portfolio] == pytest.approx(shares / shares.sum(), rel=1e-9, abs=1e-12)


def test_diversification_of_long_holdings_agrees_with_skfolio() -> None:
    reference = skfolio.Portfolio(X=RETURNS[:, SYMBOLS[0]], weights=WEIGHTS[0])

    ratio = diversification_ratio(WEIGHTS)[0]

    assert ratio == pytest.approx(reference.diversification, rel=1e-9)


def test_diversification_ratio_is_the_average_deviation_over_that_of_the_portfolio() -> None:
    ratios = diversification_ratio(WEIGHTS)

    average = (np.abs(WEIGHTS) * RETURNS.std(axis=0, ddof=1)[SYMBOLS]).sum(axis=1)
    assert ratios == pytest.approx(average / mixed(WEIGHTS).std(axis=0, ddof=1), rel=1e-9)


def test_average_correlation_is_that_of_the_pairs_by_the_product_of_their_weights() -> None:
    averages = average_correlation(WEIGHTS)

    for average, own, pairs in zip(averages, WEIGHTS, ([(0, 1), (0, 2), (1, 2)], [(0, 1)]), strict=True):
        columns = RETURNS[:, SYMBOLS[0 if len(pairs) > 1 else 1]]
        products = np.array([own[i] * own[j] for i, j in pairs])
        expected = [float(stats.pearsonr(columns[:, i], columns[:, j]).statistic) for i, j in pairs]
        assert average == pytest.approx(products @ expected / np.abs(products).sum(), rel=1e-9)


def test_average_correlation_is_undefined_for_one_holding_that_varies() -> None:
    still = RETURNS.copy()
    still[:, 2] = 0.001
    one_and_two = np.array([[1.0, 0.0, 0.0], [1.2, -0.5, 0.0]])

    assert np.isnan(average_correlation(one_and_two)).tolist() == [True, False]
    assert np.isnan(average_correlation(one_and_two, RETURNS * [1, 1, 1, 0])).tolist() == [True, True]
    # One that never moves leaves the average of the others.
    without = np.array([[0.4, 0.3, 0.0], [1.2, -0.5, 0.0]])
    assert average_correlation(WEIGHTS, still)[0] == pytest.approx(average_correlation(without)[0], rel=1e-12)


def test_a_perfect_hedge_has_neither_contributions_nor_a_ratio() -> None:
    twins = RETURNS[:, [0, 0, 1, 1]]
    weights = np.array([[1.0, -1.0, 0.0], [1.0, 0.0, 0.0]])

    assert np.isnan(contributions(weights, twins)).all(axis=1).tolist() == [True, False]
    assert np.isnan(diversification_ratio(weights, twins)).tolist() == [True, False]


def test_rounding_is_no_variance_to_contribute_to() -> None:
    small = RETURNS * 1e-14

    assert np.isnan(contributions(WEIGHTS, small)).all()
    assert np.isnan(diversification_ratio(WEIGHTS, small)).all()


@pytest.mark.parametrize("dust", [1e-3, 1e-7, 1e-12, 1e-200])
def test_the_average_correlation_beside_one_large_holding_is_that_of_its_pairs(dust: float) -> None:
    symbols = {f"S{number}": random_walk(DAYS, number + 1) for number in range(3)}
    table = a_table(symbols, random_walk(DAYS, 9))
    portfolio = a_portfolio().holding("S0", 1e3).holding("S1", 1e3 * dust).holding("S2", -2e3 * dust)

    (report,) = analyze(table, portfolio)

    weights = np.array([holding.weight for holding in report.holdings], dtype=float)
    correlations = np.array(np.corrcoef(table.returns.T))
    # Beside the large holding, the pair of the small ones is nothing.
    products = weights[0] * weights[1:] / dust
    expected = products @ correlations[0, 1:] / np.abs(products).sum()
    assert report.diversification is not None
    assert report.diversification.average_correlation == pytest.approx(expected, abs=max(1e-9, 2 * dust))
