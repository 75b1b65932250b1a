"""What the oracle of ledgers works on: a person, and the days, rates and prices of a market, all exact.

Readings: every day after the calendar counts as one place behind its last. For a past ``as_of``, a transaction there
has the rate of its own date, and the last close of the calendar.
"""

import functools
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext

import numpy as np

from analysis.models import Account, Holding, LotMethod, ReturnsIssue
from analysis.returns.ledger import Market, Transaction

PRECISION = 50
ZERO = Decimal(0)
ONE = Decimal(1)
CENT = Decimal("0.01")
SMALL = Decimal("1e-9")
MOST_TRADING_DAYS_OLD = 10
MOST_DAYS_OLD = 10
MINOR = {"GBX": "GBP", "GBp": "GBP", "ZAc": "ZAR", "ILA": "ILS"}


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One person's ledger and what is held today.

    ``found`` is what reading the ledger has found, ``unsound`` the last date of a transaction that cannot be read.
    """

    transactions: tuple[Transaction, ...]
    holdings: tuple[Holding, ...]
    accounts: tuple[Account, ...]
    base: str
    found: tuple[ReturnsIssue, ...] = ()
    unsound: date | None = None
    lot_method: LotMethod = "fifo"


def precisely[**Parameters, Result](function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Return the function, computed with 50 digits."""

    @functools.wraps(function)
    def computed(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with localcontext(prec=PRECISION):
            return function(*args, **kwargs)

    return computed


def exact(value: float) -> Decimal:
    """Return exactly this number."""
    return Decimal(float(value))


def major(currency: str) -> str:
    """Return the currency of a minor unit."""
    return MINOR.get(currency, currency)


def months_before(day: date, months: int) -> date:
    """Return the same day so many months earlier, or the last of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    first_of_next = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    return date(year, month + 1, min(day.day, (first_of_next - timedelta(days=1)).day))


class World:
    """The days, rates and closes of a market, in one base currency."""

    def __init__(self, market: Market, base: str) -> None:
        self.market = market
        self.base = base
        self.days: list[date] = market.prices.dates.astype(object).tolist()
        self._rates: dict[str, tuple[list[date], list[Decimal]]] = {}
        for currency, (dates, rates) in market.rates.per_euro.items():
            self._rates[currency] = (dates.astype(object).tolist(), [exact(rate) for rate in rates])

    @property
    def after(self) -> int:
        """Return the place of all days after the calendar."""
        return len(self.days)

    def place(self, day: date) -> int:
        """Return the place of the first day of the calendar that is not before this one."""
        return bisect_left(self.days, day)

    def counted(self, day: date) -> date:
        """Return the day on which a date counts: itself after the calendar."""
        place = self.place(day)
        return self.days[place] if place < self.after else day

    def currency(self, symbol: str) -> str:
        """Return the currency of a symbol's prices."""
        return self.market.currencies.get(symbol, self.market.default_currency)

    def multiplier(self, symbol: str) -> Decimal:
        """Return the multiplier of a symbol's prices."""
        return exact(self.market.multipliers.get(symbol, 1.0))

    def rate(self, currency: str, other: str, day: date) -> Decimal | None:
        """Return the units of ``other`` for one of ``currency`` on a day, ``None`` if no rate is young enough."""
        factor = (CENT if currency in MINOR else ONE) / (CENT if other in MINOR else ONE)
        if major(currency) == major(other):
            return factor
        own, others = self._per_euro(major(currency), day), self._per_euro(major(other), day)
        return None if own is None or others is None else factor * others / own

    def to_base(self, currency: str, day: date) -> Decimal | None:
        """Return the rate into the base currency."""
        return self.rate(currency, self.base, day)

    def _per_euro(self, currency: str, day: date) -> Decimal | None:
        if currency == "EUR":
            return ONE
        dates, rates = self._rates.get(currency, ([], []))
        row = bisect_right(dates, day) - 1
        if row < 0 or (day - dates[row]).days > MOST_DAYS_OLD:
            return None
        return rates[row]

    def close(self, symbol: str, place: int) -> Decimal | None:
        """Return the close of a symbol at a place, the last one where none is more than ten days old."""
        row = self.market.prices.columns.get(symbol)
        if row is None or not 0 <= place < self.after:
            return None
        close = float(self.market.prices.close[row, place])
        return exact(close) if np.isfinite(close) else None

    def benchmark_return(self, place: int) -> Decimal | None:
        """Return the benchmark's return on a day in base, ``None`` without a rate."""
        currency = self.market.benchmark_currency
        growth = ONE + exact(self.market.prices.benchmark_returns[place])
        if place == 0 or major(currency) == major(self.base):
            return growth - 1
        now, before = (self.to_base(currency, self.days[at]) for at in (place, place - 1))
        return None if now is None or before is None else growth * now / before - 1
