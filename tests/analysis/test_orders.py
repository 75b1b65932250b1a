import math
from copy import replace

import pytest

from analysis.models import Instrument, Order, OrderPlan
from analysis.orders import OrderPlanner
from tests.analysis.advice import buy, decision, plan, quote, sell, situation, valued
from tests.analysis.advice import decide as decide_on
from tests.builders import a_portfolio, a_research


def only(found: OrderPlan) -> Order:
    (order,) = found.orders
    return order


def placed(found: OrderPlan) -> list[tuple[str, str, float]]:
    return [(order.symbol, order.side, order.shares) for order in found.orders]


def skipped(found: OrderPlan) -> dict[str, str]:
    return {order.symbol: order.skip_reason for order in found.orders if order.skip_reason}


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

        assert only(found) == Order("A", "SELL", 0, 100.0, 0.0, 50.0, 0.0, 1, "less_than_one_lot")
        assert (found.orders_skipped, found.total_sell_proceeds) == (1, 0)


class TestCovers:
    def test_they_come_after_the_sells_by_ascending_cost_and_before_the_buys(self) -> None:
        portfolio = a_portfolio().holding("X", -30).holding("Y", -10).holding("S", 10)

        found = plan(portfolio.cash(9_000).buying_power(9_000), buy("N"), buy("X", 50), buy("Y", 50), sell("S"))

        assert placed(found) == [("S", "SELL", 5), ("Y", "BUY", 5), ("X", "BUY", 15), ("N", "BUY", 9)]
        assert [order.priority for order in found.orders] == [1, 2, 3, 4]
        assert found.total_buy_cost == 500 + 1_500 + 900
        assert found.available_buying_power == 9_000 + 500 - 2_000
        assert found.notes == ("Short positions are covered from cash and sell proceeds before anything is bought.",)

    def test_a_short_position_is_covered_from_cash_without_any_buying_power(self) -> None:
        # Short by 6,000 with 16,000 in cash: 60 % of a total value of 10,000, three times what covers it.
        covering = decide_on([valued("X", -0.6)], [a_research("X", 0.0)], found=situation())["X"]

        found = plan(a_portfolio().holding("X", -60).cash(16_000).buying_power(0), buy("N"), covering)

        assert (covering.decision, covering.position_size_percent) == ("BUY", 67)
        assert placed(found) == [("X", "BUY", 40), ("N", "BUY", 0)]
        assert skipped(found) == {"N": "less_than_one_lot"}  # 10 % of nothing
        assert (found.available_buying_power, found.scaling_applied) == (0, False)

    def test_beyond_cash_and_proceeds_the_dearest_are_cut(self) -> None:
        portfolio = a_portfolio().holding("A", -10).holding("B", -20).holding("C", -30).holding("S", 10)

        found = plan(portfolio.cash(1_150), sell("S", 100), *[buy(symbol, 100) for symbol in "CBA"])

        assert placed(found) == [("S", "SELL", 10), ("A", "BUY", 10), ("B", "BUY", 11), ("C", "BUY", 0)]
        assert skipped(found) == {"C": "no_cash"}
        assert [order.adjusted_size_percent for order in found.orders] == [100, 100, pytest.approx(57.5), 0]
        assert found.scaling_applied is False
        assert found.notes[1].startswith("These do not pay for all of it")

    def test_what_the_cut_leaves_is_not_passed_on_to_dearer_ones(self) -> None:
        # 150 of the 200 for B are there, but B costs 200 a share; C, at 50 a share, stays cut.
        portfolio = a_portfolio().holding("A", -1).holding("B", -1).holding("C", -6).cash(250)

        found = plan(portfolio, *[buy(symbol, 100) for symbol in "ABC"], prices={"B": 200, "C": 50})

        assert placed(found) == [("A", "BUY", 1), ("B", "BUY", 0), ("C", "BUY", 0)]
        assert skipped(found) == {"B": "no_cash", "C": "no_cash"}

    def test_with_debt_beyond_the_proceeds_none_is_covered(self) -> None:
        found = plan(a_portfolio().holding("X", -10).cash(-500).buying_power(2_000), buy("X", 50))

        assert skipped(found) == {"X": "no_cash"}


