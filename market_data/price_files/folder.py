"""A folder of price files: the symbols that its files have, and the prices in them."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from analysis.prices import Bars
from analysis.spellings import respelled
from market_data.price_files.content import State, head_of_file, text_of_file
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.names import is_rate_file, stem_of
from market_data.price_files.series import Prices, prices_of_text
from market_data.price_files.table import beginning_of

_EXCHANGE = ".US"
_FILES_KEPT = 4
_SYMBOLS_SHOWN = 3

type Symbols = Sequence[str | None]
"""The symbols in a file, as it spells them; ``None`` is that of its name."""


class Place(NamedTuple):
    """The place of a symbol's prices: a file, and its spelling there; ``None`` if it is the file's name."""

    file: str
    symbol: str | None

    @property
    def text(self) -> str:
        """Return the symbol as it is spelled there."""
        return stem_of(self.file) or "" if self.symbol is None else self.symbol

    @property
    def capitals(self) -> tuple[str, str]:
        """Return the symbol in capitals, with and without the ending of its exchange."""
        return self.text.upper(), self.text.upper().removesuffix(_EXCHANGE)

    @property
    def name(self) -> str:
        """Return the symbol in the usual spelling."""
        return respelled(self.capitals[1], ".")

    @property
    def spellings(self) -> set[str]:
        """Return the symbols whose prices these are."""
        return {self.text, *(respelled(text, ".") for text in self.capitals)}

    def __str__(self) -> str:
        return self.file if self.symbol is None else f"{self.file} ({self.symbol})"


class PriceFolder:
    """A folder of price files, which may change at any time. What cannot be read raises an ``OSError``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def changed_ns(self) -> int:
        """Return the time at which a file was last added, renamed or removed."""
        return State.of(self.path).modified_ns

    def files(self) -> list[str]:
        """Return the names of the price files, in order."""
        with os.scandir(self.path) as entries:
            return sorted(entry.name for entry in entries if _is_price_file(entry.name) and entry.is_file())

    def others(self) -> list[str]:
        """Return the names of everything else that is not hidden and holds no exchange rates, in order."""
        names = {path.name for path in self.path.glob("[!.]*")}
        return sorted(name for name in names - set(self.files()) if not is_rate_file(name))

    def state(self, file: str) -> State:
        """Return the state of a file."""
        return State.of(self.path / file)

    def symbols(self, file: str) -> Symbols:
        """Return the symbols in a file, from its beginning if that tells them.

        A file whose first symbol is that of its name must have no other.

        Raises:
            PriceFileFault: the symbols are in its rows, and these break a rule.
        """
        try:
            layout, row = beginning_of(head_of_file(inside(self.path, file)))
        except PriceFileFault:
            return (None,)  # the fault is told where the prices of the symbol in its name are asked for
        if layout.symbol is None:
            return tuple(layout.prices)
        first = row[layout.symbol].strip() if len(row) > layout.symbol else ""
        return (None,) if _is_named_after(file, first) else tuple(self._prices(file, keep=True).series)

    def read(self, place: Place) -> tuple[Prices, Bars]:
        """Return the prices in a file, and the bars of one of its symbols.

        Raises:
            PriceFileFault: the file breaks a rule, or what it has of the symbol does.
        """
        if place.symbol is not None:
            prices = self._prices(place.file, keep=True)
            return prices, prices.bars_of(place.symbol)
        prices = self._prices(place.file, keep=False)
        return prices, prices.bars_of(_only_symbol(place.file, prices))

    def _prices(self, file: str, *, keep: bool) -> Prices:
        """Return the prices in a file; those of the last few files of several symbols are kept."""
        path = inside(self.path, file)
        return (_kept_prices if keep else _prices)(path, State.of(path))


def inside(folder: Path, file: str) -> Path:
    """Return the path of a file in a folder.

    Raises:
        PriceFileFault: it is a link that leads out of the folder.
    """
    path = folder / file
    if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
        raise PriceFileFault("it is a link to a file outside of the folder")
    return path


def _is_price_file(file: str) -> bool:
    return bool(stem_of(file)) and not is_rate_file(file)


def _only_symbol(file: str, prices: Prices) -> str | None:
    """Return the symbol in a file that is named after it, as the file spells it."""
    symbols = list(prices.series)
    if len(symbols) != 1 or (symbols[0] is not None and not _is_named_after(file, symbols[0])):
        names = ", ".join(map(str, symbols[:_SYMBOLS_SHOWN]))
        raise PriceFileFault(f"its name is that of one symbol, and it has the prices of {names or 'none'}")
    return symbols[0]


def _is_named_after(file: str, symbol: str) -> bool:
    return not Place(file, None).spellings.isdisjoint(Place(file, symbol).spellings)


def _prices(path: Path, state: State) -> Prices:
    return prices_of_text(text_of_file(path, state))


_kept_prices = functools.lru_cache(_FILES_KEPT)(_prices)
