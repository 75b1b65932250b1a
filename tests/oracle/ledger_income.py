"""The section ``income`` by brute force.

Readings:
- The last twelve months are those after ``as_of`` minus twelve months, up to ``as_of``, by the transactions' own dates;
  ``by_month`` has the twelve calendar months that end with that of ``as_of``, whole.
- Capital returned beyond the cost is income of its symbol, by the person's lot method.
- A dividend's payment per share is its gross over its own ``quantity``, else over the shares at the end of the day
  before; without either it is not in ``next_12m``. It is a distribution if its date, or the day on which it counts,
  is one.
- Interest without a symbol is not in ``next_12m``, but in the sums of both bases.
- The cost of a symbol is that of its lots if all are known, else of the holding at today's rate. Yields are on what is
  positive; the portfolio's are on the sums over holdings with a value, or a cost, without cash.
- Implied payments are of holdings of ``as_of``, at the rate of their day, and times the multiplier.
"""

from collections import defaultdict
from datetime import date
from decimal import Decimal

from analysis.models import Income, MonthlyIncome, SymbolIncome
from analysis.returns.ledger import Market
from tests.oracle.ledger_book import Booking
from tests.oracle.ledger_inputs import ZERO, Person, exact, months_before, precisely
from tests.oracle.ledger_lots import Lots

MONTHS = 12
type Payment = tuple[date, str | None, Decimal]


@precisely
def income_of(person: Person, market: Market, today: date) -> Income | None:
    """Return the section, ``None`` where prices imply no payments because they are without dividends."""
    return IncomeSection(person, market, today).section()


class IncomeSection:
    """The income of one person."""

    def __init__(self, person: Person, market: Market, today: date) -> None:
        self.person = person
        self.lots = Lots(person, market, today, person.lot_method)
        self.world = self.lots.world
        self.positions = self.lots.positions
        self.last = self.world.after - 1
        self.as_of = self.world.days[-1]
        self.first = months_before(self.as_of, MONTHS)
        self.held = {symbol for symbol in self.positions.symbols if self.positions.quantity(symbol, self.last)}
        dividends = [booking for booking in self.lots.book.bookings if booking.transaction.type == "dividend"]
        self.is_implied = not dividends

    def section(self) -> Income | None:
        """Return the section."""
        adjusted = self.world.market.prices.adjusted
        if self.is_implied and self.held and self.held <= adjusted:
            return None
        payments = [*self._booked(), *self._implied()]
        year = [payment for payment in payments if self.first < payment[0] <= self.as_of]
        trailing = sum((amount for *_, amount in year), ZERO)
        values = {symbol: self.lots.value(symbol, self._quantity(symbol), self.last) for symbol in self.held}
        costs = {symbol: self._cost(symbol) for symbol in self.held}
        by_symbol: defaultdict[str | None, Decimal] = defaultdict(Decimal)
        for _, symbol, amount in year:
            by_symbol[symbol] += amount
        return Income(
            "implied" if self.is_implied else "transactions",
            float(trailing),
            tuple(self._by_month(payments)),
            tuple(
                SymbolIncome(
                    symbol,
                    float(amount),
                    _yield(amount, values.get(symbol or "")),
                    _yield(amount, costs.get(symbol or "")),
                )
                for symbol, amount in by_symbol.items()
            ),
            _yield(trailing, _sum(values)),
            _yield(trailing, _sum(costs)),
            float(self._next()),
        )

    def _quantity(self, symbol: str) -> Decimal:
        return self.positions.quantity(symbol, self.last)

    def _booked(self) -> list[Payment]:
        found: list[Payment] = [
            (booking.transaction.date, booking.symbol or None, booking.base(booking.moved.income))
            for booking in self.lots.book.bookings
            if booking.transaction.type in ("dividend", "interest")
        ]
        found += [(booking.transaction.date, booking.symbol, amount) for booking, amount in self.lots.excess]
        return found

    def _implied(self) -> list[Payment]:
        found: list[Payment] = []
        if not self.is_implied:
            return found
        for symbol in sorted(self.held):
            dates, amounts = self.world.market.prices.payments.get(symbol, ((), ()))
            for day, amount in zip(_dates(dates), amounts, strict=True):
                rate = self.world.to_base(self.world.currency(symbol), day) or ZERO
                paid = exact(amount) * self._quantity(symbol) * self.world.multiplier(symbol) * rate
                found.append((day, symbol, paid))
        return found

    def _by_month(self, payments: list[Payment]) -> list[MonthlyIncome]:
        names = [f"{months_before(self.as_of, at):%Y-%m}" for at in range(MONTHS - 1, -1, -1)]
        sums = dict.fromkeys(names, ZERO)
        for day, _, amount in payments:
            name = f"{day:%Y-%m}"
            if name in sums and day <= self.as_of:
                sums[name] += amount
        return [MonthlyIncome(name, float(amount)) for name, amount in sums.items()]

    def _cost(self, symbol: str) -> Decimal | None:
        own = [lot for lot in self.lots.lots if lot.symbol == symbol]
        costs = [lot.cost if lot.quantity > 0 or lot.cost is None else -lot.cost for lot in own]
        if own and None not in costs:
            return sum((cost for cost in costs if cost is not None), ZERO)
        holding = next((holding for holding in self.person.holdings if holding.symbol == symbol), None)
        rate = self.world.to_base(self.world.currency(symbol), self.as_of)
        if holding is None or holding.avg_price is None or rate is None:
            return None
        return exact(holding.quantity) * exact(holding.avg_price) * self.world.multiplier(symbol) * rate

    def _is_distribution(self, symbol: str, *days: date) -> bool:
        return any(day in self.world.market.prices.distributions.get(symbol, ()) for day in days)

    def _next(self) -> Decimal:
        total = ZERO
        for day, symbol, amount in self._implied():
            if symbol and self.first < day <= self.as_of and not self._is_distribution(symbol, day):
                total += amount
        for booking in self.lots.book.bookings:
            if booking.transaction.type in ("dividend", "interest") and booking.symbol:
                total += self._again(booking)
        return total

    def _again(self, booking: Booking) -> Decimal:
        """Return what a booked payment would be on today's shares."""
        day, symbol = booking.transaction.date, booking.symbol
        if not self.first < day <= self.as_of or self._is_distribution(symbol, day, booking.day):
            return ZERO
        shares = self.positions.quantity(symbol, booking.place - 1)
        later = self.positions.split_factor(symbol, booking.place, self.last)
        if booking.transaction.quantity:
            shares = abs(exact(booking.transaction.quantity))
            later = self.positions.split_factor(symbol, booking.place + 1, self.last)
        if shares == 0:
            return ZERO
        return booking.base(booking.moved.income) / (shares * later) * self._quantity(symbol)


def _dates(dates: object) -> list[date]:
    found: list[date] = dates.astype(object).tolist() if hasattr(dates, "astype") else []
    return found


def _sum(values: dict[str, Decimal | None]) -> Decimal | None:
    known = [value for value in values.values() if value is not None]
    return sum(known, ZERO) if known else None


def _yield(amount: Decimal, size: Decimal | None) -> float | None:
    return float(amount / size) if size is not None and size > 0 else None
