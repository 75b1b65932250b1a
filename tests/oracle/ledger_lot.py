"""A lot of shares, and the orders in which lots are consumed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tests.oracle.ledger_inputs import SMALL, ZERO


@dataclass(slots=True, eq=False)
class Lot:
    """Shares opened at once; ``quantity`` is negative and ``cost`` what was received where they are short."""

    symbol: str
    account: str
    opened: date | None
    quantity: Decimal
    cost: Decimal | None
    number: int
    names: frozenset[str] = frozenset()
    is_purchase: bool = False

    @property
    def age(self) -> tuple[date, int]:
        """Return what orders lots from the oldest on."""
        return self.opened or date.min, self.number

    def take(self, quantity: Decimal) -> Decimal | None:
        """Return the cost of a part, which leaves the lot."""
        part = None if self.cost is None else self.cost * quantity / self.quantity
        self.cost = None if self.cost is None or part is None else self.cost - part
        self.quantity -= quantity
        return part


def dearest_first(own: Sequence[Lot]) -> Iterator[Lot]:
    """Yield lots by their cost of a share, short ones by the least that they brought; of ties the oldest first."""
    known = [lot for lot in own if lot.cost is not None]
    while known:
        units = {lot: (lot.cost or ZERO) / lot.quantity for lot in known}
        highest = max(units.values())
        first = next(lot for lot in known if units[lot] >= highest - SMALL * abs(highest))
        known.remove(first)
        yield first
    yield from (lot for lot in own if lot.cost is None)


def average(own: Sequence[Lot]) -> None:
    """Average the costs of all shares, and what all short ones brought."""
    for side in (1, -1):
        known = [lot for lot in own if lot.cost is not None and lot.quantity * side > 0]
        shares = sum((lot.quantity for lot in known), ZERO)
        cost = sum((lot.cost or ZERO for lot in known), ZERO)
        for lot in known:
            lot.cost = cost * lot.quantity / shares
