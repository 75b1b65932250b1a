"""The transactions of a page as they were read, and the prices to value what they tell. A leaf of this folder."""

from collections.abc import Iterator, Mapping, Sequence
from copy import replace
from dataclasses import dataclass, field, fields
from datetime import date
from math import log
from typing import Any, Literal, get_args

import numpy as np

from analysis.currencies import Rates
from analysis.measures import optional
from analysis.models import Booleans, Dates, Floats, Integers, Objects, ReturnsIssue
from records import Record

type TransactionType = Literal[
    "split", "stock_dividend", "symbol_change", "merger", "spin_off", "return_of_capital", "transfer_in", "deposit",
    "buy", "dividend", "interest", "fee", "tax", "exchange", "sell", "transfer_out", "withdrawal",
]  # fmt: skip

TYPES: tuple[TransactionType, ...] = get_args(TransactionType.__value__)
"""The types of transactions, in the order in which those of one day are booked."""

TURNS = (0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 3, 4, 5, 5)
"""The turn of each type within a day; those of one turn follow each other by time, then by id."""


class Transaction(Record, frozen=True):
    """One readable transaction, as the backend has it: numbers are ``None`` and texts empty where it says nothing.

    ``quantity`` is absolute. ``fee`` and ``tax`` are positive costs, 0 if absent.
    """

    type: TransactionType
    date: date
    time: float
    transaction_id: str
    account_id: str
    symbol: str
    quantity: float | None
    price: float | None
    amount: float | None
    currency: str
    fee: float
    tax: float
    fx_rate: float | None
    lot_id: str
    to_symbol: str
    ratio: float | None
    to_amount: float | None
    to_currency: str
    to_account_id: str


@dataclass(frozen=True, slots=True, eq=False)
class Transactions:
    """The transactions of the portfolios of a page, in the order in which they are booked; ``(transactions,)``.

    Attributes:
        owner: number of the portfolio in the page, ascending.
        type: number in :data:`TYPES`.
        time: seconds since midnight, UTC.
        quantity, price, amount, fx_rate, ratio, to_amount: NaN where absent; the quantity is absolute.
        fee, tax: 0 where absent.
        transaction_id, account_id, symbol, currency, lot_id, to_symbol, to_currency, to_account_id: texts, empty where
            absent; symbols in the spelling of the source of prices, currencies as written.
    """

    owner: Integers
    type: Integers
    date: Dates
    time: Floats
    transaction_id: Objects
    account_id: Objects
    symbol: Objects
    quantity: Floats
    price: Floats
    amount: Floats
    currency: Objects
    fee: Floats
    tax: Floats
    fx_rate: Floats
    lot_id: Objects
    to_symbol: Objects
    ratio: Floats
    to_amount: Floats
    to_currency: Objects
    to_account_id: Objects

    def at(self, rows: slice | Integers | Booleans) -> "Transactions":
        """Return some of the transactions."""
        return Transactions(*(getattr(self, member.name)[rows] for member in fields(self)))

    def of(self, owner: int) -> Iterator[Transaction]:
        """Yield the transactions of one portfolio, one by one."""
        start, end = self.owner.searchsorted([owner, owner + 1]).tolist()
        own = self.at(slice(start, end))
        columns = {name: _values(getattr(own, name)) for name in Transaction.__struct_fields__}
        columns["type"] = [TYPES[number] for number in columns["type"]]
        yield from map(Transaction, *columns.values())


def _values(column: Any) -> list[Any]:  # noqa: ANN401 - a column of any kind
    """Return the values of a column, ``None`` for NaN."""
    return optional(column) if column.dtype == np.float64 else column.tolist()


