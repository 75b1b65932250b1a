import math
from datetime import date

import numpy as np
import pytest

from analysis.models import Research
from analysis.research import research_symbol
from tests.builders import bars, random_walk, weekdays, without

DAYS = weekdays(300)
AS_OF: date = DAYS[-1].item()


def test_figures_are_from_adjusted_closes_and_the_close_is_the_raw_one() -> None:
    walk = random_walk(DAYS, seed=1)

    research = research_symbol("A", walk, AS_OF)

    prices = walk.adj_close
    returns = prices[1:] / prices[:-1] - 1
    assert research is not None
    assert (research.symbol, research.as_of, research.close) == ("A", AS_OF, walk.close[-1])
    assert research.momentum_12_1 == pytest.approx(prices[-22] / prices[-253] - 1)
    assert research.annual_volatility_63d == pytest.approx(returns[-63:].std(ddof=1) * math.sqrt(252), rel=1e-9)


@pytest.mark.parametrize(
    ("step", "trend"), [(0.5, 1), (-0.3, -1), (0.0, 0)], ids=["rising prices", "falling prices", "still prices"]
)
def test_trend_follows_the_order_of_close_and_averages(step: float, trend: int) -> None:
    # A hundredth of an odd price: its average over 50 days differs from it by rounding.
    research = research_symbol("A", bars(DAYS, 100.13 + step * np.arange(300.0)), AS_OF)

    assert research is not None
    assert research.trend == trend


def test_a_close_between_the_averages_is_no_trend() -> None:
    close = np.concatenate([np.linspace(50, 100, 299), [90.0]])

    research = research_symbol("A", bars(DAYS, close), AS_OF)

    assert research is not None
    assert research.trend == 0


def test_a_price_after_as_of_is_never_used() -> None:
    walk = random_walk(DAYS, seed=1)
    day: date = DAYS[279].item()

    assert research_symbol("A", walk, day) == research_symbol("A", without(walk, slice(280, 300)), day)


@pytest.mark.parametrize(
    ("closes", "known"),
    [
        (1, ()),
        (63, ()),
        (64, ("annual_volatility_63d",)),
        (199, ("annual_volatility_63d",)),
        (200, ("annual_volatility_63d", "trend")),
        (252, ("annual_volatility_63d", "trend")),
        (253, ("annual_volatility_63d", "trend", "momentum_12_1")),
    ],
)
def test_a_figure_is_unknown_where_the_history_is_too_short_for_it(closes: int, known: tuple[str, ...]) -> None:
    research = research_symbol("A", random_walk(DAYS[-closes:], seed=1), AS_OF)

    assert isinstance(research, Research)
    figures = ("annual_volatility_63d", "trend", "momentum_12_1")
    assert tuple(name for name in figures if getattr(research, name) is not None) == known


def test_a_symbol_without_a_price_up_to_as_of_has_no_research() -> None:
    assert research_symbol("A", random_walk(DAYS, seed=1), date(2018, 1, 1)) is None
