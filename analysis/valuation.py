"""The value of everything that the portfolios of a page own: at its price, or at an estimate without one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.currencies import BaseCurrency
from analysis.measures import CANCELED
from analysis.models import Booleans, Floats, Holding, Instrument, Integers, InvalidHolding, Portfolio
from analysis.price_table import PriceTable

_ANY_INSTRUMENT = Instrument()
_FUND_KINDS = ("fund", "etf")
_CALMEST_NO_FUND = 0.40
"""A fund with a larger annual volatility is not diversified, whatever it is called."""


@dataclass(frozen=True, slots=True)
class Positions:
    """All holdings of a page, one row each, arrays of shape ``(positions,)``; NaN is unknown.

    The rows of a portfolio are together: its holdings, then those that cannot be read.

    Attributes:
        holdings: the holding of each row.
        owner: number of the portfolio in the page.
        column: column of the symbol in the price table, -1 without a price.
        currency: in which the symbol is quoted.
        fx_rate: what one unit of that is worth, NaN without a rate.
        quantity: of shares, negative when short.
        avg_price: what was paid for a share, in the currency of the quote.
        market_value: at the last close, NaN without a price.
        quoted_value: the same in the currency of the quote.
        size: signed market value; without a price the estimate by a positive purchase price, NaN without that.
        cost: signed.
        unrealized_pl_pct: of the absolute cost, NaN unless the purchase price is positive.
        day_change: in money.
        fund: whether it is a diversified fund.
    """

    holdings: Sequence[Holding | InvalidHolding]
    owner: Integers
    column: Integers
    currency: Sequence[str]
    fx_rate: Floats
    quantity: Floats
    avg_price: Floats
    market_value: Floats
    quoted_value: Floats
    size: Floats
    cost: Floats
    unrealized_pl_pct: Floats
    day_change: Floats
    fund: Booleans

    @property
    def unrealized_pl(self) -> Floats:
        """Return market value minus cost, in money."""
        return self.market_value - self.cost


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the positions of each portfolio, arrays of shape ``(portfolios,)``; NaN is unknown.

    Attributes:
        market_value: of what is priced, shorts negative, without cash.
        cash: negative when owed.
        total_value: market value plus cash.
        total_estimate: the total value plus the signed estimates of what is not priced.
        sides: absolute sizes of all long and of all short positions, estimates included, ``(2, portfolios)``.
        unpriced_cost: the sum of the absolute estimates.
        cost_basis: over the priced positions whose cost is known, as unrealized_pl and its percentage.
        day_change: over the positions that have one; its percentage is of their absolute values before.
        largest_value: absolute market value of the largest priced position.
        herfindahl_index: over the absolute market values of the priced positions.
        held: number of positions.
        unpriced: number of positions without a price.
        unsized: number of positions without even an estimate.
        finite: whether every sum is finite.
    """

    market_value: Floats
    cash: Floats
    total_value: Floats
    total_estimate: Floats
    sides: Floats
    unpriced_cost: Floats
    cost_basis: Floats
    unrealized_pl: Floats
    unrealized_pl_pct: Floats
    day_change: Floats
    day_change_pct: Floats
    largest_value: Floats
    herfindahl_index: Floats
    held: Integers
    unpriced: Integers
    unsized: Integers
    finite: Booleans

    @property
    def gross_value(self) -> Floats:
        """Return the sum of the absolute sizes of everything, estimates included."""
        gross: Floats = self.sides[0] + self.sides[1]
        return gross


def owned_by(portfolio: Portfolio) -> tuple[Holding | InvalidHolding, ...]:
    """Return all holdings of a portfolio, in the order of :class:`Positions`."""
    # Nearly always the same tuple, which costs nothing.
    return (*portfolio.holdings, *portfolio.invalid_holdings) if portfolio.invalid_holdings else portfolio.holdings


