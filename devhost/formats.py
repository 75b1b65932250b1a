"""Formatted figures. An undefined figure is a dash, a negative one is red."""

from rich.text import Text

UNDEFINED = "-"


def money(value: float | None, *, sign: bool = False) -> Text:
    """Return ``1,234.50``."""
    return _figure(value, "+,.2f" if sign else ",.2f")


def whole_money(value: float | None, *, sign: bool = False) -> Text:
    """Return ``1,235``."""
    return _figure(value, "+,.0f" if sign else ",.0f")


def percent(fraction: float | None, *, sign: bool = False) -> Text:
    """Return ``12.3%`` for 0.123."""
    return _figure(None if fraction is None else 100 * fraction, "+,.1f" if sign else ",.1f", "%")


def percent_of_hundred(value: float | None) -> Text:
    """Return ``+12.3%`` for 12.3, the form of figures named ``_pct``."""
    return _figure(value, "+,.1f", "%")


def number(value: float | None) -> Text:
    """Return ``1.23``."""
    return _figure(value, ",.2f")


def count(value: float | None) -> Text:
    """Return ``1,260``; fractions with up to four digits."""
    return _figure(value, ",.10g" if value is not None and value == int(value) else ",.4f")


def counted(number: int, noun: str) -> str:
    """Return ``1 user`` or ``1,260 users``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds(value: float | None) -> Text:
    """Return ``0.25 s``."""
    return _figure(value, ",.2f", " s")


def words(value: str | None) -> Text:
    """Return the text, or a dash without one."""
    return Text(value or UNDEFINED)


def _figure(value: float | None, shape: str, unit: str = "") -> Text:
    if value is None:
        return Text(UNDEFINED, style="dim")
    shown = f"{value:{shape}}"
    if not any(digit in shown for digit in "123456789"):
        shown = shown.lstrip("+-")  # zero after rounding has no sign
    return Text(shown + unit, style="red" if shown.startswith("-") else "")
