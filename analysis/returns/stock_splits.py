"""The splits of a page's positions: their own entries and the source's, and whether the closes know them already."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from analysis.models import Booleans, Dates, Floats, Integers, Portfolio
from analysis.returns.frame import Frame
from analysis.returns.ledger import TYPES, LedgerPrices, Ledgers, Market, Transactions

_SPLIT, _STOCK_DIVIDEND = TYPES.index("split"), TYPES.index("stock_dividend")
_ONE_SPLIT = 5
"""Days of the calendar up to which two records are of one split."""
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

    Such a split is on or before ``as_of`` and after the last transaction of the symbol up to ``today``, and the
    ledger's own quantity before it is today's holding.
    """
    transactions, prices = ledgers.transactions, market.prices
    transactions = transactions.at(transactions.date <= np.datetime64(today, "D"))
    ratio = split_ratios(transactions)
    marked = ~np.isnan(ratio)
    splitting = {name for name, told in prices.splits.items() if told} | set(transactions.symbol[marked].tolist())
    if not splitting:
        return {}
    among = np.flatnonzero(np.fromiter(map(splitting.__contains__, transactions.symbol.tolist()), np.bool_))
    rows: dict[tuple[int, str], list[int]] = {}
    for number, *key in zip(
        among.tolist(), transactions.owner[among].tolist(), transactions.symbol[among], strict=True
    ):
        rows.setdefault((key[0], key[1]), []).append(number)
    pending = {}
    for (owner, symbol), numbers in rows.items():
        told = prices.splits.get(symbol, ())
        latest = max((np.datetime64(day, "D") for day, _ in told if day <= prices.as_of.item()), default=None)
        if not marked[numbers[-1]] and (latest is None or latest <= transactions.date[numbers[-1]]):
            continue  # nothing has split since the last transaction
        held = next((own.quantity for own in portfolios[owner].holdings if own.symbol == symbol), None)
        if held is not None:
            found = _pending_ratio(held, transactions.at(np.array(numbers)), ratio[numbers], told, prices)
            if found != 1:
                pending[owner, symbol] = found
    return pending


_SIGNS = {
    TYPES.index(name): sign for name, sign in (("buy", 1), ("transfer_in", 1), ("sell", -1), ("transfer_out", -1))
}
_SIGN = np.array([_SIGNS.get(number, 0) for number in range(len(TYPES))], dtype=np.float64)


def _pending_ratio(
    held: float, own: Transactions, ratio: Floats, told: Sequence[tuple[date, float]], prices: LedgerPrices
) -> float:
    """Return the product of the splits of a symbol that are pending, 1 if none is."""
    entries = ~np.isnan(ratio)
    own_splits = _once(own, ratio, np.flatnonzero(entries), prices.dates)
    splits = _joined(own_splits, _up_to(told, prices.as_of.item()), prices.dates)
    others = own.date[~entries]
    last = others.max() if len(others) else None
    open_splits = [split for split in splits if last is not None and last < split[0] <= prices.as_of]
    if not open_splits:
        return 1.0
    moved = _SIGN[own.type] * np.nan_to_num(own.quantity)
    for day, new in splits:
        moved[own.date < day] *= new if (day, new) not in open_splits else 1.0
    quantity, size = float(moved[~entries].sum()), float(np.abs(moved[~entries]).sum())
    pending = math.prod(new for _, new in open_splits)
    for _, new in open_splits:
        if abs(quantity - held) <= _SAME * size:
            return pending
        quantity, size, pending = quantity * new, size * new, pending / new
    return 1.0


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
    return bool(abs(places[0] - places[1]) <= _ONE_SPLIT)


def _joined(own: Sequence[Split], told: Sequence[Split], trading_days: Dates) -> list[Split]:
    """Return own entries and the source's splits that are none of them, by day."""
    new = [split for split in told if not any(_near(split[0], entry[0], trading_days) for entry in own)]
    return sorted([*own, *new])


def _padded(frame: Frame, of_rows: Mapping[int, Sequence[Split]], prices: LedgerPrices) -> StockSplits:
    most = max(map(len, of_rows.values()), default=0)
    size = len(frame.rows.owner)
    dates = np.full((most, size), np.datetime64("NaT", "D"))
    ratio = np.ones((most, size))
    for row, splits in of_rows.items():
        for number, (when, new) in enumerate(splits):
            dates[number, row], ratio[number, row] = when, new
    known = ~np.isnat(dates)
    calendar = frame.calendar
    places: Integers = calendar.dates.searchsorted(dates)
    day = np.where(known, places, 0)
    column = np.broadcast_to(frame.rows.column, day.shape)
    place = day + calendar.first
    seen = known & (column >= 0) & (day > 0) & (place > 0) & (place < len(prices.dates))
    raw = known.copy()
    steps = np.log(prices.close[column[seen], place[seen] - 1] / prices.close[column[seen], place[seen]])
    # A comparison with NaN is false: without a close on one side, they are taken as they are.
    raw[seen] = ~(np.abs(steps) < np.abs(steps - np.log(ratio[seen])))
    return StockSplits(day, ratio, raw)
