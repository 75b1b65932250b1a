"""The index of a folder: which file has the prices of a symbol."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from analysis.spellings import respelled
from market_data.price_files.content import State
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.folder import Place, PriceFolder, Symbols

MOST_FILES_OPENED = 1_000
"""In a larger folder each file has one symbol, that of its name: opening all of them would take minutes on a share."""

_PLACES_SHOWN = 2
_SETTLED_NS = 2_000_000_000
_OF_ITS_NAME: Symbols = (None,)


class Entry(NamedTuple):
    """What was found in a file in this state: its symbols, or why they are unknown."""

    state: State
    symbols: Symbols
    fault: PriceFileFault | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """The places of the symbols in a state of the folder.

    ``entries`` are what was found in its files, empty if they were too many. Of these, ``shared`` are the files with
    symbols of their own, and ``faults`` those whose symbols are unknown.
    """

    places: Mapping[str, Sequence[Place]]
    entries: Mapping[str, Entry]
    folder_ns: int
    listed_ns: int
    shared: Mapping[str, State]
    faults: Mapping[str, PriceFileFault]

    def of(self, symbol: str) -> Sequence[Place]:
        """Return the places of a symbol; one with small letters has only those of exactly that name."""
        return self.places.get(respelled(symbol, "."), ())

    def place_of(self, symbol: str) -> Place | None:
        """Return the place of a symbol, if it has one.

        Raises:
            PriceFileFault: it has several, or none although a file is named after it.
        """
        places = self.of(symbol)
        if len(places) > 1:
            named = " and ".join(map(str, places[:_PLACES_SHOWN]))
            more = f" and {len(places) - _PLACES_SHOWN:,} more" if len(places) > _PLACES_SHOWN else ""
            raise PriceFileFault(f"{named}{more} have the prices of one symbol: remove all but one, or join them")
        if places:
            return places[0]
        for file in self.shared:
            if symbol in Place(file, None).spellings and file not in self.faults:
                raise PriceFileFault(f"{file} has prices of other symbols, and not of that in its name")
        return None

    def reason_for_none(self, symbol: str) -> str:
        """Return why a symbol has no place, if the folder tells; otherwise nothing."""
        if others := self.of(symbol.upper()):
            return f"{others[0]} is another spelling: a symbol with small letters needs exactly that name"
        if self.places and not self.entries:
            return f"in a folder of more than {MOST_FILES_OPENED:,} files those of several symbols are not looked into"
        return ""


class IndexedFolder:
    """The index of a folder, made again when something changed. A folder that cannot be read raises ``OSError``."""

    def __init__(self, folder: PriceFolder) -> None:
        self._folder = folder
        self._index: Index | None = None

    def index(self) -> Index:
        """Return the index: the one before, if neither the folder nor a file with symbols of its own changed."""
        known = self._index
        return known if known is not None and self._is_current(known) else self._made()

    def fresh_index(self) -> Index:
        """Return the index after a look at every file, unless these are too many."""
        known = self._index
        return known if known is not None and not known.entries and self._is_current(known) else self._made()

    def _is_current(self, index: Index) -> bool:
        # A folder may change twice at one of its times: an index from just after a change is made again.
        if not self._folder.changed_ns() == index.folder_ns < index.listed_ns - _SETTLED_NS:
            return False
        with suppress(FileNotFoundError):
            return all(self._folder.state(file) == state for file, state in index.shared.items())
        return False

    def _made(self) -> Index:
        listed_ns, folder_ns = time.time_ns(), self._folder.changed_ns()
        files = self._folder.files()
        entries = dict(self._entries(files)) if len(files) <= MOST_FILES_OPENED else {}
        places: dict[str, list[Place]] = {}
        for file in files:
            for symbol in entries[file].symbols if file in entries else _OF_ITS_NAME:
                place = Place(file, symbol)
                for spelling in place.spellings:
                    places.setdefault(spelling, []).append(place)
        shared = {file: entry.state for file, entry in entries.items() if entry.symbols != _OF_ITS_NAME}
        faults = {file: entry.fault for file, entry in entries.items() if entry.fault is not None}
        self._index = Index(places, entries, folder_ns, listed_ns, shared, faults)
        return self._index

    def _entries(self, files: Iterable[str]) -> Iterator[tuple[str, Entry]]:
        known = {} if self._index is None else self._index.entries
        for file in files:
            with suppress(FileNotFoundError):
                state = self._folder.state(file)
                before = known.get(file)
                yield file, before if before is not None and before.state == state else self._entry(file, state)

    def _entry(self, file: str, state: State) -> Entry:
        try:
            return Entry(state, self._folder.symbols(file))
        except PriceFileFault as fault:
            return Entry(state, (), fault)
        except OSError:
            return Entry(state, _OF_ITS_NAME)  # told where the prices of that symbol are asked for
