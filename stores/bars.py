"""The storage format of daily bars: each column is one block of little-endian numbers, compact and fast to read."""

from typing import Any

import numpy as np

from analysis.models import Floats
from analysis.prices import Bars

type BarsDocument = dict[str, bytes]

_DAYS = np.dtype("<i4")
_NUMBERS = np.dtype("<f8")
_OPTIONAL = ("high", "low", "volume")


def bars_to_document(bars: Bars) -> BarsDocument:
    """Return the columns as bytes: dates as days since 1970-01-01, the others as doubles, without absent columns."""
    columns = {name: getattr(bars, name) for name in ("close", "adj_close", *_OPTIONAL)}
    document = {"dates": bars.dates.astype("datetime64[D]").astype(_DAYS).tobytes()}
    return document | {
        name: column.astype(_NUMBERS).tobytes() for name, column in columns.items() if column is not None
    }


def bars_from_document(document: dict[str, Any]) -> Bars:
    """Return the bars that :func:`bars_to_document` encoded; other members are ignored.

    Raises:
        KeyError, TypeError, ValueError: the document has another form.
    """
    dates = np.frombuffer(document["dates"], _DAYS).astype("datetime64[D]")
    names = ("close", "adj_close", *(name for name in _OPTIONAL if name in document))
    return Bars(dates, **{name: _column(document[name], len(dates)) for name in names})


def _column(block: bytes, days: int) -> Floats:
    numbers = np.frombuffer(block, _NUMBERS).astype(np.float64)
    if len(numbers) != days:
        raise ValueError(f"{len(numbers)} numbers for {days} days")
    return numbers
