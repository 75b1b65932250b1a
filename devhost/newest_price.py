"""The source of prices and its newest date, in words: what a start tells of them."""

from datetime import date

from pymongo.errors import PyMongoError

from analysis.price_issues import OLD_WEEKDAYS, weekdays_between
from analysis.prices import Bars, as_date
from devhost.formats import counted
from devhost.mongodb import reason_of
from market_data.provider import KeyRefused
from market_data.providers import provider_from
from settings import KeyName, Settings
from stores.mongo import connect, own_database
from stores.rate_limit import Rate, RateLimit
from stores.symbols import PriceStore


def prices_of(settings: Settings, mongodb_url: str, today: date) -> str:
    """Return the source of prices and the newest date of the benchmark, which is the newest date of a run."""
    bars, fault = _stored(settings, mongodb_url) if settings.market_data_server else _in_files(settings)
    if bars is None:
        return f"{_source(settings)}, {fault}"
    newest = as_date(bars.dates[-1])
    if settings.market_data_provider == "sample":
        return f"{_source(settings)}, up to {newest}: it ends there on purpose"
    age = weekdays_between(newest, today)
    old = f", {age:,} weekdays ago: check the source of prices" if age > OLD_WEEKDAYS else ""
    return f"{_source(settings)}, {settings.benchmark_symbol} up to {newest}{old}"


def _source(settings: Settings) -> str:
    if settings.market_data_provider == "sample":
        return "the sample"
    if settings.market_data_provider == "csv" and settings.prices_dir:
        count = sum(path.is_file() for path in settings.prices_dir.iterdir())
        return f"{counted(count, 'file')} in {settings.prices_dir}"
    return settings.market_data_provider


def _stored(settings: Settings, mongodb_url: str) -> tuple[Bars | None, str]:
    """Return the benchmark's stored prices, or why there are none; a request could be one of the few of a day."""
    symbol = settings.benchmark_symbol
    try:
        with connect(mongodb_url) as client:
            history = PriceStore(own_database(client, settings.mongodb_database)).load([symbol]).get(symbol)
    except PyMongoError as error:
        return None, f"the stored ones cannot be read: {reason_of(error)}"
    if history is None or not len(history.bars.dates):
        return None, "none stored yet: the first run requests them"
    return history.bars, ""


def _in_files(settings: Settings) -> tuple[Bars | None, str]:
    """Return the benchmark's prices, or why there are none."""

    def no_key(name: KeyName) -> str:
        raise KeyRefused(name)

    symbol = settings.benchmark_symbol
    provider = provider_from(settings, no_key, lambda name, rate: RateLimit(None, name, Rate(rate)))
    fetched = provider.daily_bars([symbol], date.min, provider.last_day())
    if error := fetched.errors.get(symbol):
        return None, f"but the benchmark has none ({error}): see BENCHMARK_SYMBOL"
    return fetched.bars[symbol], ""
