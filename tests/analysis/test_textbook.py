"""One portfolio with cash and a short position, worked out step by step with the reference libraries."""

import empyrical
import numpy as np
import pytest
from scipy import stats

from tests.analysis.market import AS_OF, BENCHMARK, DAYS, SYMBOLS, TABLE, YOUNG_DAYS, only, price, returns_of
from tests.analysis.references import risk_of
from tests.builders import a_portfolio, analyze

RATE = 0.02


class TestAgainstTheTextbook:
    symbols = ("A", "B", "YOUNG")
    quantities = np.array([10, -20, 12.5])
    prices = np.array([price(symbol) for symbol in symbols])
    portfolio = a_portfolio().holding("A", 10, 80).holding("B", -20, 50).holding("YOUNG", 12.5, 110).cash(2000)
    report = only(analyze(TABLE, portfolio, risk_free_rate=RATE))
    observations = 299
    weights = quantities * prices / (quantities @ prices + 2000)
    parts = np.column_stack(
        [returns_of(SYMBOLS["A"], 299), returns_of(SYMBOLS["B"], 299), returns_of(SYMBOLS["YOUNG"], 299)]
    )
    daily_rate = (1 + RATE) ** (1 / 252) - 1
    returns = parts @ weights + (1 - weights.sum()) * daily_rate
    benchmark = returns_of(BENCHMARK, 299)

    def test_the_window_starts_where_the_youngest_holding_starts(self) -> None:
        performance = self.report.performance
        assert performance is not None
        assert performance.start == DAYS[YOUNG_DAYS].item()
        assert performance.end == AS_OF
        assert performance.observations == self.observations

    def test_performance(self) -> None:
        performance = self.report.performance
        assert performance is not None
        assert performance.cumulative_return == pytest.approx(empyrical.cum_returns_final(self.returns), rel=1e-9)
        assert performance.cagr == pytest.approx(empyrical.cagr(self.returns), rel=1e-9)
        for name, days in {"1d": 1, "5d": 5, "21d": 21, "63d": 63, "252d": 252}.items():
            expected = np.prod(1 + self.returns[-days:]) - 1
            assert getattr(performance, f"return_{name}") == pytest.approx(expected, rel=1e-9)
        this_year = [day.item().year == AS_OF.year for day in DAYS[-299:]]
        assert performance.return_ytd == pytest.approx(np.prod(1 + self.returns[this_year]) - 1, rel=1e-9)

    def test_risk(self) -> None:
        for name, figure in risk_of(self.returns, self.benchmark, self.daily_rate).items():
            assert getattr(self.report.risk, name) == pytest.approx(figure, rel=1e-9), name
        assert self.report.risk is not None
        assert self.report.risk.risk_free_rate == RATE

    def test_drawdown(self) -> None:
        risk = self.report.risk
        assert risk is not None
        values = np.concatenate([[1.0], np.cumprod(1 + self.returns)])
        dates = DAYS[-300:].tolist()
        falls = values / np.maximum.accumulate(values) - 1
        trough = int(falls.argmin())
        peak = int(values[:trough].argmax())
        later = [day for day in range(trough, 300) if values[day] >= values[peak]]
        assert (risk.max_drawdown_trough, risk.max_drawdown_peak) == (dates[trough], dates[peak])
        assert risk.max_drawdown_recovery == (dates[later[0]] if later else None)
        assert risk.current_drawdown == pytest.approx(falls[-1], rel=1e-9)

    def test_risk_contributions(self) -> None:
        covariance = np.cov(self.parts, rowvar=False)
        expected = self.weights * (covariance @ self.weights) / (self.weights @ covariance @ self.weights)
        assert [holding.risk_contribution for holding in self.report.holdings] == pytest.approx(expected, rel=1e-9)

    def test_diversification(self) -> None:
        diversification = self.report.diversification
        assert diversification is not None
        deviations = self.parts.std(axis=0, ddof=1)
        a, b, young = self.parts.T
        correlations = [stats.pearsonr(*pair).statistic for pair in ((a, b), (a, young), (b, young))]
        products = np.array([self.weights[i] * self.weights[j] for i, j in ((0, 1), (0, 2), (1, 2))])
        shares = np.abs(self.weights) / np.abs(self.weights).sum()
        ratio = np.abs(self.weights) @ deviations / self.returns.std(ddof=1)
        assert diversification.herfindahl_index == pytest.approx((shares**2).sum(), rel=1e-9)
        assert diversification.effective_holdings == pytest.approx(1 / (shares**2).sum(), rel=1e-9)
        assert diversification.largest_weight == pytest.approx(np.abs(self.weights).max(), rel=1e-9)
        assert diversification.diversification_ratio == pytest.approx(ratio, rel=1e-9)
        assert diversification.average_correlation == pytest.approx(
            products @ correlations / np.abs(products).sum(), rel=1e-9
        )

    def test_valuation(self) -> None:
        valuation = self.report.valuation
        assert valuation is not None
        value = self.quantities @ self.prices
        adjusted = np.array([SYMBOLS[symbol].adj_close[-2:] for symbol in self.symbols])
        before = self.quantities * self.prices * adjusted[:, 0] / adjusted[:, 1]
        cost = 10 * 80 - 20 * 50 + 12.5 * 110
        assert valuation.market_value == pytest.approx(value)
        assert valuation.cash == 2000
        assert valuation.cost_basis == pytest.approx(cost)
        assert valuation.unrealized_pl == pytest.approx(value - cost)
        assert valuation.unrealized_pl_pct == pytest.approx(100 * (value - cost) / cost)
        assert valuation.day_change == pytest.approx(value - before.sum())
        assert valuation.day_change_pct == pytest.approx(100 * (value - before.sum()) / np.abs(before).sum())
        assert (valuation.unpriced_cost, valuation.complete) == (0, True)

    def test_holdings(self) -> None:
        _, short, _ = self.report.holdings
        assert (short.symbol, short.quantity, short.avg_price) == ("B", -20, 50)
        assert (short.price, short.price_date) == (price("B"), AS_OF)
        assert short.market_value == pytest.approx(-20 * price("B"))
        assert (short.cost_basis, short.currency, short.reason) == (-1000, "USD", None)
        assert short.weight == pytest.approx(self.weights[1])
        assert short.unrealized_pl == pytest.approx(-20 * price("B") + 20 * 50)
        assert short.unrealized_pl_pct == pytest.approx(100 * (-20 * price("B") + 1000) / 1000)
        own, market = returns_of(SYMBOLS["B"], 599), returns_of(BENCHMARK, 599)
        assert short.return_1d == pytest.approx(own[-1])
        assert short.return_21d == pytest.approx(np.prod(1 + own[-21:]) - 1)
        assert short.return_252d == pytest.approx(np.prod(1 + own[-252:]) - 1)
        assert short.annual_volatility == pytest.approx(empyrical.annual_volatility(own), rel=1e-9)
        assert short.beta == pytest.approx(empyrical.beta_aligned(own, market), rel=1e-9)

    def test_the_base_fields(self) -> None:
        report = self.report
        assert (report.run_id, report.user_id, report.as_of, report.currency) == ("run", "user-1", AS_OF, "USD")
        assert (report.status, report.reason, report.error) == ("analyzed", None, None)

    def test_checks_see_the_figures_of_the_report(self) -> None:
        report = self.report
        assert report.diversification is not None
        assert report.risk is not None
        assert report.risk.beta is not None
        contributions = [h.risk_contribution for h in report.holdings if h.risk_contribution is not None]
        assert {check.rule: check.value for check in report.checks} == {
            "largest_position": report.diversification.largest_weight,
            "effective_holdings": report.diversification.effective_holdings,
            "risk_concentration": max(contributions),
            "volatility": report.risk.annual_volatility,
            "drawdown": report.risk.current_drawdown,
            "value_at_risk": report.risk.value_at_risk_95,
            "beta": abs(report.risk.beta),
            "correlation": report.diversification.average_correlation,
            "gross_exposure": pytest.approx(np.abs(self.weights).sum()),
            # The proceeds of the short position are no spare cash.
            "cash_share": pytest.approx(1 - self.weights.sum() + self.weights[1]),
            "price_coverage": 0.0,
        }
