"""Events of runs, from the outbox to a receiver on this machine: what is told, once, and what happens if it fails."""

import base64
import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

import runs.delivering
import runs.reports
from delivery.digest import digest_of
from delivery.events import OF_PORTFOLIOS, Event, event_id
from endpoints import EventType
from market_data.sample_prices import SampleProvider
from records import Attention, Book, DeliveryStep, Failure
from runs.delivering import deliver, work_for
from runs.ending import close_run
from runs.services import Services
from runs.telling import tell_of_people
from stores.mongo import DocumentDatabase
from stores.passes import Pass, PassStore
from tests.delivery.webhooks.receiver import Exchange, Receiver, a_receiver, answering
from tests.runs.nightly import run_once
from tests.runs.steps import all_services
from tests.runs.test_people import CONCENTRATED, SPREAD, add, hold

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BREACHED: EventType = "portfolio-analysis.portfolio.breached"
RECOVERED: EventType = "portfolio-analysis.portfolio.recovered"
FAILED: EventType = "portfolio-analysis.portfolio.failed"
INCOMPLETE: EventType = "portfolio-analysis.portfolio.incomplete"


class Site:
    """The services of a run, and the receivers of its events, each by the name of its endpoint."""

    def __init__(self, services: Services, receivers: dict[str, Receiver]) -> None:
        self.services, self.receivers = services, receivers

    def deliver(self, endpoint_id: str = "ops") -> None:
        """Deliver all that is to be delivered now, as the orchestration does."""
        while (work := work_for(self.services, endpoint_id)).due or work.slots:
            before = len(self.receivers[endpoint_id].requests)
            if work.due:
                deliver(self.services, DeliveryStep(endpoint_id))
            for run_id, slot in work.slots:
                deliver(self.services, DeliveryStep(endpoint_id, run_id, slot))
            if work_for(self.services, endpoint_id) == work and len(self.receivers[endpoint_id].requests) == before:
                return

    def wake(self, endpoint_id: str = "ops") -> None:
        """End the pause of an endpoint that took nothing."""
        self.services.webhooks.rest(endpoint_id, 0, None)

    def received(self, endpoint_id: str = "ops") -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in self.receivers[endpoint_id].requests]

    def types(self, endpoint_id: str = "ops") -> Counter[str]:
        return Counter(event["type"] for event in self.received(endpoint_id))

    def told(self, kind: EventType, subject: str | None = None) -> list[dict[str, Any]]:
        events = self.services.outbox.newest(1_000, None, kind)
        return [dict(event.data) for event in events if subject in (None, event.subject)]

    def statuses(self) -> Counter[str]:
        ids = [event.event_id for event in self.services.outbox.newest(1_000, None)]
        return Counter(own.status for own in self.services.outbox.deliveries(ids))


@contextmanager
def site_with(
    database: DocumentDatabase, mongodb_url: str, *endpoints: str, types: Sequence[str] = (), **more: str
) -> Iterator[Site]:
    with ExitStack() as stack:
        receivers = {name: stack.enter_context(a_receiver(answering(204))) for name in endpoints}
        named: list[dict[str, Any]] = [
            {"endpoint_id": name, "url": own.url(), "secret_name": "signing"} | ({"types": types} if types else {})
            for name, own in receivers.items()
        ]
        settings = {"WEBHOOKS": json.dumps(named), "WEBHOOKS_ALLOW_PRIVATE": "1", "SIGNING": SECRET}
        local = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development"}
        services = stack.enter_context(
            all_services(database, mongodb_url, SampleProvider(), **settings, **local, **more)
        )
        for store in services.own:
            store.ensure_indexes()
        yield Site(services, receivers)


@pytest.fixture
def site(database: DocumentDatabase, mongodb_url: str) -> Iterator[Site]:
    with site_with(database, mongodb_url, "ops") as made:
        yield made


def test_a_run_tells_its_start_and_its_end(site: Site, database: DocumentDatabase) -> None:
    add(database, "u")
    run_once(site.services, dry_run=True)  # which leaves nothing
    run_id = run_once(site.services, user_ids=["u"])
    site.deliver()
    started, completed = sorted(site.received(), key=lambda event: event["time"])
    assert (started["type"], completed["type"]) == (
        "portfolio-analysis.run.started",
        "portfolio-analysis.run.completed",
    )
    assert completed == completed | {"specversion": "1.0", "source": "/portfolio-analysis", "subject": run_id}
    assert completed["data"] == completed["data"] | {"run_id": run_id, "users": "some", "users_analyzed": 1}


