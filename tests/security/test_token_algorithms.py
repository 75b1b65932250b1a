"""Attacks on the signature of a bearer token: another algorithm, another key, none."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.security.door import Door
from tests.security.issuer import Issuer, an_ec_key, an_rsa_key, public_jwk
from tests.security.tokens import ADMINISTRATOR, KEY, backend_token, claims, handmade, refused, segment


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, 0, [], {}, ["HS256"]])
@pytest.mark.parametrize("signature", ["", "x", "AAAA"])
def test_alg_none_is_refused(door: Door, algorithm: object, signature: str) -> None:
    unsigned = handmade({"alg": algorithm}, claims()).rpartition(".")[0]
    refused(door, f"{unsigned}.{signature}")


def test_a_header_without_alg_is_refused(door: Door) -> None:
    refused(door, handmade({"typ": "JWT"}, claims(), KEY.encode()))


def test_the_last_of_two_algs_counts_everywhere(door: Door) -> None:
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


def test_rs256_and_es256_do_not_replace_each_other(door: Door, issuer: Issuer) -> None:
    refused(door, issuer.token(kid="ec-1", key=issuer.keys["rsa-1"]))
    refused(door, issuer.token(kid="rsa-1", key=issuer.keys["ec-1"]))


def test_a_key_of_the_backend_is_not_accepted_for_the_issuer(door: Door, issuer: Issuer) -> None:
    refused(door, handmade({"alg": "RS256", "kid": "rsa-1"}, issuer.claims(), KEY.encode()))


def test_the_library_gets_one_algorithm_at_a_time(door: Door, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    algorithms: list[list[str]] = []
    decode = jwt.decode

    def record(token: str, key: Any, **named: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on
        algorithms.append(named["algorithms"])
        return decode(token, key, **named)

    monkeypatch.setattr("jwt.decode", record)
    for token in (backend_token(), issuer.token(kid="rsa-1"), issuer.token(kid="ec-1")):
        door.with_token(token)
    assert algorithms == [["HS256"], ["RS256"], ["ES256"]]


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
