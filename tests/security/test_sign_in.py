"""Failed sign-ins over HTTP: a client with too many failures waits, others do not, and each refusal is recorded."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.access.throttling import SIGN_IN_FAILURES
from stores.mongo import DocumentDatabase
from tests.conftest import free_port
from tests.end_to_end.app import (
    BASE,
    BEHIND_TWO_PROXIES,
    SECRET,
    App,
    running_app,
    running_app_without_its_database,
)
from tests.engine import OF_ALL

RUNS = f"{BASE}/analysis-runs"
WRONG = {"X-Admin-Secret": "wrong"}
RIGHT = {"X-Admin-Secret": SECRET}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    with running_app(folder, REDIS_URL=redis_url, **BEHIND_TWO_PROXIES) as running:
        yield running


def statuses(client: httpx.Client, times: int, headers: dict[str, str]) -> list[int]:
    return [client.get(RUNS, headers=headers).status_code for _ in range(times)]


def test_after_too_many_failures_every_request_of_a_client_is_throttled(app: App) -> None:
    with app.stranger() as stranger:
        assert statuses(stranger, SIGN_IN_FAILURES.most + 2, WRONG) == [401] * SIGN_IN_FAILURES.most + [429] * 2
        answer = stranger.get(RUNS, headers=RIGHT)
    assert answer.status_code == 429
    assert answer.json()["type"] == "urn:portfolio-analysis:problem:too-many-failures"
    assert 0 < int(answer.headers["Retry-After"]) <= SIGN_IN_FAILURES.seconds
    assert app.log.read_text().count("Too many failed sign-ins") == 1


def test_other_clients_are_accepted_meanwhile_and_the_throttled_one_keeps_waiting(app: App) -> None:
    with app.stranger() as waiting, app.stranger() as other:
        statuses(waiting, SIGN_IN_FAILURES.most, WRONG)
        assert statuses(other, 3, RIGHT) == [200] * 3
        assert statuses(waiting, 1, RIGHT) == [429]


def test_kinds_of_credentials_are_counted_separately_and_requests_without_any_too(app: App) -> None:
    with app.stranger() as stranger:
        assert statuses(stranger, SIGN_IN_FAILURES.most + 1, {}) == [401] * SIGN_IN_FAILURES.most + [429]
        assert statuses(stranger, SIGN_IN_FAILURES.most + 1, {"Authorization": "Bearer x"}) == [
            401
        ] * SIGN_IN_FAILURES.most + [429]
        assert statuses(stranger, 1, RIGHT) == [200]


def test_an_address_that_a_client_makes_up_does_not_count(app: App) -> None:
    with app.stranger() as stranger:
        own = stranger.headers["X-Forwarded-For"]
        made_up = [f"203.0.113.{number}, {own}" for number in range(SIGN_IN_FAILURES.most + 1)]
        answers = [stranger.get(RUNS, headers=WRONG | {"X-Forwarded-For": claim}).status_code for claim in made_up]
    assert answers == [401] * SIGN_IN_FAILURES.most + [429]


def test_open_routes_and_wrong_methods_are_no_failures(app: App) -> None:
    with app.stranger() as stranger:
        for _ in range(SIGN_IN_FAILURES.most + 1):
            assert stranger.get("/api/health").status_code == 200
            assert stranger.put(RUNS, headers=WRONG).status_code == 405
        assert statuses(stranger, 1, RIGHT) == [200]


def test_if_addresses_are_unknown_clients_with_the_secret_are_not_locked_out(tmp_path: Path) -> None:
    with (
        running_app(tmp_path, TRUSTED_PROXIES="0", FUNCTIONS_WORKER_PROCESS_COUNT="1") as app,
        app.stranger() as stranger,
    ):
        assert statuses(stranger, SIGN_IN_FAILURES.most + 2, WRONG) == [401] * SIGN_IN_FAILURES.most + [429] * 2
        assert statuses(stranger, 2, RIGHT) == [200] * 2
        assert statuses(stranger, 1, WRONG) == [429]


def test_without_redis_each_worker_counts_for_itself(tmp_path: Path) -> None:
    with running_app(tmp_path, REDIS_URL=f"redis://127.0.0.1:{free_port()}", FUNCTIONS_WORKER_PROCESS_COUNT="1") as app:
        assert statuses(app.client, SIGN_IN_FAILURES.most + 1, WRONG) == [401] * SIGN_IN_FAILURES.most + [429]
        assert "rate limits and sign-in failures are counted by each worker" in app.log.read_text()


class Audited:
    """An app with access to its database."""

    def __init__(self, app: App, database: DocumentDatabase) -> None:
        self.app, self.database = app, database

    def newest(self) -> dict[str, Any]:
        entry: dict[str, Any] = self.app.client.get(f"{BASE}/audit", params={"limit": 1}).json()["entries"][0]
        return entry


@pytest.fixture
def audited(tmp_path: Path, mongodb_url: str, redis_url: str, database: DocumentDatabase) -> Iterator[Audited]:
    database.users.insert_one({"user_id": "u1"})
    database.holdings.insert_one({"user_id": "u1", "symbol": "AAPL", "quantity": 7919, "avg_price": 1})
    environment = {"MONGODB_URL": mongodb_url, "MONGODB_DATABASE": database.name, "REDIS_URL": redis_url}
    with running_app(tmp_path, MARKET_DATA_PROVIDER="sample", **environment, **BEHIND_TWO_PROXIES) as app:
        yield Audited(app, database)


def test_every_change_and_every_refusal_is_on_record_and_no_credential_is(audited: Audited) -> None:
    app = audited.app
    trace = secrets.token_hex(16)
    headers = {"traceparent": f"00-{trace}-{secrets.token_hex(8)}-01", "X-Forwarded-For": "2001:db8::7"}
    started = app.client.post(f"{BASE}/trigger-analysis", headers=headers)
    run_id = started.json()["run_id"]
    entry = audited.newest()
    assert started.headers["X-Correlation-Id"] == trace
    assert f"(run_id={run_id}, {OF_ALL}, actor=admin-secret) (correlation_id={trace})" in app.log.read_text()
    assert {name: value for name, value in entry.items() if name not in ("entry_id", "at", "credential_id")} == {
        "action": "trigger",
        "actor": "admin-secret",
        "credential": "admin-secret",
        "client": "2001:db8::7",
        "correlation_id": trace,
        "outcome": "accepted",
        "problem": None,
        "run_id": run_id,
        "user_id": None,
        "dry_run": False,
        "as_of": None,
        "user_ids": None,
        "user_ids_count": None,
        "event_id": None,
        "endpoint_id": None,
    }
    app.wait(run_id)
    with app.stranger(**WRONG) as stranger:
        refusals = [
            (("cancel", "run-over", run_id), app.client.post(f"{RUNS}/{run_id}/cancel")),
            (("retry", "nothing-failed", run_id), app.client.post(f"{RUNS}/{run_id}/retry")),
            (("cancel", "malformed-id", None), app.client.post(f"{RUNS}/no-run/cancel")),
            (("trigger", "invalid-member", None), app.client.post(f"{BASE}/trigger-analysis", json={"pw": "hunter2"})),
            (("sign_in", "unauthorized", None), stranger.post(f"{BASE}/trigger-analysis")),
        ]
    entries = app.client.get(f"{BASE}/audit").json()["entries"]
    for (expected, answer), entry in zip(reversed(refusals), entries, strict=False):
        assert (entry["action"], entry["problem"], entry["run_id"]) == expected
        assert entry["outcome"] == "refused"
        assert entry["correlation_id"] == answer.headers["X-Correlation-Id"]
    assert len(entries) == len(refusals) + 1
    kept = json.dumps(list(audited.database.audit_log.find({}, {"_id": False})), default=str)
    assert not any(text in kept for text in (SECRET, "wrong", "hunter2", "7919"))


def test_a_timer_that_starts_a_run_is_on_record(audited: Audited) -> None:
    audited.app.fire("nightly_analysis")
    while not (entries := audited.app.client.get(f"{BASE}/audit").json()["entries"]) or entries[0]["run_id"] is None:
        pass
    (entry,) = entries
    assert (entry["action"], entry["actor"], entry["credential"], entry["outcome"], entry["client"]) == (
        "trigger",
        "nightly_analysis",
        "timer",
        "accepted",
        None,
    )
    assert audited.app.wait(entry["run_id"])["trigger"]["source"] == "timer"


def test_refused_sign_ins_fill_the_log_no_faster_than_throttling_allows(audited: Audited) -> None:
    with audited.app.stranger() as stranger:
        statuses(stranger, 4 * SIGN_IN_FAILURES.most, WRONG)
    assert audited.database.audit_log.count_documents({"action": "sign_in"}) == SIGN_IN_FAILURES.most


def test_the_log_is_read_page_by_page_newest_first(audited: Audited) -> None:
    for _ in range(5):
        audited.app.client.post(f"{RUNS}/no-run/cancel")
    read: list[dict[str, Any]] = []
    parameters: dict[str, Any] = {"limit": 2}
    while True:
        page = audited.app.client.get(f"{BASE}/audit", params=parameters).json()
        read += page["entries"]
        if page["next"] is None:
            break
        parameters["before"] = page["next"]
    assert len({entry["entry_id"] for entry in read}) == len(read) == 5
    assert [entry["at"] for entry in read] == sorted((entry["at"] for entry in read), reverse=True)


def test_without_its_database_a_refusal_is_still_a_refusal(tmp_path: Path) -> None:
    with running_app_without_its_database(tmp_path) as app:
        assert statuses(app.client, 1, WRONG) == [401]
        assert "A refusal cannot be recorded: " in app.log.read_text()
