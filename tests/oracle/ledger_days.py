"""What a person had at the end of each day, and what each day brought, by symbol; ``None`` is the symbol of cash.

Readings:
- A trade's price in another currency than the instrument's counts at the rate of the trade's day.
- Cash of a cent needs no rate.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

from tests.oracle.ledger_book import INTERNAL_BUT_OF_CASH, Book, Booking
from tests.oracle.ledger_entries import SUCCESSIONS, is_cash_transfer, is_in_kind, ratio_of
from tests.oracle.ledger_inputs import CENT, MOST_TRADING_DAYS_OLD, ZERO
from tests.oracle.ledger_positions import Positions

type BySymbol = defaultdict[str | None, Decimal]


def _by_symbol() -> BySymbol:
    return defaultdict(Decimal)


@dataclass(slots=True, eq=False)
class Day:
    """A day: its value at the end, its net flow, and what it brought; all in base."""

    value: Decimal = ZERO
    gross: Decimal = ZERO
    flow: Decimal = ZERO
    price_gain: BySymbol = field(default_factory=_by_symbol)
    fx_gain: BySymbol = field(default_factory=_by_symbol)
    income: BySymbol = field(default_factory=_by_symbol)
    fees: BySymbol = field(default_factory=_by_symbol)
    taxes: BySymbol = field(default_factory=_by_symbol)


class Days:
    """All days of the calendar; what cannot be valued is nothing there."""

    def __init__(self, book: Book, positions: Positions) -> None:
        self.book = book
        self.world = book.world
        self.positions = positions
        self.with_cash = book.basis == "account"
        self.first_known = 0
        """The first place of a transaction from which on everything has a price and a rate."""
        self._lacking: dict[tuple[str, str], int] = {}
        """The last places at which positions lack a price, by symbol, or anything a rate."""
        self._trades = [booking for booking in book.in_calendar if booking.transaction.type in ("buy", "sell")]
        self._local: dict[tuple[str, int], Decimal] = {}
        self._at: dict[int, list[Booking]] = defaultdict(list)
        for booking in book.in_calendar:
            self._at[booking.place].append(booking)
        self.days = {-1: Day()}
        for place in range(self.world.after):
            self.days[place] = self._day(place)
        for booking in book.bookings if self.with_cash else ():
            if booking.place == self.world.after and booking.is_lost:
                self.book.issues.add(("missing_fx_rate", booking.day))
                self.first_known = self.world.after
        first = min((booking.place for booking in book.every), default=self.world.after) - 1
        for (kind, _), place in self._lacking.items():
            if place >= first:
                self.book.issues.add((kind, self.world.days[place]))

    def price(self, symbol: str, place: int) -> Decimal | None:
        """Return the price of a share of the day, in the currency of the symbol."""
        close = self.world.close(symbol, place)
        if close is not None:
            return close * self.positions.adjustment(symbol, place)
        for booking in reversed(self._trades):
            shares = booking.moved.shares
            if booking.symbol == symbol and booking.place <= place and shares:
                if place - booking.place > MOST_TRADING_DAYS_OLD:
                    return None
                rate = self.world.rate(booking.currency, self.world.currency(symbol), booking.day)
                if rate is None:
                    return None
                price = booking.moved.trade / shares / self.world.multiplier(symbol) * rate
                return price / self.positions.split_factor(symbol, booking.place + 1, place)
        return None

    def _worth(self, symbol: str, quantity: Decimal, place: int) -> Decimal | None:
        """Return the local value of shares at a place."""
        if quantity == 0:
            return ZERO
        price = self.price(symbol, place)
        return None if price is None else quantity * price * self.world.multiplier(symbol)

    def _lack_at_end(self, kind: str, symbol: str, place: int) -> None:
        self._lacking[kind, symbol] = place
        self.first_known = max(self.first_known, place + 2)

    def _lack_within(self, kind: str, place: int) -> None:
        self.book.issues.add((kind, self.world.days[place]))
        self.first_known = max(self.first_known, place + 1)

    def _rate(self, currency: str, place: int, before: Decimal, now: Decimal) -> Decimal:
        """Return the rate of a day that something had at its beginning or has at its end."""
        rate = self.world.to_base(currency, self.world.days[place])
        if rate is None and now:
            self._lack_at_end("missing_fx_rate", "", place)
        elif rate is None and before:
            self._lacking["missing_fx_rate", ""] = place
            self.first_known = max(self.first_known, place + 1)
        return rate or ZERO

    def _day(self, place: int) -> Day:
        day = Day()
        trades: BySymbol = _by_symbol()
        for booking in self._at[place]:
            self._count(day, booking, trades)
        for symbol in sorted(self.positions.symbols):
            self._hold(day, symbol, place, trades[symbol])
        if self.with_cash:
            for account, currency in self.book.currencies.items():
                self._keep(day, account, currency, place)
        return day

    def _hold(self, day: Day, symbol: str, place: int, trades: Decimal) -> None:
        """Count the holding of a symbol; ``trades`` in base were paid for it."""
        quantity = self.positions.quantity(symbol, place)
        before = self._local.get((symbol, place - 1), ZERO)
        if quantity == 0 and before == 0 and trades == 0:
            return
        rate = self._rate(
            self.world.currency(symbol), place, self.positions.quantity(symbol, place - 1) if place else ZERO, quantity
        )
        found = self._worth(symbol, quantity, place)
        if found is None:
            self._lack_at_end("missing_price", symbol, place)
        local = found or ZERO
        self._local[symbol, place] = local
        day.value += local * rate
        day.gross += abs(local * rate)
        day.price_gain[symbol] += (local - before) * rate - trades
        day.fx_gain[symbol] += before * (rate - self._rate_before(self.world.currency(symbol), place))

    def _keep(self, day: Day, account: str, currency: str, place: int) -> None:
        """Count the cash of an account."""
        cash, before = self.positions.cash(account, place), self.positions.cash(account, place - 1)
        if cash == 0 and before == 0:
            return
        rate = self._rate(currency, place, _unless_cents(before) if place else ZERO, _unless_cents(cash))
        day.value += cash * rate
        day.gross += abs(cash * rate)
        day.fx_gain[None] += before * (rate - self._rate_before(currency, place))

    def _rate_before(self, currency: str, place: int) -> Decimal:
        if place == 0:
            return ZERO
        return self.world.to_base(currency, self.world.days[place - 1]) or ZERO

    def _count(self, day: Day, booking: Booking, trades: BySymbol) -> None:
        """Count what a transaction brought; ``trades`` takes what was paid for shares, in base."""
        if not self.with_cash and (
            booking.transaction.type in INTERNAL_BUT_OF_CASH or is_cash_transfer(booking.transaction)
        ):
            return
        if booking.missing_currency is not None:
            self._lack_within("missing_fx_rate", booking.place)
        moved, symbol = booking.moved, booking.symbol or None
        if booking.transaction.type == "dividend" and symbol in self.world.market.prices.adjusted:
            day.flow += booking.base(moved.income)  # the closes hold it already
        else:
            day.income[symbol] += booking.base(moved.income)
        day.fees[symbol] += booking.base(moved.fees)
        day.taxes[symbol] += booking.base(moved.taxes)
        day.fx_gain[symbol] += booking.fx_gain
        trades[symbol] += booking.base(moved.trade)
        if self.with_cash:
            day.flow += booking.base(moved.flow)
        else:
            taken = booking.base(moved.cash) + booking.fx_gain
            day.flow -= taken
        if is_in_kind(booking.transaction):
            value = self._in_base(booking.symbol, moved.shares, booking.place)
            day.flow += value
            trades[symbol] += value
        elif booking in self.positions.before:
            self._succeed(booking, trades)

    def _in_base(self, symbol: str, quantity: Decimal, place: int) -> Decimal:
        """Return the value of shares that move in kind."""
        worth = self._worth(symbol, quantity, place)
        rate = self.world.to_base(self.world.currency(symbol), self.world.days[place])
        if worth is None:
            self._lack_within("missing_price", place)
        if worth != 0 and rate is None:
            self._lack_within("missing_fx_rate", place)
        return (worth or ZERO) * (rate or ZERO)

    def _succeed(self, booking: Booking, trades: BySymbol) -> None:
        """Count what arrives of another symbol, which leaves the old one at the same value."""
        transaction = booking.transaction
        assert transaction.type in SUCCESSIONS or transaction.type == "spin_off"
        arriving = self.positions.before[booking] * ratio_of(transaction)
        value = self._in_base(transaction.to_symbol, arriving, booking.place)
        trades[transaction.symbol] -= value
        trades[transaction.to_symbol] += value


def _unless_cents(cash: Decimal) -> Decimal:
    return ZERO if abs(cash) <= CENT else cash
