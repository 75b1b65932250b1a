"""Repeated requests: a client that repeats a request without an answer, or a timer that fires twice, starts one run."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

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
