"""Events to a topic of Event Grid, shaped after the operation "Publish Cloud Event Events" of its REST reference."""

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from credentials.identity import NoToken
from delivery.event_grid import EventGrid
from tests.delivery.webhooks.receiver import Exchange, Receiver, a_receiver, answering

EVENT = json.dumps({"specversion": "1.0", "id": "evt_1", "data": {"text": "x" * 300_000}}).encode()
SMALL = [json.dumps({"specversion": "1.0", "id": f"evt_{number}"}).encode() for number in range(40)]
ENDLESS = float("inf")


@pytest.fixture
def topic() -> Iterator[Receiver]:
    with a_receiver(answering(200)) as made:
        yield made


def test_events_are_sent_in_batches_of_at_most_a_megabyte_by_the_apps_identity(topic: Receiver) -> None:
    asked: list[str] = []

    def token(scope: str) -> str:
        asked.append(scope)
        return "token"

    event_grid = EventGrid(topic.url(path=""), token)
    answers = event_grid.send([EVENT] * 5, ENDLESS)
    event_grid.close()
    assert [answer.outcome for answer in answers] == ["delivered"] * 5
    first, second = topic.requests
    assert first.line == "POST /api/events?api-version=2018-01-01 HTTP/1.1"
    assert (first.headers["Content-Type"], first.headers["Authorization"]) == (
        "application/cloudevents-batch+json",
        "Bearer token",
    )
    assert [len(json.loads(request.body)) for request in (first, second)] == [3, 2]
    assert all(len(request.body) <= 1_000_000 for request in (first, second))
    assert asked == ["https://eventgrid.azure.net/.default"] * 2


@pytest.mark.parametrize(("status", "problem"), [(401, "status_401"), (404, "status_404"), (503, "status_503")])
def test_after_a_batch_that_is_refused_not_because_of_an_event_no_other_is_sent(
    topic: Receiver, status: int, problem: str
) -> None:
    topic.behavior = answering(status)
    event_grid = EventGrid(topic.url(path=""), lambda _: "token")
    answers = event_grid.send([EVENT] * 5, ENDLESS)
    event_grid.close()
    assert [(answer.outcome, answer.status, answer.problem) for answer in answers] == [("failed", status, problem)] * 3
    assert len(topic.requests) == 1


@pytest.mark.parametrize("status", [400, 413])
def test_an_event_that_the_topic_does_not_take_keeps_no_other_from_it(topic: Receiver, status: int) -> None:
    refused, accepted = [SMALL[7], SMALL[30]], answering(200)
    taken: Counter[str] = Counter()

    def take_the_others(exchange: Exchange) -> None:
        if any(event in exchange.request.body for event in refused):
            answering(status)(exchange)
        else:
            taken.update(event["id"] for event in json.loads(exchange.request.body))
            accepted(exchange)

    topic.behavior = take_the_others
    event_grid = EventGrid(topic.url(path=""), lambda _: "token")
    answers = event_grid.send(SMALL, ENDLESS)
    event_grid.close()
    assert [answer.status for answer in answers] == [status if event in refused else 200 for event in SMALL]
    assert taken == Counter(json.loads(event)["id"] for event in SMALL if event not in refused)
    assert len(topic.requests) <= 1 + 2 * 2 * 6  # two halves for each event, so often can forty be halved


def test_a_topic_that_takes_no_event_is_left_at_the_given_time(topic: Receiver) -> None:
    topic.behavior = answering(400)
    event_grid = EventGrid(topic.url(path=""), lambda _: "token")
    assert [answer.problem for answer in event_grid.send(SMALL, 0.0)] == ["status_400"]
    event_grid.close()


def test_a_topic_that_asks_for_a_pause_gets_it(topic: Receiver) -> None:
    topic.behavior = answering(429, "Retry-After: 30")
    event_grid = EventGrid(topic.url(path=""), lambda _: "token")
    (answer,) = event_grid.send([EVENT], ENDLESS)
    event_grid.close()
    assert answer.retry_after is not None
    assert answer.retry_after.total_seconds() == 30


def test_without_a_token_or_a_connection_nothing_is_delivered(topic: Receiver) -> None:
    def no_token(_: str) -> str:
        raise NoToken("CredentialUnavailableError")

    without, nowhere = EventGrid(topic.url(), no_token), EventGrid("http://127.0.0.1:9", lambda _: "token")
    assert [answer.problem for answer in without.send([EVENT], ENDLESS)] == ["no_token"]
    assert [answer.problem for answer in nowhere.send([EVENT], ENDLESS)] == ["connection_failed"]
    without.close()
    nowhere.close()
    assert topic.requests == []
