"""Realized and unrealized gains: their records, the totals of a year, and the rows of a CSV file.

Amounts are in the person's base currency; ``None`` is unknown. They come from :mod:`analysis.returns.lots`.
"""

from collections.abc import Iterable, Sequence
from copy import replace
from datetime import date
from math import isfinite
from typing import Literal

from analysis.models import ReturnsIssue
from records import Record

type Term = Literal["short", "long"]

_LEAP_DAY = (2, 29)


class RealizedGain(Record, frozen=True):
    """Shares that were sold, or bought back, of one lot; ``quantity`` is positive.

    ``opened`` is the day of the purchase or transfer, of shares sold short that of the sale; ``None`` without a record.
    ``proceeds`` are net of fee and tax, ``cost`` is with them. ``days`` lie between ``opened`` and ``closed``.
    ``term`` is ``None`` where ``opened`` is. ``wash_sale`` is a flag: no figure depends on it.
    """

    symbol: str
    account_id: str | None
    opened: date | None
    closed: date
    quantity: float
    proceeds: float | None
    cost: float | None
    gain: float | None
    days: int | None
    term: Term | None
    wash_sale: bool


class UnrealizedLot(Record, frozen=True):
    """Shares of one lot that are held today; of a short lot ``quantity``, ``cost`` and ``value`` are negative.

    ``days`` and ``term`` are those of a sale today.
    """

    symbol: str
    account_id: str | None
    opened: date | None
    quantity: float
    cost: float | None
    value: float | None
    gain: float | None
    days: int | None
    term: Term | None


class GainTotal(Record, frozen=True):
    """Sums over realized gains; ``None`` where one of them is unknown."""

    proceeds: float | None
    cost: float | None
    gain: float | None


class GainTotals(Record, frozen=True):
    """The totals of realized gains by term; ``unknown`` are those without a gain, or of shares without a record."""

    short: GainTotal
    long: GainTotal
    unknown: GainTotal


class CapitalIncome(Record, frozen=True):
    """The part of a return of capital that was more than the cost of the shares: income.

    ``symbol_today`` is what the symbol is called today.
    """

    date: date
    symbol: str
    symbol_today: str
    amount: float


class Gains(Record, frozen=True):
    """The realized gains in the order in which they were closed, with their totals, and the lots held today."""

    realized: tuple[RealizedGain, ...]
    totals: GainTotals
    unrealized: tuple[UnrealizedLot, ...]
    capital_income: tuple[CapitalIncome, ...]
    issues: tuple[ReturnsIssue, ...]


def known(value: float) -> float | None:
    """Return a figure for a record: ``None`` if it is NaN or infinite."""
    return value if isfinite(value) else None


def term_of(opened: date, closed: date) -> Term:
    """Return ``long`` if ``closed`` is after the same date a year after ``opened``, else ``short``.

    The same date a year after 29 February is 28 February, so that a sale on 1 March is long.
    """
    if (opened.month, opened.day) == _LEAP_DAY:
        opened = opened.replace(day=28)
    return "long" if closed > opened.replace(year=opened.year + 1) else "short"


def totals_of(realized: Iterable[RealizedGain]) -> GainTotals:
    """Return the totals by term."""
    by_term: dict[Term | None, list[RealizedGain]] = {"short": [], "long": [], None: []}
    for row in realized:
        by_term[row.term if row.gain is not None else None].append(row)
    return GainTotals(_total(by_term["short"]), _total(by_term["long"]), _total(by_term[None]))


def gains_of_year(gains: Gains, year: int) -> Gains:
    """Return the gains that were realized, and the income from returned capital, in a year; all lots held today.

    Wash sales are known from all years: a purchase in January marks a loss of December.
    """
    realized = tuple(row for row in gains.realized if row.closed.year == year)
    capital_income = tuple(part for part in gains.capital_income if part.date.year == year)
    return replace(gains, realized=realized, totals=totals_of(realized), capital_income=capital_income)


def _total(rows: Sequence[RealizedGain]) -> GainTotal:
    return GainTotal(_sum(row.proceeds for row in rows), _sum(row.cost for row in rows), _sum(row.gain for row in rows))


def _sum(values: Iterable[float | None]) -> float | None:
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total
