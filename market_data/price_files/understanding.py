"""What was understood of the files in a folder, in words for a person."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from analysis.models import Dates
from analysis.prices import as_date
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.folder import Place, PriceFolder
from market_data.price_files.index import Index, IndexedFolder
from market_data.price_files.names import stem_of
from market_data.price_files.series import Prices

NO_FILE = ("it is no regular file",)
_SYMBOLS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class UnderstoodFile:
    """What was understood of a file: the symbols whose prices it has, and why it, or some of them, are refused.

    ``days`` and ``newest`` are those of all its symbols together.
    """

    file: str
    symbols: tuple[str, ...]
    days: int
    newest: date | None
    sentence: str
    refusals: tuple[str, ...]


def understood(path: Path) -> Iterator[UnderstoodFile]:
    """Yield what was understood of everything in the folder at ``path``, file by file.

    Raises:
        OSError: the folder cannot be read.
    """
    folder = PriceFolder(path)
    index = IndexedFolder(folder).fresh_index()
    for file in folder.files():
        yield _understood(folder, index, file)
    for name in folder.others():
        refusals = NO_FILE if stem_of(name) else ()
        yield UnderstoodFile(name, (), 0, None, "not read: no name of a price file", refusals)


def _understood(folder: PriceFolder, index: Index, file: str) -> UnderstoodFile:
    entry = index.entries.get(file)
    readable = dict[str, Dates]()
    sentence = ""
    refusals = [] if entry is None or entry.fault is None else [str(entry.fault)]
    for symbol in (None,) if entry is None else entry.symbols:
        place = Place(file, symbol)
        try:
            index.place_of(place.name)
            prices, bars = folder.read(place)
        except PriceFileFault as fault:
            refusals.append(str(fault))
        except OSError as error:
            refusals.append(f"it cannot be read: {error.strerror}")
        else:
            readable[place.name] = bars.dates
            sentence = sentence or sentence_of(prices)
    days = np.unique(np.concatenate(list(readable.values()))) if readable else np.empty(0, "datetime64[D]")
    newest = as_date(days[-1]) if days.size else None
    return UnderstoodFile(file, tuple(readable), days.size, newest, sentence, tuple(dict.fromkeys(refusals)))


def sentence_of(prices: Prices) -> str:
    """Return what was understood of a file, without its prices: its days, their order, its columns and symbols."""
    order = ", newest first" if prices.newest_first else ""
    adjusted = ", closes are adjusted" if prices.close_is_adjusted else ""
    symbols = [symbol for symbol in prices.series if symbol is not None]
    shown = ", ".join(symbols[:_SYMBOLS_SHOWN]) + (", ..." if len(symbols) > _SYMBOLS_SHOWN else "")
    named = f", symbols {shown}" if symbols else ""
    days = "1 day" if len(prices.days) == 1 else f"{len(prices.days):,} days"
    return f"{days}{order}, columns {', '.join(prices.columns)}{adjusted}{named}"
