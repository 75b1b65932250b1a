"""Prices from a folder of files, in the forms in which other programs export them."""

import logging
from collections.abc import Sequence
from datetime import date
from itertools import filterfalse
from pathlib import Path

from analysis.prices import Bars
from analysis.spellings import spellings
from market_data.price_files.content import State
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.folder import Place, PriceFolder
from market_data.price_files.index import Index, IndexedFolder
from market_data.price_files.names import currency_of_pair
from market_data.price_files.understanding import sentence_of
from market_data.provider import (
    BadPrices,
    FetchedBars,
    MissingPrices,
    Provider,
    ProviderUnavailable,
    fetched_bars,
)
from market_data.rate_files.folder import RateFolder
from market_data.rates import RateSource, fetched_rates, is_rate
from records import PriceIssue

_log = logging.getLogger(__name__)


class CsvProvider(Provider):
    """The prices in a folder of files, which may change at any time."""

    def __init__(self, folder: Path, rates: RateSource | None = None) -> None:
        self._rates = rates or RateFolder(folder)
        self._folder = PriceFolder(folder)
        self._indexed = IndexedFolder(self._folder)
        self._told = dict[str, State]()

    def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
        """As :meth:`Provider.daily_bars`; a file that breaks a rule is named with its line."""
        try:
            index = self._indexed.fresh_index()
        except OSError as error:
            raise ProviderUnavailable(f"The folder that PRICES_DIR names cannot be read: {error.strerror}.") from error
        # In the order of the files, so that one of several symbols is read once.
        prices = filterfalse(is_rate, symbols)
        in_order = sorted(prices, key=lambda symbol: [place.file for place in index.of(symbol)])
        rates = fetched_rates(self._rates, symbols, start, end)
        return fetched_bars(in_order, lambda symbol: self._read(index, symbol), start, end).with_those_of(rates)

    def version(self, symbol: str) -> str:
        """As :meth:`Provider.version`: the name, modification time and size of the file."""
        if is_rate(symbol):
            return self._rates.version(symbol)
        try:
            states = {place.file: self._folder.state(place.file) for place in self._indexed.index().of(symbol)}
        except OSError:
            states = {}
        named = [f"{file} {state.modified_ns}-{state.size}" for file, state in states.items()]
        return " ".join(["csv", *(named or ["missing"])])

    def spelling(self, symbol: str) -> str:
        """As :meth:`Provider.spelling`: that of the share's file."""
        names = spellings(symbol)
        if len(names) == 1:
            return symbol
        try:
            places = self._indexed.index().of(symbol)
        except OSError:
            places = ()
        return next((name for name in names if len(places) == 1 and name in places[0].capitals), names[0])

    def _read(self, index: Index, symbol: str) -> tuple[Bars, tuple[PriceIssue, ...]]:
        try:
            place = index.place_of(symbol)
        except PriceFileFault as fault:
            raise BadPrices(symbol, "PRICES_DIR", fault.rule) from None
        if place is not None:
            return self._bars(symbol, place)
        # They may be in a file whose symbols are unknown.
        for file, unknown in index.faults.items():
            raise _bad(symbol, file, unknown)
        if currency_of_pair(symbol) is not None:
            raise MissingPrices(symbol, "a file of that name holds exchange rates, which are no prices")
        raise MissingPrices(symbol, index.reason_for_none(symbol))

    def _bars(self, symbol: str, place: Place) -> tuple[Bars, tuple[PriceIssue, ...]]:
        try:
            state = self._folder.state(place.file)
            prices, bars = self._folder.read(place)
        except FileNotFoundError:
            raise MissingPrices(symbol) from None
        except OSError as error:
            raise BadPrices(symbol, place.file, f"the file cannot be read: {error.strerror}") from error
        except PriceFileFault as fault:
            raise _bad(symbol, place.file, fault) from None
        if self._told.get(place.file) != state:
            self._told[place.file] = state
            _log.info("Price file %s: %s", place.file, sentence_of(prices))
        return bars, prices.issues


def _bad(symbol: str, file: str, fault: PriceFileFault) -> BadPrices:
    return BadPrices(symbol, file if fault.line is None else f"{file} line {fault.line}", fault.rule)
