import math
from dataclasses import fields, replace
from datetime import date

import numpy as np
import pytest

from analysis.models import Research
from analysis.prices import Bars
from analysis.research import research_symbols
from tests.builders import bars, random_walk, weekdays, with_range, without

DAYS = weekdays(300)
AS_OF: date = DAYS[-1].item()
WALK = with_range(random_walk(DAYS, seed=1), seed=2)


def research_of(own: Bars, as_of: date = AS_OF) -> Research:
    (research,) = research_symbols({"A": own}, as_of)
    return research


def test_figures_are_from_adjusted_closes_and_the_close_is_the_raw_one() -> None:
    research = research_of(WALK)

    prices = WALK.adj_close
    returns = prices[1:] / prices[:-1] - 1
    assert (research.symbol, research.as_of) == ("A", AS_OF)
    assert (research.close, research.adj_close) == (WALK.close[-1], WALK.adj_close[-1])
    assert research.sma_50 == pytest.approx(prices[-50:].mean(), rel=1e-12)
    assert research.momentum_12_1 == pytest.approx(prices[-22] / prices[-253] - 1)
    assert research.annual_volatility_63d == pytest.approx(returns[-63:].std(ddof=1) * math.sqrt(252), rel=1e-9)
    assert research.distance_to_52_week_high == pytest.approx(prices[-1] / prices[-252:].max() - 1)
    assert research.distance_to_52_week_low == pytest.approx(prices[-1] / prices[-252:].min() - 1)


def test_the_nearest_levels_are_among_the_fibonacci_levels() -> None:
    research = research_of(WALK)

    assert research.fibonacci_levels is not None
    assert {research.support, research.resistance} <= {None, *research.fibonacci_levels}
    assert research.support is None or research.support < research.adj_close
    assert research.resistance is None or research.resistance > research.adj_close


@pytest.mark.parametrize(
    ("step", "trend"), [(0.5, 1), (-0.3, -1), (0.0, 0)], ids=["rising prices", "falling prices", "still prices"]
)
def test_trend_follows_the_order_of_close_and_averages(step: float, trend: int) -> None:
    # A hundredth of an uneven price: its average over 50 days differs from it by rounding.
    research = research_of(bars(DAYS, 100.13 + step * np.arange(300.0)))

    assert research.trend == trend
    assert isinstance(research.trend, int)


def test_a_close_between_the_averages_is_no_trend() -> None:
    close = np.concatenate([np.linspace(50, 100, 299), [90.0]])

    assert research_of(bars(DAYS, close)).trend == 0


def test_a_price_after_as_of_is_never_used() -> None:
    day: date = DAYS[279].item()

    assert research_of(WALK, day) == research_of(WALK.at(slice(280)), day)


# The number of closes that each figure needs; a day's range and the volatility of returns need one more before.
HISTORY = {
    "ema_12": 12,
    "rsi_14": 15,
    "atr_14": 15,
    "bollinger_percent_b": 20,
    "ema_26": 26,
    "macd": 34,
    "macd_signal": 34,
    "macd_histogram": 34,
    "sma_50": 50,
    "annual_volatility_63d": 64,
    "sma_200": 200,
    "trend": 200,
    "score": 200,
    "distance_to_52_week_high": 252,
    "distance_to_52_week_low": 252,
    "fibonacci_levels": 252,
    "momentum_12_1": 253,
}


@pytest.mark.parametrize("closes", sorted({1, *HISTORY.values(), *(needed - 1 for needed in HISTORY.values())}))
def test_a_figure_is_unknown_where_the_history_is_too_short_for_it(closes: int) -> None:
    research = research_of(with_range(random_walk(DAYS[-closes:], seed=1), seed=2))

    assert {name for name in HISTORY if getattr(research, name) is not None} == {
        name for name, needed in HISTORY.items() if closes >= needed
    }


def test_without_highs_and_lows_there_is_no_true_range() -> None:
    assert research_of(WALK).atr_14 is not None
    assert research_of(replace(WALK, high=None)).atr_14 is None


@pytest.mark.parametrize("price", [math.nan, math.inf, 0.0, -1.0])
@pytest.mark.parametrize("side", ["high", "low"])
def test_an_invalid_low_or_high_leaves_only_the_average_true_range_unknown(side: str, price: float) -> None:
    odd = with_range(random_walk(DAYS, seed=1), seed=2)
    assert odd.high is not None
    assert odd.low is not None
    (odd.high if side == "high" else odd.low)[50] = price

    assert research_of(odd) == replace(research_of(WALK), atr_14=None)


