"""The receivers of events: those of the settings, those of the collection ``webhooks``, and what is learnt of them."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import override

import msgspec
from msgspec import Struct
from pymongo import ASCENDING, IndexModel

from endpoints import Endpoint, EndpointsError, EventType, read_endpoint
from stores.indexes import Indexed, Indexes
from stores.mongo import Document, DocumentDatabase

_MEMBERS = Endpoint.__struct_fields__

_log = logging.getLogger(__name__)


class Receiver(Struct, frozen=True):
    """An endpoint and what is learnt of it: ``failures`` in a row without an answer, and until when it is left alone.

    One that answered 410 is not ``active``, nor is one that an operator has switched off.
    """

    endpoint: Endpoint
    active: bool = True
    failures: int = 0
    resumes_at: datetime | None = None


class WebhookStore(Indexed):
    """Receivers by ``endpoint_id``; of two with one id that of the ``settings`` counts."""

    def __init__(
        self, database: DocumentDatabase, settings: Sequence[Endpoint] = (), *, allow_private: bool = False
    ) -> None:
        self._webhooks = database["webhooks"]
        self._settings = {endpoint.endpoint_id: endpoint for endpoint in settings}
        self._allow_private = allow_private

    @override
    def indexes(self) -> Indexes:
        """Return the key."""
        return [(self._webhooks, [IndexModel([("endpoint_id", ASCENDING)], name="endpoint_id", unique=True)])]

    def all(self) -> list[Receiver]:
        """Return all receivers by id; those that cannot be used are left out and logged."""
        documents = {own["endpoint_id"]: own for own in self._webhooks.find({}, {"_id": False}) if _has_id(own)}
        own = [_receiver(endpoint, documents.get(name, {})) for name, endpoint in self._settings.items()]
        others = self._others([document for name, document in documents.items() if name not in self._settings])
        return sorted([*own, *others], key=lambda receiver: receiver.endpoint.endpoint_id)

    def get(self, endpoint_id: str) -> Receiver | None:
        """Return a receiver, ``None`` if there is none of this id."""
        return next((found for found in self.all() if found.endpoint.endpoint_id == endpoint_id), None)

    def takers(self, *kinds: EventType) -> list[str]:
        """Return the ids of the active receivers of events of any of these types."""
        return [own.endpoint.endpoint_id for own in self.all() if own.active and {*kinds} & {*own.endpoint.types}]

    def deactivate(self, endpoint: Endpoint) -> None:
        """Send a receiver no more events, unless it gets another URL or an operator says later that it is active."""
        self._webhooks.update_one({"endpoint_id": endpoint.endpoint_id, "active": True}, {"$unset": {"active": ""}})
        self._learn(endpoint.endpoint_id, {"gone": _digest(endpoint)})

    def rest(self, endpoint_id: str, failures: int, until: datetime | None) -> None:
        """Leave a receiver alone until a time, after so many failures in a row; ``None`` ends that."""
        self._learn(endpoint_id, {"failures": failures, "resumes_at": until})

    def _learn(self, endpoint_id: str, learnt: Document) -> None:
        self._webhooks.update_one({"endpoint_id": endpoint_id}, {"$set": learnt}, upsert=True)

    def _others(self, documents: Sequence[Document]) -> Iterator[Receiver]:
        for document in documents:
            members = {name: document[name] for name in _MEMBERS if name in document}
            if "url" not in members:  # what was learnt of one that is in the settings no more
                continue
            try:
                yield _receiver(read_endpoint(members, allow_private=self._allow_private), document)
            except EndpointsError as error:
                _log.error("A document of webhooks cannot be used: it %s", error)


class _Learnt(Struct, frozen=True):
    """What is learnt of a receiver; ``gone`` is the digest of a URL that takes no more events.

    ``active`` is what an operator says, which counts, or ``None``: that it is so, only if said since it was gone.
    """

    active: bool | None = None
    failures: int = 0
    resumes_at: datetime | None = None
    gone: str | None = None


def _receiver(endpoint: Endpoint, document: Document) -> Receiver:
    try:
        learnt = msgspec.convert(document, _Learnt)
    except msgspec.ValidationError as error:
        ill_formed = "A document of webhooks is ill-formed, so its endpoint gets no events (endpoint_id=%s): %s"
        _log.error(ill_formed, endpoint.endpoint_id, error)
        learnt = _Learnt(active=False)
    active = learnt.gone != _digest(endpoint) if learnt.active is None else learnt.active
    return Receiver(endpoint, active, learnt.failures, learnt.resumes_at)


def _has_id(document: Document) -> bool:
    has_id = isinstance(document.get("endpoint_id"), str)
    if not has_id:
        _log.error("A document of webhooks cannot be used: its endpoint_id must be a text")
    return has_id


def _digest(endpoint: Endpoint) -> str:
    return hashlib.sha256(endpoint.url.encode()).hexdigest()
