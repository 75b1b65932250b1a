"""The indexes behind the queries: looked for first, and created only where they lack."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pymongo import IndexModel
from pymongo.errors import OperationFailure

from stores.mongo import Documents
from stores.refusals import CommandRefused, refusal_of

type Indexes = Sequence[tuple[Documents, Sequence[IndexModel]]]
"""The indexes that each collection should have."""

_log = logging.getLogger(__name__)


class Indexed(ABC):
    """A store with indexes."""

    @abstractmethod
    def indexes(self) -> Indexes:
        """Return the indexes behind the store's queries; those that are unique keep its documents apart."""

    def make_way(self) -> None:  # noqa: B027 - most have nothing to remove
        """Remove what earlier versions of the app left in the way of the indexes."""

    def ensure_indexes(self) -> None:
        """Create the indexes that lack."""
        self.make_way()
        for collection, wanted in self.indexes():
            create_missing(collection, wanted)


def missing(collection: Documents, wanted: Iterable[IndexModel], *, if_there: bool = False) -> list[IndexModel]:
    """Return the indexes that a collection lacks; none of one that does not exist, ``if_there``.

    An index of its owner's that serves the same queries is accepted.
    """
    there = collection.list_indexes().to_list()
    if if_there and not there:
        return []
    return [index for index in wanted if not any(_serves(found, index.document) for found in there)]


def create_missing(collection: Documents, wanted: Iterable[IndexModel]) -> list[IndexModel]:
    """Create the indexes that a collection lacks, by one command; return them."""
    lacking = missing(collection, wanted)
    if lacking:
        collection.create_indexes(lacking)
    return lacking


def ensure_keys(stores: Iterable[Indexed]) -> None:
    """Create the unique indexes that lack: nothing may be written to a collection before its key is there.

    Raises:
        CommandRefused: the database user may not create one that lacks, or documents in its way exist.
    """
    for store in stores:
        try:
            store.make_way()
            for collection, wanted in store.indexes():
                create_missing(collection, [index for index in wanted if index.document.get("unique")])
        except OperationFailure as error:
            if reason := refusal_of(error):
                raise CommandRefused(reason) from None
            raise


def settle(own: Iterable[Indexed], backend: Indexed) -> None:
    """Create the indexes that the app's own collections lack, and log those that the backend's lack.

    What the database user may not do is logged.
    """
    for collection, wanted in (pair for store in own for pair in store.indexes()):
        try:
            for index in create_missing(collection, wanted):
                _log.info("An index was created (%s)", description_of(collection, index))
        except OperationFailure as error:
            if not (reason := refusal_of(error)):
                raise
            _log.error("Indexes of the app's own collections are missing and cannot be created: %s", reason)
    for collection, wanted in backend.indexes():
        try:
            for index in missing(collection, wanted, if_there=True):  # some are optional
                text = "An index is missing on a collection of the backend, so runs are slow (%s). Preflight creates it"
                _log.warning(text, description_of(collection, index))
        except OperationFailure as error:
            if not (reason := refusal_of(error)):
                raise
            _log.warning("The indexes of the backend's collections cannot be read: %s", reason)


def description_of(collection: Documents, index: IndexModel) -> str:
    """Return the collection and the fields of an index."""
    fields = ", ".join(index.document["key"])
    return f"{collection.name}: {fields}"


def _serves(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether an index that is there serves in place of the wanted one; its name and further fields may differ.

    One that covers only some documents, or compares by a collation, serves none of the app's queries.
    """
    there, keys = list(found["key"].items()), list(wanted["key"].items())
    if wanted.get("unique") or "expireAfterSeconds" in wanted:
        same = there == keys and all(option in found for option in ("unique", "expireAfterSeconds") if option in wanted)
    else:
        same = there[: len(keys)] == keys
    partial = "partialFilterExpression" in found or (found.get("sparse", False) and not wanted.get("sparse", False))
    return same and not partial and found.get("collation", _SIMPLE)["locale"] == "simple"


_SIMPLE = {"locale": "simple"}
