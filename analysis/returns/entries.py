"""One person's ledger as a sequence of entries: every transaction with its account, every corporate action once."""

from collections.abc import Iterable, Mapping, Sequence
from copy import replace
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from math import isclose

import numpy as np

from analysis.currencies import major
from analysis.models import Account, Dates, Holding
from analysis.returns.ledger import TURNS, TYPES, Market, Transaction
from records import Record

SCALES = ("split", "stock_dividend")
RENAMES = ("symbol_change", "merger")
ACTIONS = (*SCALES, *RENAMES, "spin_off")
CASH_TYPES = ("deposit", "withdrawal", "fee", "tax", "interest", "exchange")
"""Types whose amounts are in the currency of the account, unless they say another."""

NEARBY_DAYS = 5
"""Days of the calendar up to which two entries tell of one split."""

_ONE_DAY = np.timedelta64(1, "D")
_EPOCH = date(1970, 1, 1).toordinal()
_SAME_RATIO = 1e-6
_TURN = dict(zip(TYPES, TURNS, strict=True))


@dataclass(frozen=True, eq=False)
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

    @cached_property
    def account_currencies(self) -> Mapping[str, str]:
        """Return the currency of each account.

        One that only transactions up to today name has that of the first that says one, else the base currency.
        """
        currencies = {account.account_id: account.currency for account in self.accounts}
        for own in self.transactions:
            if own.date <= self.today:
                for account_id, currency in (own.account_id, own.currency), (own.to_account_id, own.to_currency):
                    if account_id and not currencies.get(account_id):
                        currencies[account_id] = currency
        return {account_id: currency or self.base for account_id, currency in currencies.items()}


class Entry(Record, frozen=True):
    """A transaction with the account that it is booked in, and the ``day`` of the calendar on which it counts.

    A corporate action is of the shares in all accounts: ``parts`` are the entries that tell of it, several where each
    account has its own. ``ratio`` is that of new shares to old ones. ``change`` are the shares that come, negative for
    those that go; 0 of what moves none into or out of an account.
    """

    transaction: Transaction
    account_id: str
    day: date
    ratio: float
    change: float
    parts: tuple["Entry", ...] = ()

    @property
    def moves_between_accounts(self) -> bool:
        """Return whether shares go from one of the person's accounts to another."""
        own = self.transaction
        return own.type == "exchange" and bool(own.symbol and own.quantity and own.to_account_id)


def entries_of(person: Person) -> list[Entry]:
    """Return the entries up to today in the order in which they are booked, with the splits that the source tells.

    They are in the order of the days on which they count, within a day of their turns, at whose beginning the source's
    splits are. A split of the source counts unless an own entry of the symbol is at most :data:`NEARBY_DAYS` days of
    the calendar away. A corporate action that several accounts tell of within as many days counts once, on the first of
    them.
    """
    calendar = person.market.prices.dates
    homes = _Homes(person)
    entries: list[Entry] = []
    actions: dict[tuple[str, str, str], list[int]] = {}
    transactions = [transaction for transaction in person.transactions if transaction.date <= person.today]
    days = counted_days([transaction.date for transaction in transactions], calendar)
    for transaction, day in zip(transactions, days, strict=True):
        entry = Entry(transaction, homes.of(transaction), day, _ratio(transaction), _change(transaction))
        if transaction.type in ACTIONS:
            entry = replace(entry, parts=(entry,))
            if not entry.ratio > 0 and transaction.type not in RENAMES:
                continue  # unreadable: nothing says what came
            same = actions.setdefault((transaction.type, transaction.symbol, transaction.to_symbol), [])
            known = next((place for place in same if _is_same(entries[place], entry, calendar)), None)
            if known is not None:
                entries[known] = replace(entries[known], parts=entries[known].parts + entry.parts)
                continue
            same.append(len(entries))
        entries.append(entry)
    told = _told_splits(person, entries)
    # Sorting keeps the order within a turn, and the source's splits before own entries.
    return sorted([*told, *entries], key=lambda entry: (entry.day, _TURN[entry.transaction.type]))


def counted_days(days: Sequence[date], calendar: Dates) -> list[date]:
    """Return the day of the calendar on which each of some days counts: the first one that is not before it.

    A day after the calendar counts as itself.
    """
    own = as_dates(days)
    places = calendar.searchsorted(own)
    counted: list[date] = np.where(
        places < len(calendar), calendar[np.minimum(places, len(calendar) - 1)], own
    ).tolist()
    return counted


def as_dates(days: Sequence[date]) -> Dates:
    """Return days as an array, by their ordinals, which is much faster than from the dates themselves."""
    dates: Dates = (np.fromiter(map(date.toordinal, days), np.int64, len(days)) - _EPOCH).astype("datetime64[D]")
    return dates


def scales_of(entries: Iterable[Entry]) -> Mapping[str, list[tuple[date, float]]]:
    """Return the splits and stock dividends of each symbol: the day on which one counts, and new shares for an old."""
    scales: dict[str, list[tuple[date, float]]] = {}
    for entry in entries:
        if entry.transaction.type in SCALES:
            scales.setdefault(entry.transaction.symbol, []).append((entry.day, entry.ratio))
    return scales


class _Homes:
    """The accounts of transactions that name none: the one in their currency, else the first."""

    def __init__(self, person: Person) -> None:
        self._market = person.market
        self._currencies = person.account_currencies
        self._first = next(iter(self._currencies), "")

    def of(self, transaction: Transaction) -> str:
        if transaction.account_id:
            return transaction.account_id
        currency = transaction.currency
        if not currency and transaction.symbol and transaction.type not in CASH_TYPES:
            currency = self._market.currency(transaction.symbol)
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


def _change(own: Transaction) -> float:
    """Return the shares that come, negative for those that go."""
    if own.quantity is None or not own.symbol:
        return 0.0
    if own.type in {"buy", "transfer_in"}:
        return own.quantity
    return -own.quantity if own.type in {"sell", "transfer_out"} else 0.0


def _is_same(first: Entry, other: Entry, calendar: Dates) -> bool:
    """Return whether an action of another account is the same, which has no entry of it yet."""
    named = {part.transaction.account_id for part in first.parts}
    account_id = other.transaction.account_id
    return (
        "" not in named
        and account_id not in named | {""}
        and isclose(first.ratio, other.ratio, rel_tol=_SAME_RATIO)
        and _days_apart(first.day, other.day, calendar) <= NEARBY_DAYS
    )


def _told_splits(person: Person, entries: Sequence[Entry]) -> list[Entry]:
    prices = person.market.prices
    own = scales_of(entries)
    symbols = {holding.symbol for holding in person.holdings}
    symbols.update(entry.transaction.symbol for entry in entries)
    symbols.update(entry.transaction.to_symbol for entry in entries)
    told = [
        (symbol, day, ratio)
        for symbol in sorted(symbols)
        for day, ratio in prices.splits.get(symbol, ())
        if day <= person.today
        and not any(_days_apart(day, other, prices.dates) <= NEARBY_DAYS for other, _ in own.get(symbol, ()))
    ]
    days = counted_days([day for _, day, _ in told], prices.dates)
    return [
        Entry(_split(symbol, day, ratio), "", counted, ratio, 0.0)
        for (symbol, day, ratio), counted in zip(told, days, strict=True)
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
        return len(calendar) - 1 + max(int(np.busday_count(calendar[-1] + _ONE_DAY, date64 + _ONE_DAY)), 0)
    return int(calendar.searchsorted(date64))
