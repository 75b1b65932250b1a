"""Sends events to any kind of endpoint, many at a time, and stops where one does not take them or takes too long."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from itertools import batched

from credentials.secrets import SecretMissing, SecretsUnavailable
from delivery.event_grid import EventGrid
from delivery.events import Event, cloud_event
from delivery.webhooks.sending import Answer, Sender
from endpoints import EVENT_GRID, Endpoint

_AT_ONCE = 16
_PER_ROUND = 64


class Deliverer:
    """Sends events, each once. ``secret`` returns the signing secrets of a name, ``source`` is that of all events."""

    def __init__(
        self, source: str, secret: Callable[[str], str], *, allow_private: bool, event_grid: EventGrid | None = None
    ) -> None:
        self._source, self._secret, self._event_grid = source, secret, event_grid
        self._sender = Sender(allow_private=allow_private)
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()

    def send(self, endpoint: Endpoint, events: Sequence[Event], until: float) -> list[Answer]:
        """Return what became of the events, in order: of the first ones if the endpoint stops taking them.

        At the time ``until`` of the monotonic clock, those that are under way are the last.
        """
        if endpoint.endpoint_id == EVENT_GRID and self._event_grid is not None:
            return self._event_grid.send([cloud_event(event, self._source) for event in events], until)
        try:
            secret = self._secret(endpoint.secret_name)
        except SecretMissing:
            return [Answer("failed", problem="secret_missing")][: len(events)]
        except SecretsUnavailable:
            return [Answer("failed", problem="secret_unavailable")][: len(events)]
        answers: list[Answer] = []
        # The first round is short: a receiver that takes none of it is left alone.
        for some in (events[:_AT_ONCE], *batched(events[_AT_ONCE:], _PER_ROUND, strict=False)):
            threads = self._threads_for(endpoint.endpoint_id)
            answers += threads.map(lambda event: self._sent(endpoint, secret, event), some)
            if takes_nothing(answers) or time.monotonic() >= until:
                break
        return answers

    def close(self) -> None:
        """Close the connections that are kept."""
        for threads in self._threads.values():
            threads.shutdown()
        self._sender.close()

    def _threads_for(self, endpoint_id: str) -> ThreadPoolExecutor:
        """Return the threads of an endpoint: those of a slow one are not waited for by others."""
        with self._lock:
            if endpoint_id not in self._threads:
                self._threads[endpoint_id] = ThreadPoolExecutor(_AT_ONCE, f"delivery-{endpoint_id}")
            return self._threads[endpoint_id]

    def _sent(self, endpoint: Endpoint, secret: str, event: Event) -> Answer:
        return self._sender.send(endpoint, secret, event.event_id, cloud_event(event, self._source))


def takes_nothing(answers: Sequence[Answer]) -> bool:
    """Return whether an endpoint has taken nothing of late, and would probably take nothing else."""
    return bool(answers) and all(map(is_no_answer_to_the_event, answers[-_AT_ONCE:]))


def is_no_answer_to_the_event(answer: Answer) -> bool:
    """Return whether an attempt failed because of the endpoint, which would have taken no other event either."""
    if answer.outcome != "failed":
        return answer.outcome == "gone"
    return (
        answer.status is None
        or answer.status == HTTPStatus.TOO_MANY_REQUESTS
        or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )
