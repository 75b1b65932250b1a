"""Attacks with bearer tokens: of the existing backend (HS256), and of an OpenID issuer (RS256, ES256)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.auth import Admin, AuthenticationUnavailable, Forbidden, Unauthorized
from functions.tokens import MAX_TOKEN_BYTES
from settings import Settings
from stores.administrators import KEEP_SECONDS, AdministratorStore
from stores.mongo import DocumentDatabase
from stores.secrets import Secrets
from tests.clock import Clock
from tests.security.door import LOCAL, Door, a_door
from tests.security.issuer import AUDIENCE, KEY_SET, ROLE, Issuer, an_ec_key, an_issuer, an_rsa_key, public_jwk
from tests.vault import a_vault

KEY = "the key that the backend shares with this app"
ADMINISTRATOR, USER = "zoe-admin", "adam-user"
SECRET = "the admin secret"


@pytest.fixture(scope="module")
def running_issuer() -> Iterator[Issuer]:
    with an_issuer() as running:
        yield running


@pytest.fixture
def issuer(running_issuer: Issuer) -> Iterator[Issuer]:
    before = dict(running_issuer.keys)
    yield running_issuer
    running_issuer.keys = before
    running_issuer.answers.clear()
    running_issuer.asked.clear()


@pytest.fixture
def door(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Door:
    environment = {
        "ADMIN_SECRET": SECRET,
        "JWT_SECRET": KEY,
        "OIDC_ISSUER": issuer.url,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_ADMIN_ROLE": ROLE,
    }
    return a_door(monkeypatch, environment, is_administrator=lambda user: user == ADMINISTRATOR)


def claims(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - any claim; None leaves one out
    now = int(time.time())
    all_claims = {"sub": ADMINISTRATOR, "iat": now, "exp": now + 600} | changed
    return {name: value for name, value in all_claims.items() if value is not None}


def backend_token(key: str = KEY, headers: dict[str, Any] | None = None, **changed: Any) -> str:  # noqa: ANN401 - any claim
    return handmade({"alg": "HS256", "typ": "JWT"} | (headers or {}), claims(**changed), key.encode())


def handmade(header: object, payload: object, key: bytes = b"") -> str:
    """Make a token of anything, also of what no library would sign."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    content = ".".join(map(segment, parts))
    return f"{content}.{segment(hmac.digest(key, content.encode(), hashlib.sha256))}"


def signed(issuer: Issuer, payload: object, kid: str = "rsa-1") -> str:
    """Make a token of the issuer's of anything."""
    algorithm = "RS256" if kid == "rsa-1" else "ES256"
    return jwt.PyJWS().encode(json.dumps(payload).encode(), issuer.keys[kid], algorithm, {"kid": kid})


def segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def refused(door: Door, token: str) -> None:
    with pytest.raises(Unauthorized):
        door.with_token(token)


# What is accepted


def test_a_token_of_the_backend_lets_an_administrator_in_as_themselves(door: Door) -> None:
    assert door.with_token(backend_token()) == Admin(ADMINISTRATOR, "bearer", ADMINISTRATOR)


@pytest.mark.parametrize("kid", ["rsa-1", "ec-1"])
def test_a_token_of_the_issuer_with_the_role_lets_its_bearer_in(door: Door, issuer: Issuer, kid: str) -> None:
    assert door.with_token(issuer.token(kid=kid)) == Admin(issuer.claims()["oid"], "bearer", "subject-1")


def test_without_an_object_id_the_subject_acts(door: Door, issuer: Issuer) -> None:
    assert door.with_token(issuer.token(issuer.claims(oid=None))).actor == "subject-1"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_known_in_any_case(door: Door, scheme: str) -> None:
    assert door.enter({"authorization": f"{scheme} {backend_token()}"}).actor == ADMINISTRATOR


def test_clocks_may_differ_by_half_a_minute(door: Door) -> None:
    now = int(time.time())
    door.with_token(backend_token(exp=now - 5, iat=now + 5, nbf=now + 5))


# Signatures and algorithms


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, 0, [], {}, ["HS256"]])
@pytest.mark.parametrize("signature", ["", "x", "AAAA"])
def test_alg_none_is_refused(door: Door, algorithm: object, signature: str) -> None:
    unsigned = handmade({"alg": algorithm}, claims()).rpartition(".")[0]
    refused(door, f"{unsigned}.{signature}")


