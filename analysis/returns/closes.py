"""The prices at which positions count: closes, in today's shares, or those of own trades where there is no close."""

from dataclasses import dataclass

import numpy as np

from analysis.models import Booleans, Floats, Integers
from analysis.returns.page import Block, Page

_OLDEST = 10
"""Days of the calendar for which the price of an own trade counts."""


@dataclass(frozen=True, slots=True, eq=False)
class OwnTrades:
    """The prices of own trades by row and day, ``(trades,)``; ``key`` is row x (days + 1) + day, ascending."""

    key: Integers
    price: Floats
    days: int

    def at(self, row: Integers, day: Integers) -> Floats:
        """Return the price of the last trade of each row on or before a day, NaN if none is young enough."""
        wanted = row * (self.days + 1) + day
        place = self.key.searchsorted(wanted, "right")
        key, price = np.append(-1, self.key)[place], np.append(np.nan, self.price)[place]
        return np.where((key // (self.days + 1) == row) & (wanted - key <= _OLDEST), price, np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Closes:
    """The value of one of today's shares of each row in its own currency, NaN where there is none.

    Attributes:
        of_symbols: the closes on the calendar of the prices, ``(symbols, days)``.
        first: place of the block's first day in that calendar, -1 for a day before it.
        column, multiplier: of rows.
        plain: whether a row has a close on each day, and its value is that.
        split_day, split_ratio: of splits that earlier closes do not know, ``(splits, rows)``; day 0 of no split.
        own: what counts where there is no close.
    """

    of_symbols: Floats
    first: int
    column: Integers
    multiplier: Floats
    plain: Booleans
    split_day: Integers
    split_ratio: Floats
    own: OwnTrades

    def daily(self, rows: slice) -> Floats:
        """Return the values of some rows on each day, ``(rows, days)``."""
        column = self.column[rows]
        if self.first < 0:
            price = np.insert(self.of_symbols[column], 0, np.nan, axis=1)
        else:
            price = self.of_symbols[column, self.first :]
        if self.plain[rows].all():
            return price
        price[column < 0] = np.nan
        price *= self.multiplier[rows, None]
        for split, row in np.argwhere(self.split_day[:, rows] > 0).tolist():
            place = rows.start + row
            price[row, : self.split_day[split, place]] /= self.split_ratio[split, place]
        lacking = np.nonzero(np.isnan(price))
        price[lacking] = self.own.at(lacking[0] + rows.start, lacking[1])
        return price

    def at(self, row: Integers, day: Integers) -> Floats:
        """Return the values of some rows on some days."""
        place = day + self.first
        price = self.of_symbols[self.column[row], np.maximum(place, 0)] * self.multiplier[row]
        for split_day, ratio in zip(self.split_day, self.split_ratio, strict=True):
            price /= np.where(day < split_day[row], ratio[row], 1.0)
        lacking = (self.column[row] < 0) | (place < 0) | np.isnan(price)
        return np.where(lacking, self.own.at(row, day), price)


def closes(page: Page, block: Block, incomplete: Booleans) -> Closes:
    """Return the prices of a block; ``incomplete`` says of each symbol's place whether it lacks closes."""
    rows, splits = page.frame.rows, page.splits
    column, multiplier = rows.column[block.rows], rows.multiplier[block.rows]
    first = block.first + page.frame.calendar.first
    split_day = np.where(splits.raw[:, block.rows], np.maximum(splits.day[:, block.rows] - block.first, 0), 0)
    plain = ~incomplete[column] & (multiplier == 1) & (split_day == 0).all(axis=0) & (first >= 0)
    known = page.prices.close if len(page.prices.close) else np.full((1, len(page.prices.dates)), np.nan)
    ratio = splits.ratio[:, block.rows]
    return Closes(known, first, column, multiplier, plain, split_day, ratio, _own_trades(page, block))


def last_day(marked: Booleans) -> Integers:
    """Return the last marked day of each row, -1 without one."""
    backwards = marked[:, ::-1].argmax(axis=1)
    return np.where(marked.any(axis=1), marked.shape[1] - 1 - backwards, -1)


def _own_trades(page: Page, block: Block) -> OwnTrades:
    bookings, entries = page.bookings, block.entries
    own = np.flatnonzero(~np.isnan(bookings.price[entries]) & (bookings.row[entries] >= 0)) + entries.start
    row, day = bookings.row[own], np.minimum(bookings.day[own] - block.first, block.days)
    key = (row - block.rows.start) * (block.days + 1) + day
    order = np.argsort(key, kind="stable")
    return OwnTrades(key[order], (bookings.price[own] * page.frame.rows.multiplier[row])[order], block.days)
