"""A person's own reports over HTTP: what is answered, and that nothing leads to anybody else's."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pymongo import MongoClient

from functions.access.throttling import REQUESTS
from functions.http.accepting import XLSX
from tests.end_to_end.app import BASE, BEHIND_TWO_PROXIES, SECRET, App, running_app
from tests.security.issuer import AUDIENCE, ROLE, Issuer, an_issuer
from tests.security.tokens import handmade, segment

KEY = "the key that the backend shares with this app"
FILES = {"report.csv": "text/csv", "report.xlsx": XLSX, "report.pdf": "application/pdf", "report.html": "text/html"}
DOCUMENTS = ("report", "series", "returns", "income", "gains", *FILES)
ADA, BEN = "ada-allrounder", "ben-bluechip"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with an_issuer() as running:
        yield running


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[App]:
    oidc = {"OIDC_ISSUER": issuer.url, "OIDC_AUDIENCE": AUDIENCE, "OIDC_ADMIN_ROLE": ROLE}
    with running_app(
        tmp_path_factory.mktemp("app"), JWT_SECRET=KEY, ME_API="1", **oidc, **BEHIND_TWO_PROXIES
    ) as running:
        yield running


@pytest.fixture(scope="module")
def person(app: App) -> str:
    """Return the id of a person with a ledger."""
    with MongoClient[dict[str, Any]](app.printed("MongoDB at ")) as client:
        traded = client["portfolio"]["transactions"].distinct("user_id")
    return str(min(traded))


@pytest.fixture(scope="module")
def night(app: App) -> dict[str, Any]:
    return app.run()


def token(subject: object = ADA, key: str = KEY, **changed: Any) -> dict[str, str]:  # noqa: ANN401 - any claim
    now = int(time.time())
    claims = {"sub": subject, "iat": now, "exp": now + 600} | changed
    encoded = jwt.api_jws.encode(jwt.PyJWT()._encode_payload(claims), key, "HS256", {"typ": "JWT"})  # noqa: SLF001 - PyJWT refuses to sign what it would refuse to read
    return {"Authorization": f"Bearer {encoded}"}


def get(app: App, path: str, headers: dict[str, str], **query: str) -> httpx.Response:
    with app.stranger() as client:
        return client.get(f"/api/me/{path}", headers=headers, params=query)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_each_document_is_the_administrators_of_the_same_person_and_night(
    app: App, night: dict[str, Any], person: str, document: str
) -> None:
    path = f"{BASE}/analysis-runs/{night['run_id']}/portfolios/{person}"
    kind = FILES.get(document, "application/json")
    of_report = document == "report" or document in FILES
    known = app.client.get(path if of_report else f"{path}/{document}", headers={"Accept": kind})
    assert known.status_code == 200, known.text
    for query in ({}, {"run_id": night["run_id"]}):
        own = get(app, document, token(person), **query)
        assert (own.status_code, own.content) == (200, known.content)
        assert own.headers["Content-Type"].partition(";")[0] == kind


def test_answers_are_private_and_not_sent_again_if_the_caller_has_them(
    app: App, night: dict[str, Any], person: str
) -> None:
    assert night["status"] == "completed_with_errors"
    answer = get(app, "report", token(person))
    assert answer.headers["Cache-Control"] == "private"
    assert "Authorization" in answer.headers["Vary"]
    again = get(app, "report", token(person) | {"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert get(app, "report", token(BEN) | {"If-None-Match": answer.headers["ETag"]}).status_code == 200


def test_a_run_for_an_earlier_date_or_of_some_users_or_a_dry_one_is_not_the_newest_night(
    app: App, night: dict[str, Any], person: str
) -> None:
    for body in ({"as_of": "2019-03-01"}, {"user_ids": [person]}, {"dry_run": True}):
        run = app.run(**body)
        assert run["status"].startswith("completed")
        assert get(app, "report", token(person)).json()["run_id"] == night["run_id"]
    assert get(app, "report", token(person), run_id=run["run_id"]).status_code == 404  # the dry one


def test_where_there_is_no_report_and_in_a_run_without_the_person_the_answer_is_the_same(
    app: App, night: dict[str, Any]
) -> None:
    other = app.run(user_ids=[BEN])
    unknown = get(app, "report", token(), run_id="run_20200101_000000_abcd")
    without = get(app, "report", token(), run_id=other["run_id"])
    nobody = get(app, "report", token("nobody-at-all"), run_id=night["run_id"])
    assert unknown.status_code == without.status_code == nobody.status_code == 404
    assert unknown.content == without.content == nobody.content


ATTACKS = {
    "another's id in the query": ({"user_id": BEN}, {}, 422),
    "another's id as a cursor": ({"after": BEN}, {}, 422),
    "a path for a run": ({"run_id": f"../{BEN}"}, {}, 422),
    "a query object for a run": ({"run_id[$ne]": "x"}, {}, 422),
    "the token in the query": ({"access_token": "x"}, {"Authorization": ""}, 401),
    "no token": ({}, {"Authorization": ""}, 401),
    "the admin secret alone": ({}, {"Authorization": "", "X-Admin-Secret": SECRET}, 401),
    "the admin secret as a token": ({}, {"Authorization": f"Bearer {SECRET}"}, 401),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("document", DOCUMENTS)
def test_nothing_in_a_request_leads_to_anybody_else(
    app: App, night: dict[str, Any], document: str, attack: str
) -> None:
    assert night["users_analyzed"] > 0
    query, headers, status = ATTACKS[attack]
    answer = get(app, document, token() | headers, **query)
    assert answer.status_code == status, answer.text
    assert BEN not in answer.text.replace(str(query), "")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_an_id_in_the_path_or_in_a_body_leads_to_nobody(app: App, night: dict[str, Any], document: str) -> None:
    assert night["users_analyzed"] > 0
    path, body = f"/api/me/{document}", {"user_id": ADA}
    with app.stranger() as client:
        for beside in (f"{path}/{ADA}", f"/api/me/{ADA}/{document}", f"/api/me/portfolios/{ADA}/{document}"):
            assert client.get(beside, headers=token(BEN)).status_code == 404
        own = client.get(path, headers=token(BEN))
        with_body = client.request("GET", path, headers=token(BEN), json=body)
        assert (with_body.status_code, with_body.content) == (own.status_code, own.content)
        assert client.post(path, headers=token(BEN), json=body).status_code == 405


def test_the_admin_secret_beside_a_token_changes_nothing(app: App, night: dict[str, Any], person: str) -> None:
    answer = get(app, "report", token(person) | {"X-Admin-Secret": SECRET})
    assert (answer.status_code, answer.json()["user_id"], answer.json()["run_id"]) == (200, person, night["run_id"])


FORGED: dict[str, Callable[[], dict[str, str]]] = {
    "of another key": lambda: token(key="another key of enough bytes for HS256"),
    "expired": lambda: token(exp=int(time.time()) - 3600, iat=int(time.time()) - 7200),
    "without an end": lambda: token(exp=None),
    "for years": lambda: token(exp=int(time.time()) + 10**8),
    "unsigned": lambda: {
        "Authorization": f"Bearer {segment(b'{"alg":"none"}')}.{segment(b'{"sub":"ben-bluechip","exp":9999999999}')}."
    },
    "of a number": lambda: token(42),
    "of a list": lambda: token([BEN]),
    "of nobody": lambda: token(""),
    "without a subject": lambda: token(None),
}
"""Each is made when it is sent: one that has expired meanwhile is refused for that alone."""


@pytest.mark.parametrize("name", FORGED)
def test_a_token_that_is_not_valid_opens_nothing(app: App, name: str) -> None:
    answer = get(app, "report", FORGED[name]())
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("kid", ["rsa-1", "ec-1"])
def test_a_token_signed_with_the_issuers_public_key_opens_nothing(app: App, issuer: Issuer, kid: str) -> None:
    key = issuer.keys[kid].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = handmade({"alg": "HS256", "kid": kid}, issuer.claims(sub=BEN), key)
    assert get(app, "report", {"Authorization": f"Bearer {forged}"}).status_code == 401


@pytest.mark.parametrize(
    "subject", [f"{ADA}\n", f" {ADA}", ADA.upper(), '{"$ne": null}', "../ben-bluechip", "a" * 10_000]
)
def test_a_subject_that_is_nobodys_id_is_nobody(app: App, night: dict[str, Any], subject: str) -> None:
    assert night["users_analyzed"] > 0
    assert get(app, "report", token(subject)).status_code in (401, 404)


def test_a_token_of_the_issuer_is_signed_in_by_its_subject(app: App, night: dict[str, Any], issuer: Issuer) -> None:
    assert night["users_analyzed"] > 0
    headers = {"Authorization": f"Bearer {issuer.token(issuer.claims(sub=BEN, oid=ADA, roles=[]))}"}
    assert get(app, "report", headers).json()["user_id"] == BEN


def test_a_persons_token_opens_no_route_of_administrators(app: App, night: dict[str, Any]) -> None:
    with app.stranger() as client:
        path = f"{BASE}/analysis-runs/{night['run_id']}/portfolios/{ADA}"
        assert client.get(path, headers=token(ADA)).status_code == 403


def test_an_inactive_person_is_refused(app: App, night: dict[str, Any], person: str) -> None:
    with MongoClient[dict[str, Any]](app.printed("MongoDB at ")) as client:
        users = client["portfolio"]["users"]
        users.insert_one({"user_id": "left-us", "is_active": False})
        users.update_one({"user_id": person}, {"$set": {"is_active": False}})
        try:
            for name in ("left-us", person):
                answer = get(app, "report", token(name), run_id=night["run_id"])
                assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (403, "inactive")
        finally:
            users.update_one({"user_id": person}, {"$unset": {"is_active": True}})


def test_a_retry_replaces_the_failed_report_of_the_night_and_one_that_fails_no_other(app: App) -> None:
    with MongoClient[dict[str, Any]](app.printed("MongoDB at ")) as client:
        accounts = client["portfolio"]["accounts"]
        before = accounts.find_one({"user_id": BEN})
        accounts.update_one({"user_id": BEN}, {"$set": {"cash": "plenty"}}, upsert=True)
        night = app.run()
        assert get(app, "report", token(BEN)).json()["status"] == "failed"
        accounts.delete_one({"user_id": BEN})
        if before is not None:
            accounts.insert_one(before)
        retry = retried(app, night)
        replaced = get(app, "report", token(BEN)).json()
        assert (replaced["status"], replaced["run_id"]) == ("analyzed", retry["run_id"])
        assert get(app, "report", token(ADA)).json()["run_id"] == night["run_id"]
        accounts.update_one({"user_id": BEN}, {"$set": {"cash": "plenty"}}, upsert=True)
        again = retried(app, night)
        accounts.delete_one({"user_id": BEN})
        if before is not None:
            accounts.insert_one(before)
    assert get(app, "report", token(BEN), run_id=again["run_id"]).json()["status"] == "failed"
    assert get(app, "report", token(BEN)).json() == replaced


def retried(app: App, run: dict[str, Any]) -> dict[str, Any]:
    """Retry the failed users of a run, and wait for the end."""
    answer = app.client.post(f"{BASE}/analysis-runs/{run['run_id']}/retry")
    return app.wait(answer.json()["run_id"])


def test_a_person_may_send_so_many_requests_a_minute_and_others_are_not_affected(app: App, person: str) -> None:
    statuses = [get(app, "income", token("busy-one")).status_code for _ in range(REQUESTS.most + 1)]
    assert statuses == [404] * REQUESTS.most + [429]
    refused = get(app, "income", token("busy-one"))
    assert 0 < int(refused.headers["Retry-After"]) <= REQUESTS.seconds
    assert get(app, "income", token(person)).status_code != 429


def test_a_person_is_the_subject_of_the_configured_claim(tmp_path_factory: pytest.TempPathFactory) -> None:
    claim = "https://backend.example/user"
    with running_app(tmp_path_factory.mktemp("claim"), JWT_SECRET=KEY, ME_API="1", ME_SUBJECT_CLAIM=claim) as app:
        with MongoClient[dict[str, Any]](app.printed("MongoDB at ")) as client:
            client["portfolio"]["users"].insert_one({"user_id": "left-us", "is_active": False})
        tokens: dict[tuple[str, Any], int] = {
            (ADA, "left-us"): 403,  # the subject of both is known by the answer: who is not active is refused
            ("left-us", ADA): 404,
            (ADA, None): 401,
            (ADA, ""): 401,
            (ADA, 42): 401,
        }
        for (subject, person), status in tokens.items():
            assert get(app, "report", token(subject, **{claim: person})).status_code == status
        without_subject = jwt.encode({claim: "left-us", "exp": int(time.time()) + 600}, KEY, "HS256")
        assert get(app, "report", {"Authorization": f"Bearer {without_subject}"}).status_code == 403


def test_the_routes_do_not_exist_unless_they_are_switched_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running_app(tmp_path_factory.mktemp("off"), JWT_SECRET=KEY) as off:
        assert [get(off, document, token()).status_code for document in DOCUMENTS] == [404] * len(DOCUMENTS)
