"""The research of each symbol's price history, published for the existing backend by date and symbol."""

from collections.abc import Sequence

import msgspec
from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne

from analysis.models import Research
from stores.mongo import Document, DocumentDatabase, bulk_write, ensure_indexes


class ResearchStore:
    """Research by ``as_of`` and ``symbol``."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._research = database["symbol_research"]

    def ensure_indexes(self) -> None:
        """Create the index behind the upserts here."""
        keys = [("as_of", DESCENDING), ("symbol", ASCENDING)]
        ensure_indexes(self._research, [IndexModel(keys, name="as_of_symbol", unique=True)])

    def save(self, research: Sequence[Research]) -> None:
        """Store the research; a repetition replaces it."""
        documents: list[Document] = msgspec.to_builtins(research)
        writes = [
            ReplaceOne({"as_of": document["as_of"], "symbol": document["symbol"]}, document, upsert=True)
            for document in documents
        ]
        bulk_write(self._research, writes)
