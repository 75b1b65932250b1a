"""Shared by providers of US prices over HTTP: the spellings of a symbol, the end of a trading day, a partial answer."""

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from analysis.prices import Bars
from analysis.spellings import respelled
from market_data.http_source import HttpSource, KeyPlaces
from market_data.provider import FetchedBars, MissingPrices, Provider, ProviderUnavailable, fetched_bars
from market_data.rates import RateSource, fetched_rates, is_rate
from records import PriceIssue

NEW_YORK = ZoneInfo("America/New_York")

_SESSION_OVER_HOUR = 18


class UsProvider[Rows](Provider):
    """A provider whose server returns ``Rows`` for each symbol, or for some of them until it fails."""

    keys: ClassVar[KeyPlaces]
    _symbol: ClassVar[re.Pattern[str]]
    """The form of the symbols that the provider may have, in its spelling."""
    _separator: ClassVar[str]
    """The character before the class of a share, in its spelling."""
    _version: str
    """The version of all its prices."""

    def __init__(
        self,
        source: HttpSource,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        rates: RateSource | None = None,
    ) -> None:
        self._source = source
        self._now = now
        self._rates = rates

    def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
        """As :meth:`Provider.daily_bars`; a day that is not over has no bar yet."""
        end = min(end, self.last_day())
        # Read before any request: a failure costs none.
        rates = FetchedBars({}, {}) if self._rates is None else fetched_rates(self._rates, symbols, start, end)
        names = self._names(symbol for symbol in symbols if self._rates is None or not is_rate(symbol))
        requested = sorted(set(filter(self._symbol.fullmatch, names.values()))) if start <= end else []
        found: dict[str, Rows] = {}

        def bars_of(symbol: str) -> tuple[Bars, tuple[PriceIssue, ...]]:
            if names[symbol] not in found:
                raise MissingPrices(symbol)
            return self._bars(symbol, found[names[symbol]])

        try:
            self._fetch(requested, start, end, found)
        except ProviderUnavailable as error:
            answered = [symbol for symbol, name in names.items() if name in found]
            error.fetched = fetched_bars(answered, bars_of, start, end).with_those_of(rates)
            raise
        return fetched_bars(names, bars_of, start, end).with_those_of(rates)

    def version(self, symbol: str) -> str:
        """As :meth:`Provider.version`."""
        if self._rates is not None and is_rate(symbol):
            return self._rates.version(symbol)
        return self._version

    def last_day(self) -> date:
        """As :meth:`Provider.last_day`: a bar is final two hours after the close."""
        local = self._now().astimezone(NEW_YORK)
        return local.date() if local.hour >= _SESSION_OVER_HOUR else local.date() - timedelta(days=1)

    def spelling(self, symbol: str) -> str:
        """As :meth:`Provider.spelling`."""
        return respelled(symbol, self._separator)

    def _names(self, symbols: Iterable[str]) -> dict[str, str]:
        """Return the provider's spelling of each symbol."""
        return {symbol: self.spelling(symbol) for symbol in symbols}

    @abstractmethod
    def _fetch(self, names: list[str], start: date, end: date, found: dict[str, Rows]) -> None:
        """Add the rows of each of ``names`` to ``found``; the rows of a name without prices may be left out."""

    @abstractmethod
    def _bars(self, symbol: str, rows: Rows) -> tuple[Bars, tuple[PriceIssue, ...]]:
        """Return the bars in the rows of a symbol, and their issues."""
