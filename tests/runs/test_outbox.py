"""The outbox as operators see it: events, newest first, with the state of each delivery."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

import runs.outbox
from delivery.events import Event, NotDeliverable
from endpoints import EventType
from records import DeliveryStatus, EventShown
from runs.engine import EngineUnavailable
from runs.outbox import newest_events, replay, send_test
from stores.mongo import DocumentDatabase
from tests.delivery.webhooks.receiver import answering
from tests.runs.nightly import run_once
from tests.runs.test_delivering import BREACHED, Site, site_with
from tests.runs.test_people import CONCENTRATED, add, hold

USERS = 40


class Woken:
    """An engine that only knows which deliveries it was asked to let go on."""

    def __init__(self) -> None:
        self.endpoint_ids: list[str] = []

    def deliver(self, endpoint_id: str) -> None:
        self.endpoint_ids.append(endpoint_id)


@pytest.fixture
def site(database: DocumentDatabase, mongodb_url: str) -> Iterator[Site]:
    """Yield a site after two nights; in the second one everybody's portfolio has breached."""
    with site_with(database, mongodb_url, "one", "two", ANALYSIS_PAGE_SIZE="20") as made:
        for number in range(USERS):
            add(database, f"u{number:02}")
        run_once(made.services)
        for number in range(USERS):
            hold(database, f"u{number:02}", CONCENTRATED)
        run_once(made.services)
        yield made


def shown(
    site: Site, status: DeliveryStatus | None = None, limit: int = 1_000, kind: EventType | None = None
) -> list[EventShown]:
    found: list[EventShown] = []
    before = None
    while True:
        page, before = newest_events(site.services, limit=limit, before=before, kind=kind, status=status)
        found += page
        if before is None:
            return found


def breached(events: list[EventShown]) -> dict[str, dict[str, DeliveryStatus]]:
    return {
        event.subject: {own.endpoint_id: own.status for own in event.deliveries}
        for event in events
        if event.type == BREACHED
    }


def test_before_and_after_its_passes_an_event_is_pending_and_delivered(site: Site) -> None:
    assert set(map(str, breached(shown(site)).values())) == {"{'one': 'pending', 'two': 'pending'}"}
    site.deliver("one")
    assert set(map(str, breached(shown(site)).values())) == {"{'one': 'delivered', 'two': 'pending'}"}
    assert len(breached(shown(site, "pending"))) == USERS
    site.deliver("two")
    assert (len(shown(site, "delivered")), shown(site, "pending"), shown(site, "dead")) == (USERS + 4, [], [])


def test_pages_show_every_event_once_and_newest_first(site: Site) -> None:
    site.receivers["one"].behavior = answering(400)
    site.deliver("one")
    for status in (None, "pending"):
        events = shown(site, status, limit=7)
        assert [event.event_id for event in events] == [event.event_id for event in shown(site, status)]
        places = [(event.time, event.event_id) for event in events]
        assert places == sorted(set(places), reverse=True)
        assert len(events) == USERS + 4


def test_an_event_of_which_one_delivery_is_given_up_is_dead(site: Site) -> None:
    site.deliver("two")
    site.receivers["one"].behavior = answering(410)
    site.deliver("one")
    dead = shown(site, "dead")
    assert len(dead) == USERS + 4
    assert set(map(str, breached(dead).values())) == {"{'one': 'dead', 'two': 'delivered'}"}
    assert shown(site, "pending") == shown(site, "delivered") == []


def event(site: Site, subject: str) -> Event:
    (found,) = [own for own in site.services.outbox.newest(1_000, None, BREACHED) if own.subject == subject]
    return found


def test_a_replay_goes_to_all_that_take_the_type_even_after_it_was_delivered(site: Site) -> None:
    for name in ("one", "two"):
        site.deliver(name)
    engine = Woken()
    assert replay(site.services, engine, event(site, "u07")) == ["one", "two"]  # type: ignore[arg-type]
    assert engine.endpoint_ids == ["one", "two"]
    assert breached(shown(site, "pending")) == {"u07": {"one": "pending", "two": "pending"}}
    before = len(site.receivers["one"].requests)
    site.deliver("one")
    (again,) = site.received("one")[before:]
    assert again["id"] == event(site, "u07").event_id


