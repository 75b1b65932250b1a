"""What is owned but has no price, or no known cost, is neither forgotten nor guessed."""

from copy import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.models import Holding, Instrument, Portfolio, Report
from analysis.price_table import PriceTable
from tests.analysis.judged import check, orders_refused, performance, quality, risk, valuation
from tests.analysis.market import BENCHMARK, DAYS, ending_at_100, only
from tests.builders import PortfolioBuilder, a_portfolio, a_research, a_table, analyze, bars, random_walk

NAMES = [f"S{number}" for number in range(8)]
WALKS = {name: ending_at_100(random_walk(DAYS, seed)) for seed, name in enumerate(NAMES, start=30)}
AAPL = bars(DAYS, np.linspace(100, 125.674, len(DAYS)))
TABLE = a_table({**WALKS, "AAPL": AAPL}, BENCHMARK)
OF_ALL = ("largest_position", "effective_holdings", "gross_exposure", "cash_share")


class TestUnpriced:
    # Row 1.
    report = only(analyze(TABLE, a_portfolio().holding("AAPL", 10, 100.0).holding("GONE", 5, 40_000.0)))

    def test_it_counts_at_its_cost_in_coverage_and_nothing_is_sold_beside_it(self) -> None:
        assert quality(self.report).coverage == pytest.approx(1_256.74 / 201_256.74)
        assert (valuation(self.report).unpriced_cost, valuation(self.report).complete) == (200_000, False)
        assert {decision.decision for decision in self.report.decisions} == {"HOLD"}
        assert self.report.order_plan is not None
        assert (self.report.order_plan.orders, orders_refused(self.report)) == ((), "incomplete_valuation")
        assert self.report.reason == "low_coverage"
        assert valuation(self.report).market_value == pytest.approx(1_256.74)

    def test_it_is_in_the_checks_at_its_estimate(self) -> None:
        assert check(self.report, "largest_position").value == pytest.approx(200_000 / 201_256.74)
        assert check(self.report, "gross_exposure").value == pytest.approx(1)
        shares = np.array([1_256.74, 200_000]) / 201_256.74
        assert check(self.report, "effective_holdings").value == pytest.approx(1 / (shares @ shares))
        assert check(self.report, "risk_concentration").status == "unknown"
        assert check(self.report, "price_coverage").status == "breach"

    def test_the_holding_names_its_reason_and_keeps_what_is_known_of_it(self) -> None:
        gone = self.report.holdings[1]
        assert (gone.reason, gone.cost_basis, gone.market_value, gone.weight) == ("missing_price", 200_000, None, None)
        assert self.report.holdings[0].weight == 1

    def test_fifty_times_what_is_priced_leaves_hardly_any_coverage(self) -> None:
        # Row 29.
        report = only(analyze(TABLE, a_portfolio().holding("S0", 10).holding("S1", 10).holding("GONE", 1_000, 100)))

        assert quality(report).coverage == pytest.approx(2_000 / 102_000)
        assert (valuation(report).complete, valuation(report).unpriced_cost) == (False, 100_000)
        assert check(report, "price_coverage").status == "breach"
        assert (report.reason, report.performance) == ("low_coverage", None)

    def test_a_multiplier_that_cannot_be_read_leaves_its_holder_without_that_price_and_no_other(self) -> None:
        bonds = {"S0": Instrument("bond", multiplier=float("nan"))}
        holder, other = analyze(
            TABLE, a_portfolio().holding("S0", 10).holding("S1", 10), a_portfolio().holding("S1", 10), instruments=bonds
        )
        assert (holder.status, holder.holdings[0].price, holder.holdings[0].reason) == (
            "analyzed",
            None,
            "missing_price",
        )
        assert (quality(holder).missing_symbols, quality(holder).coverage) == (("S0",), None)
        assert valuation(holder).market_value == pytest.approx(valuation(other).market_value)
        assert valuation(other).complete

    def test_beside_debt_it_counts_in_the_weights(self) -> None:
        # Row 32.
        table = a_table({"FLAT": bars(DAYS, 100.0), **WALKS}, BENCHMARK)
        unpriced, priced = analyze(
            table,
            a_portfolio().holding("S0", 400).holding("GONE", 300, 100.0).cash(-39_000),
            a_portfolio().holding("S0", 700).cash(-39_000),
        )

        assert unpriced.reason is None
        assert quality(unpriced).coverage == pytest.approx(4 / 7)
        assert performance(unpriced).cumulative_return == pytest.approx(performance(priced).cumulative_return)
        assert risk(unpriced).annual_volatility == pytest.approx(risk(priced).annual_volatility, rel=1e-9)
        assert check(unpriced, "gross_exposure").value == pytest.approx(70_000 / 31_000)
        assert unpriced.stress is not None
        assert unpriced.stress[0].loss == pytest.approx((unpriced.stress[0].return_ or 0) * 31_000)

    def test_a_little_of_it_does_not_stop_orders_but_sells_for_weight(self) -> None:
        # Row 33.
        portfolio = a_portfolio().holding("S0", 999.97).holding("GONE", 1, 3.0).watching("S1").buying_power(1_000)
        report = only(analyze(TABLE, portfolio, research=[a_research("S1", 0.9)]))

        assert (valuation(report).complete, orders_refused(report)) == (False, None)
        assert report.order_plan is not None
        assert [order.symbol for order in report.order_plan.orders] == ["S1"]
        assert [decision.decision for decision in report.decisions] == ["HOLD", "HOLD", "BUY"]
        assert check(report, "largest_position").status == "breach"

    @pytest.mark.parametrize(("unpriced", "reason"), [(10.1, None), (10.2, "incomplete_valuation")])
    def test_more_than_one_percent_of_it_stops_orders(self, unpriced: float, reason: str | None) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("S0", 10).holding("GONE", 1, unpriced)))

        assert orders_refused(report) == reason

    def test_the_size_has_the_multiplier_of_the_instrument(self) -> None:
        instruments = {symbol: Instrument(multiplier=100) for symbol in ("S0", "GONE")}
        portfolio = a_portfolio().holding("S0", 2).holding("GONE", 1, 50.0)

        report = only(analyze(TABLE, portfolio, instruments=instruments))

        assert valuation(report).market_value == pytest.approx(20_000)
        assert valuation(report).unpriced_cost == 5_000
        assert quality(report).coverage == pytest.approx(0.8)


