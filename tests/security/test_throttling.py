"""Failed sign-ins are counted by client and kind of credential, with and without Redis, and never for all clients."""

from collections.abc import Iterator

import azure.functions as func
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from functions.access.administrators import credential_of
from functions.access.throttling import (
    SIGN_IN_FAILURES,
    UNKNOWN,
    Client,
    Counts,
    OwnCounts,
    SharedCounts,
    client_of,
    network_of,
    normalized_address,
)
from settings import Settings
from stores.redis_server import RedisServer
from tests.conftest import free_port
from tests.security.door import LOCAL

type Counter = OwnCounts | SharedCounts | Counts


@pytest.fixture(params=["own", "shared", "shared with own", "own, because Redis is unavailable"])
def counter(request: pytest.FixtureRequest) -> Iterator[Counter]:
    if request.param == "own":
        yield OwnCounts(SIGN_IN_FAILURES)
        return
    url = f"redis://127.0.0.1:{free_port()}" if "away" in request.param else request.getfixturevalue("redis_url")
    server = RedisServer(url)
    with redis.Redis.from_url(url) as client:
        yield SharedCounts(SIGN_IN_FAILURES, client) if request.param == "shared" else Counts(SIGN_IN_FAILURES, server)
        if "away" not in request.param:
            client.flushall()
    server.close()


def test_failures_are_counted_until_there_are_too_many(counter: Counter) -> None:
    assert not counter.of("secret:192.0.2.1").too_many
    for number in range(1, SIGN_IN_FAILURES.most):
        assert counter.add("secret:192.0.2.1").count == number
        assert not counter.of("secret:192.0.2.1").too_many
    assert counter.add("secret:192.0.2.1").just_too_many
    failures = counter.of("secret:192.0.2.1")
    assert failures.too_many
    assert 0 < failures.seconds_left <= SIGN_IN_FAILURES.seconds
    assert counter.add("secret:192.0.2.1").beyond


def test_a_client_is_not_throttled_for_the_failures_of_another(counter: Counter) -> None:
    for _ in range(SIGN_IN_FAILURES.most):
        counter.add("secret:192.0.2.1")
    assert counter.of("secret:192.0.2.1").too_many
    assert counter.of("secret:192.0.2.2").count == 0
    assert counter.of("bearer:192.0.2.1").count == 0


def test_all_workers_count_together_in_redis(redis_url: str) -> None:
    servers = RedisServer(redis_url), RedisServer(redis_url)
    first, second = (Counts(SIGN_IN_FAILURES, server) for server in servers)
    first.add("together")
    assert second.add("together").count == first.of("together").count == 2
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < int(client.ttl("sign-in-failures:together")) <= SIGN_IN_FAILURES.seconds
        client.flushall()
    for server in servers:
        server.close()


def test_a_value_of_another_program_under_the_key_is_no_error(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        for value in ("text", "1.5"):
            client.set("sign-in-failures:odd", value)
            first, second = RedisServer(redis_url), RedisServer(redis_url)  # each fails once, then makes no request
            assert Counts(SIGN_IN_FAILURES, first).of("odd").count == 0
            assert Counts(SIGN_IN_FAILURES, second).add("odd").count == 1
            first.close()
            second.close()
        client.flushall()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_window_ends_and_further_failures_do_not_prolong_it() -> None:
    clock = Clock()
    own = OwnCounts(SIGN_IN_FAILURES, clock)
    for _ in range(3 * SIGN_IN_FAILURES.most):
        clock.now += 1
        own.add("key")
    assert own.of("key").seconds_left == SIGN_IN_FAILURES.seconds - 3 * SIGN_IN_FAILURES.most + 1
    clock.now = 1001 + SIGN_IN_FAILURES.seconds
    assert own.of("key").count == 0
    assert own.add("key").count == 1


def test_the_table_of_a_process_is_bounded_and_drops_expired_entries() -> None:
    clock = Clock()
    own = OwnCounts(SIGN_IN_FAILURES, clock, most_keys=50)
    for number in range(500):
        own.add(f"192.0.2.{number}")
        assert len(own) <= 50
    assert own.of("192.0.2.499").count == 1
    clock.now += SIGN_IN_FAILURES.seconds
    own.of("anybody")
    assert len(own) == 0


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        (" 192.0.2.7:50123 ", "192.0.2.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:1", "192.0.2.7"),
        ("", UNKNOWN),
        ("unknown", UNKNOWN),
        ("192.0.2.256", UNKNOWN),
        ("192.0.2.7:port", UNKNOWN),
        ("192.0.2.7\r\nX-Forged: 1", UNKNOWN),
        ("fe80::1%eth0", UNKNOWN),
        ("192.168.001.1", UNKNOWN),
        ("1" * 100_000, UNKNOWN),
    ],
)
def test_an_address_has_one_form_without_its_port(entry: str, address: str) -> None:
    assert normalized_address(entry) == address


@given(st.text(max_size=60) | st.ip_addresses().map(str) | st.from_regex(r"\[?[0-9a-f:.]{1,50}\]?(:[0-9]{1,6})?"))
def test_an_address_from_any_header_is_short_and_plain(entry: str) -> None:
    address = normalized_address(entry)
    assert len(address) <= 45
    assert address.isascii()
    assert network_of(address)


def test_an_ipv6_client_is_identified_by_its_network() -> None:
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert network_of("2001:db8:1:3::1") != network_of("2001:db8:1:2::1")
    assert network_of("192.0.2.7") == "192.0.2.7"


