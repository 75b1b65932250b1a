"""The request rate for a third-party server: a token bucket, in Redis for all workers together.

Tokens enter the bucket at a steady rate, and each request takes one. The stored value is the time until which tokens
are promised, so that each caller learns the time of its turn at once, and turns are in order.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import redis

from stores.redis_server import RedisServer, command

_MICROSECONDS = 1_000_000
_BURST_SHARE = 20


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``per_minute`` requests in any 60 seconds; after a pause, several of them at once."""

    per_minute: int

    @property
    def burst(self) -> int:
        """The number of tokens the bucket holds."""
        return max(1, self.per_minute // _BURST_SHARE)

    @property
    def interval(self) -> float:
        """Seconds from one token to the next: the burst of a full bucket is subtracted from the rest of the minute."""
        return 60.0 / (self.per_minute - self.burst + 1)


class OwnBucket:
    """Tokens of this process."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._promised_until = self._paused_until = float("-inf")

    def take(self, patience_seconds: float) -> float:
        """Take a token and return the seconds until it may be used; if that is more than the patience, take none."""
        with self._lock:
            now = self._clock()
            promised_until = max(self._promised_until, now)
            wait = max(0.0, promised_until - now - (self._rate.burst - 1) * self._rate.interval)
            if wait <= patience_seconds:
                self._promised_until = promised_until + self._rate.interval
            return wait

    def pause(self, seconds: float) -> None:
        """Empty the bucket, and add no tokens for a while."""
        with self._lock:
            ends = self._clock() + seconds
            self._paused_until = max(self._paused_until, ends)
            self._promised_until = max(self._promised_until, ends + (self._rate.burst - 1) * self._rate.interval)

    def paused(self) -> float:
        """Return the remaining seconds of a pause."""
        return max(0.0, self._paused_until - self._clock())


# A script is one atomic step for all workers, by the server's clock: theirs may differ. Times are whole microseconds,
# which a double holds exactly. KEYS: promised until, paused until. The keys expire when they no longer matter.
_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function store(key, moment)
    redis.call('SET', key, string.format('%.0f', moment), 'PX', math.max(1, math.ceil((moment - now) / 1000)))
end
local function current(key)
    return math.max(tonumber(redis.call('GET', key)) or 0, now)
end
"""
_TAKE = f"""{_NOW}
local interval, burst, patience = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local promised = current(KEYS[1])
local wait = math.max(0, promised - now - (burst - 1) * interval)
if wait <= patience then store(KEYS[1], promised + interval) end
return wait
"""
_PAUSE = f"""{_NOW}
local ends = now + tonumber(ARGV[3])
store(KEYS[2], math.max(current(KEYS[2]), ends))
store(KEYS[1], math.max(current(KEYS[1]), ends + (tonumber(ARGV[2]) - 1) * tonumber(ARGV[1])))
return 0
"""
_PAUSED = f"""{_NOW}
return current(KEYS[2]) - now
"""


@dataclass(frozen=True, slots=True)
class SharedBucket:
    """Tokens in Redis, for all clients of the server ``name``. Raises RedisError."""

    client: redis.Redis
    name: str
    rate: Rate

    def take(self, patience_seconds: float) -> float:
        """As :meth:`OwnBucket.take`."""
        return self._run(_TAKE, patience_seconds)

    def pause(self, seconds: float) -> None:
        """As :meth:`OwnBucket.pause`."""
        self._run(_PAUSE, seconds)

    def paused(self) -> float:
        """As :meth:`OwnBucket.paused`."""
        return self._run(_PAUSED, 0.0)

    def _run(self, script: str, seconds: float) -> float:
        keys = [f"rate-limit:{{{self.name}}}:promised", f"rate-limit:{{{self.name}}}:paused"]
        arguments = [int(self.rate.interval * _MICROSECONDS), self.rate.burst, int(seconds * _MICROSECONDS)]
        with command("EVALSHA"):
            answer = self.client.register_script(script)(keys, arguments)
        return cast("int", answer) / _MICROSECONDS


type Bucket = OwnBucket | SharedBucket


class RateLimit:
    """Lets requests pass at the allowed rate: of all workers together, or of each alone while Redis is down."""

    def __init__(
        self,
        redis_server: RedisServer | None,
        name: str,
        rate: Rate,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._redis_server = redis_server
        self._name = name
        self._rate = rate
        self._own = OwnBucket(rate, clock)
        self._clock = clock
        self._sleep = sleep

    @property
    def shared(self) -> bool:
        """Return whether the rate is that of all workers together, as long as Redis is available."""
        return self._redis_server is not None

    def wait(self, patience_seconds: float) -> bool:
        """Wait for a turn and return True; return False, at once, if it does not come within the patience."""
        ends = self._clock() + patience_seconds
        seconds = self._ask(lambda bucket: bucket.take(patience_seconds))
        if seconds > patience_seconds:
            return False
        if seconds == 0:
            return True
        self._sleep(seconds)
        # A turn that was promised before the server asked for a pause does not count.
        return self._ask(lambda bucket: bucket.paused()) == 0 or self.wait(ends - self._clock())

    def pause(self, seconds: float) -> None:
        """Let no request pass for a while, including those already promised a turn."""
        self._ask(lambda bucket: bucket.pause(seconds))

    def _ask[Answer](self, question: Callable[[Bucket], Answer]) -> Answer:
        if self._redis_server is None:
            return question(self._own)
        return self._redis_server.ask(
            lambda client: question(SharedBucket(client, self._name, self._rate)), lambda: question(self._own)
        )
