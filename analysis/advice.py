"""A decision for each symbol that a user holds or watches, and the orders that carry decisions out.

Decisions follow fixed rules and give a sentence with their figures. A position against the outlook is reduced by half,
and one as large as a breach of the user's ``largest_position`` to a fifth of the total value, whichever closes more; a
symbol with a good outlook is bought unless it is a large part already. A short position gains from falling prices: a
good outlook is against it, closing it is a purchase, and more of it is never sold.

Orders are of whole shares; a plan spends no more than is available and sells no more than is held. No code here, or
anywhere in this app, sends an order to a broker.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import IntEnum
from typing import Literal

from analysis.checks import LARGEST_POSITION
from analysis.models import Decision, HoldingReport, Order, OrderPlan, Portfolio, Research, Side, record
from analysis.returns import SymbolFigures

type SkipReason = Literal["no_price", "stale_price", "too_many_shares", "no_buying_power", "less_than_one_share"]

BUY_SCORE, SELL_SCORE = 0.5, -0.5

_ROOM_UP_TO = 0.15
_LARGE_POSITION_TARGET = 0.20
_HALF = 50
_BUY_PERCENT = 10
_FORCED_CONFIDENCE = 8
_TRENDS = {1: "up", 0: "none", -1: "down", None: "unknown"}

_MOST_SHARES = 1e12
"""The maximum quantity of a holding."""

_ROUNDING = 1e-15
"""The relative error of a division and a product that should give a whole number."""


class Adviser:
    """Decides for all portfolios of a run; opinions that depend only on a symbol are computed once, here."""

    def __init__(self, research: Mapping[str, Research]) -> None:
        self.research = research
        self._opinions = {symbol: _opinion(symbol, own) for symbol, own in research.items()}

    def standing(self) -> Iterator[Decision]:
        """Yield the decisions that do not depend on a portfolio; most decisions about one are among them."""
        for opinion in self._opinions.values():
            yield from (opinion.alone, opinion.closing) if opinion.closing is not opinion.alone else (opinion.alone,)

    def decide(self, portfolio: Portfolio, holdings: Sequence[HoldingReport]) -> tuple[Decision, ...]:
        """Return the decisions about ``holdings``, the ``portfolio``'s as valued, then about symbols only watched."""
        _, breach = LARGEST_POSITION.limits(portfolio.thresholds)
        decisions = [self._about_holding(holding, breach) for holding in holdings]
        if portfolio.watchlist:
            held = {holding.symbol for holding in holdings}
            decisions += [self._about(symbol).alone for symbol in portfolio.watchlist if symbol not in held]
        return tuple(decisions)

    def _about_holding(self, holding: HoldingReport, breach: float) -> Decision:
        opinion, weight = self._about(holding.symbol), holding.weight
        if weight is None:
            return _hold(holding.symbol, opinion.alone.confidence, "the position has no price")
        against = opinion.good if holding.quantity < 0 else opinion.bad
        excess = _excess_percent(abs(weight), breach)
        if excess:
            return _reduced(holding, opinion, breach, excess, against=against)
        if against:
            return opinion.closing
        if opinion.good and weight >= _ROOM_UP_TO:
            reason = f"at {weight:.1%} of the total value the position has no room below {_ROOM_UP_TO:.1%}"
            return _hold(holding.symbol, opinion.alone.confidence, f"{opinion.outlook} is good, but {reason}")
        return opinion.alone

    def _about(self, symbol: str) -> "_Opinion":
        return self._opinions.get(symbol) or _opinion(symbol, None)


def plan_orders(
    portfolio: Portfolio,
    decisions: Sequence[Decision],
    quotes: Mapping[str, SymbolFigures],
    research: Mapping[str, Research],
) -> OrderPlan:
    """Return the orders that follow from the ``decisions``: short positions are bought back, then sells, then buys.

    Sells come in descending order of proceeds, buybacks in descending order of cost, buys by descending score; ties
    by symbol. Shares are whole, rounded down, at the last raw close in ``quotes``. If all purchases, buybacks included,
    cost more than buying power and proceeds together, all of them are scaled by one factor.
    """
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
        notes=tuple(_notes(drafts, wanted, available, factor)),
    )


