"""Exchange rates as prices of pseudo-symbols: that of ``$USD`` is the number of dollars for one euro.

They are requested, stored and continued like prices. No user can hold such a symbol: a user's have no dollar sign.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Protocol

from analysis.prices import Bars
from market_data.provider import FetchedBars, fetched_bars

_MARK = "$"
_RATE = re.compile(r"\$[A-Z]{3}")


def rate_symbol(currency: str) -> str:
    """Return the pseudo-symbol of the rates of a major currency."""
    return _MARK + currency


def is_rate(symbol: str) -> bool:
    """Return whether a symbol is that of a currency's rates."""
    return _RATE.fullmatch(symbol) is not None


def currency_of(symbol: str) -> str:
    """Return the currency of a pseudo-symbol."""
    return symbol.removeprefix(_MARK)


class RateSource(Protocol):
    """A source of exchange rates that a provider asks instead of its own, if it has any."""

    def rates(self, symbol: str) -> Bars:
        """Return all rates of a pseudo-symbol, which are both closes and adjusted closes.

        Raises:
            PricesError: the source has none, or they break a rule.
            ProviderUnavailable: nothing is available from the source now.
        """
        ...

    def version(self, symbol: str) -> str:
        """Return a name of the source and its data for a pseudo-symbol, as :meth:`Provider.version`."""
        ...


def fetched_rates(source: RateSource, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
    """Return the rates of those ``symbols`` that are pseudo-symbols, as :meth:`Provider.daily_bars`."""
    return fetched_bars(filter(is_rate, symbols), lambda symbol: (source.rates(symbol), ()), start, end)
