"""The section ``income`` by brute force.

Readings:
- The last twelve months are those after ``as_of`` minus twelve months, up to ``as_of``, by the transactions' own dates;
  ``by_month`` has the twelve calendar months that end with that of ``as_of``, whole.
- Capital returned beyond the cost is income of its symbol, by the person's lot method.
- Income is of what its symbol is called today. What has no rate is left out.
- A payment per share is its gross over the shares held when it is booked, without any over its own ``quantity``;
  without either it is not in ``next_12m``. It is a distribution if its date, or the day on which it counts, is one, or
  if it is as large a part of the close before.
- Interest without a symbol is not in ``next_12m``, but in the sums of both bases. With basis ``implied`` what the
  ledger has of a symbol counts only if the prices imply no payment of it.
- The cost of a symbol is that of its lots if all are known and are the holding, else of the holding at today's rate.
  Lots count only if something is held in another currency, or capital was returned.
- Yields are on what is positive for a holding, negative for a short one; those of everything on the sums over holdings
  with a value, or a cost, and of their income.
- Implied payments are of today's holdings, at the rate of their day, and times the multiplier; without distributions.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from analysis.models import Income, MonthlyIncome, SymbolIncome
from analysis.returns.ledger import Market
from tests.oracle.ledger_book import Booking
from tests.oracle.ledger_entries import SUCCESSIONS, ratio_of
from tests.oracle.ledger_inputs import ONE, SMALL, ZERO, Person, exact, months_before, precisely
from tests.oracle.ledger_lots import Lots

MONTHS = 12
LARGEST_PAYMENT = 1 - 1 / Decimal("1.2")
type Payment = tuple[date, str | None, Decimal, Decimal]
"""A day, a symbol, an amount, and what it would be again."""


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
        self.as_of = self.world.days[-1]
        self.first = months_before(self.as_of, MONTHS)
        self.held = self.positions.now
        self.is_implied = all(booking.transaction.type != "dividend" for booking in self.lots.book.bookings)

    def section(self) -> Income | None:
        """Return the section."""
        adjusted = self.world.market.prices.adjusted
        if self.is_implied and self.held and set(self.held) <= adjusted:
            return None
        payments = [payment for payment in self._payments() if payment[0] <= self.as_of]
        year = [payment for payment in payments if payment[0] > self.first]
        values = {symbol: self._value(symbol) for symbol in self.held}
        costs = {symbol: self._cost(symbol) for symbol in self.held}
        by_symbol: defaultdict[str | None, Decimal] = defaultdict(Decimal)
        for _, symbol, amount, _ in year:
            by_symbol[symbol] += amount
        return Income(
            "implied" if self.is_implied else "transactions",
            float(sum(by_symbol.values(), ZERO)),
            tuple(self._by_month(payments)),
            tuple(
                SymbolIncome(symbol, float(amount), *(self._yield(amount, symbol, sizes) for sizes in (values, costs)))
                for symbol, amount in sorted(by_symbol.items(), key=lambda item: (-item[1], item[0] or ""))
            ),
            self._yield_of_all(by_symbol, values),
            self._yield_of_all(by_symbol, costs),
            float(sum((again for *_, again in year), ZERO)),
        )

    def _payments(self) -> Iterator[Payment]:
        implied = list(self._implied()) if self.is_implied else []
        told = {symbol for _, symbol, *_ in implied}
        yield from implied
        for payment in self._booked():
            if payment[1] not in told:
                yield payment

    def _booked(self) -> Iterator[Payment]:
        for booking in self.lots.book.bookings:
            if booking.transaction.type in ("dividend", "interest") and booking.own_rate is not None:
                amount = booking.moved.income * booking.own_rate
                symbol, _ = self._today(booking)
                yield booking.transaction.date, symbol or None, amount, self._again(booking, amount)
        for booking, amount in self.lots.excess:
            yield booking.transaction.date, self._today(booking)[0], amount, ZERO

    def _implied(self) -> Iterator[Payment]:
        for symbol, quantity in self.held.items():
            dates, amounts = self.world.market.prices.payments.get(symbol, ((), ()))
            for day, amount in zip(_dates(dates), amounts, strict=True):
                rate = self.world.to_base(self.world.currency(symbol), day)
                if rate is not None and day not in self.world.market.prices.distributions.get(symbol, ()):
                    paid = exact(amount) * quantity * self.world.multiplier(symbol) * rate
                    yield day, symbol, paid, paid

    def _today(self, booking: Booking) -> tuple[str, Decimal]:
        """Return what the symbol of a transaction is called today, and the shares of today for one of then."""
        symbol, factor = booking.symbol, ONE
        steps = self.positions.steps
        at = next(number for number, step in enumerate(steps) if step.booking is booking)
        for step in steps[at + 1 :]:
            if step.split is not None:
                factor *= step.split.ratio if step.split.symbol == symbol else ONE
            elif step.booking is not None and step.booking.transaction.type in SUCCESSIONS:
                own = step.booking.transaction
                if own.symbol == symbol:
                    symbol, factor = own.to_symbol, factor * ratio_of(own)
        return symbol, factor

    def _again(self, booking: Booking, amount: Decimal) -> Decimal:
        """Return what a booked payment would be on today's shares."""
        if not booking.symbol:
            return ZERO
        shares = self.positions.quantity_when(booking) or exact(booking.transaction.quantity or 0)
        if shares == 0 or self._is_distribution(booking, amount / shares):
            return ZERO
        symbol, factor = self._today(booking)
        return amount / (shares * factor) * self.held.get(symbol, ZERO)

    def _is_distribution(self, booking: Booking, of_a_share: Decimal) -> bool:
        special = self.world.market.prices.distributions.get(booking.symbol, ())
        if booking.transaction.date in special or booking.day in special:
            return True
        before = min(booking.place, self.world.after - 1) - 1
        if before < 0:
            return False
        close = self.lots.value(booking.symbol, booking.day, at=self.world.days[before], rate_of=booking.day)
        return close is not None and of_a_share >= LARGEST_PAYMENT * close

    def _by_month(self, payments: list[Payment]) -> list[MonthlyIncome]:
        names = [f"{months_before(self.as_of, at):%Y-%m}" for at in range(MONTHS - 1, -1, -1)]
        sums = dict.fromkeys(names, ZERO)
        for day, _, amount, _ in payments:
            name = f"{day:%Y-%m}"
            if name in sums:
                sums[name] += amount
        return [MonthlyIncome(name, float(amount)) for name, amount in sums.items()]

    def _value(self, symbol: str) -> Decimal | None:
        a_share = self.lots.value_today(symbol)
        return None if a_share is None else a_share * self.held[symbol]

    def _cost(self, symbol: str) -> Decimal | None:
        held = self.held[symbol]
        known = self._cost_of_lots(symbol, held)
        if known is not None:
            return known
        holding = next(holding for holding in self.person.holdings if holding.symbol == symbol)
        rate = self.world.to_base(self.world.currency(symbol), self.as_of)
        if holding.avg_price is None or rate is None:
            return None
        return exact(holding.quantity) * exact(holding.avg_price) * self.world.multiplier(symbol) * rate

    def _cost_of_lots(self, symbol: str, held: Decimal) -> Decimal | None:
        is_foreign = any(self.world.currency(own) != self.world.base for own in self.held)
        if not is_foreign and all(b.transaction.type != "return_of_capital" for b in self.lots.book.bookings):
            return None
        lots = self.lots.of(symbol)
        costs = [lot.cost if lot.quantity > 0 or lot.cost is None else -lot.cost for lot in lots]
        known = [cost for cost in costs if cost is not None]
        missing = sum((lot.quantity for lot in lots), ZERO) - held
        is_whole = lots and len(known) == len(costs) and abs(missing) <= SMALL * abs(held)
        return sum(known, ZERO) if is_whole else None

    def _yield(self, amount: Decimal, symbol: str | None, sizes: Mapping[str, Decimal | None]) -> float | None:
        size = None if symbol is None else sizes.get(symbol)
        if symbol is None or size is None or size * self.held[symbol] <= 0:
            return None
        return float(amount / size)

    def _yield_of_all(self, amounts: Mapping[str | None, Decimal], sizes: Mapping[str, Decimal | None]) -> float | None:
        known = {symbol: size for symbol, size in sizes.items() if size is not None and size * self.held[symbol] > 0}
        whole = sum(known.values(), ZERO)
        return float(sum((amounts.get(symbol, ZERO) for symbol in known), ZERO) / whole) if whole > 0 else None


def _dates(dates: object) -> list[date]:
    found: list[date] = dates.astype(object).tolist() if hasattr(dates, "astype") else []
    return found
