import math
from copy import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.histories import NoBenchmarkDateError, read_histories, resolve_as_of
from analysis.price_table import PriceTable, SymbolFigures
from analysis.prices import Bars
from tests.builders import a_table, bars, random_walk, weekdays, without

DAYS = weekdays(200)
BENCHMARK = random_walk(DAYS, seed=0)
WALK = random_walk(DAYS, seed=1)
CALM = random_walk(DAYS, seed=1, volatility=0.003)


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
        with pytest.raises(NoBenchmarkDateError, match="no price up to 2018-12-31: its prices begin on 2019-01-01"):
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
        changed = Bars(DAYS, np.where(later, 120.0, WALK.close), np.where(later, 120.0, WALK.adj_close))

        known, other = a_table({"A": WALK}, BENCHMARK, as_of=as_of), a_table({"A": changed}, BENCHMARK, as_of=as_of)

        assert figures(known) == figures(other)
        assert np.array_equal(known.returns, other.returns)

    def test_a_price_of_a_day_without_a_benchmark_price_counts_on_the_next_day(self) -> None:
        benchmark = without(BENCHMARK, slice(198, 199))
        table = a_table({"A": without(WALK, slice(199, 200))}, benchmark)

        assert figures(table).price == WALK.close[198]
        assert figures(table).price_date == day(198)
        assert table.returns[-1, 0] == pytest.approx(WALK.adj_close[198] / WALK.adj_close[197] - 1)
        assert table.day_return[0] == pytest.approx(1 - WALK.adj_close[197] / WALK.adj_close[198])

    def test_row_13_bad_days_of_the_benchmark_drop_out_of_the_calendar_for_all(self) -> None:
        close = BENCHMARK.close.copy()
        close[[60, 199]] = 0
        bad = Bars(DAYS, close, BENCHMARK.adj_close)

        table = a_table({"A": WALK}, bad)

        assert resolve_as_of(bad) == table.as_of == day(198)
        assert table.newest
        assert not a_table({"A": WALK}, bad, as_of=day(150)).newest
        expected = a_table({"A": WALK.at(slice(199))}, without(without(BENCHMARK, slice(199, 200)), slice(60, 61)))
        assert table.dates.tolist() == expected.dates.tolist()
        assert np.array_equal(table.returns, expected.returns)
        assert np.array_equal(table.benchmark_returns, expected.benchmark_returns)

    def test_an_as_of_before_the_benchmark_is_refused(self) -> None:
        with pytest.raises(NoBenchmarkDateError):
            read_histories({"A": WALK}, BENCHMARK, date(2018, 1, 1))


class TestGaps:
    def test_row_10_a_gap_of_ten_days_is_carried_forward_with_returns_of_zero(self) -> None:
        table = a_table({"A": without(WALK, slice(100, 110))}, BENCHMARK)

        assert usable(table) == 199
        assert table.returns[99:109, 0].tolist() == [0] * 10
        assert table.returns[109, 0] == pytest.approx(WALK.adj_close[110] / WALK.adj_close[99] - 1)

    @pytest.mark.parametrize("days", [11, 25, 60])
    def test_row_34_a_longer_gap_is_carried_if_the_price_after_it_is_near_that_before(self, days: int) -> None:
        assert usable(a_table({"A": without(WALK, slice(100, 100 + days))}, BENCHMARK)) == 199

    @pytest.mark.parametrize(("factor", "carried"), [(1.49, True), (1.51, False), (0.51, True), (0.49, False)])
    def test_a_longer_gap_with_another_price_after_it_ends_the_usable_history(
        self, factor: float, carried: bool
    ) -> None:
        own = without(bars(DAYS, np.where(np.arange(200) < 100, 100.0, 100.0 * factor)), slice(90, 110))
        table = a_table({"A": own}, BENCHMARK)

        assert usable(table) == (199 if carried else 89)

    def test_a_gap_of_61_days_ends_the_usable_history_whatever_the_price_after_it(self) -> None:
        table = a_table({"A": without(WALK, slice(100, 161))}, BENCHMARK)

        assert table.dates[table.first_day[0]] == DAYS[161]
        assert usable(table) == 38
        assert not table.returns[:161, 0].any()

    def test_after_several_long_gaps_only_the_last_stretch_counts(self) -> None:
        table = a_table({"A": without(without(WALK, slice(90, 155)), slice(10, 80))}, BENCHMARK)

        assert table.dates[table.first_day[0]] == DAYS[155]

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
    @given(st.sets(st.integers(0, 199), min_size=1, max_size=60), st.integers(1, 199), st.sets(st.integers(0, 199)))
    def test_the_usable_history_agrees_with_a_plain_walk_through_the_days(
        self, priced: set[int], lookback_days: int, closed: set[int]
    ) -> None:
        market = [index for index in range(200) if index not in closed - {199}]
        closes = np.exp(0.0079 * np.arange(200))  # half as much again in 51 days
        own = bars(DAYS[sorted(priced)], closes[sorted(priced)])

        table = a_table({"A": own}, bars(DAYS[market], 1.0), lookback_days=lookback_days)

        carried: list[float] = []
        last, age, before = math.nan, 999, -1
        for index in market:
            new = [own for own in range(before + 1, index + 1) if own in priced]
            before = index
            if new:
                near = age <= 10 or (age <= 60 and closes[new[0]] / last <= 1.5)
                carried = carried if near else []
                last, age = float(closes[new[-1]]), 0
            else:
                age += 1
            carried = [*carried, last] if not math.isnan(last) else []
        carried = [] if age > 10 else carried[-lookback_days - 1 :]
        assert len(table.dates) - table.first_day[0] == len(carried)


