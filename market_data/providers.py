"""Which provider the settings name."""

from market_data.provider import Provider
from settings import Settings


def provider_from(settings: Settings) -> Provider:
    """Make the provider that ``settings`` name; its module is imported only then."""
    match settings.market_data_provider:
        case "sample":
            from market_data.sample_prices import SampleProvider  # noqa: PLC0415 - only the one that is used

            return SampleProvider()
        case "csv":
            from market_data.csv_files import CsvProvider  # noqa: PLC0415 - only the one that is used

            if settings.prices_dir is None:
                raise ValueError("the csv provider needs PRICES_DIR")
            return CsvProvider(settings.prices_dir)
