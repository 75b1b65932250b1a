"""A folder of exchange rates: the ECB's file, and files of pairs with the euro."""

import functools
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from analysis.prices import Bars, as_date
from market_data.price_files.content import State, text_of_file
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.folder import inside
from market_data.price_files.names import currency_of_pair, ecb_history, is_rate_file, paired_currency
from market_data.price_files.series import prices_of_text
from market_data.provider import BadPrices, MissingPrices, ProviderUnavailable
from market_data.rate_files.ecb import EcbRates, ecb_rates_of_text
from market_data.rates import RateSource, currency_of

_log = logging.getLogger(__name__)


class RateFolder(RateSource):
    """A folder with exchange rates, which may change at any time, and may also have other files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._told = dict[str, State]()

    def files(self) -> list[str]:
        """Return the names of the files of rates, in order.

        Raises:
            OSError: the folder cannot be read.
        """
        with os.scandir(self.path) as entries:
            return sorted(entry.name for entry in entries if is_rate_file(entry.name) and entry.is_file())

    def rates(self, symbol: str) -> Bars:
        """As :meth:`RateSource.rates`: where the ECB's file has a currency, no other file is read for it."""
        try:
            files = self.files()
        except OSError as error:
            text = "The folder of exchange rates, that RATES_DIR or else PRICES_DIR names, cannot be read"
            raise ProviderUnavailable(f"{text}: {error.strerror}.") from error
        currency = currency_of(symbol)
        ecb, pairs = ecb_history(files), pairs_of(currency, files)
        if ecb is not None and (bars := self._read(symbol, ecb)) is not None:
            return bars
        if len(pairs) > 1:
            raise BadPrices(symbol, "RATES_DIR", two_files(pairs))
        if pairs and (bars := self._read(symbol, pairs[0])) is not None:
            return bars
        raise MissingPrices(symbol, f"neither the ECB's eurofxref-hist.csv nor a file EUR{currency}.csv has rates")

    def version(self, symbol: str) -> str:
        """As :meth:`RateSource.version`: the names, modification times and sizes of the files that may have them."""
        try:
            files = self.files()
            ecb = ecb_history(files)
            own = [*([] if ecb is None else [ecb]), *pairs_of(currency_of(symbol), files)]
            states = [(file, State.of(self.path / file)) for file in own]
        except OSError:
            states = []
        named = [f"{file} {state.modified_ns}-{state.size}" for file, state in states]
        return " ".join(["rates", *(named or ["missing"])])

    def read(self, file: str, currency: str) -> Bars | None:
        """Return the rates of a currency in a file, ``None`` if it has none.

        Raises:
            PriceFileFault: the file breaks a rule.
            OSError: it cannot be read.
        """
        if paired_currency(file) is None:
            return self.ecb(file).of(currency)
        path = inside(self.path, file)
        return pair_in(text_of_file(path, State.of(path)), currency)

    def ecb(self, file: str) -> EcbRates:
        """Return the rates in the ECB's file; raises as :meth:`read`."""
        path = inside(self.path, file)
        return _kept_ecb_rates(path, State.of(path))

    def _read(self, symbol: str, file: str) -> Bars | None:
        try:
            state = State.of(self.path / file)
            bars = self.read(file, currency_of(symbol))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BadPrices(symbol, file, f"the file cannot be read: {error.strerror}") from error
        except PriceFileFault as fault:
            where = file if fault.line is None else f"{file} line {fault.line}"
            raise BadPrices(symbol, where, fault.rule) from None
        if bars is not None and self._told.get(file) != state:
            self._told[file] = state
            _log.info("Rates file %s: up to %s", file, as_date(bars.dates[-1]))
        return bars


def pairs_of(currency: str, files: Sequence[str]) -> list[str]:
    """Return the files of the pair of the euro and a currency."""
    return [file for file in files if paired_currency(file) == currency]


def two_files(pairs: Sequence[str]) -> str:
    """Return why several files of one pair are refused."""
    return f"{' and '.join(pairs[:2])} have the rates of one currency: remove all but one"


def pair_in(text: str, currency: str) -> Bars | None:
    """Return the rates in the text of a pair's file: its closes, which nothing adjusts; ``None`` if it has none.

    Raises:
        PriceFileFault: the file breaks a rule, or is about something else.
    """
    series = prices_of_text(text).series
    others = [name for name in series if name is not None and currency_of_pair(name) != currency]
    if others or len(series) != 1:
        raise PriceFileFault(f"its name is that of the rates of {currency}, and it has prices of {others or 'nothing'}")
    (bars,) = series.values()
    if isinstance(bars, PriceFileFault):
        raise bars
    return Bars(bars.dates, bars.close, bars.close) if len(bars.dates) else None


@functools.lru_cache(2)
def _kept_ecb_rates(path: Path, state: State) -> EcbRates:
    return ecb_rates_of_text(text_of_file(path, state))
