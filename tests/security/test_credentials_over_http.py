"""Credentials in requests to the whole app, and the answers."""

import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import jwt
import pytest

from tests.end_to_end.app import BASE, SECRET, App, running_app
from tests.security.issuer import AUDIENCE, ROLE, Issuer, an_issuer

KEY = "the key that the backend shares with this app"
RUNS = f"{BASE}/analysis-runs"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with an_issuer() as running:
        yield running


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[App]:
    oidc = {"OIDC_ISSUER": issuer.url, "OIDC_AUDIENCE": AUDIENCE, "OIDC_ADMIN_ROLE": ROLE}
    with running_app(tmp_path_factory.mktemp("app"), JWT_SECRET=KEY, **oidc) as running:
        del running.client.headers["X-Admin-Secret"]
        yield running


def a_token(subject: str) -> str:
    return jwt.encode({"sub": subject, "exp": int(time.time()) + 600}, KEY, "HS256")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def problem(answer: httpx.Response, status: int) -> None:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


def test_an_administrator_of_the_backend_starts_a_run_under_their_own_name(app: App) -> None:
    answer = app.client.post(f"{BASE}/trigger-analysis", json={"dry_run": True}, headers=bearer(a_token("zoe-admin")))
    assert answer.status_code == 202, answer.text
    run = app.client.get(answer.json()["status_url"], headers={"X-Admin-Secret": SECRET}).json()
    assert run["trigger"] == {"source": "http", "actor": "zoe-admin"}


def test_a_user_of_the_backend_is_forbidden(app: App) -> None:
    problem(app.client.get(RUNS, headers=bearer(a_token("nobody"))), 403)


def test_a_forbidden_user_is_named_in_the_audit_log(app: App, issuer: Issuer) -> None:
    for token, name, subject in (
        (a_token("adam"), "adam", "adam"),
        (issuer.token(issuer.claims(roles=[])), issuer.claims()["oid"], "subject-1"),
    ):
        problem(app.client.get(RUNS, headers=bearer(token)), 403)
        entry = app.client.get(f"{BASE}/audit", headers={"X-Admin-Secret": SECRET}).json()["entries"][0]
        assert (entry["problem"], entry["actor"], entry["credential_id"]) == ("forbidden", name, subject)


def test_tokens_of_the_issuer_are_verified_with_its_keys(app: App, issuer: Issuer) -> None:
    for kid in ("rsa-1", "ec-1"):
        assert app.client.get(RUNS, headers=bearer(issuer.token(kid=kid))).status_code == 200
    problem(app.client.get(RUNS, headers=bearer(issuer.token(issuer.claims(roles=[])))), 403)


@pytest.mark.parametrize("headers", [{}, {"X-Admin-Secret": "wrong"}, {"Authorization": "Bearer wrong"}], ids=str)
def test_an_unauthorized_answer_names_the_ways_to_sign_in(app: App, headers: dict[str, str]) -> None:
    answer = app.client.get(RUNS, headers=headers)
    problem(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_credentials_in_the_query_string_are_refused(app: App) -> None:
    for query in (f"X-Admin-Secret={SECRET}", f"code={SECRET}", f"access_token={a_token('zoe-admin')}"):
        problem(app.client.get(f"{RUNS}?{query}"), 401)


def status_of(app: App, *headers: bytes) -> int:
    """Send a request that no library would send, and return the status."""
    address = urlsplit(str(app.client.base_url))
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=30) as connection:
        lines = [f"GET {RUNS} HTTP/1.1".encode(), b"Host: x", b"Connection: close", *headers]
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
        return int(connection.makefile("rb").readline().split()[1])


RIGHT = f"X-Admin-Secret: {SECRET}".encode()


def test_a_raw_request_with_the_secret_is_accepted(app: App) -> None:
    assert status_of(app, RIGHT) == 200


@pytest.mark.parametrize(
    "headers",
    [
        [RIGHT, RIGHT],
        [b"X-Admin-Secret: wrong", RIGHT],
        [RIGHT, b"x-admin-secret: wrong"],
        [RIGHT, b"X-Admin-Secret:"],
    ],
)
def test_two_secrets_are_refused(app: App, headers: list[bytes]) -> None:
    assert status_of(app, *headers) == 401


def test_two_tokens_are_refused(app: App) -> None:
    token = f"Authorization: Bearer {a_token('zoe-admin')}".encode()
    assert status_of(app, token) == 200
    assert status_of(app, token, token) == 401


@pytest.mark.parametrize(
    "value", [b"\xe9\xe9", b"\xff\xfe", b"caf\xc3\xa9", b"\x7f", b"a\x00b", b"x\x0bX-Admin-Secret: y", b"x\ty"]
)
def test_bytes_that_are_not_text_do_not_cause_a_server_error(app: App, value: bytes) -> None:
    assert status_of(app, b"X-Admin-Secret: " + value) in (400, 401)
    assert status_of(app, b"Authorization: Bearer " + value) in (400, 401)


def test_a_token_of_a_megabyte_does_not_cause_a_server_error(app: App) -> None:
    try:
        status = status_of(app, b"Authorization: Bearer " + b"A" * 1_048_576)
    except (ConnectionError, IndexError):
        return  # the host closed the connection before reading it all
    assert status in (400, 401, 431)


def test_no_credential_that_was_sent_is_in_the_log(app: App, issuer: Issuer) -> None:
    sent = [
        a_token("zoe-admin"),
        a_token("nobody"),
        issuer.token(),
        a_token("zoe-admin") + "x",
        "a-wrong-secret-to-find",
    ]
    for token in sent:
        app.client.get(RUNS, headers=bearer(token))
        app.client.get(RUNS, headers={"X-Admin-Secret": token})
    log = app.log.read_text()
    assert not any(credential in log for credential in [*sent, KEY, SECRET])
