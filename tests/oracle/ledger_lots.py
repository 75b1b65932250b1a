"""Lots and gains: every lot of shares is an object, consumed transaction by transaction.

Readings:
- Amounts are the whole change of cash, at the rate of the transaction's own currency on the day on which it
  counts; what ``fx_rate`` differs by is in no cost.
- ``opened``, ``closed`` and terms are by the transactions' own dates. A year after February 29 is February 28.
- Quantities of short lots are negative, also in rows; their rows are never a wash sale.
- Splits, changes of symbol, mergers and spin-offs meet the lots of all accounts; a return of capital those of its own.
- A transfer out takes lots by the method, without a row; beyond them it opens a short lot at market value. A
  transfer in covers a short lot like a purchase. What is covered is covered by FIFO.
- Lots of unknown cost are last by HIFO and LIFO, and in no average. Costs of a share within 1e-9 are a tie.
- A lot's id is its purchase's ``lot_id`` or ``transaction_id``.
- The cash of a merger takes the part of each lot that it is of cash and what arrives.
- A negative opening quantity is a short lot of unknown proceeds. Opening lots are in the account of the symbol's first
  transaction.
- Sums leave out what is unknown; of a term with an unknown part only, they are null.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from analysis.models import LotMethod
from analysis.returns.ledger import Market
from tests.oracle.ledger_book import Book, Booking
from tests.oracle.ledger_days import Days
from tests.oracle.ledger_entries import SUCCESSIONS, is_in_kind, ratio_of
from tests.oracle.ledger_gains import Gains, Row, gain_of, is_same, row_of, totals
from tests.oracle.ledger_inputs import ONE, SMALL, ZERO, Person, World, exact, precisely
from tests.oracle.ledger_lot import Lot, average, dearest_first
from tests.oracle.ledger_positions import Positions

WASH_DAYS = 30


@precisely
def gains_of(person: Person, market: Market, today: date, method: LotMethod, year: int | None = None) -> Gains:
    """Return the realized gains of a year, or of all years, and the lots that are left."""
    walk = Lots(person, market, today, method)
    realized = tuple(row for row in walk.rows if year is None or (row.closed and row.closed.year == year))
    return Gains(realized, totals(realized), tuple(walk.unrealized()), tuple(walk.not_found))


class Lots:
    """The lots of a person after all transactions up to now, and what was realized on the way."""

    def __init__(self, person: Person, market: Market, today: date, method: LotMethod) -> None:
        self.world = World(market, person.base)
        self.book = Book(person, self.world, today)
        self.positions = Positions(self.book)
        self.days = Days(self.book, self.positions)
        self.today = today
        self.method = method
        self.lots: list[Lot] = []
        self.rows: list[Row] = []
        self.not_found: list[date] = []
        self.excess: list[tuple[Booking, Decimal]] = []
        """Capital returned beyond the cost, in base."""
        self._purchases: list[tuple[int, date, str]] = []
        self._number = 0
        self._open_unknown()
        sold: list[tuple[int, int]] = []
        for number, step in enumerate(self.positions.steps, 1):
            self._number = number
            if step.split is not None:
                self._split(step.split.symbol, step.split.ratio)
            elif step.booking is not None:
                before = len(self.rows)
                self._walk(step.booking)
                sold += [(at, number) for at in range(before, len(self.rows))]
                self._wash_before(before)
        self._wash_after(sold)
        self._average_all()

    def _open_unknown(self) -> None:
        accounts = [*self.book.currencies, ""]
        for symbol in sorted(self.positions.symbols):
            quantity = self.positions.opening(symbol)
            own = (b.account for b in self.book.bookings if symbol in (b.symbol, b.transaction.to_symbol))
            if quantity:
                self.lots.append(Lot(symbol, next(own, accounts[0]), None, quantity, None, 0))

    def _of(self, symbol: str, account: str | None = None) -> list[Lot]:
        own = [lot for lot in self.lots if lot.symbol == symbol and account in (None, lot.account)]
        return sorted(own, key=lambda lot: lot.age)

    def _split(self, symbol: str, ratio: Decimal) -> None:
        for lot in self._of(symbol):
            lot.quantity *= ratio

    def _walk(self, booking: Booking) -> None:
        kind = booking.transaction.type
        if kind in ("buy", "sell"):
            self._trade(booking, abs(booking.moved.shares), self._base(booking, abs(booking.moved.cash)))
        elif is_in_kind(booking.transaction):
            self._trade(booking, abs(booking.moved.shares), self._value_of_transfer(booking))
        elif kind in SUCCESSIONS:
            self._succeed(booking)
        elif kind == "spin_off":
            self._spin_off(booking)
        elif kind == "return_of_capital":
            self._return_capital(booking)

    @staticmethod
    def _base(booking: Booking, amount: Decimal) -> Decimal | None:
        return None if booking.rate is None else amount * booking.rate

    def value(self, symbol: str, quantity: Decimal, place: int) -> Decimal | None:
        """Return the market value of shares of the day in base."""
        last = self.world.after - 1
        price = self.days.price(symbol, min(place, last))
        rate = self.world.to_base(self.world.currency(symbol), self.world.days[min(place, last)])
        if price is None or rate is None:
            return None
        later = self.positions.split_factor(symbol, last + 1, place)
        return quantity * price / later * self.world.multiplier(symbol) * rate

    def _value_of_transfer(self, booking: Booking) -> Decimal | None:
        transaction, quantity = booking.transaction, abs(booking.moved.shares)
        if transaction.type == "transfer_in" and transaction.price is not None:
            cost = quantity * exact(transaction.price) * self.world.multiplier(booking.symbol)
            return self._base(booking, cost + booking.moved.fees + booking.moved.taxes)
        value = self.value(booking.symbol, quantity, booking.place)
        costs = self._base(booking, booking.moved.fees + booking.moved.taxes)
        return None if value is None or costs is None else value + (costs if booking.moved.shares > 0 else -costs)

    def _trade(self, booking: Booking, quantity: Decimal, money: Decimal | None) -> None:
        """Close lots of the other side, and open one with the rest; ``money`` is the cost, or the proceeds."""
        side = ONE if booking.moved.shares > 0 else -ONE
        left = quantity
        for lot in self._closing(booking, side):
            if left == 0:
                break
            taken = min(left, abs(lot.quantity))
            if is_same(left, abs(lot.quantity)):
                taken, left = abs(lot.quantity), ZERO
            else:
                left -= taken
            opened_for = lot.take(-side * taken)
            if lot.quantity == 0:
                self.lots.remove(lot)
            part = None if money is None else money * min(taken, quantity) / quantity
            if booking.transaction.type != "transfer_out":
                cost, proceeds = (opened_for, part) if side < 0 else (part, opened_for)
                self.rows.append(self._row(lot, booking, -side * taken, proceeds, cost))
        if left > SMALL * quantity:
            self._open(booking, side * left, None if money is None else money * left / quantity)

    @staticmethod
    def _row(lot: Lot, booking: Booking, quantity: Decimal, proceeds: Decimal | None, cost: Decimal | None) -> Row:
        days = (lot.opened, booking.transaction.date)
        return row_of(booking.symbol, lot.account, days, quantity, (proceeds, cost))

    def _open(self, booking: Booking, quantity: Decimal, money: Decimal | None) -> None:
        transaction = booking.transaction
        names = frozenset({transaction.lot_id, transaction.transaction_id} - {""})
        is_purchase = transaction.type == "buy"
        new = Lot(booking.symbol, booking.account, transaction.date, quantity, money, self._number, names, is_purchase)
        self.lots.append(new)
        if is_purchase:
            self._purchases.append((self._number, transaction.date, booking.symbol))

    def _closing(self, booking: Booking, side: Decimal) -> Iterator[Lot]:
        """Yield the lots that a trade closes, in order."""
        own = [lot for lot in self._of(booking.symbol, booking.account) if lot.quantity * side < 0]
        if side > 0 or not own:
            yield from own
        elif self.method == "specific":
            yield from self._specific(booking, own)
        elif self.method == "lifo":
            yield from own[::-1]
        elif self.method == "hifo":
            yield from dearest_first(own)
        else:
            if self.method == "average":
                average(own)
            yield from own

    def _specific(self, booking: Booking, own: Sequence[Lot]) -> Iterator[Lot]:
        name = booking.transaction.lot_id
        meant = [lot for lot in own if name in lot.names]
        yield from meant
        for at, lot in enumerate(lot for lot in own if lot not in meant):
            if at == 0:
                self.not_found.append(booking.transaction.date)
            yield lot

    def _average_all(self) -> None:
        for symbol, account in {(lot.symbol, lot.account) for lot in self.lots} if self.method == "average" else ():
            average(self._of(symbol, account))

    def _succeed(self, booking: Booking) -> None:
        transaction, ratio = booking.transaction, ratio_of(booking.transaction)
        own = self._of(booking.symbol)
        shares = sum((lot.quantity for lot in own), ZERO)
        cash = self._base(booking, booking.moved.cash) if transaction.amount else None
        value = self.value(transaction.to_symbol, shares * ratio, booking.place)
        for lot in own:
            if cash is not None and shares > 0 and lot.quantity > 0:
                part = None if value is None else cash / (cash + value)
                cost = None if lot.cost is None or part is None else lot.cost * part
                lot.cost = None if lot.cost is None or cost is None else lot.cost - cost
                sold = lot.quantity * (part or ZERO)
                self.rows.append(self._row(lot, booking, sold, cash * lot.quantity / shares, cost))
            lot.symbol = transaction.to_symbol
            lot.quantity *= ratio
        self.lots = [lot for lot in self.lots if lot.quantity != 0]

    def _spin_off(self, booking: Booking) -> None:
        transaction, ratio = booking.transaction, ratio_of(booking.transaction)
        part = ZERO
        for place in range(booking.place, self.world.after):
            closes = [self.world.close(symbol, place) for symbol in (booking.symbol, transaction.to_symbol)]
            parent, child = self.value(booking.symbol, ONE, place), self.value(transaction.to_symbol, ratio, place)
            if None not in closes and parent is not None and child is not None:
                part = child / (parent + child)
                break
        for lot in self._of(booking.symbol):
            cost = None if lot.cost is None else lot.cost * part
            new = replace(lot, symbol=transaction.to_symbol, quantity=lot.quantity * ratio, cost=cost)
            new.is_purchase = False
            lot.cost = None if lot.cost is None or cost is None else lot.cost - cost
            self.lots.append(new)

    def _return_capital(self, booking: Booking) -> None:
        own = self._of(booking.symbol, booking.account)
        if self.method == "average":
            average(own)
        amount = self._base(booking, booking.moved.cash) or ZERO
        shares = sum((lot.quantity for lot in own), ZERO)
        if shares == 0:
            self.excess.append((booking, amount))
        for lot in own if shares else ():
            if lot.cost is None:
                continue
            part = amount * lot.quantity / shares
            if lot.quantity < 0:
                lot.cost += part
                continue
            lot.cost -= part
            if lot.cost < 0:
                self.excess.append((booking, -lot.cost))
                lot.cost = ZERO

    def _wash_before(self, first: int) -> None:
        """Flag losses beside which shares bought shortly before are still held."""
        for at, row in enumerate(self.rows[first:], first):
            is_beside = any(
                lot.is_purchase and lot.quantity > 0 and lot.opened and self._is_near(row, lot.opened)
                for lot in self._of(row.symbol)
            )
            self.rows[at] = replace(row, wash_sale=is_beside and self._is_loss(row))

    def _wash_after(self, sold: Sequence[tuple[int, int]]) -> None:
        """Flag losses after which shares were bought shortly."""
        for at, number in sold:
            row = self.rows[at]
            bought = any(
                other > number and symbol == row.symbol and self._is_near(row, day)
                for other, day, symbol in self._purchases
            )
            self.rows[at] = replace(row, wash_sale=row.wash_sale or (bought and self._is_loss(row)))

    @staticmethod
    def _is_loss(row: Row) -> bool:
        return row.gain is not None and row.gain < 0 and row.quantity > 0

    @staticmethod
    def _is_near(row: Row, day: date) -> bool:
        return row.closed is not None and abs((row.closed - day).days) <= WASH_DAYS

    def unrealized(self) -> Iterator[Row]:
        """Yield the lots that are left, as if they were closed today at the last close."""
        for lot in sorted(self.lots, key=lambda lot: (lot.symbol, lot.account, *lot.age)):
            value = self.value(lot.symbol, abs(lot.quantity), self.world.after)
            proceeds, cost = (value, lot.cost) if lot.quantity > 0 else (lot.cost, value)
            row = row_of(lot.symbol, lot.account, (lot.opened, self.today), lot.quantity, (proceeds, cost))
            yield replace(row, closed=None, gain=gain_of(proceeds, cost))
