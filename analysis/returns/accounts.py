"""The accounts of a page, and which of them each transaction is of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.models import Account, Booleans, Floats, Integers
from analysis.returns.ledger import TYPES, Transactions
from analysis.returns.numbering import Numbering, majors_of

_EXCHANGE = TYPES.index("exchange")


@dataclass(frozen=True, slots=True, eq=False)
class AccountRows:
    """A row for each account, by owner, ``(accounts,)``; those that a transaction alone names are empty today."""

    owner: Integers
    names: Sequence[str]
    currency: Integers
    cash: Floats


def accounts_of(
    accounts: Sequence[tuple[Account, ...]],
    transactions: Transactions,
    own_currency: Integers,
    bases: Integers,
    currencies: Numbering,
) -> tuple[AccountRows, Integers, Integers, Integers, Integers]:
    """Return the accounts; each transaction's account, the one an exchange pays into, and the currencies of both.

    ``own_currency`` is that of a transaction's symbol, 0 if it has none or its amounts are of the account's currency.
    """
    numbering = Numbering()
    owner = transactions.owner
    named = numbering.of(transactions.account_id.tolist())
    exchanges = np.flatnonzero(transactions.type == _EXCHANGE)
    to_named, said = np.zeros_like(named), currencies.of(transactions.currency.tolist())
    to_currency = np.zeros_like(named)
    to_named[exchanges] = numbering.of(transactions.to_account_id[exchanges].tolist())
    to_currency[exchanges] = currencies.of(transactions.to_currency[exchanges].tolist())
    rows = [(number, own.account_id, own.currency, own.cash) for number, each in enumerate(accounts) for own in each]
    own = numbering.of(row[1] for row in rows)
    known = np.zeros((len(bases), len(numbering)), dtype=np.bool_)
    known[:, 0] = known[[row[0] for row in rows], own] = True
    if not (known[owner, named] & known[owner, to_named]).all():
        rows = _with_named_accounts(rows, transactions, exchanges, list(currencies), bases)
    rows = _at_least_one(rows, list(currencies), bases)
    table = AccountRows(
        owner=np.array([row[0] for row in rows], dtype=np.int64),
        names=[row[1] for row in rows],
        currency=currencies.of(row[2] for row in rows),
        cash=np.array([row[3] for row in rows], dtype=np.float64),
    )
    first = table.owner.searchsorted(np.arange(len(bases)))
    by_name = np.full((len(bases), len(numbering) + len(rows)), -1)
    by_name[table.owner[::-1], numbering.of(table.names)[::-1]] = np.arange(len(rows))[::-1]
    majors = majors_of(currencies)
    by_currency = np.broadcast_to(first[:, None], (len(bases), len(currencies))).copy()
    by_currency[table.owner[::-1], majors[table.currency[::-1]]] = np.arange(len(rows))[::-1]
    said = np.where(said > 0, said, own_currency * ~_of_the_account(transactions.type, own_currency))
    by_id = np.where(named > 0, by_name[owner, named], by_currency[owner, majors[said]])
    to_by_id = np.where(to_named > 0, by_name[owner, to_named], by_currency[owner, majors[to_currency]])
    currency = np.where(said > 0, said, table.currency[by_id])
    return table, by_id, to_by_id, currency, np.where(to_currency > 0, to_currency, table.currency[to_by_id])


_OF_THE_ACCOUNT = np.isin(TYPES, ["deposit", "withdrawal", "interest", "fee", "tax", "exchange"])


def _of_the_account(types: Integers, own_currency: Integers) -> Booleans:
    """Return whether amounts without a currency are in that of the account, not of the symbol."""
    of_account: Booleans = _OF_THE_ACCOUNT[types] | (own_currency == 0)
    return of_account


def _with_named_accounts(
    rows: list[tuple[int, str, str, float]],
    transactions: Transactions,
    exchanges: Integers,
    currencies: Sequence[str],
    bases: Integers,
) -> list[tuple[int, str, str, float]]:
    """Return the accounts with those that a transaction alone names."""
    known = {row[:2] for row in rows}
    named = set(zip(transactions.owner.tolist(), transactions.account_id.tolist(), strict=True))
    receiving = transactions.at(exchanges)
    receivers = zip(receiving.owner.tolist(), receiving.to_account_id.tolist(), strict=True)
    missing = {key for key in named.union(receivers) - known if key[1]}
    if missing:
        rows = rows + _found_in(transactions, missing, currencies, bases)
    return rows


def _at_least_one(
    rows: list[tuple[int, str, str, float]], currencies: Sequence[str], bases: Integers
) -> list[tuple[int, str, str, float]]:
    """Return the accounts sorted by owner, with an empty one in the base currency for an owner without any."""
    owners = {row[0] for row in rows}
    more = [(owner, "", currencies[base], 0.0) for owner, base in enumerate(bases.tolist()) if owner not in owners]
    return sorted(rows + more, key=lambda row: row[0])


def _found_in(
    transactions: Transactions, missing: set[tuple[int, str]], currencies: Sequence[str], bases: Integers
) -> list[tuple[int, str, str, float]]:
    """Return empty accounts in the currency of their first transaction that says one, else the base."""
    found: dict[tuple[int, str], str] = {}
    sides = (
        zip(transactions.account_id.tolist(), transactions.currency.tolist(), strict=True),
        zip(transactions.to_account_id.tolist(), transactions.to_currency.tolist(), strict=True),
    )
    for owner, *accounts in zip(transactions.owner.tolist(), *sides, strict=True):
        for account, currency in accounts:
            if (owner, account) in missing and not found.get((owner, account)):
                found[owner, account] = currency
    return [(*key, currency or currencies[bases[key[0]]], 0.0) for key, currency in found.items()]