class TestBuys:
    def test_one_is_its_percent_of_the_buying_power_in_whole_shares_rounded_down(self) -> None:
        found = plan(a_portfolio().buying_power(1_000), buy("A"), prices={"A": 30})

        assert only(found) == Order("A", "BUY", 3, 30, 90.0, 10.0, 10.0, 1, None)
        assert (found.total_buy_cost, found.available_buying_power) == (90, 1_000)

    def test_they_come_by_descending_score_then_momentum_then_symbol(self) -> None:
        decisions = [buy(symbol, 1) for symbol in "ABCDE"]
        momentum = {"A": None, "B": None, "C": -0.1, "D": 0.3, "E": 0.3}
        research = {
            symbol: replace(a_research(symbol, 0.9 if symbol == "B" else 0.6), momentum_12_1=own)
            for symbol, own in momentum.items()
        }
        owner = a_portfolio().buying_power(10_000).build()

        found = OrderPlanner({symbol: quote(10) for symbol in "ABCDE"}, research, {}).plan(owner, decisions, None)

        assert [order.symbol for order in found.orders] == ["B", "D", "E", "C", "A"]

    def test_the_size_is_of_the_buying_power_before_the_sells(self) -> None:
        found = plan(a_portfolio().holding("S", 100).buying_power(1_000), sell("S"), buy("A", 10), prices={"A": 10})

        assert found.orders[1].shares == 10
        assert found.available_buying_power == 6_000

    @pytest.mark.parametrize(
        ("buying_power", "price", "shares"),
        [(1_000, 100, 1), (333, 33.3, 1), (242_392, 295.6, 82), (79_966.06, 420.874, 19), (52_787.2, 329.92, 16)],
    )
    def test_no_share_is_lost_to_rounding(self, buying_power: float, price: float, shares: int) -> None:
        found = plan(a_portfolio().buying_power(buying_power), buy("A"), prices={"A": price})

        assert (only(found).shares, only(found).skip_reason) == (shares, None)

    def test_a_planned_size_below_one_share_is_skipped_and_counts_in_no_sum(self) -> None:
        found = plan(a_portfolio().buying_power(1_000), buy("A", 99), buy("B", 90), prices={"A": 999})

        assert skipped(found) == {"A": "less_than_one_lot"}
        assert placed(found)[1] == ("B", "BUY", 9)
        assert found.scaling_applied is False

    def test_ten_buys_of_a_tenth_are_not_scaled_for_a_rounding_error(self) -> None:
        found = plan(a_portfolio().buying_power(333), *[buy(f"S{i}") for i in range(10)], prices=dict.fromkeys(
            [f"S{i}" for i in range(10)], 33.3
        ))  # fmt: skip

        assert found.scaling_applied is False
        assert sum(order.shares for order in found.orders) in (9, 10)
        assert found.total_buy_cost <= 333

    def test_debts_are_paid_before_anything_is_bought(self) -> None:
        found = plan(a_portfolio().holding("S", 10).buying_power(-400), sell("S"), buy("A"))

        assert found.available_buying_power == 100
        assert skipped(found) == {"A": "less_than_one_lot"}  # 10 % of a negative buying power

    @pytest.mark.parametrize("buying_power", [0.0, -100.0])
    def test_without_anything_available_nothing_is_bought(self, buying_power: float) -> None:
        found = plan(a_portfolio().cash(1_000).buying_power(buying_power), buy("A"))

        assert (only(found).skip_reason, found.available_buying_power) == ("less_than_one_lot", 0)

    def test_covers_may_leave_nothing_available(self) -> None:
        portfolio = a_portfolio().holding("X", -10).cash(1_000).buying_power(1_000)

        found = plan(portfolio, buy("X", 100), buy("A", 100), buy("B", 100), prices={"B": 5_000})

        assert skipped(found) == {"A": "no_buying_power", "B": "less_than_one_lot"}
        assert found.available_buying_power == 0