# The days of 2025 on which Shanghai and New York were closed.
SHANGHAI = (
    *("2025-01-01", "2025-01-28", "2025-01-29", "2025-01-30", "2025-01-31", "2025-02-03", "2025-02-04", "2025-04-04"),
    *("2025-05-01", "2025-05-02", "2025-05-05", "2025-06-02"),
    *("2025-10-01", "2025-10-02", "2025-10-03", "2025-10-06", "2025-10-07", "2025-10-08"),
)
NEW_YORK = (
    *("2025-01-01", "2025-01-09", "2025-01-20", "2025-02-17", "2025-04-18", "2025-05-26", "2025-06-19", "2025-07-04"),
    *("2025-09-01", "2025-11-27", "2025-12-25"),
)


def test_row_10_a_shanghai_share_is_usable_on_every_day_of_a_new_york_calendar() -> None:
    year = np.arange("2024-06-03", "2026-01-01", dtype="datetime64[D]")
    sessions, market_days = (year[np.is_busday(year, holidays=closed)] for closed in (SHANGHAI, NEW_YORK))
    share, market = random_walk(sessions, 1), random_walk(market_days, 2)

    for as_of in market_days[market_days >= np.datetime64("2025-01-02")].tolist():
        table = a_table({"A": share}, market, as_of=as_of)
        assert figures(table).history == "enough"
        assert table.first_day[0] == 0
        assert [issue.kind for issue in table.issues.get("A", ())] in ([], ["asynchronous_prices"])
    assert [issue.kind for issue in table.issues["A"]] == ["asynchronous_prices"]


class TestFlags:
    def test_a_last_price_ten_trading_days_old_is_not_stale(self) -> None:
        table = a_table({"A": without(WALK, slice(190, 200))}, BENCHMARK)

        assert figures(table).history == "enough"
        assert table.included.tolist() == [True]

    def test_a_last_price_eleven_trading_days_old_is_stale_and_still_the_price(self) -> None:
        table = a_table({"A": without(WALK, slice(189, 200))}, BENCHMARK)

        assert figures(table).history == "stale"
        assert table.included.tolist() == [False]
        assert (figures(table).price, figures(table).price_date) == (WALK.close[188], day(188))
        assert figures(table).return_1d is None
        assert figures(table).beta is None
        assert math.isnan(table.volatility[0])

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

    def test_a_symbol_with_too_many_bad_rows_has_no_column(self) -> None:
        table = a_table({"A": Bars(DAYS, np.where(np.arange(200) < 6, 0.0, WALK.close), WALK.adj_close)}, BENCHMARK)

        assert table.columns == {}
        assert [issue.kind for issue in table.issues["A"]] == ["bad_prices"]


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
        assert table.volatility[1] == figures(table).annual_volatility

    def test_a_calendar_of_one_day_has_prices_and_no_returns(self) -> None:
        table = a_table({"A": WALK}, BENCHMARK, as_of=day(0))

        assert table.returns.shape == (0, 1)
        assert figures(table) == SymbolFigures(float(WALK.close[0]), day(0), "short", None, None, None, None, None)


