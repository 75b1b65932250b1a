import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from credentials.secrets import (
    AFTER_FAILURE_SECONDS,
    BETWEEN_REPEATED_FETCHES_SECONDS,
    BRIDGE_SECONDS,
    FRESH_SECONDS,
    Cached,
    Unavailable,
)
from tests.clock import Clock


class Source:
    """Returns its value or fails; counts its calls."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.failure: Exception | None = None
        self.asked = 0
        self.door = threading.Event()
        self.door.set()
        self.waiting = threading.Event()

    def __call__(self) -> str:
        self.asked += 1
        value = self.value
        self.waiting.set()
        self.door.wait()
        if self.failure is not None:
            raise self.failure
        return value


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source() -> Source:
    return Source("old")


@pytest.fixture
def cached(source: Source, clock: Clock) -> Cached[str]:
    return Cached("The value", source, clock)


def value(cached: Cached[str]) -> str | None:
    return cached.find(lambda found: found)


def look_for(cached: Cached[str], wanted: str) -> str | None:
    return cached.find(lambda found: found if found == wanted else None)


def test_a_fresh_value_is_not_fetched_again(cached: Cached[str], source: Source, clock: Clock) -> None:
    for _ in range(10):
        assert value(cached) == "old"
        clock.advance(FRESH_SECONDS / 11)
    assert source.asked == 1


def test_a_value_that_is_no_longer_fresh_is_fetched_again(cached: Cached[str], source: Source, clock: Clock) -> None:
    value(cached)
    source.value = "new"
    clock.advance(FRESH_SECONDS + 1)
    assert value(cached) == "new"


def test_if_a_value_is_not_found_it_is_fetched_once_more_at_once(cached: Cached[str], source: Source) -> None:
    value(cached)
    source.value = "new"
    assert look_for(cached, "new") == "new"
    assert source.asked == 2


def test_a_value_just_fetched_is_not_fetched_again_for_the_same_lookup(cached: Cached[str], source: Source) -> None:
    assert look_for(cached, "nothing") is None
    assert source.asked == 1


def test_second_fetches_are_rare_for_any_number_of_guesses(cached: Cached[str], source: Source, clock: Clock) -> None:
    value(cached)
    for guess in range(1_000):
        assert look_for(cached, str(guess)) is None
        clock.advance(0.01)
    assert source.asked <= 1 + 10 / BETWEEN_REPEATED_FETCHES_SECONDS + 1


def test_after_guesses_a_new_value_is_found_a_moment_later(cached: Cached[str], source: Source, clock: Clock) -> None:
    value(cached)
    look_for(cached, "guess")
    source.value = "new"
    assert look_for(cached, "new") is None
    clock.advance(BETWEEN_REPEATED_FETCHES_SECONDS + 1)
    assert look_for(cached, "new") == "new"


def test_an_outage_is_bridged_for_a_bounded_time(cached: Cached[str], source: Source, clock: Clock) -> None:
    value(cached)
    source.failure = Unavailable("gone")
    clock.advance(BRIDGE_SECONDS - 1)
    assert value(cached) == "old"
    assert cached.failing
    clock.advance(2)
    with pytest.raises(Unavailable, match="gone"):
        value(cached)


def test_after_an_outage_the_value_is_fetched_again(cached: Cached[str], source: Source, clock: Clock) -> None:
    source.failure = Unavailable("gone")
    with pytest.raises(Unavailable):
        value(cached)
    source.failure = None
    clock.advance(AFTER_FAILURE_SECONDS + 1)
    assert value(cached) == "old"
    assert not cached.failing


def test_a_failing_source_is_not_called_for_a_moment(cached: Cached[str], source: Source, clock: Clock) -> None:
    source.failure = Unavailable("gone")
    for _ in range(10):
        with pytest.raises(Unavailable, match="gone"):
            value(cached)
    assert source.asked == 1
    clock.advance(AFTER_FAILURE_SECONDS + 1)
    with pytest.raises(Unavailable):
        value(cached)
    assert source.asked == 2


@pytest.mark.parametrize(("wish", "silence"), [(60.0, 60.0), (1.0, AFTER_FAILURE_SECONDS), (1e9, 300.0)])
def test_the_retry_time_of_a_source_is_respected_within_bounds(
    cached: Cached[str], source: Source, clock: Clock, wish: float, silence: float
) -> None:
    source.failure = Unavailable("busy", wish)
    for step, asked in ((0.0, 1), (silence - 1, 1), (2.0, 2)):
        clock.advance(step)
        with pytest.raises(Unavailable):
            value(cached)
        assert source.asked == asked


def test_a_failing_second_fetch_does_not_change_the_cached_value(cached: Cached[str], source: Source) -> None:
    value(cached)
    source.failure = Unavailable("gone")
    assert look_for(cached, "new") is None
    assert value(cached) == "old"


def test_after_a_failed_second_fetch_guesses_do_not_call_the_source_for_a_moment(
    cached: Cached[str], source: Source, clock: Clock
) -> None:
    value(cached)
    source.failure = Unavailable("gone")
    look_for(cached, "guess")
    clock.advance(BETWEEN_REPEATED_FETCHES_SECONDS + 1)
    assert BETWEEN_REPEATED_FETCHES_SECONDS + 1 < AFTER_FAILURE_SECONDS
    look_for(cached, "guess")
    assert source.asked == 2


def test_an_unexpected_error_is_raised_and_does_not_block_other_threads(cached: Cached[str], source: Source) -> None:
    source.failure = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        value(cached)
    source.failure = None
    assert value(cached) == "old"


def test_threads_without_a_value_wait_for_one_fetch(cached: Cached[str], source: Source) -> None:
    source.door.clear()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(value, cached) for _ in range(8)]
        source.waiting.wait()
        source.door.set()
        assert [answer.result() for answer in answers] == ["old"] * 8
    assert source.asked == 1


def test_while_one_thread_fetches_the_others_use_the_cached_value(
    cached: Cached[str], source: Source, clock: Clock
) -> None:
    value(cached)
    source.value = "new"
    source.waiting.clear()
    source.door.clear()
    clock.advance(FRESH_SECONDS + 1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(value, cached)
        source.waiting.wait()
        assert value(cached) == "old"  # would wait forever otherwise
        source.door.set()
        assert first.result() == "new"
    assert source.asked == 2


def test_a_lookup_of_a_value_newer_than_a_fetch_in_progress_is_not_refused(cached: Cached[str], source: Source) -> None:
    value(cached)
    source.waiting.clear()
    source.door.clear()
    with ThreadPoolExecutor(2) as pool:
        guess = pool.submit(look_for, cached, "guess")
        source.waiting.wait()  # it has read "old" and will return it
        source.value = "new"
        fresh = pool.submit(look_for, cached, "new")
        source.door.set()
        assert guess.result() is None
        # Refused only during the moment for which guesses delay second fetches.
        assert fresh.result() in (None, "new")
    assert source.asked <= 3
