"""The collections of the backend, which the app only reads, asked for by the key of their documents.

Ids of users are text, numbers, ObjectIds or UUIDs there, and text inside the app. Those of different types are compared
by their text form. MongoDB keeps the types apart: a range or a list of values of one type never finds ids of another.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import batched, takewhile
from operator import itemgetter
from typing import Any
from uuid import UUID

import pymongo
from bson import Binary, CodecOptions, DatetimeConversion, Int64, ObjectId
from bson.binary import UUID_SUBTYPE
from pymongo import ASCENDING, IndexModel
from pymongo.collation import Collation
from pymongo.cursor import Cursor
from pymongo.errors import OperationFailure

from fields import Path
from stores.mongo import IDS_PER_LOOKUP, Document, DocumentDatabase, Documents, patiently
from stores.places import Obstacle, value_at
from stores.refusals import refusal_of

type Names = Collection[str] | None
"""The outermost names to read of each document, ``None`` for all."""

# A date outside Python's range, or text that is not UTF-8, matters only where the field is used.
_LENIENT: CodecOptions[Document] = CodecOptions(
    tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="replace"
)
_SIMPLE = Collation("simple")
_NO_ARRAY: Document = {"$not": {"$type": "array"}}
# Some servers read a whole range before their first answer: of a million ids longer than other answers may take.
_WALK_SECONDS = 110.0
TYPES_KEPT_SECONDS = 10.0
"""The longest time until a type of ids is seen that the collection did not have before."""

_LARGEST, _LONGEST_EXACT = 2**63 - 1, 2**53
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_OBJECT_ID = re.compile(r"[0-9a-f]{24}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_OF_OTHER_TYPES = re.compile(r"[0-9a-f-]{1,36}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class IdType:
    """A type of ids; every id of it meets the condition ``all_of_them``.

    ``in_order_of_text`` tells whether ids have the same order as their text forms.
    """

    name: str
    all_of_them: Mapping[str, object]
    in_order_of_text: bool = True


NUMBER = IdType("number", {"$gte": Int64(-_LARGEST - 1), "$lte": Int64(_LARGEST)}, in_order_of_text=False)
TEXT = IdType("text", {"$gt": ""})
UUID_TYPE = IdType("UUID", {"$gte": Binary(bytes(16), UUID_SUBTYPE), "$lte": Binary(b"\xff" * 16, UUID_SUBTYPE)})
OBJECT_ID = IdType("ObjectId", {"$gte": ObjectId(bytes(12)), "$lte": ObjectId(b"\xff" * 12)})
ID_TYPES = (NUMBER, TEXT, UUID_TYPE, OBJECT_ID)
"""In the order in which MongoDB sorts them."""

_NAMES: Mapping[type, str] = {
    str: TEXT.name, bool: "boolean", int: NUMBER.name, float: NUMBER.name, ObjectId: OBJECT_ID.name, list: "array",
    dict: "object", type(None): "null",
}  # fmt: skip


def text_of(value: object) -> str:
    """Return the text form of an id; it is empty for what is no id."""
    if type(value) is str:  # and not BSON's code, which is one, too
        return value
    if isinstance(value, ObjectId):
        return str(value)
    if isinstance(value, Binary):
        return str(UUID(bytes=bytes(value))) if _is_uuid(value) else ""
    if isinstance(value, float):  # as JavaScript stores whole numbers
        return str(int(value)) if value.is_integer() and abs(value) <= _LONGEST_EXACT else ""
    return str(int(value)) if isinstance(value, int) and not isinstance(value, bool) else ""


def type_of(value: object) -> str:
    """Return the name of the type of a stored id, also of one that cannot be used."""
    if isinstance(value, Binary):
        return UUID_TYPE.name if _is_uuid(value) else "binary"
    if isinstance(value, str) and type(value) is not str:
        return "code"
    return next((name for kind, name in _NAMES.items() if isinstance(value, kind)), "other")


def typed(user_ids: Iterable[str]) -> dict[IdType, list[Any]]:
    """Return the values that have these text forms, by type; a text is the form of itself."""
    texts = list(user_ids)
    others = list(filter(_OF_OTHER_TYPES.fullmatch, texts))
    values: dict[IdType, list[Any]] = {
        NUMBER: [Int64(text) for text in others if _NUMBER.fullmatch(text) and abs(int(text)) <= _LARGEST],
        TEXT: texts,
        UUID_TYPE: [Binary(UUID(text).bytes, UUID_SUBTYPE) for text in others if _UUID.fullmatch(text)],
        OBJECT_ID: [ObjectId(text) for text in others if _OBJECT_ID.fullmatch(text)],
    }
    return {kind: own for kind, own in values.items() if own}


def _is_uuid(value: Binary) -> bool:
    return value.subtype == UUID_SUBTYPE and len(value) == len(UUID(int=0).bytes)


class BackendCollection:
    """A collection of the backend. The values of its ``key`` are compared exactly, whatever collation it has.

    In the documents that are returned, ``user_id`` is the text form of the key.
    """

    def __init__(
        self,
        database: DocumentDatabase,
        name: str,
        key: Path = ("user_id",),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.documents: Documents = database.get_collection(name, codec_options=_LENIENT)
        self.key = ".".join(key)
        self._path = key
        whole = len(key) == 1
        self._value_of: Callable[[Document], object] = itemgetter(key[0]) if whole else partial(value_at, path=key)
        self._clock = clock
        self._lock = threading.Lock()
        self._looked = False
        self._collation: Collation | None = None
        self._types: dict[IdType, tuple[float, bool]] = {}

    def types(self, *, now: bool = False) -> list[IdType]:
        """Return the types of the ids that there are, as of some seconds ago, or of ``now``."""
        return [kind for kind in ID_TYPES if self.has(kind, now=now)]

    def asked(self, ids: Mapping[IdType, object]) -> list[IdType]:
        """Return the types to ask for, of those that some ids may have."""
        # Most ids can be nothing but text, so that nothing has to be looked up.
        return [TEXT] if list(ids) == [TEXT] else [kind for kind in ids if self.has(kind)]

    def of_user(self, user_id: str, names: Names, limit: int) -> list[Document]:
        """Return up to ``limit`` documents of one user, whose id may be of any type."""
        values = [value for own in typed([user_id]).values() for value in own]
        found = _with_text(self._keyed(self._find({"$in": values}, names).limit(limit).to_list()))
        # A query by value also matches arrays that contain it, whose text form is empty.
        return [document for document in found if document["user_id"] == user_id]

    def of_users(
        self,
        ids: Mapping[IdType, Sequence[Any]],
        names: Names,
        most: int,
        *,
        spans: bool,
        at_once: int | None = None,
    ) -> Iterator[list[Document]]:
        """Yield the documents of users in lots, each with all of a user's documents of one type of id.

        ``spans`` asks for everything from the first to the last of them, others between them included. ``most`` and
        ``at_once`` as in :meth:`by_user`.
        """
        for kind in self.asked(ids):
            values = ids[kind]
            if spans:
                conditions: list[Document] = [{"$gte": min(values), "$lte": max(values)}]
            else:
                conditions = [{"$in": list(few)} for few in batched(values, IDS_PER_LOOKUP, strict=False)]
            for condition in conditions:
                yield from self.by_user(kind, condition, names, most, at_once)

    def by_user(
        self, kind: IdType, condition: Document, names: Names, most: int, at_once: int | None = None
    ) -> Iterator[list[Document]]:
        """Yield the documents whose key meets the condition, which is on one type, by user, in lots of whole users.

        Of a user with more than ``most`` documents, only some more than that are read. A lot has at most ``at_once``
        documents, unless one user has more.
        """
        # Queried lot by lot: one cursor would have to pass all documents of such a user, and would not survive a
        # restart of the server.
        largest = 2 * (most + 1)
        usual = largest if at_once is None else min(at_once, largest)
        size, arrays = usual, False
        in_arrays = list if len(self._path) == 1 else (list, Obstacle)  # one type is checked faster
        while True:
            lot = self._first(condition, names, size, without_arrays=arrays)
            if not arrays and any(isinstance(document["user_id"], in_arrays) for document in lot):
                # Arrays match by their elements. They are excluded only where there are some, since compatible servers
                # may not use the index then.
                arrays = True
                continue
            complete = len(lot) < size
            last, of_last = (None, 0) if complete else _last_user(lot)
            if of_last == size < largest:  # not all documents of this user
                size = largest
                continue
            size = usual
            whole = lot if complete or of_last > most else lot[:-of_last]
            if whole:
                yield whole if kind is TEXT else _with_text(whole)
            if complete:
                return
            condition = condition | {"$gt" if of_last > most else "$gte": last}

    def keys(self, condition: Document, at_once: int) -> Iterator[Any]:
        """Yield the keys that meet the condition, ascending, that of each document, from one cursor over the index.

        Arrays that contain such a key come, too.
        """
        only = {"_id": self.key == "_id", self.key: True}
        found = self.documents.find({self.key: condition}, only, collation=self.collation(), batch_size=at_once)
        found = found.sort(self.key, ASCENDING)
        with found:
            while True:
                with pymongo.timeout(_WALK_SECONDS):
                    lot = found.to_list(at_once)
                if not lot:
                    return
                yield from map(self._value_of, lot)

    def with_keys(self, values: Sequence[str], names: Names) -> Iterator[Document]:
        """Yield the documents whose key is one of these texts, in no order."""
        for lot in batched(values, IDS_PER_LOOKUP, strict=False):
            for document in self._find({"$in": list(lot)}, names):
                # A query by value also matches arrays that contain it.
                if isinstance(self._value_of(document), str):
                    yield document

    def count_of(self, kind: IdType) -> int:
        """Return the number of documents whose key is an id of this type."""
        return self.documents.count_documents({self.key: dict(kind.all_of_them)}, collation=self.collation())

    def count_without_key(self) -> int:
        """Return the number of documents whose key is no id."""
        ids = [{self.key: dict(kind.all_of_them)} for kind in ID_TYPES]
        query = {"$or": [{"$nor": ids}, {self.key: {"$type": "array"}}]}
        return self.documents.count_documents(query, collation=self.collation())

    def index(self) -> IndexModel | None:
        """Return the index behind the queries here, ``None`` if every collection has it."""
        if self.key == "_id":
            return None
        keys = [(self.key, ASCENDING)]
        if self.collation() is None:
            return IndexModel(keys, name=self.key)
        return IndexModel(keys, name=f"{self.key}_simple", collation=_SIMPLE)

    def default_collation(self) -> Document | None:
        """Return the collation that the collection compares by unless asked otherwise, ``None`` for exact comparison.

        Raises:
            OperationFailure: the database user may not read it.
        """
        default: Document | None = self.documents.options().get("collation")
        return None if default is None or default["locale"] == "simple" else default

    def collation(self) -> Collation | None:
        """Return the collation to ask with: the simple one where the collection has another by default.

        Only there, since it costs nothing on MongoDB, but compatible servers may not use an index with it.
        """
        with self._lock:
            if not self._looked:
                self._collation = self._look()
                self._looked = True
            return self._collation

    def _look(self) -> Collation | None:
        name = self.documents.name
        try:
            default = self.default_collation()
        except OperationFailure as error:
            if not (reason := refusal_of(error)):
                raise
            _log.warning("The collation of a collection cannot be read (%s): ids are taken to be exact", reason)
            return None
        if default is None:
            return None
        shown = f"{default['locale']}, strength {default.get('strength', 3)}"
        text = "A collection has a collation (%s: %s): it needs an index on %s with the simple one"
        _log.warning(text, name, shown, self.key)
        return _SIMPLE

    def has(self, kind: IdType, *, now: bool = False) -> bool:
        """Return whether there are ids of this type."""
        collation = self.collation()
        with self._lock:
            looked_at, answer = self._types.get(kind, (float("-inf"), False))
            if now or self._clock() - looked_at > TYPES_KEPT_SECONDS:
                one = self.documents.find({self.key: dict(kind.all_of_them)}, {"_id": True}, collation=collation)
                answer = bool(patiently(lambda: one.clone().limit(1).to_list()))
                self._types[kind] = self._clock(), answer
            return answer

    def _first(self, condition: Document, names: Names, size: int, *, without_arrays: bool) -> list[Document]:
        found = self._find(condition, names, without_arrays=without_arrays).limit(size).batch_size(size)
        found = found.sort(self.key, ASCENDING)
        return self._keyed(patiently(lambda: found.clone().to_list()))

    def _find(self, condition: Document, names: Names, *, without_arrays: bool = False) -> Cursor[Document]:
        query: Document = {self.key: condition | _NO_ARRAY if without_arrays else condition}
        if without_arrays:  # nor around the key
            query |= {".".join(self._path[:depth]): _NO_ARRAY for depth in range(1, len(self._path))}
        outermost = self._path[0]
        wanted = None if names is None else {"_id": outermost == "_id", outermost: True, **dict.fromkeys(names, True)}
        return self.documents.find(query, wanted, collation=self.collation())

    def _keyed(self, documents: list[Document]) -> list[Document]:
        """Return the documents with their key as ``user_id``."""
        if self._path != ("user_id",):
            for document in documents:
                document["user_id"] = self._value_of(document)
        return documents


def _last_user(lot: Sequence[Document]) -> tuple[Any, int]:
    """Return the last user of a lot, and the number of that user's documents in it."""
    user_id = lot[-1]["user_id"]
    return user_id, sum(1 for _ in takewhile(lambda document: document["user_id"] == user_id, reversed(lot)))


def _with_text(documents: list[Document]) -> list[Document]:
    """Return the documents with the text form of their ids."""
    for document in documents:
        document["user_id"] = text_of(document["user_id"])
    return documents