class TestUnknownSize:
    @pytest.mark.parametrize(
        "portfolio",
        [
            a_portfolio().holding("S0", 10).holding("GONE", 5, None),
            a_portfolio().holding("S0", 10).holding("GONE", 5, 0.0),
            a_portfolio().holding("S0", 10).invalid_holding("S1", "quantity is text", None, 10.0),
            a_portfolio().holding("S0", 10).invalid_holding("?", "symbol is not a text that can be one", 5.0, None),
        ],
        ids=["unknown cost", "gift", "no quantity", "neither symbol nor cost"],
    )
    def test_it_makes_coverage_unknown_and_the_rest_is_judged_without_it(self, portfolio: PortfolioBuilder) -> None:
        report, alone = analyze(TABLE, portfolio, a_portfolio().holding("S0", 10))

        assert quality(report).coverage is None
        coverage = check(report, "price_coverage")
        assert (coverage.value, coverage.status) == (None, "breach")
        assert (report.performance, report.risk) == (alone.performance, alone.risk)
        assert {check(report, rule).status for rule in (*OF_ALL, "risk_concentration")} == {"unknown"}
        assert check(report, "volatility").status != "unknown"
        assert (valuation(report).complete, orders_refused(report)) == (False, "incomplete_valuation")
        assert {entry.coverage for entry in report.stress or ()} == {None}

    @pytest.mark.parametrize(
        "portfolio",
        [
            a_portfolio().holding("S0", 10).holding("GONE", 5, None).cash(-1),
            a_portfolio().holding("S0", 10).holding("S1", -1).holding("GONE", 5, None),
            a_portfolio().holding("S0", 10).holding("GONE", -5, None),
            a_portfolio().holding("S0", 10).holding("OTHER", -1, 1.0).holding("GONE", 5, None),
        ],
        ids=["debt", "a short", "itself short", "an unpriced short"],
    )
    def test_beside_debt_or_shorts_it_leaves_no_figures_of_returns(self, portfolio: PortfolioBuilder) -> None:
        report = only(analyze(TABLE, portfolio))

        assert (report.status, report.reason) == ("analyzed", "incomplete_valuation")
        assert (report.performance, report.risk, report.stress) == (None, None, None)
        sections = dict.fromkeys(("performance", "risk", "stress"), "incomplete_valuation")
        assert report.reasons == sections | {"returns": "no_transactions"}
        assert report.holdings[0].weight is not None
        assert report.diversification is not None
        assert report.diversification.average_correlation is None

    def test_a_holding_that_cannot_be_read_is_listed_with_its_reason(self) -> None:
        portfolio = a_portfolio().holding("S0", 10).invalid_holding("S1", "quantity is text", None, 10.0)

        report = only(analyze(TABLE, portfolio))

        listed = report.holdings[1]
        assert (listed.symbol, listed.reason, listed.quantity, listed.price) == ("S1", "invalid", None, None)
        assert quality(report).invalid_holdings == portfolio.build().invalid_holdings
        assert [decision.symbol for decision in report.decisions] == ["S0"]

    def test_a_holding_of_known_size_that_cannot_be_read_counts_at_its_estimate(self) -> None:
        portfolio = (
            a_portfolio().holding("S0", 10).invalid_holding("?", "symbol is not a text that can be one", 5.0, 50.0)
        )

        report = only(analyze(TABLE, portfolio))

        assert valuation(report).unpriced_cost == 250
        assert quality(report).coverage == pytest.approx(1_000 / 1_250)


