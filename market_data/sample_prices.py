"""The sample prices: real ones of 20 companies and an index, for trials of the app. See ``sample/README.md``."""

import functools
import gzip
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from analysis.prices import Bars
from market_data.provider import FetchedBars, MissingPrices, Provider, fetched_bars

_FILE = Path(__file__).parent / "sample" / "prices.csv.gz"
# The feed of one company ends early, to have an example of a stale price.
_LAST_DATES = {"RRC": date(2022, 10, 31)}
_LAST_DAY = date(2022, 12, 28)


class SampleProvider(Provider):
    """Closes from 2010 to 2022; they are adjusted already, so ``close`` and ``adj_close`` are the same."""

    def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
        """As :meth:`Provider.daily_bars`."""
        return fetched_bars(symbols, lambda symbol: (_bars_of(symbol), ()), start, end)

    def version(self, symbol: str) -> str:  # noqa: ARG002 - the same for all
        """As :meth:`Provider.version`: the sample never changes."""
        return f"sample {_LAST_DAY}"

    def last_day(self) -> date:
        """As :meth:`Provider.last_day`: the last of the sample."""
        return _LAST_DAY


def _bars_of(symbol: str) -> Bars:
    bars = _all_bars().get(symbol)
    if bars is None:
        raise MissingPrices(symbol)
    return bars


@functools.cache
def _all_bars() -> dict[str, Bars]:
    with gzip.open(_FILE, "rt", encoding="ascii") as file:
        header, *rows = (line.rstrip("\n").split(",") for line in file)
    days, *columns = zip(*rows, strict=True)
    dates = np.array(days, dtype="datetime64[D]")
    prices = (np.array(column, dtype=np.float64) for column in columns)
    bars = {
        symbol: Bars(dates=dates, close=closes, adj_close=closes)
        for symbol, closes in zip(header[1:], prices, strict=True)
    }
    return bars | {symbol: bars[symbol].between(date.min, last) for symbol, last in _LAST_DATES.items()}
