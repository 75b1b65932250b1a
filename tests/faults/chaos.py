"""Random faults at random moments of a run: their kinds, their cost, and the states in which a run may end."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import psutil
from pymongo.errors import PyMongoError

from stores.mongo import OWN_COLLECTIONS
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE
from tests.faults.meddling import Throttling
from tests.faults.people import SYMBOLS
from tests.faults.site import FINAL, Site

# A step has five attempts. The faults of a run may use up four, so that it must complete.
ATTEMPTS = 4
# A host with two workers exits at the sixth death of a worker; at the start of a run at most one has died.
MOST_DEATHS = 4
STALL_SECONDS = 90
_PATIENCE_SECONDS = 400


@dataclass
class Story:
    """One run and its faults: ``states`` are its permitted final states, ``must`` is the required one."""

    site: Site
    run_id: str
    states: set[str] = field(default_factory=lambda: {"completed", "completed_with_errors"})
    must: str | None = None
    same_figures: bool = True
    injected: list[str] = field(default_factory=list)
    further_runs: list[str] = field(default_factory=list)

    def may_end_in(self) -> tuple[str, ...]:
        return (self.must,) if self.must else tuple(sorted(self.states))

    def is_over(self) -> bool:
        """Return whether the run has ended and is cleaned up; False if this is unknown."""
        with suppress(PyMongoError):
            return self.site.record(self.run_id)["status"] in FINAL and self.site.is_cleared_up(self.run_id)
        return False


@dataclass(frozen=True)
class Fault:
    """A kind of fault, its duration, and the number of attempts of a step that it may use up.

    Of the faults with the same ``targets`` a run has only one. ``deaths`` are deaths of workers; a host survives only a
    few of them.
    """

    name: str
    targets: frozenset[str]
    attempts: int
    longest_seconds: float
    inject: Callable[[Story, float, random.Random], None]
    weight: int = 4
    deaths: int = 0


def _kill_worker(story: Story, _: float, source: random.Random) -> None:
    with suppress(psutil.NoSuchProcess, IndexError):
        story.site.kill_worker(source.choice(story.site.workers()))


def _kill_workers(story: Story, _: float, __: random.Random) -> None:
    with suppress(psutil.NoSuchProcess):
        story.site.kill_workers()


def _pause_worker(story: Story, seconds: float, source: random.Random) -> None:
    with suppress(psutil.NoSuchProcess, IndexError):
        worker = source.choice(story.site.workers())
        worker.suspend()
        time.sleep(seconds)
        worker.resume()


def _stop_mongodb(story: Story, seconds: float, _: random.Random) -> None:
    story.site.stop_mongodb()
    time.sleep(seconds)
    story.site.start_mongodb()


def _kill_mongodb(story: Story, seconds: float, _: random.Random) -> None:
    story.site.kill_mongodb()
    time.sleep(seconds)
    story.site.start_mongodb()


def _pause_mongodb(story: Story, seconds: float, _: random.Random) -> None:
    story.site.mongodb.pause()
    time.sleep(seconds)
    story.site.mongodb.resume()


def _throttle_mongodb(story: Story, seconds: float, _: random.Random) -> None:
    throttling = Throttling(40, OWN_COLLECTIONS)
    story.site.wire.meddling.append(throttling)
    time.sleep(seconds)
    story.site.wire.meddling.remove(throttling)


def _cut_connections(story: Story, _: float, __: random.Random) -> None:
    story.site.wire.cut()


def _lose_mongodb(story: Story, seconds: float, source: random.Random) -> None:
    story.states.add("failed")
    _stop_mongodb(story, 60 + seconds, source)


def _kill_redis(story: Story, seconds: float, _: random.Random) -> None:
    story.site.redis.kill()
    time.sleep(seconds)
    story.site.redis.start()


def _pause_redis(story: Story, seconds: float, _: random.Random) -> None:
    story.site.redis.pause()
    time.sleep(seconds)
    story.site.redis.resume()


def _hide_prices(story: Story, seconds: float, _: random.Random) -> None:
    story.site.hide_prices()
    time.sleep(seconds)
    story.site.show_prices()


def _lose_prices(story: Story, seconds: float, source: random.Random) -> None:
    story.states.add("failed")
    _hide_prices(story, 40 + seconds, source)


def _break_prices(story: Story, _: float, source: random.Random) -> None:
    story.same_figures = False
    (story.site.prices / f"{source.choice(SYMBOLS)}.csv").write_bytes(source.randbytes(10_000))


def _kill_host(story: Story, seconds: float, _: random.Random) -> None:
    story.states.add("failed")
    story.site.kill_app()
    time.sleep(seconds)
    story.site.restart_app()
    _fire_watchdog_until_over(story)


def _stall(story: Story, _: float, source: random.Random) -> None:
    story.states.add("failed")
    worker = source.choice(story.site.workers())
    worker.suspend()
    _fire_watchdog_until_over(story)
    worker.resume()


def _fire_watchdog_until_over(story: Story) -> None:
    def is_over() -> bool:
        with suppress(httpx.HTTPError, PyMongoError):
            story.site.age_if_active(story.run_id, seconds=120)
            story.site.fire_watchdog()
        return story.is_over()

    eventually(is_over, _PATIENCE_SECONDS)


def _cancel(story: Story, _: float, __: random.Random) -> None:
    try:
        answer = story.site.app.client.post(f"{BASE}/analysis-runs/{story.run_id}/cancel")
    except httpx.HTTPError:
        story.states.add("canceled")  # it is unknown whether it was accepted
        return
    assert answer.status_code in {202, 409, 500, 503}, answer.text
    if answer.status_code == 202:
        story.must = "canceled"
    elif answer.status_code != 409:
        story.states.add("canceled")


def _trigger_again(story: Story, _: float, __: random.Random) -> None:
    with suppress(httpx.HTTPError):
        answer = story.site.app.trigger()
        assert answer.status_code in {202, 409, 500, 503}, answer.text
        if answer.status_code == 202:  # the run has ended in the meantime
            story.further_runs.append(answer.json()["run_id"])


_MONGODB, _REDIS = frozenset({"mongodb"}), frozenset({"redis"})
PRICES = frozenset({"prices"})
_WORKER, _REQUEST, _ANY_NUMBER = frozenset({"worker"}), frozenset({"request"}), frozenset[str]()
_HOST = _WORKER | _REQUEST

FAULTS = (
    Fault("worker killed", _ANY_NUMBER, 1, 0, _kill_worker, weight=12, deaths=1),
    Fault("all workers killed", _ANY_NUMBER, 1, 0, _kill_workers, weight=12, deaths=2),
    Fault("worker paused", _WORKER, 0, 15, _pause_worker),
    Fault("MongoDB stopped", _MONGODB, 2, 8, _stop_mongodb),
    Fault("MongoDB killed", _MONGODB, 2, 8, _kill_mongodb),
    Fault("MongoDB silent", _MONGODB, 2, 20, _pause_mongodb),
    Fault("MongoDB throttles", _ANY_NUMBER, 0, 20, _throttle_mongodb),
    Fault("connections cut", _ANY_NUMBER, 1, 0, _cut_connections),
    Fault("MongoDB away for long", _MONGODB, ATTEMPTS, 15, _lose_mongodb, weight=1),
    Fault("Redis killed", _REDIS, 0, 10, _kill_redis),
    Fault("Redis silent", _REDIS, 0, 10, _pause_redis),
    Fault("prices away", PRICES, 2, 5, _hide_prices),
    Fault("prices away for long", PRICES, ATTEMPTS, 15, _lose_prices, weight=1),
    Fault("price file broken", PRICES, 0, 0, _break_prices),
    Fault("host killed", _HOST, ATTEMPTS, 2, _kill_host, weight=12),
    Fault("worker stuck for good", _HOST, ATTEMPTS, 0, _stall, weight=4),
    Fault("canceled", _REQUEST, 0, 0, _cancel, weight=5),
    Fault("triggered again", _REQUEST, 0, 0, _trigger_again),
)


@dataclass(frozen=True)
class PlannedFault:
    """A fault with its moment, its duration and its own random source."""

    fault: Fault
    after_seconds: float
    seconds: float
    source: random.Random

    def happen(self, story: Story) -> None:
        time.sleep(self.after_seconds)  # a random moment: there is no event to wait for
        if not story.is_over():
            story.injected.append(self.fault.name)
            self.fault.inject(story, self.seconds, self.source)


def plan_faults(
    source: random.Random, most: int, within_seconds: float, spared: frozenset[str] = _ANY_NUMBER
) -> list[PlannedFault]:
    """Return random faults for one run, none with the targets ``spared``.

    It must survive all of them unless one of them may end it.
    """
    drawn: list[Fault] = []
    for fault in source.choices(FAULTS, [fault.weight for fault in FAULTS], k=source.randint(1, most)):
        attempts = sum(other.attempts for other in drawn) + fault.attempts
        deaths = sum(other.deaths for other in drawn) + fault.deaths
        targets = spared.union(*(other.targets for other in drawn))
        if attempts <= ATTEMPTS and deaths <= MOST_DEATHS and not fault.targets & targets:
            drawn.append(fault)
    return [
        PlannedFault(
            fault,
            # A fault that may end the run comes early: later, many pages would take very long to use up their attempts.
            source.uniform(0, 1 if fault.inject in (_lose_mongodb, _lose_prices) else within_seconds),
            source.uniform(0, fault.longest_seconds),
            random.Random(source.getrandbits(32)),  # noqa: S311 - repeatable on purpose
        )
        for fault in drawn
    ]
