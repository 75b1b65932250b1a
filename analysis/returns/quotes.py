"""The prices of ledgers, from histories of the whole stored time on the benchmark's days."""

from collections.abc import Mapping
from datetime import date

import numpy as np

from analysis.histories import MAX_GAP, PriceHistories, PriceHistory
from analysis.models import Dates, Floats
from analysis.prices import Bars, as_date, clean
from analysis.returns.ledger import LedgerPrices
from analysis.returns.payments import ROWS_OF_A_YEAR, implied_payments


def ledger_prices(histories: PriceHistories, bars: Mapping[str, Bars]) -> LedgerPrices:
    """Return the prices of all symbols with one; ``bars`` are the same histories with the rows after ``as_of``."""
    dates = histories.calendar.dates
    close = np.full((len(histories.usable), len(dates)), np.nan)
    splits: dict[str, list[tuple[date, float]]] = {}
    distributions: dict[str, frozenset[date]] = {}
    payments: dict[str, tuple[Dates, Floats]] = {}
    later: dict[str, tuple[Dates, Floats]] = {}
    adjusted = set()
    for row, (symbol, own) in enumerate(histories.usable.items()):
        close[row] = _carried(own, histories)
        every = clean(bars[symbol], date.max).bars
        splits[symbol] = [(as_date(every.dates[row]), float(split)) for row, split in every.told_splits()]
        end = int(every.dates.searchsorted(dates[-1], "right"))
        if end < len(every.dates):
            later[symbol] = every.dates[end:], every.close[end:]
        split_days, special = own.actions(len(own.bars.dates) - ROWS_OF_A_YEAR)
        distributions[symbol] = frozenset(map(as_date, special))
        if np.array_equal(own.bars.close, own.bars.adj_close):
            adjusted.add(symbol)
        else:
            recent = own.bars.at(slice(-ROWS_OF_A_YEAR, None))
            payments[symbol] = implied_payments(
                recent.dates, recent.close, recent.adj_close, split_days, splits[symbol]
            )
    return LedgerPrices(
        dates=dates,
        columns={symbol: row for row, symbol in enumerate(histories.usable)},
        close=close,
        splits=splits,
        adjusted=frozenset(adjusted),
        payments=payments,
        distributions=distributions,
        benchmark_returns=histories.calendar.returns,
        later=later,
    )


def _carried(own: PriceHistory, histories: PriceHistories) -> Floats:
    """Return the last close on each day of the calendar, NaN if none is at most ten days of it old, ``(days,)``."""
    dates = histories.calendar.dates
    rows = own.bars.dates.searchsorted(dates, "right") - 1
    numbers = histories.calendar.numbers(own.bars.dates)
    fresh = (rows >= 0) & (np.arange(len(dates)) - numbers[rows] <= MAX_GAP)
    return np.where(fresh, own.bars.close[rows], np.nan)
