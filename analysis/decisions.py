"""A decision for each symbol that a user holds or watches, by fixed rules, with a sentence that has the figures."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from analysis.checks import Limits
from analysis.models import Decision, HoldingReport, Portfolio, Research, record

BUY_SCORE, SELL_SCORE = 0.5, -0.5

_HALF = 50
_BUY_PERCENT = 10
_FORCED_STRENGTH = 8
_TRENDS = {1: "up", 0: "none", -1: "down", None: "unknown"}


@record
class Situation:
    """The circumstances of a portfolio's decisions: ``limits`` are of ``largest_position``.

    ``funds`` are the symbols of diversified funds, held or not.
    """

    total_value: float
    complete: bool
    valuation_only: bool
    limits: Limits
    funds: Collection[str]


class Adviser:
    """Decides for all portfolios of a run; opinions that depend only on a symbol are computed once, here."""

    def __init__(self, research: Mapping[str, Research]) -> None:
        self.research = research
        self._opinions = {symbol: _opinion(symbol, own) for symbol, own in research.items()}

    def standing(self) -> Iterator[Decision]:
        """Yield the decisions that do not depend on a portfolio; most decisions about one are among them."""
        for opinion in self._opinions.values():
            yield from (opinion.alone, opinion.closing) if opinion.closing is not opinion.alone else (opinion.alone,)

    def decide(
        self, portfolio: Portfolio, holdings: Sequence[HoldingReport], situation: Situation
    ) -> tuple[Decision, ...]:
        """Return the decisions about ``holdings``, the ``portfolio``'s as valued, then about symbols only watched."""
        decisions = [self._about_holding(holding, situation) for holding in holdings]
        if portfolio.watchlist:
            held = {holding.symbol for holding in holdings}
            decisions += [self._about(symbol).alone for symbol in portfolio.watchlist if symbol not in held]
        return tuple(decisions)

    def _about_holding(self, holding: HoldingReport, situation: Situation) -> Decision:
        opinion, weight, limits = self._about(holding.symbol), holding.weight, situation.limits
        if weight is None or holding.quantity is None:
            return _hold(holding.symbol, opinion.alone.strength, "the position has no price, or nothing has a weight")
        against = opinion.good if holding.quantity < 0 else opinion.bad
        large = situation.complete and holding.symbol not in situation.funds
        excess = _excess_percent(abs(weight), limits) if large else 0
        if excess:
            return _reduced(holding, opinion, limits, excess, against=against)
        if against:
            return opinion.closing
        if opinion.good and weight >= limits.warning:
            reason = f"at {weight:.1%} of the total value the position has no room below {limits.warning:.1%}"
            return _hold(holding.symbol, opinion.alone.strength, f"{opinion.outlook} is good, but {reason}")
        return opinion.alone

    def _about(self, symbol: str) -> "_Opinion":
        return self._opinions.get(symbol) or _opinion(symbol, None)


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
    strength = max(1, math.floor(10 * abs(research.score) + 0.5))
    if research.score >= BUY_SCORE:
        text = f"Buy for {_BUY_PERCENT}% of the buying power: {outlook} is at or above {BUY_SCORE:g}."
        alone = Decision(symbol, "BUY", _BUY_PERCENT, strength, research.signal_since, text)
        closing = _closing(symbol, _HALF, strength, [_against(outlook, short=True)], short=True)
        return _Opinion(outlook, good=True, bad=False, alone=alone, closing=closing)
    if research.score <= SELL_SCORE:
        reason = f"{_against(outlook, short=False)}, but there is nothing to sell"
        closing = _closing(symbol, _HALF, strength, [_against(outlook, short=False)], short=False)
        return _Opinion(outlook, good=False, bad=True, alone=_hold(symbol, strength, reason), closing=closing)
    alone = _hold(symbol, strength, f"{outlook} is between {SELL_SCORE:g} and {BUY_SCORE:g}")
    return _Opinion(outlook, good=False, bad=False, alone=alone, closing=alone)


def _outlook(research: Research) -> str:
    return (
        f"the score of {_shown(research.score, '.3f')} (trend {_TRENDS[research.trend]}, "
        f"momentum {_shown(research.momentum_12_1, '.1%')}, MACD histogram {_shown(research.macd_histogram, '.3g')}, "
        f"RSI {_shown(research.rsi_14, '.0f')})"
    )


def _reduced(holding: HoldingReport, opinion: _Opinion, limits: Limits, excess: int, *, against: bool) -> Decision:
    """Return a reduction of a too large position by ``excess`` percent, or more if the score is ``against`` it."""
    short = (holding.quantity or 0) < 0
    limit = f"the breach threshold of {limits.breach:.1%}, and {_target(limits):.1%} is to be left"
    reasons = [f"at {abs(holding.weight or 0):.1%} of the total value the position is at or above {limit}"]
    if against:
        reasons.append(_against(opinion.outlook, short=short))
    size = max(excess, _HALF if against else 0)
    return _closing(holding.symbol, size, max(opinion.alone.strength, _FORCED_STRENGTH), reasons, short=short)


def _against(outlook: str, *, short: bool) -> str:
    return f"{outlook} is {f'at or above {BUY_SCORE:g}' if short else f'at or below {SELL_SCORE:g}'}"


def _closing(symbol: str, size: int, strength: int, reasons: Sequence[str], *, short: bool) -> Decision:
    verb = f"Buy back {size}% of the short position" if short else f"Sell {size}%"
    return Decision(symbol, "BUY" if short else "SELL", size, strength, None, f"{verb}: {'; '.join(reasons)}.")


def _shown(figure: float | None, number_format: str) -> str:
    return "unknown" if figure is None else f"{figure:{number_format}}"


def _hold(symbol: str, strength: int, reason: str) -> Decision:
    return Decision(symbol, "HOLD", 0, strength, None, f"Hold: {reason}.")


def _excess_percent(weight: float, limits: Limits) -> int:
    """Return the part of a position at the breach that lies above the target, in whole percent, rounded up."""
    if weight < limits.breach * (1 - 1e-12):
        return 0
    return math.ceil(round(100 * (1 - _target(limits) / weight), 9))


def _target(limits: Limits) -> float:
    return (limits.warning + limits.breach) / 2
