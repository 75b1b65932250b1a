"""The exchange rates in the ECB's file: a row per day, the newest first, a column per currency, ``N/A`` for none."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.models import Dates
from analysis.prices import Bars
from market_data.price_files.dates import dates_of
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.table import Row, table_of
from market_data.rows import priced_rows, prices_of

_CODE = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class EcbRates:
    """The cells of the file, by day and currency: its columns are read when they are asked for."""

    dates: Dates
    rows: list[Row]
    columns: Mapping[str, int]

    def of(self, currency: str) -> Bars | None:
        """Return the rates of a currency, oldest first; ``None`` if the file has not a single one."""
        if currency not in self.columns:
            return None
        # Its numbers have points, however few proofs of it a short file has.
        rates = prices_of([row[self.columns[currency]] for row in self.rows])
        bars = priced_rows(self.dates, {"close": rates, "adj_close": rates})
        if not len(bars.dates):
            return None
        return bars if bars.dates[0] <= bars.dates[-1] else bars.at(slice(None, None, -1))


def ecb_rates_of_text(text: str) -> EcbRates:
    """Return the rates in the text of the ECB's file.

    Raises:
        PriceFileFault: the file breaks a rule.
    """
    _check_end(text)
    table = table_of(text)
    columns = {name: prices["close"] for name, prices in table.layout.prices.items() if name is not None}
    if not table.layout.is_wide or not all(map(_CODE.fullmatch, columns)):
        raise PriceFileFault("the header is not that of the ECB: Date and codes of currencies, as in Date,USD,JPY,")
    dates = dates_of([row[table.layout.date] for row in table.rows], table.lines)
    steps = np.diff(dates).astype(np.int64)
    ascending = dates.size > 1 and bool(dates[-1] > dates[0])
    if (unordered := np.flatnonzero((steps if ascending else -steps) <= 0)).size:
        row = int(unordered[0])
        rule = "breaks the order of" if steps[row] else "repeats that of"
        raise PriceFileFault(f"the date {rule} the lines above", table.lines[row + 1])
    return EcbRates(dates, table.rows, columns)


def _check_end(text: str) -> None:
    """Raise a fault if the last line is cut off within its last cell, which then is another number."""
    lines = text.rstrip().splitlines()
    header = next((line for line in lines if line.strip()), "")
    if header.endswith(",") and not lines[-1].endswith(","):
        raise PriceFileFault("the line is cut off: it does not end with a comma as the header does", len(lines))
