"""What each symbol brought to the gain of a period, and cash the rest."""

from collections.abc import Sequence
from itertools import chain, pairwise, repeat

import numpy as np

from analysis.measures import optional_rows
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
    parts = bookings.parts[:, entries]
    brought = (parts[INCOME] + parts[FX] - parts[FEES] - parts[TAXES] - parts[TRADE])[own]
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
    days = np.vstack([begin, np.full(rows, block.days - 1)])
    local = values.worth(np.broadcast_to(every, days.shape), days)
    worth = np.where(local == 0, 0.0, local * rate[pair, days])
    touched = np.bincount(row[moved_shares | (brought != 0)], minlength=rows) > 0
    return worth[-1] - worth[:-1] + np.stack(moved), touched | (values.shares.opening != 0)


def contributions(
    names: Sequence[str], owner: Integers, gains: Floats, total: Floats, capital: Floats
) -> list[tuple[Contribution, ...]]:
    """Return the contributions to the periods of each portfolio.

    ``names`` are of rows, ``owner`` their portfolios, ascending, and ``gains`` theirs, ``(periods, rows)``; ``total``
    gains, NaN for a period without figures, and ``capital`` are ``(periods, portfolios)``. What no symbol brought is of
    cash.
    """
    every = np.arange(total.shape[1])
    rest = total - np.stack([summed(owner, gain, len(every)) for gain in gains])
    ends = owner.searchsorted(every, "right")
    owner, gains = np.insert(owner, ends, every), np.insert(gains, ends, rest, axis=1)
    symbols = np.insert(np.array(names, dtype=np.object_), ends, np.full(len(every), None)).tolist()
    shares, parts = optional_rows(gains / total[:, owner]), optional_rows(gains / capital[:, owner])
    found = [
        list(map(Contribution, repeat(period), symbols, *columns))
        for period, *columns in zip(CONTRIBUTED, gains.tolist(), shares, parts, strict=True)
    ]
    bounds = pairwise([0, *(ends + every + 1).tolist()])
    return [
        tuple(chain.from_iterable(rows[start:end] for rows, is_known in zip(found, known, strict=True) if is_known))
        for (start, end), known in zip(bounds, np.isfinite(total).T.tolist(), strict=True)
    ]
