"""Decisions about each symbol that a user holds or watches: fixed rules, and a sentence with their figures.

A position against the outlook is reduced by half, and one as large as a breach of the user's ``largest_position``
to a fifth of the total value, whichever closes more; a symbol with a good outlook is bought unless it is a large part
already. A short position gains from falling prices: a good outlook is against it, closing it is a purchase, and more
of it is never sold.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from analysis.checks import LARGEST_POSITION
from analysis.models import Decision, HoldingReport, Portfolio, Research, record

BUY_SCORE, SELL_SCORE = 0.5, -0.5
_ROOM_UP_TO = 0.15
_LARGE_POSITION_TARGET = 0.20
_HALF = 50
_BUY_PERCENT = 10
_FORCED_CONFIDENCE = 8
_TRENDS = {1: "up", 0: "none", -1: "down", None: "unknown"}


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


class Adviser:
    """Decides for all portfolios of a run; opinions that depend only on a symbol are computed once, here."""

    def __init__(self, research: Mapping[str, Research]) -> None:
        self.research = research
        self._opinions = {symbol: _opinion(symbol, seen) for symbol, seen in research.items()}

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
            why = f"at {weight:.1%} of the total value the position has no room below {_ROOM_UP_TO:.1%}"
            return _hold(holding.symbol, opinion.alone.confidence, f"{opinion.outlook} is good, but {why}")
        return opinion.alone

    def _about(self, symbol: str) -> _Opinion:
        return self._opinions.get(symbol) or _opinion(symbol, None)


def _opinion(symbol: str, seen: Research | None) -> _Opinion:
    if seen is None or seen.score is None:
        why = "fewer than 200 closes are known" if seen else "no price is known"
        alone = _hold(symbol, 1, f"there is no score, for {why}")
        return _Opinion("", good=False, bad=False, alone=alone, closing=alone)
    outlook = _outlook(seen)
    confidence = max(1, math.floor(10 * abs(seen.score) + 0.5))
    if seen.score >= BUY_SCORE:
        text = f"Buy for {_BUY_PERCENT}% of the buying power: {outlook} is at or above {BUY_SCORE:g}."
        alone = Decision(symbol, "BUY", _BUY_PERCENT, confidence, text)
        closing = _closing(symbol, _HALF, confidence, [_against(outlook, short=True)], short=True)
        return _Opinion(outlook, good=True, bad=False, alone=alone, closing=closing)
    if seen.score <= SELL_SCORE:
        why = f"{outlook} is at or below {SELL_SCORE:g}, but there is nothing to sell"
        closing = _closing(symbol, _HALF, confidence, [_against(outlook, short=False)], short=False)
        return _Opinion(outlook, good=False, bad=True, alone=_hold(symbol, confidence, why), closing=closing)
    alone = _hold(symbol, confidence, f"{outlook} is between {SELL_SCORE:g} and {BUY_SCORE:g}")
    return _Opinion(outlook, good=False, bad=False, alone=alone, closing=alone)


def _outlook(seen: Research) -> str:
    return (
        f"the score of {_shown(seen.score, '.3f')} (trend {_TRENDS[seen.trend]}, "
        f"momentum {_shown(seen.momentum_12_1, '.1%')}, MACD histogram {_shown(seen.macd_histogram, '.3g')}, "
        f"RSI {_shown(seen.rsi_14, '.0f')})"
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


def _shown(figure: float | None, shape: str) -> str:
    return "unknown" if figure is None else f"{figure:{shape}}"


def _hold(symbol: str, confidence: int, why: str) -> Decision:
    return Decision(symbol, "HOLD", 0, confidence, f"Hold: {why}.")


def _excess_percent(weight: float, breach: float) -> int:
    """Return the part of a position at the breach that lies above the target, in whole percent, rounded up."""
    if weight <= _LARGE_POSITION_TARGET or not LARGEST_POSITION.crosses(weight, breach):
        return 0
    return math.ceil(round(100 * (1 - _LARGE_POSITION_TARGET / weight), 9))
