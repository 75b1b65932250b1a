"""The cursors of lists: opaque texts for the item that the next page begins after."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from problems import InvalidMember, Problem

NO_CURSOR = "must be the cursor of an earlier page"


class CursorOfAnotherList(Problem):
    """The cursor is not one of this list with this filter and order."""

    status, slug, title = 400, "cursor-of-another-list", "Cursor of another list"
    detail = "The cursor in `after` is of another list: use it with the filter and order it was given for."


def encode_cursor(value: object) -> str:
    """Return an opaque cursor for the item that the next page begins after."""
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def decode_cursor[T](member: str, cursor: str, kind: type[T]) -> T:
    """Return the value that :func:`encode_cursor` was given.

    Raises:
        InvalidMember: the cursor is not one of ours.
    """
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kind)
    except (msgspec.DecodeError, binascii.Error, ValueError, RecursionError):
        raise InvalidMember(member, NO_CURSOR) from None


def decode_place(digest: str, cursor: str) -> tuple[float | None, str]:
    """Return the place in a list that its cursor stands for; the cursor was encoded with the list's digest.

    Raises:
        CursorOfAnotherList: the cursor is not one of this list.
    """
    try:
        own, place = decode_cursor("after", cursor, tuple[str, tuple[float | None, str]])
    except InvalidMember:
        raise CursorOfAnotherList from None
    if own != digest:
        raise CursorOfAnotherList
    return place


def decode_time_cursor(member: str, cursor: str) -> tuple[datetime, str]:
    """Return the time and id that :func:`encode_cursor` was given.

    Raises:
        InvalidMember: the cursor is not one of ours.
    """
    time, key = decode_cursor(member, cursor, tuple[Annotated[datetime, Meta(tz=True)], str])
    try:
        return time.astimezone(UTC), key
    except OverflowError:  # a time zone can push the first or the last day out of the calendar
        raise InvalidMember(member, NO_CURSOR) from None
