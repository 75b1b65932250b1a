"""Daily bars by symbol: fetched bars are stored, so that each night requests only new ones."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import msgspec
from pymongo import ASCENDING, IndexModel, ReplaceOne

from analysis.prices import Bars
from records import PriceIssue
from stores.bars import bars_from_document, bars_to_document
from stores.mongo import Document, DocumentDatabase, bulk_write, ensure_indexes, find_each

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class History:
    """The source's answer to a request for a symbol's bars from ``start`` to ``end``, both included.

    ``source`` names the source and the state it was in. ``bars`` are empty if it had none; ``issues`` are the price
    issues of the answer.
    """

    source: str
    start: date
    end: date
    bars: Bars
    issues: tuple[PriceIssue, ...] = ()


class PriceStore:
    """The history of each symbol, one document a symbol."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._prices = database["symbol_prices"]

    def ensure_indexes(self) -> None:
        """Create the index behind every query here."""
        ensure_indexes(self._prices, [IndexModel([("symbol", ASCENDING)], name="symbol", unique=True)])

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


def _document(history: History) -> Document:
    asked: Document = msgspec.to_builtins(
        {"source": history.source, "start": history.start, "end": history.end, "issues": history.issues}
    )
    return asked | bars_to_document(history.bars)


def _history(document: Document) -> History | None:
    try:
        return History(
            source=document["source"],
            start=date.fromisoformat(document["start"]),
            end=date.fromisoformat(document["end"]),
            bars=bars_from_document(document),
            issues=msgspec.convert(document["issues"], tuple[PriceIssue, ...]),
        )
    except (KeyError, TypeError, ValueError) as error:
        # It is fetched again and replaced.
        _log.warning("Stored prices cannot be read (symbol=%s): %s", document["symbol"], type(error).__name__)
        return None
