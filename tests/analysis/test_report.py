import math
from copy import replace

import empyrical
import numpy as np
import pytest

from analysis.models import SECTIONS, Report
from records import SymbolIssue
from tests.analysis.market import AS_OF, BENCHMARK, DAYS, EVEN_TABLE, SYMBOLS, TABLE, only, price, returns_of
from tests.builders import PortfolioBuilder, a_portfolio, a_table, analyze, members, without


class TestExclusions:
    def test_a_missing_symbol_keeps_its_quantity_and_its_cost(self) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("A", 10).holding("NONE", 5, 20.0)))

        missing = report.holdings[1]
        known = {
            "symbol": "NONE",
            "quantity": 5,
            "avg_price": 20.0,
            "cost_basis": 100,
            "currency": "USD",
            "fx_rate": 1.0,
        }
        assert members(missing) == {
            **dict.fromkeys(missing.__struct_fields__),
            **known,
            "reason": "missing_price",
        }
        assert report.data_quality is not None
        assert report.data_quality.missing_symbols == ("NONE",)
        assert report.data_quality.coverage == pytest.approx(10 * price("A") / (10 * price("A") + 100))

    @pytest.mark.parametrize(("symbol", "flag"), [("STALE", "stale_symbols"), ("SHORT", "short_history_symbols")])
    def test_stale_and_short_symbols_are_valued_and_flagged_and_the_others_represent_them(
        self, symbol: str, flag: str
    ) -> None:
        value_a, value_b, value_c = 30 * price("A"), 20 * price("B"), 5 * price(symbol)
        report = only(
            analyze(TABLE, a_portfolio().holding("A", 30).holding("B", 20).holding(symbol, 5).cash(1000)),
        )

        assert report.valuation is not None
        assert report.performance is not None
        assert report.data_quality is not None
        assert report.valuation.market_value == pytest.approx(value_a + value_b + value_c)
        assert report.holdings[2].weight == pytest.approx(value_c / (value_a + value_b + value_c + 1000))
        assert report.holdings[2].risk_contribution is None
        assert getattr(report.data_quality, flag) == (symbol,)
        assert report.data_quality.coverage == pytest.approx((value_a + value_b) / (value_a + value_b + value_c))
        weights = np.array([value_a, value_b]) / (value_a + value_b)
        weights *= (value_a + value_b + value_c) / (value_a + value_b + value_c + 1000)
        returns = np.stack([returns_of(SYMBOLS["A"], 599), returns_of(SYMBOLS["B"], 599)], axis=1) @ weights
        assert report.performance.observations == 599
        assert report.performance.cumulative_return == pytest.approx(empyrical.cum_returns_final(returns), rel=1e-9)

    def test_a_stale_price_has_its_date(self) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("A", 10).holding("STALE", 1)))

        assert report.holdings[1].price_date == DAYS[584].item()
        assert report.holdings[1].return_1d is None

    def test_a_coverage_of_one_half_is_sufficient(self) -> None:
        report = only(analyze(EVEN_TABLE, a_portfolio().holding("MOVING", 10).holding("SHORT", 10)))

        assert report.data_quality is not None
        assert (report.data_quality.coverage, report.reason) == (0.5, None)
        assert report.performance is not None

    def test_a_coverage_under_one_half_leaves_no_return_based_figures(self) -> None:
        report = only(analyze(EVEN_TABLE, a_portfolio().holding("MOVING", 10).holding("SHORT", 11)))

        assert (report.status, report.reason) == ("analyzed", "low_coverage")
        assert report.performance is None
        assert report.risk is None
        assert report.diversification is not None
        assert report.diversification.herfindahl_index is not None
        assert report.diversification.diversification_ratio is None
        assert report.diversification.average_correlation is None
        assert [holding.risk_contribution for holding in report.holdings] == [None, None]
        unknown = {check.rule for check in report.checks if check.value is None}
        assert unknown == {"risk_concentration", "volatility", "drawdown", "value_at_risk", "beta", "correlation"}

    def test_long_and_short_that_cancel_are_fine_where_everything_is_included(self) -> None:
        portfolio = a_portfolio().holding("MOVING", 10).holding("STEADY", -10).cash(1000)

        report = only(analyze(EVEN_TABLE, portfolio))

        assert report.valuation is not None
        assert report.valuation.market_value == 0
        assert report.performance is not None
        assert report.reason is None

    def test_a_position_of_zero_does_not_shorten_the_history(self) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("A", 10).holding("YOUNG", 0)))

        assert report.performance is not None
        assert report.performance.observations == 599
        assert report.holdings[1].market_value == 0
        assert report.holdings[1].risk_contribution is None

    def test_invalid_holdings_are_passed_on(self) -> None:
        portfolio = a_portfolio().holding("A", 1).invalid_holding("B", "quantity is text")

        report = only(analyze(TABLE, portfolio))

        assert report.data_quality is not None
        assert report.data_quality.invalid_holdings == portfolio.build().invalid_holdings


