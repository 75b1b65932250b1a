"""Daily bars by symbol: what all workers of a run share."""

from collections.abc import Mapping, Sequence

from pymongo import ASCENDING, IndexModel, ReplaceOne

from analysis.models import Bars
from stores.bars import bars_from_document, bars_to_document
from stores.mongo import DocumentDatabase, bulk_write, ensure_indexes, find_each


class PriceStore:
    """The bars last fetched for each symbol, one document a symbol."""

    def __init__(self, database: DocumentDatabase, collection: str = "symbol_prices") -> None:
        self._database = database
        self._prices = database[collection]

    def apart(self, run_id: str) -> "PriceStore":
        """Give a store of this run's own, for a run that is to leave no trace; to be dropped when it is over."""
        return PriceStore(self._database, f"symbol_prices_of_{run_id}")

    def drop(self) -> None:
        """Forget everything."""
        self._prices.drop()

    def ensure_indexes(self) -> None:
        """Create the index behind every query here."""
        ensure_indexes(self._prices, [IndexModel([("symbol", ASCENDING)], name="symbol", unique=True)])

    def save(self, bars: Mapping[str, Bars]) -> None:
        """Keep the bars of each symbol in place of what was there."""
        writes = [
            ReplaceOne({"symbol": symbol}, {"symbol": symbol, **bars_to_document(series)}, upsert=True)
            for symbol, series in bars.items()
        ]
        bulk_write(self._prices, writes)

    def load(self, symbols: Sequence[str]) -> dict[str, Bars]:
        """Give the bars of those ``symbols`` that have some."""
        documents = find_each(self._prices, "symbol", symbols)
        return {document["symbol"]: bars_from_document(document) for document in documents}
