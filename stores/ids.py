"""Ids of users as backends store them: as text, numbers, ObjectIds or UUIDs. Inside the app they are text.

Ids of different types are compared by their text form. MongoDB keeps the types apart: a range or a list of values of
one type never finds ids of another.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from bson import Binary, Int64, ObjectId
from bson.binary import UUID_SUBTYPE

_LARGEST, _LONGEST_EXACT = 2**63 - 1, 2**53
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_OBJECT_ID = re.compile(r"[0-9a-f]{24}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_OF_OTHER_TYPES = re.compile(r"[0-9a-f-]{1,36}")


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
    if isinstance(value, str):
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
