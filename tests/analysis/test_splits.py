"""Splits: from factors and from ratios of closes."""

from fractions import Fraction

import pytest

from analysis.splits import is_corporate_action, ratio_text, split_of, told_split_of, unadjusted_split_of


@pytest.mark.parametrize(
    ("factor", "ratio"),
    [
        (10.0, "10:1"),
        (10.04, "10:1"),
        (10.2, "10:1"),  # a dividend of 2 % that day
        (2.06, "2:1"),
        (2.0599999, "2:1"),
        (1.5, "3:2"),
        (1.5029, "3:2"),
        (1.2, "6:5"),
        (1 / 1.2, "5:6"),
        (2.5, "5:2"),
        (10 / 3, "10:3"),
        (0.05, "1:20"),
        (0.0502, "1:20"),
        (0.4, "2:5"),
        (0.001, "1:1000"),
        (100.0, "100:1"),
        (102.9, "100:1"),
        (34.4, "34:1"),  # 33:1 with a dividend is farther away
        (45.5, "45:1"),
    ],
)
def test_a_factor_tells_its_split(factor: float, ratio: str) -> None:
    split = split_of(factor)
    assert split is not None
    assert ratio_text(split) == ratio


@pytest.mark.parametrize("factor", [1.25 * 1.003, 1.37, 1.47, 1.94, 2.07, 0.73, 0.0497, 104.0, 0.00099, 7 / 6, 11 / 10])
def test_a_factor_beyond_all_bounds_tells_none(factor: float) -> None:
    assert split_of(factor) is None


def test_a_split_within_its_bound_is_before_one_with_a_dividend() -> None:
    # 2.5 is a fraction; 2.02 is 2:1 with a dividend; 35.0 is exactly a split, and 34:1 with a dividend of 2.9 %.
    assert [split_of(factor) for factor in (2.5, 2.02, 35.0)] == [Fraction(5, 2), Fraction(2), Fraction(35)]


@pytest.mark.parametrize(
    ("told", "ratio"),
    [
        (4.0, "4:1"), (1.5, "3:2"), (1.05, "21:20"), (0.0333, "1:30"), (0.125, "1:8"), (2.06, "103:50"), (1.0001, None),
        (1.0, None), (0.0, None), (-2.0, None), (float("nan"), None), (float("inf"), None), (1e9, None),
    ],
)  # fmt: skip
def test_a_source_tells_any_ratio_rounded_or_not(told: float, ratio: str | None) -> None:
    found = told_split_of(told)
    assert (None if found is None else ratio_text(found)) == ratio


@pytest.mark.parametrize(("factor", "action"), [(1.2, True), (1.19, False), (1, False), (0.84, False), (0.8333, True)])
def test_a_fifth_is_more_than_dividends_explain(factor: float, action: bool) -> None:
    assert is_corporate_action(factor) == action


@pytest.mark.parametrize(
    ("ratio", "split"),
    [
        (2.0, "2:1"), (2.02, "2:1"), (2.04, None), (1.5, "3:2"), (2 / 3, None), (0.5, "1:2"), (0.1, "1:10"),
        (100.0, "100:1"), (0.01, "1:100"), (9.0, None), (40.0, None), (1.25, None), (4.94, "5:1"),
    ],
)  # fmt: skip
def test_a_ratio_of_closes_looks_like_a_split_of_the_list(ratio: float, split: str | None) -> None:
    found = unadjusted_split_of(ratio)
    assert (None if found is None else ratio_text(found)) == split