def test_a_header_without_alg_is_refused(door: Door) -> None:
    refused(door, handmade({"typ": "JWT"}, claims(), KEY.encode()))


def test_the_last_of_two_algs_is_the_one_that_counts_for_everybody(door: Door) -> None:
    refused(door, handmade(b'{"alg":"HS256","alg":"none"}', claims(), KEY.encode()))
    door.with_token(handmade(b'{"alg":"none","alg":"HS256"}', claims(), KEY.encode()))


@pytest.mark.parametrize(
    "algorithm", ["HS384", "HS512", "RS384", "RS512", "PS256", "ES384", "ES256K", "EdDSA", "hs256"]
)
def test_any_other_algorithm_is_refused(door: Door, algorithm: str) -> None:
    refused(door, handmade({"alg": algorithm, "kid": "rsa-1"}, claims(), KEY.encode()))


@pytest.mark.parametrize("kid", ["rsa-1", "ec-1"])
def test_hs256_signed_with_the_issuers_public_key_is_refused(door: Door, issuer: Issuer, kid: str) -> None:
    public = issuer.keys[kid].public_key()
    forms = [(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]
    known = [public.public_bytes(*form) for form in forms] + [json.dumps(public_jwk(issuer.keys[kid], kid)).encode()]
    for key in known:
        refused(door, handmade({"alg": "HS256", "kid": kid}, issuer.claims(sub=ADMINISTRATOR), key))


def test_rs256_and_es256_do_not_stand_for_each_other(door: Door, issuer: Issuer) -> None:
    refused(door, issuer.token(kid="ec-1", key=issuer.keys["rsa-1"]))
    refused(door, issuer.token(kid="rsa-1", key=issuer.keys["ec-1"]))


def test_a_key_of_the_backend_proves_nothing_about_the_issuer(door: Door, issuer: Issuer) -> None:
    refused(door, handmade({"alg": "RS256", "kid": "rsa-1"}, issuer.claims(), KEY.encode()))


def test_the_library_is_told_one_algorithm_at_a_time(
    door: Door, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[str]] = []
    decode = jwt.decode

    def noting(token: str, key: Any, **named: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on
        told.append(named["algorithms"])
        return decode(token, key, **named)

    monkeypatch.setattr("jwt.decode", noting)
    for token in (backend_token(), issuer.token(kid="rsa-1"), issuer.token(kid="ec-1")):
        door.with_token(token)
    assert told == [["HS256"], ["RS256"], ["ES256"]]


@pytest.mark.parametrize("key", ["", "x", KEY[:-1], KEY + " ", KEY.upper(), "secret"])
def test_another_key_is_refused(door: Door, key: str) -> None:
    refused(door, backend_token(key))


@pytest.mark.parametrize("kid", ["rsa-1", "ec-1"])
def test_a_key_of_the_attackers_own_is_refused(door: Door, issuer: Issuer, kid: str) -> None:
    key = an_rsa_key() if kid == "rsa-1" else an_ec_key()
    refused(door, issuer.token(kid=kid, key=key))


def test_an_elliptic_signature_of_zeros_is_refused(door: Door, issuer: Issuer) -> None:
    signed = issuer.token(kid="ec-1").rpartition(".")[0]
    refused(door, f"{signed}.{segment(bytes(64))}")


@pytest.mark.parametrize("kid", ["rsa-1", "ec-1", "backend"])
def test_claims_that_were_changed_after_signing_are_refused(door: Door, issuer: Issuer, kid: str) -> None:
    token = backend_token() if kid == "backend" else issuer.token(kid=kid)
    header, payload, signature = token.split(".")
    changed = json.loads(base64.urlsafe_b64decode(payload + "==")) | {"exp": int(time.time()) + 86_400}
    refused(door, f"{header}.{segment(json.dumps(changed).encode())}.{signature}")


# Key ids and keys that the token brings along

KIDS: list[Any] = [
    "unknown",
    "",
    "../../dev/null",
    "/dev/null",
    "file:///dev/null",
    "' UNION SELECT 'key' --",
    "rsa-1' OR '1'='1",
    "rsa-1; rm -rf /",
    "RSA-1",
    "rsa-1\0",
    "rsa-1\n",
    "\ud800",
    "k" * 4_000,
    {"$gt": ""},
    ["rsa-1"],
    7,
    None,
    True,
]


@pytest.mark.parametrize("kid", KIDS, ids=lambda kid: repr(kid)[:30])
def test_a_wrong_key_id_is_refused(door: Door, issuer: Issuer, kid: object) -> None:
    for algorithm in ("RS256", "ES256"):
        refused(door, handmade({"alg": algorithm, "kid": kid}, issuer.claims(), KEY.encode()))
    refused(door, handmade({"alg": "HS256", "kid": kid}, claims(), b""))


def test_a_token_without_key_id_is_refused(door: Door, issuer: Issuer) -> None:
    refused(door, jwt.encode(issuer.claims(), issuer.keys["rsa-1"], "RS256"))


@pytest.mark.parametrize("member", ["jku", "x5u", "jwk", "x5c"])
@pytest.mark.parametrize("kid", ["rsa-1", "attacker"])
def test_keys_that_a_token_points_to_are_never_fetched_nor_used(
    door: Door, issuer: Issuer, member: str, kid: str
) -> None:
    with an_issuer() as attacker:
        attacker.keys = {kid: an_rsa_key()}
        brought = {
            "jku": f"{attacker.url.removesuffix('/tenant')}{KEY_SET}",
            "x5u": f"{attacker.url}/certificate",
            "jwk": public_jwk(attacker.keys[kid], kid),
            "x5c": ["MIIB"],
        }
        refused(door, attacker.token(issuer.claims(), kid=kid, headers={member: brought[member]}))
        assert attacker.asked == []


def test_an_issuer_that_a_token_names_is_never_asked(door: Door) -> None:
    with an_issuer() as attacker:
        refused(door, attacker.token())
        assert attacker.asked == []


@pytest.mark.parametrize("critical", [["exp"], ["b64"], [], "exp", None])
def test_what_the_token_calls_critical_is_refused(door: Door, critical: object) -> None:
    refused(door, backend_token(headers={"crit": critical}))
    refused(door, backend_token(headers={"crit": critical, "b64": False}))
    refused(door, backend_token(headers={"crit": critical, "b64": True}))


# Claims

NOW = int(time.time())
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 3_600},
    "without expiry": {"exp": None},
    "expiry as text": {"exp": "tomorrow"},
    "expiry as a list": {"exp": [NOW + 600]},
    "expiry that is no number": {"exp": float("nan")},
    "not yet valid": {"nbf": NOW + 3_600},
    "nbf as text": {"nbf": "yesterday"},
    "nbf beyond all": {"nbf": float("inf")},
    "issued in the future": {"iat": NOW + 3_600},
    "without subject": {"sub": None},
}
OPERATORS: list[Any] = [
    {"$gt": ""},
    {"$ne": None},
    {"$regex": ".*"},
    {"$where": "1"},
    [ADMINISTRATOR],
    [{"$gt": ""}],
    [],
    {},
    7,
    0,
    1.5,
    True,
    "",
    "$gt",
    '{"$gt": ""}',
    "../zoe-admin",
    "zoe-admin\0",
    "zoe-admin\n",
    "zoe admin",
    "\ud800",
    "u" * 129,
]


