"""The splits of a page's positions: their own entries and the source's, and whether the closes know them already."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from analysis.models import Booleans, Dates, Floats, Integers, Portfolio
from analysis.returns.entries import NEARBY_DAYS, Person, entries_of
from analysis.returns.frame import Frame
from analysis.returns.ledger import TYPES, LedgerPrices, Ledgers, Market, Transactions
from analysis.returns.quantities import pending_ratios

_SPLIT, _STOCK_DIVIDEND = TYPES.index("split"), TYPES.index("stock_dividend")
_SAME = 1e-9

type Split = tuple[np.datetime64, float]


@dataclass(frozen=True, slots=True, eq=False)
class StockSplits:
    """The splits of each row of a frame, padded to the largest number of any row, ``(splits, rows)``.

    Attributes:
        day: place among the days from which quantities are in new shares; 0, before any transaction, if it is padding.
        ratio: new shares for an old one.
        raw: whether closes before the day are in old shares.
    """

    day: Integers
    ratio: Floats
    raw: Booleans

    def later_than(self, row: Integers, day: Integers) -> Floats:
        """Return today's shares for one share of a row at the end of a day."""
        factor = np.ones(len(row))
        for days, ratios in zip(self.day, self.ratio, strict=True):
            factor *= np.where(days[row] > day, ratios[row], 1.0)
        return factor


def split_ratios(transactions: Transactions) -> Floats:
    """Return the new shares for an old one by each transaction, NaN where it is no split that can be read."""
    ratio = np.where(transactions.type == _SPLIT, transactions.quantity, np.nan)
    ratio = np.where(transactions.type == _STOCK_DIVIDEND, 1 + transactions.quantity, ratio)
    return np.where((ratio > 0) & (transactions.quantity > 0), ratio, np.nan)


def stock_splits(frame: Frame, transactions: Transactions, prices: LedgerPrices, today: date) -> StockSplits:
    """Return the splits up to now that change the quantities of each row."""
    of_rows: dict[int, list[Split]] = {}
    names = frame.rows.names
    for symbol in np.unique(frame.rows.symbol).tolist():
        told = _up_to(prices.splits.get(names[symbol], ()), today)
        if told:
            for row in np.flatnonzero(frame.rows.symbol == symbol).tolist():
                of_rows[row] = told
    for row, own in _own_splits(frame.row, transactions, prices.dates).items():
        of_rows[row] = _joined(own, of_rows.get(row, []), prices.dates)
    return _padded(frame, of_rows, prices)


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


def _up_to(told: Sequence[tuple[date, float]], day: date) -> list[Split]:
    return [(np.datetime64(when, "D"), ratio) for when, ratio in told if when <= day]


def _own_splits(row: Integers, transactions: Transactions, trading_days: Dates) -> dict[int, list[Split]]:
    """Return the entries of splits by row."""
    ratio = split_ratios(transactions)
    entries: dict[int, list[int]] = {}
    for number in np.flatnonzero(~np.isnan(ratio) & (row >= 0)).tolist():
        entries.setdefault(int(row[number]), []).append(number)
    return {key: _once(transactions, ratio, np.array(numbers), trading_days) for key, numbers in entries.items()}


def _once(transactions: Transactions, ratio: Floats, numbers: Integers, trading_days: Dates) -> list[Split]:
    """Return the entries of splits of a symbol: one that several accounts have counts once, as positions have none."""
    found: list[tuple[Split, str]] = []
    for number in numbers.tolist():
        new = (transactions.date[number], float(ratio[number]))
        account = transactions.account_id[number]
        if not any(
            account != known and abs(new[1] / old[1] - 1) <= _SAME and _near(new[0], old[0], trading_days)
            for old, known in found
        ):
            found.append((new, account))
    return [split for split, _ in found]


def _near(one: np.datetime64, other: np.datetime64, trading_days: Dates) -> bool:
    places = trading_days.searchsorted(np.array([one, other], dtype="datetime64[D]"))
    return bool(abs(places[0] - places[1]) <= NEARBY_DAYS)


def _joined(own: Sequence[Split], told: Sequence[Split], trading_days: Dates) -> list[Split]:
    """Return own entries and the source's splits that are none of them, by day."""
    new = [split for split in told if not any(_near(split[0], entry[0], trading_days) for entry in own)]
    return sorted([*own, *new])


def _padded(frame: Frame, of_rows: Mapping[int, Sequence[Split]], prices: LedgerPrices) -> StockSplits:
    most, rows = max(map(len, of_rows.values()), default=0), frame.rows
    dates = np.full((most, len(rows.owner)), np.datetime64("NaT", "D"))
    ratio, raw = np.ones(dates.shape), np.zeros(dates.shape, np.bool_)
    for row, splits in of_rows.items():
        symbol = rows.names[rows.symbol[row]]
        for number, (when, new) in enumerate(splits):
            dates[number, row], ratio[number, row] = when, new
            raw[number, row] = not prices.in_new_shares(symbol, when, new)
    places: Integers = frame.calendar.dates.searchsorted(dates)
    return StockSplits(np.where(np.isnat(dates), 0, places), ratio, raw)
