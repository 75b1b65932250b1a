"""Symbols that become others: changes of symbols, mergers and spin-offs. Rare, therefore one ledger at a time."""

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
_ROUNDS = 10
_NOTHING = 1e-9


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
    """Return each event with the shares of the old symbol that it found, in today's shares.

    They are what the ledger's own record gives. A symbol without any record before its event began with what today's
    holding of its last successor needs; others begin with what their own holding of today needs.
    """
    opening = dict.fromkeys(held, 0.0)
    moved_away = {entry.row for entry in entries if entry.to_row >= 0 and not entry.keeps}
    for row in _without_record(entries):
        final, _ = _played(entries, opening)
        with_one, _ = _played(entries, {**opening, row: opening[row] + 1})
        weight = {each: with_one[each] - final[each] for each in final}
        heir = max((each for each in weight if each not in moved_away), key=lambda each: abs(weight[each]), default=row)
        if abs(weight[heir]) > _NOTHING:
            opening[row] = (held[heir] - final[heir]) / weight[heir]
    for _ in range(_ROUNDS):
        final, moves = _played(entries, opening)
        missing = {row: held[row] - final[row] for row in held if row not in moved_away}
        if all(abs(part) <= _NOTHING * (abs(held[row]) + 1) for row, part in missing.items()):
            break
        for row, part in missing.items():
            opening[row] += part
    return moves


def _without_record(entries: Sequence[_Entry]) -> list[int]:
    """Return the rows that change into others before anything else is known of them."""
    seen: set[int] = set()
    found = []
    for entry in entries:
        if entry.to_row >= 0:
            if entry.row not in seen and not entry.keeps:
                found.append(entry.row)
            seen.add(entry.to_row)
        if entry.shares or entry.to_row >= 0:
            seen.add(entry.row)
    return found


def _played(
    entries: Sequence[_Entry], opening: dict[int, float]
) -> tuple[dict[int, float], list[tuple[_Entry, float]]]:
    """Return the quantities after all entries, and what each event found."""
    quantity = dict(opening)
    moves = []
    for entry in entries:
        if entry.to_row >= 0:
            found = quantity[entry.row]
            moves.append((entry, found))
            quantity[entry.to_row] += found * entry.factor
            if not entry.keeps:
                quantity[entry.row] -= found
        quantity[entry.row] += entry.shares
    return quantity, moves
