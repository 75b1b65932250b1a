"""The ledgers in users' transactions, from documents in any lots: counted once, in the order of booking, with issues.

A transaction that cannot be read costs its owner the sound period up to its date, and nobody a report.
"""

import logging
import traceback
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from copy import replace
from dataclasses import dataclass, fields
from datetime import date
from itertools import pairwise

import numpy as np

from analysis.models import Booleans, Dates, ReturnsIssue, ReturnsIssueKind
from analysis.returns.ledger import TURNS, Ledgers, Transactions
from stores.document_values import Absent, Spelling, absent_field
from stores.mongo import Document
from stores.transaction_documents import MOST_TRANSACTIONS, Fault, Lot, read_lot

MOST_ISSUES = 100
FAR_FUTURE = np.datetime64("9999-12-31", "D")
"""The last unsound day of a ledger that is unsound altogether."""

_TURN = np.array([*TURNS, 0])  # the last one is that of no type
_LONGEST_SHOWN = 40

_UNSETTLED = "The holdings, accounts or transactions changed while they were read: the next run reads them again."

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Findings:
    """The issues of each user, and the last day on which nothing is sound, NaT if there is none."""

    issues: list[list[ReturnsIssue]]
    unsound: Dates

    @classmethod
    def of(cls, users: int) -> "_Findings":
        """Return no findings about some users."""
        return cls([[] for _ in range(users)], np.full(users, np.datetime64("NaT", "D")))

    def tell(self, rows: Transactions, row: int, kind: ReturnsIssueKind, text: str) -> None:
        """Add an issue of a transaction."""
        issue = ReturnsIssue(_day(rows, row), kind, f"{_named(rows, row)} {text}.")
        self.issues[rows.owner[row]].append(issue)

    def extend(self, rows: Transactions, row: int) -> None:
        """Let nothing be sound up to the day of a transaction, and nothing at all if it has none."""
        owner, day = rows.owner[row], rows.date[row]
        last = FAR_FUTURE if np.isnat(day) else day
        if np.isnat(self.unsound[owner]) or self.unsound[owner] < last:
            self.unsound[owner] = last

    def condemn(self, owner: int, text: str) -> None:
        """Let nothing of a user be sound."""
        self.issues[owner].append(ReturnsIssue(None, "unreadable", text))
        self.unsound[owner] = FAR_FUTURE


class LedgerReader:
    """Turns the documents of users into ledgers: users are numbers, and their documents come in any lots."""

    def __init__(self, users: int, today: date, spelling: Spelling, absent: Absent = absent_field) -> None:
        self._users = users
        self._today = np.datetime64(today, "D")
        self._spelling = spelling
        self._absent = absent
        self._counts: Counter[int] = Counter()
        self._lots: list[Lot] = []
        self._unforeseen: dict[int, str] = {}

    def add(self, owners: Sequence[int], documents: Sequence[Document]) -> None:
        """Add documents; ``owners`` has the number of the user of each."""
        self._counts.update(owners)
        try:
            self._lots += [read_lot(owners, documents, self._spelling)] if documents else []
        except Exception:  # noqa: BLE001 - an unforeseen error costs only the ledger of the user with the document
            by_owner: dict[int, list[Document]] = defaultdict(list)
            for owner, document in zip(owners, documents, strict=True):
                by_owner[owner].append(document)
            for owner, own in by_owner.items():
                self._add_alone(owner, own)

    def owners(self) -> set[int]:
        """Return the numbers of the users with documents."""
        return set(self._counts)

    def forget(self, owners: Collection[int]) -> None:
        """Forget the documents of some users."""
        for owner in owners:
            self._counts.pop(owner, None)
            self._unforeseen.pop(owner, None)
        self._lots = [_without(lot, owners) for lot in self._lots]

    def ledgers(self, of: Sequence[int], unsettled: Collection[int] = ()) -> Ledgers:
        """Return the ledgers of some users, in this order.

        Those of ``unsettled`` users changed while they were read: nothing in them is sound.
        """
        found = _Findings.of(self._users)
        rows, faults = _joined(self._lots)
        drop = np.zeros(len(rows.owner), bool)
        for owner in self._refused(rows, drop):
            found.condemn(owner, self._reason(owner))
        future = (rows.date > self._today) & ~drop  # false for NaT
        for row in np.flatnonzero(future).tolist():
            found.tell(rows, row, "future_transaction", "is later than today, and left out")
        drop |= future
        for row, fault in faults.items():
            if not drop[row]:
                found.tell(rows, row, fault.kind, f"cannot be read: {fault.sentence(self._absent)}")
                found.extend(rows, row)
        for row, other in _repeated(rows, drop):
            if row not in faults and other not in faults and _content(rows, row) == _content(rows, other):
                found.tell(rows, row, "duplicate_id", "is stored twice: it counts once")
                drop[row] = True
            else:
                found.tell(rows, row, "duplicate_id", "is not the only one with this id, and they differ")
                found.extend(rows, row)
                found.extend(rows, other)
        drop[list(faults)] = True
        for owner in unsettled:
            found.condemn(owner, _UNSETTLED)
        place = np.full(self._users, -1)
        place[list(of)] = np.arange(len(of))
        kept = rows.at(~drop & (place[rows.owner] >= 0))
        kept = replace(kept, owner=place[kept.owner])
        return Ledgers(_in_order(kept), [_some(found.issues[owner]) for owner in of], found.unsound[list(of)])

    def _add_alone(self, owner: int, documents: Sequence[Document]) -> None:
        try:
            self._lots.append(read_lot([owner] * len(documents), documents, self._spelling))
        except Exception as error:  # noqa: BLE001
            where = traceback.extract_tb(error.__traceback__)[-1]
            # Without its message, which may contain the user's data.
            name = type(error).__name__
            _log.error("The transactions of a user cannot be read: %s in %s:%s", name, where.name, where.lineno)
            self._unforeseen[owner] = f"The transactions cannot be read: {name}."

    def _refused(self, rows: Transactions, drop: Booleans) -> list[int]:
        """Return the users of whom nothing is read, and drop their rows."""
        crowds = {owner for owner, count in self._counts.items() if count > MOST_TRANSACTIONS}
        refused = sorted(crowds | self._unforeseen.keys())
        if refused:
            drop |= np.isin(rows.owner, refused)
        return refused

    def _reason(self, owner: int) -> str:
        too_many = f"There are more than {MOST_TRANSACTIONS:,} transactions: none is read."
        return self._unforeseen.get(owner, too_many)


