import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from credentials.issuer import IssuerKeys, IssuerUnavailable
from tests.clock import Clock
from tests.security.issuer import DISCOVERY, KEY_SET, Issuer, an_ec_key, an_issuer, an_rsa_key, public_jwk

FRESH, BRIDGED = 300, 3600


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with an_issuer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(issuer: Issuer, clock: Clock) -> IssuerKeys:
    return IssuerKeys(issuer.oidc, clock)


def test_the_keys_are_found_by_discovery_once_and_kept(issuer: Issuer, keys: IssuerKeys) -> None:
    for _ in range(10):
        assert keys.get("RS256", "rsa-1")
        assert keys.get("ES256", "ec-1")
    assert issuer.asked == [DISCOVERY, KEY_SET]


def test_a_key_is_found_only_for_its_own_algorithm(keys: IssuerKeys) -> None:
    others = [("ES256", "rsa-1"), ("RS256", "ec-1"), ("HS256", "rsa-1"), ("PS256", "rsa-1"), ("RS512", "rsa-1")]
    assert [keys.get(*other) for other in others] == [None] * len(others)


def test_a_key_that_is_new_is_found_at_once(issuer: Issuer, keys: IssuerKeys) -> None:
    keys.get("RS256", "rsa-1")
    issuer.keys["rsa-2"] = an_rsa_key()
    assert keys.get("RS256", "rsa-2")


def test_unknown_keys_do_not_flood_the_issuer(issuer: Issuer, keys: IssuerKeys, clock: Clock) -> None:
    keys.get("RS256", "rsa-1")
    for number in range(1_000):
        assert keys.get("RS256", f"unknown-{number}") is None
        clock.advance(0.01)
    assert issuer.asked.count(KEY_SET) == 3


def test_a_key_that_is_withdrawn_is_gone_after_five_minutes(issuer: Issuer, keys: IssuerKeys, clock: Clock) -> None:
    assert keys.get("RS256", "rsa-1")
    del issuer.keys["rsa-1"]
    clock.advance(FRESH + 1)
    assert keys.get("RS256", "rsa-1") is None


def test_an_outage_is_bridged_for_an_hour(issuer: Issuer, keys: IssuerKeys, clock: Clock) -> None:
    keys.get("RS256", "rsa-1")
    issuer.answers[DISCOVERY] = 503, b"", {}
    clock.advance(BRIDGED - 1)
    assert keys.get("RS256", "rsa-1")
    clock.advance(2)
    with pytest.raises(IssuerUnavailable):
        keys.get("RS256", "rsa-1")


def test_an_unreachable_issuer_is_unavailable(clock: Clock) -> None:
    with an_issuer() as gone:
        keys = IssuerKeys(gone.oidc, clock)
    with pytest.raises(IssuerUnavailable):
        keys.get("RS256", "rsa-1")


def discovery(issuer: Issuer, changed: dict[str, object]) -> tuple[int, bytes, dict[str, str]]:
    document = {"issuer": issuer.url, "jwks_uri": issuer.url.removesuffix("/tenant") + KEY_SET}
    return 200, json.dumps(document | changed).encode(), {}


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://another.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": 7},
        {"jwks_uri": "http://another.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"jwks_uri": "http://127.0.0.1@another.example/keys"},
        {"jwks_uri": "https://another.example/keys\r\nHost: x"},
    ],
    ids=str,
)
def test_a_discovery_document_that_leads_elsewhere_is_not_followed(
    issuer: Issuer, keys: IssuerKeys, changed: dict[str, object]
) -> None:
    issuer.answers[DISCOVERY] = discovery(issuer, changed)
    with pytest.raises(IssuerUnavailable):
        keys.get("RS256", "rsa-1")
    assert issuer.asked == [DISCOVERY]


@pytest.mark.parametrize("path", [DISCOVERY, KEY_SET])
@pytest.mark.parametrize(
    "answer",
    [
        (404, b"{}", {}),
        (302, b"", {"Location": "/elsewhere"}),
        (200, b"", {}),
        (200, b"<html>", {}),
        (200, b"\xff\xfe\xfd", {}),
        (200, b"[]", {}),
        (200, b"[" * 100_000, {}),
        (200, b'{"keys": 1}', {}),
        (200, b" " * 300_000, {}),
    ],
    ids=lambda answer: f"{answer[0]} {answer[1][:12]!r}",
)
def test_an_invalid_answer_of_an_issuer_is_an_outage(
    issuer: Issuer, keys: IssuerKeys, path: str, answer: tuple[int, bytes, dict[str, str]]
) -> None:
    issuer.answers[path] = answer
    with pytest.raises(IssuerUnavailable):
        keys.get("RS256", "rsa-1")
    assert "/elsewhere" not in issuer.asked


UNUSABLE: list[Any] = [
    None,
    7,
    "key",
    {},
    {"kty": ["RSA"], "kid": "bad"},
    {"kty": "oct", "kid": "bad", "k": "c2VjcmV0"},
    {"kty": "RSA", "kid": "bad", "n": "!!!", "e": "AQAB"},
    {"kty": "RSA", "kid": "bad", "n": "AQAB", "e": "AQAB"},
    {"kty": "EC", "kid": "bad", "crv": "P-256", "x": "AQAB", "y": "AQAB"},
    {"kty": "EC", "kid": "bad", "crv": "P-521", "x": "AQAB", "y": "AQAB"},
    public_jwk(an_rsa_key(), "bad") | {"use": "enc"},
    public_jwk(an_rsa_key(), "bad") | {"alg": "RS512"},
    public_jwk(an_rsa_key(), "bad") | {"alg": "HS256"},
    public_jwk(an_ec_key(), "bad") | {"alg": "RS256"},
    public_jwk(an_rsa_key(1024), "bad"),
]


def test_keys_that_cannot_be_used_are_left_out_and_the_others_found(issuer: Issuer, keys: IssuerKeys) -> None:
    good = public_jwk(issuer.keys["rsa-1"], "rsa-1")
    issuer.answers[KEY_SET] = 200, json.dumps({"keys": [*UNUSABLE, good]}).encode(), {}
    assert keys.get("RS256", "rsa-1")
    assert keys.get("RS256", "bad") is None
    assert keys.get("ES256", "bad") is None


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


def tls(authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(context)
    return context


def test_over_tls_the_keys_are_found(authority: trustme.CA, clock: Clock) -> None:
    with an_issuer(tls(authority, "localhost")) as issuer:
        assert IssuerKeys(issuer.oidc, clock).get("RS256", "rsa-1")


def test_over_tls_a_certificate_for_another_host_is_refused(authority: trustme.CA, clock: Clock) -> None:
    with an_issuer(tls(authority, "another.example")) as issuer:
        with pytest.raises(IssuerUnavailable):
            IssuerKeys(issuer.oidc, clock).get("RS256", "rsa-1")
        assert issuer.asked == []


def test_over_tls_an_unknown_authority_is_refused(authority: trustme.CA, clock: Clock) -> None:
    assert authority
    with an_issuer(tls(trustme.CA(), "localhost")) as issuer, pytest.raises(IssuerUnavailable):
        IssuerKeys(issuer.oidc, clock).get("RS256", "rsa-1")


def test_an_issuer_with_tls_whose_keys_have_none_is_not_followed(authority: trustme.CA, clock: Clock) -> None:
    with an_issuer(tls(authority, "localhost")) as issuer:
        issuer.answers[DISCOVERY] = discovery(issuer, {"jwks_uri": "http://127.0.0.1:1/keys"})
        with pytest.raises(IssuerUnavailable):
            IssuerKeys(issuer.oidc, clock).get("RS256", "rsa-1")
