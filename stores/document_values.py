"""The values in the backend's documents: numbers, symbols and currencies, whatever they may contain."""

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeIs

from bson import Decimal128

from analysis.currencies import unit

LARGEST_NUMBER = 1e12
NOT_A_NUMBER = f"not a number up to {LARGEST_NUMBER:g}"
_LONGEST_NUMBER = 400
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
# Blanks only inside, as in BRK B.
_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=/_:'{}()&+@#!~ -]{0,31}(?<! )")
_CURRENCY = re.compile(r"[A-Za-z]{3}")

type Spelling = Callable[[str], str]
"""Returns the symbol under which the source of prices knows a share."""

type SymbolOf = Callable[[object], str | None]
"""Returns the symbol in a field, as the source of prices spells it; ``None`` if none can be read."""

type Absent = Callable[[str, str], str]
"""Returns the sentence about a field that a document of a collection lacks, from the names of both."""


class Unreadable(Exception):
    """The documents break a rule, so the user cannot be analyzed."""

    def __init__(self, error_type: str, text: str) -> None:
        super().__init__(text)
        self.error_type = error_type


def absent_field(collection: str, field: str) -> str:  # noqa: ARG001 - the name says it for all collections
    """Return the shortest sentence about a missing field."""
    return f"no field `{field}`"


def is_symbol(value: object) -> TypeIs[str]:
    """Return whether the value can be the symbol of a share."""
    return isinstance(value, str) and _SYMBOL.fullmatch(value) is not None


def symbol_reader(spelling: Spelling) -> SymbolOf:
    """Return a function that reads the symbols of many documents, each text once."""
    known = functools.cache(lambda text: spelling(text) if is_symbol(text) else None)
    # As plain text: JavaScript in a document is a text that has no hash.
    return lambda value: known(str(value)) if isinstance(value, str) else None


def number_of(value: object) -> float | None:
    """Return the number in a field, ``None`` if it has none that can be read."""
    number = value if isinstance(value, float) else _converted(value)
    return number if -LARGEST_NUMBER <= number <= LARGEST_NUMBER else None


def currency_of(value: object) -> str | None:
    """Return the code of a currency in capitals, ``None`` if the value has none that can be read.

    Minor units count as they are written: ``GBp`` is a penny, ``gbp`` a pound.
    """
    text = value.strip() if isinstance(value, str) else ""
    if not _CURRENCY.fullmatch(text):
        return None
    return text if is_minor(text) else text.upper()


def currencies_of(documents: Sequence[Mapping[str, object]], names: Sequence[str]) -> frozenset[str]:
    """Return the currencies in documents, as far as they can be read."""
    values = {value for name in names for document in documents if isinstance(value := document.get(name), str)}
    return frozenset(filter(None, map(currency_of, values)))


def is_minor(currency: str) -> bool:
    """Return whether a code is that of a minor unit, such as a penny."""
    return unit(currency) != 1


def is_blank(value: object) -> bool:
    """Return whether a text field says nothing."""
    return value is None or (isinstance(value, str) and not value.strip())


def _converted(value: object) -> float:
    if isinstance(value, Decimal128):
        decimal = value.to_decimal()
        return float(decimal) if decimal.is_finite() else math.nan
    if isinstance(value, str):
        text = value.strip() if len(value) <= _LONGEST_NUMBER else ""
        return float(text) if _PLAIN_NUMBER.fullmatch(text) else math.nan
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else math.nan
