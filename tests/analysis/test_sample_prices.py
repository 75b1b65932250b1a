"""Whole reports over the real sample prices, each figure against an independent implementation."""

from datetime import date

import empyrical
import numpy as np
import pytest
import skfolio

from analysis.models import Floats, Report
from analysis.prices import Bars
from market_data.sample_prices import SampleProvider
from tests.analysis.market import only
from tests.analysis.references import risk_of
from tests.builders import PortfolioBuilder, a_portfolio, a_table, analyze

RATE, DAILY_RATE = 0.015, 1.015 ** (1 / 252) - 1
AS_OF, OBSERVATIONS = date(2022, 12, 28), 1260
SYMBOLS = ("AAPL", "AMD", "BAC", "CVX", "GE", "JNJ", "KO", "MSFT", "PFE", "XOM")
BARS = SampleProvider().daily_bars((*SYMBOLS, "SP500"), date(2007, 1, 1), AS_OF).bars
BENCHMARK = BARS["SP500"]
TABLE = a_table({symbol: BARS[symbol] for symbol in SYMBOLS}, BENCHMARK)

PORTFOLIOS = {
    "one": a_portfolio().holding("AAPL", 10),
    "all": a_portfolio().holding("AAPL", 90).holding("AMD", 35).holding("BAC", 70.5).holding("CVX", 16).holding("GE", 2)
    .holding("JNJ", 9).holding("KO", 60).holding("MSFT", 4).holding("PFE", 38).holding("XOM", 30).cash(2_500),
    "long and short": a_portfolio().holding("MSFT", 50).holding("AMD", -60).holding("KO", 160).cash(14_000),
}  # fmt: skip


def returns_of(own: Bars) -> Floats:
    prices = own.adj_close[-OBSERVATIONS - 1 :]
    return prices[1:] / prices[:-1] - 1


@pytest.fixture(params=PORTFOLIOS)
def portfolio(request: pytest.FixtureRequest) -> PortfolioBuilder:
    return PORTFOLIOS[request.param]


@pytest.fixture
def report(portfolio: PortfolioBuilder) -> Report:
    return only(analyze(TABLE, portfolio, risk_free_rate=RATE))


@pytest.fixture
def parts(portfolio: PortfolioBuilder) -> tuple[Floats, Floats]:
    """Return the returns of the holdings and of cash, one column each, and their weights."""
    holdings, cash = portfolio.build().holdings, portfolio.build().cash
    values = np.array([holding.quantity * BARS[holding.symbol].close[-1] for holding in holdings])
    own = [*(returns_of(BARS[holding.symbol]) for holding in holdings), np.full(OBSERVATIONS, DAILY_RATE)]
    return np.stack(own, axis=1), np.append(values, cash) / (values.sum() + cash)


def test_risk_agrees_with_empyrical_and_scipy(report: Report, parts: tuple[Floats, Floats]) -> None:
    returns, weights = parts

    for name, figure in risk_of(returns @ weights, returns_of(BENCHMARK), DAILY_RATE).items():
        assert getattr(report.risk, name) == pytest.approx(figure, rel=1e-9), name


def test_performance_agrees_with_empyrical(report: Report, parts: tuple[Floats, Floats]) -> None:
    returns, weights = parts

    assert report.performance is not None
    assert report.performance.observations == OBSERVATIONS
    assert report.performance.cagr == pytest.approx(empyrical.cagr(returns @ weights), rel=1e-9)
    for days in (1, 5, 21, 63, 252):
        expected = empyrical.cum_returns_final((returns @ weights)[-days:])
        assert getattr(report.performance, f"return_{days}d") == pytest.approx(expected, rel=1e-9)


def test_risk_contributions_agree_with_skfolio(report: Report, parts: tuple[Floats, Floats]) -> None:
    returns, weights = parts[0][:, :-1], parts[1][:-1]
    reference = skfolio.Portfolio(X=returns, weights=weights)
    # Its contributions are central differences, which are exact for the variance whatever the spacing.
    contributions = reference.contribution(measure=skfolio.RiskMeasure.VARIANCE, spacing=0.1, to_df=False)

    expected = contributions / contributions.sum()
    assert [holding.risk_contribution for holding in report.holdings] == pytest.approx(expected, rel=1e-9)


def test_episodes_agree_with_the_closes_of_their_days(report: Report, parts: tuple[Floats, Floats]) -> None:
    weights = parts[1][:-1]
    dates = BENCHMARK.dates
    stress = {entry.scenario: entry.return_ for entry in report.stress or ()}

    for name, start, end in (
        ("covid_crash", "2020-02-19", "2020-03-23"),
        ("inflation_bear_2022", "2022-01-03", "2022-10-12"),
    ):
        rows = dates.searchsorted(np.array([start, end], dtype="datetime64[D]"))
        assert dates[rows].astype(str).tolist() == [start, end]
        closes = np.stack([BARS[holding.symbol].adj_close[rows] for holding in report.holdings])
        assert stress[name] == pytest.approx(weights @ (closes[:, 1] / closes[:, 0] - 1), rel=1e-9)
    assert stress["global_financial_crisis"] is None  # the sample begins in 2010