ID = "a1b2c3d4-0000-4000-8000-00000000000f"
DOOR = {"FRONT_DOOR_ID": ID}
GATEWAY = {"PROXY_NETWORKS": "203.0.113.0/24,2001:db8:ffff::/48"}
VIA_DOOR = {"X-Azure-FDID": ID}
VIA_OTHER_DOOR = {"X-Azure-FDID": ID.replace("f", "e")}
EDGE, CLIENT, MADE_UP = "203.0.113.9:4711", "198.51.100.7", "192.0.2.66"


@pytest.mark.parametrize(
    ("proxies", "named", "sent", "forwarded", "expected"),
    [
        # No proxy of ours: nothing in the header counts.
        (0, {}, {}, CLIENT, Client(UNKNOWN, shared=True)),
        (0, {}, VIA_DOOR, CLIENT, Client(UNKNOWN, shared=True)),
        # The platform's front end only.
        (1, {}, {}, CLIENT, Client(CLIENT)),
        (1, {}, {}, f"{MADE_UP}, {CLIENT}:4711", Client(CLIENT)),
        (1, {}, {}, f"{MADE_UP},,{CLIENT}", Client(CLIENT)),
        (1, {}, {}, ", " * 10_000 + CLIENT, Client(CLIENT)),
        (1, {}, {}, "", Client(UNKNOWN, shared=True)),
        (1, {}, {}, f"{CLIENT}, ", Client(UNKNOWN, shared=True)),
        # Another proxy before it that nothing identifies: any caller may be at the front end directly.
        (2, {}, {}, f"{MADE_UP}, {CLIENT}, {EDGE}", Client("203.0.113.9", shared=True)),
        (2, {}, VIA_DOOR, f"{CLIENT}, {EDGE}", Client("203.0.113.9", shared=True)),
        (2, {}, {}, CLIENT, Client(CLIENT, shared=True)),
        # A Front Door.
        (2, DOOR, VIA_DOOR, f"{CLIENT}, {EDGE}", Client(CLIENT)),
        (2, DOOR, {"X-Azure-FDID": ID.upper()}, f"{MADE_UP}, {CLIENT}, {EDGE}", Client(CLIENT)),
        (2, DOOR, VIA_DOOR, f"garbage, {EDGE}", Client(UNKNOWN, shared=True)),
        (2, DOOR, VIA_DOOR, EDGE, Client("203.0.113.9", shared=True)),
        (3, DOOR, VIA_DOOR, f"{CLIENT}, {EDGE}", Client("203.0.113.9", shared=True)),
        (2, DOOR, {}, f"{MADE_UP}, {CLIENT}", Client(CLIENT)),
        (2, DOOR, VIA_OTHER_DOOR, f"{MADE_UP}, {CLIENT}", Client(CLIENT)),
        (2, DOOR, {"X-Azure-FDID": f"{ID},{ID}"}, f"{MADE_UP}, {CLIENT}", Client(CLIENT)),
        (2, DOOR, {}, CLIENT, Client(CLIENT)),
        # A gateway of known addresses.
        (2, GATEWAY, {}, f"{CLIENT}, {EDGE}", Client(CLIENT)),
        (2, GATEWAY, {}, f"{MADE_UP}, [{CLIENT}, [2001:db8:ffff::1]:443", Client(UNKNOWN, shared=True)),
        (2, GATEWAY, {}, f"{MADE_UP}, 2001:db8::7, [2001:db8:ffff::1]:443", Client("2001:db8::7")),
        (2, GATEWAY, {}, f"{MADE_UP}, {CLIENT}", Client(CLIENT)),
        (2, GATEWAY, VIA_DOOR, f"{MADE_UP}, {CLIENT}", Client(CLIENT)),
        (2, GATEWAY, {}, EDGE, Client("203.0.113.9", shared=True)),
        (3, GATEWAY, {}, f"{CLIENT}, 203.0.113.8, {EDGE}", Client(CLIENT)),
        (3, GATEWAY, {}, f"{MADE_UP}, {CLIENT}, {EDGE}", Client(CLIENT)),
        # Either of both.
        (2, DOOR | GATEWAY, {}, f"{CLIENT}, {EDGE}", Client(CLIENT)),
        (2, DOOR | GATEWAY, VIA_DOOR, f"{CLIENT}, 198.18.0.1", Client(CLIENT)),
    ],
)  # fmt: skip
def test_only_entries_by_proxies_that_are_known_to_be_ours_count(
    proxies: int, named: dict[str, str], sent: dict[str, str], forwarded: str, expected: Client
) -> None:
    settings = Settings.from_environment(LOCAL | {"TRUSTED_PROXIES": str(proxies)} | named)
    headers = {"X-Forwarded-For": forwarded} | sent
    assert client_of(func.HttpRequest("GET", "/", headers=headers, body=b"").headers, settings) == expected


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({}, "none"),
        ({"Authorization": "Bearer x"}, "bearer"),
        ({"X-Admin-Secret": ""}, "admin-secret"),
        ({"X-Admin-Secret": "x", "Authorization": "Bearer x"}, "admin-secret"),
    ],
)
def test_of_two_credentials_the_secret_determines_the_kind(headers: dict[str, str], kind: str) -> None:
    assert credential_of(func.HttpRequest("GET", "/", headers=headers, body=b"")) == kind