def value_positions(
    portfolios: Sequence[Portfolio],
    table: PriceTable,
    instruments: Mapping[str, Instrument],
    funds: frozenset[str],
    costs: Sequence[Mapping[str, float]] = (),
) -> tuple[Positions, Totals]:
    """Return every holding valued at the last close in the table's currency; ``funds`` are diversified funds.

    ``costs`` are by symbol, for each portfolio, where they are known better than by the purchase price.
    """
    owned = [owned_by(portfolio) for portfolio in portfolios]
    counts = np.array([len(own) for own in owned], dtype=np.int64)
    owner = np.repeat(np.arange(len(portfolios)), counts)
    holdings = [holding for own in owned for holding in own]
    column = np.array([table.columns.get(holding.symbol, -1) for holding in holdings], dtype=np.int64)
    for number in [n for n, portfolio in enumerate(portfolios) if portfolio.invalid_holdings]:
        last = int(counts[: number + 1].sum())
        column[last - len(portfolios[number].invalid_holdings) : last] = -1
    currency, fx_rate = _currencies(holdings, table.base)
    quantity = np.array([holding.quantity for holding in holdings], dtype=np.float64)
    multipliers = _multipliers(holdings, instruments)
    column[np.isnan(multipliers)] = -1  # one that cannot be read: a price says nothing of the value
    shares = quantity * multipliers
    avg_price = np.array([holding.avg_price for holding in holdings], dtype=np.float64)
    cost, paid = shares * avg_price * fx_rate + 0.0, avg_price > 0  # adding 0.0 turns the -0.0 of a short gift into 0.0
    for row in [row for row, number in enumerate(owner.tolist()) if costs[number]] if any(costs) else ():
        cost[row] = costs[owner[row]].get(holdings[row].symbol, cost[row])
    value = shares * of_symbol(table.close, column)
    # The same array where everything is quoted in one currency.
    quoted_value = value if table.close is table.quoted_close else shares * of_symbol(table.quoted_close, column)
    positions = Positions(
        holdings=holdings,
        owner=owner,
        column=column,
        currency=currency,
        fx_rate=fx_rate,
        quantity=quantity,
        avg_price=avg_price,
        market_value=value,
        quoted_value=quoted_value,
        size=np.where(column >= 0, value, np.where(paid, cost, np.nan)),
        cost=cost,
        unrealized_pl_pct=np.where(paid, 100 * (value - cost) / np.abs(cost), np.nan),
        day_change=value * of_symbol(table.day_return, column),
        fund=np.array([holding.symbol in funds for holding in holdings], dtype=np.bool_)
        if funds
        else np.zeros(len(holdings), dtype=np.bool_),
    )
    return positions, _totals(positions, portfolios)


def symbols_in(portfolios: Sequence[Portfolio]) -> set[str]:
    """Return the symbols that are held or watched in ``portfolios``."""
    symbols = {holding.symbol for portfolio in portfolios for holding in owned_by(portfolio)}
    symbols.update(symbol for portfolio in portfolios for symbol in portfolio.watchlist)
    return symbols


def diversified_funds(
    portfolios: Sequence[Portfolio], table: PriceTable, instruments: Mapping[str, Instrument]
) -> frozenset[str]:
    """Return the symbols held or watched in ``portfolios`` that are diversified funds."""
    if not instruments:
        return frozenset()
    symbols = symbols_in(portfolios)
    volatilities = dict(zip(table.columns, table.volatility.tolist(), strict=True))
    return frozenset(
        symbol
        for symbol in symbols & instruments.keys()
        if _is_diversified(instruments[symbol], volatilities.get(symbol, math.nan))
    )


def sum_by(owners: Integers, values: Floats, size: int) -> Floats:
    """Return the sum of ``values`` of each of ``size`` owners, numbered from 0; a NaN affects only its owner's sum."""
    sums: Floats = np.bincount(owners, weights=values, minlength=size)
    return sums.astype(np.float64, copy=False)  # of nothing they are integers


def count_by(owners: Integers, size: int) -> Integers:
    """Return how many of ``owners`` are each of ``size`` owners, numbered from 0."""
    return np.bincount(owners, minlength=size)


def largest_by(owners: Integers, values: Floats, size: int) -> Floats:
    """Return the largest of the ``values`` of each of ``size`` owners; NaN for an owner without values."""
    largest = np.full(size, np.nan)
    np.fmax.at(largest, owners, values)
    return largest


def of_symbol(figures: Floats, column: Integers) -> Floats:
    """Return the figures of symbols by their ``column``, NaN for a symbol without one, -1."""
    values: Floats = np.append(figures, np.nan)[column]
    return values


