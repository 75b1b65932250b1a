"""The provider that the settings name."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from market_data.provider import Provider
from settings import KeyName, Settings

if TYPE_CHECKING:
    from market_data.http_source import HttpSource, KeyPlaces, RequestLimit
    from market_data.rates import RateSource

type Limits = Callable[[str, int], RequestLimit]


def provider_from(settings: Settings, key: Callable[[KeyName], str], limit: Limits) -> Provider:
    """Return the provider that ``settings`` name; its module, and its requirements, are imported only then.

    A provider over HTTP takes its keys from ``key``, again for each request, and respects the ``limit`` for its name
    and its requests per minute.
    """
    rates = _rates(settings.rates_dir)
    match settings.market_data_provider:
        case "sample":
            from market_data.sample_prices import SampleProvider

            return SampleProvider(rates)
        case "csv":
            from market_data.csv_files import CsvProvider

            if settings.prices_dir is None:
                raise ValueError("the csv provider needs PRICES_DIR")
            return CsvProvider(settings.prices_dir, rates)
        case "alpaca":
            from market_data.alpaca import AlpacaProvider

            return AlpacaProvider(_source(settings, AlpacaProvider.keys, key, limit), rates=rates)
        case "alphavantage":
            from market_data.alphavantage import AlphaVantageProvider

            return AlphaVantageProvider(_source(settings, AlphaVantageProvider.keys, key, limit), rates=rates)


def _rates(folder: Path | None) -> "RateSource | None":
    if folder is None:
        return None
    from market_data.rate_files.folder import RateFolder

    return RateFolder(folder)


def _source(settings: Settings, places: "KeyPlaces", key: Callable[[KeyName], str], limit: Limits) -> "HttpSource":
    from market_data.http_source import HttpSource

    name, server = settings.market_data_provider, settings.market_data_server
    if server is None:
        raise ValueError(f"the {name} provider needs a server")
    return HttpSource(name, server, places, key, limit(name, server.requests_per_minute))
