"""Bars, and which rows of a source count."""

import math
from copy import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.models import Dates, Floats
from analysis.prices import Bars, CleanBars, clean
from tests.builders import bars, random_walk, weekdays, with_range, without

DAYS = weekdays(700)
WALK = with_range(random_walk(DAYS, seed=3), seed=4)
EVER = date.max


def day(index: int) -> date:
    value: date = DAYS[index].item()
    return value


def changed(own: Bars, index: int | slice, **columns: float) -> Bars:
    """Return the bars with other values on some days."""
    values = {name: getattr(own, name).copy() for name in columns}
    for name, value in columns.items():
        values[name][index] = value
    return replace(own, **values)


def scaled(own: Bars, index: int | slice, factor: float, *names: str) -> Bars:
    """Return the bars with prices of some days, by default both closes, multiplied by a factor."""
    columns = names or ("close", "adj_close")
    factors = np.ones(len(own.dates))
    factors[index] = factor
    return replace(own, **{name: getattr(own, name) * factors for name in columns})


def bad_days(own: Bars, last: date = EVER) -> list[date]:
    found: list[date] = clean(own, last).bad_days.tolist()
    return found


def assert_same(own: Bars, expected: Bars) -> None:
    for name in Bars.__struct_fields__:
        np.testing.assert_array_equal(getattr(own, name), getattr(expected, name))


def test_the_bars_between_two_days_include_those_of_both_days() -> None:
    assert WALK.between(day(3), day(5)).dates.tolist() == [day(3), day(4), day(5)]
    assert WALK.since(day(697)).dates.tolist() == [day(697), day(698), day(699)]


def test_between_days_without_a_price_there_are_no_bars() -> None:
    gap = without(WALK, slice(3, 6))
    for start, end in (
        (day(3), day(5)),
        (date.min, date(2018, 12, 31)),
        (date(2050, 1, 1), date.max),
        (day(9), day(8)),
    ):
        assert len(gap.between(start, end).dates) == 0


def test_sound_prices_all_count() -> None:
    rows = clean(WALK, EVER)
    assert_same(rows.bars, WALK)
    assert (rows.bad_days.tolist(), rows.too_many, rows.unconfirmed) == ([], False, None)


def test_rows_after_the_last_day_do_not_matter() -> None:
    spoiled = changed(WALK, slice(400, None), close=-1.0, adj_close=math.nan)
    assert_same(clean(spoiled, day(399)).bars, WALK.at(slice(400)))
    assert bad_days(spoiled, day(399)) == []


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf, 1.1e12, 1e-31])
@pytest.mark.parametrize("name", ["close", "adj_close"])
def test_row_13_an_impossible_close_drops_its_row(name: str, price: float) -> None:
    spoiled = changed(WALK, 300, **{name: price})
    assert bad_days(spoiled) == [day(300)]
    assert_same(clean(spoiled, EVER).bars, without(WALK, slice(300, 301)))


def test_row_13_an_impossible_last_close_leaves_the_day_before_as_the_last() -> None:
    rows = clean(changed(WALK, 699, close=0.0), EVER)
    assert rows.bars.dates[-1] == DAYS[698]
    assert rows.bad_days.tolist() == [day(699)]


def test_without_any_adjusted_close_up_to_the_last_day_it_is_the_close() -> None:
    none = changed(WALK, slice(0, 500), adj_close=math.nan)
    np.testing.assert_array_equal(clean(none, day(499)).bars.adj_close, WALK.close[:500])
    assert clean(none, day(500)).too_many


def test_a_high_below_the_low_drops_its_row_unless_one_of_them_is_no_price() -> None:
    assert bad_days(changed(WALK, 300, high=1.0, low=2.0)) == [day(300)]
    for high, low in ((0.0, 2.0), (-1.0, 2.0), (1.0, -2.0), (1.0, math.nan), (math.inf, 3.0), (1.0, math.inf)):
        rows = clean(changed(WALK, 300, high=high, low=low), EVER)
        assert rows.bad_days.tolist() == []
        assert rows.bars.high is not None
        assert rows.bars.low is not None
        absent = [math.isnan(column[300]) for column in (rows.bars.high, rows.bars.low)]
        assert absent == [not 0 < high < math.inf, not 0 < low < math.inf]


