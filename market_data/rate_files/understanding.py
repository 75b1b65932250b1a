"""What was understood of the files of exchange rates in a folder, in words for a person."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from analysis.prices import Bars, as_date
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.names import ecb_history, is_rate_file, paired_currency
from market_data.price_files.understanding import NO_FILE
from market_data.rate_files.folder import RateFolder, pairs_of, two_files

_CURRENCIES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class UnderstoodRates:
    """What was understood of a file: the currencies whose rates are taken from it, and why it is refused or not read.

    ``newest`` is the day of its last rate.
    """

    file: str
    currencies: tuple[str, ...]
    newest: date | None
    sentence: str
    refusals: tuple[str, ...] = ()


def understood_rates(path: Path) -> Iterator[UnderstoodRates]:
    """Yield what was understood of the files of rates in the folder at ``path``, file by file.

    Raises:
        OSError: the folder cannot be read.
    """
    folder = RateFolder(path)
    files = folder.files()
    ecb = ecb_history(files)
    known = frozenset[str]()
    if ecb is not None:
        found = _understood_ecb(folder, ecb)
        known = frozenset(found.currencies)
        yield found
    for file in files:
        currency = paired_currency(file)
        if currency is None and file != ecb:
            reason = f"{ecb} is read instead" if ecb is not None else "the ECB's history is eurofxref-hist.csv or .zip"
            yield UnderstoodRates(file, (), None, f"not read: {reason}")
        elif currency in known:
            yield UnderstoodRates(file, (), None, f"not read: {ecb} has the rates of {currency}")
        elif currency is not None:
            yield _understood_pair(folder, file, currency, files)
    for name in sorted(own.name for own in path.iterdir() if is_rate_file(own.name) and own.name not in files):
        yield UnderstoodRates(name, (), None, "not read", NO_FILE)


def _understood_ecb(folder: RateFolder, file: str) -> UnderstoodRates:
    try:
        rates = folder.ecb(file)
        found = {currency: bars for currency in rates.columns if (bars := rates.of(currency)) is not None}
    except (PriceFileFault, OSError) as error:
        return _refused(file, error)
    if not found:
        return UnderstoodRates(file, (), None, "not read", ("it has no rate",))
    newest = max(map(_last, found.values()))
    current = [currency for currency, bars in found.items() if _last(bars) == newest]
    shown = ", ".join(current[:_CURRENCIES_SHOWN]) + (", ..." if len(current) > _CURRENCIES_SHOWN else "")
    sentence = f"rates of {_days(len(rates.dates))}, {len(found)} currencies, of these {len(current)} up to the last"
    return UnderstoodRates(file, tuple(found), newest, f"{sentence} day: {shown}")


def _understood_pair(folder: RateFolder, file: str, currency: str, files: list[str]) -> UnderstoodRates:
    if len(pairs := pairs_of(currency, files)) > 1:
        return UnderstoodRates(file, (), None, "not read", (two_files(pairs),))
    try:
        bars = folder.read(file, currency)
    except (PriceFileFault, OSError) as error:
        return _refused(file, error)
    if bars is None:
        return UnderstoodRates(file, (), None, "not read", ("it has no rate",))
    sentence = f"rates of {_days(len(bars.dates))}, {currency} for one euro"
    return UnderstoodRates(file, (currency,), _last(bars), sentence)


def _refused(file: str, error: PriceFileFault | OSError) -> UnderstoodRates:
    text = str(error) if isinstance(error, PriceFileFault) else f"it cannot be read: {error.strerror}"
    return UnderstoodRates(file, (), None, "not read", (text,))


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count:,} days"


def _last(bars: Bars) -> date:
    return as_date(bars.dates[-1])
