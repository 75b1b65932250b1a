"""The conversion of a source's rows into bars."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.prices import Bars
from market_data.provider import BadPrices, MissingPrices
from market_data.rows import Column, bars_from_rows
from records import PriceIssue

GOOD: dict[Column, list[float]] = {
    "close": [2, 3, 4], "adj_close": [1, 2, 3], "high": [5, 6, 7], "low": [1, 1, 1], "volume": [9, 0, 7],
}  # fmt: skip
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
    assert bars.volume is not None
    assert (bars.high.tolist(), bars.low.tolist(), bars.volume.tolist()) == ([5, 6, 7], [1, 1, 1], [9, 0, 7])


def test_of_rows_of_one_day_the_last_counts_and_an_issue_is_reported() -> None:
    bars, issues = bars_of("2026-01-05", "2026-01-05", "2026-01-06")
    assert bars.close.tolist() == [3, 4]
    assert issues == (PriceIssue("duplicate_days", 1, date(2026, 1, 5)),)


def test_rows_out_of_order_are_sorted_and_an_issue_is_reported() -> None:
    bars, issues = bars_of("2026-01-06", "2026-01-07", "2026-01-05")
    assert bars.close.tolist() == [4, 2, 3]
    assert issues == (PriceIssue("unordered_days", 1, date(2026, 1, 5)),)


def test_a_day_that_is_repeated_later_is_both_issues() -> None:
    bars, issues = bars_of("2026-01-06", "2026-01-07", "2026-01-06")
    assert bars.close.tolist() == [4, 3]
    assert issues == (
        PriceIssue("duplicate_days", 1, date(2026, 1, 6)),
        PriceIssue("unordered_days", 1, date(2026, 1, 6)),
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
def test_an_impossible_price_is_named_with_its_day(name: str, price: float) -> None:
    with pytest.raises(BadPrices, match=f"^XYZ: {name} of 2026-01-06: it is not above zero and up to 1e"):
        bars_of(*DAYS, **{name: [1, price, -9]})


@pytest.mark.parametrize("volume", [-1.0, float("inf")])
def test_an_impossible_volume_is_named_with_its_day(volume: float) -> None:
    with pytest.raises(BadPrices, match=r"^XYZ: volume of 2026-01-07: it is not zero or a positive number"):
        bars_of(*DAYS, volume=[1, 0, volume])


@pytest.mark.parametrize("name", ["close", "adj_close"])
def test_a_day_without_a_close_is_a_fault(name: str) -> None:
    with pytest.raises(BadPrices, match=name):
        bars_of(*DAYS, **{name: [1, float("nan"), 1]})


def test_highs_lows_and_volumes_are_used_if_every_day_has_one() -> None:
    without_high = bars_of(*DAYS, high=[1, float("nan"), 1])[0]
    assert (without_high.high, without_high.low) == (None, None)
    assert bars_of(*DAYS, volume=[1, float("nan"), 1])[0].volume is None


def test_the_fault_of_a_replaced_row_has_no_effect() -> None:
    assert bars_of("2026-01-05", "2026-01-05", "2026-01-06", close=[-1, 2, 3])[0].close.tolist() == [2, 3]