@pytest.mark.parametrize(
    ("days", "bad", "too_many"), [(700, 7, False), (700, 8, True), (100, 5, False), (100, 6, True), (5, 5, False)]
)
def test_more_than_five_bad_rows_and_more_than_one_percent_are_too_many(days: int, bad: int, too_many: bool) -> None:
    rows = clean(changed(WALK, slice(0, bad), close=0.0), day(days - 1))
    assert len(rows.bad_days) == bad
    assert rows.too_many == too_many


class TestOutliers:
    @pytest.mark.parametrize("factor", [2.2, 0.45, 3.0, 100.0, 0.01])
    @pytest.mark.parametrize("names", [("close", "adj_close"), ("close",)])
    def test_row_30_a_close_that_stands_out_from_both_neighbors_is_bad(
        self, factor: float, names: tuple[str, ...]
    ) -> None:
        assert bad_days(scaled(WALK, 300, factor, *names)) == [day(300)]

    @pytest.mark.parametrize("factor", [1.9, 0.55])
    def test_less_than_twice_its_neighbors_it_counts(self, factor: float) -> None:
        assert bad_days(scaled(WALK, 300, factor)) == []

    def test_neighbors_that_differ_by_more_than_five_percent_tell_nothing(self) -> None:
        steady = bars(DAYS, 100.0)
        assert bad_days(scaled(scaled(steady, 300, 3), slice(301, None), 1.04)) == [day(300)]
        assert bad_days(scaled(scaled(steady, 300, 3), slice(301, None), 1.06)) == []

    @pytest.mark.parametrize("factor", [5.5, 0.18, 1000.0])
    def test_a_close_far_from_the_last_row_is_bad_unless_the_next_confirms_it(self, factor: float) -> None:
        steady = bars(DAYS, 100.0)
        assert bad_days(scaled(scaled(steady, 300, factor), slice(301, None), 1.2)) == [day(300)]
        assert bad_days(scaled(scaled(steady, slice(300, None), factor), slice(301, None), 1.4)) == []
        assert bad_days(scaled(scaled(steady, slice(300, None), factor), slice(301, None), 1.6)) == [day(300)]

    def test_several_bad_closes_in_a_row_are_compared_with_the_last_good_one(self) -> None:
        spoiled = scaled(scaled(WALK, 300, 100), 301, 30)
        assert bad_days(spoiled) == [day(300), day(301)]
        assert_same(clean(spoiled, EVER).bars, without(WALK, slice(300, 302)))

    def test_a_bad_row_is_nobody_s_neighbor(self) -> None:
        spoiled = changed(scaled(WALK, 300, 100), slice(301, 303), close=0.0)
        assert bad_days(spoiled) == [day(300), day(301), day(302)]

    @pytest.mark.parametrize("split", [10.0, 0.05])
    def test_a_split_that_is_adjusted_for_is_no_outlier(self, split: float) -> None:
        assert bad_days(scaled(WALK, slice(0, 300), split, "close")) == []
        assert clean(scaled(WALK, slice(0, 699), split, "close"), EVER).unconfirmed is None

    @pytest.mark.parametrize("factor", [100.0, 5.2, 0.15, 0.01])
    def test_row_30_a_last_close_far_from_the_one_before_waits_for_a_second_one(self, factor: float) -> None:
        moved = scaled(WALK, slice(600, None), factor)
        rows = clean(moved, day(600))
        assert (rows.unconfirmed, rows.bad_days.tolist()) == (day(600), [])
        assert_same(rows.bars, WALK.at(slice(600)))
        rows = clean(moved, day(601))
        assert (rows.unconfirmed, rows.bad_days.tolist()) == (None, [])
        assert_same(rows.bars, moved.at(slice(602)))

    @pytest.mark.parametrize(("ratio", "waits"), [(6, False), (10.1, False), (50, False), (55, True), (100, True)])
    def test_a_last_close_that_looks_like_a_split_does_not_wait(self, ratio: float, waits: bool) -> None:
        steady = bars(DAYS, 100.0)
        rows = clean(scaled(steady, slice(600, None), 1 / ratio), day(600))
        assert (rows.unconfirmed is not None) == waits

    def test_a_rise_by_such_a_ratio_waits(self) -> None:
        assert clean(scaled(WALK, slice(600, None), 10), day(600)).unconfirmed == day(600)

    def test_a_first_close_has_nothing_to_stand_out_from(self) -> None:
        assert bad_days(scaled(bars(DAYS, 100.0), 0, 50)) == []


