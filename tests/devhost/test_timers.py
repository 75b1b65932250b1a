import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devhost.errors import InvocationError, StartError
from devhost.messages import FunctionInfo, RetryPolicy
from devhost.timers import Timer
from schedules import Schedule
from tests.devhost.harness import eventually, running_host

YEARLY = "0 0 0 1 1 *"
HOURLY = "0 0 * * * *"
ONE_RETRY = RetryPolicy("fixed_delay", 1, 60.0)


def timer(
    schedule: str,
    data_dir: Path | None = None,
    policy: RetryPolicy | None = None,
    environment: dict[str, str] | None = None,
) -> Timer:
    binding = {"type": "timerTrigger", "direction": "IN", "name": "timer", "schedule": schedule}
    return Timer(FunctionInfo("nightly", [binding], policy), environment or {}, data_dir)


def payload(of: Timer) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(of.payload())
    return value


def run_briefly(running: Timer, invoke: Callable[[str, str], Awaitable[Any]]) -> None:
    async def run() -> None:
        task = asyncio.create_task(running.run(invoke))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def remember_a_missed_occurrence(folder: Path, schedule: str = YEARLY) -> None:
    """Write the status of a host that was stopped before the last due time of the schedule."""
    missed = Schedule.read(schedule).before(datetime.now(UTC))
    remember(folder, Schedule.read(schedule).before(missed), missed)


def remember(folder: Path, last: datetime, following: datetime) -> None:
    (folder / "timers").mkdir()
    status = {"Last": last.isoformat(), "Next": following.isoformat(), "LastUpdated": last.isoformat()}
    (folder / "timers" / "nightly.json").write_text(json.dumps(status))


def each_second() -> str:
    """Return a schedule of each second of today and tomorrow; its status is kept because it is not daily."""
    today = datetime.now(UTC).isoweekday() % 7
    return f"* * * * * {today},{(today + 1) % 7}"


@pytest.mark.parametrize(
    ("schedule", "rule"),
    [
        ("* * * * *", "must have the six fields of NCRONTAB"),
        ("0 0 1 * *", "must have the six fields of NCRONTAB"),
        ("00:05:00", "must have the six fields of NCRONTAB"),
        ("", "must have the six fields of NCRONTAB"),
        ("0 0 25 * * *", "has '25' as hour"),
        ("0 0 1 * * 7", "has '7' as weekday"),
        ("0 0 1 * * 6-7", "has '7' as weekday"),
        ("0 0 1 L * *", "has 'L' as day of the month"),
        ("0 0 1 30 2 *", "names a day that none of its months has"),
    ],
)
def test_a_schedule_that_the_host_refuses_is_refused_naming_function_and_rule(schedule: str, rule: str) -> None:
    with pytest.raises(StartError, match=f"^function nightly: its schedule {re.escape(repr(schedule))} {rule}"):
        timer(schedule)


def test_a_schedule_from_a_setting_that_is_missing_is_refused_naming_the_setting() -> None:
    with pytest.raises(StartError, match=r"^ANALYSIS_SCHEDULE is missing.* nightly"):
        timer("%ANALYSIS_SCHEDULE%", environment={"ANALYSIS_SCHEDULE": ""})


def test_a_schedule_comes_from_its_setting_with_seconds_first_in_utc() -> None:
    due = datetime.fromisoformat(
        payload(timer("%WHEN%", environment={"WHEN": "30 15 1 * * *"}))["ScheduleStatus"]["Next"]
    )
    assert (due.hour, due.minute, due.second, due.utcoffset()) == (1, 15, 30, timedelta())
    assert datetime.now(UTC) < due <= datetime.now(UTC) + timedelta(days=1)


def test_a_timer_that_never_fired_has_no_last_time_and_is_not_past_due() -> None:
    never = payload(timer(YEARLY))
    assert never["Schedule"] == {"AdjustForDST": True}
    assert never["ScheduleStatus"]["Last"] == "0001-01-01T00:00:00+00:00"
    assert never["IsPastDue"] is False


def test_a_day_of_the_month_and_a_weekday_must_both_match() -> None:
    due = datetime.fromisoformat(payload(timer("0 0 1 1-7 * Sat"))["ScheduleStatus"]["Next"])
    assert (due.day <= 7, due.isoweekday(), due.hour) == (True, 6, 1)