class TestSkippedPortfolios:
    @pytest.mark.parametrize(
        ("portfolio", "reason", "missing"),
        [
            (a_portfolio().watching("A").cash(-1), "non_positive_value", ()),
            (a_portfolio().holding("A", -5), "non_positive_value", ()),
            (a_portfolio().holding("A", 1).cash(-1e6), "non_positive_value", ()),
            (a_portfolio().holding("A", 1e307).holding("B", 1e307), "non_finite_value", ()),
            (a_portfolio().holding("A", math.nan), "non_finite_value", ()),
            (a_portfolio().holding("A", 1, math.inf), "non_finite_value", ()),
            (a_portfolio().holding("A", 1).cash(math.nan), "non_finite_value", ()),
        ],
    )
    def test_a_portfolio_without_a_positive_finite_value_is_skipped_with_its_data_quality(
        self, portfolio: PortfolioBuilder, reason: str, missing: tuple[str, ...]
    ) -> None:
        report = only(analyze(TABLE, portfolio))

        assert (report.status, report.reason) == ("skipped", reason)
        assert report.data_quality is not None
        assert report.data_quality.missing_symbols == missing
        assert (report.valuation, report.holdings, report.performance, report.risk) == (None, (), None, None)
        sections = {*SECTIONS} - {"data_quality"}
        assert report.reasons == dict.fromkeys(sections, reason)
        assert (report.diversification, report.checks) == (None, ())

    @pytest.mark.parametrize(
        "portfolio",
        [
            a_portfolio().holding("MOVING", 10).cash(-math.nextafter(1000, 0)),
            a_portfolio().holding("MOVING", 0.1 + 0.2).holding("STEADY", -0.3),
            a_portfolio().holding("MOVING", 0.1 + 0.2).holding("STEADY", -0.2).cash(-10),
        ],
        ids=["holdings and debt", "long and short", "all of them"],
    )
    def test_a_value_that_is_zero_except_for_rounding_counts_as_zero(self, portfolio: PortfolioBuilder) -> None:
        report = only(analyze(EVEN_TABLE, portfolio))

        assert (report.status, report.reason) == ("skipped", "non_positive_value")

    def test_a_small_value_above_rounding_is_analyzed(self) -> None:
        leveraged, tiny = analyze(
            EVEN_TABLE, a_portfolio().holding("MOVING", 10).cash(-999.9999), a_portfolio().cash(1e-300)
        )

        assert (leveraged.status, leveraged.reason) == ("analyzed", None)
        assert (tiny.status, tiny.reason) == ("analyzed", "no_holdings")


