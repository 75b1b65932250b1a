"""The connection to MongoDB and the functions that all document stores share."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import Any, override
from urllib.parse import parse_qsl, urlsplit

from pymongo import IndexModel, InsertOne, MongoClient, ReadPreference, ReplaceOne, WriteConcern
from pymongo.auth_oidc import OIDCCallback, OIDCCallbackContext, OIDCCallbackResult
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern

from credentials.identity import NoToken, token

type Document = dict[str, Any]
type Documents = Collection[Document]
type DocumentDatabase = Database[Document]

_LOT = 50
_INDEX_EXISTS_WITH_OTHER_NAME_OR_OPTIONS = (85, 86)
_SCOPE = "https://ossrdbms-aad.database.windows.net/.default"


def connect(url: str, listeners: Sequence[CommandListener] = ()) -> MongoClient[Document]:
    """Return the process's one client; it connects on first use.

    An unreachable server is detected after 5 s, so that a trigger answers 503 while its caller still waits; a query may
    take a minute. The pool is larger than the worker's threads, so no thread waits for a connection. A ``url`` with
    ``authMechanism=MONGODB-OIDC``, and no properties that name a token source, uses the app's identity.
    """
    as_identity: dict[str, Any] = {}
    if _is_for_identity(url):
        as_identity["authMechanismProperties"] = {"OIDC_CALLBACK": _AsIdentity()}
    return MongoClient(
        url,
        appname="portfolio-analysis",
        tz_aware=True,
        serverSelectionTimeoutMS=5_000,
        connectTimeoutMS=5_000,
        socketTimeoutMS=60_000,
        maxPoolSize=50,
        waitQueueTimeoutMS=5_000,
        event_listeners=listeners,
        **as_identity,
    )


def own_database(client: MongoClient[Document], name: str) -> DocumentDatabase:
    """Return the database for the app's own collections: read from the primary and written with majority.

    Whatever the URL says: a stale record of a run would let two runs be active, or end one that goes on.
    """
    return client.get_database(
        name,
        read_preference=ReadPreference.PRIMARY,
        read_concern=ReadConcern("local"),
        write_concern=WriteConcern("majority"),
    )


class _AsIdentity(OIDCCallback):
    @override
    def fetch(self, context: OIDCCallbackContext) -> OIDCCallbackResult:
        # The driver's own Azure support uses the endpoint of virtual machines, which function apps do not have.
        try:
            return OIDCCallbackResult(access_token=token(_SCOPE))
        except NoToken as error:
            raise ConnectionFailure(str(error)) from None


def _is_for_identity(url: str) -> bool:
    options = {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}
    return options.get("authmechanism") == "MONGODB-OIDC" and "authmechanismproperties" not in options


def find_each(
    collection: Documents,
    field: str,
    values: Sequence[str],
    fields: Mapping[str, bool] | None = None,
    *,
    condition: Mapping[str, object] | None = None,
) -> Iterator[Document]:
    """Yield the documents whose ``field`` is one of ``values`` and that meet the ``condition``, in no order.

    Queried in small chunks: query planners vary with long lists of alternatives, and SecantusDB's time grows with the
    square of their length.
    """
    for lot in batched(values, _LOT, strict=False):
        yield from collection.find({field: {"$in": list(lot)}, **(condition or {})}, fields)


class WriteRefused(Exception):
    """The database accepted some of many documents and refused others. The message contains none of them."""

    def __init__(self, error: BulkWriteError) -> None:
        errors = error.details["writeErrors"]
        codes = sorted({failed["code"] for failed in errors})
        super().__init__(f"The database refused {len(errors)} documents: {codes}")


def bulk_write(collection: Documents, writes: Sequence[InsertOne[Any] | ReplaceOne[Any]]) -> None:
    """Execute many writes in no order; an empty list does nothing.

    Raises:
        WriteRefused: some were refused. The driver's own error would carry the documents into log and history.
    """
    try:
        if writes:
            collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        raise WriteRefused(error) from None


def ensure_indexes(collection: Documents, indexes: Sequence[IndexModel]) -> None:
    """Create the missing indexes. An index by the collection's owner over the same keys is accepted."""
    for index in indexes:
        try:
            collection.create_indexes([index])
        except OperationFailure as error:
            if error.code not in _INDEX_EXISTS_WITH_OTHER_NAME_OR_OPTIONS:
                raise
