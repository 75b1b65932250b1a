"""What the ledgers of a page share: the days, the symbols and accounts of each person, and the rates.

Everything is a number here, so that all ledgers can be booked at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.currencies import Rates
from analysis.models import Account, Booleans, Dates, Floats, Integers, Portfolio
from analysis.returns.accounts import AccountRows, accounts_of
from analysis.returns.ledger import TYPES, Market, Transactions
from analysis.returns.numbering import Numbering, majors_of

_CHANGES = [TYPES.index("symbol_change"), TYPES.index("merger"), TYPES.index("spin_off")]


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """The days of a page: one before the first transaction, up to ``as_of``, then those of later transactions.

    Attributes:
        dates: all of them.
        count: how many are up to ``as_of``.
        first: place of the first one in the calendar of the prices, -1 for a day before that calendar.
    """

    dates: Dates
    count: int
    first: int


@dataclass(frozen=True, slots=True, eq=False)
class RateTable:
    """The rates that the ledgers of a page need; currencies are numbers.

    Attributes:
        base: currency of each portfolio.
        pairs: places of pairs of currencies in the following.
        rates: the second currency for one of the first by pair and day, NaN without one, ``(pairs, days)``.
        incomplete: whether a pair lacks a rate on a day.
        same: whether a pair is of one currency, so that its rate never changes.
    """

    base: Integers
    pairs: Integers
    rates: Floats
    incomplete: Booleans
    same: Booleans

    def pair(self, currency: Integers, owner: Integers) -> Integers:
        """Return the pairs of currencies with the bases of their owners."""
        found: Integers = self.pairs[currency, self.base[owner]]
        return found

    def between(self, currency: Integers, other: Integers, day: Integers) -> Floats:
        """Return the units of another currency for one of a currency on days, NaN without a rate."""
        found: Floats = self.rates[self.pairs[currency, other], day]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A row for each symbol that a person ever held, by owner, then by currency, ``(rows,)``.

    Attributes:
        symbol: the number of the symbol.
        names: the symbols by number.
        column: place of the symbol among the prices, -1 without one.
        held: today's quantity.
    """

    owner: Integers
    symbol: Integers
    names: Sequence[str]
    currency: Integers
    multiplier: Floats
    column: Integers
    held: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Everything that the ledgers of a page share, and where each transaction belongs, ``(transactions,)``.

    Attributes:
        day: place of a transaction among the days.
        row: row of its symbol, -1 without one; ``to_row`` of ``to_symbol``.
        account: row of its account; ``to_account`` of the one that an exchange pays into.
        currency: of its amounts; ``to_currency`` of what an exchange pays.
        multiplier: of its symbol.
        with_accounts: whether a portfolio has accounts, ``(portfolios,)``.
    """

    calendar: Calendar
    rates: RateTable
    rows: Rows
    accounts: AccountRows
    day: Integers
    row: Integers
    to_row: Integers
    account: Integers
    to_account: Integers
    currency: Integers
    to_currency: Integers
    multiplier: Floats
    with_accounts: Integers


def frame_of(
    portfolios: Sequence[Portfolio],
    base: Sequence[str],
    accounts: Sequence[tuple[Account, ...]],
    transactions: Transactions,
    market: Market,
) -> Frame:
    """Return the frame of portfolios, by their ``transactions`` up to now."""
    calendar, day = _calendar(transactions.date, market.prices.dates)
    currencies = Numbering()
    bases = currencies.of(base)
    rows, row, to_row, own_currency = _rows(portfolios, transactions, market, currencies)
    account_rows, account, to_account, currency, to_currency = accounts_of(
        accounts, transactions, own_currency, bases, currencies
    )
    own_base = bases[transactions.owner]
    needed = [
        (bases, bases),
        (rows.currency, bases[rows.owner]),
        (account_rows.currency, bases[account_rows.owner]),
        (currency, own_base),
        (to_currency, own_base),
        (currency, account_rows.currency[account]),
        (to_currency, account_rows.currency[to_account]),
        (currency, np.append(rows.currency, 0)[row]),
    ]
    return Frame(
        calendar=calendar,
        rates=_rate_table(currencies, bases, needed, calendar, market.rates),
        rows=rows,
        accounts=account_rows,
        day=day,
        row=row,
        to_row=to_row,
        account=account,
        to_account=to_account,
        currency=currency,
        to_currency=to_currency,
        multiplier=np.append(rows.multiplier, 1.0)[row],
        with_accounts=np.array([len(own) for own in accounts], dtype=np.int64),
    )


def _calendar(dates: Dates, trading_days: Dates) -> tuple[Calendar, Integers]:
    """Return the days of the page, and the place of each date: a day without trading counts as the next one."""
    place = trading_days.searchsorted(dates)
    first = int(place.min(initial=len(trading_days) - 1)) - 1
    known = trading_days[max(first, 0) :]
    before = [trading_days[0] - np.timedelta64(1, "D")] if first < 0 else []
    late = np.unique(dates[place == len(trading_days)])
    days = np.concatenate([np.array(before, dtype="datetime64[D]"), known, late])
    count = len(before) + len(known)
    return Calendar(days, count, first), np.where(
        place < len(trading_days), place - first, count + late.searchsorted(dates)
    )


def _rows(
    portfolios: Sequence[Portfolio], transactions: Transactions, market: Market, currencies: Numbering
) -> tuple[Rows, Integers, Integers, Integers]:
    """Return the rows, those of each transaction's symbols, and the currency of its symbol, 0 without one."""
    numbering = Numbering()
    symbol = numbering.of(transactions.symbol.tolist())
    changes = np.flatnonzero(np.isin(transactions.type, _CHANGES))
    to_symbol = np.zeros_like(symbol)
    to_symbol[changes] = numbering.of(transactions.to_symbol[changes].tolist())
    holdings = [(number, holding) for number, portfolio in enumerate(portfolios) for holding in portfolio.holdings]
    of_holding = numbering.of(holding.symbol for _, holding in holdings)
    holder = np.array([number for number, _ in holdings], dtype=np.int64)
    names = list(numbering)
    own_currency = currencies.of(market.currency(name) for name in names)
    order = np.array(sorted(range(len(names)), key=lambda n: (own_currency[n], names[n])), dtype=np.int64)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    size = len(names)
    keys = [(transactions.owner, symbol), (transactions.owner[changes], to_symbol[changes]), (holder, of_holding)]
    present = np.zeros(len(portfolios) * size, dtype=np.bool_)
    for owner, number in keys:
        named = number > 0
        present[owner[named] * size + rank[number[named]]] = True
    found = np.flatnonzero(present)
    place = np.full(len(present), -1)
    place[found] = np.arange(len(found))
    number = order[found % size]
    held = np.zeros(len(found))
    held[place[holder * size + rank[of_holding]]] = [holding.quantity for _, holding in holdings]
    columns = np.array([market.prices.columns.get(name, -1) for name in names], dtype=np.int64)
    multipliers = np.array([market.multiplier(name) for name in names])
    rows = Rows(found // size, number, names, own_currency[number], multipliers[number], columns[number], held)
    row, to_row = (place[transactions.owner * size + rank[which]] for which in (symbol, to_symbol))
    return rows, row, to_row, np.where(symbol > 0, own_currency[symbol], 0)


def _rate_table(
    numbering: Numbering,
    bases: Integers,
    needed: Sequence[tuple[Integers, Integers]],
    calendar: Calendar,
    rates: Rates,
) -> RateTable:
    """Return the rates of the ``needed`` pairs of currencies."""
    majors = majors_of(numbering)
    names = list(numbering)
    pairs = np.zeros((len(names), len(names)), np.int64)
    for own, other in needed:
        pairs.ravel()[own * len(names) + other] = 1
    first, second = np.nonzero(pairs)
    pairs[first, second] = np.arange(len(first))
    named = zip(first.tolist(), second.tolist(), strict=True)
    table = np.array([rates.between(names[own], names[other], calendar.dates) for own, other in named])
    return RateTable(
        base=bases,
        pairs=pairs,
        rates=table,
        incomplete=np.isnan(table).any(axis=1),
        same=majors[first] == majors[second],
    )
