"""The run of a night: one a night, whatever the timer says, and never mistaken for a smaller run."""

import inspect
import logging
import threading
from collections.abc import Callable
from copy import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.durable_functions import SyncDurableFunctionsClient
from azure.functions.timer import TimerRequest
from azure_functions_runtime.bindings.context import Context
from azure_functions_runtime.bindings.tracecontext import TraceContext

from credentials.secrets import Secrets, SecretsUnavailable
from functions import timers
from functions.engine import DurableEngine
from records import Failure, RequestKey, Run, RunStatus, Trigger
from runs.ending import close_run
from runs.nights import key_of_night, last_night, missed_night, run_of_night, start_night
from runs.services import Services
from runs.starting import RunActive, start_run
from runs.watching import close_stuck_runs
from schedules import Schedule
from stores.mongo import DocumentDatabase
from tests.clock import Clock
from tests.engine import run_of
from tests.vault import a_vault

BY_HTTP = Trigger("http", "admin-secret")
AT_ONE = Schedule.read("0 0 1 * * *")
NIGHT = datetime(2026, 11, 24, 1, tzinfo=UTC)
AN_INVOCATION = Context("nightly_analysis", "", "1", threading.local(), TraceContext("", "", {}), None)

type Fire = Callable[..., None]


@pytest.fixture
def worker(services: Services, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return the worker of the timers."""
    secrets = Secrets(services.settings)
    made = SimpleNamespace(services=lambda: services, secrets=secrets, settle_indexes=lambda: None)
    monkeypatch.setattr(timers, "worker", lambda: made)
    return made


@pytest.fixture
def fire(worker: SimpleNamespace, client: SyncDurableFunctionsClient) -> Fire:  # noqa: ARG001 - it is the timers'
    """Return a function that fires a timer as the host does, with any status of the timer."""

    def call(timer: str = "nightly_analysis", following: str | None = None, *, past_due: bool = False) -> None:
        function = inspect.unwrap(getattr(timers, timer)._function.get_user_function())  # noqa: SLF001
        status = {"Next": following} if following else None
        function(TimerRequest(past_due=past_due, schedule_status=status), client, AN_INVOCATION)

    return call


@pytest.fixture(autouse=True)
def _known_for_long(services: Services) -> None:
    expression, long_ago = services.settings.schedule.expression, NIGHT - timedelta(days=100)
    services.nights.of(expression, long_ago)


def recorded(services: Services) -> list[str]:
    return [run.run_id for run in services.runs.newest(100, None)]


def close_all(services: Services) -> None:
    for run_id in recorded(services):
        close_run(services, run_of(services, run_id), None)


@pytest.mark.parametrize(
    ("now", "night"),
    [
        ("2026-11-24T01:00:03", "2026-11-24T01:00:00"),
        ("2026-11-24T00:59:30", "2026-11-24T01:00:00"),  # by a clock that is behind
        ("2026-11-24T12:00:00", "2026-11-24T01:00:00"),  # late, or by hand
        ("2026-11-24T00:30:00", "2026-11-23T01:00:00"),
    ],
)
def test_the_night_is_the_last_time_of_the_schedule(now: str, night: str) -> None:
    found = last_night(AT_ONE, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(night).replace(tzinfo=UTC)


@pytest.mark.parametrize("following", [None, "2020-01-01T01:00:00+00:00", "2099-01-01T01:00:00Z", "no time"])
def test_a_timer_that_fires_again_starts_no_second_run_whatever_the_host_says_of_it(
    services: Services, fire: Fire, caplog: pytest.LogCaptureFixture, following: str | None
) -> None:
    fire()
    close_all(services)
    fire(following=following, past_due=True)
    assert len(recorded(services)) == 1
    assert [record.getMessage() for record in caplog.records].count("The nightly timer fired late") == 1


def test_the_time_at_which_the_watchdog_fired_is_recorded_even_if_its_work_fails(
    services: Services, fire: Fire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr("runs.watching.close_stuck_runs", fail)
    before = datetime.now(UTC).replace(microsecond=0)
    assert services.nights.watched_at() is None
    with pytest.raises(TimeoutError):
        fire("watchdog")
    fired_at = services.nights.watched_at()
    assert fired_at is not None
    assert before <= fired_at <= datetime.now(UTC)


def test_a_vault_that_is_away_fails_the_watchdog_of_a_quiet_day_after_its_other_work(
    services: Services, fire: Fire, worker: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr("runs.watching.purge_old_runs", lambda *_: done.append("purged"))
    clock = Clock()
    with a_vault(tmp_path) as vault:
        vault.put("admin-secret", "s")
        settings = replace(services.settings, key_vault_url=vault.url)
        worker.secrets = Secrets(settings, vault.client, clock, clock.utc)
        fire("watchdog")
        vault.failing_with = 503
        clock.advance(301)
        with pytest.raises(SecretsUnavailable):
            fire("watchdog")  # although the secret is remembered for an hour
    assert done == ["purged", "purged"]


def test_each_night_has_its_run(services: Services, engine: DurableEngine) -> None:
    for days in range(3):
        night = NIGHT + timedelta(days=days)
        assert start_night(services, engine, night, "timer") == start_night(services, engine, night, "watchdog")
        close_all(services)
    assert len(recorded(services)) == 3


SMALLER = {
    "selected users": {"user_ids": ["u"]},
    "dry": {"dry_run": True},
    "an old date": {"as_of": date(2020, 1, 2)},
    "a retry": {"retry_of": "run_20200101_000000_0000"},
}


@pytest.mark.parametrize("smaller", SMALLER.values(), ids=SMALLER.keys())
def test_a_night_waits_for_the_end_of_a_smaller_run_and_says_so(
    services: Services,
    engine: DurableEngine,
    fire: Fire,
    caplog: pytest.LogCaptureFixture,
    smaller: dict[str, object],
) -> None:
    active = start_run(services, engine, BY_HTTP, **smaller)  # type: ignore[arg-type] # by their names
    with pytest.raises(RunActive):  # the host tries again in a minute
        fire()
    assert recorded(services) == [active]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.startswith(f"The nightly run waits for the end of another run (run_id={active})")
    (entry,) = services.audit.newest(10, None)
    assert (entry.actor, entry.outcome, entry.problem, entry.run_id) == (
        "nightly_analysis",
        "refused",
        "run-active",
        active,
    )

    close_all(services)
    fire()
    (night, _) = services.runs.newest(10, None)
    assert (night.trigger.source, night.users, night.is_active) == ("timer", "all", True)


def test_an_active_run_of_all_users_is_the_one_of_the_night(
    services: Services, engine: DurableEngine, fire: Fire, caplog: pytest.LogCaptureFixture
) -> None:
    active = start_run(services, engine, BY_HTTP)
    fire()
    assert recorded(services) == [active]
    assert f"The timer starts no run: the night has one (run_id={active})" in caplog.text
    assert services.audit.newest(10, None) == []


@pytest.mark.parametrize(("minutes", "missed"), [(1, False), (5, True), (89, True), (91, False), (12 * 60, False)])
def test_a_night_without_a_run_is_missed_if_that_is_found_in_time(
    services: Services, minutes: int, missed: bool
) -> None:
    found = missed_night(services, NIGHT + timedelta(minutes=minutes))
    assert found == (NIGHT if missed else None)


def test_a_missed_night_waits_for_the_lease_until_the_next_one_which_is_told(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    assert missed_night(services, NIGHT + timedelta(minutes=5)) == NIGHT
    assert missed_night(services, NIGHT + timedelta(hours=20)) == NIGHT
    assert not caplog.records
    for minutes in (3, 8):
        following = NIGHT + timedelta(days=1, minutes=minutes)
        assert missed_night(services, following) == NIGHT + timedelta(days=1)
    (error,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert error == "No run was started for the night of 2026-11-24 01:00:00 UTC: the next one is due"


def test_nights_before_the_app_knew_their_schedule_are_not_missed(services: Services) -> None:
    moved = Schedule.read("0 0 2 * * *")
    object.__setattr__(services.settings, "schedule", moved)
    assert missed_night(services, NIGHT + timedelta(minutes=75)) is None
    night = NIGHT + timedelta(days=1, hours=1)
    assert missed_night(services, night + timedelta(minutes=5)) == night


def a_run_of_everybody(services: Services, status: RunStatus, requested_at: datetime, **others: Any) -> str:  # noqa: ANN401 - any member
    run_id = f"run_{requested_at:%Y%m%d_%H%M%S}_0000"
    services.runs.create(Run(run_id, status, BY_HTTP, requested_at, **others), None)
    return run_id


@pytest.mark.parametrize("status", ["queued", "running", "completed", "completed_with_errors"])
def test_a_night_is_not_missed_if_a_run_started_by_hand_does_its_work(services: Services, status: RunStatus) -> None:
    completed_at = NIGHT + timedelta(minutes=1) if status.startswith("completed") else None
    run_id = a_run_of_everybody(services, status, NIGHT - timedelta(minutes=10), completed_at=completed_at)
    found = run_of_night(services, NIGHT)
    assert found is not None
    assert found.run_id == run_id
    assert missed_night(services, NIGHT + timedelta(minutes=5)) is None


@pytest.mark.parametrize(
    ("status", "others"),
    [
        ("running", {"cancel_requested_at": NIGHT}),
        ("running", {"dry_run": True}),
        ("running", {"as_of_requested": date(2026, 11, 20)}),
        ("running", {"retry_of": "run_20261123_010000_0000"}),
        ("canceled", {"completed_at": NIGHT + timedelta(minutes=1)}),
        ("failed", {"completed_at": NIGHT + timedelta(minutes=1)}),
        ("completed", {"completed_at": NIGHT - timedelta(minutes=1)}),
    ],
)
def test_other_runs_started_by_hand_do_not_do_the_work_of_a_night(
    services: Services, status: RunStatus, others: dict[str, Any]
) -> None:
    a_run_of_everybody(services, status, NIGHT - timedelta(minutes=10), **others)
    assert missed_night(services, NIGHT + timedelta(minutes=5)) == NIGHT


def test_a_run_by_hand_that_was_active_at_night_leaves_nothing_to_the_watchdog(
    services: Services, engine: DurableEngine, fire: Fire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runs.nights._TOO_LATE", timedelta(days=2))
    monkeypatch.setattr("runs.nights._ATTEMPTED", timedelta(0))
    by_hand = start_run(services, engine, BY_HTTP)
    fire()
    fire("watchdog")
    close_all(services)
    fire("watchdog")
    assert recorded(services) == [by_hand]


@pytest.mark.parametrize("days", [1, 3, 30])
def test_the_key_of_a_night_has_no_end(services: Services, engine: DurableEngine, days: int) -> None:
    asked = datetime.now(UTC) - timedelta(days=days)
    done = Run("run_20260101_010000_0000", "completed", Trigger("timer", "nightly_analysis"), asked, started_at=asked)
    services.runs.create(done, None, RequestKey(key_of_night(NIGHT), ""))
    assert start_night(services, engine, NIGHT, "nightly_analysis") == done.run_id


def test_a_record_that_cannot_be_read_keeps_the_watchdog_from_nothing(
    services: Services, fire: Fire, monkeypatch: pytest.MonkeyPatch, database: DocumentDatabase
) -> None:
    monkeypatch.setattr("runs.nights._TOO_LATE", timedelta(days=2))
    monkeypatch.setattr("runs.nights._ATTEMPTED", timedelta(0))
    strange = a_run_of_everybody(services, "running", NIGHT)
    changes = {"progress.phase": "of a newer version"}
    database.portfolio_analysis_runs.update_one({"run_id": strange}, {"$set": changes})
    fire("watchdog")
    assert database.portfolio_analysis_runs.count_documents({"trigger.source": "timer"}) == 1


def test_a_night_with_a_run_is_not_missed(services: Services, engine: DurableEngine) -> None:
    start_night(services, engine, NIGHT, "nightly_analysis")
    assert missed_night(services, NIGHT + timedelta(minutes=5)) is None
    close_all(services)
    assert missed_night(services, NIGHT + timedelta(minutes=5)) is None


def test_a_night_whose_run_failed_before_it_began_is_missed_and_started_once(
    services: Services, engine: DurableEngine
) -> None:
    dead = start_night(services, engine, NIGHT, "nightly_analysis")
    close_run(services, run_of(services, dead), Failure("run_lost", "Its trigger died."))
    assert missed_night(services, NIGHT + timedelta(minutes=5)) == NIGHT
    started = start_night(services, engine, NIGHT, "watchdog")
    assert started != dead
    assert missed_night(services, NIGHT + timedelta(minutes=10)) is None


def test_a_trigger_of_a_night_that_died_leaves_no_failure_beside_the_night_that_is_started_again(
    services: Services, engine: DurableEngine, caplog: pytest.LogCaptureFixture
) -> None:
    asked = datetime.now(UTC) - timedelta(minutes=5)
    dead = Run("run_20261124_010000_0000", "queued", Trigger("timer", "nightly_analysis"), asked)
    services.runs.create(dead, None, RequestKey(key_of_night(NIGHT), ""))
    services.lease.acquire(dead.run_id, asked)

    close_stuck_runs(services, engine)

    assert (recorded(services), services.lease.holder()) == ([], None)
    assert f"it leaves no run (run_id={dead.run_id})" in caplog.text
    assert "Portfolio analysis failed" not in caplog.text
    assert missed_night(services, NIGHT + timedelta(minutes=5)) == NIGHT


def test_a_night_whose_run_failed_after_it_began_is_not_started_again(
    services: Services, engine: DurableEngine
) -> None:
    run_id = start_night(services, engine, NIGHT, "nightly_analysis")
    services.runs.start(run_id, datetime.now(UTC))
    close_run(services, run_of(services, run_id), Failure("too_few_prices", "There are too few."))
    assert missed_night(services, NIGHT + timedelta(minutes=5)) is None


def test_a_disabled_timer_misses_no_night(services: Services) -> None:
    object.__setattr__(services.settings, "timer_disabled", True)
    assert missed_night(services, NIGHT + timedelta(minutes=5)) is None


def test_the_watchdog_starts_a_night_that_its_timer_missed(
    services: Services, fire: Fire, monkeypatch: pytest.MonkeyPatch, database: DocumentDatabase
) -> None:
    night = last_night(services.settings.schedule, datetime.now(UTC))
    monkeypatch.setattr("runs.nights._TOO_LATE", datetime.now(UTC) - night + timedelta(hours=1))
    monkeypatch.setattr("runs.nights._ATTEMPTED", timedelta(0))
    fire("watchdog")
    fire("watchdog")
    (run_id,) = recorded(services)
    assert run_of(services, run_id).trigger == Trigger("timer", "watchdog")
    assert database.portfolio_analysis_runs.count_documents({"request.key": key_of_night(night)}) == 1


def test_the_watchdog_waits_for_a_smaller_run_too(
    services: Services, engine: DurableEngine, fire: Fire, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = start_run(services, engine, BY_HTTP, dry_run=True)
    monkeypatch.setattr("runs.nights._TOO_LATE", timedelta(days=2))
    monkeypatch.setattr("runs.nights._ATTEMPTED", timedelta(0))
    fire("watchdog")
    assert recorded(services) == [active]
    close_all(services)
    fire("watchdog")
    assert len(recorded(services)) == 2
