"""Users that no database holds: their documents are made when they are asked for, in the way to a real server.

A million users have 22 million documents. Everything that the app writes reaches the server.
"""

import itertools
import threading
from collections.abc import Iterator
from typing import Any

from analysis.models import Holding, Portfolio
from benchmarks.workload import HOLDINGS, symbols
from tests.faults.messages import Document, Message

_COLLECTIONS = ("users", "holdings", "accounts", "watchlist", "transactions", "instruments")
_BATCH = 10_000
_CASH = 1_000.0
_LAST = "\U0010ffff"


def user_id(number: int) -> str:
    """Return the id of a user; the order of ids is that of their numbers."""
    return f"user-{number:07}"


class GeneratedUsers:
    """Answers every query over the backend's collections; each user has 20 of ``universe`` symbols, and some cash."""

    def __init__(self, users: int, universe: int) -> None:
        self._users, self._names = users, symbols(universe)
        self._cursors: dict[int, Iterator[Document]] = {}
        self._ids = itertools.count(2**40)
        self._lock = threading.Lock()

    def portfolio(self, number: int) -> Portfolio:
        """Return what a user owns."""
        count = len(self._names)
        first, step = number * 7_919 % count, 1 + number * 31 % (count // HOLDINGS)
        return Portfolio(
            user_id(number),
            tuple(
                Holding(self._names[(first + place * step) % count], float(1 + (number + place) % 97), 40.0)
                for place in range(HOLDINGS)
            ),
            cash=_CASH,
            buying_power=_CASH,
        )

    def sent(self, message: Message) -> Message:
        """Answer a query over a collection of the backend; everything else passes."""
        if message.command not in ("find", "getMore") or message.collection not in _COLLECTIONS:
            return message
        body, name = message.body, message.collection
        if message.command == "getMore":
            with self._lock:
                cursor, place = self._cursors[body["getMore"]], "nextBatch"
        else:
            found = self._documents(name, body.get("filter", {}).get("user_id", {}))
            cursor, place = itertools.islice(found, body.get("limit") or None), "firstBatch"
        size = body.get("batchSize") or _BATCH
        batch = list(itertools.islice(cursor, size))
        number = 0 if len(batch) < size else body.get("getMore") or next(self._ids)
        with self._lock:
            self._cursors.pop(body.get("getMore", 0), None)
            if number:
                self._cursors[number] = cursor
        return message.answer({"cursor": {place: batch, "id": number, "ns": f"portfolio.{name}"}, "ok": 1.0})

    def answered(self, message: Message) -> Message:
        """Return an answer as it is."""
        return message

    def _documents(self, name: str, condition: Document) -> Iterator[Document]:
        """Yield the documents of a collection whose ids meet a condition, in the order of ids."""
        for number in self._numbers(condition):
            if name == "users":
                yield {"user_id": user_id(number)}
            elif name == "accounts":
                yield {"user_id": user_id(number), "cash": _CASH}
            elif name == "holdings":
                for held in self.portfolio(number).holdings:
                    yield {
                        "user_id": user_id(number), "symbol": held.symbol, "quantity": held.quantity,
                        "avg_price": held.avg_price,
                    }  # fmt: skip

    def _numbers(self, condition: Document) -> Iterator[int]:
        if "$in" in condition:
            wanted = {value for value in condition["$in"] if isinstance(value, str)}
            return iter(sorted(number for number in map(_number, wanted) if 0 <= number < self._users))
        if not all(isinstance(value, str) for name, value in condition.items() if name.startswith(("$g", "$l"))):
            return iter(())  # ids of another type
        low = str(condition.get("$gte", condition.get("$gt", "")))
        high = str(condition.get("$lte", condition.get("$lt", _LAST)))
        first, end = self._place(low, after="$gte" not in condition), self._place(high, after="$lte" in condition)
        return iter(range(first, end))

    def _place(self, bound: str, *, after: bool) -> int:
        """Return the number of the first user from an id on, or after it."""
        number = _number(bound)
        if number >= 0:
            return min(number + after, self._users)
        return self._users if bound > user_id(self._users) else 0


def _number(text: Any) -> int:  # noqa: ANN401 - a value of a query
    prefix, _, digits = text.partition("-")
    known = prefix == "user" and len(digits) == len(user_id(0)) - len("user-") and digits.isdecimal()
    return int(digits) if known else -1
