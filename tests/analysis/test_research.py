import math
from copy import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.models import Dates, Research
from analysis.prices import Bars
from tests.builders import a_table, bars, random_walk, research_on, weekdays, with_range, without

DAYS = weekdays(300)
AS_OF: date = DAYS[-1].item()
WALK = with_range(random_walk(DAYS, seed=1), seed=2)
MARKET = bars(DAYS, 100.0)


def research_of(own: Bars, as_of: date | None = None, market: Dates = DAYS) -> Research:
    (research,) = research_on({"A": own}, bars(market, 100.0), as_of)
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
def test_a_day_without_low_or_high_leaves_only_the_average_true_range_unknown(side: str, price: float) -> None:
    odd = with_range(random_walk(DAYS, seed=1), seed=2)
    assert odd.high is not None
    assert odd.low is not None
    (odd.high if side == "high" else odd.low)[50] = price

    assert research_of(odd) == replace(research_of(WALK), atr_14=None)


def test_a_day_without_a_high_before_the_usable_history_does_not_matter() -> None:
    assert WALK.high is not None
    odd = without(replace(WALK, high=np.where(np.arange(300) < 50, np.nan, WALK.high)), slice(60, 130))

    assert research_of(odd).atr_14 == pytest.approx(research_of(WALK).atr_14, rel=1e-4)
    assert research_of(odd).sma_200 is None


def test_a_symbol_without_a_price_up_to_as_of_is_left_out() -> None:
    found = research_on({"A": WALK, "LATE": without(WALK, slice(0, 200))}, MARKET, DAYS[100].item())

    assert [research.symbol for research in found] == ["A"]
    assert research_on({}, MARKET) == []


def test_a_symbol_has_the_same_figures_alone_and_in_a_batch() -> None:
    others = {f"S{i}": random_walk(DAYS[-length:], seed=i) for i, length in enumerate((1, 30, 299))}

    together = {found.symbol: found for found in research_on({**others, "A": WALK}, MARKET)}

    for symbol, own in {**others, "A": WALK}.items():
        (alone,) = research_on({symbol: own}, MARKET)
        for name in Research.__struct_fields__:
            figure = getattr(together[symbol], name)
            expected = getattr(alone, name)
            assert figure == (pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else expected)


def test_a_day_whose_price_is_bad_is_a_day_without_a_price() -> None:
    gaps = np.array([40, 150, 298])
    close, adj_close = WALK.close.copy(), WALK.adj_close.copy()
    close[gaps[:2]] = math.nan, 0
    adj_close[gaps[2]] = math.inf
    kept = np.setdiff1d(np.arange(300), gaps)

    research = research_of(replace(WALK, close=close, adj_close=adj_close))

    assert research == research_of(WALK.at(kept))
    assert research.score is not None


@pytest.mark.parametrize("size", [1e-29, 1e-12, 1e12])
def test_no_figure_of_absurd_prices_is_nan_or_infinite(size: float) -> None:
    jumping = np.where(np.arange(300) % 7 < 3, size, size * 0.6)

    for own in (bars(DAYS, size), bars(DAYS, jumping)):
        research = research_of(replace(own, high=own.close, low=own.close))
        figures = [getattr(research, name) for name in Research.__struct_fields__]
        levels = research.fibonacci_levels or ()
        numbers = [figure for figure in (*figures, *levels) if isinstance(figure, float)]
        assert np.isfinite(numbers).all()
        assert {type(number) for number in numbers} == {float}


def on_calendar(own: Bars, market: Dates) -> Bars:
    """Return one bar a day of the market: the highest high, the lowest low and the last close since the day before."""
    assert own.high is not None
    assert own.low is not None
    rows: list[tuple[float, float, float]] = []
    for index, day in enumerate(market):
        since = market[index - 1] if index else np.datetime64("1900-01-01")
        of_day = (own.dates > since) & (own.dates <= day)
        if of_day.any():
            close = own.adj_close[of_day]
            factor = close / own.close[of_day]
            rows.append(((own.high[of_day] * factor).max(), (own.low[of_day] * factor).min(), close[-1]))
        elif rows:
            rows.append((rows[-1][2],) * 3)
    high, low, close = np.array(rows).T
    return Bars(market[-len(rows) :], close, close, high, low)