def test_a_symbol_without_a_price_up_to_as_of_is_left_out() -> None:
    found = research_symbols({"A": WALK, "LATE": without(WALK, slice(0, 200))}, DAYS[100].item())

    assert [research.symbol for research in found] == ["A"]
    assert research_symbols({"A": WALK}, date(2018, 1, 1)) == []
    assert research_symbols({}, AS_OF) == []


def test_a_symbol_has_the_same_figures_alone_and_in_a_batch() -> None:
    others = {f"S{i}": random_walk(DAYS[-length:], seed=i) for i, length in enumerate((1, 30, 299))}

    together = {found.symbol: found for found in research_symbols({**others, "A": WALK}, AS_OF)}

    for symbol, own in {**others, "A": WALK}.items():
        (alone,) = research_symbols({symbol: own}, AS_OF)
        for field in fields(Research):
            figure = getattr(together[symbol], field.name)
            expected = getattr(alone, field.name)
            assert figure == (pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else expected)


def test_a_day_whose_price_is_not_a_number_is_skipped() -> None:
    gaps = np.array([40, 150, 298])
    close, adj_close = WALK.close.copy(), WALK.adj_close.copy()
    close[gaps[:2]] = math.nan, 0
    adj_close[gaps[2]] = math.inf
    kept = np.setdiff1d(np.arange(300), gaps)

    research = research_of(replace(WALK, close=close, adj_close=adj_close))

    assert research == research_of(WALK.at(kept))
    assert research.score is not None


@pytest.mark.parametrize("size", [1e-300, 1e-12, 1e12, 1e300])
def test_no_figure_of_absurd_prices_is_nan_or_infinite(size: float) -> None:
    jumping = np.where(np.arange(300) % 7 < 3, size, 1 / size if size < 1e200 else size * 0.9)

    for own in (bars(DAYS, size), bars(DAYS, jumping)):
        research = research_of(replace(own, high=own.close, low=own.close))
        figures = [getattr(research, field.name) for field in fields(Research)]
        levels = research.fibonacci_levels or ()
        numbers = [figure for figure in (*figures, *levels) if isinstance(figure, float)]
        assert np.isfinite(numbers).all()
        assert {type(number) for number in numbers} == {float}


class TestScore:
    def test_the_score_adds_the_points_for_and_against_a_symbol(self) -> None:
        # Rising at a growing rate: trend, momentum and MACD are good, and it is overbought.
        assert research_of(bars(DAYS, 100 * 1.01 ** np.arange(300.0) ** 1.1)).score == 0.7
        falling = 1000 - 0.01 * np.arange(300.0) ** 2
        assert research_of(bars(DAYS, falling)).score == -0.7

    def test_momentum_counts_in_proportion_up_to_thirty_percent(self) -> None:
        research = research_of(WALK)
        assert research.momentum_12_1 is not None
        assert research.macd_histogram is not None
        assert research.trend is not None
        assert research.rsi_14 is not None
        assert abs(research.momentum_12_1) < 0.30
        assert 30 <= research.rsi_14 <= 70
        expected = 0.35 * research.trend + research.momentum_12_1 + 0.20 * math.copysign(1, research.macd_histogram)
        assert research.score == pytest.approx(expected, abs=1e-11)

    def test_a_price_that_never_moves_scores_nothing(self) -> None:
        score = research_of(bars(DAYS, 100.13)).score
        assert score == 0
        assert math.copysign(1, score) == 1

    def test_a_part_without_enough_history_counts_nothing(self) -> None:
        research = research_of(bars(DAYS[-220:], 100 * 1.01 ** np.arange(220.0) ** 1.1))

        assert research.momentum_12_1 is None
        assert research.score == pytest.approx(0.35 + 0.20 - 0.15)

    def test_parts_that_sum_to_a_half_are_a_half(self) -> None:
        # A steady rise has a histogram of 0. In binary fractions 0.35 + 0.30 - 0.15 is less than a half.
        days = weekdays(1001)
        research = research_of(bars(days, 0.5 + np.arange(1001.0)), days[-1].item())

        assert 0.35 + 0.30 - 0.15 < 0.5
        assert (research.trend, research.rsi_14) == (1, 100)
        assert research.momentum_12_1 is not None
        assert research.momentum_12_1 > 0.30
        assert research.score == 0.5
