"""The weekly growth of today's mix of one portfolio, and the correlations of its holdings: the data of a page's charts.

The same steps as in a report, on the same table of prices, so that charts and figures agree.
"""

from collections.abc import Mapping

import numpy as np

from analysis import measures
from analysis.exposure import expose
from analysis.models import Correlations, Dates, Floats, Instrument, Integers, Portfolio, Series
from analysis.price_table import PriceTable
from analysis.valuation import value_positions

MOST_CORRELATED = 25
"""The maximum number of holdings in the correlation matrix: more would be unreadable."""

_MONDAY = 3  # 1970-01-01, day 0, was a Thursday


@np.errstate(all="ignore")
def portfolio_series(
    portfolio: Portfolio, table: PriceTable, instruments: Mapping[str, Instrument], risk_free_rate: float
) -> Series | None:
    """Return the series of ``portfolio`` as of the table's date; ``None`` if no holding has enough history.

    ``risk_free_rate`` is annual.
    """
    positions, totals = value_positions([portfolio], table, instruments, frozenset())
    exposure = expose(positions, totals, table)
    invested = np.flatnonzero(exposure.standing.weight)
    if not len(invested):
        return None
    start = int(exposure.start[0])
    of_holdings = table.returns[start:, positions.column[invested]]
    of_cash = exposure.standing.cash[0] * measures.daily_rate(risk_free_rate)
    dates = table.dates[start:]
    weeks = _first_rows_of_weeks(dates[1:])
    growth, drawdown = _by_week(of_holdings @ exposure.standing.weight[invested] + of_cash, weeks)
    benchmark_growth, benchmark_drawdown = _by_week(table.benchmark_returns[start:], weeks)
    last_rows = np.append(weeks[1:], len(dates) - 1)
    shown = dates[np.append(0, last_rows)].tolist()
    largest = np.argsort(-np.abs(positions.market_value[invested]), kind="stable")[:MOST_CORRELATED]
    symbols = tuple(portfolio.holdings[row].symbol for row in invested[largest].tolist())
    correlations = Correlations(symbols, _correlations(of_holdings[:, largest]))
    return Series(tuple(shown), growth, benchmark_growth, drawdown, benchmark_drawdown, correlations)


def _first_rows_of_weeks(days: Dates) -> Integers:
    """Return the rows of ``days`` at which a week begins; the first row always does."""
    weeks = (days.astype("datetime64[D]").astype(np.int64) + _MONDAY) // 7
    return np.flatnonzero(np.diff(weeks, prepend=weeks[0] - 1))


def _by_week(returns: Floats, weeks: Integers) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
    """Return growth and drawdown of daily ``returns``, ``(observations,)``: before the first day, then per week."""
    values = measures.values(returns[:, None])
    # Both begin with the day before the first return.
    growth, drawdown = values[:, 0], measures.drawdowns(values)[:, 0]
    last_rows = np.append(weeks[1:], len(returns))
    lowest = np.minimum.reduceat(drawdown[1:], weeks)
    weekly_growth, weekly_drawdown = measures.optional_rows(
        [growth[np.append(0, last_rows)], np.append(drawdown[0], lowest)]
    )
    return tuple(weekly_growth), tuple(weekly_drawdown)


def _correlations(returns: Floats) -> tuple[tuple[float | None, ...], ...]:
    standard = measures.standardized(measures.centered(returns))
    values = np.clip(standard.T @ standard / len(standard), -1, 1)
    return tuple(tuple(measures.optional(row)) for row in values)