@pytest.mark.parametrize(("failure", "kind"), [(Failure("step_failed", "It failed."), "failed"), (None, "canceled")])
def test_a_run_that_fails_or_is_canceled_tells_so_and_nothing_of_portfolios(
    site: Site, database: DocumentDatabase, failure: Failure | None, kind: str
) -> None:
    add(database, "u")
    run_once(site.services)
    hold(database, "u", CONCENTRATED)
    run_id = run_once(site.services, failure=failure, cancel=kind == "canceled")
    site.deliver()
    (ended,) = [event for event in site.received() if event["subject"] == run_id and "started" not in event["type"]]
    assert ended["type"] == f"portfolio-analysis.run.{kind}"
    assert site.told(BREACHED) == []


def test_a_night_tells_of_each_person_what_has_changed_since_the_night_before(
    site: Site, database: DocumentDatabase
) -> None:
    for name in ("better", "fails", "partly", "same", "worse"):
        add(database, name)
    hold(database, "better", CONCENTRATED)
    run_once(site.services)
    assert not set(site.types()) & set(OF_PORTFOLIOS)
    hold(database, "better", SPREAD)
    hold(database, "worse", CONCENTRATED)
    hold(database, "partly", SPREAD | {"NOSUCHSYMBOL": 1.0})
    database.accounts.insert_one({"user_id": "fails", "cash": "plenty"})
    night = run_once(site.services)
    run_once(site.services)  # nothing changes any more
    site.deliver()
    told = {(event["subject"], event["type"]): event for event in site.received() if event["type"] in OF_PORTFOLIOS}
    assert sorted(told) == [("better", RECOVERED), ("fails", FAILED), ("partly", INCOMPLETE), ("worse", BREACHED)]
    worse = told["worse", BREACHED]
    assert worse["id"] == event_id("/portfolio-analysis", night, "worse", BREACHED)
    (rule,) = [rule for rule in worse["data"]["rules"] if rule["rule"] == "largest_position"]
    assert rule["status"] == "breach"
    assert rule["value"] > rule["threshold"]
    assert "AAPL" not in json.dumps(list(told.values()))


def test_the_link_of_an_event_leads_to_a_person_with_any_id(site: Site, database: DocumentDatabase) -> None:
    add(database, "u@x.org #1?")
    run_once(site.services)
    hold(database, "u@x.org #1?", CONCENTRATED)
    night = run_once(site.services)
    (told,) = site.told(BREACHED)
    assert told["user_id"] == "u@x.org #1?"
    assert told["link"] == f"/api/admin/portfolio/analysis-runs/{night}/portfolios/u@x.org%20%231%3F"


@pytest.mark.parametrize("other", ["dry", "as of a date", "of some"])
def test_other_runs_tell_nothing_of_portfolios(site: Site, database: DocumentDatabase, other: str) -> None:
    add(database, "u")
    run_once(site.services)
    hold(database, "u", CONCENTRATED)
    match other:
        case "dry":
            run_once(site.services, dry_run=True)
        case "of some":
            run_once(site.services, user_ids=["u"])
        case _:
            run_once(site.services, as_of=date(2025, 1, 2))
    assert site.told(BREACHED) == []


def test_a_retry_tells_only_what_its_night_has_not_told(site: Site, database: DocumentDatabase) -> None:
    for name in ("again", "worse"):
        add(database, name)
    run_once(site.services)
    hold(database, "worse", CONCENTRATED)
    broken = [{"user_id": name, "cash": "plenty"} for name in ("again", "worse")]
    database.accounts.insert_many(broken)
    night = run_once(site.services)
    database.accounts.delete_many({"user_id": "worse"})
    retry = run_once(site.services, retry_of=night)
    site.deliver()
    told = sorted((event["subject"], event["type"]) for event in site.received() if event["type"] in OF_PORTFOLIOS)
    assert told == [("again", FAILED), ("worse", BREACHED), ("worse", FAILED)]
    (breached,) = site.told(BREACHED)
    assert breached["run_id"] == retry
    assert any(event["id"] == event_id("/portfolio-analysis", night, "worse", BREACHED) for event in site.received())


