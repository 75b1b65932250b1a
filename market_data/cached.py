"""A provider with a cache: a symbol is requested only if there is no usable copy."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

from opentelemetry import metrics

from analysis.prices import Bars
from market_data.provider import FetchedBars, Listing, Provider, ProviderUnavailable

_lookups = metrics.get_meter("portfolio_analysis").create_counter(
    "portfolio_analysis.price_cache.lookups", "{symbol}", "Symbols looked for in the cache of prices."
)


class BarsCache(Protocol):
    """A cache of bars by key, which may lose them at any time."""

    def get(self, keys: Sequence[str]) -> dict[str, Bars]:
        """Return the bars of the cached ``keys``."""
        ...

    def put(self, bars: Mapping[str, Bars]) -> None:
        """Store the bars for a while."""
        ...


class CachedProvider:
    """A provider with a cache. Errors are never cached, nor are doubtful prices: these are requested again."""

    def __init__(self, provider: Provider, cache: BarsCache) -> None:
        self._provider = provider
        self._cache = cache

    @property
    def symbols_per_batch(self) -> int:
        """As :attr:`Provider.symbols_per_batch`."""
        return self._provider.symbols_per_batch

    def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
        """As :meth:`Provider.daily_bars`."""
        keys = {symbol: f"bars:{self._provider.version(symbol)}:{symbol}:{start}:{end}" for symbol in symbols}
        cached = self._cache.get(list(keys.values()))
        known = {symbol: cached[key] for symbol, key in keys.items() if key in cached}
        _lookups.add(len(known), {"outcome": "hit"})
        _lookups.add(len(keys) - len(known), {"outcome": "miss"})
        try:
            fetched = self._provider.daily_bars([symbol for symbol in keys if symbol not in known], start, end)
        except ProviderUnavailable as error:
            self._put(error.fetched, keys)  # the next attempt goes on from there
            raise
        self._put(fetched, keys)
        return FetchedBars(known | fetched.bars, fetched.errors, fetched.issues)

    def _put(self, fetched: FetchedBars, keys: Mapping[str, str]) -> None:
        self._cache.put({keys[symbol]: bars for symbol, bars in fetched.bars.items() if symbol not in fetched.issues})

    def version(self, symbol: str) -> str:
        """As :meth:`Provider.version`."""
        return self._provider.version(symbol)

    def last_day(self) -> date:
        """As :meth:`Provider.last_day`."""
        return self._provider.last_day()

    def listings(self, symbols: Sequence[str], since: date) -> dict[str, Listing]:
        """As :meth:`Provider.listings`."""
        return self._provider.listings(symbols, since)
