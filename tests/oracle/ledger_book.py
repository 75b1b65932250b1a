"""The transactions of a person as they are booked: the account, currency, rate and day of each.

Readings:
- Currencies of accounts and transactions are compared as major ones where no account is named.
- ``interest``, ``fee`` and ``tax`` are cash types, also those that name a symbol.
- A transaction whose currency has no rate on its day is ``missing_fx_rate`` like a position without one.
- Order: the day on which it counts, its turn, then its own date, time and id.
- The day after an unreadable transaction is the one after the day on which it counts.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from analysis.returns.ledger import Transaction
from tests.oracle.ledger_entries import CASH_TYPES, TURNS, Moved, is_cash_transfer, moved
from tests.oracle.ledger_inputs import ONE, ZERO, Person, World, exact, major

INTERNAL_BUT_OF_CASH = {"deposit", "withdrawal", "exchange"}


@dataclass(frozen=True, slots=True, eq=False)
class Booking:
    """A readable transaction; ``rate`` leads to the base currency, ``fx_gain`` is in base.

    ``own_rate`` leads there by way of the transaction's ``fx_rate``, where it says one that counts. ``cash`` has the
    changes of accounts in their own currencies.
    """

    transaction: Transaction
    moved: Moved
    place: int
    day: date
    account: str
    currency: str
    rate: Decimal | None
    own_rate: Decimal | None
    cash: tuple[tuple[str, Decimal], ...]
    fx_gain: Decimal
    missing_currency: str | None
    is_lost: bool
    """Whether a change of cash is not known."""

    @property
    def symbol(self) -> str:
        """Return the symbol that is named, empty if none is."""
        return self.transaction.symbol

    def accounts(self) -> set[str]:
        """Return the accounts that take part."""
        return {self.account, *(account for account, _ in self.cash)}

    def base(self, amount: Decimal) -> Decimal:
        """Return an amount of its currency in base, nothing without a rate."""
        return ZERO if self.rate is None else amount * self.rate


class Book:
    """The bookings of a person up to now, in order."""

    def __init__(self, person: Person, world: World, today: date) -> None:
        self.person = person
        self.world = world
        self.today = today
        self.issues: set[tuple[str, date | None]] = {(found.kind, found.date) for found in person.found}
        self.first_place = 0
        """The first place whose transactions can all be read."""
        if person.unsound is not None:
            self.first_place = world.place(person.unsound) + 1
        self.currencies = {account.account_id: account.currency for account in person.accounts}
        known = self._known()
        readable = [(transaction, found) for transaction in known if (found := self._read(transaction))]
        for transaction in known:
            self._meet(transaction.account_id, transaction.currency)
            self._meet(transaction.to_account_id, transaction.to_currency)
        for name, currency in self.currencies.items():
            self.currencies[name] = currency or person.base
        self.bookings = [self._book(transaction, found) for transaction, found in readable]
        read = {booking.transaction: booking for booking in self.bookings}
        self.every = [read.get(transaction) or self._book(transaction, Moved()) for transaction in known]
        """Those that cannot be read, too, as if they moved nothing."""

    @property
    def basis(self) -> Literal["account", "securities"]:
        """Return whether cash is part of the person's returns."""
        flows = any(
            booking.transaction.type in ("deposit", "withdrawal") or is_cash_transfer(booking.transaction)
            for booking in self.bookings
        )
        return "account" if self.person.accounts and flows else "securities"

    @property
    def in_calendar(self) -> list[Booking]:
        """Return the bookings up to ``as_of``."""
        return [booking for booking in self.bookings if booking.place < self.world.after]

    def _known(self) -> list[Transaction]:
        """Return the transactions up to now in the order of booking."""
        known = []
        for transaction in self.person.transactions:
            if transaction.date > self.today:
                self.issues.add(("future_transaction", transaction.date))
            else:
                known.append(transaction)
            if transaction.date < self.world.days[0]:
                self.issues.add(("missing_price", self.world.days[0]))
                self.first_place = max(self.first_place, 1)
        return sorted(known, key=self._order)

    def _order(self, transaction: Transaction) -> tuple[object, ...]:
        day = self.world.counted(transaction.date)
        place = self.world.place(transaction.date)
        turn = TURNS[transaction.type]
        return place, day, turn, transaction.date, transaction.time, transaction.transaction_id

    def _read(self, transaction: Transaction) -> Moved | None:
        multiplier = self.world.multiplier(transaction.symbol) if transaction.symbol else ONE
        found = moved(transaction, multiplier)
        if found is None:
            self.issues.add(("unreadable", transaction.date))
            self.first_place = max(self.first_place, self.world.place(transaction.date) + 1)
        elif found.differs:
            self.issues.add(("amount_mismatch", transaction.date))
        return found

    def _meet(self, account: str, currency: str) -> None:
        if account and not self.currencies.get(account):
            self.currencies[account] = currency

    def _account(self, named: str, currency: str) -> str:
        """Return the account that is meant."""
        if named:
            return named
        for name, own in self.currencies.items():
            if currency and major(own) == major(currency):
                return name
        if not self.currencies:
            self.currencies[""] = self.person.base
        return next(iter(self.currencies))

    def _currency(self, transaction: Transaction) -> str:
        """Return the currency that a transaction says, or its instrument's; empty if it is the account's."""
        if transaction.currency or transaction.type in CASH_TYPES or not transaction.symbol:
            return transaction.currency
        return self.world.currency(transaction.symbol)

    def _book(self, transaction: Transaction, found: Moved) -> Booking:
        place, day = self.world.place(transaction.date), self.world.counted(transaction.date)
        currency = self._currency(transaction)
        account = self._account(transaction.account_id, currency)
        currency = currency or self.currencies[account]
        rate = self.world.to_base(currency, day)
        moves = bool(found.cash or found.trade)
        missing = currency if rate is None and moves else None
        is_exchange = transaction.type == "exchange"
        fx_rate = transaction.fx_rate if not is_exchange else None
        leaving, in_base = self._into_account(found.cash, currency, account, day, fx_rate)
        cash = [(account, leaving)]
        lost = found.cash != 0 and fx_rate is None and self.world.rate(currency, self.currencies[account], day) is None
        fx_gain = in_base - found.cash * (rate or ZERO)
        own_rate, account_rate = rate, self.world.to_base(self.currencies[account], day)
        if fx_rate is not None and currency != self.currencies[account]:
            own_rate = None if account_rate is None else exact(fx_rate) * account_rate
        if self.world.to_base(self.currencies[account], day) is None and moves:
            missing = self.currencies[account]
        if is_exchange:
            other = transaction.to_currency
            to_account = self._account(transaction.to_account_id, other)
            other = other or self.currencies[to_account]
            arriving, brought = self._into_account(found.arriving, other, to_account, day, None)
            cash.append((to_account, arriving))
            fx_gain = brought + (found.cash + found.fees + found.taxes) * (rate or ZERO)
            lost = lost or self.world.rate(other, self.currencies[to_account], day) is None
            if None in (self.world.to_base(other, day), self.world.to_base(self.currencies[to_account], day)):
                missing = other
        return Booking(
            transaction, found, place, day, account, currency, rate, own_rate, tuple(cash), fx_gain, missing, lost
        )  # fmt: skip

    def _into_account(
        self, amount: Decimal, currency: str, account: str, day: date, fx_rate: float | None
    ) -> tuple[Decimal, Decimal]:
        """Return the amount in the account's currency and in base, nothing without a rate."""
        own = self.currencies[account]
        rate = self.world.rate(currency, own, day) if fx_rate is None or currency == own else exact(fx_rate)
        to_base = self.world.to_base(own, day)
        if rate is None or amount == 0:
            return ZERO, ZERO
        return amount * rate, amount * rate * (to_base or ZERO)
