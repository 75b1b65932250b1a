from datetime import UTC, datetime

import pytest

from functions.timetable import timetable

NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)  # a Wednesday


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "previous", "following"),
    [
        ("0 0 1 * * *", at(25, 1), at(26, 1)),
        ("0 30 12 * * *", at(24, 12, 30), at(26, 12, 30)),
        ("0 0 6 * * 1-5", at(25, 6), at(26, 6)),
        ("0 0 6 * * Sun", at(22, 6), at(29, 6)),
        ("0 */20 * * * *", at(25, 12, 20), at(25, 12, 40)),
        # Both the day of the month and that of the week must fit: the 13th, and a Friday.
        ("0 0 1 13 * 5", at(13, 1), datetime(2027, 8, 13, 1, tzinfo=UTC)),
    ],
)
def test_the_times_next_to_now_are_those_of_the_host(schedule: str, previous: datetime, following: datetime) -> None:
    found = timetable(schedule, NOW)
    assert (found.schedule, found.previous, found.next) == (schedule, previous, following)


@pytest.mark.parametrize("schedule", ["0 0 1 31 2 *", "0 0 25 * * *", "a b c d e f"])
def test_a_schedule_that_names_no_time_has_none(schedule: str) -> None:
    found = timetable(schedule, NOW)
    assert (found.previous, found.next) == (None, None)
