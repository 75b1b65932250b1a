"""Sessions of administrators over HTTP: their cookies, who may use them, and what ends them."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import jwt
import pytest

from functions.access.sessions import COOKIE, LOCAL_COOKIE, LONGEST
from functions.access.throttling import SIGN_IN_FAILURES
from stores.mongo import DocumentDatabase, connect
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, BEHIND_TWO_PROXIES, SECRET, App, running_app
from tests.faults.wire import Wire
from tests.security.issuer import AUDIENCE, ROLE, Issuer, an_issuer
from tests.security.raw import send

KEY = "the key that the backend shares with this app"
SESSION, RUNS, AUDIT = f"{BASE}/session", f"{BASE}/analysis-runs", f"{BASE}/audit"
BY_SECRET = {"X-Admin-Secret": SECRET}
PAGE = {"X-Requested-With": "portfolio-console"}
CHANGE = f"{RUNS}/no-run/cancel"
"""A change that is refused with 400, after the sign-in."""
ZOE, YAN = "session-zoe", "session-yan"


@dataclass
class Site:
    """An app with two administrators of the backend, its database, and the wire between the two."""

    app: App
    database: DocumentDatabase
    wire: Wire

    def stored(self, session_id: str) -> dict[str, Any] | None:
        return self.database.sessions.find_one({"_id": hashlib.sha256(session_id.encode()).hexdigest()})

    def entries(self, limit: int = 5) -> list[dict[str, Any]]:
        listed = self.app.client.get(AUDIT, params={"limit": limit}, headers=BY_SECRET)
        entries: list[dict[str, Any]] = listed.json()["entries"]
        return entries


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with an_issuer() as running:
        yield running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, mongodb_url: str, issuer: Issuer) -> Iterator[Site]:
    wire = Wire(int(mongodb_url.rpartition(":")[2]))
    name = f"test_sessions_{time.time_ns()}"
    with connect(mongodb_url) as client:
        client[name].users.insert_many([{"user_id": user, "is_admin": True} for user in (ZOE, YAN)])
        environment = {
            "MONGODB_URL": f"mongodb://127.0.0.1:{wire.port}/?directConnection=true",
            "MONGODB_DATABASE": name,
            "MARKET_DATA_PROVIDER": "sample",
            "JWT_SECRET": KEY,
            "OIDC_ISSUER": issuer.url,
            "OIDC_AUDIENCE": AUDIENCE,
            "OIDC_ADMIN_ROLE": ROLE,
            "ME_API": "1",
            "CORS_ORIGINS": "https://other.example.org",
            "FUNCTIONS_WORKER_PROCESS_COUNT": "1",
            **BEHIND_TWO_PROXIES,
        }
        with running_app(tmp_path_factory.mktemp("app"), **environment) as app:
            del app.client.headers["X-Admin-Secret"]
            yield Site(app, client[name], wire)
        client.drop_database(name)
    wire.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def a_token(subject: str = ZOE, lasting: int = 600, key: str = KEY) -> str:
    return jwt.encode({"sub": subject, "exp": int(time.time()) + lasting}, key, "HS256")


def cookie_of(answer: httpx.Response) -> Morsel[str]:
    """Return the one cookie that an answer sets."""
    (header,) = answer.headers.get_list("Set-Cookie")
    (cookie,) = SimpleCookie(header).values()
    return cookie


def started(client: httpx.Client, credential: dict[str, str] | None = None, **headers: str) -> str:
    """Start a session with the secret or with ``credential``; return its id."""
    answer = client.post(SESSION, headers=(credential or BY_SECRET) | headers)
    client.cookies.clear()  # sent by hand, as a browser sends it or as none would
    assert answer.status_code == 201, answer.text
    return cookie_of(answer).value


def by(session_id: str, name: str = LOCAL_COOKIE) -> dict[str, str]:
    return {"Cookie": f"{name}={session_id}"}


def of_page(client: httpx.Client) -> dict[str, str]:
    """Return the headers of a change that the app's own page sends."""
    return PAGE | {"Origin": str(client.base_url).rstrip("/")}


def refused(answer: httpx.Response, status: int, slug: str) -> None:
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, slug), answer.text


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    """Yield a client with its own address."""
    with site.app.stranger() as stranger:
        yield stranger


