"""Lots and gains: every lot of shares is an object, consumed transaction by transaction.

Readings:
- Amounts are the whole change of cash, at the transaction's ``fx_rate`` where it counts, else at the rate of its own
  currency on the day on which it counts.
- ``opened``, ``closed`` and terms are by the transactions' own dates. A year after February 29 is February 28.
- Quantities of short lots are negative, also in rows; their rows are never a wash sale.
- Splits, changes of symbol, mergers and spin-offs meet the lots of all accounts; a return of capital those of its own
  account, if it names one that has some.
- A transfer out takes lots by the method, without a row, and opens none. A transfer in covers a short lot like a
  purchase.
- Market values are by closes alone; of a spin-off and a merger by those of the first of ten days on which all have one.
- Lots of unknown cost are last by HIFO and LIFO, and in no average. Costs of a share within 1e-9 are a tie.
- Two lots of one purchase, as after a spin-off and a merger, are in the order in which they got their symbol.
- A lot's id is its purchase's ``lot_id`` or ``transaction_id``.
- The cash of a merger takes the part of each lot that it is of cash and what arrives; of short lots it is paid.
- Of a term with an unknown part the sums are null; what has no gain is of an unknown term.
"""

from collections.abc import Iterator, Sequence
from copy import replace
from datetime import date
from decimal import Decimal

from analysis.models import LotMethod
from analysis.returns.ledger import Market
from tests.oracle.ledger_book import Book, Booking
from tests.oracle.ledger_entries import SUCCESSIONS, is_in_kind, ratio_of
from tests.oracle.ledger_gains import Gains, Row, gain_of, is_same, row_of, totals
from tests.oracle.ledger_inputs import ONE, SMALL, ZERO, Person, World, exact, precisely
from tests.oracle.ledger_lot import Lot, average, dearest_first
from tests.oracle.ledger_openings import homes_of, only_account
from tests.oracle.ledger_positions import Positions

WASH_DAYS = 30
MOST_DAYS_WAITING = 10


@precisely
def gains_of(person: Person, market: Market, today: date, method: LotMethod, year: int | None = None) -> Gains:
    """Return the realized gains of a year, or of all years, and the lots that are left."""
    walk = Lots(person, market, today, method)
    realized = tuple(row for row in walk.rows if year is None or (row.closed and row.closed.year == year))
    return Gains(realized, totals(realized), tuple(walk.unrealized()), frozenset(walk.issues))


