"""Symbols that become others: changes of symbols, mergers and spin-offs. Rare, therefore one ledger at a time."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.models import Floats, Integers
from analysis.returns.bookings import Bookings
from analysis.returns.frame import Frame
from analysis.returns.ledger import TYPES, Transactions
from analysis.returns.stock_splits import StockSplits

_SPIN_OFF = TYPES.index("spin_off")
_EVENTS = [TYPES.index(name) for name in ("symbol_change", "merger", "spin_off")]


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """The shares that came for others, by owner, ``(arrivals,)``; quantities in today's shares.

    They are worth their close, and so is what left for them.
    """

    owner: Integers
    day: Integers
    from_row: Integers
    to_row: Integers
    left: Floats
    came: Floats


@dataclass(frozen=True, slots=True)
class _Entry:
    """A movement of a ledger: of shares, or of one symbol into another with ``factor`` shares for one."""

    day: int
    row: int
    shares: float
    to_row: int = -1
    factor: float = 0.0
    keeps: bool = False


def arrivals(frame: Frame, transactions: Transactions, splits: StockSplits, bookings: Bookings) -> Arrivals:
    """Return what became of symbols that changed, merged or spun off others."""
    events = np.isin(transactions.type, _EVENTS) & ~bookings.unreadable
    owners = np.unique(transactions.owner[events]).tolist()
    found = [part for owner in owners for part in _of_owner(owner, frame, transactions, splits, bookings)]
    whole = np.array([part[:4] for part in found], dtype=np.int64).reshape(-1, 4)
    shares = np.array([part[4:] for part in found], dtype=np.float64).reshape(-1, 2)
    return Arrivals(whole[:, 0], whole[:, 1], whole[:, 2], whole[:, 3], shares[:, 0], shares[:, 1])


def _of_owner(
    owner: int, frame: Frame, transactions: Transactions, splits: StockSplits, bookings: Bookings
) -> list[tuple[int, int, int, int, float, float]]:
    start, end = transactions.owner.searchsorted([owner, owner + 1]).tolist()
    entries = _entries(slice(start, end), frame, transactions, splits, bookings)
    first, last = frame.rows.owner.searchsorted([owner, owner + 1]).tolist()
    held = dict(enumerate(frame.rows.held[first:last].tolist(), first))
    moves = _solved(entries, held)
    return [
        (owner, entry.day, entry.row, entry.to_row, 0.0 if entry.keeps else moved, moved * entry.factor)
        for entry, moved in moves
    ]


def _entries(
    own: slice, frame: Frame, transactions: Transactions, splits: StockSplits, bookings: Bookings
) -> list[_Entry]:
    """Return the movements of a ledger in their order; within a day those of symbols come first."""
    kind, day, row, to_row = (each[own] for each in (transactions.type, frame.day, frame.row, frame.to_row))
    ratio = np.where(np.isnan(transactions.ratio[own]), 1.0, transactions.ratio[own])
    with_row = row >= 0
    later, to_later = np.ones(len(row)), np.ones(len(row))
    later[with_row] = splits.later_than(row[with_row], day[with_row])
    with_to_row = to_row >= 0
    to_later[with_to_row] = splits.later_than(to_row[with_to_row], day[with_to_row])
    event = np.isin(kind, _EVENTS) & ~bookings.unreadable[own]
    factor = ratio * to_later / later
    keeps = kind == _SPIN_OFF
    order = np.lexsort((np.arange(len(row)), ~event, day))
    columns = (day, row, bookings.shares[own], np.where(event, to_row, -1), factor, keeps)
    picked = [column[order].tolist() for column in columns]
    return [_Entry(*values) for values in zip(*picked, strict=True) if values[1] >= 0]


def _solved(entries: Sequence[_Entry], held: dict[int, float]) -> list[tuple[_Entry, float]]:
    """Return each event, the last one first, with the shares of the old symbol that it found, in today's shares.

    They follow from today's by undoing the entries backwards. What the new symbol had by its own entries stays, as far
    as so much was there; the rest came from the old one.
    """
    before = _before_events(entries)
    quantity = dict(held)
    moves = []
    for entry, (own, came) in zip(reversed(entries), reversed(before), strict=True):
        quantity[entry.row] -= entry.shares
        if entry.to_row < 0:
            continue
        after = quantity[entry.to_row]
        if entry.keeps:
            found = quantity[entry.row]
            quantity[entry.to_row] -= found * entry.factor
        else:
            bounds = after, 0.0, after - came  # beyond them if what came was short, and the rest long
            stayed = min(max(own, min(bounds)), max(bounds))
            found = (after - stayed) / entry.factor
            quantity[entry.to_row] = stayed
            quantity[entry.row] += found
        moves.append((entry, found))
    return moves


def _before_events(entries: Sequence[_Entry]) -> list[tuple[float, float]]:
    """Return the shares of the new symbol before each event, and those that came from the old one.

    They are by the entries alone, as if there had been nothing before.
    """
    quantity: defaultdict[int, float] = defaultdict(float)
    before = []
    for entry in entries:
        before.append((quantity[entry.to_row], quantity[entry.row] * entry.factor))
        if entry.to_row >= 0:
            quantity[entry.to_row] += quantity[entry.row] * entry.factor
            if not entry.keeps:
                quantity[entry.row] = 0.0
        quantity[entry.row] += entry.shares
    return before
