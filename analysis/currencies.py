"""Currencies: their minor units, and the rates of each day against the euro, as the European Central Bank has them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from analysis.models import Dates, Floats

MOST_DAYS_OLD = 10
"""Calendar days for which the last rate counts on days without one."""

_EURO = "EUR"
_MINOR_UNITS = {"GBX": "GBP", "GBp": "GBP", "ZAc": "ZAR", "ILA": "ILS"}
_OF_MAJOR = 0.01


def major(currency: str) -> str:
    """Return the currency that a code stands for: pence are pounds."""
    return _MINOR_UNITS.get(currency, currency)


def unit(currency: str) -> float:
    """Return the value of one unit in its major currency: 0.01 of a penny, else 1."""
    return _OF_MAJOR if currency in _MINOR_UNITS else 1.0


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of major currencies: units for one euro, by day, ascending; ``per_euro[currency]`` is (dates, rates).

    A currency without rates is in none of them; the euro needs none.
    """

    per_euro: Mapping[str, tuple[Dates, Floats]]

    def between(self, currency: str, base: str, days: Dates) -> Floats:
        """Return the units of ``base`` for one of ``currency`` on each of some days; NaN without a rate.

        A day without a rate takes the last one, at most ten calendar days old. Crosses go through the euro. Minor units
        need no rate to their own major currency.
        """
        factor = unit(currency) / unit(base)
        own, other = major(currency), major(base)
        if own == other:
            return np.full(len(days), factor)
        rates: Floats = factor * self._on(other, days) / self._on(own, days)
        return rates

    def _on(self, currency: str, days: Dates) -> Floats:
        if currency == _EURO:
            return np.ones(len(days))
        known = self.per_euro.get(currency)
        if known is None or not len(known[0]):
            return np.full(len(days), np.nan)
        dates, rates = known
        rows = dates.searchsorted(days, "right") - 1
        fresh = (rows >= 0) & (days - dates[rows] <= np.timedelta64(MOST_DAYS_OLD, "D"))
        return np.where(fresh, rates[rows], np.nan)


NO_RATES = Rates({})
"""No rate at all: everything is in one currency."""


@dataclass(frozen=True, slots=True)
class Currencies:
    """The currencies of a run: ``of_symbol`` as instruments say, ``default`` of all other symbols."""

    default: str
    benchmark: str
    of_symbol: Mapping[str, str]
    rates: Rates

    def of(self, symbol: str) -> str:
        """Return the currency in which a symbol is quoted."""
        return self.of_symbol.get(symbol, self.default)

    def assumed(self, symbols: Iterable[str]) -> list[str]:
        """Return those of the symbols whose currency nobody says."""
        return [symbol for symbol in symbols if symbol not in self.of_symbol]


class BaseCurrency:
    """The currency of a table, with what one unit of others is worth in it on the table's date."""

    def __init__(self, code: str, currencies: Currencies, as_of: date) -> None:
        self.code = code
        self.of_everything = currencies.default == code and set(currencies.of_symbol.values()) <= {code}
        """Whether everything is quoted in this currency."""
        self.currencies = currencies
        self._day = np.array([as_of], dtype="datetime64[D]")
        self._rates: dict[str, float] = {code: 1.0}

    def of(self, symbol: str) -> str:
        """Return the currency in which a symbol is quoted."""
        return self.currencies.of(symbol)

    def rate(self, currency: str) -> float:
        """Return what one unit of a currency is worth, NaN without a rate."""
        if currency not in self._rates:
            self._rates[currency] = float(self.currencies.rates.between(currency, self.code, self._day)[0])
        return self._rates[currency]


AS_QUOTED = BaseCurrency("USD", Currencies("USD", "USD", {}, NO_RATES), date.min)
"""The base currency of a table before its prices are in one."""
