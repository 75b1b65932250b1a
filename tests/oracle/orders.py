"""The order plan.

Readings: a skipped order has no shares, no cost and an adjusted size of 0; priorities number all orders, skipped
ones too, in the order of their planned amounts, which are 0 if nothing is planned; scaling is applied if the factor
is below 1; the adjusted size of a purchase is its share of the size by that factor, of a cut purchase to cover the
part of its money that is left, before rounding; ties are broken by symbol; a purchase that comes below one lot by
scaling and gets none of what is left is ``less_than_one_lot``; a plan without orders has the buying power available.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.oracle.bars import EXACT
from tests.oracle.decisions import Decision, buying_power
from tests.oracle.facts import Prepared
from tests.oracle.inputs import Person
from tests.oracle.valuation import Book

MOST_SHARES = 1e12


@dataclass(slots=True)
class Order:
    """An order under way: what is planned, and what becomes of it."""

    decision: Decision
    planned: float
    """Shares, rounded down to lots; of a purchase that is not yet rounded, the planned money over the price."""
    shares: float = 0.0
    skip_reason: str | None = None
    adjusted: float = field(default=0.0)

    @property
    def unit(self) -> float:
        """Return what a share costs."""
        return self.decision.facts.price * self.decision.facts.multiplier

    @property
    def lot(self) -> float:
        """Return the smallest number of shares."""
        return self.decision.facts.lot

    @property
    def cost(self) -> float:
        """Return what the order costs or brings."""
        return self.shares * self.unit

    @property
    def symbol(self) -> str:
        """Return the symbol."""
        return self.decision.facts.symbol

    def skip(self, reason: str) -> None:
        """Leave the order out."""
        self.skip_reason, self.shares, self.adjusted = reason, 0.0, 0.0

    def figures(self, priority: int) -> dict[str, object]:
        """Return the entry of the report."""
        return {
            "symbol": self.symbol,
            "side": self.decision.decision,
            "shares": self.shares,
            "estimated_price": self.decision.facts.price,
            "estimated_cost": self.cost,
            "original_size_percent": self.decision.percent,
            "adjusted_size_percent": self.adjusted,
            "priority": priority,
            "skip_reason": self.skip_reason,
        }


def whole_lots(shares: float, lot: float) -> float:
    """Return the shares rounded down to lots; a hair below a lot is one."""
    return math.floor(shares / lot * (1 + 1e-12) + 1e-9) * lot


def order_plan(
    market: Prepared, book: Book, person: Person, decisions: list[Decision], valuation_reason: str | None
) -> dict[str, object]:
    """Return the section of that name, without notes."""
    reason = valuation_reason or _no_orders(market, book)
    orders = [] if reason else [_planned(decision) for decision in decisions if decision.decision != "HOLD"]
    sells = _sorted(orders, lambda o: o.decision.decision == "SELL", lambda o: -o.cost)
    covers = _sorted(orders, lambda o: o.decision.is_cover, lambda o: o.cost)
    buys = _sorted(orders, lambda o: o.decision.decision == "BUY" and not o.decision.is_cover, _by_score)
    proceeds = math.fsum(order.cost for order in sells)
    _cut(covers, max(0.0, book.cash + proceeds))
    cover_cost = math.fsum(order.cost for order in covers)
    available = max(0.0, buying_power(person) + proceeds - cover_cost)
    factor = _buy(buys, available)
    ordered = [*sells, *covers, *buys]
    return {
        "orders": [order.figures(priority) for priority, order in enumerate(ordered, 1)],
        "total_sell_proceeds": proceeds,
        "total_buy_cost": cover_cost + math.fsum(order.cost for order in buys),
        "available_buying_power": available,
        "scaling_applied": factor < 1,
        "scaling_factor": factor,
        "orders_skipped": sum(order.skip_reason is not None for order in ordered),
        "reason": reason,
    }


def _no_orders(market: Prepared, book: Book) -> str | None:
    unpriced_share = book.unpriced_cost / ((book.gross + book.unpriced_cost) or 1)
    if book.has_unknown_size or unpriced_share > 0.01 + EXACT:
        return "incomplete_valuation"
    return "past_as_of" if market.is_past else None


def _sorted(orders: list[Order], chosen: Callable[[Order], bool], key: Callable[[Order], object]) -> list[Order]:
    def with_symbol(order: Order) -> tuple[object, str]:
        return key(order), order.symbol

    return sorted(filter(chosen, orders), key=with_symbol)


def _by_score(order: Order) -> tuple[float, float]:
    research = order.decision.facts.research
    momentum = research.number("momentum_12_1") if research else None
    return -(order.decision.score or 0.0), -momentum if momentum is not None else math.inf


def _planned(decision: Decision) -> Order:
    order = Order(decision, 0.0, adjusted=decision.percent)
    if decision.quantity:
        order.planned = whole_lots(abs(decision.quantity) * decision.percent / 100, order.lot)
    else:
        order.planned = decision.money / order.unit
    order.shares = order.planned
    if decision.facts.is_stale:
        order.skip("stale_price")
    elif whole_lots(order.planned, order.lot) <= 0:
        order.skip("less_than_one_lot")
    elif order.planned > MOST_SHARES:
        order.skip("too_many_shares")
    return order


def _cut(covers: list[Order], budget: float) -> None:
    """Cut the dearest of the orders to cover until the rest fits the budget."""
    for order in reversed(covers):
        excess = math.fsum(other.cost for other in covers) - budget
        if order.skip_reason or excess <= EXACT * budget:
            continue
        left = whole_lots(max(0.0, order.cost - excess) / order.unit, order.lot)
        if left <= 0:
            order.skip("no_cash")
        else:
            order.adjusted = order.decision.percent * (order.cost - excess) / order.cost
            order.shares = left


def _buy(buys: list[Order], available: float) -> float:
    """Fit the purchases into what is available; return the factor by which they are scaled."""
    taking = [order for order in buys if order.skip_reason is None]
    if available <= 0:
        for order in taking:
            order.skip("no_buying_power")
        return 1.0
    factor = 1.0
    while taking:
        size = math.fsum(order.decision.money for order in taking)
        factor = min(1.0, available / size)
        if factor >= 0.5 - EXACT:
            break
        taking.pop().skip("lower_score")
        factor = 1.0
    for order in taking:
        order.shares = whole_lots(order.planned * factor, order.lot)
        order.adjusted = order.decision.percent * factor
    left = available - math.fsum(order.cost for order in taking)
    for order in taking if factor < 1 else ():
        more = order.shares + order.lot
        if order.lot * order.unit <= left * (1 + EXACT) and more <= order.planned * (1 + EXACT):
            order.shares = more
            left -= order.lot * order.unit
    for order in taking:
        if order.shares <= 0:
            order.skip("less_than_one_lot")
    return factor
