"""What a MongoDB does that the embedded one does not: refuse commands, throttle writes, compare by a collation."""

import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any, Protocol

from tests.faults.messages import Document, Message

_SIMPLE = {"locale": "simple"}


class Meddling(Protocol):
    """Something in the way between the app and MongoDB."""

    def sent(self, message: Message) -> Message:
        """Return the command to pass on, changed or not, or the answer to it, which then never reaches the server."""

    def answered(self, message: Message) -> Message:
        """Return the answer to pass back, of a command that was changed."""


class Refusing:
    """Refuses some commands on some collections, all if ``collections`` is None, as a server does without the right."""

    def __init__(self, commands: Collection[str], collections: Collection[str] | None = None) -> None:
        self._commands, self._collections = commands, collections
        self.refused: list[tuple[str, str]] = []

    def sent(self, message: Message) -> Message:
        collection = message.collection
        if message.command == "listCollections":
            collection = message.body.get("filter", {}).get("name", "")
        if message.command not in self._commands or not (self._collections is None or collection in self._collections):
            return message
        self.refused.append((message.command, collection))
        text = f"not authorized on portfolio to execute command {message.body}"  # as MongoDB: with all parameters
        return message.error(13, "Unauthorized", text)

    def answered(self, message: Message) -> Message:
        return message


_SINGLE = ("find", "update", "insert", "delete", "findAndModify", "aggregate")


class Throttling:
    """Accepts so many documents a second, the last ones of each write, and refuses the others as Azure does.

    A command without a list of documents, such as a query or a single update, costs as much as a document.
    """

    def __init__(
        self, per_second: float, collections: Collection[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._collections, self._clock = per_second, collections, clock
        self._tokens, self._at = per_second, clock()
        self._refused: dict[int, int] = {}
        self.received: list[int] = []
        """The number of documents in each write."""
        self.commands: Counter[str] = Counter()

    def sent(self, message: Message) -> Message:
        command = next(iter(message.body))
        if message.collection not in self._collections or not (message.documents or command in _SINGLE):
            return message
        now = self._clock()
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if not message.documents:
            self.commands[command] += 1
            if self._tokens < 1:
                return message.answer({"ok": 0.0, **self._errors(1)[0]})
            self._tokens -= 1
            return message
        given, accepted = len(message.documents), min(len(message.documents), int(self._tokens))
        self.received.append(given)
        self._tokens -= accepted
        if not accepted:
            modified = {"nModified": 0} if command == "update" else {}  # as every answer to an update has
            return message.answer({"ok": 1.0, "n": 0, **modified, "writeErrors": self._errors(given)})
        self._refused[message.number] = given - accepted
        return message.with_documents(message.documents[given - accepted :])

    def answered(self, message: Message) -> Message:
        refused = self._refused.pop(message.answers, 0)
        if not refused:
            return message
        body = dict(message.body)
        for results in ("writeErrors", "upserted"):
            if results in body:
                body[results] = [result | {"index": result["index"] + refused} for result in body[results]]
        return message.with_body(body | {"writeErrors": self._errors(refused) + body.get("writeErrors", [])})

    def _errors(self, count: int) -> list[Document]:
        text = f"Error=16500, RetryAfterMs={1_000 / self._rate:.0f}, Details='Request rate is large.'"
        return [{"index": position, "code": 16500, "errmsg": text} for position in range(count)]


class DefaultCollation:
    """A server whose collections have a default collation, which SecantusDB keeps but does not compare by.

    Like MongoDB, commands without a collation compare by the default one; the simple collation, which SecantusDB takes
    for a collation of strength 3, compares exactly, as SecantusDB does without any.
    """

    def __init__(self, collections: Collection[str], collation: Document) -> None:
        self._collections, self._collation = collections, collation
        self.asked: list[tuple[str, str, Any]] = []

    def sent(self, message: Message) -> Message:
        command, body = message.command, dict(message.body)
        if command not in ("find", "aggregate", "count") or message.collection not in self._collections:
            return message
        asked = body.pop("collation", None)
        self.asked.append((command, message.collection, asked))
        return message.with_body(body if asked == _SIMPLE else body | {"collation": asked or self._collation})

    def answered(self, message: Message) -> Message:
        return message
