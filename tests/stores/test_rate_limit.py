"""An external server gets no more requests than it allows, from any number of workers, with and without Redis."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from stores.rate_limit import Bucket, OwnBucket, Rate, RateLimit, SharedBucket
from stores.redis_server import RedisServer
from tests.conftest import free_port

NAME = "somebody"
IMPATIENT, PATIENT = 0.0, 600.0


class Clock:
    """A clock that advances only during a sleep."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(params=["own", "shared"])
def bucket(request: pytest.FixtureRequest) -> Iterator[Callable[[Rate], Bucket]]:
    """Yield a factory of buckets in this process or in Redis."""
    if request.param == "own":
        yield OwnBucket
        return
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        yield lambda rate: SharedBucket(client, NAME, rate)
        client.flushall()


@pytest.mark.parametrize(("per_minute", "burst", "interval"), [(5, 1, 12), (200, 10, 60 / 191), (1, 1, 60)])
def test_a_burst_counts_towards_the_limit_per_minute(per_minute: int, burst: int, interval: float) -> None:
    rate = Rate(per_minute)
    assert (rate.burst, rate.interval) == (burst, interval)


def test_a_burst_passes_at_once_and_then_turns_come_at_the_rate(bucket: Callable[[Rate], Bucket]) -> None:
    tokens, began = bucket(Rate(60)), time.monotonic()
    waits = [tokens.take(PATIENT) for _ in range(6)]
    took = time.monotonic() - began
    assert waits[:3] == [0, 0, 0]
    for number, wait in enumerate(waits[3:], start=1):
        assert number * 60 / 58 - took - 0.001 <= wait <= number * 60 / 58


def test_a_client_that_cannot_wait_gets_the_waiting_time_and_takes_no_turn(bucket: Callable[[Rate], Bucket]) -> None:
    tokens = bucket(Rate(1))
    assert tokens.take(IMPATIENT) == 0
    assert 55 < tokens.take(IMPATIENT) <= 60
    assert 55 < tokens.take(PATIENT) <= 60
    assert 115 < tokens.take(PATIENT) <= 120


def test_a_pause_empties_the_bucket_and_a_shorter_one_does_not_end_it(bucket: Callable[[Rate], Bucket]) -> None:
    tokens = bucket(Rate(60))
    assert tokens.paused() == 0
    tokens.pause(100)
    tokens.pause(50)
    assert 95 < tokens.paused() <= 100
    waits = [tokens.take(PATIENT) for _ in range(3)]
    for number, wait in enumerate(waits):
        assert 95 < wait - number * 60 / 58 <= 100


def test_workers_share_one_bucket_and_it_expires_when_it_has_no_effect_any_more(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client, redis.Redis.from_url(redis_url) as another:
        first, second = SharedBucket(client, NAME, Rate(1)), SharedBucket(another, NAME, Rate(1))
        other = SharedBucket(client, "somebody else", Rate(1))
        assert first.take(IMPATIENT) == 0
        assert second.take(IMPATIENT) > 0
        second.pause(100)
        assert first.paused() > 0
        assert (other.take(IMPATIENT), other.paused()) == (0, 0)
        assert all(0 < int(client.ttl(key)) <= 161 for key in client.keys("rate-limit:*"))
        client.flushall()


@given(
    per_minute=st.integers(1, 500),
    arrivals=st.lists(st.tuples(st.floats(0, 20), st.integers(1, 40)), min_size=1, max_size=8),
)
def test_no_minute_ever_has_more_requests_than_are_allowed(per_minute: int, arrivals: list[tuple[float, int]]) -> None:
    clock = Clock()
    tokens = OwnBucket(Rate(per_minute), clock)
    turns = []
    for pause, count in arrivals:
        clock.now += pause
        turns += [clock.now + wait for wait in (tokens.take(PATIENT) for _ in range(count)) if wait <= PATIENT]
    assert turns == sorted(turns)
    margin = 1e-6  # for sums of fractions
    assert all(later - turn >= 60 - margin for turn, later in zip(turns, turns[per_minute:], strict=False))


def test_a_request_that_would_wait_too_long_is_refused_at_once() -> None:
    clock = Clock()
    limit = RateLimit(None, NAME, Rate(1), clock, clock.sleep)
    assert limit.wait(10)
    assert not limit.wait(10)
    assert clock.now == 1000
    assert limit.wait(70)
    assert clock.now == 1060


def test_a_turn_that_was_promised_before_a_pause_comes_after_it() -> None:
    clock = Clock()

    def sleep(seconds: float) -> None:
        if clock.now == 1000:
            limit.pause(100)  # another client has to wait
        clock.sleep(seconds)

    limit = RateLimit(None, NAME, Rate(1), clock, sleep)
    assert limit.wait(PATIENT)
    assert limit.wait(PATIENT)
    assert clock.now == 1120  # the pause ended at 1100, and the lost turn counted for 1060
    limit.pause(700)
    assert not limit.wait(PATIENT)


def test_while_redis_is_unavailable_each_worker_applies_the_limit_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    server = RedisServer(f"redis://:pw@127.0.0.1:{free_port()}", clock)
    limit = RateLimit(server, NAME, Rate(1), clock, clock.sleep)
    assert limit.wait(10)
    assert not limit.wait(10)
    assert limit.wait(100)
    limit.pause(10)
    records = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.message for record in records] == [
        "Redis is unavailable (ConnectionError): rate limits and sign-in failures are counted by each worker"
    ]
    server.close()


def test_a_limit_is_shared_where_there_is_redis(redis_url: str) -> None:
    server = RedisServer(redis_url)
    assert RateLimit(server, NAME, Rate(1)).shared
    assert not RateLimit(None, NAME, Rate(1)).shared
    server.close()


def test_a_value_of_another_program_under_the_key_is_no_error(redis_url: str) -> None:
    server = RedisServer(redis_url)
    with redis.Redis.from_url(redis_url) as client:
        client.set(f"rate-limit:{{{NAME}}}:promised", "text")
        assert SharedBucket(client, NAME, Rate(1)).take(IMPATIENT) == 0
        client.delete(f"rate-limit:{{{NAME}}}:paused")
        client.lpush(f"rate-limit:{{{NAME}}}:paused", "x")
        RateLimit(server, NAME, Rate(600)).pause(0)
        client.flushall()
    server.close()


CLIENT = """
import sys, urllib.request
from stores.rate_limit import Rate, RateLimit
from stores.redis_server import RedisServer
limit = RateLimit(RedisServer(sys.argv[1]), "server", Rate(1200))
print("ready", flush=True)
sys.stdin.readline()
while limit.wait(60):
    try:
        urllib.request.urlopen(sys.argv[2]).close()
    except OSError:
        break
"""


def test_two_processes_together_never_send_more_requests_than_allowed(redis_url: str) -> None:
    asked: list[float] = []
    enough = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(time.monotonic())
            if len(asked) >= 100:
                enough.set()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        command = [sys.executable, "-c", CLIENT, redis_url, f"http://127.0.0.1:{server.server_port}"]
        clients = [subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-3) for _ in range(2)]
        for client in clients:
            assert client.stdout is not None
            client.stdout.readline()
        for client in clients:
            assert client.stdin is not None
            client.stdin.write(b"go\n")
            client.stdin.flush()
        assert enough.wait(60)
        for client in clients:
            client.terminate()
            client.communicate()
        server.shutdown()
        thread.join()
    rate = Rate(1200)
    late = len(clients)  # each process may have one request in progress
    for first, began in enumerate(asked):
        for last, moment in enumerate(asked[first:], start=first):
            assert last - first <= rate.burst + late + (moment - began) / rate.interval
