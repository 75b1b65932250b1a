"""Losses of today's mix of holdings: on its own worst days, in a fall of the market, and in past crises."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np

from analysis import measures
from analysis.histories import PriceHistory
from analysis.models import Dates, Floats


@dataclass(frozen=True, slots=True)
class Episode:
    """A named fall of the market, from the close of ``start`` to the close of ``end``."""

    name: str
    start: date
    end: date


EPISODES = (
    Episode("global_financial_crisis", date(2008, 9, 12), date(2009, 3, 9)),
    Episode("covid_crash", date(2020, 2, 19), date(2020, 3, 23)),
    Episode("inflation_bear_2022", date(2022, 1, 3), date(2022, 10, 12)),
)
OF_THE_WINDOW = ("worst_day", "worst_5_days", "worst_21_days", "market_-10", "market_-20", "market_-30")
SCENARIOS = (*OF_THE_WINDOW, *(episode.name for episode in EPISODES))
_SHOCKS = (-0.10, -0.20, -0.30)

# Two rows, the starts and the ends.
EPISODE_DAYS = np.array([[e.start for e in EPISODES], [e.end for e in EPISODES]], dtype="datetime64[D]")


def stress_returns(returns: Floats, values: Floats, betas: Floats) -> Floats:
    """Return the return in each of :data:`OF_THE_WINDOW`, ``(scenarios, portfolios)``; NaN if it is unknown.

    ``returns`` are the portfolios' own, ``(observations, portfolios)``, and ``values`` their :func:`measures.values`;
    ``betas`` are ``(portfolios,)``.
    """
    return np.stack(
        [
            returns.min(axis=0),
            measures.worst_return(values, 5),
            measures.worst_return(values, 21),
            *(betas * shock for shock in _SHOCKS),
        ]
    )


def episode_returns(histories: Iterable[PriceHistory], trading_days: Dates) -> Floats:
    """Return the return of each symbol over each of :data:`EPISODES`, shape ``(episodes, symbols)``.

    It leads from the last adjusted close up to the first day to the last one up to the end. Undefined if the usable
    history begins later, or if the ``trading_days`` do not span the episode.
    """
    columns = [_episode_returns(own, trading_days) for own in histories]
    return np.array(columns, dtype=np.float64).reshape(-1, len(EPISODES)).T


def _episode_returns(own: PriceHistory, trading_days: Dates) -> Floats:
    last = own.bars.dates.searchsorted(EPISODE_DAYS, "right") - 1
    spanned = (trading_days[0] <= EPISODE_DAYS) & (trading_days[-1] >= EPISODE_DAYS)
    known = ((last >= own.start) & spanned).all(axis=0)
    start, end = own.bars.adj_close[last]
    return np.where(known, end / start - 1, np.nan)
