"""Claims of bearer tokens: times, issuer, audience and names."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from credentials.secrets import Secrets
from functions.access.administrators import Admin
from settings import Settings
from tests.security.door import LOCAL, Door, a_door
from tests.security.issuer import AUDIENCE, Issuer
from tests.security.tokens import ADMINISTRATOR, KEY, backend_token, refused, signed
from tests.vault import a_vault


def test_clocks_may_differ_by_half_a_minute(door: Door) -> None:
    now = int(time.time())
    door.with_token(backend_token(exp=now - 5, iat=now + 5, nbf=now + 5))


NOW = int(time.time())
WRONG_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 3_600},
    "without expiry": {"exp": None},
    "expiry as text": {"exp": "tomorrow"},
    "expiry as a number in text": {"exp": str(NOW + 600)},
    "time of issue as a number in text": {"iat": str(NOW)},
    "expiry as a list": {"exp": [NOW + 600]},
    "expiry that is no number": {"exp": float("nan")},
    "not yet valid": {"nbf": NOW + 3_600},
    "nbf as text": {"nbf": "yesterday"},
    "nbf beyond all": {"nbf": float("inf")},
    "issued in the future": {"iat": NOW + 3_600},
    "without subject": {"sub": None},
    "valid for more than a day": {"exp": NOW + 2 * 86_400},
    "valid for more than a day since it was issued": {"iat": NOW - 86_400, "exp": NOW + 600},
    "valid for years from an unknown time": {"iat": None, "exp": NOW + 10**8},
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
    '{"$gt": "%"}',
    "../zoe-admin",
    "zoe-admin\0",
    "zoe-admin\n",
    "zoe-admin ",
    "\ud800",
    "u" * 129,
]


@pytest.mark.parametrize("changed", WRONG_CLAIMS.values(), ids=WRONG_CLAIMS.keys())
def test_an_invalid_claim_is_refused_from_every_signer(door: Door, issuer: Issuer, changed: dict[str, Any]) -> None:
    refused(door, backend_token(**changed))
    for kid in ("rsa-1", "ec-1"):
        refused(door, signed(issuer, issuer.claims(**changed), kid))


def test_a_token_issued_ahead_of_the_clock_and_valid_for_more_than_a_day_is_refused(door: Door) -> None:
    now = int(time.time())
    refused(door, backend_token(iat=now + 20, exp=now + 86_400 + 45))


@pytest.mark.parametrize("subject", OPERATORS, ids=lambda subject: repr(subject)[:30])
def test_a_subject_that_is_not_an_id_is_refused_and_never_reaches_a_query(subject: object) -> None:
    def never(_: str) -> bool:
        pytest.fail("it was looked up")

    door = a_door({"JWT_SECRET": KEY}, is_administrator=never)
    refused(door, backend_token(sub=subject))


@pytest.mark.parametrize("claim", ["sub", "oid"])
@pytest.mark.parametrize("value", OPERATORS, ids=lambda value: repr(value)[:30])
def test_a_name_of_the_issuers_that_is_not_an_id_is_refused(
    door: Door, issuer: Issuer, claim: str, value: object
) -> None:
    refused(door, signed(issuer, issuer.claims() | {claim: value}))


@pytest.mark.parametrize("subject", ["-rs9XwM3Ye_dRyOU2nXk2Dh7hHqA", "_x", "auth0|5f7c8ec7c33c6c004bbafe82", "u" * 128])
def test_the_usual_names_of_issuers_are_accepted(door: Door, issuer: Issuer, subject: str) -> None:
    assert door.with_token(issuer.token(issuer.claims(sub=subject, oid=None))) == Admin(subject, "bearer", subject)


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


def test_the_backends_issuer_and_audience_are_checked_if_they_are_set() -> None:
    environment = {"JWT_SECRET": KEY, "JWT_ISSUER": "backend", "JWT_AUDIENCE": "admin"}
    door = a_door(environment, is_administrator=lambda _: True)
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


@pytest.mark.parametrize("lifetime", [{"exp": NOW + 86_000}, {"iat": None, "exp": NOW + 86_000}])
def test_a_token_of_a_day_is_accepted(door: Door, lifetime: dict[str, Any]) -> None:
    assert door.with_token(backend_token(**lifetime)).actor == ADMINISTRATOR


def test_in_azure_tokens_of_the_backend_need_an_audience(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with a_vault(tmp_path) as vault:
        vault.put("jwt-secret", KEY)
        environment = {
            "KEY_VAULT_URL": vault.url,
            "AZURE_FUNCTIONS_ENVIRONMENT": "",
            "ANALYSIS_SCHEDULE": "0 0 1 * * *",
        }
        settings = Settings.from_environment(LOCAL | environment)
        secrets = Secrets(settings, vault.client)
        door = a_door(environment, is_administrator=lambda _: True, secrets=secrets)
        refused(door, backend_token())
        refused(door, backend_token(aud="admin"))
        assert [record.getMessage() for record in caplog.records if record.name == "functions.access.tokens"] == [
            "JWT_AUDIENCE is not set: tokens of the backend are rejected"
        ] * 2
        with_audience = a_door(
            environment | {"JWT_AUDIENCE": "admin"}, is_administrator=lambda _: True, secrets=secrets
        )
        assert with_audience.with_token(backend_token(aud="admin")).actor == ADMINISTRATOR
