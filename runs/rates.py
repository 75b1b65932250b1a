"""The exchange rates among stored histories, as the analysis reads them."""

from collections.abc import Mapping
from datetime import date

from analysis.currencies import Rates
from analysis.prices import clean
from market_data.rates import currency_of, is_rate
from stores.symbols import History


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
