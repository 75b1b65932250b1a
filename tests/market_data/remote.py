"""Providers that use a local server, with a rate limit by a clock that tests advance."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import replace
from datetime import UTC, datetime
from typing import Any

from market_data.alpaca import AlpacaProvider
from market_data.alphavantage import AlphaVantageProvider
from market_data.http_source import HttpSource
from market_data.provider import Provider
from market_data.us_market import UsProvider
from settings import MarketDataServer
from stores.rate_limit import Rate, RateLimit
from tests.clock import Clock
from tests.market_data.made_up import made_up_market
from tests.market_data.provider_apis import KEYS, alpaca, alphavantage
from tests.market_data.provider_server import ProviderServer, a_provider_server

REMOTE = ("alpaca", "alphavantage")
GENEROUS = MarketDataServer("", "iex", requests_per_minute=100_000, concurrency=4, keys={})
_APIS = {"alpaca": alpaca, "alphavantage": alphavantage}
_PROVIDERS: dict[str, type[UsProvider[Any]]] = {"alpaca": AlpacaProvider, "alphavantage": AlphaVantageProvider}


@contextmanager
def a_remote_provider(
    api: str,
    clock: Clock | None = None,
    settings: MarketDataServer = GENEROUS,
    key: Callable[[str], str] = KEYS.__getitem__,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    read_seconds: float = 30.0,
) -> Iterator[tuple[Provider, ProviderServer]]:
    """Yield a provider and its server; the provider waits by advancing the clock."""
    clock = clock or Clock()
    limit = RateLimit(None, api, Rate(settings.requests_per_minute), clock, clock.advance)
    with a_provider_server(_APIS[api], dict(made_up_market())) as server:
        settings = replace(settings, url=server.url)
        source = HttpSource(api, settings, _PROVIDERS[api].keys, key, limit, read_seconds, clock.advance)
        try:
            yield _PROVIDERS[api](source, now), server
        finally:
            source.close()
