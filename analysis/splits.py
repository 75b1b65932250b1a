"""Splits: those that the adjusted closes show, and those that nobody seems to have adjusted for."""

from fractions import Fraction
from math import gcd

import numpy as np

SMALLEST_ACTION = 1.2
"""The smallest factor, or its inverse, that dividends of a day do not explain."""

_ROUNDING = 1e-12
_DIVIDEND = 0.03
_UNADJUSTED_BOUND = 0.015
_LARGEST_TOLD, _LARGEST_DENOMINATOR = 1e5, 1_000
_MULTIPLES = [Fraction(n) for n in range(2, 101)]
_FRACTIONS = [Fraction(p, q) for p in range(3, 11) for q in range(2, min(p, 6)) if gcd(p, q) == 1]
_EXACT = {
    **dict.fromkeys([*_MULTIPLES, *(Fraction(1, n) for n in range(2, 1001))], 0.005),
    **dict.fromkeys([*_FRACTIONS, *(1 / ratio for ratio in _FRACTIONS)], 0.002),
}
_LISTED = [Fraction(n) for n in (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50, 100)]
_UNADJUSTED = [*_LISTED, *(1 / ratio for ratio in _LISTED), Fraction(3, 2)]

_CANDIDATES = tuple(_EXACT)
_VALUES, _BOUNDS = np.array([float(ratio) for ratio in _EXACT]), np.array(list(_EXACT.values())) + _ROUNDING
_MULTIPLE_VALUES = np.array([float(ratio) for ratio in _MULTIPLES])
_UNADJUSTED_VALUES = np.array([float(ratio) for ratio in _UNADJUSTED])


def is_corporate_action(factor: float) -> bool:
    """Return whether ``factor``, (close before / close) (adjusted close / that before), is of a corporate action."""
    return factor >= SMALLEST_ACTION * (1 - _ROUNDING) or factor * SMALLEST_ACTION <= 1 + _ROUNDING


def split_of(factor: float) -> Fraction | None:
    """Return the split, new shares for an old one, that a ``factor`` tells; ``None`` if it tells none.

    Of several splits within their bounds the nearest counts, before those with a dividend of the same day.
    """
    if not is_corporate_action(factor):
        return None
    if (split := _nearest(factor)) is not None:
        return split
    above = factor / _MULTIPLE_VALUES - 1
    with_dividend = np.flatnonzero((above > 0) & (above <= _DIVIDEND + _ROUNDING))
    return _MULTIPLES[int(with_dividend[above[with_dividend].argmin()])] if with_dividend.size else None


def told_split_of(ratio: float) -> Fraction | None:
    """Return the split of the ``ratio`` of new to old shares that a source tells, however rounded; 1 is none."""
    if not 1 / _LARGEST_TOLD <= ratio <= _LARGEST_TOLD or ratio == 1:
        return None
    split = _nearest(ratio)
    if split is None:
        exact = Fraction(max(ratio, 1 / ratio)).limit_denominator(_LARGEST_DENOMINATOR)
        split = exact if ratio > 1 else 1 / exact
    return None if split == 1 else split


def _nearest(factor: float) -> Fraction | None:
    distances = np.abs(factor / _VALUES - 1)
    within = np.flatnonzero(distances <= _BOUNDS)
    return _CANDIDATES[int(within[distances[within].argmin()])] if within.size else None


def unadjusted_split_of(ratio: float) -> Fraction | None:
    """Return the split that a day's ``ratio``, close before / close, looks like if nobody adjusted for one."""
    distances = np.abs(ratio / _UNADJUSTED_VALUES - 1)
    nearest = int(distances.argmin())
    return _UNADJUSTED[nearest] if distances[nearest] <= _UNADJUSTED_BOUND + _ROUNDING else None


def ratio_text(split: Fraction) -> str:
    """Return a split as new:old."""
    return f"{split.numerator}:{split.denominator}"
