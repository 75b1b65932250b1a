"""The connection to Redis that a process shares: after one failure, nothing uses it for a while."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import redis

from functions.access.throttling import SIGN_IN_FAILURES, Counts
from stores.rate_limit import Rate, RateLimit
from stores.redis_server import RedisServer
from tests.clock import Clock
from tests.faults.servers import Redis

UNAVAILABLE_SECONDS = 30
PATIENCE_SECONDS = 600.0
WARNING = "Redis is unavailable (ConnectionError): rate limits and sign-in failures are counted by each worker"


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Redis]:
    """Yield a redis-server for one test; it is empty after a restart."""
    running = Redis(tmp_path / "redis")
    running.start()
    yield running
    running.kill()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(program: Redis, clock: Clock) -> Iterator[RedisServer]:
    connected = RedisServer(program.url, clock)
    yield connected
    connected.close()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno >= logging.WARNING]


def test_after_the_rate_limit_found_redis_unavailable_sign_ins_do_not_use_it_for_half_a_minute(
    program: Redis, server: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    limit = RateLimit(server, "provider", Rate(1), clock, clock.advance)
    failures = Counts(SIGN_IN_FAILURES, server)
    assert limit.wait(PATIENCE_SECONDS)
    assert [failures.add("client").count for _ in range(3)] == [1, 2, 3]

    program.stop()
    assert limit.wait(PATIENCE_SECONDS)
    program.start()
    with redis.Redis.from_url(program.url) as operator:
        assert failures.add("client").count == 1
        clock.advance(UNAVAILABLE_SECONDS - 1)
        assert failures.add("client").count == failures.of("client").count == 2
        assert operator.keys() == []

        clock.advance(1)
        assert failures.add("client").count == 1
        assert limit.wait(PATIENCE_SECONDS)
        assert sorted(operator.keys()) == [b"rate-limit:{provider}:promised", b"sign-in-failures:client"]
    assert warnings(caplog) == [WARNING]


def test_any_number_of_threads_that_find_redis_unavailable_log_one_warning(
    program: Redis, server: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    program.stop()
    threads = 8
    together = Barrier(threads)

    def ping(client: redis.Redis) -> bool:
        together.wait()
        return client.ping()

    with ThreadPoolExecutor(threads) as pool:
        answers = list(pool.map(lambda _: server.ask(ping, lambda: False), range(threads)))
    assert answers == [False] * threads
    clock.advance(UNAVAILABLE_SECONDS)
    assert server.ask(lambda client: client.ping(), lambda: None) is None
    assert warnings(caplog) == [WARNING]


def test_a_ping_uses_redis_even_if_it_was_unavailable_a_moment_ago(program: Redis, server: RedisServer) -> None:
    server.ping()
    program.stop()
    with pytest.raises(redis.ConnectionError):
        server.ping()
    assert server.ask(lambda client: bool(client.ping()), lambda: False) is False
    program.start()
    server.ping()


def test_a_value_that_another_program_wrote_affects_its_own_question_only(
    program: Redis, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    failures = Counts(SIGN_IN_FAILURES, server)
    with redis.Redis.from_url(program.url) as operator:
        operator.set("sign-in-failures:client", "many")
        assert failures.of("client").count == 0
        assert failures.add("neighbor").count == 1
        assert operator.get("sign-in-failures:neighbor") == b"1"
    (warning,) = warnings(caplog)
    assert warning.startswith("Redis is unavailable (ValueError)")
