import math
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.prices import Bars
from analysis.returns import NoBenchmarkDateError, PriceTable, SymbolFigures, prepare_prices, resolve_as_of
from tests.builders import a_table, bars, random_walk, weekdays, without

DAYS = weekdays(200)
BENCHMARK = random_walk(DAYS, seed=0)
WALK = random_walk(DAYS, seed=1)


def day(index: int) -> date:
    value: date = DAYS[index].item()
    return value


def figures(table: PriceTable, symbol: str = "A") -> SymbolFigures:
    return table.figures[symbol]


def usable(table: PriceTable, symbol: str = "A") -> int:
    """Return the number of usable returns."""
    return int(len(table.dates) - 1 - table.first_day[table.columns[symbol]])


class TestResolveAsOf:
    def test_by_default_it_is_the_last_benchmark_date(self) -> None:
        assert resolve_as_of(BENCHMARK) == day(-1)

    def test_a_trading_day_is_itself(self) -> None:
        assert resolve_as_of(BENCHMARK, day(10)) == day(10)

    def test_a_sunday_is_the_friday_before(self) -> None:
        assert resolve_as_of(BENCHMARK, date(2019, 3, 10)) == date(2019, 3, 8)

    def test_a_day_after_the_last_is_the_last(self) -> None:
        assert resolve_as_of(BENCHMARK, date(2030, 1, 1)) == day(-1)

    def test_a_day_before_the_first_is_refused_and_named(self) -> None:
        with pytest.raises(NoBenchmarkDateError, match="no price up to 2018-12-31"):
            resolve_as_of(BENCHMARK, date(2018, 12, 31))

    def test_a_benchmark_without_prices_is_refused(self) -> None:
        with pytest.raises(NoBenchmarkDateError, match=r"no price$"):
            resolve_as_of(bars(DAYS[:0], 1.0))


class TestCalendar:
    def test_it_is_the_last_lookback_and_one_more_benchmark_dates_up_to_as_of(self) -> None:
        table = a_table({"A": WALK}, BENCHMARK, as_of=day(150), lookback_days=100)

        assert table.dates.tolist() == DAYS[50:151].tolist()
        assert table.as_of == day(150)
        expected = BENCHMARK.adj_close[51:151] / BENCHMARK.adj_close[50:150] - 1
        assert table.benchmark_returns == pytest.approx(expected, rel=1e-12)

    def test_a_shorter_history_gives_all_there_is(self) -> None:
        assert len(a_table({"A": WALK}, BENCHMARK, lookback_days=1260).dates) == 200

    def test_returns_are_those_of_adjusted_closes(self) -> None:
        table = a_table({"A": WALK}, BENCHMARK)

        assert table.returns[:, 0] == pytest.approx(WALK.adj_close[1:] / WALK.adj_close[:-1] - 1, rel=1e-12)

    def test_a_price_after_as_of_is_never_used(self) -> None:
        as_of = day(150)
        later = np.arange(200) > 150
        changed = Bars(DAYS, np.where(later, 7.0, WALK.close), np.where(later, 7.0, WALK.adj_close))

        known, other = a_table({"A": WALK}, BENCHMARK, as_of=as_of), a_table({"A": changed}, BENCHMARK, as_of=as_of)

        assert figures(known) == figures(other)
        assert np.array_equal(known.returns, other.returns)

    def test_prices_on_days_without_a_benchmark_price_count_as_the_latest_known(self) -> None:
        benchmark = without(BENCHMARK, slice(198, 199))
        table = a_table({"A": without(WALK, slice(199, 200))}, benchmark)

        assert figures(table).price == WALK.close[198]
        assert figures(table).price_date == day(198)
        assert table.returns[-1, 0] == pytest.approx(WALK.adj_close[198] / WALK.adj_close[197] - 1)

    def test_an_as_of_before_the_benchmark_is_refused(self) -> None:
        with pytest.raises(NoBenchmarkDateError):
            prepare_prices({"A": WALK}, BENCHMARK, date(2018, 1, 1), 100)


