"""The deliveries: the outbox, sending an event again, and testing a receiver on this machine."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from playwright.sync_api import Browser, Locator, expect

from stores.mongo import connect
from tests.console.site import Site, Visitor, is_phone, region
from tests.console.test_runs import KEEP_TOASTS
from tests.delivery.webhooks.receiver import Receiver, a_receiver, answering
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, running_app
from tests.runs.test_delivering import SECRET as SIGNING_SECRET

EVENTS, WEBHOOKS = f"{BASE}/events", f"{BASE}/webhooks"
COMPLETED = "portfolio-analysis.run.completed"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with a_receiver(answering(204)) as made:
        yield made


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Site]:
    """Yield the app with a receiver that answers and one that does not."""
    endpoints = [
        {"endpoint_id": "ops", "url": receiver.url(path="/hook?key=hidden"), "secret_name": "signing-ops"},
        {"endpoint_id": "away", "url": "http://127.0.0.1:9/", "types": [COMPLETED], "secret_name": "signing-ops"},
    ]
    settings = {"WEBHOOKS": json.dumps(endpoints), "WEBHOOKS_ALLOW_PRIVATE": "1", "SIGNING_OPS": SIGNING_SECRET}
    with (
        running_app(tmp_path_factory.mktemp("app"), **settings) as app,
        connect(app.printed("MongoDB at ")) as client,
    ):
        yield Site(app, client["portfolio"], cast("Any", None))


@pytest.fixture(scope="module")
def run(site: Site, receiver: Receiver) -> dict[str, Any]:
    run = site.app.run()
    eventually(lambda: len(received(receiver, run["run_id"])) == 2)
    return run


@pytest.fixture
def reader(run: dict[str, Any], admin: Visitor) -> Visitor:
    assert run
    admin.headed("Overview")
    admin.go("/deliveries")
    admin.headed("Deliveries")
    return admin


def received(receiver: Receiver, subject: str) -> list[dict[str, Any]]:
    events = [json.loads(request.body) for request in receiver.requests]
    return [event for event in events if event["subject"] == subject]


def event(reader: Visitor, kind: str) -> Locator:
    """Return the rows of events of a type."""
    return region(reader, "Events").locator("tbody tr").filter(has_text=kind)


def again(reader: Visitor) -> None:
    """Open the page again."""
    reader.go("/audit")
    reader.headed("Audit log")
    reader.go("/deliveries")
    reader.headed("Deliveries")


def test_the_outbox_shows_events_with_each_delivery(reader: Visitor, run: dict[str, Any]) -> None:
    completed = event(reader, "Run completed")
    expect(completed).to_contain_text("ops delivered1 attempt")
    expect(completed).to_contain_text(re.compile(r"away pending\d attempts?, no connection, (next in|due)"))
    expect(completed.locator(".badge")).to_have_text("Pending")
    expect(event(reader, "Run started").locator(".badge")).to_have_text("Delivered")
    completed.get_by_role("link", name=run["run_id"]).click()
    reader.led_to(f"/runs/{run['run_id']}")


def test_events_are_filtered_by_status_and_type_in_the_address(reader: Visitor) -> None:
    page = reader.page
    rows = region(reader, "Events").locator("tbody tr")
    expect(rows).to_have_count(2)
    page.get_by_label("Status").select_option(label="Pending")
    reader.led_to("/deliveries?status=pending")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Run completed")
    page.get_by_label("Status").select_option(label="All")
    page.get_by_label("Type").select_option(label="Run started")
    reader.led_to("/deliveries?type=portfolio-analysis.run.started")
    expect(rows).to_have_count(1)
    page.get_by_label("Type").select_option(label="Run canceled")
    expect(page.get_by_text("No matches")).to_be_visible()
    reader.go("/deliveries?status=pending&type=portfolio-analysis.run.completed")
    expect(page.get_by_label("Type")).to_have_value(COMPLETED)
    expect(rows).to_have_count(1)


def test_a_page_without_matches_leads_to_the_next_one(reader: Visitor) -> None:
    reader.answer("events", {"events": [], "next": "x"})
    reader.go("/deliveries?status=dead")
    expect(region(reader, "Events")).to_contain_text("No matches on this page")
    reader.page.get_by_role("link", name="Next page").click()
    reader.led_to("/deliveries?status=dead&before=x")


def test_an_event_is_sent_again(visitor: Visitor, receiver: Receiver, run: dict[str, Any]) -> None:
    visitor.page.add_init_script(KEEP_TOASTS)
    visitor.open("/deliveries")
    visitor.sign_in()
    visitor.headed("Deliveries")
    before = received(receiver, run["run_id"])
    button = event(visitor, "Run started").get_by_role("button", name="Send again")
    button.click()
    dialog = visitor.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Run started")
    dialog.get_by_role("button", name="Send again").click()
    expect(dialog).to_have_count(0)
    expect(button).to_be_focused()
    visitor.page.wait_for_function("toasted.includes('Sent again to ops')")
    eventually(lambda: len(received(receiver, run["run_id"])) == len(before) + 1)
    assert received(receiver, run["run_id"])[-1]["id"] in {own["id"] for own in before}


def test_a_receiver_is_tested_and_the_test_is_shown(reader: Visitor, receiver: Receiver) -> None:
    receivers = region(reader, "Receivers")
    expect(receivers.get_by_role("row").filter(has_text="ops")).to_contain_text("127.0.0.1AllActive")
    expect(receivers.get_by_role("row").filter(has_text="away")).to_contain_text("Run completed")
    assert "hidden" not in receivers.inner_text()
    receivers.get_by_role("button", name="Send a test to ops").click()
    reader.page.get_by_role("dialog").get_by_role("button", name="Send a test").click()
    expect(reader.page.locator(".toasts")).to_contain_text("Test sent to ops")
    eventually(lambda: len(received(receiver, "ops")) == 1)
    expect(event(reader, "Test").first).to_contain_text("ops delivered")


def test_what_cannot_be_sent_is_told_in_the_dialog(reader: Visitor, site: Site) -> None:
    reader.expected.add("status of 409")
    for endpoint_id in ("away", "ops"):
        site.database.webhooks.update_one({"endpoint_id": endpoint_id}, {"$set": {"active": False}}, upsert=True)
    try:
        again(reader)
        expect(region(reader, "Receivers").get_by_text("Not active")).to_have_count(2)
        dialog = reader.page.get_by_role("dialog")
        region(reader, "Receivers").get_by_role("button", name="Send a test to away").click()
        dialog.get_by_role("button", name="Send a test").click()
        expect(dialog.get_by_role("alert")).to_contain_text("Endpoint away is not active")
        dialog.get_by_role("button", name="Cancel").click()
        event(reader, "Run completed").get_by_role("button", name="Send again").click()
        dialog.get_by_role("button", name="Send again").click()
        expect(dialog.get_by_role("alert")).to_contain_text("No active endpoint takes events of type")
    finally:
        site.database.webhooks.update_many({}, {"$set": {"active": True}})


def test_what_one_administrator_sends_and_switches_off_is_seen_by_another_who_looks(
    reader: Visitor, visitor: Visitor, site: Site
) -> None:
    visitor.expected.add("status of 409")
    visitor.page.clock.install()
    visitor.open("/deliveries")
    visitor.sign_in()
    receivers = region(visitor, "Receivers")
    of_ops = receivers.get_by_role("row").filter(has_text="ops")
    expect(of_ops).to_contain_text("Active")
    expect(event(visitor, "Run completed")).to_contain_text("away pending")
    tests = event(visitor, "Test").count()
    region(reader, "Receivers").get_by_role("button", name="Send a test to ops").click()
    reader.page.get_by_role("dialog").get_by_role("button", name="Send a test").click()
    expect(event(reader, "Test")).to_have_count(tests + 1)
    site.database.webhooks.update_one({"endpoint_id": "ops"}, {"$set": {"active": False}}, upsert=True)
    try:
        visitor.page.clock.fast_forward("11:00")  # longer than a page waits that has a delivery to make
        expect(event(visitor, "Test")).to_have_count(tests + 1)
        expect(of_ops).to_contain_text("Not active")
        receivers.get_by_role("button", name="Send a test to ops").click()
        dialog = visitor.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Send a test").click()
        expect(dialog.get_by_role("alert")).to_contain_text("Endpoint ops is not active")
    finally:
        site.database.webhooks.update_many({}, {"$set": {"active": True}})


def test_an_event_that_two_administrators_send_again_at_once_is_the_same_to_its_receiver(
    reader: Visitor, visitor: Visitor, receiver: Receiver, run: dict[str, Any]
) -> None:
    visitor.open("/deliveries")
    visitor.sign_in()
    before = received(receiver, run["run_id"])
    for each in (reader, visitor):
        event(each, "Run started").get_by_role("button", name="Send again").click()
    for each in (reader, visitor):
        dialog = each.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Send again").click()
        expect(dialog).to_have_count(0)
    eventually(lambda: len(received(receiver, run["run_id"])) > len(before))
    assert {own["id"] for own in received(receiver, run["run_id"])} == {own["id"] for own in before}


def test_a_resting_receiver_and_a_delivery_given_up_look_like_it(reader: Visitor, site: Site) -> None:
    (completed,) = site.app.client.get(EVENTS, params={"type": COMPLETED}).json()["events"]
    delivery = {
        "endpoint_id": "ops", "status": "dead", "attempts": 12, "last_attempt_at": "2026-01-02T03:04:05Z",
        "next_attempt_at": None, "problem": "status_500", "status_code": 500,
    }  # fmt: skip
    of_person = {"type": "portfolio-analysis.portfolio.breached", "subject": "ada-allrounder"}
    events = [
        completed | {"status": "dead", "deliveries": [delivery]},
        completed | {"event_id": "evt_2", "deliveries": [], "status": None, **of_person},
    ]
    resting = {
        "endpoint_id": "ops", "host": "hooks.example", "types": [COMPLETED], "active": True, "failures": 5,
        "resumes_at": "2100-01-02T03:04:05Z",
    }  # fmt: skip
    reader.answer("events", {"events": events, "next": "x"})
    reader.answer("webhooks", {"webhooks": [resting]})
    again(reader)
    expect(event(reader, "Run completed")).to_contain_text("ops given up12 attempts, it answered 500")
    expect(event(reader, "Portfolio in breach")).to_contain_text("No receiver")
    receivers = region(reader, "Receivers")
    expect(receivers).to_contain_text(re.compile("RestingUntil 2 Jan 2100, .*, after 5 failures in a row"))
    reader.page.get_by_role("link", name="Next page").click()
    reader.led_to("/deliveries?before=x")
    event(reader, "Portfolio in breach").get_by_role("link", name="ada-allrounder").click()
    reader.led_to(f"/runs/{completed['run_id']}/portfolios/ada-allrounder")


def test_without_receivers_the_page_says_what_to_configure(browser: Browser, tmp_path: Path) -> None:
    with running_app(tmp_path) as app:
        visitor = Visitor.arrive(browser, Site(app, None, None))  # type: ignore[arg-type] # only its pages
        visitor.open("/deliveries")
        visitor.sign_in()
        receivers = region(visitor, "Receivers")
        for name in ("No receivers", "WEBHOOKS", "EVENT_GRID_ENDPOINT", "docs/events.md"):
            expect(receivers).to_contain_text(name)
        expect(region(visitor, "Events")).to_contain_text("No events yet")
        assert visitor.flaws() == []
        visitor.leave()


def test_an_outbox_that_cannot_be_read_is_told(reader: Visitor) -> None:
    for path in ("events", "webhooks"):
        reader.refuse(path)
    again(reader)
    expect(reader.page.get_by_role("alert")).to_have_count(2)
    expect(reader.page.get_by_role("alert").first).to_contain_text("Internal error")


@pytest.fixture
def later(visitor: Visitor, run: dict[str, Any]) -> Visitor:
    """Return a visitor whose clock can be set forward, with a pending delivery and a receiver that rests."""
    visitor.page.clock.install()
    visitor.answer("events", pending(run, None))
    visitor.answer("webhooks", {"webhooks": [a_receiver_shown(datetime.now(UTC) + timedelta(minutes=9))]})
    visitor.open("/deliveries")
    visitor.sign_in()
    visitor.headed("Deliveries")
    expect(event(visitor, "Run completed")).to_contain_text("ops pending")
    expect(region(visitor, "Receivers")).to_contain_text("Resting")
    return visitor


def pending(run: dict[str, Any], next_attempt_at: str | None) -> dict[str, Any]:
    """Return a page with an event whose delivery is still to be made."""
    delivery = {
        "endpoint_id": "ops", "status": "pending", "attempts": 0, "last_attempt_at": None,
        "next_attempt_at": next_attempt_at, "problem": None, "status_code": None,
    }  # fmt: skip
    shown = {
        "event_id": "evt_1", "type": COMPLETED, "subject": run["run_id"], "run_id": run["run_id"],
        "time": run["completed_at"], "status": "pending", "data": {}, "deliveries": [delivery],
    }  # fmt: skip
    return {"events": [shown], "next": None}


def a_receiver_shown(resumes_at: datetime | None) -> dict[str, Any]:
    return {
        "endpoint_id": "ops", "host": "hooks.example", "types": [COMPLETED], "active": True, "failures": 5,
        "resumes_at": None if resumes_at is None else resumes_at.isoformat(),
    }  # fmt: skip


@pytest.mark.parametrize("next_attempt_at", [None, "2020-01-02T03:04:05Z"])
def test_a_delivery_whose_next_attempt_is_not_known_is_asked_for_once_a_minute(
    later: Visitor, run: dict[str, Any], next_attempt_at: str | None
) -> None:
    later.page.unroute_all()
    later.answer("webhooks", {"webhooks": []})
    later.answer("events", pending(run, next_attempt_at))
    again(later)
    expect(event(later, "Run completed")).to_contain_text("ops pending")
    asked = later.count("events")
    later.page.clock.fast_forward(30_000)
    assert later.count("events") == asked
    later.page.clock.fast_forward(31_000)
    eventually(lambda: later.count("events") == asked + 1)


def test_a_list_that_can_no_longer_be_read_says_so_beside_what_it_knew(later: Visitor) -> None:
    later.page.unroute_all()
    for path in ("events", "webhooks"):
        later.refuse(path)
    later.page.clock.fast_forward(61_000)
    expect(later.page.get_by_role("alert")).to_have_count(2)
    expect(region(later, "Receivers").get_by_role("alert")).to_contain_text("Internal error")
    expect(region(later, "Receivers")).to_contain_text("Resting")
    expect(event(later, "Run completed")).to_contain_text("ops pending")


def test_a_receiver_that_is_active_again_is_shown_so_without_a_reload(later: Visitor) -> None:
    later.page.unroute_all()
    later.answer("webhooks", {"webhooks": [a_receiver_shown(None)]})
    later.page.clock.fast_forward(61_000)
    expect(region(later, "Receivers")).to_contain_text("Active")
    expect(region(later, "Receivers")).not_to_contain_text("Resting")


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_the_page_is_accessible_and_fits_its_screen(
    browser: Browser, site: Site, theme: Literal["light", "dark"], device: str
) -> None:
    visitor = Visitor.arrive(browser, site, **(is_phone(theme) if device == "phone" else {"color_scheme": theme}))
    visitor.open("/deliveries")
    visitor.sign_in()
    visitor.settle()
    flaws = visitor.flaws()
    assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visitor.page.get_by_role("button", name="Send again").first.click()
    expect(visitor.page.get_by_role("dialog")).to_be_visible()
    assert flaws + visitor.flaws() == []
    visitor.leave()
