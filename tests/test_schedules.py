import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schedules import Schedule, ScheduleError

ROOT = Path(__file__).parent.parent
ALL_WEEK = tuple(range(7))
ALL_YEAR = tuple(range(1, 13))


@pytest.mark.parametrize(
    ("text", "weekdays"),
    [
        ("*", ALL_WEEK),
        ("0", (0,)),
        ("6", (6,)),
        ("1-5", (1, 2, 3, 4, 5)),
        ("5-1", (1, 2, 3, 4, 5)),  # not from Friday to Monday
        ("1,3,5", (1, 3, 5)),
        ("5,1,5", (1, 5)),
        ("*/2", (0, 2, 4, 6)),
        ("2/2", (2, 4, 6)),
        ("1-5/3", (1, 4)),
        ("*/0", ALL_WEEK),
        ("*/-3", ALL_WEEK),
        ("*/+3", (0, 3, 6)),
        ("*/100", (0,)),
        ("00006", (6,)),
        ("SUNDAY", (0,)),
        ("Sun", (0,)),
        ("su", (0,)),
        ("S", (0,)),
        ("T", (2,)),
        ("th", (4,)),
        ("Mon-Fri", (1, 2, 3, 4, 5)),
        ("mon-3", (1, 2, 3)),
        ("Sat/2,MONDAY", (1, 6)),
    ],
)
def test_a_field_has_the_same_values_as_in_the_host(text: str, weekdays: tuple[int, ...]) -> None:
    assert Schedule.read(f"0 0 1 * * {text}").weekdays == weekdays


@pytest.mark.parametrize(
    ("text", "months"),
    [("JANUARY", (1,)), ("jan", (1,)), ("J", (1,)), ("Ju", (6,)), ("Jul", (7,)), ("ma-m", (3,)), ("a/4", (4, 8, 12))],
)
def test_a_prefix_of_a_month_name_means_the_first_month_that_has_it(text: str, months: tuple[int, ...]) -> None:
    assert Schedule.read(f"0 0 1 1 {text} *").months == months


def test_the_fields_are_seconds_first() -> None:
    found = Schedule.read("  1 2   3 4 5 6 ")
    assert (found.seconds, found.minutes, found.hours, found.days, found.months, found.weekdays) == (
        (1,), (2,), (3,), (4,), (5,), (6,),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("position", "name", "texts"),
    [
        (0, "second", ["60", "-1", "0-60", "Sun", "60/2"]),
        (1, "minute", ["60", "1.5", "one"]),
        (2, "hour", ["24", "25", "0-24", "24/2"]),
        (3, "day of the month", ["0", "32", "0-5", "L", "LW", "15W", "?", "0/5", "Mon"]),
        (4, "month", ["0", "13", "JANUARYX", "1a", "Sun", "Янв"]),
        (5, "weekday", ["7", "6-7", "0-7", "L", "5L", "1#2", "?", "MonX", "Jan", "\u00adSun"]),
        (5, "weekday", [",", ",1", "1,", "1,,2", "1-", "-1", "1--2", "1-2-3", "*-5", "**", "/2", "*/", "1/2/3", "*/x"]),
        (5, "weekday", ["1\t", "*\n", "1\u00a0", "٣", "9999999999", "*/9999999999"]),
    ],
)
def test_a_field_that_the_host_refuses_is_refused_and_named(position: int, name: str, texts: list[str]) -> None:
    for text in texts:
        fields = ["0", "0", "1", "*", "*", "*"]
        fields[position] = text
        with pytest.raises(ScheduleError, match=f"^has '.*' as {name}: it takes numbers from ") as caught:
            Schedule.read(" ".join(fields))
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("expression", ["", " ", "0 0 1 * *", "0 0 1 * * * *", "00:05:00", "@daily", "0\t0 1 * * *"])
def test_other_forms_of_a_schedule_are_refused(expression: str) -> None:
    with pytest.raises(ScheduleError, match=r"^must have the six fields of NCRONTAB, seconds first"):
        Schedule.read(expression)


@pytest.mark.parametrize("days", ["30 2", "31 2,4,6,9,11", "30-31 Feb"])
def test_a_day_that_never_comes_is_refused(days: str) -> None:
    with pytest.raises(ScheduleError, match="it would never be due"):
        Schedule.read(f"0 0 1 {days} *")


@pytest.mark.parametrize(
    ("expression", "previous", "following"),
    [
        ("0 0 1 1-7 * 6", "2026-11-07T01:00:00", "2026-12-05T01:00:00"),  # the first Saturday
        ("0 0 1 */2 * Mon", "2026-11-23T01:00:00", "2026-12-07T01:00:00"),
        ("0 0 1 31 * *", "2026-10-31T01:00:00", "2026-12-31T01:00:00"),
        ("0 0 0 29 2 *", "2024-02-29T00:00:00", "2028-02-29T00:00:00"),
        ("30 59 23 31 12 *", "2025-12-31T23:59:30", "2026-12-31T23:59:30"),
        ("0 30 12 * * *", "2026-11-24T12:30:00", "2026-11-26T12:30:00"),  # now is neither
    ],
)
def test_the_times_around_now_match_both_the_day_of_the_month_and_the_weekday(
    expression: str, previous: str, following: str
) -> None:
    schedule, now = Schedule.read(expression), datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
    assert schedule.before(now).isoformat() == f"{previous}+00:00"
    assert schedule.after(now).isoformat() == f"{following}+00:00"


def test_a_leap_day_on_one_weekday_is_found_across_a_century_without_one() -> None:
    found = Schedule.read("0 0 0 29 2 Mon").after(datetime(2072, 3, 1, tzinfo=UTC))
    assert found == datetime(2112, 2, 29, tzinfo=UTC)


def test_a_part_of_a_second_is_after_its_second() -> None:
    every = Schedule.read("* * * * * *")
    now = datetime(2026, 11, 25, 12, 30, 59, 1, tzinfo=UTC)
    assert (every.before(now).second, every.after(now).minute) == (59, 31)


def test_reading_a_schedule_loads_no_library() -> None:
    code = "import sys, schedules; schedules.Schedule.read('0 0 1 * * *'); sys.exit('croniter' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
