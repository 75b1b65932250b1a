"""Each indicator against TA-Lib: on real prices, random walks and whatever hypothesis comes up with."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import research as indicators
from analysis.models import Floats, Research
from analysis.prices import Bars
from analysis.research import research_symbols
from market_data.sample_prices import SampleProvider
from tests.builders import random_walk, weekdays, with_range

SYMBOLS = (
    *("AAPL", "AMD", "BAC", "BBY", "CVX", "GE", "HD", "JNJ", "JPM", "KO", "LLY"),
    *("MRK", "MSFT", "PEP", "PFE", "PG", "RRC", "UNH", "WMT", "XOM", "SP500"),
)
SAMPLE = SampleProvider().daily_bars(SYMBOLS, date(2007, 1, 1), date(2022, 12, 28)).bars
AS_OF = date(2050, 1, 1)


def references(bars: Bars) -> dict[str, float]:
    """What TA-Lib gives for the last day."""
    prices = bars.adj_close
    line, signal, histogram = talib.MACD(prices, 12, 26, 9)
    found = {
        "sma_50": talib.SMA(prices, 50),
        "sma_200": talib.SMA(prices, 200),
        "ema_12": talib.EMA(prices, 12),
        "ema_26": talib.EMA(prices, 26),
        "macd": line,
        "macd_signal": signal,
        "macd_histogram": histogram,
        "rsi_14": talib.RSI(prices, 14),
    }
    if bars.high is not None and bars.low is not None:
        factor = prices / bars.close
        found["atr_14"] = talib.ATR(bars.high * factor, bars.low * factor, prices, 14)
    return {name: float(values[-1]) for name, values in found.items()}


def bands(bars: Bars) -> tuple[float, float]:
    upper, _, lower = talib.BBANDS(bars.adj_close, 20, 2, 2)
    return float(upper[-1]), float(lower[-1])


def research_of(bars: Bars) -> Research:
    (research,) = research_symbols({"A": bars}, AS_OF)
    return research


def assert_agrees(bars: Bars) -> None:
    research, price = research_of(bars), float(np.abs(bars.adj_close).max())
    for name, expected in references(bars).items():
        figure = getattr(research, name)
        if math.isnan(expected):
            assert figure is None, name
        elif name == "rsi_14" and figure == 50:
            assert flat(bars)
        else:
            # What is left of a difference of averages is no better than the rounding of the prices.
            assert figure == pytest.approx(expected, rel=1e-9, abs=1e-13 * price), name


def flat(bars: Bars) -> bool:
    """Whether the moves have faded below what TA-Lib or we take for any."""
    changes = np.diff(bars.adj_close)
    ages = np.arange(len(changes))[::-1]
    faded = np.abs(changes) * (13 / 14) ** ages
    return bool(faded.sum() <= 1e-6 * bars.adj_close[-1])


@pytest.mark.parametrize("symbol", SAMPLE)
def test_indicators_agree_with_ta_lib_on_real_prices(symbol: str) -> None:
    bars = with_range(SAMPLE[symbol], seed=len(symbol))
    assert_agrees(bars)
    upper, lower = bands(bars)
    percent_b = (bars.adj_close[-1] - lower) / (upper - lower)
    assert research_of(bars).bollinger_percent_b == pytest.approx(percent_b, rel=1e-9)


@pytest.mark.parametrize("days", [1, 12, 14, 15, 26, 33, 34, 35, 50, 63, 199, 200, 252, 999, 1000, 1001, 3000])
def test_indicators_agree_with_ta_lib_whatever_the_length_of_history(days: int) -> None:
    assert_agrees(with_range(random_walk(weekdays(days), seed=days, volatility=0.02), seed=days))


def test_indicators_agree_with_ta_lib_where_closes_are_adjusted() -> None:
    dates = weekdays(400)
    walk = with_range(random_walk(dates, seed=3), seed=4)
    split = np.where(np.arange(400) < 200, 0.25, 1.0)
    assert_agrees(replace(walk, adj_close=walk.close * split))


prices = st.floats(0.01, 1e4)
awkward: dict[str, st.SearchStrategy[list[float]]] = {
    "constant": st.builds(lambda price, days: [price] * days, prices, st.integers(1, 300)),
    "rising": st.lists(prices, min_size=1, max_size=300).map(sorted),
    "falling": st.lists(prices, min_size=1, max_size=300).map(lambda closes: sorted(closes, reverse=True)),
    "one jump": st.builds(
        lambda before, after, days, later: [before] * days + [after] * later,
        prices,
        prices,
        st.integers(1, 150),
        st.integers(1, 100),
    ),
    "anything": st.lists(prices, min_size=1, max_size=300),
    "one observation": prices.map(lambda price: [price]),
    "huge": st.lists(st.floats(1e9, 1e12), min_size=1, max_size=120),
    "tiny": st.lists(st.floats(1e-7, 1e-5), min_size=1, max_size=120),
}


@pytest.mark.parametrize("kind", awkward)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_indicators_agree_with_ta_lib_on_awkward_series(kind: str, data: st.DataObject) -> None:
    closes = np.array(data.draw(awkward[kind]))
    assert_agrees(Bars(weekdays(len(closes)), closes, closes, closes * 1.01, closes * 0.99))


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([0.8, 11 / 13, 25 / 27, 13 / 14, 1e-3, 0.999999]),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200),
)
def test_decayed_sums_are_those_of_a_plain_walk_through_the_days(decay: float, inputs: list[float]) -> None:
    walked: list[float] = []
    for value in inputs:
        walked.append(decay * (walked[-1] if walked else 0.0) + value)

    sums = indicators.decayed_sums(np.array(inputs)[:, None], decay)

    scale = float(np.abs(inputs).max())
    assert sums[:, 0] == pytest.approx(walked, rel=1e-12, abs=1e-12 * scale)


def test_averages_of_thousands_of_days_neither_overflow_nor_fade_away() -> None:
    sums = indicators.decayed_sums(np.ones((10_000, 2)), 0.8)

    assert sums[-1] == pytest.approx([5, 5], rel=1e-12)


def column(values: Sequence[float] | Floats) -> Floats:
    """One symbol's prices after as many days without any as an indicator needs rows."""
    return np.concatenate([np.full(300, np.nan), values])[:, None]


