"""Seeded ledgers: sound ones, in which everything is explained, and wild ones with faults."""

import random
from collections.abc import Sequence
from copy import replace
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any

import numpy as np

from analysis.models import Account, Holding, ReturnsIssue
from analysis.returns.ledger import TYPES, Market, Transaction, Transactions
from tests.oracle import ledger_markets as markets
from tests.oracle.ledger_entries import TURNS
from tests.oracle.ledger_inputs import Person
from tests.oracle.ledger_writer import Writer

NUMBERS = {"time", "quantity", "price", "amount", "fee", "tax", "fx_rate", "ratio", "to_amount"}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """A person in a market, and the day of today.

    ``values`` are by day those of the shares, ``None`` if one has no close, and of the cash, as the writer knows them.
    """

    person: Person
    market: Market
    today: date
    is_sound: bool
    faults: tuple[str, ...]
    values: dict[date, tuple[float | None, float]]


def sound(seed: int) -> Case:
    """Return a case in which everything is explained."""
    return _case(random.Random(seed), is_sound=True)  # noqa: S311 - repeatable on purpose


def wild(seed: int) -> Case:
    """Return a case with gaps and faults."""
    return _case(random.Random(seed), is_sound=False)  # noqa: S311 - repeatable on purpose


def _case(chance: random.Random, *, is_sound: bool) -> Case:
    is_past = not is_sound and chance.random() < 0.25
    count = chance.choice([30, 60, 120, 280, 300, 400, 800])
    days = markets.trading_days(chance, count + (chance.randint(5, 25) if is_past else 0))
    shares = [
        markets.share(chance, f"S{number}", len(days), is_sound=is_sound) for number in range(chance.randint(1, 8))
    ]
    rates = markets.rates(chance, days, is_sound=is_sound)
    writer = Writer(chance, days, shares, rates, is_sound=is_sound)
    writer.write()
    market = markets.market(chance, days[:count], writer.shares, rates, days)
    today = days[-1] + timedelta(days=chance.choice([0, 0, 1, 2]))
    currencies = writer.accounts
    accounts = tuple(Account(name, writer.cash[name], 0.0, currency) for name, currency in currencies.items())
    if chance.random() < 0.12:
        accounts = ()
    person = Person(
        tuple(writer.transactions),
        tuple(_holdings(chance, writer)),
        accounts,
        writer.base,
        lot_method=chance.choice(["fifo", "lifo", "hifo", "average", "specific"]),
    )
    faults = ["past"] if is_past else []
    if not is_sound:
        for name, change in _FAULTS.items():
            if chance.random() < (0.6 if name == "pending" else 0.12):
                changed = change(chance, person, writer)
                if changed is not None:
                    faults.append(name)
                    person = changed
    return Case(person, market, today, is_sound, tuple(faults), dict(zip(days, writer.values, strict=True)))


def _holdings(chance: random.Random, writer: Writer) -> list[Holding]:
    found = []
    for symbol in sorted({symbol for _, symbol in writer.held}):
        quantity = writer.quantity(symbol)
        if abs(quantity) > 1e-9:
            price = writer.share(symbol).prices[-1]
            found.append(Holding(symbol, quantity, chance.choice([None, price * chance.uniform(0.5, 1.5)])))
    return found


def _opening_position(chance: random.Random, person: Person, writer: Writer) -> Person | None:
    share = chance.choice(writer.shares)
    others = tuple(holding for holding in person.holdings if holding.symbol != share.symbol)
    more = Holding(share.symbol, writer.quantity(share.symbol) + chance.randint(1, 40), None)
    return replace(person, holdings=(*others, more)) if more.quantity else None


def _missing_buy(chance: random.Random, person: Person, _: Writer) -> Person | None:
    buys = [transaction for transaction in person.transactions if transaction.type in ("buy", "sell")]
    if not buys:
        return None
    gone = chance.choice(buys)
    return replace(person, transactions=tuple(t for t in person.transactions if t is not gone))


def _unexplained_cash(chance: random.Random, person: Person, _: Writer) -> Person | None:
    if not person.accounts:
        return None
    first, *others = person.accounts
    cash = first.cash + chance.choice([-1, 1]) * chance.uniform(10, 20000)
    return replace(person, accounts=(Account(first.account_id, cash, 0.0, first.currency), *others))


def _future(chance: random.Random, person: Person, writer: Writer) -> Person | None:
    if not person.transactions:
        return None
    known = chance.choice(person.transactions)
    later = replace(known, date=writer.days[-1] + timedelta(days=9), transaction_id="future")
    return replace(person, transactions=(*person.transactions, later))


def _early(_: random.Random, person: Person, writer: Writer) -> Person | None:
    if not person.accounts:
        return None
    first, *others = person.accounts
    early = writer.transaction("deposit", 0, account_id=first.account_id, amount=500.0)
    early = replace(early, date=writer.days[0] - timedelta(days=4))
    account = Account(first.account_id, first.cash + 500.0, 0.0, first.currency)
    return replace(person, transactions=(early, *person.transactions), accounts=(account, *others))


def _unreadable(chance: random.Random, person: Person, writer: Writer) -> Person | None:
    day = chance.choice(writer.days[: len(writer.days) // 2])
    return replace(person, found=(ReturnsIssue(day, "unknown_type", ""),), unsound=day)


def _split_not_applied(_: random.Random, person: Person, writer: Writer) -> Person | None:
    for share in writer.shares:
        for holding in person.holdings:
            if share.split is not None and share.symbol == holding.symbol and share.symbol in writer.split_last:
                others = tuple(held for held in person.holdings if held is not holding)
                old = Holding(share.symbol, holding.quantity / share.split.ratio, holding.avg_price)
                return replace(person, holdings=(*others, old))
    return None


_FAULTS = {
    "opening": _opening_position,
    "missing": _missing_buy,
    "cash": _unexplained_cash,
    "future": _future,
    "early": _early,
    "unreadable": _unreadable,
    "pending": _split_not_applied,
}


def columns(ledgers: Sequence[Sequence[Transaction]]) -> Transactions:
    """Return the ledgers of several portfolios as columns, in the order of booking."""
    rows: list[tuple[int, Transaction]] = []
    for owner, ledger in enumerate(ledgers):
        rows += [(owner, transaction) for transaction in sorted(ledger, key=_order)]
    return Transactions(*(_column(member.name, rows) for member in fields(Transactions)))


def _order(transaction: Transaction) -> tuple[object, ...]:
    return transaction.date, TURNS[transaction.type], transaction.time, transaction.transaction_id


def _column(name: str, rows: Sequence[tuple[int, Transaction]]) -> Any:  # noqa: ANN401 - a column of any kind
    if name == "owner":
        return np.array([owner for owner, _ in rows], dtype=np.int64)
    values = [getattr(transaction, name) for _, transaction in rows]
    if name == "type":
        return np.array([TYPES.index(value) for value in values], dtype=np.int64)
    if name == "date":
        return np.array(values, dtype="datetime64[D]")
    if name in NUMBERS:
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