class TestGaps:
    def test_a_gap_of_five_days_is_carried_forward_with_returns_of_zero(self) -> None:
        table = a_table({"A": without(WALK, slice(100, 105))}, BENCHMARK)

        assert usable(table) == 199
        assert table.returns[99:104, 0].tolist() == [0, 0, 0, 0, 0]
        assert table.returns[104, 0] == pytest.approx(WALK.adj_close[105] / WALK.adj_close[99] - 1)

    def test_a_gap_of_six_days_ends_the_usable_history_before_it(self) -> None:
        table = a_table({"A": without(WALK, slice(100, 106))}, BENCHMARK)

        assert table.dates[table.first_day[0]] == DAYS[106]
        assert usable(table) == 93
        assert not table.returns[:106, 0].any()

    def test_after_several_long_gaps_only_the_last_stretch_counts(self) -> None:
        table = a_table({"A": without(without(WALK, slice(120, 130)), slice(20, 40))}, BENCHMARK)

        assert table.dates[table.first_day[0]] == DAYS[130]

    def test_nothing_is_filled_in_before_the_first_price(self) -> None:
        table = a_table({"A": without(WALK, slice(0, 3))}, BENCHMARK)

        assert table.first_day[0] == 3
        assert not table.returns[:3, 0].any()

    def test_a_gap_at_the_start_of_the_calendar_is_filled_from_before_it(self) -> None:
        table = a_table({"A": without(WALK, slice(98, 102))}, BENCHMARK, lookback_days=99)

        assert table.dates[0] == DAYS[100]
        assert usable(table) == 99
        assert table.returns[1, 0] == pytest.approx(WALK.adj_close[102] / WALK.adj_close[97] - 1)

    @settings(deadline=None)
    @given(st.sets(st.integers(0, 79), min_size=1), st.integers(1, 79))
    def test_the_usable_history_agrees_with_a_plain_walk_through_the_days(
        self, priced: set[int], lookback_days: int
    ) -> None:
        dates = weekdays(80)
        keep = sorted(priced)
        own = Bars(dates[keep], WALK.close[keep], WALK.adj_close[keep])

        table = a_table({"A": own}, bars(dates, 1.0), lookback_days=lookback_days)

        carried: list[float] = []
        price, age = math.nan, 6
        for index in range(80):
            price, age = (float(WALK.adj_close[index]), 0) if index in priced else (price, age + 1)
            carried = [*carried, price] if age <= 5 else []
        carried = carried[-lookback_days - 1 :]
        expected = [after / before - 1 for before, after in pairwise(carried)]
        assert len(table.dates) - table.first_day[0] == len(carried)
        assert table.returns[len(table.returns) - len(expected) :, 0] == pytest.approx(expected)
        assert not table.returns[: len(table.returns) - len(expected)].any()


class TestFlags:
    def test_a_last_price_five_trading_days_old_is_not_stale(self) -> None:
        table = a_table({"A": without(WALK, slice(195, 200))}, BENCHMARK)

        assert figures(table).history == "enough"
        assert table.included.tolist() == [True]

    def test_a_last_price_six_trading_days_old_is_stale_and_still_the_price(self) -> None:
        table = a_table({"A": without(WALK, slice(194, 200))}, BENCHMARK)

        assert figures(table).history == "stale"
        assert table.included.tolist() == [False]
        assert (figures(table).price, figures(table).price_date) == (WALK.close[193], day(193))
        assert figures(table).return_1d is None
        assert figures(table).beta is None

    def test_a_stale_price_may_be_older_than_the_calendar(self) -> None:
        table = a_table({"A": without(WALK, slice(50, 200))}, BENCHMARK, lookback_days=100)

        assert (figures(table).price, figures(table).price_date) == (WALK.close[49], day(49))
        assert figures(table).history == "stale"

    def test_63_returns_are_enough_history(self) -> None:
        table = a_table({"A": without(WALK, slice(0, 136))}, BENCHMARK)

        assert usable(table) == 63
        assert figures(table).history == "enough"
        assert figures(table).annual_volatility is not None

    def test_62_returns_are_a_short_history(self) -> None:
        table = a_table({"A": without(WALK, slice(0, 137))}, BENCHMARK)

        assert usable(table) == 62
        assert figures(table).history == "short"
        assert table.included.tolist() == [False]
        assert figures(table).annual_volatility is None
        assert figures(table).return_21d is not None

    def test_a_symbol_without_a_price_up_to_as_of_has_no_column(self) -> None:
        table = a_table({"A": without(WALK, slice(0, 160)), "B": bars(DAYS[:0], 1.0)}, BENCHMARK, as_of=day(150))

        assert table.columns == {}

    def test_the_usable_history_starts_after_prices_with_an_unrepresentable_jump(self) -> None:
        close = np.where(np.arange(200) < 195, 1e-200, 1e200)
        table = a_table({"A": bars(DAYS, close)}, BENCHMARK)

        assert np.isfinite(table.returns).all()
        assert usable(table) == 4
        assert figures(table).return_21d is None