@dataclass(frozen=True, slots=True, eq=False)
class Ledgers:
    """What was read of the transactions of a page.

    Attributes:
        issues: what reading them has found, for each portfolio.
        unsound: the last day of each portfolio whose transactions cannot all be read, NaT if all can; the sound period
            begins after it. ``datetime64[D]`` of ``(portfolios,)``.
    """

    transactions: Transactions
    issues: Sequence[tuple[ReturnsIssue, ...]]
    unsound: Dates

    def owners(self) -> Integers:
        """Return the numbers of the portfolios of which there is anything to say."""
        known = ~np.isnat(self.unsound) | np.array([bool(issues) for issues in self.issues], dtype=np.bool_)
        known[self.transactions.owner] = True
        return np.flatnonzero(known)

    def of(self, owners: Integers) -> "Ledgers":
        """Return the ledgers of some of the portfolios, ascending; their owners are numbered from 0."""
        if len(owners) == len(self.issues):
            return self
        transactions = self.transactions.at(np.isin(self.transactions.owner, owners))
        numbered = replace(transactions, owner=owners.searchsorted(transactions.owner))
        return Ledgers(numbered, [self.issues[number] for number in owners.tolist()], self.unsound[owners])


@dataclass(frozen=True, slots=True, eq=False)
class LedgerPrices:
    """The prices of the symbols that ledgers name, on the calendar of the whole stored history up to ``as_of``.

    Attributes:
        dates: the calendar, ``(days,)``.
        columns: the row in ``close`` of each symbol with a price.
        close: the last raw close on each day, NaN if none is at most ten trading days old, ``(symbols, days)``.
        splits: by symbol, the splits that the source tells, with the day and the new shares for an old one; also those
            after ``as_of``.
        adjusted: the symbols whose adjusted closes equal their closes throughout.
        payments: by symbol, the payments of a share that its prices imply, ``(dates, amounts)`` in its currency and in
            today's shares; only of the last twelve months.
        distributions: by symbol, the days with a distribution (ANALYSIS) of the last twelve months.
        benchmark_returns: of the benchmark in its currency, on each day, 0 on the first, ``(days,)``.
        later: by symbol, its dates and closes after ``as_of``, where there are some.
    """

    dates: Dates
    columns: Mapping[str, int]
    close: Floats
    splits: Mapping[str, Sequence[tuple[date, float]]]
    adjusted: frozenset[str]
    payments: Mapping[str, tuple[Dates, Floats]]
    distributions: Mapping[str, frozenset[date]]
    benchmark_returns: Floats
    later: Mapping[str, tuple[Dates, Floats]] = field(default_factory=dict)

    @property
    def as_of(self) -> np.datetime64:
        """Return the last day of the calendar."""
        day: np.datetime64 = self.dates[-1]
        return day

    def in_new_shares(self, symbol: str, day: np.datetime64, ratio: float) -> bool:
        """Return whether the closes before a split are in shares after it: nothing of it shows in them.

        Without a close on one side they are taken as they are, in old shares.
        """
        column = self.columns.get(symbol)
        if column is None:
            return False
        place = int(self.dates.searchsorted(day))
        if 0 < place < len(self.dates):
            before, after = self.close[column, place - 1 : place + 1].tolist()
        else:
            dates, closes = self.later.get(symbol, (self.dates[:0], self.close[column, :0]))
            following = int(dates.searchsorted(day))
            if place == 0 or following == len(dates):
                return False
            before = float(closes[following - 1] if following else self.close[column, -1])
            after = float(closes[following])
        if not (before > 0 and after > 0):
            return False
        fall = log(before / after)
        return abs(fall) < abs(fall - log(ratio))


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Everything that values a ledger, the same for all portfolios of a run.

    ``currencies`` and ``multipliers`` are those of symbols that the backend has instruments of; others are in
    ``default_currency`` and have a multiplier of 1.
    """

    prices: LedgerPrices
    rates: Rates
    currencies: Mapping[str, str]
    multipliers: Mapping[str, float]
    benchmark_currency: str
    default_currency: str

    def currency(self, symbol: str) -> str:
        """Return the currency of a symbol's prices."""
        return self.currencies.get(symbol, self.default_currency)

    def multiplier(self, symbol: str) -> float:
        """Return the multiplier of a symbol's prices."""
        return self.multipliers.get(symbol, 1.0)
