"""The connection to MongoDB and the functions that all document stores share."""

import functools
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import batched, islice
from typing import Any, override
from urllib.parse import parse_qsl, urlsplit

from pymongo import InsertOne, MongoClient, ReadPreference, ReplaceOne, WriteConcern
from pymongo.auth_oidc import OIDCCallback, OIDCCallbackContext, OIDCCallbackResult
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.database import Database
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern

from credentials.identity import NoToken, token

type Document = dict[str, Any]
type Documents = Collection[Document]
type DocumentDatabase = Database[Document]
type Write = InsertOne[Any] | ReplaceOne[Any]

OWN_COLLECTIONS = (
    "audit_log", "deliveries", "delivery_passes", "nights", "outbox", "portfolio_analyses", "portfolio_analysis_runs",
    "portfolio_books", "portfolio_rankings", "run_batches", "run_leases", "sessions", "symbol_prices",
    "symbol_research", "webhooks",
)  # fmt: skip
"""What the app writes, besides ``health``."""

IDS_PER_LOOKUP = 50
_DUPLICATE_KEY = 11000
_THROTTLED = 16500
_RETRY_AFTER = re.compile(r"RetryAfterMs=(\d{1,9})")
_LONGEST_ASKED_SECONDS = 10.0
# Longer than asked if little gets through: otherwise most of many documents would be sent again for each accepted one.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 1.0
_PATIENCE_SECONDS = 5.0
_PATIENCE_OF_A_STEP_SECONDS = 400.0

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


