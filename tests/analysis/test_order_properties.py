"""Properties of all order plans, checked on generated portfolios."""

import math
from collections.abc import Mapping
from copy import replace
from dataclasses import dataclass

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.decisions import Adviser
from analysis.models import Action, Decision, Holding, Instrument, OrderPlan, Portfolio
from analysis.orders import OrderPlanner
from tests.analysis.advice import decision, quote, situation, valued
from tests.builders import a_research


@dataclass(frozen=True)
class Case:
    """A portfolio, what was decided about it, and the market."""

    portfolio: Portfolio
    decisions: tuple[Decision, ...]
    prices: Mapping[str, float]
    scores: Mapping[str, float]
    instruments: Mapping[str, Instrument]

    def plan(self) -> OrderPlan:
        quotes = {symbol: quote(price) for symbol, price in self.prices.items()}
        research = {symbol: a_research(symbol, score) for symbol, score in self.scores.items()}
        return OrderPlanner(quotes, research, self.instruments).plan(self.portfolio, self.decisions, None)

    def lot(self, symbol: str) -> float:
        instrument = self.instruments[symbol]
        return instrument.lot_size or (1e-6 if instrument.kind == "crypto" else 1.0)


instruments = st.builds(
    Instrument,
    kind=st.sampled_from([None, "stock", "crypto"]),
    multiplier=st.sampled_from([1.0, 1.0, 100.0]),
    lot_size=st.sampled_from([None, None, 0.01, 10.0]),
)
prices = st.floats(1e-3, 1e5) | st.floats(1e-12, 1e12)
entries = st.tuples(
    st.just(0.0) | st.floats(-1e6, 1e6),
    st.sampled_from(["BUY", "SELL", "HOLD"]),
    st.floats(1, 100) | st.integers(1, 100),
    prices,
    st.floats(0.5, 1),
    instruments,
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    drawn = draw(st.lists(entries, max_size=12))
    holdings, decisions = [], []
    for place, (quantity, action, percent, _, _, _) in enumerate(drawn):
        symbol = f"S{place}"
        if quantity:
            holdings.append(Holding(symbol, quantity, 1.0))
        # Nothing but a long position is ever decided to be sold.
        decided: Action = "HOLD" if action == "SELL" and quantity <= 0 else action
        decisions.append(decision(symbol, decided, 0 if decided == "HOLD" else percent))
    cash, buying_power = draw(st.floats(-1e6, 1e7)), draw(st.floats(-1e6, 1e7))
    return Case(
        Portfolio("user", tuple(holdings), cash=cash, buying_power=buying_power),
        tuple(decisions),
        {f"S{place}": entry[3] for place, entry in enumerate(drawn)},
        {f"S{place}": entry[4] for place, entry in enumerate(drawn)},
        {f"S{place}": entry[5] for place, entry in enumerate(drawn)},
    )


many = settings(deadline=None, max_examples=300)


@many
@given(cases())
def test_no_plan_spends_more_than_is_available_or_closes_more_than_is_held(case: Case) -> None:
    held = {holding.symbol: holding.quantity for holding in case.portfolio.holdings}

    found = case.plan()

    sold = math.fsum(order.estimated_cost for order in found.orders if order.side == "SELL")
    covers = [order for order in found.orders if order.side == "BUY" and held.get(order.symbol, 0) < 0]
    covered = math.fsum(order.estimated_cost for order in covers)
    bought = math.fsum(order.estimated_cost for order in found.orders if order.side == "BUY")
    buys = [order.estimated_cost for order in found.orders if order.side == "BUY" and order not in covers]
    assert (found.total_buy_cost, found.total_sell_proceeds) == (bought, sold)
    assert covered <= max(case.portfolio.cash + sold, 0)
    assert found.available_buying_power == max(case.portfolio.buying_power + sold - covered, 0)
    assert math.fsum(buys) <= found.available_buying_power
    for order in found.orders:
        if order.side == "SELL" or held.get(order.symbol, 0) < 0:
            assert order.shares <= abs(held[order.symbol])


@many
@given(cases())
def test_every_order_is_of_whole_lots_and_within_its_planned_size_or_skipped(case: Case) -> None:
    held = {holding.symbol: holding.quantity for holding in case.portfolio.holdings}
    percents = {decided.symbol: decided.position_size_percent for decided in case.decisions}

    found = case.plan()

    assert len(found.orders) == sum(decided.decision != "HOLD" for decided in case.decisions)
    assert [order.priority for order in found.orders] == list(range(1, len(found.orders) + 1))
    assert found.orders_skipped == sum(order.skip_reason is not None for order in found.orders)
    assert 0 < found.scaling_factor <= 1
    for order in found.orders:
        symbol, lot = order.symbol, case.lot(order.symbol)
        assert (order.shares == 0) == (order.skip_reason is not None)
        assert order.shares == 0 or order.shares >= lot
        assert order.shares / lot == pytest.approx(round(order.shares / lot), rel=1e-12, abs=1e-9)
        share = case.prices[symbol] * case.instruments[symbol].multiplier
        assert order.estimated_cost == order.shares * share
        part = percents[symbol] / 100
        if order.side == "BUY" and held.get(symbol, 0) >= 0:
            assert order.estimated_cost <= part * max(case.portfolio.buying_power, 0) * (1 + 1e-12)
        else:
            assert order.shares <= part * abs(held[symbol]) * (1 + 1e-12)


@many
@given(cases())
def test_buys_that_are_dropped_have_no_higher_score_than_those_that_are_kept(case: Case) -> None:
    found = case.plan()

    dropped = [case.scores[order.symbol] for order in found.orders if order.skip_reason == "lower_score"]
    kept = [
        case.scores[order.symbol]
        for order in found.orders
        if order.side == "BUY" and order.skip_reason is None and order.symbol not in _covers(case)
    ]
    if dropped and kept:
        assert max(dropped) <= min(kept)
    if dropped:
        assert found.scaling_factor >= 0.5 - 1e-12 or len(kept) <= 1


def _covers(case: Case) -> set[str]:
    return {holding.symbol for holding in case.portfolio.holdings if holding.quantity < 0}


@many
@given(cases(), st.integers(-20, 20))
def test_all_money_in_another_unit_changes_no_share(case: Case, exponent: int) -> None:
    unit = 2.0**exponent  # exact in floating point
    portfolio = replace(
        case.portfolio, cash=case.portfolio.cash * unit, buying_power=case.portfolio.buying_power * unit
    )
    scaled = replace(
        case, portfolio=portfolio, prices={symbol: price * unit for symbol, price in case.prices.items()}
    ).plan()

    found = case.plan()

    assert [(o.symbol, o.shares, o.skip_reason) for o in scaled.orders] == [
        (o.symbol, o.shares, o.skip_reason) for o in found.orders
    ]
    assert scaled.total_buy_cost == found.total_buy_cost * unit
    assert scaled.available_buying_power == found.available_buying_power * unit
    assert scaled.scaling_factor == found.scaling_factor


weights = st.lists(st.tuples(st.floats(1, 1e5) | st.floats(-1e5, -1), st.none() | st.floats(-1, 1)), max_size=8)


@many
@given(weights, st.floats(1e3, 1e6), st.floats(0, 1e6), st.integers(-8, 8), st.booleans())
def test_a_portfolio_of_another_scale_gets_the_same_decisions(
    owned: list[tuple[float, float | None]], cash: float, buying_power: float, exponent: int, complete: bool
) -> None:
    total = math.fsum(value for value, _ in owned) + cash
    assume(total > 0)
    adviser = Adviser({f"S{i}": a_research(f"S{i}", score) for i, (_, score) in enumerate(owned)})
    holdings = [valued(f"S{i}", value / total) for i, (value, _) in enumerate(owned)]

    found, scaled = (
        adviser.decide(
            Portfolio("user", buying_power=buying_power * scale, watchlist=("S0", "S1", "W")),
            holdings,
            situation(total_value=total * scale, complete=complete),
        )
        for scale in (1.0, 2.0**exponent)
    )

    assert scaled == found


@many
@given(weights, st.floats(1e3, 1e6), st.floats(1e3, 1e6))
def test_no_purchase_exceeds_the_room_below_the_warning_and_no_position_is_closed_beyond_its_size(
    owned: list[tuple[float, float | None]], cash: float, buying_power: float
) -> None:
    total = math.fsum(value for value, _ in owned) + cash
    assume(total > 0)
    adviser = Adviser({f"S{i}": a_research(f"S{i}", score) for i, (_, score) in enumerate(owned)})
    holdings = [valued(f"S{i}", value / total) for i, (value, _) in enumerate(owned)]

    found = adviser.decide(Portfolio("user", buying_power=buying_power), holdings, situation(total_value=total))

    for holding, decided in zip(holdings, found, strict=True):
        assert holding.weight is not None
        assert 0 <= decided.position_size_percent <= 100
        assert 1 <= decided.strength <= 10
        if decided.decision == "BUY" and holding.weight > 0:
            spent = decided.position_size_percent / 100 * buying_power
            assert holding.weight + spent / total <= 0.15 + 1e-9
        if decided.decision == "SELL":
            left = holding.weight * (1 - decided.position_size_percent / 100)
            assert left <= 0.20 + 1e-9
