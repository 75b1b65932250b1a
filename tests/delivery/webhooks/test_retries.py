from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.webhooks.retries import next_attempt

FIRST = datetime(2026, 11, 27, 1, 30, tzinfo=UTC)
MIDDLE = 0.5
"""The chance that changes nothing."""
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def test_the_pauses_are_those_of_the_documentation_and_the_last_attempt_is_within_a_day() -> None:
    times: list[timedelta] = []
    at = FIRST
    while (following := next_attempt(len(times) + 1, FIRST, at, None, MIDDLE)) is not None:
        times.append(following - at)
        at = following
    assert times == [
        5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 8 * HOUR,
    ]  # fmt: skip


def test_from_the_ninth_pause_on_it_is_eight_hours_each_time() -> None:
    assert [next_attempt(made, FIRST, FIRST, None, MIDDLE) for made in (9, 10, 500)] == [FIRST + 8 * HOUR] * 3


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 24), (0.25, 27), (MIDDLE, 30), (1.0, 36)])
def test_a_pause_is_up_to_a_fifth_shorter_or_longer(chance: float, seconds: int) -> None:
    assert next_attempt(2, FIRST, FIRST, None, chance) == FIRST + seconds * SECOND


def test_the_receivers_own_time_counts_if_it_is_later() -> None:
    assert next_attempt(1, FIRST, FIRST, HOUR, MIDDLE) == FIRST + HOUR
    assert next_attempt(6, FIRST, FIRST, SECOND, MIDDLE) == FIRST + HOUR


def test_an_attempt_a_day_after_the_first_is_made_and_none_later() -> None:
    assert next_attempt(1, FIRST, FIRST, DAY, MIDDLE) == FIRST + DAY
    assert next_attempt(1, FIRST, FIRST + SECOND, DAY, MIDDLE) is None
    assert next_attempt(9, FIRST, FIRST + 16 * HOUR, None, MIDDLE) == FIRST + DAY
    assert next_attempt(9, FIRST, FIRST + 16 * HOUR + SECOND, None, MIDDLE) is None


@given(
    made=st.integers(1, 10_000),
    passed=st.timedeltas(timedelta(), 3 * DAY),
    retry_after=st.none() | st.timedeltas(timedelta(), DAY),
    chance=st.floats(0, 1),
)
def test_the_next_attempt_is_in_the_future_not_before_the_receivers_time_and_within_a_day_of_the_first(
    made: int, passed: timedelta, retry_after: timedelta | None, chance: float
) -> None:
    now = FIRST + passed
    at = next_attempt(made, FIRST, now, retry_after, chance)
    if at is not None:
        assert now + max(4 * SECOND, retry_after or timedelta()) <= at <= FIRST + DAY