def test_seven_days_of_crypto_a_week_are_five_bars_of_the_benchmarks_calendar() -> None:
    every_day = DAYS[0] + np.arange((DAYS[-1] - DAYS[0]).astype(int) + 1)
    crypto = with_range(random_walk(every_day, seed=5, volatility=0.03), seed=6)

    research = research_of(crypto)

    bars_of_days = on_calendar(crypto, DAYS)
    assert research == replace(research_of(bars_of_days), close=research.close)
    (table,) = a_table({"A": crypto}, MARKET).figures.values()
    recent = bars_of_days.adj_close[-64:]
    expected = (recent[1:] / recent[:-1] - 1).std(ddof=1) * math.sqrt(252)
    assert research.annual_volatility_63d == pytest.approx(expected, rel=1e-9)
    assert table.annual_volatility == pytest.approx(expected, rel=0.25)


def test_days_of_another_exchange_count_on_the_next_day_of_the_calendar_and_holidays_are_carried() -> None:
    market = np.delete(DAYS, [50, 51, 180])
    own = without(WALK, slice(100, 107))

    research = research_of(own, market=market)

    assert research == replace(research_of(on_calendar(own, market), market=market), close=research.close)
    assert research.atr_14 is not None


def test_figures_are_up_to_the_last_priced_day() -> None:
    assert research_of(WALK.at(slice(295))) == replace(research_of(WALK, DAYS[294].item()), as_of=AS_OF)


def test_a_stale_symbol_has_its_close_and_nothing_else() -> None:
    research = research_of(WALK.at(slice(289)))

    assert (research.close, research.adj_close) == (WALK.close[288], WALK.adj_close[288])
    others = {*Research.__struct_fields__} - {"symbol", "as_of", "close", "adj_close"}
    assert {getattr(research, name) for name in others} == {None}


def test_row_14_a_reused_ticker_has_no_momentum_across_the_year_without_trading() -> None:
    days = weekdays(800)
    own = random_walk(days, seed=1)
    reused = without(replace(own, adj_close=np.where(np.arange(800) < 300, own.close / 20, own.close)), slice(300, 560))

    research = research_of(reused, market=days)

    alone = own.at(slice(560, None))
    assert research == research_of(replace(alone, adj_close=alone.close), market=days)
    assert (research.momentum_12_1, research.sma_200 is None) == (None, False)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 699),
    st.sampled_from([2.0, 1.5, 10.0, 0.05]),
    st.sets(st.integers(0, 698), max_size=150),
    st.integers(400, 699),
)
def test_neither_a_split_anywhere_nor_later_prices_change_any_figure(
    index: int, ratio: float, missing: set[int], as_of: int
) -> None:
    days = weekdays(700)
    whole = with_range(random_walk(days, seed=8, volatility=0.02), seed=9)
    kept = np.array([row for row in range(700) if row not in missing])
    shares = np.where(np.arange(700) < index, 1.0, ratio)
    assert whole.high is not None
    assert whole.low is not None
    split = Bars(days, whole.close / shares, whole.adj_close, whole.high / shares, whole.low / shares).at(kept)
    own, last = whole.at(kept), days[as_of].item()

    expected = research_on({"A": own.between(date.min, last)}, bars(days[: as_of + 1], 100.0))

    for found, alone in zip(research_on({"A": split}, bars(days, 100.0), last), expected, strict=True):
        for name in Research.__struct_fields__:
            figure, other = getattr(found, name), getattr(alone, name)
            if name not in ("close", "fibonacci_levels"):
                assert figure == (pytest.approx(other, rel=1e-9) if isinstance(other, float) else other), name


def macd_part(own: Bars, research: Research) -> float:
    assert research.macd_histogram is not None
    prices = own.adj_close[-64:]
    deviation = (prices[1:] / prices[:-1] - 1).std(ddof=1)
    return float(np.clip(research.macd_histogram / (prices[-1] * deviation), -1, 1))


