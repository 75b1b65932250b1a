"""The conversion of a source's rows into bars."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.prices import Bars
from market_data.provider import MissingPrices
from market_data.rows import NO_PRICE, UNREADABLE, Column, bars_from_rows, prices_of
from records import PriceIssue

GOOD: dict[Column, list[float]] = {"close": [2, 3, 4], "adj_close": [1, 2, 3], "high": [5, 6, 7], "low": [1, 1, 1]}
DAYS = ("2026-01-05", "2026-01-06", "2026-01-07")


def bars_of(*days: str, **columns: list[float]) -> tuple[Bars, tuple[PriceIssue, ...]]:
    given: dict[Column, list[float]] = {**GOOD, **columns}  # type: ignore[dict-item]
    return bars_from_rows(
        "XYZ",
        np.array(days, dtype="datetime64[D]"),
        {name: np.array(values, dtype=np.float64) for name, values in given.items()},
    )


def test_rows_in_order_become_bars_as_they_are() -> None:
    bars, issues = bars_of(*DAYS)
    assert issues == ()
    assert bars.dates.astype(str).tolist() == list(DAYS)
    assert (bars.close.tolist(), bars.adj_close.tolist()) == ([2, 3, 4], [1, 2, 3])
    assert bars.high is not None
    assert bars.low is not None
    assert (bars.high.tolist(), bars.low.tolist()) == ([5, 6, 7], [1, 1, 1])


def test_of_rows_of_one_day_the_last_counts_and_an_issue_is_reported() -> None:
    bars, issues = bars_of("2026-01-05", "2026-01-05", "2026-01-06")
    assert bars.close.tolist() == [3, 4]
    assert issues == (PriceIssue("duplicate_days", date(2026, 1, 5), count=1),)


def test_rows_out_of_order_are_sorted_and_an_issue_is_reported() -> None:
    bars, issues = bars_of("2026-01-06", "2026-01-07", "2026-01-05")
    assert bars.close.tolist() == [4, 2, 3]
    assert issues == (PriceIssue("unordered_days", date(2026, 1, 5), count=1),)


def test_a_day_that_is_repeated_later_is_both_issues() -> None:
    bars, issues = bars_of("2026-01-06", "2026-01-07", "2026-01-06")
    assert bars.close.tolist() == [4, 3]
    assert issues == (
        PriceIssue("duplicate_days", date(2026, 1, 6), count=1),
        PriceIssue("unordered_days", date(2026, 1, 6), count=1),
    )


@given(st.lists(st.integers(0, 8), min_size=1, max_size=12))
def test_in_any_order_each_day_occurs_once_with_its_last_row(days: list[int]) -> None:
    start = np.datetime64("2026-01-05")
    closes = np.arange(1.0, len(days) + 1)
    bars, issues = bars_from_rows("XYZ", start + np.array(days), {"close": closes, "adj_close": closes})
    last = dict(zip(days, closes.tolist(), strict=True))
    assert dict(zip((bars.dates - start).astype(int).tolist(), bars.close.tolist(), strict=True)) == last
    assert (np.diff(bars.dates) > np.timedelta64(0, "D")).all()
    assert bool(issues) == (days != sorted(set(days)))


def test_no_rows_are_missing_prices() -> None:
    with pytest.raises(MissingPrices):
        bars_from_rows("XYZ", np.array([], dtype="datetime64[D]"), {})


@pytest.mark.parametrize("name", ["close", "adj_close", "high", "low"])
@pytest.mark.parametrize("price", [0.0, -1.0, float("inf"), 1.1e12])
def test_row_13_an_impossible_price_is_handed_on_as_it_is(name: str, price: float) -> None:
    bars = bars_of(*DAYS, **{name: [1, price, 9]})[0]
    assert getattr(bars, name).tolist() == [1, price, 9]


def test_a_day_without_a_close_is_no_row() -> None:
    bars, issues = bars_of(*DAYS, close=[1, NO_PRICE, 3])
    assert bars.dates.astype(str).tolist() == [DAYS[0], DAYS[2]]
    assert (bars.close.tolist(), bars.adj_close.tolist(), issues) == ([1, 3], [1, 3], ())
    with pytest.raises(MissingPrices):
        bars_of(*DAYS, close=[NO_PRICE] * 3)


def test_a_day_without_a_close_does_not_replace_another_row_of_that_day() -> None:
    bars, issues = bars_of("2026-01-05", "2026-01-05", "2026-01-06", close=[7, NO_PRICE, 8])
    assert (bars.close.tolist(), issues) == ([7, 8], ())


def test_a_day_without_an_adjusted_close_keeps_its_row() -> None:
    assert np.isnan(bars_of(*DAYS, adj_close=[1, NO_PRICE, 1])[0].adj_close).tolist() == [False, True, False]


def test_highs_and_lows_are_kept_by_day_if_there_are_some_of_both() -> None:
    some = bars_of(*DAYS, high=[1, NO_PRICE, 1])[0]
    assert some.high is not None
    assert some.low is not None
    assert np.isnan(some.high).tolist() == [False, True, False]
    none = bars_of(*DAYS, high=[NO_PRICE] * 3)[0]
    assert (none.high, none.low) == (None, None)


@pytest.mark.parametrize(
    ("values", "prices"),
    [
        ([1.5, 2.5], [1.5, 2.5]),
        ([1, 2.5], [1, 2.5]),
        (["1.5", "2.5"], [1.5, 2.5]),
        (["1.5", "+.5", " 2. ", "25e-1"], [1.5, 0.5, 2, 2.5]),
        ([None, "", "null", "NULL", "N/A", "n/a", "#N/A", "NA", ".", "-", " - "], [NO_PRICE] * 11),
        (["0", "-3", "1e13", "-0.0"], [0, -3, 1e13, 0]),
        (["NaN", "-NaN", "inf", "cheap", "1_0", "\u0663", "$9", "9,5", "1e999", "0x1"], [UNREADABLE] * 10),
        ([True, [1], {}, 10**400, "1 2"], [UNREADABLE] * 5),
        ([3, None, "4", "?"], [3, NO_PRICE, 4, UNREADABLE]),
        ([], []),
    ],
)
def test_a_source_s_values_are_prices_none_or_unreadable(values: list[object], prices: list[float]) -> None:
    np.testing.assert_array_equal(prices_of(values), prices)