@record
class _Opinion:
    """The conclusions from a symbol's research that are the same for all users.

    ``outlook`` is the score in words, if there is one. ``alone`` is for users without the symbol, ``closing`` for users
    with a position against the outlook: a long one if it is ``bad``, a short one if it is ``good``.
    """

    outlook: str
    good: bool
    bad: bool
    alone: Decision
    closing: Decision


def _opinion(symbol: str, research: Research | None) -> _Opinion:
    if research is None or research.score is None:
        reason = "fewer than 200 closes are known" if research else "no price is known"
        alone = _hold(symbol, 1, f"there is no score, for {reason}")
        return _Opinion("", good=False, bad=False, alone=alone, closing=alone)
    outlook = _outlook(research)
    confidence = max(1, math.floor(10 * abs(research.score) + 0.5))
    if research.score >= BUY_SCORE:
        text = f"Buy for {_BUY_PERCENT}% of the buying power: {outlook} is at or above {BUY_SCORE:g}."
        alone = Decision(symbol, "BUY", _BUY_PERCENT, confidence, text)
        closing = _closing(symbol, _HALF, confidence, [_against(outlook, short=True)], short=True)
        return _Opinion(outlook, good=True, bad=False, alone=alone, closing=closing)
    if research.score <= SELL_SCORE:
        reason = f"{_against(outlook, short=False)}, but there is nothing to sell"
        closing = _closing(symbol, _HALF, confidence, [_against(outlook, short=False)], short=False)
        return _Opinion(outlook, good=False, bad=True, alone=_hold(symbol, confidence, reason), closing=closing)
    alone = _hold(symbol, confidence, f"{outlook} is between {SELL_SCORE:g} and {BUY_SCORE:g}")
    return _Opinion(outlook, good=False, bad=False, alone=alone, closing=alone)


def _outlook(research: Research) -> str:
    return (
        f"the score of {_shown(research.score, '.3f')} (trend {_TRENDS[research.trend]}, "
        f"momentum {_shown(research.momentum_12_1, '.1%')}, MACD histogram {_shown(research.macd_histogram, '.3g')}, "
        f"RSI {_shown(research.rsi_14, '.0f')})"
    )


def _reduced(holding: HoldingReport, opinion: _Opinion, breach: float, excess: int, *, against: bool) -> Decision:
    """Return a reduction of a too large position by ``excess`` percent, or more if the score is ``against`` it."""
    short = holding.quantity < 0
    limit = f"the breach threshold of {breach:.1%}, and {_LARGE_POSITION_TARGET:.1%} is to be left"
    reasons = [f"at {abs(holding.weight or 0):.1%} of the total value the position is at or above {limit}"]
    if against:
        reasons.append(_against(opinion.outlook, short=short))
    size = max(excess, _HALF if against else 0)
    return _closing(holding.symbol, size, max(opinion.alone.confidence, _FORCED_CONFIDENCE), reasons, short=short)


def _against(outlook: str, *, short: bool) -> str:
    return f"{outlook} is {f'at or above {BUY_SCORE:g}' if short else f'at or below {SELL_SCORE:g}'}"


def _closing(symbol: str, size: int, confidence: int, reasons: Sequence[str], *, short: bool) -> Decision:
    verb = f"Buy back {size}% of the short position" if short else f"Sell {size}%"
    return Decision(symbol, "BUY" if short else "SELL", size, confidence, f"{verb}: {'; '.join(reasons)}.")


def _shown(figure: float | None, number_format: str) -> str:
    return "unknown" if figure is None else f"{figure:{number_format}}"


def _hold(symbol: str, confidence: int, reason: str) -> Decision:
    return Decision(symbol, "HOLD", 0, confidence, f"Hold: {reason}.")


def _excess_percent(weight: float, breach: float) -> int:
    """Return the part of a position at the breach that lies above the target, in whole percent, rounded up."""
    if weight <= _LARGE_POSITION_TARGET or not LARGEST_POSITION.crosses(weight, breach):
        return 0
    return math.ceil(round(100 * (1 - _LARGE_POSITION_TARGET / weight), 9))


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
    return _Draft(kind, decision, price, shares, shares * price, None if shares else "less_than_one_share")


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
    reason: SkipReason = "less_than_one_share" if available > 0 else "no_buying_power"
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