class TestTooManyBuys:
    def test_81_buys_for_10000_spend_it_on_the_best_scores(self) -> None:
        symbols = [f"S{i:02}" for i in range(81)]
        scores = {symbol: round(1 - i / 200, 3) for i, symbol in enumerate(symbols)}

        found = plan(
            a_portfolio().buying_power(10_000),
            *map(buy, symbols),
            prices=dict.fromkeys(symbols, 37.0),
            scores=scores,
        )

        bought = [order.symbol for order in found.orders if not order.skip_reason]
        assert bought == symbols[:20]  # 500 each, half the size; with 21 it would be less
        assert set(skipped(found).values()) == {"lower_score"}
        assert (found.scaling_factor, found.orders_skipped) == (0.5, 61)
        assert 10_000 - found.total_buy_cost < 37

    def test_the_lowest_scores_are_dropped_only_until_half_the_size_is_left(self) -> None:
        # 900 + 900 + 300 = 2,100 for 1,000 is less than half; without the last it is 1,000 of 1,800.
        found = plan(
            a_portfolio().buying_power(1_000), buy("A", 90), buy("B", 90), buy("C", 30), prices={"A": 1, "B": 1}
        )

        assert skipped(found) == {"C": "lower_score"}
        assert found.scaling_factor == pytest.approx(1_000 / 1_800)
        assert placed(found)[:2] == [("A", "BUY", 500), ("B", "BUY", 500)]
        assert [order.adjusted_size_percent for order in found.orders] == [pytest.approx(50), pytest.approx(50), 0]

    def test_exactly_half_the_size_is_enough(self) -> None:
        found = plan(a_portfolio().buying_power(1_000), *[buy(symbol, 50) for symbol in "ABCD"])

        assert (skipped(found), found.scaling_factor) == ({}, 0.5)

    def test_what_is_left_after_the_best_is_spent_in_full_if_it_is_enough(self) -> None:
        found = plan(a_portfolio().buying_power(1_000), buy("A", 40), buy("B", 999), scores={"A": 0.9})

        assert placed(found) == [("A", "BUY", 4), ("B", "BUY", 0)]
        assert (found.scaling_applied, found.scaling_factor, skipped(found)) == (False, 1, {"B": "lower_score"})
        assert found.orders[0].adjusted_size_percent == 40

    def test_even_the_best_is_dropped_if_less_than_half_of_it_is_affordable(self) -> None:
        portfolio = a_portfolio().holding("X", -9).cash(900).buying_power(1_000)

        found = plan(portfolio, buy("X", 100), buy("A", 50), buy("B", 50), prices={"A": 10}, scores={"A": 0.9})

        assert placed(found)[1:] == [("A", "BUY", 0), ("B", "BUY", 0)]
        assert skipped(found) == {"A": "lower_score", "B": "lower_score"}
        assert (found.scaling_applied, found.scaling_factor) == (False, 1)

    def test_what_rounding_leaves_buys_one_more_share_each_in_one_pass(self) -> None:
        # 2/3 of 300 each: 1 of 110, 6 of 30, 4 of 45; the 550 - 470 left buy one more of 30 and of 45, not of 110.
        found = plan(
            a_portfolio().buying_power(550),
            *[buy(symbol, 50) for symbol in "ABC"],
            prices={"A": 110, "B": 30, "C": 45},
        )

        assert found.scaling_factor == pytest.approx(2 / 3)
        assert placed(found) == [("A", "BUY", 1), ("B", "BUY", 7), ("C", "BUY", 5)]
        assert found.total_buy_cost == 110 + 210 + 225

    def test_one_scaled_below_a_share_is_bought_if_the_rest_pays_for_it(self) -> None:
        # Half of 150 is no share of 100, but one fits what is left and what was planned.
        found = plan(a_portfolio().buying_power(150), buy("A", 100), buy("B", 100), prices={"B": 25})

        assert placed(found) == [("A", "BUY", 0), ("B", "BUY", 4)]
        assert skipped(found) == {"A": "less_than_one_lot"}
        rich = plan(a_portfolio().buying_power(190), buy("A", 100), buy("B", 100), prices={"B": 25})
        assert placed(rich) == [("A", "BUY", 1), ("B", "BUY", 3)]

    def test_a_limited_and_an_unlimited_size_are_scaled_by_one_factor(self) -> None:
        found = plan(a_portfolio().buying_power(1_000), buy("A", 100), buy("B", 25), prices={"A": 1, "B": 1})

        assert found.scaling_factor == pytest.approx(0.8)
        assert placed(found) == [("A", "BUY", 800), ("B", "BUY", 200)]

    def test_shares_that_cost_slightly_too_much_are_reduced_by_one_and_not_by_one_of_each(self) -> None:
        symbols = "ABCDEFGHIJ"

        # Each is three shares for 0.3, and 3 * 0.1 is more than 0.3 in binary floating point.
        found = plan(a_portfolio().buying_power(3), *map(buy, symbols), prices=dict.fromkeys(symbols, 0.1))

        assert [order.shares for order in found.orders] == [3] * 9 + [2]
        assert found.total_buy_cost <= 3

    def test_the_notes_say_what_is_left_out_and_scaled(self) -> None:
        found = plan(a_portfolio().buying_power(1_000), buy("A", 90), buy("B", 90), buy("C", 30))

        assert found.notes == (
            "The buys with the lowest scores, 1 of 3, are left out: 1,000.00 pays for less than half of all.",
            "The buys are scaled to 55.6% of their sizes: 1,000.00 is available for them.",
        )


