"""Numbers for the names of symbols, currencies and accounts, so that all ledgers of a page can be booked at once."""

from collections.abc import Iterable

import numpy as np

from analysis.currencies import major
from analysis.models import Integers


class Numbering(dict[str, int]):
    """Numbers for names, in the order in which they appear; the empty name is 0."""

    def __init__(self) -> None:
        super().__init__({"": 0})

    def __missing__(self, name: str) -> int:
        number = self[name] = len(self)
        return number

    def of(self, names: Iterable[str]) -> Integers:
        """Return the numbers of some names."""
        listed = list(names)
        if listed.count("") == len(listed):  # accounts and currencies are often left out
            return np.zeros(len(listed), np.int64)
        return np.fromiter(map(self.__getitem__, listed), np.int64, len(listed))


def majors_of(currencies: Numbering) -> Integers:
    """Return the major currency of each currency; it is one of them, too."""
    currencies.of([major(name) for name in currencies])
    return currencies.of([major(name) for name in currencies])