def test_what_nobody_takes_is_not_replayed(database: DocumentDatabase, mongodb_url: str) -> None:
    with site_with(database, mongodb_url, "ops", types=["portfolio-analysis.run.failed"]) as site:
        add(database, "u")
        run_once(site.services)
        (told, *_) = site.services.outbox.newest(1, None)
        with pytest.raises(NotDeliverable):
            replay(site.services, Woken(), told)  # type: ignore[arg-type]


def test_an_event_of_a_run_that_has_not_completed_is_not_replayed(site: Site, database: DocumentDatabase) -> None:
    told = event(site, "u00")
    database.portfolio_analysis_runs.update_one({"run_id": told.run_id}, {"$set": {"status": "running"}})
    with pytest.raises(NotDeliverable):
        replay(site.services, Woken(), told)  # type: ignore[arg-type]


def test_a_test_goes_to_its_endpoint_whatever_types_that_takes(database: DocumentDatabase, mongodb_url: str) -> None:
    with site_with(database, mongodb_url, "ops", types=[BREACHED]) as site:
        engine = Woken()
        event_id = send_test(site.services, engine, "ops")  # type: ignore[arg-type]
        site.deliver()
        (received,) = site.received()
        assert (received["id"], received["type"], received["subject"]) == (event_id, "portfolio-analysis.test", "ops")


def test_if_the_engine_is_away_what_was_asked_for_is_due_all_the_same(site: Site) -> None:
    class Away:
        def deliver(self, _: str) -> None:
            raise EngineUnavailable

    for name in ("one", "two"):
        site.deliver(name)
    with pytest.raises(EngineUnavailable):
        replay(site.services, Away(), event(site, "u01"))  # type: ignore[arg-type]
    assert breached(shown(site, "pending")) == {"u01": {"one": "pending", "two": "pending"}}


def test_while_a_night_is_under_way_what_it_tells_is_pending(site: Site) -> None:
    told = Event("evt_" + "7" * 32, BREACHED, "u99", "run_x", datetime.now(UTC), {})
    site.services.outbox.add([told])
    site.services.lease.acquire("run_x", datetime.now(UTC))
    assert breached(shown(site, "pending"))["u99"] == {"one": "pending", "two": "pending"}
    site.services.lease.release("run_x")
    (left,) = [own for own in shown(site) if own.subject == "u99"]
    assert (left.status, left.deliveries) == (None, ())


def test_what_no_endpoint_takes_is_in_no_state(database: DocumentDatabase, mongodb_url: str) -> None:
    with site_with(database, mongodb_url, "ops", types=["portfolio-analysis.run.failed"]) as site:
        add(database, "u")
        run_once(site.services)
        assert {own.status for own in shown(site)} == {None}
        assert shown(site, "delivered") == []


def test_an_endpoint_that_is_there_no_more_takes_nothing_and_nothing_waits_for_it(
    site: Site, database: DocumentDatabase, mongodb_url: str
) -> None:
    site.deliver("two")
    with site_with(database, mongodb_url, "two") as left:
        assert set(map(str, breached(shown(left)).values())) == {"{'two': 'delivered'}"}


def test_a_page_that_is_cut_short_tells_where_to_go_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.outbox, "_AT_ONCE", 5)
    monkeypatch.setattr(runs.outbox, "_MOST_PAGES", 1)
    for name in ("one", "two"):
        site.deliver(name)
    for status, kind, count in (("delivered", None, USERS + 4), ("delivered", BREACHED, USERS), ("dead", None, 0)):
        events = shown(site, cast("DeliveryStatus", status), kind=kind)
        assert len({event.event_id for event in events}) == len(events) == count


def test_a_replay_ends_the_rest_of_an_endpoint(site: Site) -> None:
    for name in ("one", "two"):
        site.deliver(name)
    site.services.webhooks.rest("one", 16, datetime.now(UTC) + timedelta(minutes=30))
    replay(site.services, Woken(), event(site, "u07"))  # type: ignore[arg-type]
    before = len(site.receivers["one"].requests)
    site.deliver("one")
    assert len(site.received("one")) == before + 1