def test_on_this_machine_the_cookie_is_for_the_api_alone_and_no_script_can_read_it(client: httpx.Client) -> None:
    answer = client.post(SESSION, headers=BY_SECRET)
    cookie = cookie_of(answer)
    assert cookie.key == LOCAL_COOKIE
    assert (cookie["path"], cookie["samesite"].lower(), cookie["httponly"]) == (BASE, "strict", True)
    assert (cookie["secure"], cookie["domain"], int(cookie["max-age"])) == ("", "", LONGEST.total_seconds())
    assert len(cookie.value) == 43


@pytest.mark.parametrize(
    "seen",
    [
        {"Host": "admin.example.org", "X-Forwarded-Proto": "https"},
        {"Host": "app.internal", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "admin.example.org"},
        {"Host": "app.internal", "X-Forwarded-Proto": "https, http", "X-Original-Host": "admin.example.org:443"},
        {"Host": "admin.example.org"},
    ],
    ids=["tls", "front door", "gateway", "no tls"],
)
def test_elsewhere_the_cookie_is_for_tls_and_this_one_host(client: httpx.Client, seen: dict[str, str]) -> None:
    answer = client.post(SESSION, headers=BY_SECRET | seen)
    cookie = cookie_of(answer)
    assert cookie.key == COOKIE
    assert (cookie["path"], cookie["samesite"].lower(), cookie["httponly"]) == ("/", "strict", True)
    assert (cookie["secure"], cookie["domain"]) == (True, "")
    scheme = "https" if "X-Forwarded-Proto" in seen else "http"
    page = PAGE | {"Origin": f"{scheme}://admin.example.org"}
    assert client.post(CHANGE, headers=seen | by(cookie.value, COOKIE) | page).status_code == 400
    refused(client.post(CHANGE, headers=seen | by(cookie.value, COOKIE) | of_page(client)), 403, "foreign-page")
    refused(client.get(RUNS, headers=seen | by(cookie.value, LOCAL_COOKIE)), 401, "unauthorized")


def test_a_session_tells_its_actor_and_its_end_and_the_audit_log_the_credential_behind_it(
    client: httpx.Client, site: Site
) -> None:
    answer = client.post(SESSION, headers=bearer(a_token()))
    left = datetime.fromisoformat(answer.json()["expires_at"]) - datetime.now(UTC)
    assert answer.json() | {"expires_at": None} == {"actor": ZOE, "credential": "bearer", "expires_at": None}
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    assert int(cookie_of(answer)["max-age"]) <= 600
    session_id = cookie_of(answer).value
    client.cookies.clear()
    client.post(CHANGE, headers=by(session_id) | of_page(client))
    client.delete(SESSION, headers=by(session_id) | of_page(client))
    told = [(entry["action"], entry["credential"], entry["outcome"]) for entry in site.entries(3)]
    assert told == [
        ("end_session", "session", "accepted"),
        ("cancel", "session", "refused"),
        ("start_session", "bearer", "accepted"),
    ]
    assert {(entry["actor"], entry["credential_id"]) for entry in site.entries(3)} == {(ZOE, ZOE)}


def test_a_session_starts_runs_under_the_name_of_its_administrator(client: httpx.Client) -> None:
    session_id = started(client, bearer(a_token()))
    asked = {"dry_run": True, "user_ids": ["nobody"]}
    answer = client.post(f"{BASE}/trigger-analysis", json=asked, headers=by(session_id) | of_page(client))
    assert answer.status_code == 202
    run = client.get(answer.json()["status_url"], headers=by(session_id)).json()
    assert run["trigger"] == {"source": "http", "actor": ZOE}


def test_the_end_of_a_session_is_at_once_for_everybody_and_the_browser_forgets_the_cookie(
    client: httpx.Client, site: Site
) -> None:
    session_id, other = started(client), started(client)
    answer = client.delete(SESSION, headers=by(session_id) | of_page(client))
    assert (answer.status_code, answer.content) == (204, b"")
    cookie = cookie_of(answer)
    assert (cookie.key, cookie.value, cookie["max-age"], cookie["path"]) == (LOCAL_COOKIE, "", "0", BASE)
    refused(client.get(RUNS, headers=by(session_id)), 401, "session-over")
    refused(client.delete(SESSION, headers=by(session_id) | of_page(client)), 401, "session-over")
    assert client.get(RUNS, headers=by(other)).status_code == 200
    assert site.stored(session_id) is None


