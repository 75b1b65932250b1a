"""A page of ledgers as they were booked, and the blocks of them that are looked at day by day."""

from dataclasses import dataclass

import numpy as np

from analysis.models import Booleans, Floats, Integers
from analysis.returns.bookings import Bookings
from analysis.returns.frame import Frame
from analysis.returns.ledger import LedgerPrices
from analysis.returns.reorganizations import Arrivals
from analysis.returns.stock_splits import StockSplits


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Everything that was found about the ledgers of a page before its days are looked at.

    ``in_account`` says of each portfolio whether its cash is part of it.
    """

    frame: Frame
    splits: StockSplits
    bookings: Bookings
    arrivals: Arrivals
    prices: LedgerPrices
    in_account: Booleans


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Some portfolios of a page, few enough for their days to stay in cache.

    Attributes:
        owners, rows, accounts, entries, events: its portfolios, and their parts of the page's arrays.
        first: place of its first day among those of the page: the one before the first transaction of any.
        days: how many there are, up to ``as_of``.
    """

    owners: slice
    rows: slice
    accounts: slice
    entries: slice
    events: slice
    first: int
    days: int

    @property
    def size(self) -> int:
        """Return the number of portfolios."""
        size: int = self.owners.stop - self.owners.start
        return size

    def row_owner(self, page: Page) -> Integers:
        """Return the portfolio of each row, from 0."""
        owner: Integers = page.frame.rows.owner[self.rows] - self.owners.start
        return owner

    def rates(self, page: Page) -> Floats:
        """Return the rates of all pairs of currencies on its days."""
        return page.frame.rates.rates[:, self.first : self.first + self.days]

    def row_pair(self, page: Page) -> Integers:
        """Return the pair of currencies of each row."""
        rows = page.frame.rows
        return page.frame.rates.pair(rows.currency[self.rows], rows.owner[self.rows])


def block_of(page: Page, start: int, stop: int, first: int) -> Block:
    """Return the block of the portfolios ``start`` up to ``stop``, from the day ``first`` on."""
    frame = page.frame
    rows, accounts, entries, events = (
        slice(*owner.searchsorted([start, stop]).tolist())
        for owner in (frame.rows.owner, frame.accounts.owner, page.bookings.owner, page.arrivals.owner)
    )
    return Block(slice(start, stop), rows, accounts, entries, events, first, frame.calendar.count - first)


def summed(place: Integers, amounts: Floats, size: int) -> Floats:
    """Return the sums of amounts by their place, ``(size,)``."""
    # Without any amount, numpy counts in integers.
    return np.bincount(place, amounts, minlength=size).astype(np.float64, copy=False)
