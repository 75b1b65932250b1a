from datetime import UTC, datetime

import pytest

from functions.http.answers import Timetable
from schedules import Schedule

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
        ("0 0 6 * * SUNDAY", at(22, 6), at(29, 6)),
        ("0 0 6 1 JANUARY *", datetime(2026, 1, 1, 6, tzinfo=UTC), datetime(2027, 1, 1, 6, tzinfo=UTC)),
        # Both the day of the month and the weekday must match: the 13th, and a Friday.
        ("0 0 1 13 * 5", at(13, 1), datetime(2027, 8, 13, 1, tzinfo=UTC)),
        ("0 0 1 1-7 * 6", at(7, 1), at(5, 1, month=12)),
    ],
)
def test_the_times_next_to_now_are_those_of_the_host(schedule: str, previous: datetime, following: datetime) -> None:
    found = Timetable.at(NOW, Schedule.read(schedule), None, disabled=False)
    assert (found.schedule, found.previous, found.next, found.disabled) == (schedule, previous, following, False)


def test_a_disabled_timer_has_neither_a_next_nor_a_previous_time() -> None:
    found = Timetable.at(NOW, Schedule.read("0 0 1 * * *"), at(25, 12, 25), disabled=True)
    assert (found.schedule, found.previous, found.next, found.disabled) == ("0 0 1 * * *", None, None, True)
    assert found.watchdog == at(25, 12, 25), "the watchdog's own timer still fires"