def test_only_a_session_ends_itself(client: httpx.Client, site: Site) -> None:
    session_id = started(client)
    refused(client.delete(SESSION, headers=BY_SECRET), 404, "not-found")
    refused(client.delete(SESSION, headers=BY_SECRET | by(session_id)), 404, "not-found")
    refused(client.delete(SESSION), 401, "unauthorized")
    assert site.stored(session_id) is not None


def test_a_session_starts_no_session(client: httpx.Client, site: Site) -> None:
    session_id = started(client)
    before = site.database.sessions.count_documents({})
    answer = client.post(SESSION, headers=by(session_id) | of_page(client))
    refused(answer, 401, "unauthorized")
    assert "Set-Cookie" not in answer.headers
    refused(client.post(SESSION, headers={"X-Admin-Secret": "wrong"} | by(session_id)), 401, "unauthorized")
    assert site.database.sessions.count_documents({}) == before


def test_an_id_that_a_client_chose_is_never_adopted(client: httpx.Client, site: Site) -> None:
    chosen = "A" * 43
    assert started(client, BY_SECRET | by(chosen)) != chosen
    assert site.stored(chosen) is None
    refused(client.get(RUNS, headers=by(chosen)), 401, "session-over")


def test_persons_and_their_api_know_no_sessions(client: httpx.Client) -> None:
    session_id = started(client, bearer(a_token()))
    refused(client.get("/api/me/report", headers=by(session_id)), 401, "unauthorized")
    refused(client.post(SESSION, headers=bearer(a_token("ada"))), 403, "forbidden")


def test_other_credentials_decide_if_they_are_sent_as_well(client: httpx.Client) -> None:
    session_id = started(client)
    refused(client.get(RUNS, headers=by(session_id) | {"X-Admin-Secret": "wrong"}), 401, "unauthorized")
    refused(client.get(RUNS, headers=by(session_id) | bearer("wrong")), 401, "unauthorized")
    foreign = {"Origin": "https://evil.example"}
    assert client.post(CHANGE, headers=by("forged") | BY_SECRET | foreign).status_code == 400


OTHER_PAGES = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://www.127.0.0.1:{port}"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://127.0.0.1:{port}.evil.example"},
    {"Origin": "http://127.0.0.1:{port}/"},
    {"Origin": "http://localhost:{port}"},
    {"Origin": "https://127.0.0.1:{port}"},
    {"Origin": "https://other.example.org"},
    {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-site"},
    {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://127.0.0.1:{port}", "X-Requested-With": "XMLHttpRequest"},
    {"Origin": "http://127.0.0.1:{port}", "X-Requested-With": ""},
]


@pytest.mark.parametrize("headers", OTHER_PAGES, ids=str)
def test_a_page_of_another_origin_changes_nothing_by_cookie(
    client: httpx.Client, site: Site, issuer: Issuer, headers: dict[str, str]
) -> None:
    name = f"ann-{OTHER_PAGES.index(headers)}"
    session_id = started(client, bearer(issuer.token(issuer.claims(sub=name, oid=None))))
    sent = PAGE | {name: value.format(port=client.base_url.port) for name, value in headers.items()}
    for answer in (
        client.post(CHANGE, headers=by(session_id) | sent),
        client.post(f"{BASE}/trigger-analysis", headers=by(session_id) | sent),
        client.delete(SESSION, headers=by(session_id) | sent),
    ):
        refused(answer, 403, "foreign-page")
    (entry,) = site.entries(1)
    assert (entry["action"], entry["credential"], entry["problem"], entry["actor"]) == (
        "sign_in",
        "session",
        "foreign-page",
        name,
    )
    assert site.stored(session_id) is not None


def test_other_pages_fill_the_log_no_faster_than_throttling_allows_and_do_not_make_the_user_wait(
    client: httpx.Client, site: Site, issuer: Issuer
) -> None:
    session_id = started(client, bearer(issuer.token(issuer.claims(sub="ann", oid=None))))
    foreign = by(session_id) | PAGE | {"Origin": "https://evil.example"}
    statuses = [client.post(CHANGE, headers=foreign).status_code for _ in range(SIGN_IN_FAILURES.most + 2)]
    assert statuses == [403] * SIGN_IN_FAILURES.most + [429] * 2
    assert site.database.audit_log.count_documents({"actor": "ann", "action": "sign_in"}) == SIGN_IN_FAILURES.most
    assert client.post(CHANGE, headers=by(session_id) | of_page(client)).status_code == 400


def test_a_change_without_the_header_of_the_page_is_refused(client: httpx.Client) -> None:
    session_id = started(client)
    headers = of_page(client)
    del headers["X-Requested-With"]
    refused(client.post(CHANGE, headers=by(session_id) | headers), 403, "foreign-page")


def test_the_header_of_the_page_is_not_for_pages_of_configured_origins(client: httpx.Client) -> None:
    asked = {
        "Origin": "https://other.example.org",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-requested-with",
    }
    assert client.options(f"{BASE}/trigger-analysis", headers=asked).status_code == 405


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://other.example.org"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "null"}, 403),
    ],
    ids=str,
)
def test_a_page_of_another_origin_reads_nothing_by_cookie(
    client: httpx.Client, headers: dict[str, str], status: int
) -> None:
    session_id = started(client)
    sent = {name: value.format(port=client.base_url.port) for name, value in headers.items()}
    answer = client.get(RUNS, headers=by(session_id) | sent)
    assert answer.status_code == status
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "cookie",
    ["", "x", "A" * 43, "A" * 42 + "=", "é" * 43, "A" * 7_000, '"' + "A" * 43 + '"', "{$ne:1}", "A" * 42 + "%0a"],
    ids=ascii,
)
def test_a_forged_cookie_gives_no_access(site: Site, cookie: str) -> None:
    with site.app.stranger() as stranger:
        address = stranger.headers["X-Forwarded-For"]
    # The host in these requests is not this machine.
    sent = [f"Cookie: {COOKIE}={cookie}".encode(), f"X-Forwarded-For: {address}".encode()]
    answer = send(site.app, RUNS, *sent, signed=False)
    assert answer.status in (400, 401, 431)