class TestScore:
    def test_the_score_adds_the_points_for_and_against_a_symbol(self) -> None:
        # Rising at a growing rate: trend, momentum and MACD are good, and it is overbought.
        rising = bars(DAYS, 100 * 1.01 ** np.arange(300.0) ** 1.1)
        assert research_of(rising).score == pytest.approx(0.35 + 0.30 + 0.20 - 0.15, abs=1e-12)
        falling = bars(DAYS, 1000 - 0.01 * np.arange(300.0) ** 2)
        part = macd_part(falling, research_of(falling))
        assert part < 0
        assert research_of(falling).score == pytest.approx(-0.35 - 0.30 + 0.20 * part + 0.15, abs=1e-11)

    def test_momentum_counts_in_proportion_up_to_thirty_percent(self) -> None:
        research = research_of(WALK)
        assert research.momentum_12_1 is not None
        assert research.trend is not None
        assert research.rsi_14 is not None
        assert abs(research.momentum_12_1) < 0.30
        assert 30 <= research.rsi_14 <= 70
        expected = 0.35 * research.trend + research.momentum_12_1 + 0.20 * macd_part(WALK, research)
        assert research.score == pytest.approx(expected, abs=1e-11)

    def test_row_35_a_histogram_a_hair_above_or_below_zero_makes_no_difference(self) -> None:
        # The last close at which the histogram is 0, from above and from below.
        low, high = 0.5, 2.0
        for _ in range(60):
            middle = (low + high) / 2
            found = research_of(self._ending(middle)).macd_histogram
            assert found is not None
            low, high = (middle, high) if found < 0 else (low, middle)
        below, above = research_of(self._ending(low)), research_of(self._ending(high))
        assert below.macd_histogram is not None
        assert above.macd_histogram is not None
        assert below.macd_histogram <= 0 <= above.macd_histogram
        assert below.score == pytest.approx(above.score, abs=1e-9)

    def _ending(self, factor: float) -> Bars:
        close = WALK.adj_close.copy()
        close[-1] = close[-2] * factor
        return bars(DAYS, close)

    def test_a_price_that_never_moves_scores_nothing(self) -> None:
        score = research_of(bars(DAYS, 100.13)).score
        assert score == 0
        assert math.copysign(1, score) == 1

    def test_a_part_without_enough_history_counts_nothing(self) -> None:
        own = bars(DAYS[-220:], 100 * 1.01 ** np.arange(220.0) ** 1.1)
        research = research_of(own)

        assert research.momentum_12_1 is None
        assert research.score == pytest.approx(0.35 + 0.20 - 0.15)

    def test_parts_that_sum_to_a_half_are_a_half(self) -> None:
        # A growth that never varies has no deviation to measure the histogram by. In binary fractions
        # 0.35 + 0.30 - 0.15 is less than a half.
        research = research_of(bars(DAYS, 1.01 ** np.arange(300.0)))

        assert 0.35 + 0.30 - 0.15 < 0.5
        assert research.trend == 1
        assert research.rsi_14 == pytest.approx(100)
        assert research.momentum_12_1 is not None
        assert research.momentum_12_1 > 0.30
        assert research.score == 0.5


def side_of(score: float | None) -> str | None:
    return None if score is None else "buy" if score >= 0.5 else "sell" if score <= -0.5 else "between"


class TestSignalSince:
    def since(self, own: Bars) -> date | None:
        """Return the first day of the run, from the score of each day, which is found alone."""
        days = own.dates
        last = len(days) - 1
        today = side_of(self._score(own, last))
        first = last
        while first and today is not None and side_of(self._score(own, first - 1)) == today:
            first -= 1
        return None if today is None else days[first].item()

    def _score(self, own: Bars, index: int) -> float | None:
        return research_of(own, own.dates[index].item(), own.dates).score

    @pytest.mark.parametrize("seed", range(6))
    def test_it_is_the_first_day_with_a_score_on_today_s_side(self, seed: int) -> None:
        days = weekdays(560)
        own = random_walk(days, seed, volatility=0.02)
        for end in (560, 431):
            part = own.at(slice(end))
            assert research_of(part, market=part.dates).signal_since == self.since(part)

    def test_a_signal_may_be_older_than_all_days_that_are_looked_at_together(self) -> None:
        days = weekdays(2600)
        flat = bars(days, 100.13)
        risen = bars(days, np.where(np.arange(2600) < 700, 1.003 ** np.arange(2600.0), 1.003**700))

        research = {found.symbol: found for found in research_on({"FLAT": flat, "RISEN": risen}, bars(days, 1.0))}

        assert research["FLAT"].signal_since == days[199].item()
        since = research["RISEN"].signal_since
        assert since is not None
        first = int(days.searchsorted(np.datetime64(since)))
        sides = [side_of(research_of(risen, days[at].item(), days).score) for at in (first - 1, first)]
        assert 700 < first < 1000
        assert sides == ["buy", "between"]

    def test_without_a_score_there_is_none(self) -> None:
        assert research_of(WALK.at(slice(110, None))).signal_since is None
        assert research_of(WALK.at(slice(0, 280))).signal_since is None

    def test_the_days_before_the_usable_history_do_not_count(self) -> None:
        days = weekdays(700)
        cut = without(bars(days, 100.13), slice(300, 400))
        assert research_of(cut, market=days).signal_since == days[400 + 199].item()
