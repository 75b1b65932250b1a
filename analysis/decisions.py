"""A decision for each symbol that a user holds or watches.

Decisions follow fixed rules and give a sentence with their figures. A position against the outlook is reduced by half,
and one as large as a breach of the user's ``largest_position`` to the middle between that and the warning, whichever
closes more; a symbol with a good outlook is bought up to the warning. A short position gains from falling prices: a
good outlook is against it, closing it is a purchase, and more of it is never sold.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from functools import cache

from analysis.checks import LARGEST_POSITION, Limits
from analysis.models import Action, Decision, HoldingReport, Portfolio, Research
from analysis.quality import unknown_research
from records import Record

BUY_SCORE, SELL_SCORE = 0.5, -0.5

_HALF = 50.0
_BUY_PERCENT = 10.0
_FORCED_STRENGTH = 8
_NO_WEIGHTS = "the total value is not known, or not above zero"
_TRENDS = {1: "up", 0: "none", -1: "down", None: "unknown"}


class Situation(Record, frozen=True):
    """What decisions about a portfolio depend on besides its holdings.

    ``total_value`` is over what is priced, with cash; ``complete`` is the valuation's, and with ``valuation_only`` no
    weight is known. ``limits`` are the person's of ``largest_position``, ``funds`` the symbols of diversified funds,
    held or not.
    """

    total_value: float
    complete: bool
    valuation_only: bool
    limits: Limits
    funds: Collection[str]


class Adviser:
    """Decides for all portfolios of a run; what depends only on the research of a symbol is determined once, here.

    ``unknown`` are the names of unknown figures of the research, by symbol.
    """

    def __init__(self, research: Mapping[str, Research]) -> None:
        self.research, self.unknown = research, unknown_research(research)
        self._about = cache(lambda symbol: _opinion(symbol, research.get(symbol)))

    def decide(
        self, portfolio: Portfolio, holdings: Sequence[HoldingReport], situation: Situation
    ) -> tuple[Decision, ...]:
        """Return the decisions about ``holdings``, the readable ones as valued, then about symbols only watched."""
        power, unreadable = portfolio.buying_power, {holding.symbol for holding in portfolio.invalid_holdings}
        decisions = [_about_holding(held, self._about(held.symbol), situation, power) for held in holdings]
        if portfolio.watchlist:
            symbols = {holding.symbol for holding in holdings}
            decisions += [
                self._about(symbol).hold("what is held of it cannot be read")
                if symbol in unreadable
                else _about_watched(self._about(symbol), situation, power)
                for symbol in portfolio.watchlist
                if symbol not in symbols
            ]
        return tuple(decisions)


class _Opinion(Record, frozen=True):
    """The conclusions from a symbol's research that are the same for all users.

    ``outlook`` is the score in words, if there is one. ``watched``, ``long`` and ``short`` are the decisions of users
    without the symbol, with a long and with a short position, where its size and theirs do not matter.
    """

    outlook: str
    good: bool
    bad: bool
    watched: Decision
    long: Decision
    short: Decision

    def hold(self, reason: str) -> Decision:
        """Return the decision to hold the symbol for this reason."""
        watched = self.watched
        return _hold(watched.symbol, watched.strength, watched.signal_since, reason)


def _opinion(symbol: str, research: Research | None) -> _Opinion:
    if research is None or research.score is None:
        reason = "fewer than 200 recent closes are known" if research else "no price is known"
        alone = _hold(symbol, 1, None, f"there is no score, for {reason}")
        return _Opinion("", good=False, bad=False, watched=alone, long=alone, short=alone)
    score, since, outlook = research.score, research.signal_since, _outlook(research)
    strength = max(1, math.floor(10 * abs(score) + 0.5))
    if score >= BUY_SCORE:
        bought = _decided(symbol, "BUY", _BUY_PERCENT, strength, since, _buy_text(outlook, _BUY_PERCENT))
        covered = _closing(bought, _HALF, [_against(outlook, short=True)], short=True)
        return _Opinion(outlook, good=True, bad=False, watched=bought, long=bought, short=covered)
    if score <= SELL_SCORE:
        against = _against(outlook, short=False)
        left = _hold(symbol, strength, since, f"{against}, but there is nothing to sell")
        kept = _hold(symbol, strength, since, f"{against}, from which a short position gains")
        sold = _closing(left, _HALF, [against], short=False)
        return _Opinion(outlook, good=False, bad=True, watched=left, long=sold, short=kept)
    alone = _hold(symbol, strength, since, f"{outlook} is between {SELL_SCORE:g} and {BUY_SCORE:g}")
    return _Opinion(outlook, good=False, bad=False, watched=alone, long=alone, short=alone)


def _about_holding(holding: HoldingReport, opinion: _Opinion, situation: Situation, buying_power: float) -> Decision:
    weight = holding.weight
    if weight is None:
        return opinion.hold("the position has no price" if holding.price is None else _NO_WEIGHTS)
    short = weight < 0
    large = LARGEST_POSITION.crosses(abs(weight), situation.limits.breach)
    if large and holding.symbol not in situation.funds:
        return _about_large(opinion, abs(weight), situation, short=short)
    if short:
        return opinion.short
    return _purchase(opinion, weight, situation, buying_power) if opinion.good else opinion.long


def _about_watched(opinion: _Opinion, situation: Situation, buying_power: float) -> Decision:
    if not opinion.good:
        return opinion.watched
    if situation.valuation_only:
        return opinion.hold(f"{opinion.outlook} is good, but {_NO_WEIGHTS}")
    return _purchase(opinion, 0.0, situation, buying_power)


def _purchase(opinion: _Opinion, weight: float, situation: Situation, buying_power: float) -> Decision:
    """Return the purchase of a symbol with a good outlook, as far as its weight leaves room for it."""
    limit = situation.limits.warning
    if LARGEST_POSITION.crosses(weight, limit):
        reason = f"{_share(weight, situation)} the position has no room below {limit:.1%}"
        return opinion.hold(f"{opinion.outlook} is good, but {reason}")
    room, bought = (limit - weight) * situation.total_value, opinion.watched
    if buying_power * _BUY_PERCENT / 100 <= room:
        return bought
    percent = 100 * room / buying_power
    text = _buy_text(opinion.outlook, percent, f", and {limit:.1%} of the total value is not to be exceeded")
    return _decided(bought.symbol, "BUY", percent, bought.strength, bought.signal_since, text)


def _about_large(opinion: _Opinion, weight: float, situation: Situation, *, short: bool) -> Decision:
    """Return the decision about a position at the breach, ``weight`` without its sign."""
    limits, alone = situation.limits, opinion.short if short else opinion.long
    against = opinion.good if short else opinion.bad
    limit = f"the breach threshold of {limits.breach:.1%}"
    size = f"{_share(weight, situation)} the position is at or above {limit}"
    if not situation.complete:
        reason = f"{size}, but it is not reduced for its weight while a holding has no price"
        return alone if against else opinion.hold(reason)
    target = (limits.warning + limits.breach) / 2
    excess = math.ceil(round(100 * (1 - target / weight), 9))
    if excess <= 0:
        return alone if against else opinion.hold(f"{size}, which is also what is to be left")
    reasons = [f"{size}, and {target:.1%} is to be left"]
    if against:
        reasons.append(_against(opinion.outlook, short=short))
    return _closing(alone, max(excess, _HALF if against else 0.0), reasons, short=short, forced=True)


def _share(weight: float, situation: Situation) -> str:
    return f"at {weight:.1%} of {'the total value' if situation.complete else 'what has a price'}"


def _closing(base: Decision, size: float, reasons: Sequence[str], *, short: bool, forced: bool = False) -> Decision:
    """Return the decision to close ``size`` percent of a position, with the signal of the ``base``."""
    verb = f"Buy back {size:g}% of the short position" if short else f"Sell {size:g}%"
    strength = max(base.strength, _FORCED_STRENGTH) if forced else base.strength
    text = f"{verb}: {'; '.join(reasons)}."
    return _decided(base.symbol, "BUY" if short else "SELL", float(size), strength, base.signal_since, text)


def _decided(symbol: str, action: Action, percent: float, strength: int, since: date | None, text: str) -> Decision:
    return Decision(symbol, action, percent, strength, since, text, strength)


def _hold(symbol: str, strength: int, since: date | None, reason: str) -> Decision:
    return _decided(symbol, "HOLD", 0.0, strength, since, f"Hold: {reason}.")


def _outlook(research: Research) -> str:
    # Cut, not rounded: a score of 0.4999 is not shown as the 0.5 that it does not reach.
    score = math.trunc(round(1000 * (research.score or 0.0), 6)) / 1000
    return (
        f"the score of {score:.3f} (trend {_TRENDS[research.trend]}, "
        f"momentum {_shown(research.momentum_12_1, '.1%')}, MACD histogram {_shown(research.macd_histogram, '.3g')}, "
        f"RSI {_shown(research.rsi_14, '.0f')})"
    )


def _buy_text(outlook: str, percent: float, limit: str = "") -> str:
    return f"Buy for {percent:.3g}% of the buying power: {outlook} is at or above {BUY_SCORE:g}{limit}."


def _against(outlook: str, *, short: bool) -> str:
    return f"{outlook} is {f'at or above {BUY_SCORE:g}' if short else f'at or below {SELL_SCORE:g}'}"


def _shown(figure: float | None, number_format: str) -> str:
    return "unknown" if figure is None else f"{figure:{number_format}}"