FAULTS = st.sampled_from([0.0, -1.0, math.nan, math.inf, 0.001, 0.3, 3.0, 1000.0])


def spoiled_walk(faults: dict[int, float]) -> Bars:
    """Return a walk with a close of no price, or multiplied, on some days that are not next to each other."""
    own = WALK
    for place, fault in faults.items():
        impossible = not 0 < fault < math.inf
        own = changed(own, 3 * place + 5, close=fault) if impossible else scaled(own, 3 * place + 5, fault)
    return own


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 200), FAULTS, max_size=9), st.integers(50, 699))
def test_cleaning_what_is_clean_changes_nothing(faults: dict[int, float], last: int) -> None:
    once = clean(spoiled_walk(faults), day(last))
    again = clean(once.bars, day(last))
    assert_same(again.bars, once.bars)
    assert (again.bad_days.tolist(), again.unconfirmed) == ([], None)


@settings(deadline=None)
@given(st.dictionaries(st.integers(0, 200), FAULTS, max_size=9), st.integers(50, 699))
def test_only_rows_up_to_the_last_day_matter(faults: dict[int, float], last: int) -> None:
    own = spoiled_walk(faults)
    whole, cut = clean(own, day(last)), clean(own.at(slice(last + 1)), day(last))
    assert_same(whole.bars, cut.bars)
    assert (whole.bad_days.tolist(), whole.too_many, whole.unconfirmed) == (
        cut.bad_days.tolist(),
        cut.too_many,
        cut.unconfirmed,
    )


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 1.0, 1.04, 1.2, 2.1, 3.0, 5.5, 8.0, 40.0]), min_size=1, max_size=14),
    st.lists(st.sampled_from([1.0, 10.0]), min_size=14, max_size=14),
)
def test_the_rows_that_count_are_those_of_a_plain_walk_through_the_rules(
    closes: list[float], ahead: list[float]
) -> None:
    close, adjusted = np.array(closes), np.array(closes) * np.array(ahead[: len(closes)])
    dates = weekdays(len(closes))
    rows = clean(Bars(dates, close, adjusted), EVER)
    kept, unconfirmed = plain_walk(close, adjusted)
    assert rows.bars.dates.tolist() == dates[kept].tolist()
    assert rows.unconfirmed == (dates[unconfirmed].item() if unconfirmed is not None else None)


def plain_walk(close: Floats, adjusted: Floats) -> tuple[list[int], int | None]:
    """Return the rows that count, and the unconfirmed one, by the text of the rules."""
    good = [row for row in range(len(close)) if close[row] > 0]
    kept: list[int] = []
    for place, row in enumerate(good):
        own, following = close[row], close[good[place + 1]] if place + 1 < len(good) else None
        if not kept:
            kept.append(row)
            continue
        last = close[kept[-1]]
        factor = last / own * adjusted[row] / adjusted[kept[-1]]
        far = (own > 5 * last or own < last / 5) and not any(
            abs(factor / split - 1) < 0.005 or 0 < factor / split - 1 <= 0.03 or abs(factor * split - 1) < 0.005
            for split in (2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 20, 25, 30, 40, 50, 80, 100)
        )
        if following is None:
            falls = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50)
            if far and not any(abs(last / own / ratio - 1) <= 0.015 for ratio in falls):
                return kept, row
        else:
            near = max(last, following) <= 1.05 * min(last, following)
            beyond = own > 2 * max(last, following) or own < min(last, following) / 2
            if (near and beyond) or (far and abs(following / own - 1) > 0.5):
                continue
        kept.append(row)
    return kept, None


def test_no_rows_are_clean() -> None:
    empty: Dates = DAYS[:0]
    rows: CleanBars = clean(bars(empty, 1.0), EVER)
    assert len(rows.bars.dates) == 0
    assert not rows.too_many
