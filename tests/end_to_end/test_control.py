"""Repeating, canceling and retrying runs over HTTP, and runs of more pages than one orchestration takes."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from functions.orchestration import MAX_FAN_OUT
from stores.mongo import DocumentDatabase, connect
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, App, running_app
from tests.engine import OF_ALL

UNKNOWN = "run_20200102_030405_abcd"
USERS = 2 * MAX_FAN_OUT + 5  # pages of one user each: three orchestrations of them


@pytest.fixture(scope="module")
def users(mongodb_url: str) -> Iterator[DocumentDatabase]:
    """Yield a database of many users with one holding each; the account of every fiftieth user cannot be read."""
    client = connect(mongodb_url)
    database = client[f"test_{secrets.token_hex(4)}"]
    user_ids = [f"u{number:03}" for number in range(USERS)]
    database.users.insert_many({"user_id": user_id} for user_id in user_ids)
    database.holdings.insert_many(
        {"user_id": user_id, "symbol": "AAPL", "quantity": 1, "avg_price": 1} for user_id in user_ids
    )
    database.accounts.insert_many({"user_id": user_id, "cash": "plenty"} for user_id in user_ids[::50])
    yield database
    client.drop_database(database.name)
    client.close()


@pytest.fixture(scope="module")
def app(
    tmp_path_factory: pytest.TempPathFactory, mongodb_url: str, redis_url: str, users: DocumentDatabase
) -> Iterator[App]:
    environment = {"MONGODB_DATABASE": users.name, "MARKET_DATA_PROVIDER": "sample", "ANALYSIS_PAGE_SIZE": "1"}
    folder = tmp_path_factory.mktemp("app")
    with running_app(folder, MONGODB_URL=mongodb_url, REDIS_URL=redis_url, **environment) as running:
        yield running


@pytest.fixture(scope="module")
def finished(app: App) -> dict[str, Any]:
    return app.run()


def problem(answer: Any) -> tuple[int, str]:  # noqa: ANN401 - an answer of httpx
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


@pytest.mark.both_engines
def test_a_run_of_more_pages_than_one_orchestration_takes_analyzes_every_user_once(
    finished: dict[str, Any], users: DocumentDatabase
) -> None:
    assert finished["status"] == "completed_with_errors"
    assert finished["progress"] == {"phase": "done", "pages_done": USERS, "pages_total": USERS}
    assert (finished["users_analyzed"], finished["users_failed"]) == (USERS - 3, 3)
    reported = [report["user_id"] for report in users.portfolio_analyses.find({"run_id": finished["run_id"]})]
    assert len(reported) == len(set(reported)) == USERS


@pytest.mark.both_engines
def test_a_retry_analyzes_only_the_failed_users_again(
    app: App, finished: dict[str, Any], users: DocumentDatabase
) -> None:
    users.accounts.update_many({"user_id": {"$in": ["u000", "u100"]}}, {"$set": {"cash": 5}})
    answer = app.client.post(f"{BASE}/analysis-runs/{finished['run_id']}/retry")
    assert answer.status_code == 202
    assert answer.headers["location"] == answer.json()["status_url"]
    run = app.wait(answer.json()["run_id"])
    assert (run["retry_of"], run["trigger"]["source"], run["as_of"]) == (
        finished["run_id"],
        "retry",
        finished["as_of"],
    )
    assert (run["users_to_analyze"], run["users_analyzed"], run["users_failed"]) == (3, 2, 1)
    assert app.status(finished["run_id"]) == finished


@pytest.mark.both_engines
def test_a_canceled_run_ends_early_and_keeps_what_it_has(app: App, users: DocumentDatabase) -> None:
    run_id = app.trigger().json()["run_id"]
    while app.status(run_id)["progress"]["pages_done"] == 0:
        pass
    answer = app.client.post(f"{BASE}/analysis-runs/{run_id}/cancel")
    again = app.client.post(f"{BASE}/analysis-runs/{run_id}/cancel")
    assert (answer.status_code, answer.json()["status"], answer.json()["run_id"]) == (202, "canceling", run_id)
    assert again.status_code == 202
    run = app.wait(run_id)
    assert run["status"] == "canceled"
    kept = users.portfolio_analyses.count_documents({"run_id": run_id})
    assert 0 < kept < USERS
    assert run["users_analyzed"] + run["users_failed"] == kept
    assert problem(app.client.post(f"{BASE}/analysis-runs/{run_id}/cancel")) == (409, "run-over")
    eventually(lambda: f"Portfolio analysis canceled (run_id={run_id}, {OF_ALL})" in app.log.read_text())
    assert app.log.read_text().count(f"Portfolio analysis canceled (run_id={run_id}, ") == 1


def test_the_same_key_and_body_give_the_same_run(app: App) -> None:
    headers, body = {"Idempotency-Key": secrets.token_hex(8)}, {"dry_run": True, "user_ids": ["u001"]}
    answers = [app.client.post(f"{BASE}/trigger-analysis", headers=headers, json=body) for _ in range(3)]
    app.wait(answers[0].json()["run_id"])
    answers.append(app.client.post(f"{BASE}/trigger-analysis", headers=headers, json=body))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["run_id"] for answer in answers}) == 1
    other = app.client.post(f"{BASE}/trigger-analysis", headers=headers, json={"dry_run": True})
    assert problem(other) == (422, "invalid-member")
    assert other.json()["member"] == "Idempotency-Key"


@pytest.mark.parametrize("key", ["k" * 10_240, "k" * 256, "", "bad\tkey"])
def test_a_key_that_cannot_be_one_starts_nothing(app: App, key: str) -> None:
    before = app.client.get(f"{BASE}/analysis-runs").json()
    answer = app.client.post(f"{BASE}/trigger-analysis", headers={"Idempotency-Key": key})
    assert (problem(answer), answer.json()["member"]) == ((422, "invalid-member"), "Idempotency-Key")
    assert app.client.get(f"{BASE}/analysis-runs").json() == before


@pytest.mark.parametrize("action", ["cancel", "retry"])
def test_what_cannot_be_canceled_or_retried_is_refused(app: App, action: str) -> None:
    run = app.run(user_ids=["u001"])
    route = f"{BASE}/analysis-runs"
    state = {"cancel": (409, "run-over"), "retry": (409, "nothing-failed")}[action]
    refused = app.client.post(f"{route}/{run['run_id']}/{action}")
    assert (problem(refused), refused.json()["run_id"]) == (state, run["run_id"])
    assert problem(app.client.post(f"{route}/{UNKNOWN}/{action}")) == (404, "not-found")
    assert problem(app.client.post(f"{route}/not-a-run/{action}")) == (400, "malformed-id")
    assert problem(app.client.get(f"{route}/{run['run_id']}/{action}")) == (405, "method-not-allowed")
    unsigned = app.client.post(f"{route}/{run['run_id']}/{action}", headers={"X-Admin-Secret": "wrong"})
    assert problem(unsigned) == (401, "unauthorized")
    assert app.status(run["run_id"]) == run


def test_a_retry_while_a_run_is_active_names_the_active_one(app: App, finished: dict[str, Any]) -> None:
    active = app.trigger().json()["run_id"]
    refused = app.client.post(f"{BASE}/analysis-runs/{finished['run_id']}/retry")
    assert (problem(refused), refused.json()["run_id"]) == ((409, "run-active"), active)
    app.client.post(f"{BASE}/analysis-runs/{active}/cancel")
    assert app.wait(active)["status"] == "canceled"
