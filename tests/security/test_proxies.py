"""Who has to wait after failed sign-ins, by raw requests through and around the proxies in front of the app."""

import time
from collections.abc import Iterator

import jwt
import pytest
import redis

from functions.access.throttling import SIGN_IN_FAILURES
from tests.end_to_end.app import BASE, App, running_app
from tests.security.issuer import AUDIENCE, ROLE, Issuer, an_issuer
from tests.security.raw import send

RUNS = f"{BASE}/analysis-runs"
FRONT_DOOR_ID = "a1b2c3d4-0000-4000-8000-00000000000f"
VIA_FRONT_DOOR = b"X-Azure-FDID: " + FRONT_DOOR_ID.encode()
WRONG = b"X-Admin-Secret: wrong"
KEY = "the key that the backend shares with this app"
LIMITED = [401] * SIGN_IN_FAILURES.most + [429]


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with an_issuer() as running:
        yield running


@pytest.fixture(scope="module")
def behind_front_door(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[App]:
    proxies = {"TRUSTED_PROXIES": "2", "FRONT_DOOR_ID": FRONT_DOOR_ID}
    with running_app(tmp_path_factory.mktemp("front-door"), REDIS_URL=redis_url, **proxies) as app:
        yield app


@pytest.fixture(scope="module")
def behind_two(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("two"), REDIS_URL=redis_url, TRUSTED_PROXIES="2") as app:
        yield app


@pytest.fixture(scope="module")
def behind_one(tmp_path_factory: pytest.TempPathFactory, redis_url: str, issuer: Issuer) -> Iterator[App]:
    tokens = {"JWT_SECRET": KEY, "OIDC_ISSUER": issuer.url, "OIDC_AUDIENCE": AUDIENCE, "OIDC_ADMIN_ROLE": ROLE}
    with running_app(tmp_path_factory.mktemp("one"), REDIS_URL=redis_url, TRUSTED_PROXIES="1", **tokens) as app:
        yield app


@pytest.fixture(autouse=True)
def nobody_waits_yet(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()


def forwarded(addresses: str) -> bytes:
    return f"X-Forwarded-For: {addresses}".encode()


def status(app: App, *headers: bytes, signed: bool = False) -> int:
    return send(app, RUNS, *headers, signed=signed).status


def guesses(app: App, *headers: bytes) -> list[int]:
    """Return the statuses of wrong secrets; ``%d`` in a header is another number each time."""
    count = len(LIMITED)
    return [status(app, WRONG, *(each.replace(b"%d", b"%d" % number) for each in headers)) for number in range(count)]


def test_around_the_front_door_a_made_up_address_picks_no_count_and_gives_no_further_guess(
    behind_front_door: App,
) -> None:
    assert guesses(behind_front_door, forwarded("192.0.2.%d")) == LIMITED
    assert status(behind_front_door, forwarded("192.0.2.200"), signed=True) == 429


def test_around_the_front_door_nobody_locks_out_an_administrator_behind_it(behind_front_door: App) -> None:
    administrator = forwarded("198.51.100.7, 203.0.113.9")
    assert guesses(behind_front_door, forwarded("198.51.100.7")) == LIMITED
    assert guesses(behind_front_door, forwarded("198.51.100.7, 203.0.113.9"))[-1] == 429
    assert guesses(behind_front_door, forwarded("198.51.100.7"), b"X-Azure-FDID: " + b"0" * 36)[-1] == 429
    assert status(behind_front_door, VIA_FRONT_DOOR, forwarded("198.51.100.7"), signed=True) == 200
    assert status(behind_front_door, VIA_FRONT_DOOR, administrator, signed=True) == 200


def test_through_the_front_door_each_client_is_counted_by_its_own_address(behind_front_door: App) -> None:
    # The local host appends the address of the peer, as the platform's front end does with that of the Front Door.
    assert guesses(behind_front_door, VIA_FRONT_DOOR, forwarded("192.0.2.%d, 198.51.100.66")) == LIMITED
    assert status(behind_front_door, VIA_FRONT_DOOR, forwarded("198.51.100.66"), signed=True) == 429
    assert status(behind_front_door, VIA_FRONT_DOOR, forwarded("198.51.100.7"), signed=True) == 200


@pytest.mark.parametrize(
    "same", ["198.51.100.8:%d", "[2001:db8:1:2::%d]:80", "2001:db8:1:3:%d::1", "::ffff:198.51.100.9"]
)
def test_neither_a_port_nor_the_rest_of_an_ipv6_network_makes_another_client(behind_front_door: App, same: str) -> None:
    assert guesses(behind_front_door, VIA_FRONT_DOOR, forwarded(same)) == LIMITED


def test_of_several_headers_the_last_entries_count(behind_front_door: App) -> None:
    several = [forwarded("192.0.2.%d"), forwarded("198.51.100.66")]
    assert guesses(behind_front_door, VIA_FRONT_DOOR, *several) == LIMITED
    assert status(behind_front_door, VIA_FRONT_DOOR, VIA_FRONT_DOOR, *several, signed=True) == 200, "no id of ours"


@pytest.mark.parametrize("entries", [[], [b"X-Forwarded-For: garbage"], [b"X-Forwarded-For: "]], ids=str)
def test_entries_that_do_not_fit_the_proxies_lock_nobody_out(behind_front_door: App, entries: list[bytes]) -> None:
    assert guesses(behind_front_door, VIA_FRONT_DOOR, *entries) == LIMITED
    assert status(behind_front_door, VIA_FRONT_DOOR, *entries, signed=True) == 200
    assert status(behind_front_door, VIA_FRONT_DOOR, *entries, WRONG) == 429


def test_with_a_second_proxy_that_nothing_identifies_wrong_secrets_wait_and_administrators_do_not(
    behind_two: App,
) -> None:
    assert guesses(behind_two, forwarded("192.0.2.%d")) == LIMITED
    assert guesses(behind_two, VIA_FRONT_DOOR, forwarded("198.51.100.%d, 192.0.2.1")) == [429] * len(LIMITED)
    assert status(behind_two, forwarded("192.0.2.1"), signed=True) == 200


def test_with_one_proxy_a_made_up_address_picks_no_count(behind_one: App) -> None:
    assert guesses(behind_one, forwarded("192.0.2.%d")) == LIMITED
    assert status(behind_one, forwarded("192.0.2.200"), signed=True) == 429


def bearer(token: str) -> bytes:
    return f"Authorization: Bearer {token}".encode()


def of_the_backend(subject: str) -> bytes:
    return bearer(jwt.encode({"sub": subject, "exp": int(time.time()) + 600}, KEY, "HS256"))


def test_a_user_with_a_valid_token_has_to_wait_alone(behind_one: App, issuer: Issuer) -> None:
    administrator, user = of_the_backend("zoe-admin"), of_the_backend("adam")
    assert [status(behind_one, user) for _ in LIMITED] == [403] * SIGN_IN_FAILURES.most + [429]
    assert status(behind_one, user) == 429
    assert status(behind_one, administrator) == 200
    assert status(behind_one, signed=True) == 200
    assert status(behind_one, of_the_backend("eve")) == 403
    assert status(behind_one, bearer(issuer.token(issuer.claims(sub="adam", roles=[])))) == 403, "another adam"
    assert status(behind_one, bearer(issuer.token())) == 200


def test_tokens_that_cannot_be_verified_are_counted_by_address_apart_from_secrets(behind_one: App) -> None:
    forged = bearer(jwt.encode({"sub": "zoe-admin", "exp": int(time.time()) + 600}, "x" * 32, "HS256"))
    assert [status(behind_one, forged) for _ in LIMITED] == LIMITED
    assert status(behind_one, signed=True) == 200
