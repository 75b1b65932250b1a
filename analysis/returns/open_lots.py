"""Open lots: which of them a sale or a purchase that covers consumes, by the person's method."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import isnan

from analysis.models import LotMethod
from analysis.returns.quantities import ROUNDING, Place

_SAME_COST = 1e-12


@dataclass(slots=True)
class Lot:
    """Shares that were opened together; of a short lot ``quantity`` and ``cost`` are negative.

    Attributes:
        opened: the day of the purchase, transfer or short sale; ``None`` of shares without a record.
        number: ascending with age from the oldest.
        cost: in the base currency, NaN if unknown; what a short sale brought, negative.
        names: the ids by which a sale may name the lot.
        bought: the day of the purchase, ``None`` if it was none.
    """

    account_id: str
    symbol: str
    opened: date | None
    number: int
    quantity: float
    cost: float
    names: frozenset[str] = frozenset()
    bought: date | None = None

    def split(self, quantity: float) -> "Lot":
        """Return a lot of some of the shares, which leave this one; the sign of ``quantity`` is the lot's."""
        part = quantity / self.quantity
        cost = self.cost * part
        self.quantity -= quantity
        self.cost -= cost
        return Lot(self.account_id, self.symbol, self.opened, self.number, quantity, cost, self.names, self.bought)


@dataclass(slots=True)
class OpenLots:
    """The open lots of a person."""

    method: LotMethod
    places: dict[Place, list[Lot]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Lot]:
        """Yield all lots, the oldest of each place first."""
        for place in sorted(self.places):
            yield from sorted(self.places[place], key=_age)

    def of(self, symbol: str) -> list[Lot]:
        """Return the lots of a symbol in all accounts, the oldest first."""
        found = [lot for (_, name), lots in self.places.items() if name == symbol for lot in lots]
        return sorted(found, key=_age)

    def add(self, lot: Lot) -> None:
        """Add a lot."""
        self.places.setdefault((lot.account_id, lot.symbol), []).append(lot)

    def pop(self, symbol: str) -> list[Lot]:
        """Remove and return the lots of a symbol in all accounts, the oldest first."""
        lots = self.of(symbol)
        for place in [place for place in self.places if place[1] == symbol]:
            del self.places[place]
        return lots

    def take(self, place: Place, quantity: float, lot_id: str) -> tuple[list[Lot], float]:
        """Remove ``quantity`` shares from long lots, or from short ones if negative, and return them by lot.

        The second part of the result are the shares beyond the lots, 0 for what is rounding.
        """
        sign = 1.0 if quantity > 0 else -1.0
        lots = [lot for lot in self.places.get(place, ()) if lot.quantity * sign > 0]
        if self.method == "average":
            _average(lots)
        noise = ROUNDING * (abs(quantity) + sum(abs(lot.quantity) for lot in lots))
        rest, taken = abs(quantity), []
        for lot in self._in_order(lots, lot_id):
            if rest <= noise:
                break
            size = abs(lot.quantity)
            part = size if size - rest <= noise else rest
            taken.append(lot.split(sign * part))
            rest -= part
            if part == size:
                self.places[place] = [other for other in self.places[place] if other is not lot]
        return taken, sign * rest if rest > noise else 0.0

    def named(self, place: Place, lot_id: str) -> float:
        """Return the shares of the lots that a sale names; all, if it names none and there is nothing to choose."""
        lots = [lot for lot in self.places.get(place, ()) if lot.quantity > 0]
        if not lot_id and len(lots) <= 1:
            return float("inf")
        return sum(lot.quantity for lot in lots if lot_id in lot.names)

    def level(self) -> None:
        """Average the costs of all lots of a place, if that is the method."""
        if self.method == "average":
            for lots in self.places.values():
                for sign in (1.0, -1.0):
                    _average([lot for lot in lots if lot.quantity * sign > 0])

    def _in_order(self, lots: list[Lot], lot_id: str) -> list[Lot]:
        oldest = sorted(lots, key=_age)
        match self.method:
            case "lifo":
                return oldest[::-1]
            case "hifo":
                return _highest_first(oldest)
            case "specific" if lot_id:
                return sorted(oldest, key=lambda lot: lot_id not in lot.names)
        return oldest


def _age(lot: Lot) -> tuple[date, int]:
    return lot.opened or date.min, lot.number


def _highest_first(oldest: list[Lot]) -> list[Lot]:
    """Return the lots by cost of a share, highest first, of short ones the lowest proceeds; unknown costs last.

    Costs that differ by no more than rounding are ties, in which the oldest is first.
    """

    def key(lot: Lot) -> float:
        return float("inf") if isnan(lot.cost) else -lot.cost / abs(lot.quantity)

    order: list[Lot] = []
    rest = sorted(oldest, key=key)
    while rest:
        first = key(rest[0])
        tied = [lot for lot in rest if key(lot) == first or key(lot) - first <= _SAME_COST * abs(first)]
        order += sorted(tied, key=_age)
        rest = rest[len(tied) :]
    return order


def _average(lots: Sequence[Lot]) -> None:
    """Average the costs of a share of those lots whose cost is known."""
    known = [lot for lot in lots if not isnan(lot.cost)]
    if len(known) > 1:
        quantity, cost = sum(lot.quantity for lot in known), sum(lot.cost for lot in known)
        for lot in known:
            lot.cost = cost * lot.quantity / quantity