class TestLots:
    @pytest.mark.parametrize(
        ("instrument", "shares"),
        [
            (Instrument(), 3),
            (Instrument(kind="stock"), 3),
            (Instrument(kind="crypto"), 3.333333),
            (Instrument(kind="fund"), 3.333333),
            (Instrument(kind="etf"), 3),
            (Instrument(kind="fund", fractional=False), 3),
            (Instrument(kind="stock", fractional=True), 3.333333),
            (Instrument(kind="stock", lot_size=0.1), 3.3),
            (Instrument(kind="crypto", lot_size=2.0), 2),
            (Instrument(lot_size=10.0), 0),
        ],
    )
    def test_shares_are_rounded_down_to_the_lots_of_the_instrument(self, instrument: Instrument, shares: float) -> None:
        bought = plan(a_portfolio().buying_power(1_000), buy("A"), prices={"A": 30}, instruments={"A": instrument})
        sold = plan(a_portfolio().holding("A", 10 / 3), sell("A", 100), instruments={"A": instrument})
        covered = plan(a_portfolio().holding("A", -10 / 3).cash(1e6), buy("A", 100), instruments={"A": instrument})

        for found in (bought, sold, covered):
            assert only(found).shares == shares
            assert only(found).skip_reason == (None if shares else "less_than_one_lot")

    def test_a_fraction_of_a_coin_is_bought(self) -> None:
        found = plan(
            a_portfolio().buying_power(1_000), buy("BTC"), prices={"BTC": 100_000},
            instruments={"BTC": Instrument(kind="crypto")},
        )  # fmt: skip

        assert (only(found).shares, found.total_buy_cost) == (0.001, 100)

    def test_the_multiplier_of_a_contract_is_part_of_what_it_costs(self) -> None:
        contract = {"A": Instrument(multiplier=100)}

        bought = plan(a_portfolio().buying_power(10_000), buy("A", 50), prices={"A": 12}, instruments=contract)
        sold = plan(a_portfolio().holding("A", 5), sell("A", 100), prices={"A": 12}, instruments=contract)
        covered = plan(
            a_portfolio().holding("A", -5).cash(3_700), buy("A", 100), prices={"A": 12}, instruments=contract
        )

        assert (only(bought).shares, only(bought).estimated_cost, only(bought).estimated_price) == (4, 4_800, 12)
        assert (sold.total_sell_proceeds, sold.available_buying_power) == (6_000, 6_000)
        assert (only(covered).shares, covered.total_buy_cost) == (3, 3_600)


class TestNoOrders:
    @pytest.mark.parametrize("reason", ["incomplete_valuation", "past_as_of", "no_prices"])
    def test_a_reason_against_all_orders_leaves_none(self, reason: str) -> None:
        found = plan(a_portfolio().holding("A", 10).buying_power(500), sell("A"), buy("B"), reason=reason)

        assert (found.orders, found.reason, found.orders_skipped) == ((), reason, 0)
        assert (found.total_sell_proceeds, found.total_buy_cost, found.available_buying_power) == (0, 0, 500)
        (note,) = found.notes
        assert note.startswith("There are no orders: ")
        assert reason not in note

    def test_a_delisted_share_of_3_dollars_prevents_neither_orders_nor_adds_a_sale(self) -> None:
        # 100,000 in all: 3 of it without a price, which is less than 1 %, so that there is no reason against orders.
        found = decide_on(
            [valued("BIG", 0.6), valued("BAD", 0.1), valued("GONE", None, price=None)],
            [a_research("BIG", 0.1), a_research("BAD", -0.8)],
            a_portfolio().watching("GOOD").buying_power(10_000),
            situation(total_value=99_997, complete=False),
        )
        orders = plan(a_portfolio().holding("BIG", 600).holding("BAD", 100).buying_power(10_000), *found.values())

        assert placed(orders) == [("BAD", "SELL", 50)]
        assert orders.reason is None

    def test_without_decisions_to_act_on_there_is_nothing_to_order(self) -> None:
        found = plan(a_portfolio().buying_power(500), decision("A", "HOLD", 0))

        assert found == OrderPlan((), 0, 0, 500, False, 1, 0, None, ("There is nothing to order.",))


class TestSkippedOrders:
    def test_an_order_at_a_stale_price_is_skipped(self) -> None:
        found = plan(
            a_portfolio().holding("S", 10).holding("X", -10).cash(1_000).buying_power(1_000),
            sell("S"), buy("X", 50), buy("A"),
            prices={"S": quote(100, "stale"), "X": quote(10, "stale"), "A": quote(10, "stale")},
        )  # fmt: skip

        assert skipped(found) == dict.fromkeys("SXA", "stale_price")
        assert (found.total_sell_proceeds, found.total_buy_cost, found.available_buying_power) == (0, 0, 1_000)
        assert found.orders_skipped == 3

    def test_a_short_history_does_not_prevent_an_order(self) -> None:
        assert only(plan(a_portfolio().buying_power(1_000), buy("A"), prices={"A": quote(10, "short")})).shares == 10

    def test_without_a_price_an_order_is_skipped(self) -> None:
        owner = a_portfolio().buying_power(1_000).build()

        found = OrderPlanner({}, {"A": a_research("A", 0.9)}, {}).plan(owner, [buy("A")], None)

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