@pytest.mark.parametrize("changed", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
def test_a_claim_that_is_not_good_is_refused_whoever_signed_it(
    door: Door, issuer: Issuer, changed: dict[str, Any]
) -> None:
    refused(door, backend_token(**changed))
    for kid in ("rsa-1", "ec-1"):
        refused(door, signed(issuer, issuer.claims(**changed), kid))


@pytest.mark.parametrize("subject", OPERATORS, ids=lambda subject: repr(subject)[:30])
def test_a_subject_that_is_no_id_is_refused_and_never_reaches_a_query(
    monkeypatch: pytest.MonkeyPatch, subject: object
) -> None:
    def never(_: str) -> bool:
        pytest.fail("it was looked up")

    door = a_door(monkeypatch, {"JWT_SECRET": KEY}, is_administrator=never)
    refused(door, backend_token(sub=subject))


@pytest.mark.parametrize("claim", ["sub", "oid"])
@pytest.mark.parametrize("value", OPERATORS, ids=lambda value: repr(value)[:30])
def test_a_name_of_the_issuers_that_is_no_id_is_refused(door: Door, issuer: Issuer, claim: str, value: object) -> None:
    refused(door, signed(issuer, issuer.claims() | {claim: value}))


@pytest.mark.parametrize(
    "issued_by", ["https://another.example", "", None, "ISSUER/", "ISSUER ", ["ISSUER"], {"$gt": ""}]
)
def test_the_wrong_issuer_is_refused(door: Door, issuer: Issuer, issued_by: Any) -> None:  # noqa: ANN401 - any claim
    named = json.loads(json.dumps(issued_by).replace("ISSUER", issuer.url))
    refused(door, signed(issuer, issuer.claims(iss=named)))


@pytest.mark.parametrize(
    "audience",
    ["api://another", "", None, AUDIENCE + "/", AUDIENCE.upper(), [AUDIENCE, "api://another"], [], {"$gt": ""}],
)
def test_the_wrong_audience_is_refused_and_so_is_one_of_several(door: Door, issuer: Issuer, audience: Any) -> None:  # noqa: ANN401 - any claim
    refused(door, issuer.token(issuer.claims(aud=audience)))


@pytest.mark.parametrize(
    "roles",
    [None, [], ["Portfolio.Reader"], ROLE, f"{ROLE} other", {ROLE: True}, [ROLE.lower()], [[ROLE]], [None], True],
)
def test_a_valid_token_without_the_role_is_forbidden(door: Door, issuer: Issuer, roles: Any) -> None:  # noqa: ANN401 - any claim
    with pytest.raises(Forbidden):
        door.with_token(issuer.token(issuer.claims(roles=roles)))


@pytest.mark.parametrize("claim", ["scp", "groups", "wids", "is_admin", "role"])
def test_no_other_claim_makes_an_administrator(door: Door, issuer: Issuer, claim: str) -> None:
    with pytest.raises(Forbidden):
        door.with_token(issuer.token(issuer.claims(roles=None, **{claim: [ROLE]})))
    others: dict[str, Any] = {claim: True, "roles": [ROLE]}
    with pytest.raises(Forbidden):
        door.with_token(backend_token(sub=USER, **others))


def test_the_backends_issuer_and_audience_are_checked_where_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"JWT_SECRET": KEY, "JWT_ISSUER": "backend", "JWT_AUDIENCE": "admin"}
    door = a_door(monkeypatch, environment, is_administrator=lambda _: True)
    assert door.with_token(backend_token(iss="backend", aud="admin")).actor == ADMINISTRATOR
    all_wrong: list[dict[str, Any]] = [
        {"iss": "other", "aud": "admin"},
        {"iss": "backend", "aud": "reset-password"},
        {"iss": "backend"},
        {"aud": "admin"},
        {},
    ]
    for wrong in all_wrong:
        refused(door, backend_token(**wrong))


