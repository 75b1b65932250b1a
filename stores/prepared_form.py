"""The form of a file of prepared symbols: a record a symbol, then the index, then the place of the index.

A record begins with the numbers and the returns of a symbol that has a column in tables, and ends with one MessagePack
value of all else.
"""

from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from analysis.models import Instrument, Research
from analysis.price_table import SymbolFigures
from analysis.stress import EPISODES
from records import SymbolIssue
from stores.batches import PRICES_FORM

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORM = (1, PRICES_FORM)
"""The form of the file, raised with every change of it, and that of prepared prices."""
TAIL = np.dtype([("index", "<i8"), ("magic", "S8")])
MAGIC = b"prepared"
DAYS, RETURNS = np.dtype("<i4"), np.dtype("<f8")
COPIED = ("first_day", "included", "close", "day_return", "volatility")
NUMBERS = np.dtype(
    [
        ("first_day", "<i8"),
        ("day_before", "<i8"),
        ("close", "<f8"),
        ("day_return", "<f8"),
        ("volatility", "<f8"),
        ("episode_returns", "<f8", (len(EPISODES),)),
        ("included", "?"),
        ("without_payments", "?"),
    ]
)


class Value(msgspec.Struct, array_like=True, frozen=True):
    """What a record has besides numbers and returns; there are ``figures`` if there is a column in tables."""

    research: Research | None = None
    instrument: Instrument | None = None
    figures: SymbolFigures | None = None
    later_splits: float | None = None
    payment_days: tuple[int, ...] = ()
    payments: tuple[float, ...] = ()
    issues: tuple[SymbolIssue, ...] = ()


class Index(msgspec.Struct, frozen=True):
    """What is of the whole run, and where its symbols are.

    Record ``i`` is of ``symbols[i]``, from byte ``starts[i]`` to ``starts[i + 1]``, and ``priced[i]`` says whether it
    has a column in tables. ``instruments`` and ``issues`` are those that batches have of symbols of other batches or of
    none, as of the benchmark; they count before the symbol's own. ``currencies`` are of all instruments that have one,
    ``multipliers`` those other than 1.
    """

    form: tuple[int, int]
    plan_id: str
    as_of: date
    newest: bool
    dates: bytes
    benchmark_returns: bytes
    run_issues: tuple[SymbolIssue, ...]
    symbols: list[str]
    starts: bytes
    priced: bytes
    currencies: dict[str, str]
    multipliers: dict[str, float]
    instruments: dict[str, Instrument]
    issues: dict[str, tuple[SymbolIssue, ...]]


def rows(array: "NDArray[Any]") -> list[memoryview]:
    """Return the memory of each row of an array."""
    memory = memoryview(array.reshape(-1).view(np.uint8))
    size = array.nbytes // max(len(array), 1)
    return [memory[row * size : (row + 1) * size] for row in range(len(array))]
