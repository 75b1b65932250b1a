"""Prices from a folder with one ``<SYMBOL>.csv`` per symbol."""

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from analysis.prices import Bars
from analysis.spellings import spellings
from market_data.csv_bars import CsvFault, parse_bars
from market_data.provider import (
    BadPrices,
    FetchedBars,
    MissingPrices,
    Provider,
    ProviderUnavailable,
    fetched_bars,
)

# A symbol from a user's document becomes a file name: no separator, no drive letter, no leading dot.
_FILE_SYMBOL = re.compile(r"[A-Za-z0-9^=_-][A-Za-z0-9.^=_-]{0,31}|[A-Z]{1,5} [A-Z]")


class CsvProvider(Provider):
    """The prices in a folder of CSV files, which may change at any time. Their format: ``parse_bars``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
        """As :meth:`Provider.daily_bars`; a file that breaks a rule is named with its line."""
        if not self._folder.is_dir():
            raise ProviderUnavailable("The folder that PRICES_DIR names is not there.")
        return fetched_bars(symbols, lambda symbol: (self._read(symbol), ()), start, end)

    def version(self, symbol: str) -> str:
        """As :meth:`Provider.version`: the file's modification time and its size."""
        try:
            state = self._file(symbol).stat()
        except (OSError, MissingPrices):
            return "csv missing"
        return f"csv {state.st_mtime_ns}-{state.st_size}"

    def spelling(self, symbol: str) -> str:
        """As :meth:`Provider.spelling`: that of the share's file."""
        names = spellings(symbol)
        if len(names) == 1:
            return symbol
        files = (name for name in names if _FILE_SYMBOL.fullmatch(name) and self._file(name).is_file())
        return next(files, names[0])

    def _read(self, symbol: str) -> Bars:
        file = self._file(symbol)
        if not file.is_file():  # checked first: opening a pipe would block forever
            raise MissingPrices(symbol)
        try:
            return parse_bars(file.read_bytes())
        except FileNotFoundError:
            raise MissingPrices(symbol) from None
        except OSError as error:
            raise BadPrices(symbol, file.name, f"the file cannot be read: {error.strerror}") from error
        except CsvFault as fault:
            raise BadPrices(symbol, f"{file.name} line {fault.line}", fault.rule) from None

    def _file(self, symbol: str) -> Path:
        if _FILE_SYMBOL.fullmatch(symbol) is None:
            raise MissingPrices(symbol)
        return self._folder / f"{symbol}.csv"
