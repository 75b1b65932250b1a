"""The storage format of a batch's prices between the step that prepares them and the pages that read them."""

from datetime import date
from typing import Any

import msgspec
import numpy as np

from analysis.models import Floats
from analysis.returns import PreparedPrices, SymbolFigures
from analysis.stress import EPISODES
from records import SymbolIssue

_DAYS = np.dtype("<i4")
_NUMBERS = np.dtype("<f8")
_FIGURES = msgspec.msgpack.Decoder(tuple[SymbolFigures, ...])


def prepared_to_document(prices: PreparedPrices) -> dict[str, Any]:
    """Return the arrays as blocks of little-endian numbers, days as int32 since 1970-01-01, the others as float64.

    A batch of 100 symbols over 1,260 days is 1 MB; the limit of a MongoDB document is 16 MB.
    """
    return {
        "as_of": prices.as_of.isoformat(),
        "symbols": list(prices.symbols),
        "dates": prices.dates.astype(_DAYS).tobytes(),
        "benchmark_returns": _block(prices.benchmark_returns),
        "returns": _block(prices.returns),
        "first_day": prices.first_day.astype(_DAYS).tobytes(),
        "included": prices.included.tobytes(),
        "close": _block(prices.close),
        "previous_close": _block(prices.previous_close),
        "episode_returns": _block(prices.episode_returns),
        "figures": msgspec.msgpack.encode(prices.figures),
        "issues": msgspec.to_builtins(prices.issues),
    }


def prepared_from_document(document: dict[str, Any]) -> PreparedPrices:
    """Return the prices that :func:`prepared_to_document` encoded."""
    symbols = tuple(document["symbols"])
    benchmark_returns = _numbers(document["benchmark_returns"])
    return PreparedPrices(
        as_of=date.fromisoformat(document["as_of"]),
        dates=np.frombuffer(document["dates"], _DAYS).astype("datetime64[D]"),
        benchmark_returns=benchmark_returns,
        symbols=symbols,
        returns=_numbers(document["returns"]).reshape(len(symbols), len(benchmark_returns)),
        first_day=np.frombuffer(document["first_day"], _DAYS).astype(np.int64),
        included=np.frombuffer(document["included"], np.bool_),
        close=_numbers(document["close"]),
        previous_close=_numbers(document["previous_close"]),
        episode_returns=_numbers(document["episode_returns"]).reshape(len(EPISODES), len(symbols)),
        figures=_FIGURES.decode(document["figures"]),
        issues=msgspec.convert(document["issues"], tuple[SymbolIssue, ...]),
    )


def _block(numbers: Floats) -> bytes:
    return numbers.astype(_NUMBERS).tobytes()


def _numbers(block: bytes) -> Floats:
    return np.frombuffer(block, _NUMBERS).astype(np.float64, copy=False)
