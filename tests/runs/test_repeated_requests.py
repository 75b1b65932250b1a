"""Repeated requests: a client that repeats a request without an answer, or a timer that fires twice, starts one run."""

import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import azure.functions as func
import pytest
from azure.durable_functions import SyncDurableFunctionsClient
from azure_functions_runtime.bindings.context import Context
from azure_functions_runtime.bindings.tracecontext import TraceContext
from pymongo.errors import AutoReconnect

from functions import timers
from functions.access.administrators import Admin
from functions.engine import DurableEngine
from functions.http.requests import TriggerRequest, read_request_key
from functions.timers import scheduled_time
from problems import InvalidMember
from records import RequestKey, Run, Trigger
from runs.ending import close_run
from runs.engine import EngineUnavailable
from runs.services import Services
from runs.starting import KeyReused, RunActive, start_run
from tests.engine import engine_away, run_of

BY_HTTP = Trigger("http", "admin-secret")
KEY = RequestKey("key", "body")
ANN = Admin("ann", "bearer")
NOW = datetime(2026, 11, 24, 1, 0, 3, tzinfo=UTC)
AN_INVOCATION = Context("nightly_analysis", "", "1", threading.local(), TraceContext("", "", {}), None)


def runs_recorded(services: Services) -> list[str]:
    return [run.run_id for run in services.runs.newest(100, None)]


def test_the_same_request_gets_the_same_run_while_it_is_active_and_after_it_is_over(
    services: Services, engine: DurableEngine
) -> None:
    first = start_run(services, engine, BY_HTTP, request=KEY)
    assert start_run(services, engine, BY_HTTP, request=KEY) == first
    close_run(services, run_of(services, first), None)
    assert start_run(services, engine, BY_HTTP, request=KEY) == first
    assert runs_recorded(services) == [first]


def test_a_key_that_was_used_for_something_else_is_refused(services: Services, engine: DurableEngine) -> None:
    start_run(services, engine, BY_HTTP, request=KEY)
    with pytest.raises(KeyReused):
        start_run(services, engine, BY_HTTP, request=RequestKey("key", "another body"))


def test_another_key_is_another_request(services: Services, engine: DurableEngine) -> None:
    first = start_run(services, engine, BY_HTTP, request=KEY)
    with pytest.raises(RunActive):
        start_run(services, engine, BY_HTTP, request=RequestKey("other", "body"))
    close_run(services, run_of(services, first), None)
    assert start_run(services, engine, BY_HTTP, request=RequestKey("other", "body")) != first


def test_after_a_day_a_key_stands_for_a_new_run(services: Services, engine: DurableEngine) -> None:
    yesterday = datetime.now(UTC) - timedelta(hours=24)
    old = Run("run_20200101_000000_0000", "completed", BY_HTTP, yesterday, completed_at=yesterday)
    services.runs.create(old, None, KEY)
    started = start_run(services, engine, BY_HTTP, request=RequestKey("key", "another body"))
    assert started != old.run_id
    assert start_run(services, engine, BY_HTTP, request=RequestKey("key", "another body")) == started


def test_concurrent_requests_with_one_key_all_get_the_same_run(services: Services, engine: DurableEngine) -> None:
    with ThreadPoolExecutor(16) as pool:
        for turn in range(10):
            request = RequestKey(f"key {turn}", "body")
            ids = set(pool.map(lambda _, same=request: start_run(services, engine, BY_HTTP, request=same), range(16)))
            assert len(ids) == 1
            assert len(runs_recorded(services)) == turn + 1
            close_run(services, run_of(services, ids.pop()), None)


def test_a_refused_request_does_not_use_up_its_key_and_its_repetition_is_refused_too(
    services: Services, engine: DurableEngine
) -> None:
    active = start_run(services, engine, BY_HTTP)
    together = threading.Barrier(8)

    def trigger(_: int) -> str:
        together.wait()
        try:
            return start_run(services, engine, BY_HTTP, request=KEY)
        except RunActive as refused:
            return f"refused by {refused.run_id}"

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(trigger, range(8))) == {f"refused by {active}"}
    close_run(services, run_of(services, active), None)
    assert start_run(services, engine, BY_HTTP, request=KEY) != active


def test_a_request_that_the_engine_did_not_take_may_be_repeated(services: Services, engine: DurableEngine) -> None:
    nowhere = engine_away()
    with pytest.raises(EngineUnavailable) as caught:
        start_run(services, nowhere, BY_HTTP, request=KEY)
    assert start_run(services, engine, BY_HTTP, request=KEY) != str(caught.value)