class Lots:
    """The lots of a person after all transactions up to now, and what was realized on the way."""

    def __init__(self, person: Person, market: Market, today: date, method: LotMethod) -> None:
        self.world = World(market, person.base)
        self.book = Book(person, self.world, today)
        self.positions = Positions(self.book)
        self.today = today
        self.method = method
        self.lots: list[Lot] = []
        self.rows: list[Row] = []
        pending = {issue for issue in self.book.issues if issue[0] == "corporate_action_pending"}
        self.issues: set[tuple[str, date | None]] = pending
        self.excess: list[tuple[Booking, Decimal]] = []
        """Capital returned beyond the cost, in base."""
        self._days: list[date] = []
        """The day on which each row counts."""
        self._purchases: list[tuple[date, date, str]] = []
        self._number = 0
        for (symbol, account), quantity in homes_of(self.positions).items():
            self.lots.append(Lot(symbol, account, None, quantity, None, 0))
        self._walk_all()
        self._average_all()
        self._reconcile()

    def _walk_all(self) -> None:
        steps, flagged = self.positions.steps, 0
        for number, step in enumerate(steps, 1):
            self._number = number
            if step.split is not None:
                self._split(step.split.symbol, step.split.ratio)
            elif step.booking is not None:
                self._walk(step.booking)
                self._days += [step.booking.day] * (len(self.rows) - len(self._days))
            if number == len(steps) or steps[number].when != step.when:
                self._wash_before(flagged)
                flagged = len(self.rows)
        self._wash_after()

    def _reconcile(self) -> None:
        """Open lots for what is held beyond all lots, and tell of holdings that are fewer than these."""
        for symbol in sorted({*self.positions.now, *(lot.symbol for lot in self.lots)}):
            own = self._of(symbol)
            held, size = self.positions.now.get(symbol, ZERO), sum((abs(lot.quantity) for lot in own), ZERO)
            missing = held - sum((lot.quantity for lot in own), ZERO)
            if abs(missing) <= SMALL * (abs(held) + size):
                continue
            if missing * held > 0:
                account = only_account(self.book)
                self.lots.append(Lot(symbol, account, None, missing, None, self._number + 1))
            else:
                self.issues.add(("negative_position", None))

    def of(self, symbol: str) -> list[Lot]:
        """Return the lots of a symbol, the oldest first."""
        return self._of(symbol)

    def _of(self, symbol: str, account: str | None = None) -> list[Lot]:
        own = [lot for lot in self.lots if lot.symbol == symbol and account in (None, lot.account)]
        return sorted(own, key=lambda lot: lot.age)

    def _split(self, symbol: str, ratio: Decimal) -> None:
        for lot in self._of(symbol):
            lot.quantity *= ratio

    def _walk(self, booking: Booking) -> None:
        kind = booking.transaction.type
        if kind == "buy":
            self._trade(booking, self._base(booking, -booking.moved.cash))
        elif kind == "sell":
            self._trade(booking, self._base(booking, booking.moved.cash))
        elif is_in_kind(booking.transaction):
            self._trade(booking, self._value_of_transfer(booking))
        elif kind in SUCCESSIONS:
            self._succeed(booking)
        elif kind == "spin_off":
            self._spin_off(booking)
        elif kind == "return_of_capital":
            self._return_capital(booking)

    @staticmethod
    def _base(booking: Booking, amount: Decimal) -> Decimal | None:
        return None if booking.own_rate is None else amount * booking.own_rate

    def value(self, symbol: str, day: date, *, at: date | None = None, rate_of: date | None = None) -> Decimal | None:
        """Return the value in base of a share of a day, at close and rate of that day or of another in the calendar.

        A day behind the calendar has the last close and its own rate.
        """
        place, own = min(self.world.place(at or day), self.world.after - 1), self.world.place(day)
        close = self.world.close(symbol, place)
        rate = self.world.to_base(self.world.currency(symbol), rate_of or at or day)
        if close is None or rate is None:
            return None
        shares = self.positions.split_factor(symbol, own + 1, place) / self.positions.split_factor(
            symbol, place + 1, min(own, self.world.after - 1)
        )
        shares *= self.positions.adjustment(symbol, place) / self.positions.factor_after(symbol, day)
        return close * shares * self.world.multiplier(symbol) * rate

    def value_today(self, symbol: str) -> Decimal | None:
        """Return the value in base of a share of today, at the last close and rate."""
        return self.value(symbol, self.today, at=self.world.days[-1])

    def _first_values(self, booking: Booking, *symbols: str) -> list[Decimal] | None:
        """Return the values of a share of the day at the first closes that all have."""
        first = min(booking.place, self.world.after - 1)
        for day in self.world.days[first : first + MOST_DAYS_WAITING + 1]:
            found = [self.value(symbol, booking.day, at=day) for symbol in symbols]
            known = [value for value in found if value is not None]
            if len(known) == len(found):
                return known
        return None

    def _value_of_transfer(self, booking: Booking) -> Decimal | None:
        transaction, quantity = booking.transaction, abs(booking.moved.shares)
        costs = booking.moved.fees + booking.moved.taxes
        if transaction.price is not None:
            return self._base(
                booking, quantity * exact(transaction.price) * self.world.multiplier(booking.symbol) + costs
            )
        value = self.value(booking.symbol, booking.day)
        paid = self._base(booking, costs) if costs else ZERO
        return None if value is None or paid is None else quantity * value + paid

    def _trade(self, booking: Booking, money: Decimal | None) -> None:
        """Close lots of the other side, and open one with the rest; ``money`` is the cost, or the proceeds."""
        side = ONE if booking.moved.shares > 0 else -ONE
        is_out = booking.transaction.type == "transfer_out"
        quantity = left = abs(booking.moved.shares)
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
            if not is_out:
                cost, proceeds = (opened_for, part) if side < 0 else (part, opened_for)
                self.rows.append(self._row(lot, booking, -side * taken, proceeds, cost))
        if left > SMALL * quantity and not is_out:
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
            self._purchases.append((booking.day, transaction.date, booking.symbol))

    def _closing(self, booking: Booking, side: Decimal) -> Sequence[Lot]:
        """Return the lots that a trade closes, in order."""
        own = [lot for lot in self._of(booking.symbol, booking.account) if lot.quantity * side < 0]
        if self.method == "specific":
            return self._specific(booking, own, side)
        if self.method == "average":
            average(own)
        if self.method == "hifo":
            return list(dearest_first(own))
        return own[::-1] if self.method == "lifo" else own

    def _specific(self, booking: Booking, own: Sequence[Lot], side: Decimal) -> Sequence[Lot]:
        name = booking.transaction.lot_id
        meant = [lot for lot in own if name in lot.names]
        shares, sold = sum((abs(lot.quantity) for lot in meant), ZERO), abs(booking.moved.shares)
        is_plain = not name and len(own) <= 1
        if side < 0 and not is_plain and shares < sold * (1 - SMALL):
            self.issues.add(("lot_not_found", booking.transaction.date))
        return [*meant, *(lot for lot in own if lot not in meant)]

    def _average_all(self) -> None:
        for symbol, account in {(lot.symbol, lot.account) for lot in self.lots} if self.method == "average" else ():
            average(self._of(symbol, account))

    def _succeed(self, booking: Booking) -> None:
        transaction, ratio = booking.transaction, ratio_of(booking.transaction)
        own = self._of(booking.symbol)
        if transaction.amount:
            self._average_all()
            self._sell_part(booking, own, ratio)
        for lot in own:
            lot.symbol = transaction.to_symbol
            lot.quantity *= ratio
        self.lots = [lot for lot in [*(lot for lot in self.lots if lot not in own), *own] if lot.quantity != 0]

    def _sell_part(self, booking: Booking, own: Sequence[Lot], ratio: Decimal) -> None:
        """Sell the part of the lots that cash was paid for."""
        shares = abs(sum((lot.quantity for lot in own), ZERO))
        money = self._base(booking, abs(booking.moved.cash))
        cash = None if money is None or shares == 0 else money / shares
        values = self._first_values(booking, booking.transaction.to_symbol)
        part = None if cash is None or values is None else cash / (cash + values[0] * ratio)
        for lot in own:
            cost = None if lot.cost is None or part is None else lot.cost * part
            lot.cost = None if lot.cost is None or cost is None else lot.cost - cost
            paid = None if cash is None else cash * abs(lot.quantity)
            money_of = (paid, cost) if lot.quantity > 0 else (cost, paid)
            self.rows.append(self._row(lot, booking, lot.quantity * (part or ZERO), *money_of))

    def _spin_off(self, booking: Booking) -> None:
        transaction, ratio = booking.transaction, ratio_of(booking.transaction)
        values = self._first_values(booking, booking.symbol, transaction.to_symbol)
        part = None if values is None else ratio * values[1] / (values[0] + ratio * values[1])
        for lot in self._of(booking.symbol):
            cost = None if lot.cost is None or part is None else lot.cost * part
            new = replace(lot, symbol=transaction.to_symbol, quantity=lot.quantity * ratio, cost=cost)
            new.is_purchase = False
            lot.cost = None if lot.cost is None or cost is None else lot.cost - cost
            self.lots.append(new)

    def _return_capital(self, booking: Booking) -> None:
        self._average_all()
        amount = self._base(booking, booking.moved.cash)
        side = -ONE if booking.moved.cash < 0 else ONE
        every = [lot for lot in self._of(booking.symbol) if lot.quantity * side > 0]
        at_home = [lot for lot in every if booking.transaction.account_id in ("", lot.account)]
        own = at_home or every
        shares = sum((lot.quantity for lot in own), ZERO)
        if shares == 0 and amount is not None:
            self.excess.append((booking, amount))
        for lot in own:
            if lot.cost is None:
                continue
            lot.cost = None if amount is None else lot.cost - amount * lot.quantity / shares * side
            if lot.cost is not None and lot.cost < 0 < lot.quantity:
                self.excess.append((booking, -lot.cost))
                lot.cost = ZERO

    def _wash_before(self, first: int) -> None:
        """Flag losses beside which shares bought shortly before are still held at the end of the day."""
        for at, row in enumerate(self.rows[first:], first):
            is_beside = any(
                lot.is_purchase and lot.quantity > 0 and lot.opened and self._is_near(row, lot.opened)
                for lot in self._of(row.symbol)
            )
            self.rows[at] = replace(row, wash_sale=is_beside and self._is_loss(row))

    def _wash_after(self) -> None:
        """Flag losses after whose day shares were bought shortly."""
        for at, (row, day) in enumerate(zip(self.rows, self._days, strict=True)):
            bought = any(
                counted > day and symbol == row.symbol and self._is_near(row, own)
                for counted, own, symbol in self._purchases
            )
            self.rows[at] = replace(row, wash_sale=row.wash_sale or (bought and self._is_loss(row)))

    @staticmethod
    def _is_loss(row: Row) -> bool:
        if row.gain is None or row.cost is None:
            return False
        return row.gain < -float(SMALL) * abs(row.cost) and row.quantity > 0

    @staticmethod
    def _is_near(row: Row, day: date) -> bool:
        return row.closed is not None and abs((row.closed - day).days) <= WASH_DAYS

    def unrealized(self) -> Iterator[Row]:
        """Yield the lots that are left, as if they were closed today at the last close."""
        for lot in sorted(self.lots, key=lambda lot: (lot.account, lot.symbol, *lot.age)):
            a_share = self.value_today(lot.symbol)
            value = None if a_share is None else abs(lot.quantity) * a_share
            proceeds, cost = (value, lot.cost) if lot.quantity > 0 else (lot.cost, value)
            row = row_of(lot.symbol, lot.account, (lot.opened, self.today), lot.quantity, (proceeds, cost))
            yield replace(row, closed=None, gain=gain_of(proceeds, cost))
