"""The names of files: of prices, and of exchange rates, which are never read as prices."""

import re

from settings import CURRENCIES

_ENDINGS = (".csv.gz", ".csv", ".txt")
_ECB = "eurofxref"
_ECB_HISTORIES = ("eurofxref-hist.csv", "eurofxref-hist.zip")
_PAIR = re.compile(r"EUR([A-Z]{3})(=X)?")


def stem_of(file: str) -> str | None:
    """Return the name of a price file without its ending; ``None`` if this is no name of a price file."""
    ending = next((ending for ending in _ENDINGS if file.lower().endswith(ending)), None)
    return None if ending is None or file.startswith(".") or not file.isprintable() else file[: -len(ending)]


def is_rate_file(file: str) -> bool:
    """Return whether a file holds exchange rates by its name: anything of the ECB, and pairs with the euro."""
    return file.lower().startswith(_ECB) or paired_currency(file) is not None


def ecb_history(files: list[str]) -> str | None:
    """Return the ECB's history among ``files``, if it is there: the CSV file before the zip file."""
    found = sorted(file for file in files if file.lower() in _ECB_HISTORIES)
    return min(found, key=lambda file: _ECB_HISTORIES.index(file.lower()), default=None)


def paired_currency(file: str) -> str | None:
    """Return the currency in the name of a file such as ``EURUSD.csv``; ``None`` for any other name."""
    return currency_of_pair(stem_of(file) or "")


def currency_of_pair(symbol: str) -> str | None:
    """Return the currency of a pair with the euro, such as ``EURUSD`` and ``EURUSD=X``; ``None`` if it is none."""
    pair = _PAIR.fullmatch(symbol.upper())
    currency = None if pair is None else pair[1]
    return currency if currency in CURRENCIES - {"EUR"} else None
