"""What is owned, and what it is worth.

Readings: an estimate needs a known quantity and a positive cost; the portfolio's cost and gain are sums over the
priced holdings whose cost is known; an invalid holding is in no list of symbols; the multiplier of an unknown
symbol is 1.
"""

import math
from dataclasses import dataclass
from datetime import date

from tests.oracle.facts import Facts, Prepared
from tests.oracle.inputs import Person


@dataclass(frozen=True, slots=True)
class Position:
    """A holding with its value, or with the reason for which it is not priced."""

    symbol: str
    quantity: float | None
    avg_price: float | None
    facts: Facts
    reason: str | None

    @property
    def value(self) -> float:
        """Return the market value of a priced position."""
        assert self.reason is None
        assert self.quantity is not None
        return self.quantity * self.facts.price * self.facts.multiplier

    @property
    def cost(self) -> float | None:
        """Return the cost, if it is known."""
        if self.quantity is None or self.avg_price is None:
            return None
        return self.quantity * self.avg_price * self.facts.multiplier

    @property
    def estimate(self) -> float | None:
        """Return the signed estimate of an unpriced position, ``None`` if its size is unknown."""
        return self.cost if self.avg_price is not None and self.avg_price > 0 else None

    def figures(self) -> dict[str, object]:
        """Return the members of the report that need no portfolio."""
        facts, priced = self.facts, self.reason is None
        gain = self.value - self.cost if priced and self.cost is not None else None
        positive = gain is not None and self.avg_price is not None and self.avg_price > 0
        return {
            "symbol": self.symbol,
            "quantity": self.quantity,
            "avg_price": self.avg_price,
            "price": facts.price if priced else None,
            "price_date": facts.price_date if priced else None,
            "market_value": self.value if priced else None,
            "cost_basis": self.cost,
            "unrealized_pl": gain,
            "unrealized_pl_pct": _percent(gain, self.cost) if positive else None,
            "return_1d": facts.change_over(1) if priced else None,
            "return_21d": facts.change_over(21) if priced else None,
            "return_252d": facts.change_over(252) if priced else None,
            "annual_volatility": facts.annual_volatility if priced else None,
            "beta": facts.beta if priced else None,
            "reason": self.reason,
        }


def _percent(amount: float | None, base: float | None) -> float | None:
    return 100 * amount / abs(base) if amount is not None and base else None


@dataclass(frozen=True, slots=True)
class Book:
    """All positions of a person with the account."""

    positions: tuple[Position, ...]
    cash: float
    as_of: date

    @property
    def priced(self) -> list[Position]:
        """Return the positions with a price."""
        return [position for position in self.positions if position.reason is None]

    @property
    def unpriced(self) -> list[Position]:
        """Return the positions without a price."""
        return [position for position in self.positions if position.reason is not None]

    @property
    def estimates(self) -> list[float]:
        """Return the signed estimates of the unpriced positions whose size is known."""
        return [position.estimate for position in self.unpriced if position.estimate is not None]

    @property
    def has_unknown_size(self) -> bool:
        """Return whether an unpriced position is of unknown size."""
        return any(position.estimate is None for position in self.unpriced)

    @property
    def is_complete(self) -> bool:
        """Return whether everything is priced."""
        return not self.unpriced

    @property
    def market_value(self) -> float:
        """Return the signed sum of what is priced, without cash."""
        return math.fsum(position.value for position in self.priced)

    @property
    def gross(self) -> float:
        """Return the sum of absolute market values."""
        return math.fsum(abs(position.value) for position in self.priced)

    @property
    def unpriced_cost(self) -> float:
        """Return the sum of absolute estimates."""
        return math.fsum(map(abs, self.estimates))

    @property
    def total(self) -> float:
        """Return T: the market value and the cash."""
        return self.market_value + self.cash

    @property
    def estimated_total(self) -> float:
        """Return E: T and the signed estimates."""
        return self.total + math.fsum(self.estimates)

    def coverage(self, included: set[str]) -> float:
        """Return the coverage with these symbols included, as if positions of unknown size did not exist."""
        if not self.positions:
            return 1.0
        whole = self.gross + self.unpriced_cost
        return self.gross_of(included) / whole if whole else 0.0

    def gross_of(self, symbols: set[str]) -> float:
        """Return the sum of absolute market values of these symbols."""
        return math.fsum(abs(position.value) for position in self.priced if position.symbol in symbols)

    def figures(self) -> dict[str, object]:
        """Return the section ``valuation``."""
        known = [position for position in self.priced if position.cost is not None]
        cost = math.fsum(position.cost or 0.0 for position in known) if known else None
        gain = math.fsum(position.value for position in known) - cost if cost is not None else None
        change, change_base = self._day_change()
        return {
            "market_value": self.market_value,
            "cash": self.cash,
            "cost_basis": cost,
            "unrealized_pl": gain,
            "unrealized_pl_pct": _percent(gain, cost),
            "day_change": change,
            "day_change_pct": _percent(change, change_base),
            "unpriced_cost": self.unpriced_cost,
            "complete": self.is_complete,
        }

    def _day_change(self) -> tuple[float | None, float | None]:
        changes = [
            (position.value * position.facts.day_change, position.value)
            for position in self.priced
            if position.facts.day_change is not None
        ]
        if not changes:
            return None, None
        return math.fsum(change for change, _ in changes), math.fsum(abs(value - change) for change, value in changes)


def book(market: Prepared, person: Person) -> Book:
    """Return the positions of a person; quantity 0 is a closed one."""
    positions = [
        Position(
            holding.symbol, holding.quantity, holding.avg_price, facts, "missing_price" if facts.is_missing else None
        )
        for holding in person.holdings
        if holding.quantity != 0
        for facts in (market.symbol(holding.symbol),)
    ]
    positions += [
        Position(holding.symbol, holding.quantity, holding.avg_price, market.symbol(holding.symbol), "invalid")
        for holding in person.invalid
        if holding.quantity != 0
    ]
    return Book(tuple(positions), person.cash or 0.0, market.calendar.as_of)
