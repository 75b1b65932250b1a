"""The border between arrays, where an undefined figure is NaN, and records, where it is ``None``."""

from collections.abc import Iterable

import numpy as np

from analysis.models import Floats, Integers


def optional(figures: Floats) -> list[float | None]:
    """Give plain floats, and ``None`` for whatever is not finite."""
    (values,) = optional_rows([figures])
    return values


def optional_rows(figures: Iterable[Floats]) -> list[list[float | None]]:
    """Do what :func:`optional` does for several arrays of one length, at once."""
    rows = np.stack(list(figures))
    values: list[list[float | None]] = rows.tolist()
    for row, place in np.argwhere(~np.isfinite(rows)).tolist():
        values[row][place] = None
    return values


def sum_by(owners: Integers, values: Floats, size: int) -> Floats:
    """Sum the ``values`` of each of ``size`` owners, numbered from 0; a NaN reaches no sum but its owner's."""
    return np.bincount(owners, weights=values, minlength=size)


def largest_by(owners: Integers, values: Floats, size: int) -> Floats:
    """Give the largest of the ``values`` of each of ``size`` owners; NaN for an owner of none."""
    largest = np.full(size, np.nan)
    np.fmax.at(largest, owners, values)
    return largest
