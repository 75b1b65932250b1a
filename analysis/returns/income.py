"""The income of a person: what was paid in the last twelve months, by the ledger or by what prices imply."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from math import isfinite
from typing import Literal

from analysis.models import Holding, Income, MonthlyIncome, SymbolIncome
from analysis.returns.amounts import Amounts
from analysis.returns.entries import Entry, Person, entries_of
from analysis.returns.ledger import Market
from analysis.returns.lots import OpenCosts
from analysis.returns.payments import LARGEST_PAYMENT, months_before
from analysis.returns.quantities import Opening, names_today, opening_of
from records import Record

_MONTHS = 12
_ROUNDING = 1e-12


class _Payment(Record, frozen=True):
    """What was paid on a day, in the base currency, before fee and tax.

    ``symbol`` is what it is called today, ``None`` for interest on cash. ``again`` is the amount if a share is paid as
    much again, for today's shares.
    """

    day: date
    symbol: str | None
    amount: float
    again: float = 0.0


def income_of(person: Person, costs: OpenCosts, *, has_dividends: bool) -> tuple[Income | None, str | None]:
    """Return the income of the last twelve months up to the last day of the prices, or ``None`` and the reason.

    The transactions of the person are those since then, at least; ``has_dividends`` says whether the whole ledger has a
    dividend. Without any, the income is what the prices imply for today's holdings, with the ledger's interest on cash.
    ``costs`` are those of the lots; a holding that has none there costs quantity x avg_price x multiplier at the last
    day's rate. The yields of everything are those of the holdings whose value, or cost, is known.
    """
    market, holdings = person.market, person.holdings
    entries = entries_of(person)
    opening = opening_of(person, entries)
    amounts = Amounts(person, entries)
    implied: list[_Payment] = []
    if not has_dividends:
        if holdings and all(holding.symbol in market.prices.adjusted for holding in holdings):
            return None, "prices_without_dividends"
        implied = list(_implied(opening, amounts, market))
    told = {payment.symbol for payment in implied}
    booked = (_interest_on_cash(entries, amounts), _booked(entries, opening, amounts, market), _of_capital(costs))
    payments = implied + [payment for part in booked for payment in part if payment.symbol not in told]

    values = {symbol: quantity * amounts.share_today(symbol) for symbol, quantity in opening.today.items()}
    spent = {holding.symbol: _cost(holding, costs, amounts) for holding in holdings}
    sizes = [_of_the_same_sign(figures, opening.today) for figures in (values, spent)]
    return _summed(payments, "transactions" if has_dividends else "implied", market.prices.as_of.item(), *sizes), None


def _summed(
    payments: Iterable[_Payment],
    basis: Literal["transactions", "implied"],
    as_of: date,
    values: Mapping[str, float],
    costs: Mapping[str, float],
) -> Income:
    """Return the income of payments; one whose amount is unknown is left out."""
    payments = [payment for payment in payments if payment.day <= as_of and isfinite(payment.amount)]
    trailing = [payment for payment in payments if payment.day > months_before(as_of, _MONTHS)]
    amount_of: dict[str | None, float] = {}
    for payment in trailing:
        amount_of[payment.symbol] = amount_of.get(payment.symbol, 0.0) + payment.amount
    return Income(
        basis=basis,
        trailing_12m=sum(amount_of.values()),
        by_month=_by_month(payments, as_of),
        by_symbol=_by_symbol(amount_of, values, costs),
        yield_on_value=_yield(amount_of, values),
        yield_on_cost=_yield(amount_of, costs),
        next_12m=sum(payment.again for payment in trailing),
    )


def _booked(entries: Sequence[Entry], opening: Opening, amounts: Amounts, market: Market) -> Iterator[_Payment]:
    """Yield the dividends and interest of symbols.

    What a share was paid is the amount by the shares held when it is booked; without any, by the entry's own quantity.
    """
    names = names_today(entries)
    for place, held in opening.held.items():
        entry, (symbol, shares_today) = entries[place], names[place]
        own = entry.transaction
        amount = amounts.income(entry)
        shares = held or own.quantity
        again = 0.0
        if shares and isfinite(amount) and not _is_distribution(entry, amount / shares, amounts, market):
            again = amount / (shares * shares_today) * opening.today.get(symbol, 0.0)
        yield _Payment(own.date, symbol, amount, again)


def _is_distribution(entry: Entry, of_a_share: float, amounts: Amounts, market: Market) -> bool:
    """Return whether a payment is of a distribution: of one that day, or as large as one, as it is paid days later."""
    own = entry.transaction
    if not market.prices.distributions.get(own.symbol, frozenset()).isdisjoint({own.date, entry.day}):
        return True
    return of_a_share >= (LARGEST_PAYMENT - _ROUNDING) * amounts.share_before(own.symbol, entry.day)


def _interest_on_cash(entries: Sequence[Entry], amounts: Amounts) -> Iterator[_Payment]:
    for entry in entries:
        own = entry.transaction
        if own.type == "interest" and not own.symbol:
            yield _Payment(own.date, None, amounts.income(entry))


def _of_capital(costs: OpenCosts) -> Iterator[_Payment]:
    for part in costs.capital_income:
        yield _Payment(part.date, part.symbol_today, part.amount)


def _implied(opening: Opening, amounts: Amounts, market: Market) -> Iterator[_Payment]:
    for symbol, quantity in opening.today.items():
        dates, paid = market.prices.payments.get(symbol, ((), ()))
        special = market.prices.distributions.get(symbol, frozenset())
        currency, shares = market.currency(symbol), quantity * market.multiplier(symbol)
        for day64, of_a_share in zip(dates, paid, strict=True):
            day: date = day64.item()
            amount = float(of_a_share) * shares * amounts.rate(currency, day)
            if day not in special:
                yield _Payment(day, symbol, amount, amount)


def _cost(holding: Holding, costs: OpenCosts, amounts: Amounts) -> float:
    known = costs.costs.get(holding.symbol)
    if known is not None:
        return known
    return amounts.cost_today(holding)


def _of_the_same_sign(figures: Mapping[str, float], quantities: Mapping[str, float]) -> dict[str, float]:
    """Return the figures that a yield can be on: known, and positive for what is held, negative for what is short."""
    return {symbol: figure for symbol, figure in figures.items() if figure * quantities[symbol] > 0}


def _by_symbol(
    amount_of: Mapping[str | None, float], values: Mapping[str, float], costs: Mapping[str, float]
) -> tuple[SymbolIncome, ...]:
    rows = (
        SymbolIncome(symbol, amount, *(_share(amount, symbol, sizes) for sizes in (values, costs)))
        for symbol, amount in amount_of.items()
    )
    return tuple(sorted(rows, key=lambda row: (-row.amount, row.symbol or "")))


def _share(amount: float, symbol: str | None, sizes: Mapping[str, float]) -> float | None:
    return None if symbol is None or symbol not in sizes else amount / sizes[symbol]


def _yield(amount_of: Mapping[str | None, float], sizes: Mapping[str, float]) -> float | None:
    size = sum(sizes.values())
    return sum(amount_of.get(symbol, 0.0) for symbol in sizes) / size if size > 0 else None


def _by_month(payments: Iterable[_Payment], as_of: date) -> tuple[MonthlyIncome, ...]:
    """Return the twelve months that end with that of ``as_of``."""
    last = as_of.year * _MONTHS + as_of.month - 1
    months = {f"{number // _MONTHS}-{number % _MONTHS + 1:02}": 0.0 for number in range(last - _MONTHS + 1, last + 1)}
    for payment in payments:
        month = f"{payment.day:%Y-%m}"
        if month in months:
            months[month] += payment.amount
    return tuple(MonthlyIncome(month, amount) for month, amount in months.items())
