"""The positions and the cash of each day, undone from today's.

Readings:
- Undoing a ``symbol_change`` or ``merger`` leaves of ``to_symbol`` what the transactions before it give from nothing,
  as far as so much was there; the rest is what had become of ``symbol``.
- A quantity within 1e-9 of its movements, and cash within 1e-9 of its, are 0 on every day; cash within 0.01 only as an
  opening.
- Where a holding equals the ledger's own quantity before one of several splits after its last transaction, none of the
  splits from that one on has been applied to it. A split counts as after the last transaction on a later day only.
- A split is raw where its day, or the one before, has no close, and after the calendar.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tests.oracle.ledger_book import Book, Booking
from tests.oracle.ledger_entries import SPLITS, SUCCESSIONS, ratio_of, split_ratio
from tests.oracle.ledger_inputs import CENT, ONE, SMALL, ZERO, exact

DAYS_BETWEEN_SPLITS = 5
type Quantities = defaultdict[str, Decimal]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A split that counts; ``booking`` is ``None`` if the source of prices tells it."""

    symbol: str
    place: int
    day: date
    ratio: Decimal
    booking: Booking | None


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """A split or another booking."""

    place: int
    split: Split | None
    booking: Booking | None

    @property
    def when(self) -> date:
        """Return the day on which it counts."""
        found = self.booking or self.split
        assert found is not None
        return found.day


