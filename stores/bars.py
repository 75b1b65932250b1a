"""How daily bars are kept: each column as one block of little-endian numbers, compact and quick to read."""

from typing import Any

import numpy as np

from analysis.models import Bars, Floats

type BarsDocument = dict[str, bytes]

_DAYS = np.dtype("<i4")
_PRICES = np.dtype("<f8")


def bars_to_document(bars: Bars) -> BarsDocument:
    """Give the columns as bytes: dates as days since 1970-01-01, prices as doubles. Absent columns are left out."""
    columns = {"close": bars.close, "adj_close": bars.adj_close, "high": bars.high, "low": bars.low}
    document = {"dates": bars.dates.astype("datetime64[D]").astype(_DAYS).tobytes()}
    return document | {name: column.astype(_PRICES).tobytes() for name, column in columns.items() if column is not None}


def bars_from_document(document: dict[str, Any]) -> Bars:
    """Give back what :func:`bars_to_document` was given; other members are ignored."""
    return Bars(
        dates=np.frombuffer(document["dates"], _DAYS).astype("datetime64[D]"),
        close=_column(document["close"]),
        adj_close=_column(document["adj_close"]),
        high=_column(document["high"]) if "high" in document else None,
        low=_column(document["low"]) if "low" in document else None,
    )


def _column(block: bytes) -> Floats:
    return np.frombuffer(block, _PRICES).astype(np.float64)
