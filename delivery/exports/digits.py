"""Numbers and dates as the console shows them to a reader of American English (``console/src/format.ts``).

An undefined number is a dash. Rounding is that of ``Intl.NumberFormat``: half away from zero, of the shortest decimal.
"""

import re
from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Context, Decimal

NONE = "\N{EN DASH}"

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WITHOUT_CENTS = 1000
_MINOR_UNITS = {"GBX", "GBp", "ZAc", "ILA"}
_NO_DIGITS = frozenset(
    [
        "AFN",
        "ALL",
        "BIF",
        "CLP",
        "COP",
        "DJF",
        "GNF",
        "HUF",
        "IDR",
        "IQD",
        "IRR",
        "ISK",
        "JPY",
        "KMF",
        "KPW",
        "KRW",
        "LAK",
        "LBP",
        "MGA",
        "MMK",
        "PKR",
        "PYG",
        "RWF",
        "SLL",
        "SOS",
        "SYP",
        "UGX",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
        "YER",
    ]
)
_THREE_DIGITS = {"BHD", "JOD", "KWD", "LYD", "OMR", "TND"}
_SYMBOLS = {
    "AUD": "A$", "BRL": "R$", "CAD": "CA$", "CNY": "CN¥", "EUR": "€", "GBP": "£", "HKD": "HK$", "ILS": "₪", "INR": "₹",
    "JPY": "¥", "KRW": "₩", "MXN": "MX$", "NZD": "NZ$", "PHP": "₱", "TWD": "NT$", "USD": "$", "VND": "₫",
    "XAF": "FCFA", "XCD": "EC$", "XCG": "Cg.", "XOF": "F\u202fCFA", "XPF": "CFPF",
}  # fmt: skip
# A float has at most 309 digits before the point.
_CONTEXT = Context(prec=330, rounding=ROUND_HALF_UP)

type Number = float | int
type Format = Callable[[Number | None], str]


def percent(value: Number | None, digits: int = 1) -> str:
    """Return a fraction as a percentage."""
    return NONE if value is None else _percent(value, digits, signed=False)


def percent_2(value: Number | None) -> str:
    """Return a fraction as a percentage with two digits."""
    return percent(value, 2)


def whole_percent(value: Number | None) -> str:
    """Return a fraction as a percentage without digits."""
    return percent(value, 0)


def signed_percent(value: Number | None) -> str:
    """Return a fraction as a percentage with its sign."""
    return NONE if value is None else _percent(value, 1, signed=True)


def count(value: Number | None) -> str:
    """Return a whole number."""
    return NONE if value is None else _signed(_exact(value), 0, 0)


def ratio(value: Number | None) -> str:
    """Return a number with two digits."""
    return NONE if value is None else _signed(_exact(value), 2, 2)


def quantity(value: Number | None) -> str:
    """Return a number of shares."""
    return NONE if value is None else _signed(_exact(value), 0, 6)


def amount(value: Number | None) -> str:
    """Return an amount of money whose currency is unknown or stated elsewhere."""
    if value is None:
        return NONE
    digits = 0 if abs(value) >= _WITHOUT_CENTS else 2
    return _signed(_exact(value), digits, digits)


def money(value: Number | None, currency: str, *, signed: bool = False) -> str:
    """Return an amount of money in a report's currency, without cents from 1,000."""
    if value is None:
        return NONE
    if not _is_major(currency):
        return money_with_code(value, currency, signed=signed)
    digits, symbol = _digits_of(value, currency), _SYMBOLS.get(currency, currency)
    blank = "\u00a0" if symbol[-1].isalpha() else ""
    return _signed(_exact(value), digits, digits, signed=signed, before=symbol + blank)


def money_with_code(value: Number | None, currency: str, *, signed: bool = False) -> str:
    """Return an amount with the code of its currency: for what is not in the report's currency."""
    if value is None:
        return NONE
    digits = _digits_of(value, currency)
    return f"{_signed(_exact(value), digits, digits, signed=signed)}\u00a0{currency}"


def day(value: str | None) -> str:
    """Return a date, given in the form of ISO 8601."""
    if value is None:
        return NONE
    try:
        known = date.fromisoformat(value)
    except ValueError:
        return value
    return f"{_MONTHS[known.month - 1]} {known.day}, {known.year}"


def month(value: str) -> str:
    """Return a month, given as ``2026-11``."""
    year, _, number = value.partition("-")
    return f"{_MONTHS[int(number) - 1]} {year}"


def _percent(value: Number, digits: int, *, signed: bool) -> str:
    return _signed(_exact(value).scaleb(2, _CONTEXT), digits, digits, signed=signed) + "%"


def _exact(value: Number) -> Decimal:
    return Decimal(repr(value))


def _signed(value: Decimal, least: int, most: int, *, signed: bool = False, before: str = "") -> str:
    """Return a number with ``least`` to ``most`` digits; the sign of one that is rounded to zero is not shown."""
    rounded = value.quantize(Decimal(1).scaleb(-most), context=_CONTEXT)
    digits = f"{abs(rounded):,f}"
    if most > least:
        whole, _, part = digits.partition(".")
        part = part.rstrip("0").ljust(least, "0")
        digits = f"{whole}.{part}" if part else whole
    if signed and rounded == 0:
        return before + digits
    sign = "-" if rounded.is_signed() else "+" if signed else ""
    return sign + before + digits


def _is_major(currency: str) -> bool:
    return re.fullmatch("[A-Z]{3}", currency) is not None and currency not in _MINOR_UNITS


def _digits_of(value: Number, currency: str) -> int:
    if abs(value) >= _WITHOUT_CENTS:
        return 0
    if not _is_major(currency):
        return 2
    return 0 if currency in _NO_DIGITS else 3 if currency in _THREE_DIGITS else 2
