"""The sample prices and rates for trials of the app: real ones of 20 companies, an index and nine currencies.

See ``sample/README.md``.
"""

import functools
import gzip
from collections.abc import Sequence
from datetime import date
from itertools import filterfalse
from pathlib import Path

import numpy as np

from analysis.prices import Bars
from market_data.provider import FetchedBars, MissingPrices, Provider, fetched_bars
from market_data.rates import RateSource, fetched_rates, is_rate, rate_symbol
from market_data.rows import priced_rows, prices_of

_FILES = Path(__file__).parent / "sample"
# The feed of one company ends early, to have an example of a stale price.
_LAST_DATES = {"RRC": date(2022, 10, 31)}
_LAST_DAY = date(2022, 12, 28)


class SampleProvider(Provider):
    """Closes from 2010 to 2022; they are adjusted already, so ``close`` and ``adj_close`` are the same."""

    def __init__(self, rates: RateSource | None = None) -> None:
        self._rates = rates

    def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
        """As :meth:`Provider.daily_bars`."""
        if self._rates is None:
            return fetched_bars(symbols, lambda symbol: (_bars_of(symbol), ()), start, end)
        rates = fetched_rates(self._rates, symbols, start, end)
        prices = filterfalse(is_rate, symbols)
        return fetched_bars(prices, lambda symbol: (_bars_of(symbol), ()), start, end).with_those_of(rates)

    def version(self, symbol: str) -> str:
        """As :meth:`Provider.version`: the sample never changes."""
        if self._rates is not None and is_rate(symbol):
            return self._rates.version(symbol)
        return f"sample {_LAST_DAY}"

    def last_day(self) -> date:
        """As :meth:`Provider.last_day`: the last of the sample."""
        return _LAST_DAY


def _bars_of(symbol: str) -> Bars:
    bars = (_all_rates() if is_rate(symbol) else _all_bars()).get(symbol)
    if bars is None:
        raise MissingPrices(symbol)
    return bars


@functools.cache
def _all_bars() -> dict[str, Bars]:
    bars = _columns("prices.csv.gz")
    return bars | {symbol: bars[symbol].between(date.min, last) for symbol, last in _LAST_DATES.items()}


@functools.cache
def _all_rates() -> dict[str, Bars]:
    return {rate_symbol(currency): bars for currency, bars in _columns("rates.csv.gz").items()}


def _columns(file: str) -> dict[str, Bars]:
    """Return the bars in each column of a file; an empty cell is none."""
    with gzip.open(_FILES / file, "rt", encoding="ascii") as lines:
        header, *rows = (line.rstrip("\n").split(",") for line in lines)
    days, *columns = zip(*rows, strict=True)
    dates = np.array(days, dtype="datetime64[D]")
    closes = map(prices_of, columns)
    return {
        name: priced_rows(dates, {"close": own, "adj_close": own}) for name, own in zip(header[1:], closes, strict=True)
    }
