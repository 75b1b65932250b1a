"""The plan of a run: its symbols and users in numbered batches, fixed once, deleted when the run is over.

Activities get a run id and a number; what the number stands for is kept here, so that messages stay small however many
users there are, and a page means the same users each time it runs.
"""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Literal

from pymongo import ASCENDING, IndexModel, ReplaceOne

from stores.mongo import Document, DocumentDatabase, ensure_indexes
from stores.records import Outcome

type BatchKind = Literal["symbols", "users"]


class BatchStore:
    """Batches by run, kind and number."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._batches = database["run_batches"]

    def ensure_indexes(self) -> None:
        """Create the index behind every query here."""
        keys = [("run_id", ASCENDING), ("kind", ASCENDING), ("number", ASCENDING)]
        ensure_indexes(self._batches, [IndexModel(keys, name="run_id_kind_number", unique=True)])

    def write(self, run_id: str, kind: BatchKind, batches: Iterable[list[str]]) -> None:
        """Write the batches; doing it again replaces them."""
        writes = []
        for number, members in enumerate(batches):
            key = {"run_id": run_id, "kind": kind, "number": number}
            writes.append(ReplaceOne(key, key | {"members": members}, upsert=True))
        if writes:
            self._batches.bulk_write(writes, ordered=False)
        self._batches.delete_many({"run_id": run_id, "kind": kind, "number": {"$gte": len(writes)}})

    def members(self, run_id: str, kind: BatchKind, number: int) -> list[str]:
        """Give the symbols or user ids of a batch, none once the run is over."""
        document = self._batches.find_one({"run_id": run_id, "kind": kind, "number": number}, {"members": True})
        return [] if document is None else document["members"]

    def record_symbols(self, run_id: str, number: int, *, failed: list[str]) -> None:
        """Record which symbols of a batch have no usable prices in this run."""
        self._set(run_id, "symbols", number, {"failed": failed})

    def priced_symbols(self, run_id: str, number: int | None = None) -> list[str]:
        """Give the symbols with usable prices in this run: of one batch, or of all."""
        query: Document = {"run_id": run_id, "kind": "symbols", "failed": {"$exists": True}}
        if number is not None:
            query["number"] = number
        documents = self._batches.find(query, {"members": True, "failed": True})
        return sorted(symbol for document in documents for symbol in set(document["members"]) - set(document["failed"]))

    def record_research(self, run_id: str, number: int, research: list[Document]) -> None:
        """Keep a batch's research for the pages of this run."""
        self._set(run_id, "symbols", number, {"research": research})

    def research(self, run_id: str) -> list[Document]:
        """Give the research of all symbols of this run."""
        documents = self._batches.find({"run_id": run_id, "kind": "symbols"}, {"research": True})
        return [item for document in documents for item in document.get("research", [])]

    def record_page(self, run_id: str, number: int, outcome: Outcome) -> bool:
        """Record a page's outcome; tell whether it is the first for this page."""
        query = {"run_id": run_id, "kind": "users", "number": number, "outcome": {"$exists": False}}
        return self._batches.update_one(query, {"$set": {"outcome": asdict(outcome)}}).matched_count == 1

    def count_pages_done(self, run_id: str) -> int:
        """Count the pages whose outcome is recorded."""
        return self._batches.count_documents({"run_id": run_id, "kind": "users", "outcome": {"$exists": True}})

    def delete(self, run_id: str) -> None:
        """Forget the plan of a run that is over."""
        self._batches.delete_many({"run_id": run_id})

    def _set(self, run_id: str, kind: BatchKind, number: int, values: Document) -> None:
        self._batches.update_one({"run_id": run_id, "kind": kind, "number": number}, {"$set": values})