@pytest.mark.parametrize("dies", ["before it holds the lease", "before the engine has the run"])
def test_a_request_that_ended_before_its_run_started_may_be_repeated(
    services: Services, engine: DurableEngine, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    def away(*_: object, **__: object) -> None:
        raise AutoReconnect("The database went away.")

    with monkeypatch.context() as patch:
        patch.setattr("runs.starting._TWIN_SECONDS", 0)
        if dies == "before it holds the lease":
            patch.setattr(services.lease, "acquire", away)
            patch.setattr(services.runs, "delete_queued", away)
        else:
            patch.setattr(engine, "start", away)
        with pytest.raises(AutoReconnect):
            start_run(services, engine, BY_HTTP, request=KEY)
        (dead,) = runs_recorded(services)
        # Its request may still be in progress.
        assert start_run(services, engine, BY_HTTP, request=KEY) == dead
    services.runs._runs.update_one({"run_id": dead}, {"$set": {"requested_at": a_minute_ago()}})  # noqa: SLF001 - simulates the passage of time
    started = start_run(services, engine, BY_HTTP, request=KEY)
    assert started != dead
    assert engine.state(started) == "active"
    assert start_run(services, engine, BY_HTTP, request=KEY) == started


def a_minute_ago() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=60)


@pytest.mark.parametrize("key", ["", "k" * 256, "k" * 10_240, "line\nbreak", "nul\0", "tab\t", "schlüssel", "\x7f"])
def test_an_invalid_key_is_refused_by_name(key: str) -> None:
    request = func.HttpRequest("POST", "/", headers={"Idempotency-Key": key}, body=b"")
    with pytest.raises(InvalidMember) as caught:
        read_request_key(request, ANN, TriggerRequest())
    assert caught.value.member == "Idempotency-Key"


def test_requests_with_the_same_key_caller_and_content_are_the_same_however_they_are_spelled() -> None:
    request = func.HttpRequest("POST", "/", headers={"Idempotency-Key": "k"}, body=b"")
    same = read_request_key(request, ANN, TriggerRequest())
    assert same == read_request_key(request, ANN, TriggerRequest(dry_run=False, user_ids=None))
    other_body = read_request_key(request, ANN, TriggerRequest(dry_run=True))
    assert same is not None
    assert other_body is not None
    assert (same.key, same.body == other_body.body) == (other_body.key, False)
    assert "k" not in (same.key.removeprefix("http:"), same.body)


def test_keys_of_different_callers_are_different_however_names_and_keys_are_spelled() -> None:
    owners = [
        (ANN, "x:y"),
        (Admin("ann:x", "bearer"), "y"),
        (Admin("ann", "admin-secret"), "x:y"),
        (Admin("bob", "bearer"), "x:y"),
    ]
    requests = [
        (func.HttpRequest("POST", "/", headers={"Idempotency-Key": key}, body=b""), owner) for owner, key in owners
    ]
    keys = [read_request_key(request, owner, TriggerRequest()) for request, owner in requests]
    assert len({known.key for known in keys if known}) == len(owners)


def test_a_request_without_a_key_is_never_a_repetition() -> None:
    assert read_request_key(func.HttpRequest("POST", "/", body=b""), ANN, TriggerRequest()) is None


def a_firing(following: str | None, *, past_due: bool = False) -> func.TimerRequest:
    from azure.functions.timer import TimerRequest

    return TimerRequest(past_due=past_due, schedule_status={"Next": following} if following else None)


@pytest.mark.parametrize(
    ("following", "due"),
    [
        ("2026-11-24T01:00:00+00:00", "2026-11-24T01:00:00+00:00"),  # on time, or late by hours
        ("2026-11-24T01:00:00.0000000Z", "2026-11-24T01:00:00+00:00"),  # as .NET writes it
        ("2026-11-24T01:00:00", "2026-11-24T01:00:00+00:00"),
        ("2026-11-24T02:00:00+01:00", "2026-11-24T01:00:00+00:00"),  # a host that is not in UTC
        ("2026-11-22T01:00:00+00:00", "2026-11-22T01:00:00+00:00"),  # nights late
        ("2026-11-24T01:00:10+00:00", "2026-11-24T01:00:10+00:00"),  # early, by a clock that is ahead
        ("2026-11-25T01:00:00+00:00", NOW.isoformat()),  # by hand
        (None, NOW.isoformat()),  # a timer without a monitor
    ],
)
def test_all_firings_of_a_night_have_one_scheduled_time(following: str | None, due: str) -> None:
    assert scheduled_time(a_firing(following), NOW).isoformat() == due


def test_a_timer_that_fires_twice_for_one_night_the_second_time_late_starts_one_run(
    services: Services,
    client: SyncDurableFunctionsClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(timers, "worker", lambda: SimpleNamespace(services=lambda: services))
    due = datetime.now(UTC) - timedelta(minutes=7)
    fire = inspect.unwrap(timers.nightly_analysis._function.get_user_function())  # noqa: SLF001
    for past_due in (False, True):
        fire(a_firing(due.isoformat(), past_due=past_due), client, AN_INVOCATION)
        for run_id in runs_recorded(services):
            close_run(services, run_of(services, run_id), None)
    assert len(runs_recorded(services)) == 1
    assert [record.getMessage() for record in caplog.records].count("The nightly timer fired late") == 1
    fire(a_firing((due + timedelta(minutes=6)).isoformat()), client, AN_INVOCATION)
    assert len(runs_recorded(services)) == 2