@pytest.mark.parametrize(("missing", "first_day"), [(60, 0), (61, 1)])
def test_a_gap_that_begins_before_the_benchmark_is_as_long_as_its_weekdays(missing: int, first_day: int) -> None:
    days = weekdays(300)
    # The benchmark begins on day 100, on the last day of a gap in the symbol's prices.
    own = without(random_walk(days, 1), slice(101 - missing, 101))
    table = a_table({"X": own}, without(random_walk(days, 99), slice(0, 100)))
    assert table.first_day[table.columns["X"]] == first_day


def split(own: Bars, index: int, ratio: float, adjusted: bool = True) -> Bars:
    """Return the bars with closes from a day on after a split of new shares for an old one."""
    close = own.close / np.where(np.arange(len(own.dates)) < index, 1.0, ratio)
    return Bars(own.dates, close, own.adj_close if adjusted else close)


def told(own: Bars, index: int, ratio: float) -> Bars:
    """Return the bars of a source that tells a split of a day."""
    return replace(own, split=np.where(np.arange(len(own.dates)) == index, ratio, 1.0))


def cut(table: PriceTable, own: str = "A") -> date | None:
    """Return the first day of a usable history that does not begin with the calendar."""
    first = int(table.first_day[table.columns[own]])
    return None if first == 0 else table.dates[first].item()


class TestDayReturn:
    def day_return(self, own: Bars, as_of: date | None = None, benchmark: Bars = BENCHMARK) -> float:
        return float(a_table({"A": own}, benchmark, as_of=as_of).day_return[0])

    @pytest.mark.parametrize("ratio", [10.0, 0.05, 1.5])
    def test_rows_4_and_5_a_split_of_today_changes_nothing(self, ratio: float) -> None:
        closes = np.full(200, 100.0)
        closes[199] = 101.0
        assert self.day_return(split(bars(DAYS, closes), 199, ratio)) == pytest.approx(1 - 100 / 101, rel=1e-12)

    def test_row_5_a_special_dividend_counts_as_return_of_the_day(self) -> None:
        close = np.where(np.arange(200) < 199, 100.0, 73.0)
        assert self.day_return(Bars(DAYS, close, np.full(200, 73.0))) == 0

    def test_row_16_a_fund_that_is_priced_a_day_late_keeps_its_own_last_change(self) -> None:
        late = 1 - WALK.adj_close[197] / WALK.adj_close[198]
        assert self.day_return(WALK.at(slice(199))) == pytest.approx(late, rel=1e-12)
        assert self.day_return(WALK.at(slice(198))) == 0

    def test_the_last_two_days_with_a_new_price_count(self) -> None:
        gap = without(WALK, slice(190, 199))
        assert self.day_return(gap) == pytest.approx(1 - WALK.adj_close[189] / WALK.adj_close[199], rel=1e-12)

    def test_across_a_gap_of_more_than_ten_days_it_is_unknown(self) -> None:
        assert not math.isnan(self.day_return(without(WALK, slice(189, 199))))
        assert math.isnan(self.day_return(without(WALK, slice(188, 199))))

    def test_across_a_suspected_split_it_is_unknown(self) -> None:
        assert math.isnan(self.day_return(split(CALM, 199, 2.0, adjusted=False)))
        assert not math.isnan(self.day_return(split(CALM, 198, 2.0, adjusted=False)))

    def test_with_one_price_alone_it_is_unknown(self) -> None:
        assert math.isnan(self.day_return(WALK.at(slice(199, 200))))

    def test_several_prices_of_one_day_of_the_calendar_are_one(self) -> None:
        benchmark = without(BENCHMARK, slice(196, 199))
        assert self.day_return(WALK, benchmark=benchmark) == pytest.approx(
            1 - WALK.adj_close[195] / WALK.adj_close[199], rel=1e-12
        )
        assert self.day_return(WALK.at(slice(198, 200)), benchmark=benchmark) != 0
        assert math.isnan(self.day_return(WALK.at(slice(196, 200)), benchmark=benchmark))

    def test_on_the_first_day_of_the_calendar_the_price_before_it_counts(self) -> None:
        benchmark = BENCHMARK.at(slice(199, 200))
        assert self.day_return(WALK, benchmark=benchmark) == pytest.approx(
            1 - WALK.adj_close[198] / WALK.adj_close[199], rel=1e-12
        )


