"""The workload of the benchmarks: random walks, and users that hold some of them. Needs numpy only."""

from collections.abc import Iterator

import numpy as np

from analysis.histories import read_histories, resolve_as_of
from analysis.models import Holding, Portfolio
from analysis.price_table import PriceTable, join_prices, prepare_prices
from analysis.prices import Bars

DAYS = 1_261
HOLDINGS = 20


def symbols(count: int) -> list[str]:
    """Return the names of ``count`` symbols."""
    return [f"S{number:04}" for number in range(count)]


def walks(count: int) -> Iterator[Bars]:
    """Yield daily bars of 1,260 returns, one random walk after the other."""
    random = np.random.default_rng(1)
    dates = np.busday_offset("2020-01-01", np.arange(DAYS), roll="forward").astype("datetime64[D]")
    for _ in range(count):
        close = 50 * np.exp(np.cumsum(random.normal(0.0003, 0.015, DAYS)))
        yield Bars(dates, close, close.copy(), close * 1.01, close * 0.99)


def price_table(count: int) -> PriceTable:
    """Return the table of ``count`` symbols."""
    benchmark, *bars = walks(count + 1)
    known = dict(zip(symbols(count), bars, strict=True))
    histories = read_histories(known, benchmark, resolve_as_of(benchmark))
    return join_prices([prepare_prices(histories, DAYS - 1)])


def portfolios(count: int, universe: int, seed: int = 2) -> list[Portfolio]:
    """Return ``count`` random portfolios of 20 holdings out of ``universe`` symbols, and some cash."""
    random = np.random.default_rng(seed)
    names = symbols(universe)
    return [
        Portfolio(
            user_id=f"user-{number:06}",
            holdings=tuple(
                Holding(names[symbol], float(random.integers(1, 100)), 40.0)
                for symbol in sorted(random.choice(universe, HOLDINGS, replace=False).tolist())
            ),
            cash=1_000.0,
            buying_power=1_000.0,
        )
        for number in range(count)
    ]