def test_times_have_their_offset_and_a_firing_its_fraction_of_a_second(tmp_path: Path) -> None:
    last = datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)
    remember(tmp_path, last, datetime(2027, 1, 1, tzinfo=UTC))
    assert payload(timer(YEARLY, tmp_path))["ScheduleStatus"] == {
        "Last": "2026-01-01T00:00:00.250000+00:00",
        "Next": "2027-01-01T00:00:00+00:00",
        "LastUpdated": "2026-01-01T00:00:00.250000+00:00",
    }


@pytest.mark.parametrize("schedule", ["* * * * * *", "*/20 0-59 */1 1-31 Jan-Dec Sun-Sat"])
def test_a_timer_that_is_due_several_times_a_minute_has_no_stored_or_reported_status(
    schedule: str, tmp_path: Path
) -> None:
    remember_a_missed_occurrence(tmp_path, schedule)
    kept = (tmp_path / "timers" / "nightly.json").read_bytes()
    often = timer(schedule, tmp_path)
    fired: list[Any] = []

    async def invoke(_: str, text: str) -> None:
        fired.append(json.loads(text))

    run_briefly(often, invoke)
    assert payload(often)["ScheduleStatus"] is None
    assert [firing for firing in fired if firing["IsPastDue"] or firing["ScheduleStatus"]] == []
    assert (tmp_path / "timers" / "nightly.json").read_bytes() == kept


@pytest.mark.parametrize("schedule", ["0 * * * * *", "* 0-58 * * * *", "* * * * * 0-5"])
def test_any_other_timer_reports_its_status(schedule: str) -> None:
    assert payload(timer(schedule))["ScheduleStatus"] is not None


def test_a_missed_occurrence_fires_once_as_past_due(tmp_path: Path) -> None:
    remember_a_missed_occurrence(tmp_path)
    fired: list[bool] = []

    async def invoke(_: str, text: str) -> None:
        fired.append(json.loads(text)["IsPastDue"])

    run_briefly(timer(YEARLY, tmp_path), invoke)
    run_briefly(timer(YEARLY, tmp_path), invoke)
    assert fired == [True]


@pytest.mark.parametrize("schedule", [YEARLY, "0 30 * * * *"])
def test_after_a_change_of_the_schedule_nothing_is_past_due(schedule: str, tmp_path: Path) -> None:
    remember_a_missed_occurrence(tmp_path, HOURLY)
    fired: list[str] = []

    async def invoke(_: str, text: str) -> None:
        fired.append(text)

    changed = timer(schedule, tmp_path)
    run_briefly(changed, invoke)
    assert fired == []
    status = payload(changed)["ScheduleStatus"]
    assert status["Last"] == "0001-01-01T00:00:00+00:00"
    assert datetime.fromisoformat(status["Next"]) == Schedule.read(schedule).after(datetime.now(UTC))


@pytest.mark.parametrize("value", ["true", "1", "True"])
def test_a_disabled_timer_never_fires_by_itself(value: str, tmp_path: Path) -> None:
    remember_a_missed_occurrence(tmp_path)
    fired: list[str] = []

    async def invoke(_: str, text: str) -> None:
        fired.append(text)

    run_briefly(timer(YEARLY, tmp_path, environment={"AzureWebJobs.nightly.Disabled": value}), invoke)
    assert fired == []
    run_briefly(timer(YEARLY, tmp_path, environment={"AzureWebJobs.nightly.Disabled": "false"}), invoke)
    assert len(fired) == 1


def test_a_stop_between_two_attempts_loses_the_occurrence_as_in_azure(tmp_path: Path) -> None:
    remember_a_missed_occurrence(tmp_path)
    fired: list[str] = []

    async def fail(_: str, text: str) -> None:
        fired.append(text)
        raise InvocationError("ServiceUnavailable", "no database")

    run_briefly(timer(YEARLY, tmp_path, ONE_RETRY), fail)
    stopped = payload(timer(YEARLY, tmp_path, ONE_RETRY))["ScheduleStatus"]
    run_briefly(timer(YEARLY, tmp_path, ONE_RETRY), fail)
    assert len(fired) == 1
    assert stopped["Last"] > json.loads(fired[0])["ScheduleStatus"]["Next"]
    assert datetime.fromisoformat(stopped["Next"]) == Schedule.read(YEARLY).after(datetime.now(UTC))


