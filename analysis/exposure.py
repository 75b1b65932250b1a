"""The holdings that stand for everything owned, since when, and with which weights."""

from dataclasses import dataclass

import numpy as np

from analysis.measures import TRADING_DAYS
from analysis.models import Booleans, Floats, Integers
from analysis.price_table import PriceTable
from analysis.valuation import Positions, Totals, sum_by

MIN_COVERAGE = 0.5
"""The minimum share of everything owned behind return-based figures, and of each side that is not small."""

SMALL_SIDE = 0.05
"""A side up to this share of the gross value becomes cash if too little of it is included."""

WINDOW_COVERAGE = 0.05
"""The coverage that a longer window may cost."""

YEAR_COVERAGE = 0.25
"""The coverage that a window of a year may cost."""

TOLERANCE = 1e-12
"""Coverages this close are equal."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Some holdings that stand for everything owned.

    Longs stand for all longs, shorts for all shorts; a small side of which too little is there is cash.

    Attributes:
        weight: of the total value, 0 if the holding is not among them or of a side that is cash, ``(positions,)``.
        cash: weight of cash, ``(portfolios,)``.
        coverage: their share of everything whose size is known, NaN if that is nothing, ``(portfolios,)``.
        balanced: whether there is enough of each side, ``(portfolios,)``.
    """

    weight: Floats
    cash: Floats
    coverage: Floats
    balanced: Booleans


@dataclass(frozen=True, slots=True)
class Exposure:
    """The holdings behind the return-based figures.

    Attributes:
        eligible: the holding has a size, enough history and a fresh price, ``(positions,)``.
        included: it is also old enough for the portfolio's window, ``(positions,)``.
        start: day of the calendar on which the window begins, ``(portfolios,)``.
        standing: the included holdings with their weights.
        best_coverage: that of all eligible holdings, ``(portfolios,)``.
    """

    eligible: Booleans
    included: Booleans
    start: Integers
    standing: Standing
    best_coverage: Floats


def expose(positions: Positions, totals: Totals, table: PriceTable) -> Exposure:
    """Return the holdings for return-based figures, with the weights of everything they stand for."""
    eligible = (positions.column >= 0) & (positions.market_value != 0)
    eligible[eligible] = table.included[positions.column[eligible]]
    rows = np.flatnonzero(eligible)
    owner, first_day = positions.owner[rows], table.first_day[positions.column[rows]]
    size = len(totals.cash)
    start = np.zeros(size, dtype=np.int64)
    np.maximum.at(start, owner, first_day)
    uneven = np.zeros(size, dtype=np.bool_)
    uneven[owner[first_day != start[owner]]] = True
    included = eligible.copy()
    if uneven.any():
        some = uneven[owner]
        start[uneven] = _window_starts(positions, totals, rows[some], first_day[some], len(table.dates))
        included[rows] = first_day <= start[owner]
    best = sum_by(owner, np.abs(positions.market_value[rows]), size) / totals.gross_value
    return Exposure(eligible, included, start, stand_for_all(included, positions, totals), best)


def stand_for_all(chosen: Booleans, positions: Positions, totals: Totals) -> Standing:
    """Return the ``chosen`` positions, which are priced, as standing for everything their portfolios own."""
    owner, value = positions.owner[chosen], positions.market_value[chosen]
    size, gross = len(totals.cash), totals.gross_value
    there = np.stack([sum_by(owner, np.maximum(side * value, 0), size) for side in (1, -1)])
    enough = there >= (MIN_COVERAGE - TOLERANCE) * totals.sides
    small = totals.sides <= (SMALL_SIDE + TOLERANCE) * gross
    as_cash = np.where(small & ~enough, totals.sides, 0.0)
    scale = np.where(enough, totals.sides / there, 0.0)
    weight = np.zeros(len(chosen))
    weight[chosen] = value / totals.total_estimate[owner] * scale[(value < 0).astype(np.int64), owner]
    return Standing(
        weight=weight,
        cash=(totals.cash + as_cash[0] - as_cash[1]) / totals.total_estimate,
        coverage=(there[0] + there[1]) / gross,
        balanced=(enough | small).all(axis=0),
    )


def _window_starts(positions: Positions, totals: Totals, rows: Integers, first_day: Integers, dates: int) -> Integers:
    """Return the start of the window of each portfolio that the ``rows`` of positions belong to, in order.

    A portfolio has one possible window for each first day of its holdings. Its holdings are a row of each array here,
    by first day, so that running sums give what a window of each start includes.
    """
    owner = positions.owner[rows]
    order = np.lexsort((first_day, owner))
    rows, owner, first_day = rows[order], owner[order], first_day[order]
    numbers, counts = np.unique(owner, return_counts=True)
    place = (
        np.repeat(np.arange(len(numbers)), counts),
        np.arange(len(rows)) - np.repeat(counts.cumsum() - counts, counts),
    )
    days = np.full((len(numbers), counts.max()), dates)
    days[place] = first_day
    value, gross = positions.market_value[rows], totals.gross_value
    there = np.zeros((2, *days.shape))
    there[(value < 0).astype(np.int64), *place] = np.abs(value) / gross[owner]
    there = there.cumsum(axis=2)
    sides = (totals.sides / gross)[:, numbers, None]
    coverage = there[0] + there[1]
    # The last of several holdings that begin on one day; the padding after all is none of them.
    possible = (days != np.append(days[:, 1:], np.full((len(days), 1), -1), axis=1)) & (days < dates)
    balanced = ((there >= (MIN_COVERAGE - TOLERANCE) * sides) | (sides <= SMALL_SIDE + TOLERANCE)).all(axis=0)
    counting = possible & balanced & (coverage >= MIN_COVERAGE - TOLERANCE)
    counting = np.where(counting.any(axis=1, keepdims=True), counting, possible)
    return days[np.arange(len(days)), _longest(days, coverage, counting, dates - 1)]


def _longest(days: Integers, coverage: Floats, counting: Booleans, last_day: int) -> Integers:
    """Return the place in each row of the window to use, of those that are ``counting``."""

    def first_with(least: Floats) -> Integers:
        places: Integers = (counting & (coverage >= least[:, None] - TOLERANCE)).argmax(axis=1)
        return places

    every = np.arange(len(days))
    best = coverage[:, -1]
    chosen = first_with(best - WINDOW_COVERAGE)
    yearlong = counting & (last_day - days >= TRADING_DAYS)
    shortest = days.shape[1] - 1 - yearlong[:, ::-1].argmax(axis=1)
    of_a_year = coverage[every, shortest]
    better = (
        (last_day - days[every, chosen] < TRADING_DAYS)
        & yearlong.any(axis=1)
        & (of_a_year >= best - YEAR_COVERAGE - TOLERANCE)
    )
    return np.where(better, first_with(of_a_year - WINDOW_COVERAGE), chosen)