class TestValuationOnly:
    @pytest.mark.parametrize(
        "portfolio",
        [
            a_portfolio().holding("S0", 10).holding("GONE", 100, 50.0).cash(-2_000),
            a_portfolio().holding("S0", 10).holding("GONE", -100, 50.0).cash(2_000),
            a_portfolio().holding("S0", 10).holding("GONE", 1, None).cash(-1_000),
        ],
        ids=["no total", "no total with the estimates", "no total beside an unknown size"],
    )
    def test_without_a_positive_total_there_are_values_but_no_weights(self, portfolio: PortfolioBuilder) -> None:
        research = [a_research("S0", 0.9)]

        report = only(analyze(TABLE, portfolio, research=research))

        assert (report.status, report.reason) == ("analyzed", "incomplete_valuation")
        sections = ("performance", "risk", "diversification", "stress")
        assert report.reasons == dict.fromkeys(sections, "incomplete_valuation") | {"returns": "no_transactions"}
        assert {getattr(report, section) for section in sections} == {None}
        assert {holding.weight for holding in report.holdings} == {None}
        assert {decision.decision for decision in report.decisions} == {"HOLD"}
        assert orders_refused(report) == "incomplete_valuation"
        assert valuation(report).market_value == pytest.approx(1_000)

    def test_checks_are_of_the_total_with_the_estimates(self) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("S0", 10).holding("GONE", 100, 50.0).cash(-2_000)))

        assert check(report, "gross_exposure").value == pytest.approx(6_000 / 4_000)
        assert check(report, "largest_position").value == pytest.approx(5_000 / 4_000)
        assert check(report, "cash_share").value == pytest.approx(-2_000 / 4_000)

    def test_a_negative_total_leaves_nothing_to_relate_to(self) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("S0", 10).holding("GONE", -100, 50.0).cash(2_000)))

        assert {check(report, rule).status for rule in ("gross_exposure", "cash_share")} == {"unknown"}

    def test_without_any_price_there_are_no_prices(self) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("GONE", 5, 100.0).cash(-100)))

        assert (report.status, report.reason, orders_refused(report)) == ("analyzed", "no_prices", "no_prices")
        assert check(report, "largest_position").value == pytest.approx(500 / 400)
        assert quality(report).coverage == 0


