"""Events to a topic of Azure Event Grid: in batches, by the app's identity."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

from credentials.identity import NoToken
from delivery.webhooks.sending import Answer, judged

_SCOPE = "https://eventgrid.azure.net/.default"
_VERSION = "2018-01-01"
_CONTENT_TYPE = "application/cloudevents-batch+json"
_LARGEST_BATCH_BYTES = 1_000_000
_SECONDS = 15.0
_BECAUSE_OF_AN_EVENT = (HTTPStatus.BAD_REQUEST, HTTPStatus.CONTENT_TOO_LARGE)
"""The answers to a batch with an event that the topic does not take, or to one that is too large as a whole."""


class EventGrid:
    """One topic. Source: the "Publish Cloud Event Events" operation of its data plane, api-version 2018-01-01."""

    def __init__(self, endpoint: str, token: Callable[[str], str]) -> None:
        self._token = token
        self._client = httpx.Client(timeout=_SECONDS, trust_env=False)
        self._url = f"{endpoint.rstrip('/')}/api/events" if httpx.URL(endpoint).path in ("", "/") else endpoint

    def send(self, events: Sequence[bytes], until: float) -> list[Answer]:
        """Return what became of events, each the JSON of one: of the first ones if the topic takes no more.

        A batch that is refused because of one of its events is halved until that event is alone. After the time
        ``until`` of the monotonic clock no other is sent.
        """
        answers: list[Answer] = []
        batches = [*_batches(events)][::-1]
        while batches:
            batch = batches.pop()
            answer = self._post(batch)
            if answer.status in _BECAUSE_OF_AN_EVENT and len(batch) > 1:
                half = len(batch) // 2
                batches += [batch[half:], batch[:half]]
                continue
            answers += [answer] * len(batch)
            takes_others = answer.outcome == "delivered" or answer.status in _BECAUSE_OF_AN_EVENT
            if not takes_others or time.monotonic() >= until:
                break
        return answers

    def _post(self, batch: Sequence[bytes]) -> Answer:
        try:
            token = self._token(_SCOPE)
        except NoToken:
            return Answer("failed", problem="no_token")
        headers = {"Content-Type": _CONTENT_TYPE, "Authorization": f"Bearer {token}"}
        content = b"[" + b",".join(batch) + b"]"
        try:
            answer = self._client.post(self._url, params={"api-version": _VERSION}, content=content, headers=headers)
        except httpx.TimeoutException:
            return Answer("failed", problem="timed_out")
        except httpx.HTTPError:
            return Answer("failed", problem="connection_failed")
        return judged(answer.status_code, answer.headers.get("Retry-After", ""), datetime.now(UTC))

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def _batches(events: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield the events in batches of at most a megabyte, with brackets and commas."""
    batch: list[bytes] = []
    size = 2
    for event in events:
        if batch and size + len(event) + 1 > _LARGEST_BATCH_BYTES:
            yield batch
            batch, size = [], 2
        batch.append(event)
        size += len(event) + 1
    if batch:
        yield batch
