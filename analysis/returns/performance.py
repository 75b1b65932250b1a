"""The figures of periods from daily values and flows, for all portfolios of a block at once.

Values, flows and returns are ``(portfolios, days)``; a period is the day it starts after, and ends with the last day.
Figures are ``(periods, portfolios)``, NaN where undefined.
"""

from dataclasses import dataclass

import numpy as np

from analysis.measures import TRADING_DAYS
from analysis.models import Booleans, Floats, Integers

NO_MONEY = 1e-9
"""Amounts up to this part of the largest of a portfolio are none."""
_FEWEST_RETURNS = 20
_YEAR = 365


class Spans:
    """The spans of days after the start of each period, ``(periods, portfolios)``, up to the last day."""

    def __init__(self, starts: Integers, days: int) -> None:
        periods, size = starts.shape
        order = starts.argsort(axis=0, kind="stable")
        begin = np.take_along_axis(starts, order, axis=0).T + 1
        self.starts = starts
        self._place = np.concatenate([np.zeros((size, 1), np.int64), begin], axis=1) + np.arange(size)[:, None] * days
        self._empty = np.diff(begin, axis=1, append=days) == 0
        self._rank = order.argsort(axis=0, kind="stable")
        self._shape = (size, periods)

    def after(self, amounts: Floats) -> Floats:
        """Return the sums of ``amounts`` on all days after each start; ``(..., portfolios, days)``, days last.

        Summed from the end, so that what cannot be valued before a period is not in it.
        """
        outer = amounts.shape[:-2]
        parts = np.add.reduceat(amounts.reshape(*outer, -1), self._place.ravel(), axis=-1)
        parts = parts.reshape(*outer, self._shape[0], -1)[..., 1:]
        # Of an empty span, reduceat gives the first amount behind it.
        parts = np.where(self._empty, 0.0, parts)
        sums = parts[..., ::-1].cumsum(axis=-1)[..., ::-1]
        every = np.arange(self._shape[0])
        found: Floats = sums[..., every, self._rank]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """The time-weighted growth of each day.

    Attributes:
        returns: 0 on days without one.
        counted: whether a day has a return.
        negative: whether there was no capital to earn it on.
        index: the product of 1 + r, 1 up to the start.
    """

    returns: Floats
    counted: Booleans
    negative: Booleans
    index: Floats


