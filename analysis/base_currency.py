"""The prices of a run in the base currency of a person: what is quoted in others moves with their rates, too."""

from collections.abc import Collection, Sequence
from copy import replace
from datetime import date

import numpy as np

from analysis.currencies import BaseCurrency, Currencies
from analysis.measures import optional
from analysis.models import Dates, Floats, Integers, InvalidHolding, Portfolio
from analysis.price_table import (
    MIN_OBSERVATIONS,
    RETURN_HORIZONS,
    PriceTable,
    SymbolFigures,
    own_risk,
    reported,
)
from analysis.returns.payments import Payments
from analysis.stress import EPISODE_DAYS

# Symbols converted together: few enough for their returns to stay in the outer cache.
_TOGETHER = 32


# A rate that is not known is NaN, and so is what depends on it.
@np.errstate(all="ignore")
def in_base_currency(
    table: PriceTable, code: str, currencies: Currencies, symbols: Collection[str] | None = None
) -> PriceTable:
    """Return the table, whose prices are as quoted, in the currency ``code``.

    Only columns of ``symbols`` are needed, by default of all. A return is (1 + local return)(1 + return of the rate) -
    1. The usable history of a symbol begins after the last day without a rate; a symbol whose currency has no rate
    today has no column.
    """
    base = BaseCurrency(code, currencies, table.as_of)
    if base.of_everything and currencies.benchmark == code:
        return replace(table, base=base)
    wanted = table.columns if symbols is None else [symbol for symbol in table.columns if symbol in symbols]
    priced = [symbol for symbol in wanted if not np.isnan(base.rate(base.of(symbol)))]
    kept = np.array([table.columns[symbol] for symbol in priced], dtype=np.int64)
    rates = _Rates(currencies, code, [base.of(symbol) for symbol in priced])
    of_day = rates.by_currency(table.dates)
    first_day = np.maximum(table.first_day[kept], _days_without(of_day)[rates.number])
    returns = _converted(table, kept, of_day[1:] / of_day[:-1] - 1, rates.number, first_day)
    benchmark = _compounded(table.benchmark_returns, rates.moves_of(currencies.benchmark, table.dates))
    included = table.included[kept] & (len(returns) - first_day >= MIN_OBSERVATIONS)
    volatility, beta = own_risk(returns, benchmark, first_day, included)
    now = of_day[-1, rates.number]
    start, end = (rates.on(days) for days in EPISODE_DAYS)
    figures = [table.figures[symbol] for symbol in priced]
    in_base = _figures(figures, of_day, rates.number, first_day, volatility, beta)
    return replace(
        table,
        base=base,
        benchmark_returns=benchmark,
        columns={symbol: column for column, symbol in enumerate(priced)},
        returns=returns,
        first_day=first_day,
        included=included,
        close=table.close[kept] * now,
        quoted_close=table.quoted_close[kept],
        day_return=_day_returns(table.day_return[kept], table.day_before[kept], rates, now),
        day_before=table.day_before[kept],
        volatility=volatility,
        episode_returns=np.where(included, _compounded(table.episode_returns[:, kept], end / start - 1), np.nan),
        payments=_paid(table.payments.of(kept), rates),
        figures=dict(zip(priced, in_base, strict=True)),
        reported=reported(in_base),
    )


def with_cash_in(portfolio: Portfolio, base: BaseCurrency, as_of: date) -> Portfolio:
    """Return the portfolio with the cash and buying power of all its accounts in one currency.

    Cash without a rate is reported like a holding that cannot be read: it is a part of unknown value.
    """
    foreign = [account for account in portfolio.accounts if account.currency != base.code]
    if not foreign:
        return portfolio
    rates = [base.rate(account.currency) for account in portfolio.accounts]
    known = [(own, rate) for own, rate in zip(portfolio.accounts, rates, strict=True) if not np.isnan(rate)]
    unknown = [own for own, rate in zip(portfolio.accounts, rates, strict=True) if np.isnan(rate) and own.cash]
    lost = [
        InvalidHolding(f"{own.currency} cash", f"no rate in {base.code} on {as_of}", own.cash, currency=own.currency)
        for own in unknown
    ]
    return replace(
        portfolio,
        cash=sum(own.cash * rate for own, rate in known),
        buying_power=sum(own.buying_power * rate for own, rate in known),
        invalid_holdings=(*portfolio.invalid_holdings, *lost),
    )


