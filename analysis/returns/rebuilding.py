"""The shares and the cash of each day, rebuilt backwards from today's."""

from dataclasses import dataclass

import numpy as np

from analysis.models import Floats, Integers
from analysis.returns.page import Block, Page, summed

_ROUNDING = 1e-9
"""Shares and cash up to this part of all that ever moved are none."""
_CENT = 0.01
"""Cash up to this amount is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Amounts:
    """What was there at the end of each day, ``(rows, days)``.

    Attributes:
        daily: the amounts, on the first day those from before any transaction.
        opening: the first of them, 0 where it is none; ``(rows,)``, as ``none``.
        none: the size up to which an amount is none.
    """

    daily: Floats
    opening: Floats
    none: Floats


def quantities(page: Page, block: Block) -> Amounts:
    """Return the shares of each row, in today's shares."""
    bookings, arrivals, events = page.bookings, page.arrivals, block.events
    moving = np.flatnonzero(bookings.shares[block.entries]) + block.entries.start
    row = np.concatenate([bookings.row[moving], arrivals.from_row[events], arrivals.to_row[events]])
    day = np.concatenate([bookings.day[moving], arrivals.day[events], arrivals.day[events]])
    moved = np.concatenate([bookings.shares[moving], -arrivals.left[events], arrivals.came[events]])
    row -= block.rows.start
    held = page.frame.rows.held[block.rows]
    gross = summed(row, np.abs(moved), len(held))
    rounding = _ROUNDING * gross
    return _rebuilt(held, row, day - block.first, moved, rounding, rounding, block.days)


def cash(page: Page, block: Block) -> Amounts:
    """Return the cash of each account, in its currency."""
    bookings, (to_account, to_day, received) = page.bookings, page.bookings.receiving
    place = page.bookings.receiving_owner.searchsorted([block.owners.start, block.owners.stop])
    receiving = slice(*place.tolist())
    entries = block.entries
    account = np.concatenate([bookings.account[entries], to_account[receiving]]) - block.accounts.start
    day = np.concatenate([bookings.day[entries], to_day[receiving]]) - block.first
    moved = np.concatenate([bookings.cash[entries], received[receiving]])
    today = page.frame.accounts.cash[block.accounts]
    rounding = _ROUNDING * summed(account, np.abs(moved), len(today))
    return _rebuilt(today, account, day, moved, np.full(len(today), _CENT), rounding, block.days)


def _rebuilt(
    today: Floats, row: Integers, day: Integers, moved: Floats, none: Floats, rounding: Floats, days: int
) -> Amounts:
    """Return the amounts of each day; those moved later than the last one only lead back to it.

    Amounts up to ``rounding`` are exactly 0 on every day; cents of cash stay where they are.
    """
    size, every = len(today), np.arange(len(today))
    opening = today - summed(row, moved, size)
    opening[np.abs(opening) <= rounding] = 0.0
    order = np.argsort(row * (days + 1) + np.minimum(day, days), kind="stable")
    row, day, moved = row[order], np.minimum(day[order], days), moved[order]
    counts = np.bincount(row, minlength=size)
    first = np.cumsum(counts) - counts
    # One amount after the other in each row; summed over the days, the same would take ten times as long.
    levels = np.zeros((size, int(counts.max(initial=0)) + 1))
    levels[:, 0], levels[row, np.arange(len(row)) - first[row] + 1] = opening, moved
    np.cumsum(levels, axis=1, out=levels)
    levels[np.abs(levels) <= rounding[:, None]] = 0.0
    begin, amount = np.zeros(len(row) + size, np.int64), np.empty(len(row) + size)
    place = np.arange(len(row)) + row + 1
    begin[place], amount[place] = day, levels[row, np.arange(len(row)) - first[row] + 1]
    amount[first + every] = levels[:, 0]
    end = np.append(begin[1:], days)
    end[first + every + counts] = days
    daily = np.repeat(amount, end - begin).reshape(size, days)
    return Amounts(daily, np.where(np.abs(opening) <= none, 0.0, opening), none)
