"""Keys of bearer tokens: their ids, keys inside tokens, replacements of keys, and outages of their sources."""

from pathlib import Path
from typing import Any

import jwt
import pytest

from credentials.secrets import Secrets
from functions.access.administrators import AuthenticationUnavailable, Unauthorized
from settings import Settings
from tests.security.door import LOCAL, Door, a_door
from tests.security.issuer import KEY_SET, Issuer, an_issuer, an_rsa_key, public_jwk
from tests.security.tokens import ADMINISTRATOR, KEY, SECRET, backend_token, claims, handmade, refused
from tests.vault import a_vault

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
def test_keys_that_a_token_points_to_are_neither_fetched_nor_used(
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


def test_an_issuer_that_a_token_names_is_never_contacted(door: Door) -> None:
    with an_issuer() as attacker:
        refused(door, attacker.token())
        assert attacker.asked == []


@pytest.mark.parametrize("critical", [["exp"], ["b64"], [], "exp", None])
def test_critical_extensions_of_a_token_are_refused(door: Door, critical: object) -> None:
    refused(door, backend_token(headers={"crit": critical}))
    refused(door, backend_token(headers={"crit": critical, "b64": False}))
    refused(door, backend_token(headers={"crit": critical, "b64": True}))


def test_the_issuer_replaces_its_keys_and_no_token_is_refused(door: Door, issuer: Issuer) -> None:
    old = issuer.token()
    door.with_token(old)
    issuer.keys["rsa-2"] = an_rsa_key()
    door.with_token(issuer.token(kid="rsa-2"))
    door.with_token(old)
    del issuer.keys["rsa-1"]
    door.clock.advance(301)
    refused(door, old)


def test_the_backends_key_is_replaced_and_no_token_is_refused(tmp_path: Path) -> None:
    with a_vault(tmp_path) as vault:
        known = Secrets(Settings.from_environment(LOCAL | {"KEY_VAULT_URL": vault.url}), vault.client)
        door = a_door({"KEY_VAULT_URL": vault.url}, is_administrator=lambda _: True, secrets=known)
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


def test_with_an_unavailable_vault_a_token_is_neither_refused_nor_accepted(tmp_path: Path) -> None:
    with a_vault(tmp_path) as vault:
        known = Secrets(Settings.from_environment(LOCAL | {"KEY_VAULT_URL": vault.url}), vault.client)
        door = a_door({"KEY_VAULT_URL": vault.url}, is_administrator=lambda _: True, secrets=known)
        vault.failing_with = 503
        with pytest.raises(AuthenticationUnavailable):
            door.with_token(backend_token())


def test_with_an_unavailable_issuer_a_token_is_neither_refused_nor_accepted(door: Door, issuer: Issuer) -> None:
    issuer.answers[KEY_SET] = 500, b"", {}
    with pytest.raises(AuthenticationUnavailable):
        door.with_token(issuer.token())


def test_a_later_outage_of_the_issuer_is_bridged_for_an_hour(door: Door, issuer: Issuer) -> None:
    token = issuer.token(issuer.claims())
    door.with_token(token)
    issuer.answers[KEY_SET] = 500, b"", {}
    door.clock.advance(3_599)
    door.with_token(token)
    door.clock.advance(2)
    with pytest.raises(AuthenticationUnavailable):
        door.with_token(token)


def test_unknown_keys_cause_few_requests_to_the_issuer(door: Door, issuer: Issuer) -> None:
    door.with_token(issuer.token())
    issuer.asked.clear()
    for number in range(100):
        refused(door, issuer.token(kid=f"guess-{number}", key=issuer.keys["rsa-1"]))
    assert issuer.asked.count(KEY_SET) == 1


def test_tokens_are_refused_if_they_are_not_in_use(issuer: Issuer) -> None:
    door = a_door({"ADMIN_SECRET": SECRET}, is_administrator=lambda _: True)
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
def test_on_a_laptop_a_short_key_of_the_backend_is_accepted() -> None:
    door = a_door({"JWT_SECRET": "short"}, is_administrator=lambda user_id: user_id == ADMINISTRATOR)
    assert door.with_token(backend_token(key="short")).actor == ADMINISTRATOR
    refused(door, backend_token(key="other"))