def test_a_page_that_ends_after_its_retry_leaves_its_events_to_the_next_retry(
    site: Site, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database, "worse")
    run_once(site.services)
    hold(database, "worse", CONCENTRATED)
    database.accounts.insert_one({"user_id": "worse", "cash": "plenty"})
    night = run_once(site.services)
    database.accounts.delete_many({})
    told_late: list[list[dict[str, Any]]] = []

    def tell_late(services: Services, *page: Any) -> None:  # noqa: ANN401 - passed on
        (run,) = services.runs.active_before(datetime.now(UTC) + timedelta(days=3_650))
        close_run(services, run, Failure("run_stalled", "It made no progress."))
        tell_of_people(services, *page)
        told_late.append(site.told(BREACHED))

    with monkeypatch.context() as patch:
        patch.setattr(runs.reports, "tell_of_people", tell_late)
        run_once(site.services, retry_of=night)
    assert told_late == [[]]
    retry = run_once(site.services, retry_of=night)
    site.deliver()
    assert [event["data"]["run_id"] for event in site.received() if event["type"] == BREACHED] == [retry]


def test_a_page_that_is_analyzed_again_tells_nothing_twice(site: Site, database: DocumentDatabase) -> None:
    add(database, "u")
    run_once(site.services)
    hold(database, "u", CONCENTRATED)
    run_once(site.services, twice=True)
    site.deliver()
    assert site.types()[BREACHED] == 1


def test_what_fails_is_sent_again_later_with_the_same_id_and_a_new_signature(
    site: Site, database: DocumentDatabase
) -> None:
    add(database, "u")
    run_once(site.services)
    site.deliver()
    hold(database, "u", CONCENTRATED)
    run_once(site.services)
    receiver = site.receivers["ops"]
    receiver.behavior = answering(400)
    site.deliver()
    assert site.statuses()["pending"] == 3  # the start, the end and the breach
    receiver.behavior = answering(204)
    database.deliveries.update_many({"status": "pending"}, {"$set": {"due_at": datetime.now(UTC)}})
    site.deliver()
    attempts = [request for request in receiver.requests if json.loads(request.body)["type"] == BREACHED]
    assert len(attempts) == 2
    assert attempts[0].body == attempts[1].body
    assert attempts[0].headers["webhook-id"] == attempts[1].headers["webhook-id"]
    assert site.statuses() == {"delivered": 5}


def test_an_event_is_dead_a_day_after_its_first_attempt(site: Site, database: DocumentDatabase) -> None:
    add(database, "u")
    run_once(site.services)
    site.receivers["ops"].behavior = answering(400)
    site.deliver()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    database.deliveries.update_many({}, {"$set": {"due_at": yesterday, "first_attempt_at": yesterday}})
    site.deliver()
    assert site.statuses() == {"dead": 2}
    assert work_for(site.services, "ops").wait_seconds is None


def test_an_endpoint_that_is_gone_gets_no_more_events(site: Site, database: DocumentDatabase) -> None:
    add(database, "u")
    site.receivers["ops"].behavior = answering(410)
    run_once(site.services)
    site.deliver()
    count = len(site.receivers["ops"].requests)
    run_once(site.services)
    site.deliver()
    assert (len(site.receivers["ops"].requests), site.statuses()) == (count, {"dead": 2})
    gone = site.services.webhooks.get("ops")
    assert gone is not None
    assert not gone.active


def test_an_endpoint_that_takes_nothing_is_left_alone_for_a_while(site: Site, database: DocumentDatabase) -> None:
    for number in range(60):
        add(database, f"u{number:02}")
    run_once(site.services)
    site.deliver()
    for number in range(60):
        hold(database, f"u{number:02}", CONCENTRATED)
    run_once(site.services)
    receiver = site.receivers["ops"]
    receiver.requests.clear()
    receiver.behavior = answering(503, "Retry-After: 120")
    site.deliver()
    work = work_for(site.services, "ops")
    assert (work.due, work.slots) == (False, ())
    assert 60 < (work.wait_seconds or 0.0) <= 120
    assert len(receiver.requests) < 60
    receiver.behavior = answering(204)
    site.wake()
    database.deliveries.update_many({"status": "pending"}, {"$set": {"due_at": datetime.now(UTC)}})
    site.deliver()
    breached = [json.loads(request.body) for request in receiver.requests]
    assert {event["subject"] for event in breached if event["type"] == BREACHED} == {f"u{n:02}" for n in range(60)}


