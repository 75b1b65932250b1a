"""The prices and rates at which the sample users trade, by number of the trading day in the sample."""

import csv
import functools
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from analysis.currencies import Rates
from analysis.models import Dates, Floats
from devhost.sample_data import SAMPLE_INDEX, SAMPLE_STOCKS
from market_data import sample_prices
from market_data.sample_prices import SampleProvider

_RATES = Path(sample_prices.__file__).parent / "sample" / "rates.csv.gz"
_EVER = date(1900, 1, 1), date(2100, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class SampleMarket:
    """The trading days; the closes of each symbol on them, up to the end of its feed; the rates of currencies."""

    days: Dates
    closes: Mapping[str, Floats]
    rates: Rates

    def number(self, day: str | date) -> int:
        """Return the number of the first trading day that is not before a day."""
        return int(self.days.searchsorted(np.datetime64(day, "D")))

    def day(self, number: int) -> date:
        """Return a trading day by its number."""
        day: date = self.days[number].item()
        return day

    def close(self, symbol: str, number: int) -> float:
        """Return the close of a symbol on a trading day."""
        return float(self.closes[symbol][number])

    def rate(self, currency: str, base: str, number: int) -> float:
        """Return the units of ``base`` for one of ``currency`` on a trading day, at the reference rates."""
        return float(self.rates.between(currency, base, self.days[number : number + 1])[0])


@functools.cache
def sample_market() -> SampleMarket:
    """Return the market of the sample."""
    bars = SampleProvider().daily_bars([*SAMPLE_STOCKS, *SAMPLE_INDEX], *_EVER).bars
    (index,) = SAMPLE_INDEX
    return SampleMarket(bars[index].dates, {symbol: own.close for symbol, own in bars.items()}, _reference_rates())


def _reference_rates() -> Rates:
    """Return the rates of the European Central Bank in the sample."""
    with gzip.open(_RATES, "rt", encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    dates = np.array([row["date"] for row in rows], dtype="datetime64[D]")
    return Rates({code: (dates, np.array([float(row[code]) for row in rows])) for code in ("USD", "GBP")})