def _is_diversified(instrument: Instrument, volatility: float) -> bool:
    """Return whether it is a diversified fund; ``volatility`` is its own annual one, NaN if unknown."""
    if instrument.diversified is not None:
        return instrument.diversified and not volatility > _CALMEST_NO_FUND
    return instrument.kind in _FUND_KINDS and volatility <= _CALMEST_NO_FUND


def _currencies(holdings: Sequence[Holding | InvalidHolding], base: BaseCurrency) -> tuple[Sequence[str], Floats]:
    if base.of_everything:
        return [base.code] * len(holdings), np.ones(len(holdings))
    currencies = [
        (isinstance(holding, InvalidHolding) and holding.currency) or base.of(holding.symbol) for holding in holdings
    ]
    return currencies, np.array([base.rate(currency) for currency in currencies], dtype=np.float64)


def _multipliers(holdings: Sequence[Holding | InvalidHolding], instruments: Mapping[str, Instrument]) -> Floats | float:
    if not instruments:
        return 1.0
    found = [instruments.get(holding.symbol, _ANY_INSTRUMENT).multiplier for holding in holdings]
    return np.array(found, dtype=np.float64)


def _totals(positions: Positions, portfolios: Sequence[Portfolio]) -> Totals:
    size = len(portfolios)
    cash = np.array([portfolio.cash for portfolio in portfolios], dtype=np.float64)
    buying_power = np.array([portfolio.buying_power for portfolio in portfolios], dtype=np.float64)
    priced = positions.column >= 0
    owner, value = positions.owner[priced], positions.market_value[priced]
    market_value, gross = sum_by(owner, value, size), sum_by(owner, np.abs(value), size)
    shares = np.abs(value) / gross[owner]
    sized = ~np.isnan(positions.size) | priced
    long, short = (
        sum_by(positions.owner[sized], np.maximum(side * positions.size[sized], 0), size) for side in (1, -1)
    )
    estimated = sized & ~priced
    estimates, unpriced_owner = positions.size[estimated], positions.owner[estimated]
    cost_basis, unrealized_pl, unrealized_pl_pct, gross_cost = _profits(positions, size)
    day_change, day_change_pct = _day_change(positions, size)
    # Absolute sums bound all others: if they are finite, all are.
    bound = long + short + gross_cost + np.abs(cash) + np.abs(buying_power)
    return Totals(
        market_value=market_value,
        cash=cash,
        total_value=market_value + cash,
        total_estimate=market_value + cash + sum_by(unpriced_owner, estimates, size),
        sides=np.stack([long, short]),
        unpriced_cost=sum_by(unpriced_owner, np.abs(estimates), size),
        cost_basis=cost_basis,
        unrealized_pl=unrealized_pl,
        unrealized_pl_pct=unrealized_pl_pct,
        day_change=day_change,
        day_change_pct=day_change_pct,
        largest_value=largest_by(owner, np.abs(value), size),
        herfindahl_index=np.where(gross > 0, sum_by(owner, shares * shares, size), np.nan),
        held=count_by(positions.owner, size),
        unpriced=count_by(positions.owner[~priced], size),
        unsized=count_by(positions.owner[~sized], size),
        finite=np.isfinite(bound),
    )


def _profits(positions: Positions, size: int) -> tuple[Floats, Floats, Floats, Floats]:
    """Return cost, profit and profit in percent over the priced positions with a known cost, and all absolute costs."""
    known = (positions.column >= 0) & ~np.isnan(positions.cost)
    owner, cost, value = positions.owner[known], positions.cost[known], positions.market_value[known]
    net, gross = sum_by(owner, cost, size), sum_by(owner, np.abs(cost), size)
    basis = np.where(count_by(owner, size) > 0, net, np.nan)
    profit = sum_by(owner, value, size) - basis
    return basis, profit, _percent(profit, net, gross), gross


def _day_change(positions: Positions, size: int) -> tuple[Floats, Floats]:
    """Return the change in money and in percent, over the positions that have one."""
    known = ~np.isnan(positions.day_change)
    owner, change = positions.owner[known], positions.day_change[known]
    before = np.abs(positions.market_value[known] - change)
    total = np.where(count_by(owner, size) > 0, sum_by(owner, change, size), np.nan)
    base = sum_by(owner, before, size)
    return total, _percent(total, base, base)


def _percent(change: Floats, base: Floats, gross_base: Floats) -> Floats:
    return 100 * change / np.where(np.abs(base) <= CANCELED * gross_base, np.nan, np.abs(base))
