import math
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.models import Action, Decision, Holding, Order, OrderPlan, Portfolio
from analysis.orders import plan_orders
from analysis.returns import History, SymbolFigures
from tests.builders import PortfolioBuilder, a_portfolio, a_research


def quote(price: float, history: History = "enough") -> SymbolFigures:
    return SymbolFigures(price, date(2026, 1, 2), history, None, None, None, None, None)


def decision(symbol: str, action: Action, percent: int) -> Decision:
    return Decision(symbol, action, percent, 5, "")


def sell(symbol: str, percent: int = 50) -> Decision:
    return decision(symbol, "SELL", percent)


def buy(symbol: str, percent: int = 10) -> Decision:
    return decision(symbol, "BUY", percent)


def plan(
    portfolio: PortfolioBuilder,
    *decisions: Decision,
    prices: dict[str, float | SymbolFigures] | None = None,
    scores: dict[str, float] | None = None,
) -> OrderPlan:
    """Return the plan at these prices, by default 100, and these scores, by default 0.5."""
    given = prices or {}
    quotes = {}
    for decided in decisions:
        price = given.get(decided.symbol, 100.0)
        quotes[decided.symbol] = price if isinstance(price, SymbolFigures) else quote(price)
    research = {d.symbol: a_research(d.symbol, (scores or {}).get(d.symbol, 0.5)) for d in decisions}
    return plan_orders(portfolio.build(), decisions, quotes, research)


def only(found: OrderPlan) -> Order:
    (order,) = found.orders
    return order


class TestSells:
    def test_a_sale_is_its_percent_of_the_holding_in_whole_shares_rounded_down(self) -> None:
        found = plan(a_portfolio().holding("A", 25), sell("A", 50), prices={"A": 12.5})

        assert only(found) == Order("A", "SELL", 12, 12.5, 150.0, 50.0, 50.0, 1, None)
        assert (found.total_sell_proceeds, found.available_buying_power, found.total_buy_cost) == (150, 150, 0)
        assert (found.scaling_applied, found.scaling_factor, found.orders_skipped) == (False, 1, 0)

    def test_no_more_is_sold_than_is_held_to_the_last_digit(self) -> None:
        held = math.nextafter(10, 0)

        assert only(plan(a_portfolio().holding("A", held), sell("A", 100))).shares == 9

    def test_sells_come_in_descending_proceeds(self) -> None:
        portfolio = a_portfolio().holding("A", 10).holding("B", 10).holding("C", 10).holding("D", 10)

        found = plan(portfolio, sell("D"), sell("A"), sell("B"), sell("C"), prices={"A": 5, "B": 9, "C": 7, "D": 7})

        assert [(order.symbol, order.priority) for order in found.orders] == [("B", 1), ("C", 2), ("D", 3), ("A", 4)]

    def test_less_than_one_share_is_skipped(self) -> None:
        found = plan(a_portfolio().holding("A", 1.5), sell("A"))

        assert only(found) == Order("A", "SELL", 0, 100.0, 0.0, 50.0, 0.0, 1, "less_than_one_share")
        assert (found.orders_skipped, found.total_sell_proceeds) == (1, 0)


class TestBuys:
    def test_a_purchase_is_its_percent_of_the_buying_power_in_whole_shares_rounded_down(self) -> None:
        found = plan(a_portfolio().buying_power(1_000), buy("A"), prices={"A": 30})

        assert only(found) == Order("A", "BUY", 3, 30, 90.0, 10.0, 10.0, 1, None)
        assert (found.total_buy_cost, found.available_buying_power) == (90, 1_000)

    def test_cash_is_not_used_as_buying_power_here(self) -> None:
        # For an account without buying power, the store that reads it uses the cash.
        assert only(plan(a_portfolio().cash(1_000), buy("A"))).skip_reason == "no_buying_power"

    def test_buys_come_after_sells_by_descending_score(self) -> None:
        portfolio = a_portfolio().holding("S", 10).buying_power(10_000)

        found = plan(portfolio, buy("A"), buy("B"), buy("C"), sell("S"), scores={"A": 0.6, "B": 0.9, "C": 0.6})

        assert [(order.symbol, order.priority) for order in found.orders] == [("S", 1), ("B", 2), ("A", 3), ("C", 4)]

    def test_the_size_is_of_the_buying_power_before_the_sells(self) -> None:
        found = plan(a_portfolio().holding("S", 100).buying_power(1_000), sell("S"), buy("A", 10), prices={"A": 10})

        assert found.orders[1].shares == 10
        assert found.available_buying_power == 6_000

    def test_a_purchase_of_less_than_one_share_is_skipped(self) -> None:
        found = plan(a_portfolio().buying_power(1_000), buy("A"), prices={"A": 100.01})

        assert (only(found).skip_reason, only(found).shares, only(found).adjusted_size_percent) == (
            "less_than_one_share",
            0,
            0,
        )

    @pytest.mark.parametrize(
        ("buying_power", "price", "shares"),
        [(1_000, 100, 1), (333, 33.3, 1), (242_392, 295.6, 82), (79_966.06, 420.874, 19), (52_787.2, 329.92, 16)],
    )
    def test_no_share_is_lost_to_rounding(self, buying_power: float, price: float, shares: int) -> None:
        found = plan(a_portfolio().buying_power(buying_power), buy("A"), prices={"A": price})

        assert (only(found).shares, only(found).skip_reason) == (shares, None)

    def test_slightly_less_than_the_price_of_a_share_buys_none(self) -> None:
        found = plan(a_portfolio().buying_power(999.999_999), buy("A"), prices={"A": 100})

        assert only(found).skip_reason == "less_than_one_share"

    def test_the_smallest_buying_power_buys_what_it_can(self) -> None:
        assert only(plan(a_portfolio().buying_power(0.5), buy("A"), prices={"A": 0.01})).shares == 5

    def test_debts_are_paid_before_anything_is_bought(self) -> None:
        found = plan(a_portfolio().holding("S", 10).buying_power(-400), sell("S"), buy("A"))

        assert found.available_buying_power == 100
        assert found.orders[1].skip_reason == "no_buying_power"


