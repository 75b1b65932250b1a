"""The value of the portfolios of a page, and the part of each that takes part in return-based figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.measures import CANCELED
from analysis.models import Booleans, Floats, Integers, Portfolio
from analysis.returns import PriceTable

MIN_COVERAGE = 0.5
"""Minimum share of the gross market value with enough history for return-based figures."""


@dataclass(frozen=True, slots=True)
class Positions:
    """All holdings of a page in order, one row each, arrays of shape ``(positions,)``.

    ``owner`` is the portfolio's number in the page, ``column`` the symbol's in the price table (-1: no price at all).
    Money and weight are NaN if there is no price.
    """

    owner: Integers
    column: Integers
    market_value: Floats
    unrealized_pl: Floats
    unrealized_pl_pct: Floats


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the holdings that have a price, one row a portfolio, arrays of shape ``(portfolios,)``.

    ``total_value`` is market value plus cash; ``gross_value`` the sum of absolute market values. ``day_change`` is over
    the holdings with a price as of the previous trading day, NaN without any; percentages are undefined on a base of 0,
    as when long and short cancel out.
    """

    market_value: Floats
    cash: Floats
    total_value: Floats
    gross_value: Floats
    cost_basis: Floats
    unrealized_pl: Floats
    unrealized_pl_pct: Floats
    day_change: Floats
    day_change_pct: Floats
    largest_value: Floats
    herfindahl_index: Floats
    finite: Booleans


@dataclass(frozen=True, slots=True)
class Exposure:
    """The holdings behind the return-based figures, and their weights.

    Attributes:
        included: the holding has a position, enough history and a fresh price, ``(positions,)``.
        weight: market value over total value, scaled up for the excluded part; 0 if not included, ``(positions,)``.
        excluded_share: of the gross market value, ``(portfolios,)``; NaN if there is no market value.
        balanced: whether scaling up makes sense, ``(portfolios,)``: not if the included values cancel out or have the
            opposite sign of the whole.
        start: day of the calendar on which the youngest included holding begins, ``(portfolios,)``.
    """

    included: Booleans
    weight: Floats
    excluded_share: Floats
    balanced: Booleans
    start: Integers


def value_positions(portfolios: Sequence[Portfolio], table: PriceTable) -> tuple[Positions, Totals]:
    """Return every holding valued at the last raw close; the totals leave out those without any price."""
    size = len(portfolios)
    holdings = [holding for portfolio in portfolios for holding in portfolio.holdings]
    counts = np.array([len(portfolio.holdings) for portfolio in portfolios], dtype=np.int64)
    owner = np.repeat(np.arange(size), counts)
    column = np.array([table.columns.get(holding.symbol, -1) for holding in holdings], dtype=np.int64)
    quantity = np.array([holding.quantity for holding in holdings], dtype=np.float64)
    cost = quantity * np.array([holding.avg_price for holding in holdings], dtype=np.float64)
    value = quantity * _of_symbol(table.close, column)
    positions = Positions(owner, column, value, value - cost, _percent(value - cost, cost, np.abs(cost)))
    return positions, _totals(positions, portfolios, cost, quantity * _of_symbol(table.previous_close, column))


def expose(positions: Positions, totals: Totals, table: PriceTable) -> Exposure:
    """Return the holdings for return-based figures, with their weights scaled up to those of all.

    A holding of zero shares is left out: it must not shorten the history of the others.
    """
    size = len(totals.cash)
    priced = positions.column >= 0
    included = priced & (positions.market_value != 0)
    included[priced] &= table.included[positions.column[priced]]
    owner, value = positions.owner[included], positions.market_value[included]
    net, gross = sum_by(owner, value, size), sum_by(owner, np.abs(value), size)
    excluded_share = sum_by(
        positions.owner[priced & ~included], np.abs(positions.market_value[priced & ~included]), size
    ) / np.where(totals.gross_value > 0, totals.gross_value, np.nan)
    whole = excluded_share == 0
    scale = np.where(whole, 1.0, totals.market_value / net)
    weight = np.zeros(len(included))
    weight[included] = value / totals.total_value[owner] * scale[owner]
    start = np.zeros(size, dtype=np.int64)
    np.maximum.at(start, owner, table.first_day[positions.column[included]])
    canceled = (np.abs(net) <= CANCELED * gross) | (np.abs(totals.market_value) <= CANCELED * totals.gross_value)
    return Exposure(
        included=included,
        weight=weight,
        excluded_share=excluded_share,
        balanced=whole | (~canceled & (scale > 0)),
        start=start,
    )


def sum_by(owners: Integers, values: Floats, size: int) -> Floats:
    """Return the sum of ``values`` of each of ``size`` owners, numbered from 0; a NaN affects only its owner's sum."""
    return np.bincount(owners, weights=values, minlength=size)


def largest_by(owners: Integers, values: Floats, size: int) -> Floats:
    """Return the largest of the ``values`` of each of ``size`` owners; NaN for an owner without values."""
    largest = np.full(size, np.nan)
    np.fmax.at(largest, owners, values)
    return largest


def _totals(positions: Positions, portfolios: Sequence[Portfolio], cost: Floats, previous_value: Floats) -> Totals:
    size = len(portfolios)
    priced = positions.column >= 0
    owner, value = positions.owner[priced], positions.market_value[priced]
    market_value, gross = sum_by(owner, value, size), sum_by(owner, np.abs(value), size)
    cost_basis, gross_cost = sum_by(owner, cost[priced], size), sum_by(owner, np.abs(cost[priced]), size)
    day_change, day_change_pct = _day_change(positions.owner, positions.market_value, previous_value, size)
    shares = np.abs(value) / gross[owner]
    cash = np.array([portfolio.cash for portfolio in portfolios], dtype=np.float64)
    buying_power = np.array([portfolio.buying_power for portfolio in portfolios], dtype=np.float64)
    return Totals(
        market_value=market_value,
        cash=cash,
        total_value=market_value + cash,
        gross_value=gross,
        cost_basis=cost_basis,
        unrealized_pl=market_value - cost_basis,
        unrealized_pl_pct=_percent(market_value - cost_basis, cost_basis, gross_cost),
        day_change=day_change,
        day_change_pct=day_change_pct,
        largest_value=largest_by(owner, np.abs(value), size),
        herfindahl_index=np.where(gross > 0, sum_by(owner, shares * shares, size), np.nan),
        # Absolute sums bound all others: if they are finite, all are. The cost is known without a price.
        finite=np.isfinite(gross + sum_by(positions.owner, np.abs(cost), size) + np.abs(cash) + np.abs(buying_power)),
    )


def _day_change(owner: Integers, value: Floats, previous_value: Floats, size: int) -> tuple[Floats, Floats]:
    """Return the change in money and in percent, over the holdings that have both values."""
    both = ~np.isnan(value) & ~np.isnan(previous_value)
    owner, value, previous_value = owner[both], value[both], previous_value[both]
    known = np.bincount(owner, minlength=size) > 0
    change = np.where(known, sum_by(owner, value - previous_value, size), np.nan)
    base, gross_base = sum_by(owner, previous_value, size), sum_by(owner, np.abs(previous_value), size)
    return change, _percent(change, base, gross_base)


def _of_symbol(figures: Floats, column: Integers) -> Floats:
    # Column -1, a symbol without any price, gets the NaN at the end.
    values: Floats = np.append(figures, np.nan)[column]
    return values


def _percent(change: Floats, base: Floats, gross_base: Floats) -> Floats:
    return 100 * change / np.where(np.abs(base) <= CANCELED * gross_base, np.nan, np.abs(base))