class TestFigures:
    def test_recent_returns_compound_the_last_days(self) -> None:
        table = a_table({"A": WALK}, BENCHMARK)

        assert figures(table).return_1d == pytest.approx(WALK.adj_close[-1] / WALK.adj_close[-2] - 1)
        assert figures(table).return_21d == pytest.approx(WALK.adj_close[-1] / WALK.adj_close[-22] - 1)
        assert figures(table).return_252d is None

    def test_a_return_needs_that_many_usable_days(self) -> None:
        exactly = a_table({"A": without(WALK, slice(0, 178))}, BENCHMARK)
        fewer = a_table({"A": without(WALK, slice(0, 179))}, BENCHMARK)

        assert figures(exactly).return_21d is not None
        assert figures(fewer).return_21d is None

    def test_volatility_and_beta_are_over_the_own_usable_history(self) -> None:
        young = without(WALK, slice(0, 90))
        table = a_table({"OLD": random_walk(DAYS, 2), "A": young}, BENCHMARK)

        own = young.adj_close[1:] / young.adj_close[:-1] - 1
        benchmark = BENCHMARK.adj_close[91:] / BENCHMARK.adj_close[90:-1] - 1
        covariance = np.cov(own, benchmark)
        assert figures(table).annual_volatility == pytest.approx(own.std(ddof=1) * math.sqrt(252), rel=1e-9)
        assert figures(table).beta == pytest.approx(covariance[0, 1] / covariance[1, 1], rel=1e-9)

    def test_the_previous_close_is_the_raw_one_as_of_the_trading_day_before(self) -> None:
        table = a_table(
            {"A": WALK, "GAP": without(WALK, slice(197, 199)), "OLD": without(WALK, slice(190, 200))}, BENCHMARK
        )

        assert table.close.tolist() == [WALK.close[199], WALK.close[199], WALK.close[189]]
        assert table.previous_close.tolist() == [WALK.close[198], WALK.close[196], WALK.close[189]]

    def test_a_first_price_on_the_last_day_has_no_previous_close(self) -> None:
        table = a_table({"A": without(WALK, slice(0, 199))}, BENCHMARK)

        assert math.isnan(table.previous_close[0])
        assert figures(table).price == WALK.close[199]

    def test_a_calendar_of_one_day_has_prices_and_no_returns(self) -> None:
        table = a_table({"A": WALK}, BENCHMARK, as_of=day(0))

        assert table.returns.shape == (0, 1)
        assert figures(table) == SymbolFigures(float(WALK.close[0]), day(0), "short", None, None, None, None, None)


@pytest.mark.parametrize(("missing", "first_day"), [(5, 0), (6, 1)])
def test_a_gap_that_begins_before_the_benchmark_is_as_long_as_its_weekdays(missing: int, first_day: int) -> None:
    days = weekdays(300)
    # The benchmark begins on day 100, on the last day of a gap in the symbol's prices.
    own = without(random_walk(days, 1), slice(101 - missing, 101))
    table = a_table({"X": own}, without(random_walk(days, 99), slice(0, 100)))
    assert table.first_day[table.columns["X"]] == first_day