def _joined(lots: Sequence[Lot]) -> tuple[Transactions, dict[int, Fault]]:
    """Return the rows of all lots by user, otherwise in their order, and the faults of some of them."""
    lots = lots or [read_lot([], [], str)]
    rows = Transactions(*(
        np.concatenate([getattr(lot.rows, member.name) for lot in lots]) for member in fields(Transactions)
    ))  # fmt: skip
    starts = np.cumsum([0, *(len(lot.rows.owner) for lot in lots)]).tolist()
    faults = {start + row: fault for start, lot in zip(starts, lots, strict=False) for row, fault in lot.faults.items()}
    if (np.diff(rows.owner) >= 0).all():
        return rows, faults
    order = np.argsort(rows.owner, kind="stable")
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return rows.at(order), {int(places[row]): fault for row, fault in faults.items()}


def _without(lot: Lot, owners: Collection[int]) -> Lot:
    kept = ~np.isin(lot.rows.owner, list(owners))
    if kept.all():
        return lot
    places = np.cumsum(kept) - 1
    return Lot(lot.rows.at(kept), {int(places[row]): own for row, own in lot.faults.items() if kept[row]})


def _repeated(rows: Transactions, drop: Booleans) -> list[tuple[int, int]]:
    """Return the rows with an id that the same user has in an earlier one, and that earlier row."""
    ids, found = rows.transaction_id.tolist(), []
    edges = [0, *(np.flatnonzero(np.diff(rows.owner)) + 1).tolist(), len(ids)]
    for start, end in pairwise(edges):
        own = ids[start:end]
        if len(set(own)) == len(own):
            continue
        first: dict[str, int] = {}
        for row, transaction_id in enumerate(own, start):
            if transaction_id and not drop[row] and first.setdefault(transaction_id, row) != row:
                found.append((row, first[transaction_id]))
    return found


def _content(rows: Transactions, row: int) -> tuple[object, ...]:
    values = (getattr(rows, member.name)[row] for member in fields(Transactions))
    return tuple(None if value != value else value for value in values)  # noqa: PLR0124 - NaN


def _in_order(rows: Transactions) -> Transactions:
    """Return the rows in the order in which they are booked."""
    keys = (rows.time, _TURN[rows.type], rows.date, rows.owner)
    rows = rows.at(np.lexsort(keys))
    keys = (rows.time, _TURN[rows.type], rows.date, rows.owner)
    same = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    if not same.any():
        return rows
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    ids = rows.transaction_id[tied].tolist()
    ranks = {text: rank for rank, text in enumerate(sorted(set(ids)))}
    order = np.lexsort((np.array([ranks[text] for text in ids]), *(key[tied] for key in keys)))
    places = np.arange(len(rows.owner))
    places[tied] = tied[order]
    return rows.at(places)


def _named(rows: Transactions, row: int) -> str:
    """Return the name of a transaction in a sentence, by its id and date."""
    own = "".join(sign for sign in rows.transaction_id[row] if sign.isprintable())
    name = f"Transaction {own[:_LONGEST_SHOWN]}" if own else "A transaction without id"
    day = _day(rows, row)
    return name if day is None else f"{name} of {day}"


def _day(rows: Transactions, row: int) -> date | None:
    day: date | None = rows.date[row].item()
    return day


def _some(issues: list[ReturnsIssue]) -> tuple[ReturnsIssue, ...]:
    """Return the issues by date, only the first of very many, and how many more there are."""
    in_order = sorted(issues, key=lambda issue: issue.date or date.min)
    if len(in_order) <= MOST_ISSUES:
        return tuple(in_order)
    more = len(in_order) - MOST_ISSUES
    return (*in_order[:MOST_ISSUES], ReturnsIssue(None, "unreadable", f"There are {more:,} more issues."))
