"""The provider that the settings name."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from market_data.provider import Provider
from settings import KeyName, Settings

if TYPE_CHECKING:
    from market_data.http_source import HttpSource, KeyPlaces, RequestLimit

type Limits = Callable[[str, int], RequestLimit]


def provider_from(settings: Settings, key: Callable[[KeyName], str], limit: Limits) -> Provider:
    """Return the provider that ``settings`` name; its module, and its requirements, are imported only then.

    A provider over HTTP takes its keys from ``key``, again for each request, and respects the ``limit`` for its name
    and its requests per minute.
    """
    match settings.market_data_provider:
        case "sample":
            from market_data.sample_prices import SampleProvider

            return SampleProvider()
        case "csv":
            from market_data.csv_files import CsvProvider

            if settings.prices_dir is None:
                raise ValueError("the csv provider needs PRICES_DIR")
            return CsvProvider(settings.prices_dir)
        case "alpaca":
            from market_data.alpaca import AlpacaProvider

            return AlpacaProvider(_source(settings, AlpacaProvider.keys, key, limit))
        case "alphavantage":
            from market_data.alphavantage import AlphaVantageProvider

            return AlphaVantageProvider(_source(settings, AlphaVantageProvider.keys, key, limit))


def _source(settings: Settings, places: "KeyPlaces", key: Callable[[KeyName], str], limit: Limits) -> "HttpSource":
    from market_data.http_source import HttpSource

    name, server = settings.market_data_provider, settings.market_data_server
    if server is None:
        raise ValueError(f"the {name} provider needs a server")
    return HttpSource(name, server, places, key, limit(name, server.requests_per_minute))