class TestCost:
    @pytest.mark.parametrize(("avg_price", "cost"), [(0.0, 0.0), (None, None), (-3.5, -350.0)])
    def test_a_holding_is_valued_whatever_it_cost(self, avg_price: float | None, cost: float | None) -> None:
        # Row 3.
        report = only(analyze(TABLE, a_portfolio().holding("S0", 100, avg_price)))

        (held,) = report.holdings
        assert (report.status, report.reason) == ("analyzed", None)
        assert held.market_value == pytest.approx(10_000)
        assert held.weight == 1
        assert (held.cost_basis, held.unrealized_pl_pct) == (cost, None)
        assert held.unrealized_pl == (None if cost is None else pytest.approx(10_000 - cost))
        assert valuation(report).cost_basis == cost
        assert valuation(report).complete
        percent = {0.0: None, None: None, -350.0: pytest.approx(100 * 10_350 / 350)}[cost]
        assert valuation(report).unrealized_pl_pct == percent
        assert quality(report).unknown_cost_symbols == (("S0",) if avg_price is None else ())

    def test_a_short_gift_costs_nothing(self) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("S0", -1, 0.0).cash(1_000)))

        assert str(report.holdings[0].cost_basis) == "0.0"

    def test_sums_run_over_known_costs_and_say_so(self) -> None:
        report = only(analyze(TABLE, a_portfolio().holding("S0", 10, 80.0).holding("S1", 5, None)))

        assert valuation(report).cost_basis == 800
        assert valuation(report).unrealized_pl == pytest.approx(200)
        assert valuation(report).unrealized_pl_pct == pytest.approx(25)
        assert any("The cost of 1 of 2 holdings is unknown" in note for note in quality(report).notes)


class TestCashOnly:
    def test_nothing_wants_attention(self) -> None:
        # Row 27.
        report = only(analyze(TABLE, a_portfolio().cash(500)))

        assert (report.status, report.reason) == ("analyzed", "no_holdings")
        assert {entry.status for entry in report.checks} == {"ok", "unknown"}
        assert (check(report, "gross_exposure").value, check(report, "largest_position").value) == (0, 0)
        assert {check(report, rule).status for rule in ("effective_holdings", "cash_share")} == {"unknown"}
        assert report.diversification is None
        own = valuation(report)
        assert (own.market_value, own.cost_basis, own.unrealized_pl, own.day_change) == (0, None, None, None)
        assert quality(report).coverage == 1
        assert orders_refused(report) is None

    def test_nothing_at_all_has_no_exposure_either(self) -> None:
        report, indebted = analyze(TABLE, a_portfolio().watching("S0"), a_portfolio().watching("S0").cash(-1))

        assert (report.status, report.reason) == ("analyzed", "no_holdings")
        assert check(report, "gross_exposure").status == "unknown"
        assert (indebted.status, indebted.reason) == ("skipped", "non_positive_value")


def test_an_earlier_date_than_the_last_plans_no_orders() -> None:
    report = only(analyze(replace(TABLE, newest=False), a_portfolio().holding("S0", 10)))

    assert orders_refused(report) == "past_as_of"


held = st.dictionaries(st.sampled_from(NAMES), st.floats(1, 100) | st.floats(-30, -1), min_size=2, max_size=6)


def without_price(symbol: str) -> PriceTable:
    return replace(
        TABLE,
        columns={name: column for name, column in TABLE.columns.items() if name != symbol},
        figures={name: figures for name, figures in TABLE.figures.items() if name != symbol},
    )


def best_coverage(report: Report) -> float:
    coverage = quality(report).coverage
    assert coverage is not None
    return coverage


@settings(deadline=None, max_examples=100)
@given(held, st.floats(1, 3), st.floats(3e4, 1e6), st.data())
def test_the_loss_of_a_price_hides_nothing(
    quantities: dict[str, float], markup: float, cash: float, data: st.DataObject
) -> None:
    # All prices are 100: the estimates are of at least the value.
    holdings = tuple(Holding(symbol, quantity, 100 * markup) for symbol, quantity in quantities.items())
    portfolio = PortfolioBuilder(Portfolio("user", holdings, cash=cash))
    lost = data.draw(st.sampled_from(sorted(quantities)))

    before, after = only(analyze(TABLE, portfolio)), only(analyze(without_price(lost), portfolio))

    assert best_coverage(after) <= best_coverage(before)
    assert not valuation(after).complete
    sold = {decision.symbol for decision in before.decisions if decision.decision != "HOLD"}
    assert {decision.symbol for decision in after.decisions if decision.decision != "HOLD"} <= sold
    for was, is_now in zip(before.holdings, after.holdings, strict=True):
        assert is_now.market_value == (None if was.symbol == lost else was.market_value)