MOVING = random_walk(weekdays(400), seed=5).adj_close
# Their flat answers are ours to choose: TA-Lib gives an RSI of 0 and divides by nothing.
SINGLE: dict[str, Callable[[Floats], Floats]] = {
    "simple average": lambda p: indicators.simple_average(p, 50),
    "exponential average": lambda p: indicators.exponential_averages(p, 26)[-1],
    "macd": lambda p: indicators.macd(p)[2],
    "rsi": indicators.relative_strength_index,
    "percent b": indicators.bollinger_percent_b,
    "momentum": indicators.momentum_12_1,
    "distance": lambda p: indicators.distances_to_extremes(p)[0],
    "volatility": lambda p: indicators.recent_volatility(p, 63),
    "atr": lambda p: indicators.average_true_range(p * 1.01, p * 0.98, p),
}


@pytest.mark.parametrize("name", SINGLE)
def test_a_symbol_says_the_same_whatever_stands_beside_it(name: str) -> None:
    indicator = SINGLE[name]
    alone = indicator(column(MOVING))
    short = np.concatenate([np.full(380, np.nan), MOVING[:20]])[:, None]
    nothing = np.full((700, 1), np.nan)

    with np.errstate(invalid="ignore", over="ignore"):
        together = indicator(
            np.hstack([nothing, column(MOVING), column([1e300] * 400), np.vstack([nothing[:300], short])])
        )

    assert together[1] == pytest.approx(alone[0], rel=1e-12)
    assert math.isnan(together[0])


def test_a_price_that_never_moves_has_a_middling_rsi_and_no_place_between_its_bands() -> None:
    still = column([100.13] * 400)

    with np.errstate(invalid="ignore", divide="ignore"):
        assert indicators.relative_strength_index(still)[0] == 50
        assert math.isnan(indicators.bollinger_percent_b(still)[0])
    assert indicators.distances_to_extremes(still)[0][0] == 0


def test_an_rsi_stays_at_its_end_as_long_as_there_is_a_move_to_be_seen() -> None:
    assert indicators.relative_strength_index(column([10.0] * 50 + [11.0] * 50))[0] == pytest.approx(100)
    assert indicators.relative_strength_index(column([11.0] * 50 + [10.0] * 50))[0] == pytest.approx(0)
    # After a thousand still days the move is a matter of rounding.
    assert indicators.relative_strength_index(column([10.0] * 50 + [11.0] * 1000))[0] == 50


class TestFibonacci:
    def test_levels_lead_from_the_end_of_a_rise_back_to_its_start(self) -> None:
        rise = column(np.linspace(100, 200, 252))

        levels = indicators.fibonacci_levels(rise)[:, 0]

        assert levels == pytest.approx([200, 176.4, 161.8, 150, 138.2, 121.4, 100])

    def test_levels_lead_from_the_end_of_a_fall_back_to_its_start(self) -> None:
        fall = column([*np.linspace(200, 100, 200), *np.linspace(100, 110, 52)])

        levels = indicators.fibonacci_levels(fall)[:, 0]

        assert levels == pytest.approx([100, 123.6, 138.2, 150, 161.8, 178.6, 200])

    def test_of_equal_extremes_the_latest_ends_the_swing(self) -> None:
        there_and_back = column([*np.linspace(200, 100, 126), *np.linspace(100, 200, 126)])

        assert indicators.fibonacci_levels(there_and_back)[0, 0] == 200

    def test_a_swing_is_within_the_last_252_days(self) -> None:
        spike = column([1000.0, *np.linspace(100, 200, 252)])

        assert indicators.fibonacci_levels(spike)[0, 0] == 200

    def test_without_a_swing_there_are_no_levels(self) -> None:
        assert np.isnan(indicators.fibonacci_levels(column([50.0] * 300))).all()

    def test_support_is_the_next_level_below_and_resistance_the_next_above(self) -> None:
        levels = np.array([200, 176.4, 161.8, 150, 138.2, 121.4, 100])[:, None]

        found = [
            tuple(float(level[0]) for level in indicators.nearest_levels(levels, np.array([price])))
            for price in (155.0, 150.0, 200.0, 100.0)
        ]

        assert found == [(150, 161.8), (138.2, 161.8), (176.4, math.inf), (-math.inf, 121.4)]
