"""Thresholds and checks.

Readings: a threshold of null is no finite number; where the total value in a check is not positive, a weight is
unknown; the largest risk contribution is that of the included holdings, 0 where none of them is to judge.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.oracle.bars import EXACT
from tests.oracle.valuation import Book


@dataclass(frozen=True, slots=True)
class Limits:
    """The two thresholds of a rule."""

    warning: float
    breach: float


DEFAULTS = {
    "largest_position": Limits(0.15, 0.25),
    "effective_holdings": Limits(8, 4),
    "risk_concentration": Limits(0.30, 0.50),
    "gross_exposure": Limits(1.3, 2.0),
    "volatility": Limits(0.25, 0.40),
    "drawdown": Limits(-0.15, -0.30),
    "value_at_risk": Limits(-0.03, -0.05),
    "beta": Limits(1.3, 1.8),
    "correlation": Limits(0.6, 0.8),
    "cash_share": Limits(0.3, 0.6),
    "price_coverage": Limits(0.01, 0.1),
}
LOW_IS_BAD = {"effective_holdings", "drawdown", "value_at_risk"}
NAMES_IN_A_FUND = 20
_TEXT = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def number(value: object) -> float | None:
    """Return the number that is meant, ``None`` if it cannot be read."""
    if isinstance(value, str) and _TEXT.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    exact = Decimal(value)
    return float(exact) if exact.is_finite() and abs(exact) <= 10**12 else None


def limits(rule: str, thresholds: Mapping[str, Any]) -> Limits:
    """Return the person's thresholds of a rule, or the default ones."""
    default, own = DEFAULTS[rule], thresholds.get(rule)
    if not isinstance(own, Mapping):
        return default
    warning = number(own["warning"]) if "warning" in own else default.warning
    breach = number(own["breach"]) if "breach" in own else default.breach
    if warning is None or breach is None:
        return default
    if (warning < breach) if rule in LOW_IS_BAD else (warning > breach):
        return default
    if rule == "largest_position" and min(warning, breach) <= 0:
        return default
    return Limits(warning, breach)


def check(rule: str, value: float | None, thresholds: Mapping[str, Any]) -> dict[str, object]:
    """Return one check without its message."""
    found = limits(rule, thresholds)
    if value is None:
        if rule == "price_coverage":
            return {"rule": rule, "status": "breach", "value": None, "threshold": found.breach}
        return {"rule": rule, "status": "unknown", "value": None, "threshold": found.warning}
    sign = -1 if rule in LOW_IS_BAD else 1

    def crossed(threshold: float) -> bool:
        return sign * (value - threshold) >= -EXACT

    status, threshold = "ok", found.warning
    if crossed(found.breach):
        status, threshold = "breach", found.breach
    elif crossed(found.warning):
        status = "warning"
    return {"rule": rule, "status": status, "value": value, "threshold": threshold}


def absolute(value: float | None) -> float | None:
    """Return the absolute value of what is known."""
    return None if value is None else abs(value)


def holdings_values(book: Book, contributions: Mapping[str, float] | None) -> dict[str, float | None]:
    """Return the values of the checks of what is owned; ``contributions`` are absent where they are null."""
    total = book.estimated_total
    names: dict[str, float | None] = {
        "largest_position": None,
        "effective_holdings": None,
        "gross_exposure": None,
        "cash_share": None,
    }
    sizes = [(position, position.value) for position in book.priced]
    sizes += [(position, position.estimate) for position in book.unpriced if position.estimate is not None]
    judged = [(position, size) for position, size in sizes if not position.facts.is_diversified]
    gross = math.fsum(abs(size) for _, size in sizes)
    if not book.has_unknown_size:
        if total > 0:
            names["largest_position"] = max((abs(size) / total for _, size in judged), default=0.0)
            names["gross_exposure"] = gross / total
            if sizes:
                shorts = math.fsum(-size for _, size in sizes if size < 0)
                names["cash_share"] = (book.cash - shorts) / total
        elif not judged:
            names["largest_position"] = 0.0
        if gross:
            squares = math.fsum(
                (size / gross) ** 2 / (NAMES_IN_A_FUND if position.facts.is_diversified else 1)
                for position, size in sizes
            )
            names["effective_holdings"] = 1 / squares
    names["risk_concentration"] = _risk_concentration(book, contributions)
    return names


def _risk_concentration(book: Book, contributions: Mapping[str, float] | None) -> float | None:
    if not book.is_complete:
        return None
    judged = [position for position in book.priced if not position.facts.is_diversified]
    if not judged:
        return 0.0
    if contributions is None:
        return None
    return max((contributions[p.symbol] for p in judged if p.symbol in contributions), default=0.0)


def checks(values: Mapping[str, float | None], thresholds: Mapping[str, Any]) -> list[dict[str, object]]:
    """Return the section of that name."""
    return [check(rule, values.get(rule), thresholds) for rule in DEFAULTS]