def growth_of(value: Floats, flow: Floats, start: Integers) -> Growth:
    """Return 1 + r = (V_t + out_t) / (V_(t-1) + in_t) of the days after ``start``, ``(portfolios,)``, linked.

    Inflows come at the start of a day, outflows at its end (RETURNS). A day that begins and ends without money has no
    return, nor has one on which there was none to earn it on.
    """
    days = np.arange(value.shape[1])
    inside = days > start[:, None]
    known = np.where(days >= start[:, None], value, 0.0)
    moved = np.where(inside, flow, 0.0)
    before, end = np.zeros_like(known), known - np.minimum(moved, 0)
    before[:, 1:] = known[:, :-1]
    before += np.maximum(moved, 0)
    none = NO_MONEY * np.maximum(np.abs(end).max(axis=1), np.abs(before).max(axis=1))[:, None]
    empty = np.abs(known) <= none
    empty[:, 1:] &= empty[:, :-1]
    inside &= ~empty
    negative, counted = inside & (before < -none), inside & (before > none)
    factor = np.divide(end, before, out=np.ones_like(before), where=counted)
    return Growth(factor - 1, counted, negative, np.cumprod(factor, axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class TimeWeighted:
    """The figures of the time-weighted index of each period; ``growth`` is 1 + twr."""

    growth: Floats
    max_drawdown: Floats
    annual_volatility: Floats
    negative: Booleans
    current_drawdown: Floats


def time_weighted(growth: Growth, spans: Spans) -> TimeWeighted:
    """Return the figures of periods.

    ``annual_volatility`` is std(r, ddof 1) sqrt(252) of the days with a return, at least 20.
    """
    starts = spans.starts
    every = np.arange(starts.shape[1])
    index = growth.index
    grown = index[:, -1] / index[every, starts]
    lowest = np.minimum.accumulate(index[:, ::-1], axis=1)[:, ::-1]
    deepest = np.minimum.accumulate((lowest / index)[:, ::-1], axis=1)[:, ::-1]
    max_drawdown = deepest[every, starts] - 1
    lost = (growth.returns <= -1).any(axis=1)
    for place in np.flatnonzero(lost).tolist():
        # After a loss of everything, the index of later periods begins anew.
        for period, start in enumerate(starts[:, place].tolist()):
            own = np.cumprod(1 + growth.returns[place, start + 1 :])
            grown[period, place] = own[-1]
            max_drawdown[period, place] = (np.append(1.0, own) / np.maximum.accumulate(np.append(1.0, own))).min() - 1
    negative = np.zeros(starts.shape, np.bool_)
    if growth.negative.any():
        negative = spans.after(growth.negative.astype(np.float64)) > 0
    undefined = np.where(negative, np.nan, 0.0)
    return TimeWeighted(
        growth=grown + undefined,
        max_drawdown=max_drawdown + undefined,
        annual_volatility=_volatility(growth, spans) + undefined,
        negative=negative,
        current_drawdown=index[:, -1] / index.max(axis=1) - 1,
    )


def _volatility(growth: Growth, spans: Spans) -> Floats:
    counted = growth.counted.astype(np.float64)
    mean = growth.returns.sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    deviations = (growth.returns - mean[:, None]) * counted
    count, total, squares = spans.after(np.stack([counted, deviations, deviations * deviations]))
    variance = np.maximum(squares - total * total / count, 0) / (count - 1)
    return np.where(count >= _FEWEST_RETURNS, np.sqrt(variance * TRADING_DAYS), np.nan)


def annualized(growth: Floats, days: Floats) -> Floats:
    """Return growth^(365 / days) - 1 of periods of ``days``; NaN under a year, or after losing more than all."""
    whole = (days >= _YEAR) & (growth >= 0)
    return np.where(whole, growth ** (_YEAR / days) - 1, np.nan)


def dietz_capital(value: Floats, flow: Floats, spans: Spans, ordinal: Integers) -> Floats:
    """Return V_0 + sum w_i F_i, w = days from the flow to the end / days of the period, 1 on the first day.

    The capital of the modified Dietz return (Dietz 1968; CFA Institute). ``ordinal`` numbers the calendar days.
    """
    starts = spans.starts
    every = np.arange(starts.shape[1])
    left = (ordinal[-1] - ordinal).astype(np.float64)
    length = left[starts]
    first = flow[every, starts + 1]
    weighted = spans.after(flow * left) / length + first * (1 - left[starts + 1] / length)
    capital: Floats = value[every, starts] + weighted
    return capital


def growth_to_end(returns: Floats) -> Floats:
    """Return what 1 at the end of each day is at the end of the last one; same shape, days last."""
    grown = np.ones_like(returns)
    grown[..., :-1] = np.cumprod(1 + returns[..., :0:-1], axis=-1)[..., ::-1]
    return grown


def with_same_flows(value: Floats, flow: Floats, later: Floats, spans: Spans) -> Floats:
    """Return the end value of B_t = (B_(t-1) + in_t) (1 + b_t) - out_t, B_0 = V_0; NaN if it was ever negative.

    ``later`` is the :func:`growth_to_end` of the benchmark in each portfolio's base currency, ``(portfolios, days)``.
    """
    starts = spans.starts
    every = np.arange(starts.shape[1])
    final = np.maximum(flow, 0)
    final[:, 1:] *= later[:, :-1]
    final += np.minimum(flow, 0) * later
    # B_t, grown to the last day, is the start and the flows up to t: all of them but those after t.
    following = np.zeros_like(final)
    following[:, :-1] = np.cumsum(final[:, :0:-1], axis=1)[:, ::-1]
    most = np.maximum.accumulate(following[:, ::-1], axis=1)[:, ::-1]
    begin = value[every, starts] * later[every, starts]
    end = begin + following[every, starts]
    none = NO_MONEY * (np.abs(begin) + spans.after(np.abs(final)))
    negative = (begin < -none) | (end < most[every, starts + 1] - none)
    return np.where(negative, np.nan, end)
