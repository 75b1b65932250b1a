import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devhost.errors import InvocationError, StartError
from devhost.messages import FunctionInfo
from devhost.timers import Timer
from tests.devhost.harness import eventually, running_host

YEARLY = "0 0 0 1 1 *"


def timer(schedule: str, data_dir: Path | None = None, policy: dict[str, str] | None = None, **settings: str) -> Timer:
    binding = {"type": "timerTrigger", "direction": "IN", "name": "timer", "schedule": schedule}
    return Timer(FunctionInfo("nightly", [binding], policy), settings, data_dir)


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


def remember_a_missed_occurrence(folder: Path) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    (folder / "timers").mkdir()
    status = {"Last": yesterday, "Next": yesterday, "LastUpdated": yesterday}
    (folder / "timers" / "nightly.json").write_text(json.dumps(status))


@pytest.mark.parametrize("schedule", ["* * * * *", "0 0 25 * * *", "0 0 1 * *", "00:05:00", ""])
def test_a_schedule_that_is_no_six_field_expression_is_refused_naming_the_function(schedule: str) -> None:
    with pytest.raises(StartError, match=f"function nightly: the schedule '{schedule}'".replace("*", r"\*")):
        timer(schedule)


def test_a_schedule_from_a_setting_that_is_missing_is_refused_naming_the_setting() -> None:
    with pytest.raises(StartError, match=r"^ANALYSIS_SCHEDULE is missing.* nightly"):
        timer("%ANALYSIS_SCHEDULE%", ANALYSIS_SCHEDULE="")


def test_a_schedule_comes_from_its_setting_with_seconds_first_in_utc() -> None:
    due = datetime.fromisoformat(payload(timer("%WHEN%", WHEN="30 15 1 * * *"))["ScheduleStatus"]["Next"])
    assert (due.hour, due.minute, due.second, due.utcoffset()) == (1, 15, 30, timedelta())
    assert datetime.now(UTC) < due <= datetime.now(UTC) + timedelta(days=1)


def test_a_timer_that_never_fired_has_no_last_time_and_is_not_past_due() -> None:
    never = payload(timer(YEARLY))
    assert never["ScheduleStatus"]["Last"] == "0001-01-01T00:00:00+00:00"
    assert never["IsPastDue"] is False


def test_a_missed_occurrence_fires_once_as_past_due(tmp_path: Path) -> None:
    remember_a_missed_occurrence(tmp_path)
    fired: list[bool] = []

    async def invoke(_: str, text: str) -> None:
        fired.append(json.loads(text)["IsPastDue"])

    run_briefly(timer(YEARLY, tmp_path), invoke)
    run_briefly(timer(YEARLY, tmp_path), invoke)
    assert fired == [True]


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
def test_a_timer_with_a_retry_policy_is_tried_again_until_it_succeeds(
    tmp_path: Path, failures: int, calls: int
) -> None:
    remember_a_missed_occurrence(tmp_path)
    fired: list[str] = []

    async def fail_at_first(_: str, text: str) -> None:
        fired.append(text)
        if len(fired) <= failures:
            raise InvocationError("ValueError", "no")

    policy = {"strategy": "fixed_delay", "max_retry_count": "2", "delay_interval": "00:00:00"}
    run_briefly(timer(YEARLY, tmp_path, policy), fail_at_first)
    assert fired == fired[:1] * calls


@pytest.mark.parametrize(
    "policy",
    [
        {"strategy": "exponential_backoff", "max_retry_count": "2"},
        {"strategy": "fixed_delay", "max_retry_count": "2", "delay_interval": "a minute"},
        {"strategy": "fixed_delay", "max_retry_count": "-1", "delay_interval": "00:01:00"},
    ],
)
def test_a_retry_policy_the_host_does_not_know_is_refused_naming_the_function(policy: dict[str, str]) -> None:
    with pytest.raises(StartError, match="function nightly: the local host knows retries of fixed_delay"):
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
    with running_host(tmp_path, TICK_SCHEDULE="* * * * * *") as host:
        first, second, *_ = [
            json.loads(line) for line in eventually(lambda: host.notes("ticks")[1:] and host.notes("ticks"))
        ]
    assert first["past_due"] is False
    assert first["Next"] < second["Next"]
    assert first["Next"] <= second["Last"] < second["Next"]


def test_a_crash_of_the_whole_host_makes_the_timer_past_due_once(tmp_path: Path) -> None:
    kept = {"DATA_DIR": str(tmp_path / "data"), "TICK_SCHEDULE": "* * * * * *"}
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