# Users


@pytest.fixture
def door_with_users(database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch) -> Door:
    database.users.insert_many([{"user_id": ADMINISTRATOR, "is_admin": True}, {"user_id": USER, "is_admin": False}])
    clock = Clock()
    is_administrator = AdministratorStore(database, clock).is_administrator
    return a_door(monkeypatch, {"JWT_SECRET": KEY}, is_administrator=is_administrator, clock=clock)


def test_a_user_who_is_no_administrator_is_forbidden(door_with_users: Door) -> None:
    with pytest.raises(Forbidden):
        door_with_users.with_token(backend_token(sub=USER))


@pytest.mark.parametrize(
    "change", [{"$set": {"is_admin": False}}, {"$unset": {"is_admin": ""}}, {"$set": {"is_active": False}}], ids=str
)
def test_a_withdrawn_flag_shuts_the_door_on_a_token_that_is_still_valid(
    door_with_users: Door, database: DocumentDatabase, change: dict[str, Any]
) -> None:
    token = backend_token()
    door_with_users.with_token(token)
    database.users.update_one({"user_id": ADMINISTRATOR}, change)
    door_with_users.clock.advance(KEEP_SECONDS + 1)
    with pytest.raises(Forbidden):
        door_with_users.with_token(token)


def test_the_token_of_a_deleted_user_is_forbidden(door_with_users: Door, database: DocumentDatabase) -> None:
    token = backend_token()
    door_with_users.with_token(token)
    database.users.delete_one({"user_id": ADMINISTRATOR})
    door_with_users.clock.advance(KEEP_SECONDS + 1)
    with pytest.raises(Forbidden):
        door_with_users.with_token(token)


