from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from stores.leases import RunLease
from stores.mongo import DocumentDatabase

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def lease(database: DocumentDatabase) -> RunLease:
    return RunLease(database)


def test_the_second_request_gets_the_holder_of_the_lease(lease: RunLease) -> None:
    assert lease.acquire("first", NOW) is None
    assert lease.acquire("second", NOW) == "first"


def test_a_released_lease_can_be_taken_again(lease: RunLease) -> None:
    lease.acquire("first", NOW)
    lease.release("first")
    assert lease.acquire("second", NOW) is None


def test_a_lease_can_only_be_released_by_its_holder(lease: RunLease) -> None:
    lease.acquire("first", NOW)
    lease.release("second")
    assert lease.acquire("third", NOW) == "first"


def test_of_two_takeovers_from_one_holder_only_one_succeeds(lease: RunLease) -> None:
    lease.acquire("over", NOW)
    assert lease.take_over("over", "second", NOW)
    assert not lease.take_over("over", "third", NOW)
    assert lease.acquire("fourth", NOW) == "second"


def test_of_many_concurrent_requests_exactly_one_gets_the_lease(lease: RunLease) -> None:
    with ThreadPoolExecutor(16) as pool:
        for turn in range(30):
            names = [f"{turn}-{i}" for i in range(16)]
            answers = dict(zip(names, pool.map(lambda name: lease.acquire(name, NOW), names), strict=True))
            winners = [name for name, holder in answers.items() if holder is None]
            assert len(winners) == 1
            assert set(answers.values()) == {None, winners[0]}
            lease.release(winners[0])
