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
    """What was there at the end of each day, as steps: few rows at a time are looked at day by day.

    Attributes:
        begin: the day on which each step begins, ascending; the number of days for those of no day, ``(rows, steps)``.
        lasting: the days of each step.
        amount: what was there on them, first what was before any transaction.
        days: how many there are.
        opening: the first amounts, 0 where they are none; ``(rows,)``, as ``none``.
        none: the size up to which an amount is none.
    """

    begin: Integers
    lasting: Integers
    amount: Floats
    days: int
    opening: Floats
    none: Floats

    def daily(self, rows: slice) -> Floats:
        """Return the amounts of some rows on each day, ``(rows, days)``."""
        return self.amount[rows].ravel().repeat(self.lasting[rows].ravel()).reshape(-1, self.days)

    def at(self, row: Integers, day: Integers) -> Floats:
        """Return the amounts of some rows on some days."""
        key = (np.arange(len(self.begin))[:, None] * (self.days + 1) + self.begin).ravel()
        place = key.searchsorted(row * (self.days + 1) + day, "right") - 1
        found: Floats = self.amount.ravel()[place]
        return found

    def last(self) -> Floats:
        """Return the amounts on the last day, ``(rows,)``."""
        every = np.arange(len(self.none))
        return self.at(every, np.full(len(every), self.days - 1))


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
    """Return the amounts; those moved later than the last day only lead back to it.

    Amounts up to ``rounding`` are exactly 0 on every day; cents of cash stay where they are.
    """
    opening = today - summed(row, moved, len(today))
    opening[np.abs(opening) <= rounding] = 0.0
    day = np.minimum(day, days)
    order = np.argsort(row * (days + 1) + day, kind="stable")
    row = row[order]
    counts = np.bincount(row, minlength=len(today))
    place = np.arange(len(row)) - (np.cumsum(counts) - counts)[row] + 1
    begin = np.full((len(today), int(counts.max(initial=0)) + 1), days)
    amount = np.zeros(begin.shape)
    begin[:, 0], begin[row, place] = 0, day[order]
    amount[:, 0], amount[row, place] = opening, moved[order]
    # One amount after the other in each row; summed over the days, the same would take ten times as long.
    np.cumsum(amount, axis=1, out=amount)
    amount[np.abs(amount) <= rounding[:, None]] = 0.0
    lasting = np.diff(begin, axis=1, append=days)
    return Amounts(begin, lasting, amount, days, np.where(np.abs(opening) <= none, 0.0, opening), none)
