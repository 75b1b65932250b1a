"""The prices of ledgers, from histories of the whole stored time on the benchmark's days."""

from collections.abc import Mapping
from datetime import date

import numpy as np

from analysis.histories import MAX_GAP, PriceHistories, PriceHistory, told_splits
from analysis.models import Dates, Floats
from analysis.prices import Bars, as_date, clean
from analysis.returns.ledger import LedgerPrices
from analysis.returns.payments import implied_payments

_ROWS_OF_A_YEAR = 370
"""Rows that are sure to contain the last twelve months, with the day before them."""


def ledger_prices(histories: PriceHistories, bars: Mapping[str, Bars]) -> LedgerPrices:
    """Return the prices of all symbols with one; ``bars`` are the same histories with the rows after ``as_of``."""
    dates = histories.calendar.dates
    close = np.full((len(histories.usable), len(dates)), np.nan)
    splits: dict[str, list[tuple[date, float]]] = {}
    distributions: dict[str, frozenset[date]] = {}
    payments: dict[str, tuple[Dates, Floats]] = {}
    adjusted = set()
    for row, (symbol, own) in enumerate(histories.usable.items()):
        close[row] = _carried(own, histories)
        splits[symbol] = _splits(bars[symbol])
        actions = dict(told_splits(own.bars, len(own.bars.dates) - _ROWS_OF_A_YEAR))
        days = {row: as_date(own.bars.dates[row]) for row in actions}
        distributions[symbol] = frozenset(days[row] for row, split in actions.items() if split is None)
        if np.array_equal(own.bars.close, own.bars.adj_close):
            adjusted.add(symbol)
        else:
            split_rows = [*(row for row, split in actions.items() if split is not None), *own.suspected]
            recent = own.bars.at(slice(-_ROWS_OF_A_YEAR, None))
            split_days = own.bars.dates[split_rows]
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
    )


def _carried(own: PriceHistory, histories: PriceHistories) -> Floats:
    """Return the last close on each day of the calendar, NaN if none is at most ten days of it old, ``(days,)``."""
    dates = histories.calendar.dates
    rows = own.bars.dates.searchsorted(dates, "right") - 1
    numbers = histories.calendar.numbers(own.bars.dates)
    fresh = (rows >= 0) & (np.arange(len(dates)) - numbers[rows] <= MAX_GAP)
    return np.where(fresh, own.bars.close[rows], np.nan)


def _splits(bars: Bars) -> list[tuple[date, float]]:
    """Return the splits that the source tells, with their days; those after ``as_of``, too."""
    if bars.split is None:
        return []
    rows = clean(bars, date.max).bars
    told = ((day, rows.told_split(number)) for number, day in enumerate(rows.dates))
    return [(as_date(day), float(split)) for day, split in told if split is not None]
