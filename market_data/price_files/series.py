"""The prices in a price file, for each of its symbols."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from analysis.models import Dates, Floats
from analysis.prices import Bars
from market_data.price_files.dates import dates_of
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.numbers import prices_in
from market_data.price_files.table import Table, table_of
from market_data.rows import Column, priced_rows
from records import PriceIssue


@dataclass(frozen=True, slots=True)
class Prices:
    """What a file contains: the bars of each symbol, or why these are refused.

    The symbol is spelled as in the file, and ``None`` if the file names none. ``columns`` are the headers of those that
    were used.
    """

    series: Mapping[str | None, Bars | PriceFileFault]
    columns: tuple[str, ...]
    newest_first: bool
    close_is_adjusted: bool

    @property
    def issues(self) -> tuple[PriceIssue, ...]:
        """Return the issues of all its symbols."""
        return (PriceIssue("close_is_adjusted"),) if self.close_is_adjusted else ()

    @property
    def days(self) -> Dates:
        """Return the days with prices of any symbol, oldest first."""
        readable = [bars.dates for bars in self.series.values() if isinstance(bars, Bars)]
        return np.unique(np.concatenate(readable)) if readable else np.empty(0, "datetime64[D]")

    def bars_of(self, symbol: str | None) -> Bars:
        """Return the bars of a symbol.

        Raises:
            PriceFileFault: these are refused.
        """
        found = self.series.get(symbol)
        if found is None:
            raise PriceFileFault(f"{symbol} is no longer in it")
        if isinstance(found, PriceFileFault):
            raise found
        return found


def prices_of_text(text: str) -> Prices:
    """Return the prices in the text of a file.

    Rows without a close are left out, and whether a price is possible is not decided here.

    Raises:
        PriceFileFault: the file breaks a rule, for all of its symbols.
    """
    table = table_of(text)
    dates = dates_of(_cells(table, table.layout.date), table.lines)
    newest_first = dates.size > 0 and bool(dates[-1] < dates[0])
    symbols = table.layout.symbol
    series = dict(_by_column(table, dates) if symbols is None else _by_row(table, dates, symbols))
    return Prices(series, table.layout.names, newest_first, table.layout.close_is_adjusted)


type _Series = Iterator[tuple[str | None, Bars | PriceFileFault]]


def _by_column(table: Table, dates: Dates) -> _Series:
    """Yield the prices of each symbol in the header, or of the only one."""
    for symbol in table.layout.prices:
        try:
            yield symbol, _bars(table.lines, dates, _numbers(table, symbol))
        except PriceFileFault as fault:
            yield symbol, fault


def _by_row(table: Table, dates: Dates, symbols: int) -> _Series:
    """Yield the prices of each symbol in the column of symbols."""
    rows: dict[str, list[int]] = {}
    for index, symbol in enumerate(_cells(table, symbols)):
        rows.setdefault(symbol.strip(), []).append(index)
    if "" in rows:
        raise PriceFileFault("it has no symbol", table.lines[rows[""][0]])
    numbers = _numbers(table, None)
    for symbol, indexes in rows.items():
        lines = [table.lines[index] for index in indexes]
        try:
            yield symbol, _bars(lines, dates[indexes], {column: own[indexes] for column, own in numbers.items()})
        except PriceFileFault as fault:
            yield symbol, fault


def _cells(table: Table, column: int) -> list[str]:
    return list(map(itemgetter(column), table.rows))


def _numbers(table: Table, symbol: str | None) -> dict[Column, Floats]:
    columns = table.layout.prices[symbol]
    return {
        column: prices_in(_cells(table, index), symbol or column, plain=table.plain)
        for column, index in columns.items()
    }


def _bars(lines: Sequence[int], dates: Dates, numbers: Mapping[Column, Floats]) -> Bars:
    """Return the bars of the rows in these lines, oldest first."""
    columns = {"adj_close": numbers["close"], **numbers}
    ascending = not dates.size or dates[0] <= dates[-1]
    steps = np.diff(dates).astype(np.int64) * (1 if ascending else -1)
    if (unordered := np.flatnonzero(steps <= 0)).size:
        index = int(unordered[0])
        side = "before" if ascending else "after"
        rule = f"is {side} that of" if steps[index] else "repeats that of"
        raise PriceFileFault(f"the date {rule} the line above", lines[index + 1])
    bars = priced_rows(dates, columns)
    return bars if ascending else bars.at(slice(None, None, -1))
