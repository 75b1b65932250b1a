"""The answers of the API to invalid input, over HTTP."""

import codecs
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from functions.http.routes import api
from tests.end_to_end.app import BASE, BEHIND_TWO_PROXIES, SECRET, App, running_app

RUN, EVENT = "run_20200101_000000_abcd", f"evt_{'0' * 32}"
ROUTES = [
    (route.method, f"/{route.path.format(run_id=RUN, user_id='someone', event_id=EVENT, endpoint_id='ops')}")
    for route in api.routes
    if route.callers == "administrators"
]
METHODS = {path: [method for method, other in ROUTES if other == path] for _, path in ROUTES}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("app"), **BEHIND_TWO_PROXIES) as running:
        yield running


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem document, after checking that it is one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["type"].startswith("urn:portfolio-analysis:problem:")
    assert document["title"]
    assert document["detail"].endswith(".")
    assert "Traceback" not in answer.text
    return document


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + "x", SECRET[:-1], SECRET.upper(), "é"])
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_the_secret_access_is_refused(app: App, method: str, path: str, secret: str | None) -> None:
    headers = {} if secret is None else {b"X-Admin-Secret": secret.encode()}
    with app.stranger() as stranger:
        answer = stranger.request(method, path, headers=headers)
    problem(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_the_secret_is_not_taken_from_the_query(app: App) -> None:
    with app.stranger() as stranger:
        problem(stranger.post(f"{BASE}/trigger-analysis", params={"X-Admin-Secret": SECRET, "code": SECRET}), 401)


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(("path", "methods"), [*METHODS.items(), ("/api/health", ["GET"])])
def test_a_method_that_a_path_does_not_support_is_refused(app: App, path: str, methods: list[str], verb: str) -> None:
    if verb in methods:
        return
    answer = app.client.request(verb, path)
    problem(answer, 405)
    assert answer.headers["Allow"] == ", ".join(methods)


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (b"{", "body"),
        (b"dry_run=true", "body"),
        (b"[1]", "body"),
        (b'{"dry_run": "yes"}', "dry_run"),
        (b'{"everything": 1}', "everything"),
        (b'{"as_of": "soon"}', "as_of"),
        (b'{"user_ids": []}', "user_ids"),
        (b'{"user_ids": ["ok", "not/ok"]}', "user_ids[1]"),
        (b'{"user_ids": {"$gt": ""}}', "user_ids"),
        (b'{"user_ids": ["\xff\xfe"]}', "user_ids[0]"),
        ('{"user_ids": ["caf\u00e9"]}'.encode("latin-1"), "user_ids[0]"),
        ('{"dry_run": true}'.encode("utf-16"), "body"),
        (codecs.BOM_UTF8 + b'{"everything": 1}', "everything"),
    ],
)
def test_a_body_that_breaks_a_rule_is_refused_by_its_member_and_starts_nothing(
    app: App, body: bytes, member: str
) -> None:
    document = problem(app.client.post(f"{BASE}/trigger-analysis", content=body), 422)
    assert document["member"] == member
    assert member in document["detail"]
    assert app.client.get(f"{BASE}/analysis-runs").json() == {"runs": [], "next": None}
    assert "Unexpected error" not in app.log.read_text()


@pytest.mark.parametrize("action", ["trigger", "cancel", "retry"])
@pytest.mark.parametrize("chunks", [[b'{"dry_', b'run": true}'], []], ids=["a body", "an empty body"])
def test_a_body_without_its_length_is_refused_and_on_record_and_starts_nothing(
    app: App, action: str, chunks: list[bytes]
) -> None:
    path = f"{BASE}/trigger-analysis" if action == "trigger" else f"{BASE}/analysis-runs/{RUN}/{action}"
    problem(app.client.post(path, content=iter(chunks)), 411)
    entry = app.newest_entry()
    assert (entry["action"], entry["outcome"], entry["problem"]) == (action, "refused", "length-required")
    assert app.client.get(f"{BASE}/analysis-runs").json() == {"runs": [], "next": None}


def test_without_the_secret_a_body_without_its_length_is_refused_for_the_missing_secret_only(app: App) -> None:
    with app.stranger() as stranger:
        problem(stranger.post(f"{BASE}/trigger-analysis", content=iter([b"{}"])), 401)


def test_a_date_in_the_future_is_refused(app: App) -> None:
    later = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    assert problem(app.trigger(as_of=later), 422)["member"] == "as_of"


def test_a_date_before_the_first_price_is_refused_with_the_first_date(app: App) -> None:
    found = problem(app.trigger(as_of="2009-12-31"), 422)
    assert found["member"] == "as_of"
    assert found["detail"].endswith(": prices begin on 2010-01-04.")


def test_more_than_a_thousand_users_at_once_are_refused(app: App) -> None:
    assert problem(app.trigger(user_ids=[f"u{i}" for i in range(1001)]), 422)["member"] == "user_ids"


def test_a_body_over_64_kilobytes_is_refused(app: App) -> None:
    problem(app.client.post(f"{BASE}/trigger-analysis", content=b" " * 65_537), 413)


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path in ROUTES if RUN in path])
def test_an_unknown_run_is_not_found(app: App, method: str, path: str) -> None:
    problem(app.client.request(method, path), 404)


@pytest.mark.parametrize(
    "run_id", ["run_1", "latest", "run_20200101_000000_XYZW", "..%2f..%2fetc", "%7B%22$gt%22:%22%22%7D"]
)
def test_a_run_id_that_cannot_be_one_is_a_bad_request(app: App, run_id: str) -> None:
    answer = app.client.get(f"{BASE}/analysis-status/{run_id}")
    # A decoded slash makes it another path, which does not exist.
    assert answer.status_code in (400, 404)
    if answer.status_code == 400:
        problem(answer, 400)


@pytest.mark.parametrize(
    ("query", "member"), [("limit=0", "limit"), ("limit=many", "limit"), ("before=!", "before"), ("offset=3", "offset")]
)
def test_a_query_that_breaks_a_rule_is_refused_by_its_parameter(app: App, query: str, member: str) -> None:
    assert problem(app.client.get(f"{BASE}/analysis-runs?{query}"), 422)["member"] == member


def test_without_a_configured_secret_all_access_is_refused(tmp_path: Path) -> None:
    with running_app(tmp_path, ADMIN_SECRET=" ") as app:
        for method, path in ROUTES:
            answer = app.client.request(method, path, headers={"X-Admin-Secret": ""})
            problem(answer, 503)
            assert int(answer.headers["Retry-After"]) > 0
        assert app.client.get("/api/health").status_code == 200
