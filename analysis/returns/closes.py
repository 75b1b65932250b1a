"""The prices at which positions count: closes, in today's shares, or those of own trades where there is no close."""

from dataclasses import dataclass

import numpy as np

from analysis.models import Booleans, Floats, Integers
from analysis.returns.page import Block, Page
from analysis.returns.rebuilding import Amounts

_OLDEST = 10
"""Days of the calendar for which the price of an own trade counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Closes:
    """The value of one of today's shares in its own currency, ``(rows, days)``.

    Attributes:
        price: 0 where there is none.
        gaps: rows that lack one somewhere, and ``lacking`` the days, ``(gaps, days)``.
        unpriced: last day on which a row has a position without a price, -1 without one, ``(rows,)``.
    """

    price: Floats
    gaps: Integers
    lacking: Booleans
    unpriced: Integers

    def at(self, row: Integers, day: Integers) -> Floats:
        """Return the value of a share of some rows on some days, NaN without one."""
        found: Floats = self.price[row, day].copy()
        if len(self.gaps):
            place = np.minimum(self.gaps.searchsorted(row), len(self.gaps) - 1)
            found[(self.gaps[place] == row) & self.lacking[place, day]] = np.nan
        return found


def closes(page: Page, block: Block, shares: Amounts, incomplete: Booleans) -> Closes:
    """Return the prices of a block; ``incomplete`` says of each symbol's place whether it lacks closes."""
    price = _in_todays_shares(page, block)
    gaps = np.flatnonzero(incomplete[page.frame.rows.column[block.rows]])
    if block.first + page.frame.calendar.first < 0:
        gaps = np.arange(len(price))
    unpriced = np.full(len(price), -1)
    lacking = np.isnan(price[gaps])
    if lacking.any():
        held = np.abs(shares.daily[gaps]) > shares.none[gaps, None]
        price[gaps] = np.where(lacking, _of_own_trades(page, block, gaps), price[gaps])
        lacking = np.isnan(price[gaps])
        unpriced[gaps] = last_day(held & lacking)
        price[gaps] = np.nan_to_num(price[gaps])
    return Closes(price, gaps, lacking, unpriced)


def last_day(marked: Booleans) -> Integers:
    """Return the last marked day of each row, -1 without one."""
    backwards = marked[:, ::-1].argmax(axis=1)
    return np.where(marked.any(axis=1), marked.shape[1] - 1 - backwards, -1)


def _in_todays_shares(page: Page, block: Block) -> Floats:
    rows = page.frame.rows
    column, multiplier = rows.column[block.rows], rows.multiplier[block.rows]
    place = block.first + page.frame.calendar.first
    if not len(page.prices.close):
        return np.full((len(column), block.days), np.nan)
    if place < 0:
        price = np.full((len(column), block.days), np.nan)
        price[:, 1:] = page.prices.close[column]
    else:
        price = page.prices.close[column, place:]
    price[column < 0] = np.nan
    others = np.flatnonzero(multiplier != 1)
    if len(others):
        price[others] *= multiplier[others, None]
    splits = page.splits
    old = splits.raw[:, block.rows] & (splits.day[:, block.rows] > block.first)
    for number, row in np.argwhere(old).tolist():
        split = block.rows.start + row
        price[row, : splits.day[number, split] - block.first] /= splits.ratio[number, split]
    return price


def _of_own_trades(page: Page, block: Block, gaps: Integers) -> Floats:
    """Return the price of the last own trade of each row, at most ten days old, NaN without one."""
    bookings, multiplier = page.bookings, page.frame.rows.multiplier[block.rows]
    own = np.flatnonzero(~np.isnan(bookings.price[block.entries])) + block.entries.start
    row, day = bookings.row[own] - block.rows.start, bookings.day[own] - block.first
    place = np.minimum(gaps.searchsorted(row), len(gaps) - 1)
    wanted = (gaps[place] == row) & (day < block.days) & (row >= 0)
    paid = np.full((len(gaps), block.days), np.nan)
    paid[place[wanted], day[wanted]] = (bookings.price[own] * multiplier[np.maximum(row, 0)])[wanted]
    days = np.arange(block.days)
    known = np.maximum.accumulate(np.where(np.isnan(paid), -1 - _OLDEST, days), axis=1)
    fresh = days - known <= _OLDEST
    return np.where(fresh, np.take_along_axis(paid, np.maximum(known, 0), axis=1), np.nan)
