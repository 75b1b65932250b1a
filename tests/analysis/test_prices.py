from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from analysis.prices import Bars, describe, find_issues
from records import PriceIssue
from tests.builders import bars, random_walk, weekdays, without

DAYS = weekdays(60)
WALK = replace(random_walk(DAYS, seed=3), volume=np.full(60, 1000.0))


def day(index: int) -> date:
    value: date = DAYS[index].item()
    return value


def scaled(own: Bars, days: slice, factor: float) -> Bars:
    """Return the bars with the adjusted closes of some days multiplied by a factor."""
    adj_close = own.adj_close.copy()
    adj_close[days] *= factor
    return replace(own, adj_close=adj_close)


def traded(*none: slice) -> Bars:
    """Return bars with days without any volume."""
    volume = np.full(60, 1000.0)
    for days in none:
        volume[days] = 0
    return replace(WALK, volume=volume)


def test_the_bars_between_two_days_include_those_of_both_days() -> None:
    assert WALK.between(day(3), day(5)).dates.tolist() == [day(3), day(4), day(5)]


def test_between_days_without_a_price_there_are_no_bars() -> None:
    gap = without(WALK, slice(3, 6))
    for start, end in (
        (day(3), day(5)),
        (date.min, date(2018, 12, 31)),
        (date(2050, 1, 1), date.max),
        (day(9), day(8)),
    ):
        assert len(gap.between(start, end).dates) == 0


def test_sound_prices_have_no_issue() -> None:
    assert find_issues(WALK, DAYS) == ()
    assert find_issues(replace(WALK, volume=None), DAYS) == ()


@pytest.mark.parametrize(
    ("own", "issue"),
    [
        (without(WALK, slice(10, 13)), PriceIssue("missing_days", 3, day(10))),
        (scaled(WALK, slice(30, None), 0.39), PriceIssue("jumps", 1, day(30))),
        (scaled(WALK, slice(30, 31), 1.7), PriceIssue("jumps", 1, day(30))),
        (scaled(WALK, slice(30, 31), 3.0), PriceIssue("jumps", 2, day(30))),
        (traded(slice(20, 25)), PriceIssue("no_volume", 5, day(20))),
        (traded(slice(5), slice(20, 24), slice(53, None)), PriceIssue("no_volume", 12, day(0))),
        (WALK.at(slice(57)), PriceIssue("behind_market", 3, day(57))),
    ],
    ids=["gap", "down", "up", "there and back", "streak", "streaks at both ends", "behind"],
)
def test_each_issue_is_reported_with_its_days(own: Bars, issue: PriceIssue) -> None:
    assert find_issues(own, DAYS) == (issue,)


def test_a_split_that_is_adjusted_for_is_no_jump() -> None:
    halved = replace(WALK, close=np.where(np.arange(60) < 30, WALK.close * 10, WALK.close))
    assert find_issues(halved, DAYS) == ()


def test_four_days_without_volume_are_usual_and_an_index_has_none_at_all() -> None:
    assert find_issues(traded(slice(20, 24)), DAYS) == ()
    assert find_issues(traded(slice(None)), DAYS) == ()


def test_a_young_symbol_misses_no_day_before_its_first() -> None:
    assert find_issues(WALK.at(slice(40, None)), DAYS) == ()


def test_only_the_given_trading_days_are_checked() -> None:
    own = scaled(without(WALK, slice(2, 4)), slice(0, 1), 9.0)
    assert find_issues(own, DAYS[10:]) == ()
    assert find_issues(scaled(WALK, slice(50, None), 9.0), DAYS[:45]) == ()


def test_a_last_price_of_before_all_trading_days_is_behind_by_all_of_them() -> None:
    assert find_issues(WALK.at(slice(10)), DAYS[20:]) == (PriceIssue("behind_market", 40, day(20)),)


def test_an_empty_history_has_no_issue_of_its_own() -> None:
    assert find_issues(bars(DAYS[:0], 1.0), DAYS) == ()


def test_a_day_of_the_symbol_alone_is_no_missing_day_of_the_market() -> None:
    assert find_issues(WALK, np.delete(DAYS, 7)) == ()


@pytest.mark.parametrize(
    ("issue", "sentence"),
    [
        (PriceIssue("jumps", 1, day(0)), "moved by more than 60 % on 1 day, the first 2019-01-01:"),
        (PriceIssue("missing_days", 2, day(1)), "There is no price for 2 days, the first 2019-01-02:"),
        (PriceIssue("renamed", None, day(0), "META"), "It is called META since 2019-01-01: change the symbol"),
        (PriceIssue("renamed", None, None, "META"), "It is called META: change the symbol"),
        (PriceIssue("delisted", None, day(0)), "It is no longer traded since 2019-01-01:"),
    ],
)
def test_an_issue_reads_as_a_sentence(issue: PriceIssue, sentence: str) -> None:
    assert sentence in describe(issue)
