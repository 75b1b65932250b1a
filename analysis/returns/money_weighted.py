"""The money-weighted return, XIRR: the root of a sum of discounted cash flows, for many problems at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.models import Booleans, Floats, Integers

LARGEST_RATE = 100.0
_YEAR = 365
_LARGEST = float(np.log1p(LARGEST_RATE))
_ROUNDS, _PRECISION = 30, 1e-14
_LAST_STEP = 1e-9
"""A step of Newton's method after which the next one would be rounding: each is about the square of the one before."""
_NONE = 1e-10
"""A balance up to this part of all flows is rounding."""
_GRID, _BEND = 300, 8.0
_STEPS = 60


@dataclass(frozen=True, slots=True, eq=False)
class CashFlows:
    """The cash flows of some problems, one after the other.

    Attributes:
        first: place of the first flow of each problem; each has at least two.
        years: since the start of the problem, of 365 days, ``(flows,)``.
        amount: positive for what the person receives, ``(flows,)``.
        problem: of each flow.
    """

    first: Integers
    years: Floats
    amount: Floats
    problem: Integers

    def of(self, chosen: Booleans) -> "CashFlows":
        """Return the flows of some problems."""
        own = chosen[self.problem]
        counts = np.bincount(self.problem, minlength=len(self.first))[chosen]
        first = np.cumsum(counts) - counts
        return CashFlows(first, self.years[own], self.amount[own], np.repeat(np.arange(len(counts)), counts))


def cash_flows(value: Floats, flow: Floats, starts: Integers, ordinal: Integers) -> CashFlows:
    """Return the problems of periods after ``starts``, ``(periods, portfolios)``, one period after the other.

    ``value`` and ``flow`` are ``(portfolios, days)``. The start value is paid on the day of the start, flows in are
    paid and flows out received, and the end value is received on the last day.
    """
    periods, size = starts.shape
    owner, day = np.nonzero(flow)
    days = flow.shape[1]
    key = owner * days + day
    every = np.arange(size)
    begin = key.searchsorted((every * days + starts).ravel(), "right")
    end = key.searchsorted(np.tile((every + 1) * days, periods))
    counts = end - begin + 2
    first = np.cumsum(counts) - counts
    problem = np.repeat(np.arange(len(counts)), counts)
    place = begin[problem] + np.arange(len(problem)) - first[problem] - 1
    place = np.clip(place, 0, max(len(key) - 1, 0))
    start = starts.ravel()[problem]
    if len(key):
        when, amount = ordinal[day[place]], -flow[owner[place], day[place]]
    else:
        when, amount = ordinal[start], np.zeros(len(problem))
    when, last = when.copy(), first + counts - 1
    when[first], amount[first] = ordinal[starts.ravel()], -value[every, starts].ravel()
    when[last], amount[last] = ordinal[-1], np.tile(value[:, -1], periods)
    return CashFlows(first, (when - ordinal[start]) / _YEAR, amount, problem)


def joined(parts: list[CashFlows]) -> CashFlows:
    """Return the problems of several pages or blocks, one after the other."""
    flows = np.cumsum([0, *(len(part.amount) for part in parts)])
    problems = np.cumsum([0, *(len(part.first) for part in parts)])
    return CashFlows(
        np.concatenate([part.first + before for part, before in zip(parts, flows[:-1], strict=True)]),
        np.concatenate([part.years for part in parts]),
        np.concatenate([part.amount for part in parts]),
        np.concatenate([part.problem + before for part, before in zip(parts, problems[:-1], strict=True)]),
    )


def internal_rates(flows: CashFlows, guess: Floats) -> Floats:
    """Return ln(1 + r) of each problem, r the root in (-1, 100] nearest to that of ``guess``, NaN without one.

    ``guess`` is ln(1 + r), too, NaN if nothing is known.

    sum CF_i (1 + r)^(-(d_i - d_0) / 365) = 0. Newton's method on the logarithm of the quotient of what is received and
    what is paid, which is nearly a line in ln(1 + r). A root at which the balance never changes its side is the only
    one (Teichroew, Robichek and Montalbano 1965); other problems are searched.
    """
    scale = np.maximum.reduceat(np.abs(flows.amount), flows.first)
    amount = flows.amount / np.where(scale > 0, scale, 1.0)[flows.problem]
    flows = CashFlows(flows.first, flows.years, np.where(np.abs(amount) < _NONE, 0.0, amount), flows.problem)
    both = (np.minimum.reduceat(flows.amount, flows.first) < 0) & (np.maximum.reduceat(flows.amount, flows.first) > 0)
    roots = np.full(len(flows.first), np.nan)
    if not both.any():
        return roots
    chosen = flows.of(both)
    years = np.maximum.reduceat(chosen.years, chosen.first)
    near = np.nan_to_num(guess[both], nan=0.0, neginf=-np.inf)
    found = _newton(chosen, np.clip(near, _lowest(years), _LARGEST))
    certain = _only_root(chosen, found)
    for problem in np.flatnonzero(~certain).tolist():
        own = slice(chosen.first[problem], (*chosen.first.tolist(), len(chosen.years))[problem + 1])
        found[problem] = _searched(chosen.years[own], chosen.amount[own], float(near[problem]))
    possible = (found <= _LARGEST * (1 + _PRECISION)) & (found >= _lowest(years))
    roots[both] = np.where(possible, found, np.nan)
    return roots


def of_period(log_rate: Floats, days: Floats) -> Floats:
    """Return the rate of a year, or that of the period if it has less than 365 days."""
    return np.expm1(log_rate * np.minimum(days / _YEAR, 1))


