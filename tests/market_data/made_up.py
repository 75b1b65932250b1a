"""A market for tests: the sample's adjusted closes, with invented splits, dividends and ranges."""

import functools
from datetime import date
from pathlib import Path

import numpy as np

from analysis.prices import Bars
from market_data.sample_prices import SampleProvider

EVER = (date(1900, 1, 1), date(2100, 1, 1))
SYMBOLS = ("AAPL", "AMD", "BRK.B", "KO", "RRC", "SP500")
_SPLITS = {"AAPL": (4.0, "2020-08-31"), "RRC": (0.1, "2016-03-01")}


@functools.cache
def made_up_market() -> dict[str, Bars]:
    """Return the bars of ``SYMBOLS`` with all columns."""
    sample = SampleProvider().daily_bars(["AAPL", "AMD", "KO", "RRC", "SP500", "PG"], *EVER).bars
    sample["BRK.B"] = sample.pop("PG")
    return {symbol: traded(symbol, sample[symbol]) for symbol in SYMBOLS}


def traded(symbol: str, bars: Bars) -> Bars:
    """Return invented raw prices that are consistent with the adjusted closes of ``bars``."""
    quarters_to_come = (bars.dates[-1] - bars.dates).astype(int) // 91
    ratio, day = _SPLITS.get(symbol, (1.0, "2000-01-01"))
    dividends = 0.0 if symbol == "SP500" else 0.005
    close = bars.adj_close * (1 + dividends * quarters_to_come) * np.where(bars.dates < np.datetime64(day), ratio, 1.0)
    split = np.where(bars.dates == np.datetime64(day), ratio, 1.0) if symbol in _SPLITS else None
    return Bars(bars.dates, close, bars.adj_close, close * 1.01, close * 0.99, split)


def write_csv(folder: Path, symbol: str, bars: Bars) -> None:
    """Write bars to a file in the style of another system, with their columns."""
    columns = {name: getattr(bars, name) for name in ("close", "adj_close", "high", "low")}
    given = {name: values.tolist() for name, values in columns.items() if values is not None}
    rows = zip(bars.dates.tolist(), *given.values(), strict=True)
    lines = [f"date,{','.join(given)}", *(",".join([str(day), *map(repr, numbers)]) for day, *numbers in rows)]
    (folder / f"{symbol}.csv").write_text("\n".join(lines))
