"""The commands that a run sends to MongoDB, counted in the way to the embedded server."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bson

from benchmarks.site import write_prices
from benchmarks.workload import portfolios
from tests.faults.messages import Message
from tests.faults.site import Site

_WRITES = ("insert", "update", "delete")
_READS = ("find", "getMore", "aggregate", "count")


class _Counting:
    """Counts commands, and the documents and bytes that they carry there or back, by command and collection."""

    def __init__(self) -> None:
        self.commands: Counter[str] = Counter()
        self.documents: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self._reads: dict[int, str] = {}

    def sent(self, message: Message) -> Message:
        if message.command in (*_WRITES, *_READS):
            name = f"{message.command} {message.collection}"
            self.commands[name] += 1
            self._carried(name, message.documents)
            if message.command in _READS:
                self._reads[message.number] = name
                return message.with_body(message.body)  # as a changed command, whose answer passes here
        return message

    def answered(self, message: Message) -> Message:
        cursor = message.body.get("cursor", {})
        documents = [*cursor.get("firstBatch", ()), *cursor.get("nextBatch", ())]
        self._carried(self._reads.pop(message.answers), [bson.encode(document) for document in documents])
        return message

    def _carried(self, name: str, documents: Sequence[bytes]) -> None:
        self.documents[name] += len(documents)
        self.bytes[name] += sum(map(len, documents))


def counted_commands(users: int, universe: int) -> dict[str, Any]:
    """Return the commands of a run over users of 20 holdings, by command and collection.

    Raises:
        RuntimeError: the run did not complete.
    """
    with tempfile.TemporaryDirectory() as folder:
        prices = Path(folder) / "prices"
        prices.mkdir()
        write_prices(prices, universe)
        site = Site(
            Path(folder) / "site", users=1, PRICES_DIR=str(prices), ANALYSIS_PAGE_SIZE="200",
            ANALYSIS_LOOKBACK_DAYS="1260", ANALYSIS_STALL_SECONDS="1800",
        )  # fmt: skip
        try:
            site.mongodb.start()
            site.redis.start()
            site.populate(portfolios(users, universe))
            site.ensure_app()
            counting = _Counting()
            site.wire.meddling.append(counting)
            run = site.wait(site.trigger())
            if run["users_analyzed"] != users:
                raise RuntimeError(f"not every user was analyzed: {run['status']}, {run['errors']}")
        finally:
            site.close()
    return {
        "users": users,
        "symbols": universe,
        "by_command": {
            name: {"commands": count, "documents": counting.documents[name], "bytes": counting.bytes[name]}
            for name, count in sorted(counting.commands.items())
        },
    }