def test_of_two_cookies_of_that_name_none_counts(client: httpx.Client) -> None:
    session_id = started(client)
    assert client.get(RUNS, headers={"Cookie": f"a=b; {LOCAL_COOKIE}={session_id}; c=d"}).status_code == 200
    for cookies in (
        f"{LOCAL_COOKIE}={session_id}; {LOCAL_COOKIE}={session_id}",
        f"{LOCAL_COOKIE}=x; {LOCAL_COOKIE}={session_id}",
        f"{LOCAL_COOKIE}={session_id},{LOCAL_COOKIE}=x",
    ):
        refused(client.get(RUNS, headers={"Cookie": cookies}), 401, "session-over")
    twice = [("Cookie", f"{LOCAL_COOKIE}={session_id}"), ("Cookie", f"{LOCAL_COOKIE}={session_id}")]
    refused(client.get(RUNS, headers=twice), 401, "session-over")
    refused(client.get(RUNS, headers={"Cookie": f"x{LOCAL_COOKIE}={session_id}"}), 401, "unauthorized")


def test_guesses_are_throttled_and_other_credentials_of_the_client_are_not(client: httpx.Client) -> None:
    session_id = started(client)
    statuses = [
        client.get(RUNS, headers=by(f"{number:043}")).status_code for number in range(SIGN_IN_FAILURES.most + 1)
    ]
    assert statuses == [401] * SIGN_IN_FAILURES.most + [429]
    refused(client.get(RUNS, headers=by(session_id)), 429, "too-many-failures")
    assert client.get(RUNS, headers=BY_SECRET).status_code == 200


def test_a_session_that_expired_is_refused_and_is_no_failure_of_its_client(client: httpx.Client, site: Site) -> None:
    session_id, other = started(client), started(client)
    past = {"$set": {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}}
    site.database.sessions.update_one({"_id": hashlib.sha256(session_id.encode()).hexdigest()}, past)
    recorded = site.database.audit_log.count_documents({"action": "sign_in"})
    for _ in range(SIGN_IN_FAILURES.most + 1):
        refused(client.get(RUNS, headers=by(session_id)), 401, "session-over")
    assert site.database.audit_log.count_documents({"action": "sign_in"}) == recorded
    assert client.get(RUNS, headers=by(other)).status_code == 200


