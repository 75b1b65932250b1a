"""Events over the whole app, with the SDK's engine and a receiver on this machine."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stores.mongo import connect
from tests.delivery.webhooks.receiver import Receiver, Request, a_receiver, answering
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, App, running_app
from tests.runs.test_delivering import SECRET

EVENTS, WEBHOOKS = f"{BASE}/events", f"{BASE}/webhooks"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with a_receiver(answering(204)) as made:
        yield made


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[App]:
    endpoints = [
        {"endpoint_id": "ops", "url": receiver.url(path="/hook?key=hidden"), "secret_name": "signing-ops"},
        {"endpoint_id": "away", "url": "http://127.0.0.1:9/", "secret_name": "signing-ops"},
    ]
    settings = {"WEBHOOKS": json.dumps(endpoints), "WEBHOOKS_ALLOW_PRIVATE": "1", "SIGNING_OPS": SECRET}
    with running_app(tmp_path_factory.mktemp("app"), **settings) as running:
        yield running


@pytest.fixture(scope="module")
def run(app: App) -> dict[str, Any]:
    return app.run()


def received(receiver: Receiver, subject: str) -> list[dict[str, Any]]:
    return [event for event in map(_event, receiver.requests) if event["subject"] == subject]


def _event(request: Request) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(request.body)
    return event


def newest(app: App, **query: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = app.client.get(EVENTS, params=query).json()["events"]
    return events


def test_a_run_is_told_when_it_starts_and_when_it_ends(run: dict[str, Any], receiver: Receiver) -> None:
    eventually(lambda: len(received(receiver, run["run_id"])) == 2)
    assert {event["type"].rpartition(".")[2] for event in received(receiver, run["run_id"])} == {"started", "completed"}
    assert {request.headers["Content-Type"] for request in receiver.requests} == {"application/cloudevents+json"}


def test_the_outbox_shows_each_delivery_and_its_last_problem(app: App, run: dict[str, Any], receiver: Receiver) -> None:
    eventually(lambda: len(received(receiver, run["run_id"])) == 2)
    eventually(lambda: any(own["attempts"] for event in newest(app) for own in event["deliveries"][:1]))
    (completed,) = newest(app, type="portfolio-analysis.run.completed")
    away, ops = completed["deliveries"]
    assert (ops["endpoint_id"], ops["status"], ops["attempts"]) == ("ops", "delivered", 1)
    assert (away["endpoint_id"], away["status"]) == ("away", "pending")
    assert completed["status"] == "pending"
    assert newest(app, status="delivered") == newest(app, status="dead") == []
    (first,) = newest(app, limit="1")
    page = app.client.get(EVENTS, params={"limit": "1"}).json()
    (second,) = newest(app, limit="1", before=page["next"])
    assert {first["event_id"], second["event_id"]} == {event["event_id"] for event in newest(app, status="pending")}


def test_a_replay_sends_the_same_event_again_and_is_on_record(
    app: App, run: dict[str, Any], receiver: Receiver
) -> None:
    (completed,) = newest(app, type="portfolio-analysis.run.completed")
    before = [event for event in received(receiver, run["run_id"]) if event["id"] == completed["event_id"]]
    answer = app.client.post(f"{EVENTS}/{completed['event_id']}/replay")
    assert (answer.status_code, answer.json()["endpoint_ids"]) == (202, ["away", "ops"])
    entry = app.newest_entry()
    assert [entry[name] for name in ("action", "event_id", "outcome")] == [
        "replay_event",
        completed["event_id"],
        "accepted",
    ]
    eventually(
        lambda: (
            [own for own in received(receiver, run["run_id"]) if own["id"] == completed["event_id"]]
            == [*before, before[0]]
        )
    )


def test_a_test_goes_to_one_endpoint_and_is_on_record(app: App, receiver: Receiver) -> None:
    answer = app.client.post(f"{WEBHOOKS}/ops/test")
    assert answer.status_code == 202
    eventually(lambda: bool(received(receiver, "ops")))
    entry = app.newest_entry()
    assert (entry["action"], entry["endpoint_id"]) == ("test_webhook", "ops")


def test_receivers_are_listed_without_the_keys_in_their_urls(app: App) -> None:
    answer = app.client.get(WEBHOOKS)
    assert [own["endpoint_id"] for own in answer.json()["webhooks"]] == ["away", "ops"]
    assert "hidden" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{EVENTS}/evt_{'0' * 32}/replay", 404),
        (f"{EVENTS}/evt_x/replay", 400),
        (f"{WEBHOOKS}/nobody/test", 404),
        (f"{WEBHOOKS}/No%20Body/test", 400),
    ],
)
def test_what_there_is_not_is_refused(app: App, path: str, status: int) -> None:
    assert app.client.post(path).status_code == status


def test_a_receiver_that_is_gone_is_not_tested(app: App) -> None:
    with connect(app.printed("MongoDB at ")) as client:
        client["portfolio"].webhooks.update_one({"endpoint_id": "away"}, {"$set": {"active": False}}, upsert=True)
    answer = app.client.post(f"{WEBHOOKS}/away/test")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:portfolio-analysis:problem:not-deliverable")
