"""The connection to MongoDB and the few things every store of documents shares."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import Any

from pymongo import IndexModel, InsertOne, MongoClient, ReplaceOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, OperationFailure

type Document = dict[str, Any]
type Documents = Collection[Document]
type DocumentDatabase = Database[Document]

_LOT = 50
_INDEX_EXISTS_WITH_OTHER_NAME_OR_OPTIONS = (85, 86)


def connect(url: str) -> MongoClient[Document]:
    """Make the process's one client; it connects on first use.

    A server that is away is noticed after 5 s, so that a trigger answers 503 while its caller still waits; a query may
    take a minute. The pool is larger than the worker's threads, so no thread waits for a connection.
    """
    return MongoClient(
        url,
        appname="portfolio-analysis",
        tz_aware=True,
        serverSelectionTimeoutMS=5_000,
        connectTimeoutMS=5_000,
        socketTimeoutMS=60_000,
        maxPoolSize=50,
        waitQueueTimeoutMS=5_000,
    )


def find_each(
    collection: Documents, field: str, values: Sequence[str], fields: Mapping[str, bool] | None = None
) -> Iterator[Document]:
    """Give the documents whose ``field`` is one of ``values``, in no order.

    Asked for in small lots: how a server plans a long list of alternatives is anybody's guess, and SecantusDB's time
    grows with its square.
    """
    for lot in batched(values, _LOT, strict=False):
        yield from collection.find({field: {"$in": list(lot)}}, fields)


class WriteRefused(Exception):
    """The database took some of many documents and refused others. The message holds none of them."""

    def __init__(self, error: BulkWriteError) -> None:
        errors = error.details["writeErrors"]
        codes = sorted({failed["code"] for failed in errors})
        super().__init__(f"The database refused {len(errors)} documents: {codes}")


def bulk_write(collection: Documents, writes: Sequence[InsertOne[Any] | ReplaceOne[Any]]) -> None:
    """Do many writes in no order; none at all is nothing.

    Raises:
        WriteRefused: some were refused. The driver's own error would carry the documents into log and history.
    """
    try:
        if writes:
            collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        raise WriteRefused(error) from None


def ensure_indexes(collection: Documents, indexes: Sequence[IndexModel]) -> None:
    """Create the indexes that are not there. One the owner of the collection made over the same keys will do."""
    for index in indexes:
        try:
            collection.create_indexes([index])
        except OperationFailure as error:
            if error.code not in _INDEX_EXISTS_WITH_OTHER_NAME_OR_OPTIONS:
                raise
