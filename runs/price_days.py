"""The days that a run can be as of: those of the benchmark's prices."""

from datetime import date

from analysis.prices import Bars, as_date, clean
from market_data.provider import ProviderUnavailable
from records import PriceDays
from runs.prices import OVERLAP
from runs.services import Services


def price_days(services: Services) -> PriceDays:
    """Return the days of the first and the last price, as far as they are known.

    Files are read; a source with a server is not asked, as it may take minutes: what is stored of it tells when its
    prices begin, and its clock when they end.
    """
    settings, symbol = services.settings, services.settings.benchmark_symbol
    if settings.market_data_server is not None:
        own = services.prices.load([symbol]).get(symbol)
        first, _ = _ends(None if own is None else own.bars)
        # Prices that begin on the first days that were asked for may have begun before them.
        begin = first if own is not None and first is not None and first > own.start + OVERLAP else None
        return PriceDays(begin, services.provider.last_day())
    try:
        bars = services.provider.daily_bars([symbol], date.min, services.provider.last_day()).bars.get(symbol)
    except ProviderUnavailable:  # the run will say so
        bars = None
    return PriceDays(*_ends(bars))


def _ends(bars: Bars | None) -> tuple[date | None, date | None]:
    if bars is None or not len(days := clean(bars, date.max).bars.dates):
        return None, None
    return as_date(days[0]), as_date(days[-1])
