"""The weekly growth of one portfolio, and the correlations of its holdings: the data of a page's charts.

The same steps as in a report, on the same table of prices, so that charts and figures agree.
"""

import numpy as np

from analysis import measures
from analysis.models import Correlations, Dates, Floats, Integers, Portfolio, Series
from analysis.returns import PriceTable
from analysis.valuation import Exposure, Positions, expose, value_positions

MOST_CORRELATED = 25
"""The maximum number of holdings in the correlation matrix: more would be unreadable."""

_MONDAY = 3  # 1970-01-01, day 0, was a Thursday


@np.errstate(all="ignore")
def portfolio_series(portfolio: Portfolio, table: PriceTable) -> Series | None:
    """Return the series of ``portfolio`` as of the table's date; ``None`` if no holding has enough history."""
    positions, totals = value_positions([portfolio], table)
    exposure = expose(positions, totals, table)
    columns = positions.column[exposure.included]
    if not len(columns):
        return None
    start = int(exposure.start[0])
    of_holdings = table.returns[start:, columns]
    dates = table.dates[start:]
    weeks = _first_rows_of_weeks(dates[1:])
    growth, drawdown = _by_week(of_holdings @ exposure.weight[exposure.included], weeks)
    benchmark_growth, benchmark_drawdown = _by_week(table.benchmark_returns[start:], weeks)
    last_rows = np.append(weeks[1:], len(dates) - 1)
    shown = dates[np.append(0, last_rows)].tolist()
    correlations = _correlations(portfolio, positions, exposure, of_holdings)
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


def _correlations(portfolio: Portfolio, positions: Positions, exposure: Exposure, of_holdings: Floats) -> Correlations:
    symbols = np.array([holding.symbol for holding in portfolio.holdings], dtype=np.object_)[exposure.included]
    largest = np.argsort(-np.abs(positions.market_value[exposure.included]), kind="stable")[:MOST_CORRELATED]
    standard = measures.standardized(measures.centered(of_holdings[:, largest]))
    values = np.clip(standard.T @ standard / len(standard), -1, 1)
    return Correlations(tuple(symbols[largest].tolist()), tuple(tuple(measures.optional(row)) for row in values))
