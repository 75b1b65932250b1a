"""The facts about symbols, such as kind and lot size: read from the existing backend, which may have none."""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence

from analysis.models import Instrument
from analysis.spellings import spellings
from stores.mongo import Document, DocumentDatabase, find_each
from stores.portfolio_documents import number_of

_FIELDS = dict.fromkeys(("symbol", "kind", "diversified", "multiplier", "lot_size", "fractional"), True)

_SMALLEST = 1e-9

_log = logging.getLogger(__name__)


class InstrumentStore:
    """Instruments by symbol, in whatever spelling the backend has it."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._instruments = database["instruments"]

    def load(self, symbols: Sequence[str]) -> dict[str, Instrument]:
        """Return the instruments of those ``symbols`` that have one."""
        share_of = {spelling: symbol for symbol in symbols for spelling in spellings(symbol)}
        found: dict[str, Document] = {}
        documents = find_each(self._instruments, "symbol", list(share_of), {"_id": False, **_FIELDS})
        for document in sorted(_named(documents), key=lambda own: (own["symbol"] in symbols, own["symbol"])):
            found[share_of[document["symbol"]]] = document
        return {symbol: _instrument(symbol, document) for symbol, document in found.items()}


def _named(documents: Iterable[Document]) -> Iterable[Document]:
    # A query by value also matches arrays that contain the value.
    return (document for document in documents if isinstance(document["symbol"], str))


def _instrument(symbol: str, document: Mapping[str, object]) -> Instrument:
    kind, diversified, fractional = (document.get(name) for name in ("kind", "diversified", "fractional"))
    multiplier, lot_size = (_positive(symbol, document, name) for name in ("multiplier", "lot_size"))
    return Instrument(
        kind=kind if isinstance(kind, str) else None,
        diversified=diversified if isinstance(diversified, bool) else None,
        # Not 1 for one that cannot be read: a bond would be worth a hundred times as much.
        multiplier=1.0 if multiplier is None else multiplier,
        lot_size=None if lot_size is None or math.isnan(lot_size) else lot_size,
        fractional=fractional if isinstance(fractional, bool) else None,
    )


def _positive(symbol: str, document: Mapping[str, object], name: str) -> float | None:
    """Return the number in a field, ``None`` if there is none, NaN if it is no positive number."""
    value = document.get(name)
    if value is None:
        return None
    number = number_of(value)
    if number is None or number < _SMALLEST:
        _log.warning("instruments.%s of %s is no positive number", name, symbol)
        return math.nan
    return number
