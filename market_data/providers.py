"""Which provider the settings name."""

import atexit
from collections.abc import Callable
from typing import TYPE_CHECKING

from market_data.provider import Provider
from settings import KeyName, MarketDataServer, Settings

if TYPE_CHECKING:
    from market_data.http_source import RequestLimit


def provider_from(
    settings: Settings, key: Callable[[KeyName], str], limit: "Callable[[str, int], RequestLimit]"
) -> Provider:
    """Make the provider that ``settings`` name; its module, and what it needs, is imported only then.

    One that is asked over HTTP takes its keys from ``key``, again for each request, and keeps to the ``limit`` of its
    name and so many requests a minute.
    """
    match settings.market_data_provider:
        case "sample":
            from market_data.sample_prices import SampleProvider  # noqa: PLC0415 - only the one that is used

            return SampleProvider()
        case "csv":
            from market_data.csv_files import CsvProvider  # noqa: PLC0415 - only the one that is used

            if settings.prices_dir is None:
                raise ValueError("the csv provider needs PRICES_DIR")
            return CsvProvider(settings.prices_dir)
        case "alpaca":
            return _alpaca(_server(settings), key, limit)


def _alpaca(
    server: MarketDataServer, key: Callable[[KeyName], str], limit: "Callable[[str, int], RequestLimit]"
) -> Provider:
    from market_data.alpaca import KEYS, AlpacaProvider  # noqa: PLC0415 - only the one that is used
    from market_data.http_source import HttpSource  # noqa: PLC0415 - httpx is slow to import

    source = HttpSource("alpaca", server, KEYS, key, limit("alpaca", server.requests_per_minute))
    atexit.register(source.close)
    return AlpacaProvider(source, server.feed)


def _server(settings: Settings) -> MarketDataServer:
    if settings.market_data_server is None:
        raise ValueError(f"the {settings.market_data_provider} provider needs a server")
    return settings.market_data_server