class TestUndefined:
    def test_percentages_of_nothing_are_undefined(self) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("A", 10, 0.0)))

        assert report.valuation is not None
        assert report.valuation.unrealized_pl_pct is None
        assert report.holdings[0].unrealized_pl_pct is None

    def test_percentages_of_values_that_cancel_out_are_undefined(self) -> None:
        portfolio = a_portfolio().holding("A", 0.3, 1.0).holding("B", -0.1, 1.0).holding("C", -0.2, 1.0).cash(1e6)

        valuation = only(analyze(TABLE, portfolio)).valuation

        assert valuation is not None
        assert valuation.cost_basis == pytest.approx(0, abs=1e-12)
        assert valuation.unrealized_pl_pct is None

    def test_year_to_date_needs_a_price_from_before_the_year(self) -> None:
        year_start = next(i for i, day in enumerate(DAYS.tolist()) if day.year == AS_OF.year)
        symbols = {
            "BEFORE": without(SYMBOLS["A"], slice(0, year_start - 1)),
            "IN": without(SYMBOLS["A"], slice(0, year_start)),
        }

        before, within = analyze(
            a_table(symbols, BENCHMARK), a_portfolio().holding("BEFORE", 1), a_portfolio().holding("IN", 1)
        )

        assert before.performance is not None
        assert within.performance is not None
        assert before.performance.return_ytd == before.performance.cumulative_return is not None
        assert within.performance.return_ytd is None

    def test_returns_over_more_days_than_observed_are_undefined(self) -> None:
        table = a_table({"A": without(SYMBOLS["A"], slice(0, 500))}, BENCHMARK)

        performance = only(analyze(table, a_portfolio().holding("A", 1))).performance

        assert performance is not None
        assert performance.observations == 99
        assert performance.return_63d is not None
        assert performance.return_252d is None

    def test_prices_that_never_move_give_zeros_and_no_ratios(self) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("FLAT", 10).holding("OTHER FLAT", 10)))

        assert report.performance is not None
        assert report.risk is not None
        assert report.diversification is not None
        assert (report.performance.cumulative_return, report.performance.cagr) == (0, 0)
        known = {name for name, figure in members(report.risk).items() if figure is not None}
        assert known == {
            *("annual_volatility", "downside_deviation", "max_drawdown", "current_drawdown", "beta", "alpha"),
            "risk_free_rate",
            *("value_at_risk_95", "value_at_risk_99", "gaussian_value_at_risk_95", "gaussian_value_at_risk_99"),
            *("conditional_value_at_risk_95", "conditional_value_at_risk_99", "tracking_error", "information_ratio"),
        }
        assert report.risk.max_drawdown == 0
        assert report.diversification.average_correlation is None
        assert report.diversification.diversification_ratio is None
        assert [holding.risk_contribution for holding in report.holdings] == [None, None]

    def test_one_holding_has_all_of_the_risk_and_no_correlation(self) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("A", 10)))

        assert report.holdings[0].risk_contribution == pytest.approx(1)
        assert report.diversification is not None
        assert report.diversification.average_correlation is None
        assert report.diversification.diversification_ratio == pytest.approx(1)

    def test_the_benchmark_held_alone_does_not_differ_from_the_benchmark(self) -> None:
        table = a_table({"INDEX": BENCHMARK}, BENCHMARK)

        risk = only(analyze(table, a_portfolio().holding("INDEX", 3))).risk

        assert risk is not None
        assert risk.beta == pytest.approx(1)
        assert risk.correlation_to_benchmark == pytest.approx(1)
        assert risk.alpha == pytest.approx(0, abs=1e-12)
        assert risk.tracking_error == pytest.approx(0, abs=1e-12)
        assert risk.information_ratio is None

    def test_a_portfolio_that_would_have_lost_more_than_everything_has_no_compounded_figures(self) -> None:
        # Leverage of 100: the long and the short position nearly cancel out.
        report = only(analyze(EVEN_TABLE, a_portfolio().holding("MOVING", 100).holding("STEADY", -99)))

        assert report.performance is not None
        assert report.risk is not None
        assert report.performance.cumulative_return is None
        assert report.risk.max_drawdown is None
        assert report.risk.annual_volatility is not None
        drawdown = next(check for check in report.checks if check.rule == "drawdown")
        assert "lost more than everything" in drawdown.message


class TestNotes:
    def test_a_price_divided_by_later_splits_is_told(self) -> None:
        table = replace(TABLE, later_splits={"A": 4.0, "C": 3.0})

        held, other = analyze(table, a_portfolio().holding("A", 1), a_portfolio().holding("B", 1))

        def told(report: Report) -> list[str]:
            assert report.data_quality is not None
            return [note for note in report.data_quality.notes if "divided" in note]

        assert told(held) == ["A is valued at its price divided by 4, the ratio of its later splits."]
        assert told(other) == []

    def test_issues_of_the_run_are_in_every_report(self) -> None:
        issue = SymbolIssue("SPY", "benchmark_without_dividends", None, "It pays none.")
        table = replace(TABLE, run_issues=(issue,))

        for report in analyze(table, a_portfolio().holding("A", 1), a_portfolio().cash(5), a_portfolio().cash(-5)):
            assert report.data_quality is not None
            assert report.data_quality.price_issues == (issue,)

    def test_the_notes_of_the_documents_are_passed_on(self) -> None:
        portfolio = a_portfolio().holding("A", 1).build()
        analyzed, skipped = (
            PortfolioBuilder(replace(portfolio, notes=("It is no object.",), cash=cash)) for cash in (0.0, -1e9)
        )

        for report in analyze(TABLE, analyzed, skipped):
            assert report.data_quality is not None
            assert report.data_quality.notes[0] == "It is no object."
