"""The prices of a price file: in any form of numbers, if the column itself proves what it means."""

import re
from collections.abc import Sequence

import numpy as np

from analysis.models import Floats
from market_data.price_files.faults import PriceFileFault
from market_data.rows import NO_PRICE, NO_PRICE_TEXTS, UNREADABLE, plain_numbers

_CURRENCIES = frozenset("$€£¥₹₩₽₪₺")
_SPACES = "' \u2019\u00a0\u2009\u202f"


def _number(decimal: str, thousands: str) -> re.Pattern[str]:
    separator = f"[{re.escape(thousands + _SPACES)}]"
    whole = rf"(?:[0-9]+|[1-9][0-9]{{0,2}}({separator})[0-9]{{3}}(?:\1[0-9]{{3}})*)"
    mark = re.escape(decimal)
    return re.compile(rf"[+-]?(?:{whole}(?:{mark}[0-9]*)?|{mark}[0-9]+)(?:[eE][+-]?[0-9]+)?")


_POINT, _COMMA = ".", ","
_NUMBERS = {_POINT: _number(_POINT, _COMMA), _COMMA: _number(_COMMA, _POINT)}
_SEPARATORS = {decimal: re.compile(f"[{re.escape('.,'.replace(decimal, '') + _SPACES)}]") for decimal in _NUMBERS}
_EITHER = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}(?:[eE][+-]?[0-9]+)?")
"""A number that could have a separator of thousands as well as a decimal one."""

_AROUND = re.compile(r"^[^0-9.,]+|[^0-9.,]+$")


def prices_in(cells: Sequence[str], column: str, *, plain: bool) -> Floats:
    """Return the prices in the cells of the named column: none where there is none, infinite where it is no number.

    The column itself must prove which of point and comma is the decimal sign. In a ``plain`` file it is the point.

    Raises:
        PriceFileFault: nothing proves it, or there are proofs of both, or signs of several currencies.
    """
    numbers = plain_numbers(cells)
    if numbers is not None and (plain or _points_are_decimal(cells)):
        return numbers
    texts = _without_currency(cells, column)
    given = [text for text in texts if text.lower() not in NO_PRICE_TEXTS]
    decimal = _decimal_sign(given, column, plain=plain)
    return np.array([_price_of(text, decimal) for text in texts], dtype=np.float64)


def is_number(text: str) -> bool:
    """Return whether a text is a number in any form, also with words or signs around it."""
    bare = _AROUND.sub("", text)
    return any(number.fullmatch(bare) for number in _NUMBERS.values())


def _points_are_decimal(cells: Sequence[str]) -> bool:
    """Return whether points in these numbers, which have no other separator, are proved to be decimal."""
    pointed = [cell for cell in cells if _POINT in cell]
    return not pointed or not all(map(_EITHER.fullmatch, pointed))


def _without_currency(cells: Sequence[str], column: str) -> list[str]:
    """Return the texts in the cells without the sign of a currency before or after a number."""
    texts = [cell.strip() for cell in cells]
    signs = _CURRENCIES.intersection("".join(texts))
    if len(signs) > 1:
        raise PriceFileFault(f"the column {column} has prices in {' and '.join(sorted(signs))}")
    for sign in signs:
        texts = [_without(sign, text) for text in texts]
    return texts


def _without(sign: str, text: str) -> str:
    if text.endswith(sign):
        return text[:-1].rstrip() or text
    minus = text[:1] if text[:1] in {"+", "-"} else ""
    return minus + text[len(minus) :].removeprefix(sign).lstrip()


def _decimal_sign(texts: Sequence[str], column: str, *, plain: bool) -> str:
    proofs: dict[str, str] = {}
    doubt = None
    for text in texts:
        fitting = [decimal for decimal, number in _NUMBERS.items() if number.fullmatch(text)]
        if len(fitting) == 1:
            proofs.setdefault(fitting[0], text)
        elif fitting and _EITHER.fullmatch(text):
            doubt = doubt or text
    if len(proofs) > 1:
        raise PriceFileFault(
            f"the column {column} has decimal points and decimal commas: {proofs[_POINT]} and {proofs[_COMMA]}"
        )
    if doubt and not proofs and not plain:
        raise PriceFileFault(
            f"nothing proves whether {doubt} in the column {column} has thousands or decimals: "
            "write thousands without a separator, or another number of decimals"
        )
    return next(iter(proofs), _POINT)


def _price_of(text: str, decimal: str) -> float:
    if text.lower() in NO_PRICE_TEXTS:
        return NO_PRICE
    if _NUMBERS[decimal].fullmatch(text) is None:
        return UNREADABLE
    return float(_SEPARATORS[decimal].sub("", text).replace(decimal, _POINT))
