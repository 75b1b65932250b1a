"""The documents of each symbol: its daily prices, so that each night fetches only new ones, and its research.

Each column of prices is one block of little-endian numbers, compact and fast to read.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import override

import msgspec
import numpy as np
from pymongo import ASCENDING, IndexModel, ReplaceOne
from pymongo.errors import OperationFailure

from analysis.models import Research
from analysis.prices import Bars
from records import PriceIssue
from stores.indexes import Indexed, Indexes
from stores.mongo import Document, DocumentDatabase, bulk_write, find_each, write_each
from stores.upgrades import issue_of_today

_DAYS = np.dtype("<i4")
_NUMBERS = np.dtype("<f8")
_OPTIONAL = ("high", "low", "split")
_EMPTY = {"dates": b""}
_EARLIER_KEY = "as_of_symbol"
_RESEARCH_PER_DELETE = 2_000
_OF_RESEARCH = {"_id": False, **dict.fromkeys(Research.__struct_fields__, True)}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class History:
    """The source's answer to a request for a symbol's bars from ``start`` to ``end``, both included.

    ``source`` names the source and the state it was in. ``bars`` are empty if it had none; then ``end`` is the day when
    it was last asked. ``issues`` are the price issues of the answer.
    """

    source: str
    start: date
    end: date
    bars: Bars
    issues: tuple[PriceIssue, ...] = ()


class PriceStore(Indexed):
    """The history of each symbol, one document a symbol."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._prices = database["symbol_prices"]

    @override
    def indexes(self) -> Indexes:
        """Return the key, which is behind every query here."""
        return [(self._prices, [IndexModel([("symbol", ASCENDING)], name="symbol", unique=True)])]

    def save(self, histories: Mapping[str, History]) -> None:
        """Store the history of each symbol, replacing the previous one."""
        writes = [
            ReplaceOne({"symbol": symbol}, {"symbol": symbol, **_document(history)}, upsert=True)
            for symbol, history in histories.items()
        ]
        bulk_write(self._prices, writes)

    def load(self, symbols: Sequence[str]) -> dict[str, History]:
        """Return the histories of those ``symbols`` that have a readable one."""
        found = {document["symbol"]: _history(document) for document in find_each(self._prices, "symbol", symbols)}
        return {symbol: history for symbol, history in found.items() if history is not None}

    def without_prices(self, symbols: Sequence[str]) -> dict[str, History | None]:
        """Return those ``symbols`` that have no stored price, with their empty history if the source was asked."""
        stored = {document["symbol"] for document in find_each(self._prices, "symbol", symbols, {"symbol": True})}
        answers = find_each(self._prices, "symbol", sorted(stored), condition=_EMPTY)
        empty = {document["symbol"]: _history(document) for document in answers}
        return {symbol: empty.get(symbol) for symbol in symbols if symbol not in stored or symbol in empty}

    def forget_empty(self, symbols: Sequence[str]) -> None:
        """Delete the histories of ``symbols`` that have no price, so that the next run asks for them."""
        for document in list(find_each(self._prices, "symbol", symbols, {"symbol": True}, condition=_EMPTY)):
            self._prices.delete_one({"symbol": document["symbol"], **_EMPTY})


class ResearchStore(Indexed):
    """Research by ``run_id`` and ``symbol``."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._research = database["symbol_research"]

    @override
    def indexes(self) -> Indexes:
        """Return the key, which is behind every query here."""
        keys = [("run_id", ASCENDING), ("symbol", ASCENDING)]
        return [(self._research, [IndexModel(keys, name="run_id_symbol", unique=True)])]

    @override
    def make_way(self) -> None:
        """Remove what earlier versions of the app kept, one research a day and symbol, and their key."""
        if _EARLIER_KEY in self._research.index_information():
            with suppress(OperationFailure):  # another process was faster
                self._research.drop_index(_EARLIER_KEY)
            self._research.delete_many({"run_id": None})

    def save(self, run_id: str, research: Sequence[Research]) -> None:
        """Store the research of a run; a repetition replaces it."""
        documents: list[Document] = msgspec.to_builtins(research)
        keys = [{"run_id": run_id, "symbol": document["symbol"]} for document in documents]
        write_each(self._research, [(key, key | document) for key, document in zip(keys, documents, strict=True)])

    def json(self, run_id: str, symbols: Sequence[str]) -> dict[str, bytes]:
        """Return the research of a run on those ``symbols`` that have some, as JSON."""
        found = find_each(self._research, "symbol", symbols, _OF_RESEARCH, condition={"run_id": run_id})
        return {document["symbol"]: msgspec.json.encode(document) for document in found}

    def purge(self, run_id: str) -> int:
        """Delete some of the research of a run; return of how many symbols."""
        some: Document = {"run_id": run_id}
        symbols = self._research.find(some, {"_id": False, "symbol": True}).sort("symbol", ASCENDING)
        if rest := symbols.skip(_RESEARCH_PER_DELETE).limit(1).to_list():
            some |= {"symbol": {"$lt": rest[0]["symbol"]}}
        return self._research.delete_many(some).deleted_count


def _document(history: History) -> Document:
    """Return the history with its columns as bytes: dates as days since 1970-01-01, the others as doubles."""
    bars = history.bars
    columns = {name: getattr(bars, name) for name in ("close", "adj_close", *_OPTIONAL)}
    return {
        "source": history.source,
        "start": history.start.isoformat(),
        "end": history.end.isoformat(),
        "issues": msgspec.to_builtins(history.issues),
        "dates": bars.dates.astype("datetime64[D]").astype(_DAYS).tobytes(),
        **{name: column.astype(_NUMBERS).tobytes() for name, column in columns.items() if column is not None},
    }


def _history(document: Document) -> History | None:
    try:
        return History(
            source=document["source"],
            start=date.fromisoformat(document["start"]),
            end=date.fromisoformat(document["end"]),
            bars=_bars(document),
            issues=msgspec.convert([issue_of_today(issue) for issue in document["issues"]], tuple[PriceIssue, ...]),
        )
    except (KeyError, TypeError, ValueError) as error:
        # It is fetched again and replaced.
        _log.warning("Stored prices cannot be read (symbol=%s): %s", document["symbol"], type(error).__name__)
        return None


def _bars(document: Document) -> Bars:
    """Return the bars in a document; raises KeyError, TypeError or ValueError if it has another form."""
    dates = np.frombuffer(document["dates"], _DAYS).astype("datetime64[D]")
    names = ("close", "adj_close", *(name for name in _OPTIONAL if name in document))
    columns = {name: np.frombuffer(document[name], _NUMBERS).astype(np.float64) for name in names}
    if any(len(column) != len(dates) for column in columns.values()):
        raise ValueError("the columns are not of one length")
    return Bars(dates, **columns)
