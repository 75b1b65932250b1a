"""Sends events to any kind of endpoint, many at a time, and stops where one does not take them."""

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
        self._threads = ThreadPoolExecutor(_AT_ONCE, "delivery")

    def send(self, endpoint: Endpoint, events: Sequence[Event]) -> list[Answer]:
        """Return what became of the events, in order: of the first ones if the endpoint stops taking them."""
        if endpoint.endpoint_id == EVENT_GRID and self._event_grid is not None:
            return self._event_grid.send([cloud_event(event, self._source) for event in events])
        try:
            secret = self._secret(endpoint.secret_name)
        except SecretMissing:
            return [Answer("failed", problem="secret_missing")][: len(events)]
        except SecretsUnavailable:
            return [Answer("failed", problem="secret_unavailable")][: len(events)]
        answers: list[Answer] = []
        # The first round is short: a receiver that takes none of it is left alone.
        for some in (events[:_AT_ONCE], *batched(events[_AT_ONCE:], _PER_ROUND, strict=False)):
            answers += self._threads.map(lambda event: self._sent(endpoint, secret, event), some)
            if takes_nothing(answers):
                break
        return answers

    def close(self) -> None:
        """Close the connections that are kept."""
        self._threads.shutdown()
        self._sender.close()

    def _sent(self, endpoint: Endpoint, secret: str, event: Event) -> Answer:
        return self._sender.send(endpoint, secret, event.event_id, cloud_event(event, self._source))


def takes_nothing(answers: Sequence[Answer]) -> bool:
    """Return whether an endpoint has taken nothing of late, and would probably take nothing else."""
    return bool(answers) and all(map(_takes_nothing, answers[-_AT_ONCE:]))


def _takes_nothing(answer: Answer) -> bool:
    if answer.outcome != "failed":
        return answer.outcome == "gone"
    return (
        answer.status is None
        or answer.status == HTTPStatus.TOO_MANY_REQUESTS
        or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    )