def own_database(client: MongoClient[Document], name: str, *, patient: bool = False) -> DocumentDatabase:
    """Return the database for the app's own collections: read from the primary and written with majority.

    Whatever the URL says: a stale record of a run would let two runs be active, or end one that goes on. A ``patient``
    one repeats the commands that the database throttles.
    """
    return (_PatientDatabase if patient else Database[Document])(
        client,
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
    for lot in batched(values, IDS_PER_LOOKUP, strict=False):
        yield from collection.find({field: {"$in": list(lot)}, **(condition or {})}, fields)


def update_where(collection: Documents, key: Document, condition: Document, changes: Document) -> bool:
    """Change the document with a key if it meets a condition; return whether it did.

    Found by its key and changed by its ``_id``: compatible servers read everything with the key's first field if a
    condition is in no index.
    """
    found = collection.find_one(key, {"_id": True})
    return found is not None and collection.update_one(found | condition, changes).matched_count == 1


class WriteRefused(Exception):
    """The database accepted some of many documents and refused others. The message contains none of them."""

    def __init__(self, errors: Sequence[Document]) -> None:
        codes = sorted({failed["code"] for failed in errors})
        super().__init__(f"The database refused {len(errors)} documents: {codes}")


_end_of_step: ContextVar[float | None] = ContextVar("end of the patience of a step", default=None)


@contextmanager
def one_patience() -> Iterator[None]:
    """Let all commands within, those of a step of a run, be repeated until one common end.

    It lies well within ``functionTimeout`` of host.json, which is 10 minutes. Without it, a request waits.
    """
    token = _end_of_step.set(time.monotonic() + _PATIENCE_OF_A_STEP_SECONDS)
    try:
        yield
    finally:
        _end_of_step.reset(token)


class Pauses:
    """The pauses between attempts at something that the database throttles: as long as it asks, and ever longer."""

    def __init__(
        self,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        patience_seconds: float = _PATIENCE_SECONDS,
    ) -> None:
        self._sleep, self._clock = sleep, clock
        self._end = _end_of_step.get() or clock() + patience_seconds
        self._next = _FIRST_PAUSE_SECONDS

    def wait(self, answer: str) -> bool:
        """Wait as the server's answer asks; return False if that would take too long altogether."""
        asked = max((int(milliseconds) / 1_000 for milliseconds in _RETRY_AFTER.findall(answer)), default=0.0)
        pause = max(self._next, min(asked, _LONGEST_ASKED_SECONDS))
        if self._clock() + pause > self._end:
            return False
        self._sleep(pause)
        self._next = min(2 * self._next, _LONGEST_PAUSE_SECONDS)
        return True


def is_throttled(error: OperationFailure) -> bool:
    """Return whether the database refused a command only for now."""
    return error.code == _THROTTLED


def patiently[Result](attempt: Callable[[], Result], pauses: Pauses | None = None) -> Result:
    """Return the result of ``attempt``, which is repeated after a pause while the database throttles it.

    Raises:
        OperationFailure: it is still throttled at the end of all patience, or was refused.
    """
    pauses = pauses or Pauses()
    while True:
        try:
            return attempt()
        except OperationFailure as error:
            if error.code != _THROTTLED or not pauses.wait(str(error)):
                raise


def bulk_write(collection: Documents, writes: Sequence[Write], pauses: Pauses | None = None) -> None:
    """Execute many writes in no order; an empty list does nothing. Those that are throttled are repeated.

    Raises:
        WriteRefused: some were refused, or throttled to the end of all patience. The driver's own error would carry the
            documents into log and history.
    """
    if refused := _send(collection, writes, pauses or Pauses()):
        raise WriteRefused(refused) from None


def insert_new(
    collection: Documents, documents: Sequence[Mapping[str, Any]], pauses: Pauses | None = None
) -> list[int]:
    """Insert documents, as :func:`bulk_write`; return the positions of those whose key exists already."""
    refused = _send(collection, [InsertOne(document) for document in documents], pauses or Pauses())
    if others := [failed for failed in refused if failed["code"] != _DUPLICATE_KEY]:
        raise WriteRefused(others) from None
    return [failed["index"] for failed in refused]


def write_each(collection: Documents, documents: Sequence[tuple[Document, Mapping[str, Any]]]) -> None:
    """Insert documents, each with its key, or replace those of the same key.

    Nearly always all of them are new: inserting costs half of what a look for each does.
    """
    positions = insert_new(collection, [document for _, document in documents])
    existing = (documents[position] for position in positions)
    bulk_write(collection, [ReplaceOne(key, _without_id(document)) for key, document in existing])


def _without_id(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a document without the ``_id`` that the driver gave it for the insertion."""
    if isinstance(document, dict):
        document.pop("_id", None)
    return document


def _send(collection: Documents, writes: Sequence[Write], pauses: Pauses) -> list[Document]:
    """Execute the writes; return code and position of each that was refused, or throttled to the end."""
    refused: list[Document] = []
    left = list(range(len(writes)))
    while left:
        try:
            collection.bulk_write([writes[position] for position in left], ordered=False)
            break
        except BulkWriteError as error:
            # A write that no majority confirmed may be lost, so it is refused like the others.
            failed = [*error.details["writeErrors"], *error.details.get("writeConcernErrors", ())]
            answer = " ".join(str(one.get("errmsg")) for one in failed if one["code"] == _THROTTLED)
            found = [{"code": one["code"], "index": left[one.get("index", 0)]} for one in failed]
        except OperationFailure as error:
            if error.code != _THROTTLED:
                raise
            answer = str(error)
            found = [{"code": _THROTTLED, "index": position} for position in left]
        refused += [one for one in found if one["code"] != _THROTTLED]
        throttled = [one for one in found if one["code"] == _THROTTLED]
        left = [one["index"] for one in throttled]
        if left and not pauses.wait(answer):
            return refused + throttled
    return refused


class _PatientCursor(Cursor[Document]):
    """A cursor whose query is repeated while the database throttles it; a later part of a long answer is not."""

    @override
    def __iter__(self) -> Iterator[Document]:  # type: ignore[override] # it is its own iterator there
        attempt: Cursor[Document] = self
        pauses, begun = Pauses(), False
        while True:
            try:
                while True:
                    document = attempt.next()
                    begun = True
                    yield document
            except StopIteration:
                return
            except OperationFailure as error:
                if begun or error.code != _THROTTLED or not pauses.wait(str(error)):
                    raise
                attempt = self.clone()

    @override
    def to_list(self, length: int | None = None) -> list[Document]:
        return list(islice(self, length))


class _PatientCollection(Collection[Document]):
    """A collection whose commands are repeated while the database throttles them."""

    @override
    def find(self, *args: Any, **kwargs: Any) -> Cursor[Document]:
        return _PatientCursor(self, *args, **kwargs)


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - of the driver's method
        return patiently(lambda: method(*args, **kwargs))

    return call


for _name in (
    "insert_one", "update_one", "update_many", "replace_one", "delete_one", "delete_many", "count_documents",
    "find_one_and_update",
):  # fmt: skip
    setattr(_PatientCollection, _name, _patient(getattr(Collection, _name)))


class _PatientDatabase(Database[Document]):
    @override
    def __getitem__(self, name: str) -> Collection[Document]:
        return _PatientCollection(self, name)
