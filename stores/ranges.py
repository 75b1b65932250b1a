"""Ranges of users' ids, found by one walk through the index of their collection; together they contain every id."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pymongo.errors import ConnectionFailure, CursorNotFound, OperationFailure

from stores.account_documents import MOST_ACCOUNTS
from stores.backend import ID_TYPES, BackendCollection, IdType, text_of
from stores.mongo import Document, Pauses, is_throttled

_AT_ONCE = 10_000
_REPLACED = "\ufffd"
"""What the driver reads instead of bytes that are no UTF-8: such an id is at another place in the index."""


@dataclass(frozen=True, slots=True)
class IdRange:
    """The ids of one type from ``low`` on, if that is not ``None``, and below ``below``, if that is not ``None``."""

    kind: IdType
    low: Any = None
    below: Any = None

    def condition(self) -> Document:
        """Return the condition that the ids meet."""
        condition = dict(self.kind.all_of_them)
        if self.low is not None:
            condition = {name: value for name, value in condition.items() if name not in ("$gt", "$gte")}
            condition["$gte"] = self.low
        if self.below is not None:
            condition.pop("$lte", None)
            condition["$lt"] = self.below
        return condition

    def to_document(self) -> Document:
        """Return the range in the form of a member of a document."""
        return {"type": self.kind.name, "low": self.low, "below": self.below}

    @classmethod
    def from_document(cls, document: Document) -> "IdRange":
        """Return the range that :meth:`to_document` returned the form of."""
        (kind,) = [kind for kind in ID_TYPES if kind.name == document["type"]]
        return cls(kind, document["low"], document["below"])


def id_ranges(users: BackendCollection, size: int) -> Iterator[tuple[IdRange, int]]:
    """Yield ranges that together contain all ids, each with its number of different ids, which is at most ``size``.

    The last range of a type has no end, and the first no beginning: users that are added later are found, too. Only
    the ends of the current range are held in memory.
    """
    for kind in ID_TYPES:
        low, count, is_empty = None, 0, True
        for value in _ascending(users, kind):
            is_empty = False
            if value is None:
                continue
            if count == size:
                yield IdRange(kind, low, value), count
                low, count = value, 0
            count += 1
        if not is_empty:
            yield IdRange(kind, low), count


def _ascending(users: BackendCollection, kind: IdType) -> Iterator[Any]:
    """Yield the ids of a type, each once, ascending; ``None`` for a value that can be no end of a range.

    If the cursor or the connection breaks, the walk goes on after the last id, unless it breaks again at once.
    """
    last, pauses = None, Pauses()
    while True:
        began = last
        try:
            for value in _walk(users, kind, last):
                last = last if value is None else value
                yield value
        except (ConnectionFailure, CursorNotFound):
            if last is began:
                raise
        except OperationFailure as error:
            if not is_throttled(error) or not pauses.wait(str(error)):
                raise
        else:
            return


def _walk(users: BackendCollection, kind: IdType, last: Any) -> Iterator[Any]:  # noqa: ANN401 - an id of that type
    """Yield the ids after ``last`` from one cursor, or one more after each id with very many documents."""
    while True:
        repeated = 0
        for value in users.keys(_after(kind, last), _AT_ONCE):
            if not (text := text_of(value)) or _REPLACED in text:
                yield None
            elif last is None or value > last:
                last, repeated = value, 0
                yield value
            elif (repeated := repeated + 1) > MOST_ACCOUNTS:
                break
        else:
            return


def _after(kind: IdType, last: Any) -> Document:  # noqa: ANN401 - an id of that type
    condition = dict(kind.all_of_them)
    if last is None:
        return condition
    return {name: value for name, value in condition.items() if name == "$lte"} | {"$gt": last}
