"""The orders that carry decisions out, and what they cost.

Orders are of whole lots; a plan spends no more than is available and sells no more than is held. No code here, or
anywhere in this app, sends an order to a broker.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from copy import replace
from functools import cache
from itertools import accumulate
from typing import Literal

from analysis.models import Decision, Instrument, Order, OrderPlan, Portfolio, Research, Side
from analysis.price_table import SymbolFigures
from records import Record

type SkipReason = Literal[
    "stale_price", "no_price", "no_cash", "no_buying_power", "lower_score", "less_than_one_lot", "too_many_shares"
]

_FRACTIONAL_KINDS = ("crypto", "fund")
"""The kinds of instruments that are traded in fractions of a share, unless an instrument says otherwise."""

_FRACTION = 1e-6
"""The lot of an instrument that is traded in fractions."""

_LEAST_SCALE = 0.5
"""Buys are scaled down to this; beyond that, some are dropped."""

_MOST_SHARES = 1e12
"""The maximum quantity of a holding."""

_ROUNDING = 1e-14
"""The relative error of a number of lots that should be a whole one."""

_SAME = 1e-12
"""The relative difference up to which amounts of money are the same."""

_REASONS = {
    "incomplete_valuation": "too much of what is owned has no price",
    "past_as_of": "the prices are those of a past day",
    "no_prices": "no holding has a price",
}
_UNKNOWN_INSTRUMENT = Instrument()

type _Closing = tuple[Decision, _Terms, float]
"""A decision to sell or to cover, its terms, and the shares that are held, long or short."""


class OrderPlanner:
    """Plans the orders of all portfolios of a page; the terms of a symbol are determined once.

    Prices are the last closes in ``quotes``.
    """

    def __init__(
        self,
        quotes: Mapping[str, SymbolFigures],
        research: Mapping[str, Research],
        instruments: Mapping[str, Instrument],
    ) -> None:
        self._terms = cache(
            lambda symbol: _terms(
                symbol, quotes.get(symbol), instruments.get(symbol, _UNKNOWN_INSTRUMENT), research.get(symbol)
            )
        )

    def plan(self, portfolio: Portfolio, decisions: Sequence[Decision], reason: str | None) -> OrderPlan:
        """Return the orders that follow from the ``decisions``, or none if there is a ``reason`` against any.

        Sells come in descending order of proceeds, then short positions are covered in ascending order of cost, then
        buys in descending order of score and momentum; ties by symbol. Covers are paid from cash and proceeds, and buys
        from buying power and proceeds less the covers.
        """
        if reason is not None:
            return _no_orders(portfolio, reason)
        sells, covers, buys = self._by_kind(portfolio, decisions)
        sold = sorted(
            [_closed("SELL", *sell) for sell in sells], key=lambda draft: (-draft.cost, draft.decision.symbol)
        )
        proceeds = _total(sold)
        covered, cut = _covered([_closed("BUY", *cover) for cover in covers], max(portfolio.cash + proceeds, 0.0))
        available = max(portfolio.buying_power + proceeds - _total(covered), 0.0)
        bought = [_bought(decision, terms, portfolio.buying_power, available) for decision, terms in buys]
        bought.sort(key=lambda draft: draft.terms.rank)
        bought, factor = _afforded(bought, available)
        placed = [*sold, *covered, *bought]
        notes = _notes(covered, bought, available, factor, cut=cut) if placed else ("There is nothing to order.",)
        return OrderPlan(
            orders=tuple([_order(draft, priority) for priority, draft in enumerate(placed, start=1)]),
            total_sell_proceeds=proceeds,
            total_buy_cost=_total(covered + bought),
            available_buying_power=available,
            scaling_applied=factor < 1,
            scaling_factor=factor,
            orders_skipped=sum([draft.skip_reason is not None for draft in placed]),
            reason=None,
            notes=tuple(notes),
        )

    def _by_kind(
        self, portfolio: Portfolio, decisions: Sequence[Decision]
    ) -> tuple[list[_Closing], list[_Closing], list[tuple[Decision, "_Terms"]]]:
        """Return the decisions to sell and to cover, each with its terms and the shares held, and those to buy."""
        sells, covers, buys = [], [], []
        actions = [decision for decision in decisions if decision.decision != "HOLD"]
        held = {holding.symbol: holding.quantity for holding in portfolio.holdings} if actions else {}
        for decision in actions:
            terms, quantity = self._terms(decision.symbol), held.get(decision.symbol, 0.0)
            if decision.decision == "SELL":
                sells.append((decision, terms, quantity))
            elif quantity < 0:
                covers.append((decision, terms, -quantity))
            else:
                buys.append((decision, terms))
        return sells, covers, buys


def _no_orders(portfolio: Portfolio, reason: str) -> OrderPlan:
    return OrderPlan(
        orders=(),
        total_sell_proceeds=0.0,
        total_buy_cost=0.0,
        available_buying_power=max(portfolio.buying_power, 0.0),
        scaling_applied=False,
        scaling_factor=1.0,
        orders_skipped=0,
        reason=reason,
        notes=(f"There are no orders: {_REASONS.get(reason, reason)}.",),
    )


class _Terms(Record, frozen=True):
    """The terms of an order: the last close, what a share costs, the lot, and what prevents an order of any size.

    The close is as quoted, what a share costs in the person's currency. Buys are in ascending order of the ``rank``.
    """

    price: float | None
    price_of_share: float
    lot: float
    obstacle: SkipReason | None
    rank: tuple[float, float, str]

    def lots(self, shares: float) -> int:
        """Return the lots rounded down, but without loss of a lot to the rounding error of a whole number."""
        lots = shares / self.lot
        nearest = round(lots)
        return nearest if abs(lots - nearest) <= _ROUNDING * lots else math.floor(lots)

    def shares(self, lots: int) -> float:
        """Return the shares of so many lots, without the digits beyond the precision of a decimal lot."""
        return float(lots) if self.lot == 1 else float(f"{lots * self.lot:.15g}")


def _terms(symbol: str, quote: SymbolFigures | None, instrument: Instrument, research: Research | None) -> _Terms:
    rank = _rank(symbol, research)
    if quote is None:
        return _Terms(None, 0.0, 1.0, "no_price", rank)
    price_of_share = quote.price * instrument.multiplier * quote.fx_rate
    obstacle: SkipReason | None = "stale_price" if quote.history == "stale" else None
    return _Terms(quote.price, price_of_share, _lot(instrument), obstacle if price_of_share > 0 else "no_price", rank)


def _rank(symbol: str, research: Research | None) -> tuple[float, float, str]:
    score, momentum = (research.score, research.momentum_12_1) if research else (None, None)
    return math.inf if score is None else -score, math.inf if momentum is None else -momentum, symbol


def _lot(instrument: Instrument) -> float:
    if instrument.lot_size is not None:
        return instrument.lot_size
    fractional = instrument.fractional
    if fractional is None:
        fractional = instrument.kind in _FRACTIONAL_KINDS
    return _FRACTION if fractional else 1.0


class _Draft(Record, frozen=True):
    """An order without its final place: ``lots`` are none if there is a ``skip_reason``.

    ``planned`` is the money that a buy may spend, ``factor`` the part of the decision's size that is ordered.
    """

    side: Side
    decision: Decision
    terms: _Terms
    skip_reason: SkipReason | None
    lots: int = 0
    shares: float = 0.0
    cost: float = 0.0
    planned: float = 0.0
    factor: float = 1.0

    def of(self, lots: int, factor: float | None = None) -> "_Draft":
        """Return the same order of so many lots, which are ``factor`` times what was planned."""
        shares = self.terms.shares(lots)
        cost = shares * self.terms.price_of_share
        factor = self.factor if factor is None else factor
        # Not by `replace`, which takes ten times as long: this is done several times for each person.
        return _Draft(self.side, self.decision, self.terms, self.skip_reason, lots, shares, cost, self.planned, factor)

    def scaled(self, money: float, factor: float) -> "_Draft":
        """Return the same order for at most this ``money``, which is ``factor`` times what was planned."""
        lots = min(self.terms.lots(money / self.terms.price_of_share), self.lots)
        return self.of(lots, factor)

    def or_skipped(self, reason: SkipReason) -> "_Draft":
        """Return the same order, skipped for this reason if no lot is left and it has no other."""
        return self if self.lots or self.skip_reason else replace(self, skip_reason=reason)


def _closed(side: Side, decision: Decision, terms: _Terms, held: float) -> _Draft:
    """Return the order that closes the decision's part of ``held`` shares, long or short."""
    wanted = held * decision.position_size_percent / 100
    if terms.obstacle or wanted > _MOST_SHARES:
        return _Draft(side, decision, terms, terms.obstacle or "too_many_shares")
    lots = terms.lots(wanted)
    shares = terms.shares(lots)
    while shares > held:
        lots -= 1
        shares = terms.shares(lots)
    if not lots:
        return _Draft(side, decision, terms, "less_than_one_lot")
    return _Draft(side, decision, terms, None, lots, shares, shares * terms.price_of_share)


