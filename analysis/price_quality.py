"""Checks of prices before any computation: doubtful prices are reported, and used nevertheless."""

from collections.abc import Iterator

import numpy as np

from analysis.models import Bars, Booleans, Dates
from records import PriceIssue, PriceIssueKind

LARGEST_MOVE = 0.6
"""A larger daily return, by adjusted closes, is probably an unadjusted split or a wrong price."""

SHORTEST_STREAK = 5
"""The minimum number of consecutive days without volume that is reported: fewer are usual for rarely traded shares."""


def find_issues(bars: Bars, trading_days: Dates) -> tuple[PriceIssue, ...]:
    """Return the issues of ``bars`` (at least one day) on ``trading_days``, the last of which is the as-of date.

    Days before the first of ``trading_days`` or after the last are not checked.
    """
    until = bars.at(slice(bars.dates.searchsorted(trading_days[-1], "right")))
    recent = until.at(slice(until.dates.searchsorted(trading_days[0]), None))
    return tuple(_find(until.dates, recent, trading_days))


def _find(known: Dates, recent: Bars, trading_days: Dates) -> Iterator[PriceIssue]:
    """Yield the issues of the ``recent`` bars; ``known`` are all dates with a price up to the as-of date."""
    inside = (trading_days >= recent.dates[0]) & (trading_days <= recent.dates[-1]) if len(recent.dates) else False
    yield from _told("missing_days", trading_days[inside & ~np.isin(trading_days, recent.dates)])
    moves = recent.adj_close[1:] / recent.adj_close[:-1] - 1
    yield from _told("jumps", recent.dates[1:][np.abs(moves) > LARGEST_MOVE])
    if recent.volume is not None and recent.volume.any():  # an index has no volume
        yield from _told("no_volume", recent.dates[_in_streaks(recent.volume == 0)])
    if len(known):
        yield from _told("behind_market", trading_days[trading_days > known[-1]])


def _told(kind: PriceIssueKind, days: Dates) -> Iterator[PriceIssue]:
    if len(days):
        yield PriceIssue(kind, len(days), days[0].astype("datetime64[D]").item())


def _in_streaks(found: Booleans) -> Booleans:
    """Return True for the days in streaks of at least :data:`SHORTEST_STREAK` days."""
    edges = np.flatnonzero(np.diff(found, prepend=False, append=False))
    kept = np.zeros_like(found)
    for start, end in edges.reshape(-1, 2):
        kept[start:end] = end - start >= SHORTEST_STREAK
    return kept
