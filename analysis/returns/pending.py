"""The splits that today's holdings do not reflect yet, found by the transactions of their symbols alone."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import numpy as np

from analysis.models import Portfolio
from analysis.returns.entries import Person, entries_of
from analysis.returns.ledger import Ledgers, Market, Transactions
from analysis.returns.quantities import pending_ratios
from analysis.returns.stock_splits import split_ratios


def pending_splits(
    portfolios: Sequence[Portfolio], ledgers: Ledgers, market: Market, today: date
) -> Mapping[tuple[int, str], float]:
    """Return the new shares for an old one of splits that today's holdings do not know yet, by portfolio and symbol.

    The first of such splits is on or before ``as_of`` and after the last other transaction of the symbol up to
    ``today``, and the ledger's own quantity before it is today's holding.
    """
    transactions = ledgers.transactions
    pending = {}
    for owner, symbol, rows in _split_last(transactions, market, today):
        portfolio = portfolios[owner]
        holdings = [held for held in portfolio.holdings if held.symbol == symbol]
        own = list(transactions.at(np.array(rows)).of(owner))
        person = Person(own, holdings, portfolio.accounts, market, market.default_currency, today)
        ratio = pending_ratios(person, entries_of(person)).get(symbol)
        if ratio is not None:
            pending[owner, symbol] = ratio
    return pending


def _split_last(transactions: Transactions, market: Market, today: date) -> Iterator[tuple[int, str, list[int]]]:
    """Yield the owners and symbols that a split is the last entry of, and the rows that their quantity follows from."""
    told, marked = market.prices.splits, ~np.isnan(split_ratios(transactions))
    splitting = {name for name, splits in told.items() if splits} | set(transactions.symbol[marked].tolist())
    if not splitting:
        return
    names, into = transactions.symbol.tolist(), transactions.to_symbol.tolist()
    named = np.fromiter(map(splitting.__contains__, names), np.bool_, len(names))
    named |= np.fromiter(map(splitting.__contains__, into), np.bool_, len(into))
    named &= transactions.date <= np.datetime64(today, "D")
    rows: dict[tuple[int, str], list[int]] = {}
    for row, owner in zip(np.flatnonzero(named).tolist(), transactions.owner[named].tolist(), strict=True):
        for name in {names[row], into[row]} & splitting:
            rows.setdefault((owner, name), []).append(row)
    for (owner, symbol), own in rows.items():
        last = own[-1]
        days = (np.datetime64(day, "D") for day, _ in told.get(symbol, ()) if day <= market.prices.as_of.item())
        latest = max(days, default=None)
        if marked[last] or (latest is not None and latest > transactions.date[last]):
            came = any(into[row] == symbol for row in own)
            yield owner, symbol, _behind(symbol, owner, transactions) if came else own


def _behind(symbol: str, owner: int, transactions: Transactions) -> list[int]:
    """Return the rows of a symbol, and of those that became it."""
    start, end = transactions.owner.searchsorted([owner, owner + 1]).tolist()
    names, into = (column[start:end].tolist() for column in (transactions.symbol, transactions.to_symbol))
    related = {symbol}
    while more := {name for name, other in zip(names, into, strict=True) if other in related} - related:
        related |= more
    named = (name in related or other in related for name, other in zip(names, into, strict=True))
    return [row for row, is_named in enumerate(named, start) if is_named]