def _bought(decision: Decision, terms: _Terms, buying_power: float, available: float) -> _Draft:
    """Return the order that spends the decision's part of the ``buying_power``, if anything is ``available``."""
    if terms.obstacle:
        return _Draft("BUY", decision, terms, terms.obstacle)
    planned = buying_power * decision.position_size_percent / 100
    wanted = planned / terms.price_of_share
    if wanted > _MOST_SHARES:
        return _Draft("BUY", decision, terms, "too_many_shares")
    lots = terms.lots(wanted) if planned > 0 else 0
    if not lots:
        return _Draft("BUY", decision, terms, "less_than_one_lot")
    if available <= 0:
        return _Draft("BUY", decision, terms, "no_buying_power")
    shares = terms.shares(lots)
    return _Draft("BUY", decision, terms, None, lots, shares, shares * terms.price_of_share, planned)


def _total(drafts: Iterable[_Draft]) -> float:
    return math.fsum([draft.cost for draft in drafts])


def _covered(covers: list[_Draft], budget: float) -> tuple[list[_Draft], bool]:
    """Return the covers, the cheapest first, as far as ``budget`` pays for them, and whether some are cut."""
    covers = sorted(covers, key=lambda draft: (draft.cost, draft.decision.symbol))
    if _total(covers) <= budget:
        return covers, False
    left, afforded = budget, []
    for draft in covers:
        paid = min(draft.cost, left)
        left -= paid
        afforded.append(draft if paid == draft.cost else draft.scaled(paid, paid / draft.cost))
    return [draft.or_skipped("no_cash") for draft in _within(afforded, budget)], True


