"""What a person's transactions and shares are worth in the base currency, on their own days; NaN is unknown."""

from collections.abc import Sequence
from datetime import date
from math import isfinite, nan

import numpy as np

from analysis.models import Holding
from analysis.returns.entries import CASH_TYPES, Entry, Person, as_dates, scales_of
from analysis.returns.ledger import Transaction

_MOST_DAYS_WAITING = 10


class Amounts:
    """The amounts of one person's entries in the base currency."""

    def __init__(self, person: Person, entries: Sequence[Entry]) -> None:
        """Read the splits of the entries, which tell in which shares a close is."""
        self._market = person.market
        self._base = person.base
        self._accounts = person.account_currencies
        self._today = person.today
        self._scales = scales_of(entries)
        self._as_of: date = person.market.prices.as_of.item()
        self._days = sorted({self._as_of, *(entry.day for entry in entries)})
        self._rates: dict[str, dict[date, float]] = {}

    def rate(self, currency: str, day: date) -> float:
        """Return the units of base currency for one of another on a day."""
        if currency not in self._rates:
            self._rates[currency] = self._on(currency, self._days)
        rates = self._rates[currency]
        if day not in rates:
            rates |= self._on(currency, [day])
        return rates[day]

    def factor(self, entry: Entry) -> float:
        """Return the units of base currency for one of the transaction's: by its own rate, else by that of its day.

        Its own rate leads to the currency of the account, and counts only between different currencies.
        """
        own, of_account = entry.transaction, self._accounts.get(entry.account_id, self._base)
        currency, rate = own.currency, 1.0
        if not currency:
            of_symbol = own.symbol and own.type not in CASH_TYPES
            currency = self._market.currency(own.symbol) if of_symbol else of_account
        if own.fx_rate is not None and currency != of_account:
            currency, rate = of_account, own.fx_rate
        return rate if currency == self._base else rate * self.rate(currency, entry.day)

    def paid(self, entry: Entry) -> float:
        """Return the cost of a purchase with fee and tax."""
        own = entry.transaction
        amount = self._gross(own) + own.fee + own.tax if own.amount is None else abs(own.amount)
        return amount * self.factor(entry)

    def received(self, entry: Entry) -> float:
        """Return what a sale brought, net of fee and tax; of a return of capital, what it paid."""
        own = entry.transaction
        computed = self._gross(own) - own.fee - own.tax
        if own.amount is None:
            amount = computed
        elif own.type == "return_of_capital":
            amount = own.amount
        else:  # a sale whose costs are larger than it is paid
            amount = -abs(own.amount) if computed < 0 else abs(own.amount)
        return amount * self.factor(entry)

    def income(self, entry: Entry) -> float:
        """Return a dividend or interest before fee and tax; negative where it was paid to others."""
        own = entry.transaction
        gross = self._gross(own) if own.amount is None else own.amount + own.fee + own.tax
        return gross * self.factor(entry)

    def transferred(self, entry: Entry) -> float:
        """Return the cost of shares transferred in: what they bring in ``price``, else their value on the day."""
        own = entry.transaction
        costs = (own.fee + own.tax) * self.factor(entry) if own.fee or own.tax else 0.0
        if own.price is not None:
            return self._gross(own) * self.factor(entry) + costs
        return (own.quantity or 0.0) * self.share(own.symbol, entry.day) + costs

    def share(self, symbol: str, day: date) -> float:
        """Return the value of a share of ``day`` at the close of that day, after the calendar at the last one."""
        return self._worth(symbol, self._row(day), day, day)

    def share_before(self, symbol: str, day: date) -> float:
        """Return the value of a share of ``day`` at the close before that day, and at the rate of the day."""
        row = self._row(day) - 1
        return self._worth(symbol, row, day, day) if row >= 0 else nan

    def first_shares(self, symbols: Sequence[str], day: date) -> list[float]:
        """Return the values of a share of each symbol at the first closes: of the first day on which all have one.

        NaN if there is none within ten days of the calendar.
        """
        start, dates = self._row(day), self._market.prices.dates
        for row in range(start, min(start + _MOST_DAYS_WAITING + 1, len(dates))):
            values = [self._worth(symbol, row, day, dates[row].item()) for symbol in symbols]
            if all(isfinite(value) for value in values):
                return values
        return [nan] * len(symbols)

    def share_today(self, symbol: str) -> float:
        """Return the value of a share of today at the last close, and at the last day's rate."""
        return self._worth(symbol, len(self._market.prices.dates) - 1, self._today, self._as_of)

    def cost_today(self, holding: Holding) -> float:
        """Return what a holding cost by its ``avg_price``, at the last day's rate."""
        if holding.avg_price is None:
            return nan
        local = holding.quantity * holding.avg_price * self._market.multiplier(holding.symbol)
        return local * self.rate(self._market.currency(holding.symbol), self._as_of)

    def _worth(self, symbol: str, row: int, day: date, rate_day: date) -> float:
        """Return the value of a share of ``day`` at the close in a row of the calendar, and at a day's rate."""
        column = self._market.prices.columns.get(symbol)
        if column is None:
            return nan
        close = float(self._market.prices.close[column, row]) * self._shares(symbol, row, day)
        return close * self._market.multiplier(symbol) * self.rate(self._market.currency(symbol), rate_day)

    def _gross(self, own: Transaction) -> float:
        if own.quantity is None or own.price is None:
            return nan
        return own.quantity * own.price * self._market.multiplier(own.symbol)

    def _row(self, day: date) -> int:
        """Return the row of a day of the calendar; later days have the last."""
        dates = self._market.prices.dates
        return min(int(dates.searchsorted(np.datetime64(day, "D"))), len(dates) - 1)

    def _on(self, currency: str, days: Sequence[date]) -> dict[date, float]:
        """Return the rates of some days."""
        rates = self._market.rates.between(currency, self._base, as_dates(days))
        return dict(zip(days, rates.tolist(), strict=True))

    def _shares(self, symbol: str, row: int, day: date) -> float:
        """Return how many shares of the close in a row are one share of ``day``."""
        closed: date = self._market.prices.dates[row].item()
        shares = 1.0
        for split, ratio in self._scales.get(symbol, ()):
            if self._market.prices.in_new_shares(symbol, np.datetime64(split, "D"), ratio):
                # All closes are in shares after the split.
                shares *= ratio if split > day else 1.0
            elif split > day:
                shares *= ratio if split <= closed else 1.0
            elif split > closed:
                shares /= ratio
        return shares
