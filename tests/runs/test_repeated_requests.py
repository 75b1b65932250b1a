"""Repeated requests: a client that repeats a request without an answer, or a timer that fires twice, starts one run."""

import threading
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
import pytest
from azure_functions_runtime.bindings.context import Context
from azure_functions_runtime.bindings.tracecontext import TraceContext
from pymongo.errors import AutoReconnect

from functions.access.administrators import Admin
from functions.engine import DurableEngine
from functions.http.requests import TriggerRequest, read_request_key
from problems import InvalidMember
from records import RequestKey, Run, Trigger
from runs.ending import close_run
from runs.engine import EngineUnavailable
from runs.services import Services
from runs.starting import KeyReused, RunActive, start_run
from runs.watching import close_stuck_runs
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


def die_in_a_trigger(services: Services, engine: DurableEngine, moment: str) -> str:
    """Trigger a run with a key, and end as a process that is killed at this moment; return the run's id."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services.lease if moment == "before it holds the lease" else engine, MOMENTS[moment], die)
        patch.setattr(services.runs, "delete_queued", lambda _: False)
        with pytest.raises(SystemExit):
            start_run(services, engine, BY_HTTP, request=KEY)
    (dead,) = runs_recorded(services)
    return dead


MOMENTS = {"before it holds the lease": "acquire", "before the engine has the run": "start"}


def die(*_: object) -> None:
    raise SystemExit


def make_older(services: Services, run_id: str, seconds: float) -> None:
    was = datetime.now(UTC) - timedelta(seconds=seconds)
    services.runs._runs.update_one({"run_id": run_id}, {"$set": {"requested_at": was}})  # noqa: SLF001 - simulates the passage of time


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("seconds", [21, 300])
def test_a_run_whose_trigger_died_is_started_by_one_of_the_requests_that_repeat_it(
    services: Services, engine: DurableEngine, moment: str, seconds: int
) -> None:
    dead = die_in_a_trigger(services, engine, moment)
    make_older(services, dead, seconds)
    with ThreadPoolExecutor(8) as pool:
        started = set(pool.map(lambda _: start_run(services, engine, BY_HTTP, request=KEY), range(8)))
    assert started == {dead}
    assert runs_recorded(services) == [dead]
    assert engine.state(dead) == "active"
    assert services.lease.holder() == dead
    close_stuck_runs(services, engine)
    assert run_of(services, dead).is_active


def test_a_request_that_repeats_one_in_progress_waits_for_its_run_to_start(
    services: Services, engine: DurableEngine
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    acquire = services.lease.acquire

    def wait(run_id: str, now: datetime) -> str | None:
        begun.set()
        go_on.wait(10)
        return acquire(run_id, now)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as pool:
        patch.setattr(services.lease, "acquire", wait)
        first = pool.submit(start_run, services, engine, BY_HTTP, request=KEY)
        begun.wait(10)
        second = pool.submit(start_run, services, engine, BY_HTTP, request=KEY)
        assert not wait_for([second], timeout=0.5).done
        go_on.set()
        assert first.result(10) == second.result(10)
    assert engine.state(first.result()) == "active"


def test_an_adopted_run_does_not_end_with_the_slow_request_that_recorded_it(
    services: Services, engine: DurableEngine
) -> None:
    def is_adopted(run_id: str, _: datetime) -> str | None:
        patch.undo()
        make_older(services, run_id, 21)
        assert start_run(services, engine, BY_HTTP, request=KEY) == run_id
        raise AutoReconnect("The database went away.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services.lease, "acquire", is_adopted)
        with pytest.raises(AutoReconnect):
            start_run(services, engine, BY_HTTP, request=KEY)
    (adopted,) = runs_recorded(services)
    assert (services.lease.holder(), engine.state(adopted)) == (adopted, "active")


@pytest.mark.parametrize("refused", [False, True], ids=["adopted", "adopted and refused by the engine"])
def test_a_slow_request_answers_with_a_run_that_runs_whatever_became_of_the_one_it_recorded(
    services: Services, engine: DurableEngine, refused: bool
) -> None:
    acquire = services.lease.acquire
    recorded: list[str] = []

    def is_adopted(run_id: str, now: datetime) -> str | None:
        patch.undo()
        recorded.append(run_id)
        make_older(services, run_id, 21)
        if refused:
            with pytest.raises(EngineUnavailable):
                start_run(services, engine_away(), BY_HTTP, request=KEY)
        else:
            start_run(services, engine, BY_HTTP, request=KEY)
        return acquire(run_id, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services.lease, "acquire", is_adopted)
        answered = start_run(services, engine, BY_HTTP, request=KEY)
    assert runs_recorded(services) == [answered] == ([answered] if refused else recorded)
    assert (services.lease.holder(), engine.state(answered)) == (answered, "active")


def test_a_record_that_was_written_without_an_answer_is_withdrawn(services: Services, engine: DurableEngine) -> None:
    create = services.runs.create

    def without_an_answer(*arguments: Any, **named: Any) -> None:  # noqa: ANN401 - passed on
        create(*arguments, **named)
        raise AutoReconnect("The connection broke.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services.runs, "create", without_an_answer)
        with pytest.raises(AutoReconnect):
            start_run(services, engine, BY_HTTP)
    assert runs_recorded(services) == []


def test_a_run_adopted_by_a_request_that_is_refused_leaves_nothing(services: Services, engine: DurableEngine) -> None:
    dead = die_in_a_trigger(services, engine, "before it holds the lease")
    active = start_run(services, engine, BY_HTTP)
    make_older(services, dead, 21)
    with pytest.raises(RunActive):
        start_run(services, engine, BY_HTTP, request=KEY)
    assert runs_recorded(services) == [active]


@pytest.mark.parametrize(("place", "step"), [("lease", "acquire"), ("runs", "queued_before"), ("engine", "start")])
def test_a_trigger_that_fails_leaves_nothing(services: Services, engine: DurableEngine, place: str, step: str) -> None:
    def away(*_: object) -> None:
        raise AutoReconnect("The database went away.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine if place == "engine" else getattr(services, place), step, away)
        with pytest.raises(AutoReconnect):
            start_run(services, engine, BY_HTTP, request=KEY)
    assert (runs_recorded(services), services.lease.holder()) == ([], None)
    assert engine.state(start_run(services, engine, BY_HTTP, request=KEY)) == "active"


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