def test_a_session_is_never_valid_longer_than_its_token(client: httpx.Client, issuer: Issuer) -> None:
    ends = int(time.time()) + 5
    tokens = (jwt.encode({"sub": ZOE, "exp": ends}, KEY, "HS256"), issuer.token(issuer.claims(exp=ends)))
    sessions = [started(client, bearer(token)) for token in tokens]
    assert [client.get(RUNS, headers=by(session_id)).status_code for session_id in sessions] == [200, 200]
    time.sleep(max(0.0, ends - time.time()))
    # The tokens themselves are accepted for thirty seconds more, as clocks differ, but start no session.
    for session_id, token in zip(sessions, tokens, strict=True):
        refused(client.get(RUNS, headers=by(session_id)), 401, "session-over")
        refused(client.post(SESSION, headers=bearer(token)), 401, "unauthorized")


def test_a_long_token_makes_no_long_session(client: httpx.Client) -> None:
    answer = client.post(SESSION, headers=bearer(a_token(lasting=20 * 3600)))
    assert int(cookie_of(answer)["max-age"]) == LONGEST.total_seconds()


def test_a_session_of_a_user_who_is_no_administrator_any_more_is_forbidden(client: httpx.Client, site: Site) -> None:
    site.database.users.insert_one({"user_id": "session-xia", "is_admin": False})
    now = datetime.now(UTC)
    for number, (user, status) in enumerate({YAN: 200, "session-xia": 403, "nobody": 403}.items()):
        # As if started before: the app caches for half a minute that a user is an administrator.
        session_id = f"{number + 100:043}"
        stored = {
            "actor": user,
            "credential": "bearer",
            "credential_id": user,
            "proof": hmac.new(KEY.encode(), session_id.encode(), hashlib.sha256).hexdigest(),
            "created_at": now,
            "expires_at": now + timedelta(hours=1),
        }
        site.database.sessions.insert_one({"_id": hashlib.sha256(session_id.encode()).hexdigest(), **stored})
        assert client.get(RUNS, headers=by(session_id)).status_code == status


def test_a_document_that_nobody_proved_is_no_session(client: httpx.Client, site: Site) -> None:
    now = datetime.now(UTC)
    common: dict[str, Any] = {"actor": "eve", "created_at": now, "expires_at": now + timedelta(hours=1)}
    of_secret: dict[str, Any] = {"credential": "admin-secret", "credential_id": None}
    for number, made_up in enumerate(
        [
            of_secret | {"proof": None},
            of_secret | {"proof": "0" * 64},
            {"credential": "bearer", "credential_id": ZOE, "proof": "é"},
        ]
    ):
        session_id = f"{number:0>43}"
        digest = hashlib.sha256(session_id.encode()).hexdigest()
        site.database.sessions.insert_one({"_id": digest} | common | made_up)
        refused(client.get(RUNS, headers=by(session_id)), 401, "session-over")


def test_neither_the_database_nor_the_log_has_the_id(client: httpx.Client, site: Site) -> None:
    session_id = started(client)
    client.get(RUNS, headers=by(session_id))
    client.post(CHANGE, headers=by(session_id))
    client.delete(SESSION, headers=by(session_id) | of_page(client))
    other = started(client)
    stored = site.stored(other)
    assert stored is not None
    assert set(stored) == {"_id", "actor", "credential", "credential_id", "proof", "created_at", "expires_at"}
    kept = json.dumps([list(site.database[name].find()) for name in ("sessions", "audit_log")], default=str)
    printed = site.app.log.read_text() + "\n".join(site.app.output)
    assert not any(secret in text for secret in (session_id, other, SECRET) for text in (kept, printed))


def test_without_the_database_a_session_is_no_open_door(client: httpx.Client, site: Site) -> None:
    session_id = started(client)
    site.wire.close()
    site.wire.cut()
    try:
        refused(client.get(f"{BASE}/schedule", headers=by(session_id)), 503, "database-unavailable")
        answer = client.post(SESSION, headers=BY_SECRET)
        refused(answer, 503, "database-unavailable")
        assert "Set-Cookie" not in answer.headers
    finally:
        site.wire.open()
    eventually(lambda: client.get(f"{BASE}/schedule", headers=by(session_id)).status_code == 200)
