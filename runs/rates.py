"""The exchange rates of a run, fetched with its plan and stored like prices."""

import logging
from collections.abc import Collection, Mapping
from datetime import date

from analysis.currencies import Rates
from analysis.prices import clean
from market_data.rates import currency_of, is_rate, rate_symbol
from records import Parameters
from runs.prices import fetch_histories
from runs.services import Services
from stores.symbols import History

_EURO = "EUR"

_log = logging.getLogger(__name__)


def fetch_rates(services: Services, currencies: Collection[str], as_of: date, lookback_days: int) -> None:
    """Fetch the missing rates of major currencies up to ``as_of``, and store them.

    One currency alone needs none. One without rates is no error: what is in it is not valued, and reports say so.

    Raises:
        ProviderUnavailable, KeyRefused: the source failed; its answers up to then are stored.
    """
    symbols = _symbols(currencies)
    if not symbols:
        return
    update = fetch_histories(services, symbols, as_of, lookback_days, ask_again=False)
    if update.errors:
        lacking = ", ".join(currency_of(symbol) for symbol in sorted(update.errors))
        _log.warning("There are no exchange rates of %s: what is in them is not valued", lacking)


def load_rates(services: Services, currencies: Collection[str]) -> Rates:
    """Return the stored rates of major currencies; of one currency alone there are none."""
    return rates_of(services.prices.load(_symbols(currencies)))


def currency_of_benchmark(services: Services, parameters: Parameters) -> str:
    """Return the currency of the benchmark, as its instrument says."""
    symbol = parameters.benchmark_symbol
    instrument = services.portfolios.instruments([symbol]).get(symbol)
    return instrument.currency if instrument and instrument.currency else parameters.base_currency


def _symbols(currencies: Collection[str]) -> list[str]:
    """Return the pseudo-symbols of currencies, none if there is nothing to convert; the euro needs no rate."""
    return [rate_symbol(currency) for currency in sorted({*currencies} - {_EURO})] if len(currencies) > 1 else []


def rates_of(histories: Mapping[str, History]) -> Rates:
    """Return the rates of each currency whose pseudo-symbol is among ``histories``; all other symbols are left out.

    A rate that cannot be is no rate, by the rules for prices; a currency with too many of them has none at all.
    """
    per_euro = {}
    for symbol, own in histories.items():
        if is_rate(symbol):
            rows = clean(own.bars, date.max)
            if len(rows.bars.dates) and not rows.too_many:
                per_euro[currency_of(symbol)] = rows.bars.dates, rows.bars.close
    return Rates(per_euro)