def test_each_endpoint_has_its_own_state_and_gets_its_own_types(database: DocumentDatabase, mongodb_url: str) -> None:
    kinds = ["portfolio-analysis.run.completed", BREACHED]
    with site_with(database, mongodb_url, "broken", "fine", types=kinds) as site:
        site.receivers["broken"].behavior = answering(500)
        add(database, "u")
        run_once(site.services)
        hold(database, "u", CONCENTRATED)
        run_once(site.services)
        for name in ("broken", "fine"):
            site.deliver(name)
        assert site.types("fine") == {"portfolio-analysis.run.completed": 2, BREACHED: 1}
        assert site.statuses() == {"delivered": 2, "pending": 3}


def test_a_process_that_dies_in_a_lot_leaves_it_to_be_sent_again(
    site: Site, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs.delivering, "LOT", 3)
    for number in range(40):
        add(database, f"u{number:02}")
    run_once(site.services)
    site.deliver()
    for number in range(40):
        hold(database, f"u{number:02}", CONCENTRATED)
    run_once(site.services)
    reach = PassStore.reach

    def die_if_something_was_sent(passes: PassStore, of: Pass, slot: str, event_id: str | None) -> None:
        if site.types()[BREACHED]:
            raise _Death
        reach(passes, of, slot, event_id)  # a slot may have no events

    with monkeypatch.context() as patch:
        patch.setattr(PassStore, "reach", die_if_something_was_sent)
        with pytest.raises(_Death):
            site.deliver()
    site.deliver()
    breached = Counter(event["id"] for event in site.received() if event["type"] == BREACHED)
    assert len(breached) == 40
    assert sorted(set(breached.values())) in ([1, 2], [2])


class _Death(BaseException):
    pass


def test_events_of_a_person_that_is_forgotten_are_gone(site: Site, database: DocumentDatabase) -> None:
    for name in ("u", "v"):
        add(database, name)
    run_once(site.services)
    for name in ("u", "v"):
        hold(database, name, CONCENTRATED)
    run_once(site.services)
    assert site.services.outbox.forget("u", erase=True) == 1
    site.deliver()
    assert [event["subject"] for event in site.received() if event["type"] == BREACHED] == ["v"]


def test_a_night_is_told_as_one_message_with_a_body_as_text_and_as_html(
    database: DocumentDatabase, mongodb_url: str
) -> None:
    with site_with(database, mongodb_url, "ops", types=["portfolio-analysis.digest"], DIGEST="1") as site:
        add(database, "u", name="Ada Lovelace")
        add(database, "v")
        run_once(site.services)
        hold(database, "v", CONCENTRATED)
        night = run_once(site.services)
        run_once(site.services, user_ids=["v"])
        site.deliver()
        first, second = sorted(site.received(), key=lambda event: event["time"])
    assert (second["subject"], second["data"]["people"]) == (night, 2)
    assert second["data"]["subject"].startswith(f"Portfolio analysis as of {second['data']['as_of']}: ")
    assert "- v: newly in breach of " in second["data"]["text"]
    assert "newly in breach" not in first["data"]["text"]
    assert "Ada" not in json.dumps(second)
    assert second["data"]["html"].startswith("<!doctype html>")
    assert "<td>newly in breach of " in second["data"]["html"]


def test_a_digest_in_html_escapes_what_is_not_its_own() -> None:
    book = Book("run", date(2026, 1, 2), "USD", 1.0, 0, 1, 1, 0, None, (), (Attention("<u>", "failed", None, None),))
    digest = digest_of(book)
    assert "&lt;u&gt;" in digest.html
    assert "<u>" not in digest.html


def test_what_an_endpoint_took_before_it_was_gone_counts_as_delivered(site: Site, database: DocumentDatabase) -> None:
    taken, gone = answering(204), answering(410)
    site.receivers["ops"].behavior = lambda exchange: (taken if b"run.started" in exchange.request.body else gone)(
        exchange
    )
    add(database, "u")
    run_once(site.services)
    site.deliver()
    assert site.statuses() == {"delivered": 1, "dead": 1}


