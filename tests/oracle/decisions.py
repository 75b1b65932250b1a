"""Decisions: what to do with each holding and each watched symbol.

Readings: weight is of the total value of what is priced, also while something is unpriced; a sale of 0 % is none;
invalid holdings get no decision, and what is watched is not bought beside one of it; an unpriced holding is held.
"""

import math
from dataclasses import dataclass
from datetime import date

from tests.oracle.bars import EXACT
from tests.oracle.checks import limits
from tests.oracle.facts import Facts, Prepared
from tests.oracle.inputs import Person
from tests.oracle.valuation import Book, Position


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision, with its size in percent and, of a purchase, in money."""

    facts: Facts
    decision: str
    percent: float
    strength: int
    quantity: float = 0.0
    money: float = 0.0

    @property
    def is_cover(self) -> bool:
        """Return whether a short position is bought back."""
        return self.decision == "BUY" and self.quantity < 0

    @property
    def score(self) -> float | None:
        """Return the score of the symbol."""
        return self.facts.research.score if self.facts.research else None

    @property
    def signal_since(self) -> date | None:
        """Return the day since which the score is on its side."""
        return self.facts.research.signal_since if self.facts.research else None

    def figures(self) -> dict[str, object]:
        """Return the entry of the report."""
        return {
            "symbol": self.facts.symbol,
            "decision": self.decision,
            "position_size_percent": self.percent,
            "strength": self.strength,
            "confidence": self.strength,
            "signal_since": self.signal_since,
        }


def strength(score: float | None) -> int:
    """Return the strength of a signal, 1 to 10."""
    return 1 if score is None else max(1, math.floor(round(10 * abs(score), 11) + 0.5))


def buying_power(person: Person) -> float:
    """Return the buying power before sales."""
    given = person.cash if person.buying_power is None else person.buying_power
    return given or 0.0


class Advice:
    """The rules of decisions for one person."""

    def __init__(self, market: Prepared, book: Book, person: Person, *, valuation_only: bool) -> None:
        self._market, self._book, self._person = market, book, person
        self._valuation_only = valuation_only
        self._limits = limits("largest_position", person.thresholds)
        self._target = (self._limits.warning + self._limits.breach) / 2

    def decisions(self) -> list[Decision]:
        """Return the decisions for the holdings, then for what is watched only."""
        positions = [position for position in self._book.positions if position.reason != "invalid"]
        held = {position.symbol for position in positions}
        watched = [symbol for symbol in dict.fromkeys(self._person.watchlist) if symbol not in held]
        unreadable = {position.symbol for position in self._book.positions if position.reason == "invalid"}
        return [self._holding(position) for position in positions] + [
            self._watched(self._market.symbol(symbol), is_held=symbol in unreadable) for symbol in watched
        ]

    def _holding(self, position: Position) -> Decision:
        facts = position.facts
        score = facts.research.score if facts.research else None
        if self._valuation_only or position.reason is not None:
            return Decision(facts, "HOLD", 0.0, strength(score))
        weight = abs(position.value / self._book.total)
        down = self._percent_down(position, weight)
        is_long = position.value > 0
        against = score is not None and (score <= -0.5 if is_long else score >= 0.5)
        percent = min(100.0, max(down, 50.0 if against else 0.0))
        if percent:
            told = max(8, strength(score)) if down else strength(score)
            return Decision(facts, "SELL" if is_long else "BUY", percent, told, position.quantity or 0.0)
        if is_long and score is not None and score >= 0.5 and weight < self._limits.warning - EXACT:
            return self._purchase(facts, score, weight)
        return Decision(facts, "HOLD", 0.0, strength(score))

    def _percent_down(self, position: Position, weight: float) -> float:
        """Return the percentage to sell or cover for the weight, 0 if none."""
        if weight < self._limits.breach - EXACT or position.facts.is_diversified or not self._book.is_complete:
            return 0.0
        return float(max(0, math.ceil(100 * (1 - self._target / weight) - 1e-9)))

    def _watched(self, facts: Facts, *, is_held: bool) -> Decision:
        score = facts.research.score if facts.research else None
        if self._valuation_only or is_held or score is None or score < 0.5:
            return Decision(facts, "HOLD", 0.0, strength(score))
        return self._purchase(facts, score, 0.0)

    def _purchase(self, facts: Facts, score: float, weight: float) -> Decision:
        power = max(0.0, buying_power(self._person))
        money, room = 0.1 * power, (self._limits.warning - weight) * self._book.total
        if room >= money:
            return Decision(facts, "BUY", 10.0, strength(score), money=money)
        return Decision(facts, "BUY", 100 * room / power, strength(score), money=room)
