"""What each symbol brought to the gain of a period, and cash the rest."""

from itertools import repeat
from math import isfinite

import numpy as np

from analysis.models import Booleans, Contribution, Floats, Integers, PeriodName
from analysis.returns.bookings import FEES, FX, INCOME, TAXES, TRADE
from analysis.returns.page import Block, Page, summed
from analysis.returns.periods import PERIODS
from analysis.returns.positions import Values

CONTRIBUTED: tuple[PeriodName, ...] = ("ytd", "1y", "since")
OF_PERIODS = [PERIODS.index(name) for name in CONTRIBUTED]


def gains_of_rows(page: Page, block: Block, values: Values, starts: Integers) -> tuple[Floats, Booleans]:
    """Return the gain of each row in some periods, ``(periods, rows)``, and whether it was ever held or brought any.

    Its price and currency gain and income less its fees and taxes: what its value grew by beyond what was paid for it.
    ``starts`` are ``(periods, portfolios)``.
    """
    bookings, entries = page.bookings, block.entries
    rows = block.rows.stop - block.rows.start
    own = (bookings.row[entries] >= 0) & (bookings.day[entries] < page.frame.calendar.count)
    mine = np.flatnonzero(own) + entries.start
    parts = bookings.parts[:, mine]
    brought = parts[INCOME] + parts[FX] - parts[FEES] - parts[TAXES] - parts[TRADE]
    moved_shares = np.concatenate([bookings.shares[mine] != 0, values.in_kind.trade != 0])
    kind = values.in_kind
    row = np.concatenate([bookings.row[mine] - block.rows.start, kind.row])
    owner = np.concatenate([bookings.owner[mine] - block.owners.start, kind.owner])
    day = np.concatenate([bookings.day[mine] - block.first, kind.day])
    brought = np.concatenate([brought, -kind.trade])
    moved = [summed(row, np.where(day > start[owner], brought, 0.0), rows) for start in starts]
    row_owner, rate, pair = block.row_owner(page), block.rates(page), block.row_pair(page)
    every = np.arange(rows)
    begin = starts[:, row_owner]
    local = values.of_rows[every, begin]
    first = np.where(local == 0, 0.0, local * rate[pair, begin])
    last = np.where(values.of_rows[:, -1] == 0, 0.0, values.of_rows[:, -1] * rate[pair, -1])
    touched = np.bincount(row[moved_shares | (brought != 0)], minlength=rows) > 0
    return last - first + np.stack(moved), touched | (values.shares.opening != 0)


def contributions(names: list[str], gains: Floats, total: Floats, capital: Floats) -> tuple[Contribution, ...]:
    """Return the contributions to the periods of one portfolio.

    ``names`` are of its rows and ``gains`` theirs, ``(periods, rows)``; ``total`` gains, NaN for a period without
    figures, and ``capital`` are ``(periods,)``. What no symbol brought is of cash.
    """
    found: list[Contribution] = []
    gains = np.column_stack([gains, total - gains.sum(axis=1)])
    every: list[str | None] = [*names, None]
    unknown = [None] * len(every)
    for period, own, gain, invested in zip(CONTRIBUTED, gains, total.tolist(), capital.tolist(), strict=True):
        if isfinite(gain):
            shares = (own / gain).tolist() if gain else unknown
            parts = (own / invested).tolist() if isfinite(invested) else unknown
            found.extend(map(Contribution, repeat(period), every, own.tolist(), shares, parts))
    return tuple(found)
