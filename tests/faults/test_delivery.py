"""Deaths while events are delivered: each arrives at least once, and is known to be the same when it arrives again."""

import json
import time
from collections.abc import Iterator
from copy import replace

import pytest

from tests.delivery.webhooks.receiver import Exchange, Receiver, a_receiver, answering
from tests.devhost.harness import eventually
from tests.faults.people import people
from tests.faults.site import PATIENCE_SECONDS, Site
from tests.runs.test_delivering import BREACHED, SECRET

USERS = 300
_ROUNDS = 8
_taken = answering(204)


def slowly(exchange: Exchange) -> None:
    time.sleep(0.5)  # so that events are on their way when the workers are killed
    _taken(exchange)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver(slowly) as made:
        yield made


def breached(receiver: Receiver) -> list[str]:
    events = [json.loads(request.body) for request in list(receiver.requests)]
    return [event["id"] for event in events if event["type"] == BREACHED]


def wait_for_more(site: Site, receiver: Receiver, than: int) -> None:
    """Wait until more events have arrived; if a delivery was not woken, the watchdog wakes it."""
    for _ in range(_ROUNDS):
        try:
            eventually(lambda: len(breached(receiver)) > than, PATIENCE_SECONDS / _ROUNDS)
        except AssertionError:
            site.fire_watchdog()
        else:
            return
    raise AssertionError(f"{len(breached(receiver))} events have arrived")


def test_no_event_is_lost_when_workers_die_while_they_deliver(site: Site, receiver: Receiver) -> None:
    endpoint = {"endpoint_id": "ops", "url": receiver.url(), "secret_name": "signing"}
    site.heal(
        WEBHOOKS=json.dumps([endpoint]), WEBHOOKS_ALLOW_PRIVATE="1", SIGNING=SECRET,
        ANALYSIS_STALL_SECONDS="600",  # the watchdog is to wake the delivery, not to end a run that is slow
    )  # fmt: skip
    spread = people(USERS)
    site.populate(spread)
    site.wait(site.trigger())
    site.populate([replace(own, holdings=own.holdings[:1]) for own in spread])
    night = site.trigger()
    for already in (20, 120):
        wait_for_more(site, receiver, already)
        site.kill_workers()
        site.wait_for_workers()
    site.wait(night)
    told = {own["event_id"] for own in site.database.outbox.find({"run_id": night, "type": BREACHED})}
    eventually(
        lambda: not site.database.delivery_passes.count_documents({"left.0": {"$exists": True}}), PATIENCE_SECONDS
    )
    assert len(told) > USERS / 2
    assert set(breached(receiver)) == told
    assert len(breached(receiver)) > len(told)  # what was on its way came again
