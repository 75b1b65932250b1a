"""Money-weighted and time-weighted measures, as plain functions of lists.

Readings:
- A capital is positive if it is more than 1e-9 of all that moves.
- A root so near to -1 that all but e^-40 were lost in a year, and in the period, is none.
- The guess of the root is 0 without a modified Dietz return, and -1 where that lost more than everything.
- A day without money at both ends, and one whose denominator is 0, has no return.
"""

import math
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from tests.oracle.ledger_inputs import ONE, SMALL, ZERO

YEAR = 365
HIGHEST = 100
type Flows = Sequence[tuple[date, Decimal]]


def daily_return(before: Decimal, value: Decimal, flow: Decimal) -> Decimal | None:
    """Return what the money of a day earned: inflows come at its start, outflows go at its end."""
    inflow, outflow = max(flow, ZERO), max(-flow, ZERO)
    if before + inflow == 0 or (before == 0 and value == 0):
        return None
    return (value + outflow) / (before + inflow) - 1


def is_negative_capital(before: Decimal, value: Decimal, flow: Decimal) -> bool:
    """Return whether a day begins with less than nothing."""
    return not (before == 0 and value == 0) and before + max(flow, ZERO) < 0


def dietz_capital(start: date, first_day: date, end: date, value: Decimal, flows: Flows) -> Decimal | None:
    """Return the capital of the modified Dietz return, ``None`` if it is not positive."""
    days = (end - start).days
    capital, gross = value, abs(value)
    for day, flow in flows:
        capital += flow * (ONE if day <= first_day else Decimal((end - day).days) / days)
        gross += abs(flow)
    return capital if capital > SMALL * gross else None


def xirr(flows: Flows, guess: Decimal = ZERO) -> Decimal | None:
    """Return the annual rate in (-1, 100] at which the flows are worth nothing: of several the nearest to the guess."""
    found = xirr_logarithm(flows, guess)
    return None if found is None else found.exp() - 1


def xirr_logarithm(flows: Flows, guess: Decimal = ZERO) -> Decimal | None:
    """Return ln(1 + r) of that rate."""
    days = [day for day, _ in flows]
    lowest = -40 - Decimal(40 * YEAR) / max((max(days) - min(days)).days, 1)
    roots = [root for root in _logarithms(flows) if root >= lowest]
    return min(roots, key=lambda root: abs(root.exp() - 1 - guess), default=None)


def xirr_roots(flows: Flows) -> list[Decimal]:
    """Return all such rates."""
    return [root.exp() - 1 for root in _logarithms(flows)]


def _logarithms(flows: Flows) -> list[Decimal]:
    """Return ln(1 + r) of all such rates: sign changes over a fine grid of it, bisected."""
    by_day: dict[date, Decimal] = {}
    for day, flow in flows:
        by_day[day] = by_day.get(day, ZERO) + flow
    terms = sorted((day, flow) for day, flow in by_day.items() if flow)
    if not terms or len({flow > 0 for _, flow in terms}) < 2:
        return []
    first = terms[0][0]
    exact = [((day - first).days, flow) for day, flow in terms]
    plain = [(days / YEAR, float(flow)) for days, flow in exact]
    grid = _grid(plain)
    signs = [_sign(_worth(plain, point)) for point in grid]
    return [
        _bisect(exact, grid[at - 1], grid[at]) for at in range(1, len(grid)) if signs[at] != signs[at - 1]
    ]  # fmt: skip


def _grid(terms: list[tuple[float, float]]) -> list[float]:
    """Return points from below the lowest root to ln(101), fine where rates are usual."""
    highest = math.log(1 + HIGHEST)
    grid = [highest - step * 0.01 for step in range(int((highest + 3) / 0.01))]
    (last_years, last), before = terms[-1], terms[:-1]
    others = math.fsum(abs(flow) for _, flow in before)
    lowest = -abs(math.log(max(others / abs(last), abs(last) / others)) / (last_years - before[-1][0])) - 1
    while grid[-1] > lowest:
        grid.append(grid[-1] * 1.02)
    return grid[::-1]


def _worth(terms: list[tuple[float, float]], point: float) -> float:
    """Return what flows are worth at ln(1 + r), in money of a day at which nothing overflows."""
    reference = terms[-1][0] if point < 0 else 0.0
    return math.fsum(flow * math.exp(point * (reference - years)) for years, flow in terms)


def _sign(value: float) -> bool:
    return value > 0


def _bisect(terms: list[tuple[int, Decimal]], low: float, high: float) -> Decimal:
    """Return a root between two points of ln(1 + r)."""
    left, right = Decimal(low), Decimal(high)
    left_sign = _exact_worth(terms, left) > 0
    for _ in range(60):
        middle = (left + right) / 2
        if (_exact_worth(terms, middle) > 0) == left_sign:
            left = middle
        else:
            right = middle
    return (left + right) / 2


def _exact_worth(terms: list[tuple[int, Decimal]], point: Decimal) -> Decimal:
    """Return what flows are worth at ln(1 + r) on the last day, term by term from one day to the next."""
    growth = (point / YEAR).exp()
    worth, before = ZERO, 0
    for days, flow in terms:
        worth = worth * growth ** (days - before) + flow
        before = days
    return worth


def drawdowns(index: Sequence[Decimal]) -> list[Decimal]:
    """Return by how much each value is below the highest so far."""
    peak, found = index[0], []
    for value in index:
        peak = max(peak, value)
        found.append(value / peak - 1)
    return found


def annual_volatility(returns: Sequence[Decimal]) -> Decimal | None:
    """Return the annual standard deviation (ddof 1), ``None`` under 20 returns."""
    if len(returns) < 20:
        return None
    mean = sum(returns, ZERO) / len(returns)
    variance = sum(((r - mean) ** 2 for r in returns), ZERO) / (len(returns) - 1)
    return (variance * 252).sqrt()


def compounded(returns: Sequence[Decimal]) -> Decimal:
    """Return the product of 1 + r, less 1."""
    growth = ONE
    for r in returns:
        growth *= 1 + r
    return growth - 1
