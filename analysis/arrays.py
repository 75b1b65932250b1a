"""The border between arrays, with NaN for an undefined figure, and records, with ``None``."""

from collections.abc import Iterable

import numpy as np

from analysis.models import Floats, Integers


def optional(figures: Floats) -> list[float | None]:
    """Return plain floats, with ``None`` for every value that is not finite."""
    (values,) = optional_rows([figures])
    return values


def optional_rows(figures: Iterable[Floats]) -> list[list[float | None]]:
    """Return the rows of :func:`optional` for several arrays of one length, at once."""
    rows = np.stack(list(figures))
    values: list[list[float | None]] = rows.tolist()
    for row, place in np.argwhere(~np.isfinite(rows)).tolist():
        values[row][place] = None
    return values


def sum_by(owners: Integers, values: Floats, size: int) -> Floats:
    """Return the sum of ``values`` of each of ``size`` owners, numbered from 0; a NaN affects only its owner's sum."""
    return np.bincount(owners, weights=values, minlength=size)


def largest_by(owners: Integers, values: Floats, size: int) -> Floats:
    """Return the largest of the ``values`` of each of ``size`` owners; NaN for an owner without values."""
    largest = np.full(size, np.nan)
    np.fmax.at(largest, owners, values)
    return largest
