"""The orders that carry decisions out: of whole shares, for no more than is available and held.

No code here, or anywhere in this app, sends an order to a broker.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Literal

from analysis.models import Decision, Instrument, Order, OrderPlan, Portfolio, Research, Side, record
from analysis.returns import SymbolFigures

type SkipReason = Literal["no_price", "stale_price", "too_many_shares", "no_buying_power", "less_than_one_lot"]

_MOST_SHARES = 1e12
"""The maximum quantity of a holding."""

_ROUNDING = 1e-15
"""The relative error of a division and a product that should give a whole number."""


def plan_orders(
    portfolio: Portfolio,
    decisions: Sequence[Decision],
    quotes: Mapping[str, SymbolFigures],
    research: Mapping[str, Research],
    instruments: Mapping[str, Instrument],  # noqa: ARG001
    reason: str | None,
) -> OrderPlan:
    """Return the orders that follow from the ``decisions``: short positions are bought back, then sells, then buys.

    Sells come in descending order of proceeds, buybacks in descending order of cost, buys by descending score; ties
    by symbol. Shares are whole, rounded down, at the last raw close in ``quotes``. If all purchases, buybacks included,
    cost more than buying power and proceeds together, all of them are scaled by one factor.
    """
    if reason:
        return OrderPlan((), 0.0, 0.0, portfolio.buying_power, False, 1.0, 0, reason, ())  # noqa: FBT003
    actions = [decision for decision in decisions if decision.decision != "HOLD"]
    held = {holding.symbol: holding.quantity for holding in portfolio.holdings} if actions else {}
    drafts = [
        _draft(decision, held.get(decision.symbol, 0.0), quotes.get(decision.symbol), portfolio.buying_power)
        for decision in actions
    ]
    drafts.sort(key=lambda draft: _place(draft, research))
    proceeds = math.fsum([draft.cost for draft in drafts if draft.kind is _Kind.SELL])
    available = portfolio.buying_power + proceeds
    wanted = _total_bought(drafts)
    factor = max(available, 0.0) / wanted if wanted > max(available, 0.0) else 1.0
    if factor < 1:
        drafts = _scaled(drafts, factor, available)
    orders = tuple([_order(draft, factor, priority) for priority, draft in enumerate(drafts, start=1)])
    return OrderPlan(
        orders=orders,
        total_sell_proceeds=proceeds,
        total_buy_cost=_total_bought(drafts),
        available_buying_power=available,
        scaling_applied=factor < 1,
        scaling_factor=factor,
        orders_skipped=sum(order.skip_reason is not None for order in orders),
        reason=None,
        notes=tuple(_notes(drafts, wanted, available, factor)),
    )


class _Kind(IntEnum):
    """The kind of an order, in order of execution: buy back short shares, sell, buy."""

    COVER = 0
    SELL = 1
    BUY = 2


@record
class _Draft:
    """An order without its final place; ``shares`` are 0 if there is a ``skip_reason``."""

    kind: _Kind
    decision: Decision
    price: float | None
    shares: int
    cost: float
    skip_reason: SkipReason | None

    def of(self, shares: int) -> "_Draft":
        """Return the same order with fewer shares."""
        return replace(self, shares=shares, cost=shares * (self.price or 0.0))


def _draft(decision: Decision, quantity: float, quote: SymbolFigures | None, buying_power: float) -> _Draft:
    purchase = _Kind.COVER if quantity < 0 else _Kind.BUY
    kind = _Kind.SELL if decision.decision == "SELL" else purchase
    if quote is None:
        return _Draft(kind, decision, None, 0, 0.0, "no_price")
    price = quote.price
    if quote.history == "stale":
        return _Draft(kind, decision, price, 0, 0.0, "stale_price")
    if kind is _Kind.BUY and buying_power <= 0:
        return _Draft(kind, decision, price, 0, 0.0, "no_buying_power")
    whole = buying_power / price if kind is _Kind.BUY else abs(quantity)
    wanted = whole * decision.position_size_percent / 100
    if wanted > _MOST_SHARES:
        return _Draft(kind, decision, price, 0, 0.0, "too_many_shares")
    shares = _whole(wanted) if kind is _Kind.BUY else min(_whole(wanted), math.floor(whole))
    return _Draft(kind, decision, price, shares, shares * price, None if shares else "less_than_one_lot")


def _whole(shares: float) -> int:
    """Return the shares rounded down, but without loss of a share to the rounding error of a whole number."""
    nearest = round(shares)
    return nearest if math.isclose(shares, nearest, rel_tol=_ROUNDING) else math.floor(shares)


def _place(draft: _Draft, research: Mapping[str, Research]) -> tuple[_Kind, float, str]:
    symbol = draft.decision.symbol
    rank = research[symbol].score if draft.kind is _Kind.BUY else draft.cost
    return draft.kind, -(rank or 0.0), symbol


def _total_bought(drafts: Iterable[_Draft]) -> float:
    return math.fsum([draft.cost for draft in drafts if draft.kind is not _Kind.SELL])


def _scaled(drafts: Sequence[_Draft], factor: float, available: float) -> list[_Draft]:
    scaled = [draft if draft.kind is _Kind.SELL else draft.of(_whole(draft.shares * factor)) for draft in drafts]
    # Rounding up to a whole number may exceed the budget slightly: the last of those orders then gets one share less.
    while _total_bought(scaled) > max(available, 0.0):
        last = max(place for place, draft in enumerate(scaled) if draft.kind is not _Kind.SELL and draft.shares)
        scaled[last] = scaled[last].of(scaled[last].shares - 1)
    reason: SkipReason = "less_than_one_lot" if available > 0 else "no_buying_power"
    return [draft if draft.shares else replace(draft, skip_reason=draft.skip_reason or reason) for draft in scaled]


def _order(draft: _Draft, factor: float, priority: int) -> Order:
    sells, size = draft.kind is _Kind.SELL, float(draft.decision.position_size_percent)
    adjusted = 0.0 if draft.skip_reason else size if sells else size * factor
    side: Side = "SELL" if sells else "BUY"
    return Order(
        draft.decision.symbol,
        side,
        draft.shares,
        draft.price,
        draft.cost,
        size,
        adjusted,
        priority,
        draft.skip_reason,
    )


def _notes(drafts: Sequence[_Draft], wanted: float, available: float, factor: float) -> Iterable[str]:
    """Yield sentences about the plan; ``wanted`` is the cost of all purchases before they are scaled by ``factor``."""
    if not drafts:
        yield "There is nothing to order."
    if any(draft.kind is _Kind.COVER for draft in drafts):
        yield "Short positions are bought back before anything is sold."
    if factor < 1:
        budget = f"{max(available, 0.0):,.2f} is available"
        yield f"What is to be bought costs {wanted:,.2f} and {budget}: all of it is scaled to {factor:.1%}."