class TestScaling:
    def test_buys_that_cost_more_than_is_available_are_all_scaled_by_one_factor(self) -> None:
        buys = [buy(symbol) for symbol in "ABCDEFGHIJKLMNOPQRST"]

        found = plan(a_portfolio().buying_power(1_000), *buys, prices=dict.fromkeys("ABCDEFGHIJKLMNOPQRST", 10.0))

        assert (found.scaling_applied, found.scaling_factor) == (True, 0.5)
        assert {order.shares for order in found.orders} == {5}
        assert {(order.original_size_percent, order.adjusted_size_percent) for order in found.orders} == {(10, 5)}
        assert found.total_buy_cost == found.available_buying_power == 1_000
        assert found.notes == (
            "What is to be bought costs 2,000.00 and 1,000.00 is available: all of it is scaled to 50.0%.",
        )

    def test_proceeds_of_sells_help_to_pay(self) -> None:
        buys = [buy(symbol) for symbol in "ABCDEFGHIJKLMNOPQRST"]

        found = plan(a_portfolio().holding("S", 20).buying_power(1_000), sell("S"), *buys)

        assert (found.available_buying_power, found.total_buy_cost, found.scaling_applied) == (2_000, 2_000, False)

    def test_what_scaling_leaves_less_than_one_share_of_is_skipped(self) -> None:
        buys = [buy(symbol, 60) for symbol in "AB"]

        found = plan(a_portfolio().buying_power(1_000), *buys, prices={"A": 600, "B": 60})

        assert [(order.shares, order.skip_reason) for order in found.orders] == [(0, "less_than_one_share"), (8, None)]
        assert found.orders_skipped == 1
        assert found.orders[0].adjusted_size_percent == 0

    def test_slightly_less_than_the_price_of_two_shares_buys_one(self) -> None:
        # Scaling by 58.9 / 88.35 gives 2.0, rounded up from a little less.
        found = plan(
            a_portfolio().holding("X", -3).buying_power(math.nextafter(58.9, 0)), buy("X", 100), prices={"X": 29.45}
        )

        assert (only(found).shares, found.total_buy_cost) == (1, 29.45)

    def test_shares_that_cost_slightly_too_much_are_reduced_by_one_and_not_by_one_of_each(self) -> None:
        symbols = "ABCDEFGHIJ"

        # Each is three shares for 0.3, and 3 * 0.1 is more than 0.3 in binary floating point.
        found = plan(a_portfolio().buying_power(3), *map(buy, symbols), prices=dict.fromkeys(symbols, 0.1))

        assert [order.shares for order in found.orders] == [3] * 9 + [2]
        assert found.total_buy_cost <= 3


class TestShortPositions:
    def test_what_is_bought_back_comes_before_the_sells_in_descending_cost(self) -> None:
        portfolio = a_portfolio().holding("X", -10).holding("Y", -30).holding("S", 10).buying_power(9_000)

        found = plan(portfolio, sell("S"), buy("X", 50), buy("Y", 50), buy("N"))

        assert [(order.symbol, order.side, order.shares) for order in found.orders] == [
            ("Y", "BUY", 15),
            ("X", "BUY", 5),
            ("S", "SELL", 5),
            ("N", "BUY", 9),
        ]
        assert [order.priority for order in found.orders] == [1, 2, 3, 4]
        assert found.notes == ("Short positions are bought back before anything is sold.",)

    def test_its_size_is_of_the_position_and_it_counts_as_spent(self) -> None:
        found = plan(a_portfolio().holding("X", -10).buying_power(700), buy("X", 75))

        assert (only(found).shares, found.total_buy_cost, found.scaling_applied) == (7, 700, False)

    def test_it_is_scaled_with_the_buys(self) -> None:
        found = plan(a_portfolio().holding("X", -20).buying_power(1_000), buy("X", 75), buy("N", 50))

        assert found.scaling_factor == 0.5
        assert [(order.symbol, order.shares) for order in found.orders] == [("X", 7), ("N", 2)]

    def test_with_too_little_money_for_a_share_it_is_skipped_for_this_reason(self) -> None:
        found = plan(a_portfolio().holding("X", -20).buying_power(0.5), buy("X", 50))

        assert only(found).skip_reason == "less_than_one_share"

    def test_without_any_money_it_is_skipped(self) -> None:
        assert only(plan(a_portfolio().holding("X", -20), buy("X", 50))).skip_reason == "no_buying_power"