def _lowest(years: Floats) -> Floats:
    """Return the lowest logarithm that is searched: all but 1e-17 lost in the period, and in a year."""
    return -40 - 40 / years


def _newton(flows: CashFlows, start: Floats) -> Floats:
    """Return the root that Newton's method finds from ``start``, NaN where it does not settle."""
    found = np.full(len(start), np.nan)
    numbers, rate, own = np.arange(len(start)), start.copy(), flows
    sides = _sides(own)
    for _ in range(_ROUNDS):
        parts = sides * np.exp(-rate[own.problem] * own.years)
        gains, costs = np.add.reduceat(parts, own.first, axis=1)
        parts *= own.years
        late, early = np.add.reduceat(parts, own.first, axis=1)
        step = np.log(gains / costs) / (late / gains - early / costs)
        rate = rate + step
        settled = np.abs(step) <= _LAST_STEP * (1 + np.abs(rate))
        found[numbers[settled]] = rate[settled]
        going = ~settled & np.isfinite(rate)
        if not going.any():
            break
        if np.count_nonzero(going) * 2 < len(going):
            own, numbers, rate = own.of(going), numbers[going], rate[going]
            sides = _sides(own)
    return found


def _sides(flows: CashFlows) -> Floats:
    """Return what is received and what is paid, ``(2, flows)``."""
    return np.stack([np.maximum(flows.amount, 0), np.maximum(-flows.amount, 0)])


def _only_root(flows: CashFlows, rate: Floats) -> Booleans:
    """Return whether the balance, discounted at ``rate``, never changes its side before it is settled."""
    discounted = flows.amount * np.exp(-rate[flows.problem] * flows.years)
    size = np.add.reduceat(np.abs(discounted), flows.first)
    settled = np.isfinite(size) & (size > 0)
    # One sum over all problems: each is scaled to a size of 1, and one without a rate must not spoil the others.
    scaled = np.divide(discounted, size[flows.problem], out=np.zeros_like(discounted), where=settled[flows.problem])
    balance = np.cumsum(scaled)
    before = np.append(0.0, balance)[flows.first]
    balance -= before[flows.problem]
    above = np.maximum.reduceat(balance, flows.first) > _NONE
    below = np.minimum.reduceat(balance, flows.first) < -_NONE
    return settled & ~(above & below)


def _searched(years: Floats, amount: Floats, near: float) -> float:
    """Return ln(1 + r) of the root r nearest to that of ``near``, NaN without one, by a search over all rates."""
    lowest = float(_lowest(years[-1:])[0])
    grid = np.sinh(np.linspace(np.arcsinh(lowest * _BEND), np.arcsinh(_LARGEST * _BEND), _GRID)) / _BEND
    value, slope = _future_value(years, amount, grid), _slope(years, amount, grid)
    # Between two values of one side there may be two roots, around a place where the value comes nearest to zero.
    turning = (value[:-1] * value[1:] > 0) & (slope[:-1] * value[:-1] < 0) & (slope[1:] * value[1:] > 0)
    if turning.any():
        bottoms = _crossing(_slope, years, amount, grid[:-1][turning], grid[1:][turning])
        grid = np.sort(np.append(grid, bottoms))
        value = _future_value(years, amount, grid)
    crossed = value[:-1] * value[1:] < 0
    found = _crossing(_future_value, years, amount, grid[:-1][crossed], grid[1:][crossed])
    roots = np.append(grid[value == 0], found)
    if not len(roots):
        return float("nan")
    # Near -1, all rates are the same but for rounding: their logarithms tell which are below and above.
    below, above = roots[roots <= near].max(initial=-np.inf), roots[roots > near].min(initial=np.inf)
    if np.isinf(below) or np.isinf(above):
        return float(above if np.isinf(below) else below)
    return float(above if 1 + np.exp(below - above) < 2 * np.exp(near - above) else below)


def _terms(years: Floats, amount: Floats, rates: Floats) -> Floats:
    """Return CF_i e^(u (T - t_i)) for each u of ``rates``, discounted to the start where that would be too large."""
    until = (years[-1] - years) - np.where(rates > 0, years[-1], 0.0)[:, None]
    terms: Floats = amount * np.exp(rates[:, None] * until)
    return terms


def _future_value(years: Floats, amount: Floats, rates: Floats) -> Floats:
    """Return a number with the sign of the sum of all flows, discounted at each of ``rates``."""
    value: Floats = _terms(years, amount, rates).sum(axis=1)
    return value


def _slope(years: Floats, amount: Floats, rates: Floats) -> Floats:
    """Return a number with the sign of the slope of :func:`_future_value`."""
    until = (years[-1] - years) - np.where(rates > 0, years[-1], 0.0)[:, None]
    slope: Floats = (_terms(years, amount, rates) * until).sum(axis=1)
    return slope


def _crossing(
    function: Callable[[Floats, Floats, Floats], Floats], years: Floats, amount: Floats, low: Floats, high: Floats
) -> Floats:
    """Return where a function is zero between ``low`` and ``high``: Illinois method (Dowell and Jarratt 1971)."""
    left, right = function(years, amount, low), function(years, amount, high)
    middle = (low + high) / 2
    for _ in range(_STEPS):
        next_one = np.where(left == right, middle, (low * right - high * left) / (right - left))
        if not len(low) or (np.abs(next_one - middle) <= _PRECISION * (1 + np.abs(middle))).all():
            return next_one
        middle = next_one
        value = function(years, amount, middle)
        beyond = np.sign(value) == np.sign(left)
        left, right = np.where(beyond, value, left / 2), np.where(beyond, right / 2, value)
        low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
    return middle
