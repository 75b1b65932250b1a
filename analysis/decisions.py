"""What to do about each symbol that a user holds or watches: fixed rules, and a sentence with the figures they saw.

A position that the outlook speaks against is closed by half, and one as large as a breach of the user's
``largest_position`` down to a fifth of the total value, whichever closes more; what has a good outlook is bought while
it is no large part. A short position gains from falling prices: a good outlook speaks against it, closing it is a
purchase, and more of it is never sold.
"""

import math
from collections.abc import Mapping, Sequence

from analysis.checks import LARGEST_POSITION
from analysis.models import Decision, HoldingReport, Portfolio, Research

BUY_SCORE, SELL_SCORE = 0.5, -0.5
_ROOM_UP_TO = 0.15
_LARGE_POSITION_TARGET = 0.20
_HALF = 50
_BUY_PERCENT = 10
_FORCED_CONFIDENCE = 8
_TRENDS = {1: "up", 0: "none", -1: "down", None: "unknown"}


class Adviser:
    """Decides for all portfolios of a page; what it makes of a symbol alone is worked out once."""

    def __init__(self, research: Mapping[str, Research]) -> None:
        self._research = research
        self._known: dict[str, tuple[float | None, Decision]] = {}

    def decide(self, portfolio: Portfolio, holdings: Sequence[HoldingReport]) -> tuple[Decision, ...]:
        """Decide about the ``holdings``, those of the ``portfolio`` as valued, then about what is watched only."""
        _, breach = LARGEST_POSITION.limits(portfolio.thresholds)
        held = {holding.symbol for holding in holdings}
        watched = [symbol for symbol in portfolio.watchlist if symbol not in held]
        return (
            *[self._about_holding(holding, breach) for holding in holdings],
            *[self._about(symbol)[1] for symbol in watched],
        )

    def _about_holding(self, holding: HoldingReport, breach: float) -> Decision:
        score, alone = self._about(holding.symbol)
        weight = holding.weight
        if weight is None:
            return _hold(holding.symbol, alone.confidence, "the position has no price")
        against = score is not None and (score >= BUY_SCORE if holding.quantity < 0 else score <= SELL_SCORE)
        excess = _excess_percent(abs(weight), breach)
        if against or excess:
            return self._close(holding, breach, excess, against=against)
        if alone.decision == "BUY" and weight >= _ROOM_UP_TO:
            why = f"at {weight:.1%} of the total value the position has no room below {_ROOM_UP_TO:.1%}"
            return _hold(holding.symbol, alone.confidence, f"{self._outlook(holding.symbol)} is good, but {why}")
        return alone

    def _close(self, holding: HoldingReport, breach: float, excess: int, *, against: bool) -> Decision:
        symbol, short, weight = holding.symbol, holding.quantity < 0, abs(holding.weight or 0)
        size = max(excess, _HALF if against else 0)
        reasons = []
        if excess:
            limit = f"the breach threshold of {breach:.1%}, and {_LARGE_POSITION_TARGET:.1%} is to be left"
            reasons.append(f"at {weight:.1%} of the total value the position is at or above {limit}")
        if against:
            side = f"at or above {BUY_SCORE:g}" if short else f"at or below {SELL_SCORE:g}"
            reasons.append(f"{self._outlook(symbol)} is {side}")
        verb = f"Buy back {size}% of the short position" if short else f"Sell {size}%"
        _, alone = self._about(symbol)
        confidence = max(alone.confidence, _FORCED_CONFIDENCE if excess else 0)
        return Decision(symbol, "BUY" if short else "SELL", size, confidence, f"{verb}: {'; '.join(reasons)}.")

    def _about(self, symbol: str) -> tuple[float | None, Decision]:
        """Give the score of a symbol, and what to do about it were it not held."""
        known = self._known.get(symbol)
        if known is None:
            research = self._research.get(symbol)
            score = research.score if research else None
            known = self._known[symbol] = score, self._decide_alone(symbol, score)
        return known

    def _decide_alone(self, symbol: str, score: float | None) -> Decision:
        if score is None:
            why = "fewer than 200 closes are known" if symbol in self._research else "no price is known"
            return _hold(symbol, 1, f"there is no score, for {why}")
        confidence = max(1, math.floor(10 * abs(score) + 0.5))
        outlook = self._outlook(symbol)
        if score >= BUY_SCORE:
            text = f"Buy for {_BUY_PERCENT}% of the buying power: {outlook} is at or above {BUY_SCORE:g}."
            return Decision(symbol, "BUY", _BUY_PERCENT, confidence, text)
        if score <= SELL_SCORE:
            return _hold(symbol, confidence, f"{outlook} is at or below {SELL_SCORE:g}, but there is nothing to sell")
        return _hold(symbol, confidence, f"{outlook} is between {SELL_SCORE:g} and {BUY_SCORE:g}")

    def _outlook(self, symbol: str) -> str:
        seen = self._research[symbol]
        return (
            f"the score of {_shown(seen.score, '.3f')} (trend {_TRENDS[seen.trend]}, "
            f"momentum {_shown(seen.momentum_12_1, '.1%')}, MACD histogram {_shown(seen.macd_histogram, '.3g')}, "
            f"RSI {_shown(seen.rsi_14, '.0f')})"
        )


def _shown(figure: float | None, shape: str) -> str:
    return "unknown" if figure is None else f"{figure:{shape}}"


def _hold(symbol: str, confidence: int, why: str) -> Decision:
    return Decision(symbol, "HOLD", 0, confidence, f"Hold: {why}.")


def _excess_percent(weight: float, breach: float) -> int:
    """Tell how much of a position that is at the breach lies above the target, in whole percent, rounded up."""
    if weight <= _LARGE_POSITION_TARGET or not LARGEST_POSITION.crosses(weight, breach):
        return 0
    return math.ceil(round(100 * (1 - _LARGE_POSITION_TARGET / weight), 9))