class TestSkippedOrders:
    def test_without_decisions_to_act_on_there_is_nothing_to_order(self) -> None:
        found = plan(a_portfolio().buying_power(500), decision("A", "HOLD", 0))

        assert found == OrderPlan((), 0, 0, 500, False, 1, 0, ("There is nothing to order.",))

    def test_an_order_at_a_stale_price_is_skipped(self) -> None:
        found = plan(
            a_portfolio().holding("S", 10).buying_power(1_000),
            sell("S"),
            buy("A"),
            prices={"S": quote(100, "stale"), "A": quote(10, "stale")},
        )

        assert {order.skip_reason for order in found.orders} == {"stale_price"}
        assert (found.total_sell_proceeds, found.total_buy_cost, found.available_buying_power) == (0, 0, 1_000)

    def test_a_short_history_does_not_prevent_an_order(self) -> None:
        assert only(plan(a_portfolio().buying_power(1_000), buy("A"), prices={"A": quote(10, "short")})).shares == 10

    def test_without_a_price_an_order_is_skipped(self) -> None:
        found = plan_orders(a_portfolio().buying_power(1_000).build(), [buy("A")], {}, {"A": a_research("A", 0.9)})

        assert only(found) == Order("A", "BUY", 0, None, 0.0, 10.0, 0.0, 1, "no_price")

    def test_the_maximum_number_of_shares_of_a_holding_is_ordered(self) -> None:
        assert only(plan(a_portfolio().buying_power(1e13), buy("A"), prices={"A": 1})).shares == 10**12
        assert (
            only(plan(a_portfolio().buying_power(1.01e13), buy("A"), prices={"A": 1})).skip_reason == "too_many_shares"
        )

    @pytest.mark.parametrize("price", [1e-12, 5e-324])
    def test_more_shares_than_the_maximum_of_a_holding_are_skipped(self, price: float) -> None:
        found = plan(a_portfolio().buying_power(1e6), buy("A"), prices={"A": price})

        assert (only(found).skip_reason, only(found).shares) == ("too_many_shares", 0)


prices = st.floats(1e-3, 1e5) | st.floats(1e-12, 1e12)
positions = st.tuples(st.floats(-1e6, 1e6), st.sampled_from(["BUY", "SELL", "HOLD"]), st.integers(1, 100), prices)


@settings(deadline=None, max_examples=300)
@given(st.lists(positions, max_size=12), st.floats(-1e6, 1e7))
def test_no_plan_spends_more_than_is_available_or_sells_more_than_is_held(
    given_positions: list[tuple[float, Action, int, float]], buying_power: float
) -> None:
    held = {f"S{i}": quantity for i, (quantity, _, _, _) in enumerate(given_positions)}
    portfolio = Portfolio("user", tuple(Holding(s, q, 1.0) for s, q in held.items()), buying_power=buying_power)
    # A short position is never sold: no decision says so.
    decisions = [
        decision(f"S{i}", "HOLD" if action == "SELL" and quantity < 0 else action, percent)
        for i, (quantity, action, percent, _) in enumerate(given_positions)
    ]
    quotes = {f"S{i}": quote(price) for i, (_, _, _, price) in enumerate(given_positions)}
    research = {symbol: a_research(symbol, 0.7) for symbol in held}

    found = plan_orders(portfolio, decisions, quotes, research)

    bought = math.fsum(order.estimated_cost for order in found.orders if order.side == "BUY")
    sold = math.fsum(order.estimated_cost for order in found.orders if order.side == "SELL")
    assert (found.total_buy_cost, found.total_sell_proceeds) == (bought, sold)
    assert found.available_buying_power == buying_power + sold
    assert bought <= max(found.available_buying_power, 0)
    assert [order.priority for order in found.orders] == list(range(1, len(found.orders) + 1))
    assert found.orders_skipped == sum(order.skip_reason is not None for order in found.orders)
    for order in found.orders:
        assert isinstance(order.shares, int)
        assert order.shares >= 0
        assert (order.shares == 0) == (order.skip_reason is not None)
        assert order.estimated_cost == order.shares * quotes[order.symbol].price
        if order.side == "SELL" or held[order.symbol] < 0:
            assert order.shares <= abs(held[order.symbol])
