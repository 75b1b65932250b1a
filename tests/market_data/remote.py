"""Providers that ask a server of our own, at no more than the pace of a clock that tests move."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from market_data.alpaca import KEYS as ALPACA_KEYS
from market_data.alpaca import AlpacaProvider
from market_data.http_source import HttpSource
from market_data.provider import Provider
from settings import MarketDataServer
from stores.rate_limit import OwnBucket, Rate, RateLimit
from tests.clock import Clock
from tests.market_data.made_up import made_up_market
from tests.market_data.provider_apis import KEYS, alpaca
from tests.market_data.provider_server import ProviderServer, a_provider_server

REMOTE = ("alpaca",)
_APIS = {"alpaca": alpaca}
_PLACES = {"alpaca": ALPACA_KEYS}


@contextmanager
def a_remote_provider(
    api: str,
    clock: Clock | None = None,
    *,
    feed: str = "iex",
    key: Callable[[str], str] = KEYS.__getitem__,
    now: Callable[[], datetime] | None = None,
    read_seconds: float = 30.0,
    concurrency: int = 4,
) -> Iterator[tuple[Provider, ProviderServer]]:
    """Give a provider and the server it asks; it waits by moving the clock."""
    clock = clock or Clock()
    limit = RateLimit(None, OwnBucket(Rate(100_000), clock), clock, clock.advance)
    with a_provider_server(_APIS[api], dict(made_up_market())) as server:
        settings = MarketDataServer(server.url, feed, 100_000, concurrency, {})
        source = HttpSource(api, settings, _PLACES[api], key, limit, read_seconds, clock.advance)
        try:
            yield AlpacaProvider(source, feed, *([now] if now else [])), server
        finally:
            source.close()
