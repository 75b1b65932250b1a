"""What is doubtful about a symbol's prices. They are used all the same; whoever reads a figure is told."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from analysis.models import Bars, Booleans, Dates

type PriceIssueKind = Literal[
    "duplicate_days", "unordered_days", "missing_days", "jumps", "no_volume", "behind_market", "renamed", "delisted"
]

LARGEST_MOVE = 0.6
"""A return of a day beyond this, by adjusted closes, is rather a split nobody adjusted for, or a wrong price."""

SHORTEST_STREAK = 5
"""Days in a row without any volume that are told: fewer are usual for a share that is seldom traded."""


_SENTENCES: dict[PriceIssueKind, str] = {
    "duplicate_days": "The source gave more than one price for {days}: the last given counts.",
    "unordered_days": "The source gave {days}, out of order: they were sorted.",
    "missing_days": "There is no price for {days}: up to five in a row, the price before stands for them.",
    "jumps": "The adjusted price moved by more than 60 % on {days}: look for a split that was missed.",
    "no_volume": "Nothing was traded on {days}: the price may not be one that anybody would pay.",
    "behind_market": "There is no price yet for {days}: the last one known counts.",
    "renamed": "It is called {new_symbol}{since}: change the symbol where it is held or watched.",
    "delisted": "It is no longer traded{since}: the last price known counts as long as there is one.",
}


@dataclass(frozen=True, slots=True)
class PriceIssue:
    """One thing that is doubtful about the prices of a symbol.

    ``days`` counts the days it concerns and ``first`` is the first of them, or the day since when it is so; ``None``
    where that is not known. ``new_symbol`` is what a renamed symbol is called now.
    """

    kind: PriceIssueKind
    days: int | None = None
    first: date | None = None
    new_symbol: str | None = None


def find_issues(bars: Bars, trading_days: Dates) -> tuple[PriceIssue, ...]:
    """Give what is doubtful about ``bars`` (at least one day) on ``trading_days``, the last of which is the as-of date.

    What lies before the first of ``trading_days`` or after the last is not looked at.
    """
    until = bars.at(slice(bars.dates.searchsorted(trading_days[-1], "right")))
    recent = until.at(slice(until.dates.searchsorted(trading_days[0]), None))
    return tuple(_find(until.dates, recent, trading_days))


def describe(issue: PriceIssue) -> str:
    """Tell an issue in a sentence that says what was done about it, or what to do."""
    since = f" since {issue.first}" if issue.first else ""
    days = f"{issue.days} {'day' if issue.days == 1 else 'days'}{f', the first {issue.first}' if issue.first else ''}"
    return _SENTENCES[issue.kind].format(days=days, since=since, new_symbol=issue.new_symbol)


def _find(known: Dates, recent: Bars, trading_days: Dates) -> Iterator[PriceIssue]:
    """Look at the ``recent`` bars; ``known`` are all dates with a price up to the as-of date."""
    inside = (trading_days >= recent.dates[0]) & (trading_days <= recent.dates[-1]) if len(recent.dates) else False
    yield from _told("missing_days", trading_days[inside & ~np.isin(trading_days, recent.dates)])
    moves = recent.adj_close[1:] / recent.adj_close[:-1] - 1
    yield from _told("jumps", recent.dates[1:][np.abs(moves) > LARGEST_MOVE])
    if recent.volume is not None and recent.volume.any():  # of an index nobody tells a volume
        yield from _told("no_volume", recent.dates[_in_streaks(recent.volume == 0)])
    if len(known):
        yield from _told("behind_market", trading_days[trading_days > known[-1]])


def _told(kind: PriceIssueKind, days: Dates) -> Iterator[PriceIssue]:
    if len(days):
        yield PriceIssue(kind, len(days), days[0].astype("datetime64[D]").item())


def _in_streaks(found: Booleans) -> Booleans:
    """Keep what is true of at least :data:`SHORTEST_STREAK` days in a row."""
    edges = np.flatnonzero(np.diff(found, prepend=False, append=False))
    kept = np.zeros_like(found)
    for start, end in edges.reshape(-1, 2):
        kept[start:end] = end - start >= SHORTEST_STREAK
    return kept
