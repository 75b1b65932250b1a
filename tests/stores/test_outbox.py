"""The events that a run tells, as a pass of deliveries reads them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import pytest
from pymongo import monitoring

from delivery.events import Event, event_id
from stores.mongo import DocumentDatabase, connect, own_database
from stores.outbox import OutboxStore
from stores.passes import SLOTS, bounds

AT_ONCE = 20
KIND: Final = "portfolio-analysis.portfolio.breached"


class Sizes(monitoring.CommandListener):
    """The sizes of the answers to queries."""

    def __init__(self) -> None:
        self.found: list[int] = []

    def started(self, _: monitoring.CommandStartedEvent) -> None:
        """Nothing is known yet."""

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        if event.command_name in ("find", "getMore"):
            cursor = event.reply["cursor"]
            self.found.append(len(cursor.get("firstBatch", cursor.get("nextBatch"))))

    def failed(self, _: monitoring.CommandFailedEvent) -> None:
        """The test fails by itself."""


@pytest.fixture
def sizes() -> Sizes:
    return Sizes()


@pytest.fixture
def outbox(database: DocumentDatabase, mongodb_url: str, sizes: Sizes) -> Iterator[OutboxStore]:
    with connect(mongodb_url, [sizes]) as client:
        store = OutboxStore(own_database(client, database.name))
        store.ensure_indexes()
        yield store


def add(outbox: OutboxStore, run_id: str, number: int) -> list[str]:
    """Add so many events of a run, and return their ids in order."""
    now = datetime.now(UTC)
    ids = [event_id("/source", run_id, f"u{user}", KIND) for user in range(number)]
    outbox.add([Event(own, KIND, f"u{user}", run_id, now, {}) for user, own in enumerate(ids)])
    return sorted(ids)


@pytest.mark.parametrize("number", [0, 1, 40, 3_000])
def test_the_slots_of_a_run_have_all_its_events_in_order_and_no_query_finds_many(
    outbox: OutboxStore, sizes: Sizes, number: int
) -> None:
    ids = add(outbox, "run_a", number)
    add(outbox, "run_b", 100)
    sizes.found.clear()
    read = [event.event_id for slot in SLOTS for event in outbox.of_run("run_a", *bounds(slot, ""), AT_ONCE)]
    assert read == ids
    assert max(sizes.found) <= 4 * AT_ONCE
    assert len(sizes.found) <= 8 * len(SLOTS) + number / AT_ONCE * 2


@pytest.mark.parametrize("slot", ["0", "f"])
def test_a_slot_is_read_from_any_event_on(outbox: OutboxStore, slot: str) -> None:
    ids = [own for own in add(outbox, "run_a", 1_000) if own.startswith(f"evt_{slot}")]
    for reached in (0, len(ids) // 2, len(ids) - 2, len(ids) - 1):
        low, high = bounds(slot, ids[reached])
        assert [event.event_id for event in outbox.of_run("run_a", low, high, AT_ONCE)] == ids[reached + 1 :]