def test_a_firing_counts_for_the_time_it_began_however_long_its_retries_take(tmp_path: Path) -> None:
    remember_a_missed_occurrence(tmp_path)
    began: list[datetime] = []

    async def fail_at_first(*_: str) -> None:
        began.append(datetime.now(UTC))
        if len(began) < 3:
            raise InvocationError("ValueError", "no")

    policy = RetryPolicy("fixed_delay", 2, 0.0)
    run_briefly(timer(YEARLY, tmp_path, policy), fail_at_first)
    last = datetime.fromisoformat(payload(timer(YEARLY, tmp_path, policy))["ScheduleStatus"]["Last"])
    assert last <= began[0] < began[1]


def test_a_crash_during_the_invocation_makes_it_past_due_again(tmp_path: Path) -> None:
    remember_a_missed_occurrence(tmp_path)
    fired: list[str] = []

    async def never_ends(_: str, text: str) -> None:
        fired.append(text)
        await asyncio.Event().wait()

    run_briefly(timer(YEARLY, tmp_path), never_ends)
    run_briefly(timer(YEARLY, tmp_path), never_ends)
    assert len(fired) == 2


@pytest.mark.parametrize(("failures", "calls"), [(0, 1), (1, 2), (2, 3), (9, 3)])
def test_a_timer_with_a_retry_policy_is_retried_until_it_succeeds(tmp_path: Path, failures: int, calls: int) -> None:
    remember_a_missed_occurrence(tmp_path)
    fired: list[str] = []

    async def fail_at_first(_: str, text: str) -> None:
        fired.append(text)
        if len(fired) <= failures:
            raise InvocationError("ValueError", "no")

    policy = RetryPolicy("fixed_delay", 2, 0.0)
    run_briefly(timer(YEARLY, tmp_path, policy), fail_at_first)
    assert fired == fired[:1] * calls


@pytest.mark.parametrize(
    "policy",
    [RetryPolicy("exponential_backoff", 2, 0.0), RetryPolicy("fixed_delay", -1, 60.0)],
)
def test_a_retry_policy_the_host_does_not_know_is_refused_naming_the_function(policy: RetryPolicy) -> None:
    with pytest.raises(StartError, match="function nightly: the local host supports only fixed_delay retries"):
        timer(YEARLY, policy=policy)


def test_an_exception_is_not_retried_without_a_policy(tmp_path: Path) -> None:
    remember_a_missed_occurrence(tmp_path)
    fired: list[str] = []

    async def fail(_: str, text: str) -> None:
        fired.append(text)
        raise InvocationError("ValueError", "no")

    run_briefly(timer(YEARLY, tmp_path), fail)
    run_briefly(timer(YEARLY, tmp_path), fail)
    assert len(fired) == 1


def test_the_host_fires_a_timer_at_each_occurrence_with_its_schedule_status(tmp_path: Path) -> None:
    with running_host(tmp_path, TICK_SCHEDULE=each_second()) as host:
        first, second, *_ = [
            json.loads(line) for line in eventually(lambda: host.notes("ticks")[1:] and host.notes("ticks"))
        ]
    assert first["past_due"] is False
    assert first["Next"] < second["Next"]
    assert first["Next"] <= second["Last"] < second["Next"]


def test_a_crash_of_the_whole_host_makes_the_timer_past_due_once(tmp_path: Path) -> None:
    kept = {"DATA_DIR": str(tmp_path / "data"), "TICK_SCHEDULE": each_second()}
    with running_host(tmp_path, TICK_SECONDS="30", **kept) as host:
        eventually(lambda: host.notes("ticks"))
        host.process.kill()
    with running_host(tmp_path, **kept) as host:
        eventually(lambda: len(host.notes("ticks")) >= 3)
        assert host.stop() == 0
    assert [json.loads(line)["past_due"] for line in host.notes("ticks")][:3] == [False, True, False]


def test_a_timer_can_be_fired_by_hand(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        assert host.fire("Yearly") == 202
        assert eventually(lambda: host.notes("yearly")) == ["False"]


def test_a_truncated_status_stops_the_start_and_its_file_is_named(tmp_path: Path) -> None:
    remember_a_missed_occurrence(tmp_path)
    file = tmp_path / "timers" / "nightly.json"
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(StartError, match=r"nightly\.json is ill-formed"):
        timer(YEARLY, tmp_path)
