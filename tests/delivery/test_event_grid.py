"""Events to a topic of Event Grid, shaped after the operation "Publish Cloud Event Events" of its REST reference."""

import json
from collections.abc import Iterator

import pytest

from credentials.identity import NoToken
from delivery.event_grid import EventGrid
from tests.delivery.webhooks.receiver import Receiver, a_receiver, answering

EVENT = json.dumps({"specversion": "1.0", "id": "evt_1", "data": {"text": "x" * 300_000}}).encode()


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
    answers = event_grid.send([EVENT] * 5)
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


@pytest.mark.parametrize(("status", "problem"), [(401, "status_401"), (413, "status_413"), (503, "status_503")])
def test_after_a_batch_that_is_refused_no_other_is_sent(topic: Receiver, status: int, problem: str) -> None:
    topic.behavior = answering(status)
    event_grid = EventGrid(topic.url(path=""), lambda _: "token")
    answers = event_grid.send([EVENT] * 5)
    event_grid.close()
    assert [(answer.outcome, answer.status, answer.problem) for answer in answers] == [("failed", status, problem)] * 3
    assert len(topic.requests) == 1


def test_a_topic_that_asks_for_a_pause_gets_it(topic: Receiver) -> None:
    topic.behavior = answering(429, "Retry-After: 30")
    event_grid = EventGrid(topic.url(path=""), lambda _: "token")
    (answer,) = event_grid.send([EVENT])
    event_grid.close()
    assert answer.retry_after is not None
    assert answer.retry_after.total_seconds() == 30


def test_without_a_token_or_a_connection_nothing_is_delivered(topic: Receiver) -> None:
    def no_token(_: str) -> str:
        raise NoToken("CredentialUnavailableError")

    without, nowhere = EventGrid(topic.url(), no_token), EventGrid("http://127.0.0.1:9", lambda _: "token")
    assert [answer.problem for answer in without.send([EVENT])] == ["no_token"]
    assert [answer.problem for answer in nowhere.send([EVENT])] == ["connection_failed"]
    without.close()
    nowhere.close()
    assert topic.requests == []