# Forms


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_truncated_token_is_refused(door: Door, issuer: Issuer, part: int) -> None:
    for token in (backend_token(), issuer.token(), issuer.token(kid="ec-1")):
        parts = token.split(".")
        for length in (0, 1, len(parts[part]) // 2, len(parts[part]) - 1):
            refused(door, ".".join([*parts[:part], parts[part][:length], *parts[part + 1 :]]))
        refused(door, token.rpartition(".")[0])
        refused(door, token.partition(".")[0])


@pytest.mark.parametrize(
    "change",
    [
        "{} ", "{}\0", "\0{}", "{}.", ".{}", "{}.e30", "{}=", "{}==", "{}\r\nX-Admin-Secret: " + SECRET, "{}\n",
        "{},{}", "{}, Bearer {}", "{} {}", "{}é", '"{}"', "Bearer {}", "{}%00", "{}?", "{}/", "{}+",
    ],
)  # fmt: skip
def test_a_token_with_anything_around_it_is_refused(door: Door, change: str) -> None:
    refused(door, change.replace("{}", backend_token()))


def test_a_megabyte_is_refused_before_anything_is_parsed(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        pytest.fail("it was parsed")

    monkeypatch.setattr("jwt.get_unverified_header", never)
    header, payload, signature = backend_token().split(".")
    refused(door, f"{header}.{'A' * 1_048_576}.{signature}")
    refused(door, f"{header}.{payload}.{'A' * MAX_TOKEN_BYTES}")
    refused(door, "A" * 1_048_576)


def test_a_token_of_just_the_size_that_is_allowed_is_read(door: Door) -> None:
    short = backend_token(padding="")
    longest = backend_token(padding="x" * ((MAX_TOKEN_BYTES - len(short)) * 3 // 4 - 2))
    assert MAX_TOKEN_BYTES - 8 < len(longest) <= MAX_TOKEN_BYTES
    door.with_token(longest)
    refused(door, backend_token(padding="x" * ((MAX_TOKEN_BYTES - len(short)) * 3 // 4 + 4)))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"7", b'"text"', b"\xff\xfe", b"[" * 5_000, b'{"a":' * 1_000, b"1" * 5_000, b"NaN"],
)
def test_what_is_no_json_object_is_refused_as_header_and_as_claims(door: Door, content: bytes) -> None:
    refused(door, handmade(content, claims(), KEY.encode()))
    refused(door, handmade({"alg": "HS256"}, content, KEY.encode()))


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Digest x",
        "Token {}",
        "{}",
        "Bearer\t{}",
        "Bearer:{}",
        "Bearer{}",
        "Bearer {} x",
    ],
)
def test_authorization_that_is_no_bearer_token_is_refused(door: Door, authorization: str) -> None:
    with pytest.raises(Unauthorized):
        door.enter({"Authorization": authorization.replace("{}", backend_token())})


@pytest.mark.parametrize("name", ["access_token", "token", "Authorization", "bearer", "code"])
def test_a_token_in_the_query_string_is_refused(door: Door, name: str) -> None:
    with pytest.raises(Unauthorized):
        door.enter(query={name: backend_token()})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.text(max_size=300) | st.binary(max_size=200).map(segment))
def test_no_text_at_all_does_anything_else_than_be_refused(door: Door, text: str) -> None:
    refused(door, text)
    refused(door, f"{segment(b'{"alg":"HS256"}')}.{segment(text.encode('utf-8', 'surrogatepass'))}.{segment(b'x')}")
    refused(door, f"{segment(text.encode('utf-8', 'surrogatepass'))}.e30.e30")
    refused(door, handmade({"alg": "HS256"}, text, KEY.encode()))


# Two credentials at once: the secret decides


def test_a_right_secret_with_a_wrong_token_is_let_in_by_the_secret(door: Door) -> None:
    assert door.enter({"X-Admin-Secret": SECRET, "Authorization": "Bearer x"}).credential == "admin-secret"


@pytest.mark.parametrize("wrong", ["", "wrong", f"{SECRET},{SECRET}"])
def test_a_wrong_secret_with_a_right_token_is_refused(door: Door, wrong: str) -> None:
    with pytest.raises(Unauthorized):
        door.enter({"X-Admin-Secret": wrong, "Authorization": f"Bearer {backend_token()}"})


# Keys that are replaced, and what cannot be reached


def test_the_issuer_replaces_its_keys_and_no_token_is_refused(door: Door, issuer: Issuer) -> None:
    old = issuer.token()
    door.with_token(old)
    issuer.keys["rsa-2"] = an_rsa_key()
    door.with_token(issuer.token(kid="rsa-2"))
    door.with_token(old)
    del issuer.keys["rsa-1"]
    door.clock.advance(301)
    refused(door, old)


def test_the_backends_key_is_replaced_and_no_token_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with a_vault(tmp_path) as vault:
        known = Secrets(Settings.from_environment(LOCAL | {"KEY_VAULT_URL": vault.url}), vault.client)
        door = a_door(monkeypatch, {"KEY_VAULT_URL": vault.url}, is_administrator=lambda _: True, secrets=known)
        vault.put("jwt-secret", KEY)
        door.with_token(backend_token())
        vault.put("jwt-secret", KEY[::-1])
        door.with_token(backend_token(KEY[::-1]))
        door.with_token(backend_token())
        vault.put("jwt-secret", KEY * 2)
        asked = len(vault.asked)
        for _ in range(100):
            refused(door, backend_token("x" * 40))
        assert len(vault.asked) - asked <= 2


def test_a_vault_that_is_away_is_no_refusal_and_no_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with a_vault(tmp_path) as vault:
        known = Secrets(Settings.from_environment(LOCAL | {"KEY_VAULT_URL": vault.url}), vault.client)
        door = a_door(monkeypatch, {"KEY_VAULT_URL": vault.url}, is_administrator=lambda _: True, secrets=known)
        vault.failing_with = 503
        with pytest.raises(AuthenticationUnavailable):
            door.with_token(backend_token())


def test_an_issuer_that_is_away_is_no_refusal_and_no_entry(door: Door, issuer: Issuer) -> None:
    issuer.answers[KEY_SET] = 500, b"", {}
    with pytest.raises(AuthenticationUnavailable):
        door.with_token(issuer.token())


def test_an_issuer_that_is_away_later_is_bridged_for_an_hour(door: Door, issuer: Issuer) -> None:
    token = issuer.token(issuer.claims())
    door.with_token(token)
    issuer.answers[KEY_SET] = 500, b"", {}
    door.clock.advance(3_599)
    door.with_token(token)
    door.clock.advance(2)
    with pytest.raises(AuthenticationUnavailable):
        door.with_token(token)


def test_unknown_keys_cost_the_issuer_little(door: Door, issuer: Issuer) -> None:
    door.with_token(issuer.token())
    issuer.asked.clear()
    for number in range(100):
        refused(door, issuer.token(kid=f"guess-{number}", key=issuer.keys["rsa-1"]))
    assert issuer.asked.count(KEY_SET) == 1


def test_where_tokens_are_not_in_use_they_open_nothing(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    door = a_door(monkeypatch, {"ADMIN_SECRET": SECRET}, is_administrator=lambda _: True)
    refused(door, backend_token())
    refused(door, backend_token(""))
    refused(door, backend_token("None"))
    refused(door, issuer.token())
    assert issuer.asked == []


def test_no_refusal_shows_a_token_or_a_key(door: Door, issuer: Issuer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    shown = repr(Settings.from_environment(LOCAL | {"JWT_SECRET": KEY}))
    tokens = [backend_token("x" * 40), issuer.token(kid="rsa-1", key=an_rsa_key()), backend_token(exp=1)]
    for token in tokens:
        with pytest.raises(Unauthorized) as caught:
            door.with_token(token)
        shown += f"{caught.value!r} {caught.value.__cause__!r}"
    shown += caplog.text
    assert KEY not in shown
    assert not any(part in shown for token in tokens for part in token.split("."))


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_on_a_laptop_a_short_key_of_the_backend_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    door = a_door(monkeypatch, {"JWT_SECRET": "short"}, is_administrator=lambda user_id: user_id == ADMINISTRATOR)
    assert door.with_token(backend_token(key="short")).actor == ADMINISTRATOR
    refused(door, backend_token(key="other"))
