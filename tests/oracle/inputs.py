"""What the oracle analyzes: a market of price rows and instruments, and a person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a price file. NaN is text that cannot be read, ``None`` an empty cell.

    ``split`` are the new shares for an old one that the source tells for the day.
    """

    day: date
    close: float
    adj_close: float | None
    high: float | None = None
    low: float | None = None
    split: Fraction | None = None


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is known about a symbol; ``None`` is unknown."""

    kind: str | None = None
    diversified: bool | None = None
    multiplier: float | None = None
    lot_size: float | None = None
    fractional: bool | None = None


@dataclass(frozen=True, eq=False)
class Market:
    """The prices of one run. Rows are in ascending order of days, one a day, and may go on after ``as_of``.

    Compared by identity, so that what is derived from it can be kept.
    """

    as_of: date
    rows: Mapping[str, tuple[Row, ...]]
    benchmark: str = "INDEX"
    lookback_days: int = 1260
    risk_free_rate: float = 0.0
    instruments: Mapping[str, Instrument] = field(default_factory=dict)

    def instrument(self, symbol: str) -> Instrument:
        """Return what is known about the symbol."""
        return self.instruments.get(symbol, Instrument())


@dataclass(frozen=True, slots=True)
class Holding:
    """A readable holding; ``avg_price`` is ``None`` if it is unknown."""

    symbol: str
    quantity: float
    avg_price: float | None = None


@dataclass(frozen=True, slots=True)
class InvalidHolding:
    """A holding whose symbol or quantity cannot be read; it may still have a quantity and a cost."""

    symbol: str
    quantity: float | None = None
    avg_price: float | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """One person's holdings (one per share), watchlist and account."""

    holdings: tuple[Holding, ...] = ()
    watchlist: tuple[str, ...] = ()
    cash: float | None = None
    buying_power: float | None = None
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    invalid: tuple[InvalidHolding, ...] = ()