class Positions:
    """The quantities and the cash at the end of each day, and before everything."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.world = book.world
        self.symbols = {holding.symbol for holding in book.person.holdings}
        for booking in book.bookings:
            self.symbols |= {booking.symbol, booking.transaction.to_symbol} - {""}
        self.splits = self._splits()
        self._in_closes = {split for split in self.splits if self._is_in_closes(split)}
        self.steps = self._steps()
        self._before_in_zero_run: dict[int, Decimal] = {}
        self._parents_in_zero_run: dict[int, Decimal] = {}
        self._run_from_nothing()
        self.holdings: Quantities = defaultdict(Decimal)
        for holding in book.person.holdings:
            self.holdings[holding.symbol] += exact(holding.quantity)
        self.pending = self._pending()
        self.now = {symbol: held * self.pending.get(symbol, ONE) for symbol, held in self.holdings.items()}
        """What is held today, after the splits that are pending."""
        self.movements: Quantities = defaultdict(Decimal)
        self.when_paid: dict[Booking, Decimal] = {}
        """The quantity of ``symbol`` when a dividend or interest of it is booked."""
        self.before: dict[Booking, Decimal] = {}
        """The quantity of ``symbol`` that a succession converts, or that a spin-off is for."""
        self.ends: dict[int, dict[str, Decimal]] = {}
        self._undo()
        self._undo_cash()

    def quantity(self, symbol: str, place: int) -> Decimal:
        """Return the quantity at the end of a day; place -1 is before everything."""
        return self._snapped(symbol, self.ends[place].get(symbol, ZERO))

    def opening(self, symbol: str) -> Decimal:
        """Return the quantity before everything."""
        return self.quantity(symbol, -1)

    def opening_cash(self, account: str) -> Decimal:
        """Return the cash before everything."""
        cash = self.cash(account, -1)
        return ZERO if abs(cash) <= CENT else cash

    def cash(self, account: str, place: int) -> Decimal:
        """Return the cash of an account at the end of a day, in its currency."""
        cash = self._cash[place][account]
        return ZERO if abs(cash) <= SMALL * self._cash_movements[account] else cash

    def split_factor(self, symbol: str, first: int, last: int) -> Decimal:
        """Return the shares after the splits of some days, for one before."""
        factor = ONE
        for split in self.splits:
            if split.symbol == symbol and first <= split.place <= last:
                factor *= split.ratio
        return factor

    def factor_after(self, symbol: str, day: date) -> Decimal:
        """Return the shares after the splits of the days behind the calendar up to a day, for one before."""
        factor = ONE
        for split in self.splits:
            if split.symbol == symbol and split.place == self.world.after and split.day <= day:
                factor *= split.ratio
        return factor

    def adjustment(self, symbol: str, place: int) -> Decimal:
        """Return by what the closes at a place are already divided, because of later splits."""
        factor = ONE
        for split in self.splits:
            if split.symbol == symbol and split.place > place and split in self._in_closes:
                factor *= split.ratio
        return factor

    def _is_in_closes(self, split: Split) -> bool:
        before = self.world.close(split.symbol, split.place - 1)
        now = self.world.close(split.symbol, split.place)
        if not before or not now:
            return False
        step = (before / now).ln()
        return abs(step) < abs(step - split.ratio.ln())

    def quantity_when(self, booking: Booking) -> Decimal:
        """Return the quantity of its symbol when a transaction is booked."""
        return self._snapped(booking.symbol, self.when_paid[booking])

    def _snapped(self, symbol: str, quantity: Decimal) -> Decimal:
        return ZERO if abs(quantity) <= SMALL * self.movements[symbol] else quantity

    def _splits(self) -> list[Split]:
        own = []
        for booking in self.book.bookings:
            ratio = split_ratio(booking.transaction) if booking.transaction.type in SPLITS else None
            if ratio is not None:
                own.append(Split(booking.symbol, booking.place, booking.day, ratio, booking))
        told = []
        for symbol in sorted(self.symbols):
            places = [split.place for split in own if split.symbol == symbol]
            for day, shares in self.world.market.prices.splits.get(symbol, ()):
                place = self.world.place(day)
                near = any(abs(place - other) <= DAYS_BETWEEN_SPLITS for other in places)
                if self.world.days[0] <= day <= self.book.today and not near:
                    told.append(Split(symbol, place, self.world.counted(day), exact(shares), None))
        return sorted(told + own, key=lambda split: (split.place, split.day))

    def _steps(self) -> list[Step]:
        of_source = [Step(split.place, split, None) for split in self.splits if split.booking is None]
        own = {split.booking: split for split in self.splits if split.booking is not None}
        booked = [Step(booking.place, own.get(booking), booking) for booking in self.book.bookings]
        return sorted(of_source + booked, key=lambda step: (step.place, step.when))

    def _run_from_nothing(self) -> None:
        quantities: Quantities = defaultdict(Decimal)
        for number, step in enumerate(self.steps):
            if step.split is not None:
                self._before_in_zero_run[number] = quantities[step.split.symbol]
                quantities[step.split.symbol] *= step.split.ratio
            elif step.booking is not None:
                transaction = step.booking.transaction
                symbol, other, ratio = transaction.symbol, transaction.to_symbol, ratio_of(transaction)
                self._before_in_zero_run[number] = quantities[other]
                self._parents_in_zero_run[number] = quantities[symbol]
                if transaction.type in SUCCESSIONS:
                    quantities[other] += ratio * quantities.pop(symbol, ZERO)
                elif transaction.type == "spin_off":
                    quantities[other] += ratio * quantities[symbol]
                else:
                    quantities[symbol] += step.booking.moved.shares

    def _pending(self) -> dict[str, Decimal]:
        """Return, by symbol, the ratio of splits that today's holdings do not have yet."""
        found = {}
        for symbol, held in self.holdings.items():
            last = max(
                (b.place for b in self.book.bookings if self._names(b, symbol) and b.transaction.type not in SPLITS),
                default=self.world.after,
            )
            factor = None
            for number, step in enumerate(self.steps):
                split = step.split
                if split is None or split.symbol != symbol or split.place <= last:
                    continue
                before = self._before_in_zero_run[number]
                same = held != 0 and abs(before - held) <= SMALL * abs(held)
                if factor is not None:
                    factor *= split.ratio
                elif same and split.place < self.world.after:
                    factor = split.ratio
                    self.book.issues.add(("corporate_action_pending", self.world.days[-1]))
            if factor is not None:
                found[symbol] = factor
        return found

    @staticmethod
    def _names(booking: Booking, symbol: str) -> bool:
        return symbol in (booking.symbol, booking.transaction.to_symbol)

    def _undo(self) -> None:
        quantities: Quantities = defaultdict(Decimal, self.now)
        place = self.world.after
        for number, step in reversed([*enumerate(self.steps)]):
            while place > step.place:
                place -= 1
                self.ends[place] = dict(quantities)
            if step.split is not None:
                quantities[step.split.symbol] /= step.split.ratio
            elif step.booking is not None:
                self._undo_booking(quantities, number, step.booking)
        while place > -1:
            place -= 1
            self.ends[place] = dict(quantities)
        self.ends[-1] = dict(quantities)

    def _undo_booking(self, quantities: Quantities, number: int, booking: Booking) -> None:
        transaction = booking.transaction
        symbol, other, ratio = transaction.symbol, transaction.to_symbol, ratio_of(transaction)
        if transaction.type in SUCCESSIONS:
            kept, after = self._before_in_zero_run[number], quantities[other]
            bounds = after, ZERO, after - ratio * self._parents_in_zero_run[number]
            kept = min(max(kept, min(bounds)), max(bounds))
            arrived = quantities[other] - kept
            gone = arrived / ratio if ratio else self._parents_in_zero_run[number]
            self.before[booking] = gone
            quantities[other] = kept
            quantities[symbol] += gone
            self.movements[symbol] += abs(gone)
            self.movements[other] += abs(arrived)
        elif transaction.type == "spin_off":
            self.before[booking] = quantities[symbol]
            arrived = ratio * quantities[symbol]
            quantities[other] -= arrived
            self.movements[other] += abs(arrived)
        elif symbol:
            self.when_paid[booking] = quantities[symbol]
            quantities[symbol] -= booking.moved.shares
            self.movements[symbol] += abs(booking.moved.shares)

    def _undo_cash(self) -> None:
        cash: Quantities = defaultdict(Decimal)
        self._cash_movements: Quantities = defaultdict(Decimal)
        for own in self.book.person.accounts:
            cash[own.account_id] += exact(own.cash)
        self._cash: dict[int, Quantities] = {}
        for place in range(self.world.after, -1, -1):
            if place < self.world.after:
                self._cash[place] = defaultdict(Decimal, cash)
            for booking in self.book.bookings:
                for account, change in booking.cash if booking.place == place else ():
                    cash[account] -= change
                    self._cash_movements[account] += abs(change)
        self._cash[-1] = defaultdict(Decimal, cash)