class TestUnadjustedSplits:
    @pytest.mark.parametrize("ratio", [2.0, 1.5, 20.0, 0.1])
    def test_row_11_the_usable_history_begins_after_it(self, ratio: float) -> None:
        table = a_table({"A": split(CALM, 120, ratio, adjusted=False)}, BENCHMARK)

        assert cut(table) == day(120)
        assert np.abs(table.returns[:, 0]).max() < 0.1
        expected = a_table({"A": bars(DAYS, CALM.close).at(slice(120, None))}, BENCHMARK)
        assert table.returns[:, 0] == pytest.approx(expected.returns[:, 0], abs=1e-9)

    def test_a_split_that_is_adjusted_for_is_none(self) -> None:
        assert cut(a_table({"A": split(WALK, 120, 2.0)}, BENCHMARK)) is None

    def test_a_move_of_no_split_is_used(self) -> None:
        table = a_table({"A": split(WALK, 120, 1.8, adjusted=False)}, BENCHMARK)
        assert cut(table) is None
        assert table.returns[:, 0].min() < -0.4

    @pytest.mark.parametrize(("market", "suspected"), [(-0.06, False), (-0.04, True), (0.06, True)])
    def test_row_11_a_crash_on_a_day_on_which_the_market_fell_too_stays(self, market: float, suspected: bool) -> None:
        closes = np.where(np.arange(200) < 120, 100.0, 100.0 * (1 + market))
        table = a_table({"A": split(bars(DAYS, 60.0), 120, 1.5, adjusted=False)}, bars(DAYS, closes))
        assert (cut(table) == day(120)) == suspected

    def test_a_split_that_the_source_tells_but_did_not_adjust_for_needs_no_usual_ratio(self) -> None:
        own = split(CALM, 120, 40.0, adjusted=False)
        assert cut(a_table({"A": own}, BENCHMARK)) is None
        assert cut(a_table({"A": told(own, 120, 40.0)}, BENCHMARK)) == day(120)

    def test_the_benchmark_is_never_suspected(self) -> None:
        halved = split(BENCHMARK, 120, 2.0, adjusted=False)
        table = a_table({"A": WALK}, halved)
        assert len(table.dates) == 200
        assert table.benchmark_returns.min() < -0.4