def _afforded(buys: list[_Draft], available: float) -> tuple[list[_Draft], float]:
    """Return the ranked ``buys`` as far as they are ``available``, and the factor by which those left are scaled."""
    places = [place for place, draft in enumerate(buys) if draft.lots]
    sums = list(accumulate([buys[place].planned for place in places]))
    factor, afforded = 1.0, buys
    if places and sums[-1] > available * (1 + _SAME):
        kept = sum(available / planned >= _LEAST_SCALE - _SAME for planned in sums)
        factor = min(available / sums[kept - 1], 1.0) if kept else 1.0
        afforded = list(buys)
        for place in places[:kept]:
            afforded[place] = buys[place].scaled(buys[place].planned * factor, factor)
        for place in places[kept:]:
            afforded[place] = buys[place].of(0).or_skipped("lower_score")
        afforded = _with_the_rest(_within(afforded, available), available)
    elif _total(buys) <= available:
        return buys, factor
    return [draft.or_skipped("less_than_one_lot") for draft in _within(afforded, available)], factor


def _with_the_rest(drafts: list[_Draft], available: float) -> list[_Draft]:
    """Return the drafts with one more lot each, in one pass, as far as the rest of ``available`` pays for it."""
    left = available - _total(drafts)
    for place, draft in enumerate(drafts):
        if draft.skip_reason:
            continue
        more = draft.of(draft.lots + 1)
        extra = more.cost - draft.cost
        if extra <= left and more.cost <= draft.planned * (1 + _ROUNDING):
            drafts[place] = more
            left -= extra
    return drafts


def _within(drafts: list[_Draft], budget: float) -> list[_Draft]:
    """Return the drafts within the ``budget``, which rounding to a whole lot may exceed: the last lose one for it."""
    while _total(drafts) > budget:
        last = max(place for place, draft in enumerate(drafts) if draft.lots)
        drafts = [*drafts[:last], drafts[last].of(drafts[last].lots - 1), *drafts[last + 1 :]]
    return drafts


def _order(draft: _Draft, priority: int) -> Order:
    size = draft.decision.position_size_percent
    adjusted = 0.0 if draft.skip_reason else size * draft.factor
    shares, price, cost = draft.shares, draft.terms.price, draft.cost
    return Order(draft.decision.symbol, draft.side, shares, price, cost, size, adjusted, priority, draft.skip_reason)


def _notes(
    covers: Sequence[_Draft], buys: Sequence[_Draft], available: float, factor: float, *, cut: bool
) -> Iterable[str]:
    """Yield sentences about the orders that were wanted and those that are planned."""
    if covers:
        yield "Short positions are covered from cash and sell proceeds before anything is bought."
    if cut:
        yield "These do not pay for all of it: the dearest positions are covered in part or not at all."
    dropped = sum(draft.skip_reason == "lower_score" for draft in buys)
    if dropped:
        less = f"{available:,.2f} pays for less than half of all"
        yield f"The buys with the lowest scores, {dropped} of {len(buys)}, are left out: {less}."
    if factor < 1:
        yield f"The buys are scaled to {factor:.1%} of their sizes: {available:,.2f} is available for them."
