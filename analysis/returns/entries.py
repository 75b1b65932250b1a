"""One person's ledger as a sequence of entries: every transaction with its account, every corporate action once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isclose

import numpy as np

from analysis.currencies import major
from analysis.models import Account, Dates, Holding, record
from analysis.returns.ledger import Market, Transaction

SCALES = ("split", "stock_dividend")
RENAMES = ("symbol_change", "merger")
ACTIONS = (*SCALES, *RENAMES, "spin_off")
NEARBY_DAYS = 5
"""Days of the calendar up to which two entries tell of one split."""

_SAME_RATIO = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Everything that lots and income of one person follow from.

    ``transactions`` are in the order in which they are booked, ``holdings`` and ``accounts`` those of ``today``, a day
    in UTC.
    """

    transactions: Sequence[Transaction]
    holdings: Sequence[Holding]
    accounts: Sequence[Account]
    market: Market
    base: str
    today: date


@record
class Entry:
    """A transaction with the account that it is booked in.

    A corporate action is of the shares in all accounts: ``parts`` are the transactions that tell of it, with their
    accounts, several where each account has its own. ``ratio`` is that of new shares to old ones.
    """

    transaction: Transaction
    account_id: str
    ratio: float
    parts: tuple[tuple[str, Transaction], ...] = ()

    @property
    def change(self) -> float:
        """Return the shares that come, negative for those that go; 0 of what moves none into or out of an account."""
        own = self.transaction
        if own.quantity is None or not own.symbol:
            return 0.0
        if own.type in {"buy", "transfer_in"}:
            return own.quantity
        return -own.quantity if own.type in {"sell", "transfer_out"} else 0.0

    @property
    def moves_between_accounts(self) -> bool:
        """Return whether shares go from one of the person's accounts to another."""
        own = self.transaction
        return own.type == "exchange" and bool(own.symbol and own.quantity and own.to_account_id)


def entries_of(person: Person) -> list[Entry]:
    """Return the entries up to today in the order in which they are booked, with the splits that the source tells.

    A split of the source counts unless an own entry of the symbol is at most :data:`NEARBY_DAYS` days of the calendar
    away. A corporate action that several accounts tell of within as many days counts once, on the first of them.
    """
    calendar = person.market.prices.dates
    homes = _Homes(person)
    entries: list[Entry] = []
    actions: dict[tuple[str, str, str], list[int]] = {}
    for transaction in person.transactions:
        if transaction.date > person.today:
            continue
        account_id = homes.of(transaction)
        entry = Entry(transaction, account_id, _ratio(transaction))
        if transaction.type in ACTIONS:
            entry = Entry(transaction, account_id, entry.ratio, ((transaction.account_id, transaction),))
            if not entry.ratio > 0 and transaction.type not in RENAMES:
                continue  # unreadable: nothing says what came
            same = actions.setdefault((transaction.type, transaction.symbol, transaction.to_symbol), [])
            known = next((place for place in same if _is_same(entries[place], entry, calendar)), None)
            if known is not None:
                first = entries[known]
                entries[known] = Entry(first.transaction, first.account_id, first.ratio, first.parts + entry.parts)
                continue
            same.append(len(entries))
        entries.append(entry)
    told = _told_splits(person, entries)
    # Sorting keeps the order within a day, at whose beginning the source's splits are.
    return sorted([*told, *entries], key=lambda entry: entry.transaction.date)


def account_currencies(person: Person) -> Mapping[str, str]:
    """Return the currency of each account; one of transactions alone has that of the first that says one."""
    currencies = {account.account_id: account.currency for account in person.accounts}
    for transaction in person.transactions:
        if transaction.account_id and transaction.currency:
            currencies.setdefault(transaction.account_id, transaction.currency)
    return currencies


def scales_of(entries: Iterable[Entry]) -> Mapping[str, list[tuple[date, float]]]:
    """Return the splits and stock dividends of each symbol: the day, and the new shares for an old one."""
    scales: dict[str, list[tuple[date, float]]] = {}
    for entry in entries:
        if entry.transaction.type in SCALES:
            scales.setdefault(entry.transaction.symbol, []).append((entry.transaction.date, entry.ratio))
    return scales


class _Homes:
    """The accounts of transactions that name none: the one in their currency, else the first."""

    def __init__(self, person: Person) -> None:
        self._market = person.market
        self._currencies = account_currencies(person)
        named = (transaction.account_id for transaction in person.transactions if transaction.account_id)
        self._first = next(iter([*(account.account_id for account in person.accounts), *named]), "")

    def of(self, transaction: Transaction) -> str:
        if transaction.account_id:
            return transaction.account_id
        currency = transaction.currency or (self._market.currency(transaction.symbol) if transaction.symbol else "")
        own = (account for account, other in self._currencies.items() if major(other) == major(currency))
        return next(own, self._first)


def _ratio(transaction: Transaction) -> float:
    """Return the new shares for an old one, 0 where nothing says them."""
    match transaction.type:
        case "split":
            return transaction.quantity or 0.0
        case "stock_dividend":
            return 1 + transaction.quantity if transaction.quantity else 0.0
        case "symbol_change" | "merger":
            if not transaction.to_symbol:
                return 0.0
            return 1.0 if transaction.ratio is None else transaction.ratio
        case "spin_off":
            return transaction.ratio or 0.0 if transaction.to_symbol else 0.0
    return 0.0


def _is_same(first: Entry, other: Entry, calendar: Dates) -> bool:
    """Return whether an action of another account is the same, which has no entry of it yet."""
    named = {account_id for account_id, _ in first.parts}
    (account_id, transaction), *_ = other.parts
    return (
        "" not in named
        and account_id not in named | {""}
        and isclose(first.ratio, other.ratio, rel_tol=_SAME_RATIO)
        and _days_apart(first.transaction.date, transaction.date, calendar) <= NEARBY_DAYS
    )


def _told_splits(person: Person, entries: Sequence[Entry]) -> list[Entry]:
    prices = person.market.prices
    own = scales_of(entries)
    symbols = {holding.symbol for holding in person.holdings}
    symbols.update(entry.transaction.symbol for entry in entries)
    symbols.update(entry.transaction.to_symbol for entry in entries)
    return [
        Entry(_split(symbol, day, ratio), "", ratio)
        for symbol in sorted(symbols)
        for day, ratio in prices.splits.get(symbol, ())
        if day <= person.today
        and not any(_days_apart(day, other, prices.dates) <= NEARBY_DAYS for other, _ in own.get(symbol, ()))
    ]


def _split(symbol: str, day: date, ratio: float) -> Transaction:
    """Return the transaction of a split that the source of prices tells."""
    return Transaction(
        "split", day, 0.0, "", "", symbol, ratio, None, None, "", 0.0, 0.0, None, "", "", None, None, "", ""
    )


def _days_apart(first: date, other: date, calendar: Dates) -> int:
    return abs(_number(first, calendar) - _number(other, calendar))


def _number(day: date, calendar: Dates) -> int:
    """Return the number of a day in the calendar, continued by weekdays on both sides."""
    date64 = np.datetime64(day, "D")
    if date64 < calendar[0]:
        return -int(np.busday_count(date64, calendar[0]))
    if date64 > calendar[-1]:
        return len(calendar) - 1 + max(int(np.busday_count(calendar[-1] + 1, date64 + 1)), 0)
    return int(calendar.searchsorted(date64))