def night_of(site: Site, users: int, endpoint_id: str = "ops") -> None:
    """Put a night's events into the outbox, one a person, and begin the pass of an endpoint."""
    now = datetime.now(UTC)
    ids = [event_id("/portfolio-analysis", "run_n", f"u{number}", BREACHED) for number in range(users)]
    site.services.outbox.add([Event(own, BREACHED, f"u{n}", "run_n", now, {}) for n, own in enumerate(ids)])
    site.services.passes.begin("run_n", [endpoint_id])


def test_a_slow_receiver_holds_a_step_for_its_time_and_is_sent_nothing_twice(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs.delivering, "_STEP_SECONDS", 0.0)
    night_of(site, 600)
    work = work_for(site.services, "ops")
    assert len(work.slots) == 16
    run_id, slot = work.slots[0]
    with monkeypatch.context() as patch:
        patch.setattr(runs.delivering, "_STEP_SECONDS", 0.001)
        deliver(site.services, DeliveryStep("ops", run_id, slot))
    first = len(site.received())
    assert first == 16  # those of the first round, although there are more
    monkeypatch.setattr(runs.delivering, "_STEP_SECONDS", 30.0)
    site.deliver()
    assert set(Counter(event["subject"] for event in site.received()).values()) == {1}
    assert len(site.received()) == 600


def test_a_receiver_that_never_answers_delays_no_other(database: DocumentDatabase, mongodb_url: str) -> None:
    with site_with(database, mongodb_url, "stuck", "fine") as site:
        reached, gate, taken = threading.Semaphore(0), threading.Event(), answering(204)

        def wait_for_the_gate(exchange: Exchange) -> None:
            reached.release()
            gate.wait()
            taken(exchange)

        site.receivers["stuck"].behavior = wait_for_the_gate
        night_of(site, 400, "stuck")
        stuck = threading.Thread(target=site.deliver, args=["stuck"])
        stuck.start()
        for _ in range(16):  # all that go to one endpoint at a time
            reached.acquire()
        night_of(site, 400, "fine")
        site.deliver("fine")
        assert len(site.received("fine")) == 400
        gate.set()
        stuck.join()


def test_one_event_that_fails_does_not_keep_others_from_an_endpoint(site: Site) -> None:
    site.receivers["ops"].behavior = answering(503)
    now = datetime.now(UTC)
    for number in range(15):
        told = Event(f"evt_{number:032}", "portfolio-analysis.test", "ops", None, now, {})
        site.services.outbox.add([told], {told.type: ["ops"]})
    site.deliver()
    found = site.services.webhooks.get("ops")
    assert found is not None
    assert (found.failures, found.resumes_at) == (15, None)
    told = Event(f"evt_{16:032}", "portfolio-analysis.test", "ops", None, now, {})
    site.services.outbox.add([told], {told.type: ["ops"]})
    site.deliver()
    assert len(site.received()) == 16
    assert 0 < (work_for(site.services, "ops").wait_seconds or 0) <= 5


def test_a_slot_without_events_neither_lengthens_nor_begins_a_rest(site: Site) -> None:
    site.services.webhooks.rest("ops", 32, datetime.now(UTC) - timedelta(seconds=1))  # it rested after 32 failures
    site.services.passes.begin("run_n", ["ops"])
    assert len(work_for(site.services, "ops").slots) == 16
    site.deliver()
    assert (work_for(site.services, "ops").slots, work_for(site.services, "ops").wait_seconds) == ((), None)
    found = site.services.webhooks.get("ops")
    assert found is not None
    assert found.failures == 32


def test_an_endpoint_may_ask_for_a_day_for_an_event_and_for_half_an_hour_for_all(site: Site) -> None:
    site.receivers["ops"].behavior = answering(503, "Retry-After: 80000")
    told = Event(f"evt_{1:032}", "portfolio-analysis.test", "ops", None, datetime.now(UTC), {})
    site.services.outbox.add([told], {told.type: ["ops"]})
    site.deliver()
    (delivery,) = site.services.outbox.deliveries([told.event_id])
    assert delivery.due_at is not None
    assert delivery.due_at - datetime.now(UTC) > timedelta(hours=20)
    assert 1_700 < (work_for(site.services, "ops").wait_seconds or 0) <= 1_800