class _Rates:
    """The rates of the currencies of some symbols in one currency, each currency looked up once.

    ``number`` is that of the currency of each symbol, ``(symbols,)``.
    """

    def __init__(self, currencies: Currencies, code: str, of_symbols: Sequence[str]) -> None:
        self._rates, self._code = currencies.rates, code
        self._distinct = sorted(set(of_symbols))
        number = {currency: place for place, currency in enumerate(self._distinct)}
        self.number: Integers = np.array([number[currency] for currency in of_symbols], dtype=np.int64)

    def by_currency(self, days: Dates) -> Floats:
        """Return the rate of each currency on each day, ``(days, currencies)``; NaN without one."""
        every = [self._rates.between(currency, self._code, days) for currency in self._distinct]
        rates: Floats = np.array(every, dtype=np.float64).reshape(len(every), len(days)).T
        return rates

    def on(self, days: Dates) -> Floats:
        """Return the rate of each symbol's currency on each day, ``(days, symbols)``; NaN without one."""
        return self.by_currency(days)[:, self.number]

    def of_columns(self, columns: Integers, days: Dates) -> Floats:
        """Return the rates of the currencies of some symbols, each on a day of its own, ``(columns,)``."""
        rates, numbers = np.full(len(days), np.nan), self.number[columns]
        for place, currency in enumerate(self._distinct):
            own = numbers == place
            rates[own] = self._rates.between(currency, self._code, days[own])
        return rates

    def moves_of(self, currency: str, days: Dates) -> Floats:
        """Return the return of one currency's rate on each day but the first."""
        rates = self._rates.between(currency, self._code, days)
        moves: Floats = rates[1:] / rates[:-1] - 1
        return moves


def _paid(payments: Payments, rates: _Rates) -> Payments:
    """Return the payments at the rates of their days, without those of days without one."""
    amount = payments.amount * rates.of_columns(payments.column, payments.day)
    known = ~np.isnan(amount)
    return Payments(payments.column[known], payments.day[known], amount[known], payments.without)


def _converted(table: PriceTable, kept: Integers, moves: Floats, number: Integers, first_day: Integers) -> Floats:
    """Return the returns of the symbols in the columns ``kept``, ``(observations, symbols)``, as those of a table.

    ``moves`` are those of the rates, ``(observations, currencies)``; ``number`` is the currency's, ``(symbols,)``.
    """
    # Some symbols after the other: for all at once, copies would take several times the memory of the result.
    local, of_currency = table.returns.T, np.ascontiguousarray(moves.T)
    returns = np.empty((len(kept), len(moves)))
    before = np.arange(len(moves))
    for first in range(0, len(kept), _TOGETHER):
        some = slice(first, first + _TOGETHER)
        own = _compounded(local[kept[some]], of_currency[number[some]])
        own[before < first_day[some, None]] = 0
        returns[some] = own
    return returns.T


def _compounded(local: Floats, moves: Floats) -> Floats:
    """Return the returns in base; exactly the local ones where the rate does not move."""
    returns: Floats = local + moves + local * moves
    return returns


def _days_without(rates: Floats) -> Integers:
    """Return the first day after the last one without a rate, ``(symbols,)``."""
    missing = np.isnan(rates)
    last = len(rates) - missing[::-1].argmax(axis=0)
    return np.where(missing.any(axis=0), last, 0)


def _day_returns(local: Floats, day_before: Dates, rates: _Rates, now: Floats) -> Floats:
    """Return 1 - value before / value now, each at its day's rate; a price that is not new has no change."""
    dated = ~np.isnat(day_before)
    before = rates.of_columns(np.arange(len(now)), np.where(dated, day_before, np.datetime64(0, "D")))
    return np.where(dated, 1 - (1 - local) * before / now, local)


def _figures(
    local: Sequence[SymbolFigures],
    of_day: Floats,
    number: Integers,
    first_day: Integers,
    volatility: Floats,
    beta: Floats,
) -> list[SymbolFigures]:
    observations = len(of_day) - 1 - first_day
    recent = [_recent_returns(local, days, of_day, number, observations) for days in RETURN_HORIZONS]
    too_short = (observations < MIN_OBSERVATIONS).tolist()
    rows = zip(
        local, too_short, *recent, optional(volatility), optional(beta), of_day[-1, number].tolist(), strict=True
    )
    return [
        SymbolFigures(own.price, own.price_date, "short" if short and own.history == "enough" else own.history, *values)
        for own, short, *values in rows
    ]


def _recent_returns(
    local: Sequence[SymbolFigures], days: int, of_day: Floats, number: Integers, observations: Integers
) -> list[float | None]:
    if days >= len(of_day):
        return [None] * len(local)
    own = np.array([getattr(figures, f"return_{days}d") for figures in local], dtype=np.float64)
    returns = _compounded(own, (of_day[-1] / of_day[-1 - days] - 1)[number])
    return optional(np.where(observations >= days, returns, np.nan))
