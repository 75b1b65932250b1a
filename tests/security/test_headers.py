"""The headers of every answer, and the origins whose pages may read one."""

import re
from collections.abc import Iterator

import httpx
import pytest

from functions.access.throttling import SIGN_IN_FAILURES
from functions.http.openapi import document
from functions.http.routes import api
from tests.end_to_end.app import BASE, BEHIND_TWO_PROXIES, App, running_app

ORIGINS = ("https://admin.example.org", "http://localhost:3000")
TRIGGER = f"{BASE}/trigger-analysis"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    with running_app(folder, CORS_ORIGINS=", ".join(ORIGINS), **BEHIND_TWO_PROXIES) as running:
        yield running


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("app"), ADMIN_SECRET=" ") as running:
        yield running


def answers(app: App) -> list[httpx.Response]:
    client, etag = app.client, app.client.get("/api/openapi.json").headers["ETag"]
    started = app.trigger(dry_run=True)
    app.wait(started.json()["run_id"])
    with app.stranger() as stranger:
        refused = [stranger.get(f"{BASE}/audit") for _ in range(SIGN_IN_FAILURES.most + 1)]
    return [
        started,
        *refused,
        client.get("/api/health", headers={"Origin": ORIGINS[0]}),
        client.get("/api/openapi.json", headers={"If-None-Match": etag}),
        client.get(f"{BASE}/analysis-runs"),
        client.get(f"{BASE}/analysis-status/no-run"),
        client.get(f"{BASE}/analysis-status/run_20200101_000000_abcd"),
        client.post(f"{BASE}/analysis-runs/{started.json()['run_id']}/cancel"),
        client.put(TRIGGER),
        client.post(TRIGGER, content=iter([b"{}"])),
        client.post(TRIGGER, content=b" " * 65_537),
        client.post(TRIGGER, content=b"{"),
        client.options(TRIGGER, headers={"Origin": ORIGINS[0], "Access-Control-Request-Method": "POST"}),
    ]


def test_every_answer_has_the_headers_that_protect_it(app: App, closed: App) -> None:
    seen = [*answers(app), closed.client.get(f"{BASE}/analysis-runs")]
    statuses = {200, 202, 204, 304, 400, 401, 404, 405, 409, 411, 413, 422, 429, 503}
    assert {answer.status_code for answer in seen} == statuses
    for answer in seen:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["Cache-Control"] == (
            "no-cache" if answer.request.url.path.endswith(".json") else "no-store"
        )
        assert len(answer.headers["X-Correlation-Id"]) == 32
        assert not {"server", "x-powered-by", "x-aspnet-version", "set-cookie", "via"} & set(answer.headers)


# Headers of the connection, or described elsewhere together with the content.
NOT_DESCRIBED = {"date", "connection", "content-length", "content-type", "transfer-encoding"}


def test_every_status_and_header_of_an_answer_is_described(app: App) -> None:
    described = {re.sub(r"{\w+}", "[^/]+", path): item for path, item in document(api.routes)["paths"].items()}
    for answer in answers(app):
        path = answer.request.url.path
        (operation,) = [
            found for form, item in described.items() if re.fullmatch(form, path) for found in item.values()
        ]
        if answer.request.method != "OPTIONS":  # sent by browsers, not by clients of the API
            headers = operation["responses"][str(answer.status_code)]["headers"]
            assert set(answer.headers) - NOT_DESCRIBED <= {name.lower() for name in headers}, path


def test_cors_is_off_unless_origins_are_configured(closed: App) -> None:
    headers = {"Origin": ORIGINS[0], "Access-Control-Request-Method": "POST"}
    for answer in (closed.client.options(TRIGGER, headers=headers), closed.client.get("/api/health", headers=headers)):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "vary" not in answer.headers
    assert closed.client.options(TRIGGER, headers=headers).status_code == 405


def test_an_answer_that_differs_by_other_headers_names_them_beside_the_origin(app: App) -> None:
    assert app.client.get("/api/admin/console").headers["Vary"] == "Accept-Encoding, Origin"


@pytest.mark.parametrize("origin", ORIGINS)
def test_pages_of_configured_origins_may_read_answers_and_send_requests(app: App, origin: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type, X-Admin-Secret,Idempotency-Key",
    }
    preflight = app.client.options(TRIGGER, headers=asked)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Methods"] == "POST"
    assert "x-admin-secret" in preflight.headers["Access-Control-Allow-Headers"]
    for answer in (preflight, app.client.get("/api/health", headers={"Origin": origin}), app.client.get(TRIGGER)):
        assert answer.headers["Vary"] == "Origin"
    for answer in (preflight, app.client.get(f"{BASE}/analysis-status/no-run", headers={"Origin": origin})):
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    "changed",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "https://admin.example.org.evil.example"},
        {"Origin": "http://admin.example.org"},
        {"Origin": "https://admin.example.org:8443"},
        {"Origin": "https://ADMIN.example.org"},
        {"Origin": "null"},
        {"Origin": "*"},
        {"Origin": ",".join(ORIGINS)},
        {"Access-Control-Request-Method": "DELETE"},
        {"Access-Control-Request-Method": "GET"},
        {"Access-Control-Request-Method": ""},
        {"Access-Control-Request-Headers": "x-admin-secret, x-other"},
    ],
)
def test_anything_else_is_not_allowed(app: App, changed: dict[str, str]) -> None:
    asked = {"Origin": ORIGINS[0], "Access-Control-Request-Method": "POST"} | changed
    answer = app.client.options(TRIGGER, headers=asked)
    assert answer.status_code == 405
    assert "access-control-allow-methods" not in answer.headers
    if "Origin" in changed:
        assert "access-control-allow-origin" not in answer.headers