class TestLaterSplits:
    def prices(self, own: Bars, as_of: date, benchmark: Bars = BENCHMARK) -> tuple[object, object]:
        """Return the price of a symbol, and what the raw close was divided by."""
        table = a_table({"A": own}, benchmark, as_of=as_of)
        assert figures(table).price == table.close[0]
        return float(table.close[0]), table.later_splits.get("A")

    def test_row_6_before_a_split_the_close_is_divided_by_it(self) -> None:
        own = split(WALK, 160, 4.0)
        assert self.prices(own, day(150)) == (pytest.approx(WALK.close[150] / 4, rel=1e-12), 4)
        assert self.prices(own, day(160)) == (pytest.approx(WALK.close[160] / 4, rel=1e-12), None)

    def test_the_splits_after_the_day_multiply(self) -> None:
        own = split(split(WALK, 160, 4.0), 180, 0.05)
        assert self.prices(own, day(150))[1] == pytest.approx(0.2)
        assert self.prices(own, day(170))[1] == pytest.approx(0.05)

    def test_a_split_that_nobody_adjusted_for_counts_too(self) -> None:
        assert self.prices(split(CALM, 160, 2.0, adjusted=False), day(150))[1] == 2

    def test_a_split_that_the_source_tells_counts_before_the_one_that_prices_show(self) -> None:
        own = split(WALK, 160, 1.05)
        assert self.prices(own, day(150))[1] is None
        assert self.prices(told(own, 160, 1.05), day(150))[1] == 1.05

    def test_a_split_that_is_told_and_not_adjusted_for_counts_once(self) -> None:
        assert self.prices(told(split(CALM, 160, 2.0, adjusted=False), 160, 2.0), day(150))[1] == 2

    def test_a_distribution_does_not_count(self) -> None:
        own = Bars(DAYS, WALK.close * np.where(np.arange(200) < 160, 1.37, 1.0), WALK.adj_close)
        assert self.prices(own, day(150))[1] is None

    def test_a_bad_row_after_the_day_is_no_split(self) -> None:
        close = WALK.close.copy()
        close[170] /= 10
        assert self.prices(Bars(DAYS, close, WALK.adj_close), day(150))[1] is None

    def test_a_crash_of_the_whole_market_after_the_day_is_no_split(self) -> None:
        crash = np.where(np.arange(200) < 160, 1.0, 0.9)
        market = Bars(DAYS, BENCHMARK.close * crash, BENCHMARK.adj_close * crash)
        own = split(bars(DAYS, 60.0), 160, 1.5, adjusted=False)
        assert self.prices(own, day(150))[1] == 1.5
        assert self.prices(own, day(150), market)[1] is None

    def test_a_reverse_split_whose_first_close_waits_for_another_is_later_than_the_price_that_counts(self) -> None:
        own = split(CALM, 150, 0.1, adjusted=False)
        assert self.prices(own, day(150)) == (pytest.approx(CALM.close[149] * 10, rel=1e-12), 0.1)


SPLIT_DAYS = weekdays(420)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 419),
    st.sampled_from([2.0, 1.5, 3.0, 10.0, 0.1, 0.05, 1.25]),
    st.sets(st.integers(0, 418), max_size=200),
    st.integers(300, 419),
)
def test_a_split_anywhere_changes_nothing_but_the_price_and_the_issues(
    index: int, ratio: float, missing: set[int], as_of: int
) -> None:
    kept = [row for row in range(420) if row not in missing]
    whole = random_walk(SPLIT_DAYS, seed=8)
    own, market = whole.at(np.array(kept)), random_walk(SPLIT_DAYS, seed=9)
    divided = split(whole, index, ratio).at(np.array(kept))
    last: date = SPLIT_DAYS[as_of].item()

    before, after = (a_table({"A": bars_}, market, as_of=last) for bars_ in (own, divided))

    for name in ("returns", "first_day", "included", "day_return", "volatility", "episode_returns"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    # Quantities of after the split, at a price of after the split.
    assert after.close == pytest.approx(before.close / ratio, rel=1e-12)
    if "A" in before.figures:
        assert figures(after).return_21d == figures(before).return_21d


@settings(deadline=None, max_examples=60)
@given(
    st.sets(st.integers(0, 419), max_size=100),
    st.dictionaries(st.integers(0, 419), st.sampled_from([0.0, 0.001, 0.3, 3.0, 200.0]), max_size=6),
    st.integers(260, 418),
)
def test_whatever_prices_follow_a_day_its_figures_are_the_same(
    missing: set[int], faults: dict[int, float], as_of: int
) -> None:
    closes = random_walk(SPLIT_DAYS, seed=8).close.copy()
    for row, factor in faults.items():
        closes[row] *= factor
    kept = np.array([row for row in range(420) if row not in missing])
    own, market = bars(SPLIT_DAYS, closes).at(kept), random_walk(SPLIT_DAYS, seed=9)
    last: date = SPLIT_DAYS[as_of].item()

    whole, cut_off = (
        a_table({"A": own.between(date.min, end)}, market.between(date.min, end), as_of=last)
        for end in (date.max, last)
    )

    for name in ("dates", "returns", "first_day", "included", "day_return", "volatility", "episode_returns"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(cut_off, name))
    assert whole.issues == cut_off.issues
    factors = np.array([whole.later_splits.get(symbol, 1.0) for symbol in whole.columns])
    assert whole.close * factors == pytest.approx(cut_off.close, rel=1e-12)
