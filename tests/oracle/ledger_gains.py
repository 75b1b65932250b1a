"""The rows of ``/gains``, and their totals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from tests.oracle.ledger_inputs import SMALL, months_before

type Term = Literal["short", "long", "unknown"]
TERMS: tuple[Term, ...] = ("short", "long", "unknown")


@dataclass(frozen=True, slots=True)
class Row:
    """A part of a lot that was closed, or (``closed`` is ``None``) a lot that is left, at its value."""

    symbol: str
    account_id: str
    opened: date | None
    closed: date | None
    quantity: float
    proceeds: float | None
    cost: float | None
    gain: float | None
    days: int | None
    term: Term
    wash_sale: bool = False


@dataclass(frozen=True, slots=True)
class Total:
    """The sums of a term."""

    proceeds: float | None
    cost: float | None
    gain: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Gains:
    """What was realized, by row and term, what is left, and the issues, by kind and date."""

    realized: tuple[Row, ...]
    totals: Mapping[Term, Total]
    unrealized: tuple[Row, ...]
    issues: frozenset[tuple[str, date | None]]


def is_same(left: Decimal, right: Decimal) -> bool:
    """Return whether two quantities differ by rounding alone."""
    return abs(left - right) <= SMALL * max(left, right)


def gain_of(proceeds: Decimal | None, cost: Decimal | None) -> float | None:
    """Return the gain, ``None`` if a part of it is unknown."""
    return None if proceeds is None or cost is None else float(proceeds - cost)


def row_of(
    symbol: str,
    account: str,
    days: tuple[date | None, date],
    quantity: Decimal,
    money: tuple[Decimal | None, Decimal | None],
) -> Row:
    """Return a row of what was opened and closed on two days, with proceeds and cost."""
    (opened, closed), (proceeds, cost) = days, money
    return Row(
        symbol,
        account,
        opened,
        closed,
        float(quantity),
        None if proceeds is None else float(proceeds),
        None if cost is None else float(cost),
        gain_of(proceeds, cost),
        None if opened is None else (closed - opened).days,
        term_of(opened, closed, is_short=quantity < 0),
    )


def term_of(opened: date | None, closed: date, *, is_short: bool) -> Term:
    """Return the term: long after the same date a year after the opening."""
    if opened is None:
        return "unknown"
    return "long" if not is_short and closed > months_before(opened, -12) else "short"


def totals(rows: Sequence[Row]) -> dict[Term, Total]:
    """Return the sums by term; what has no gain is of an unknown one."""
    return {
        term: _total([row for row in rows if (row.term if row.gain is not None else "unknown") == term])
        for term in TERMS
    }


def _total(rows: Sequence[Row]) -> Total:
    return Total(*(_sum([getattr(row, name) for row in rows]) for name in ("proceeds", "cost", "gain")))


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None
