"""The one place that validates HTTP input: bodies, query parameters and path members."""

import codecs
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Literal, cast

import azure.functions as func
import msgspec
from msgspec import Meta, Struct

from analysis.checks import RULES
from analysis.models import LotMethod
from endpoints import EventType
from functions.access.administrators import Admin
from functions.http.cursors import NO_CURSOR, decode_cursor
from problems import InvalidMember, Problem
from records import USER_ID_PATTERN, CheckStatus, DeliveryStatus, RequestKey, Scope, SortField, Status, Wanted

MAX_BODY_BYTES = 64 * 1024
IDEMPOTENCY_KEY = "Idempotency-Key"
_IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,255}")

# `$(?!\n)`: in Python `$` alone would also match before a final line break.
type RunId = Annotated[str, Meta(pattern=r"^run_[0-9]{8}_[0-9]{6}_[0-9a-f]{4}$(?!\n)")]
type UserId = Annotated[str, Meta(pattern=USER_ID_PATTERN)]
type EventId = Annotated[str, Meta(pattern=r"^evt_[0-9a-f]{32}$(?!\n)")]
type EndpointId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$(?!\n)")]
IDS = {"run_id": RunId, "user_id": UserId, "event_id": EventId, "endpoint_id": EndpointId}
"""The types of ids in paths, by name."""

type Limit = Annotated[int, Meta(ge=1, le=100)]


class MalformedId(Problem):
    """An id in the path is malformed."""

    status, slug, title = 400, "malformed-id", "Malformed id"
    arguments_of_example = ("run_id",)

    def __init__(self, name: str) -> None:
        super().__init__(f"The {name} in the path is malformed.")


class BodyTooLarge(Problem):
    """The body is over 64 KB."""

    status, slug, title = 413, "body-too-large", "Body too large"
    detail = f"Send at most {MAX_BODY_BYTES} bytes."


class LengthRequired(Problem):
    """The body is sent without its length, so the host does not pass it on: its content is unknown."""

    status, slug, title = 411, "length-required", "Length required"
    detail = "Send the body in one piece with its Content-Length, without Transfer-Encoding."


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """The query or body of an operation that takes none."""


class TriggerRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """The options of a run; every member is optional."""

    dry_run: bool = False
    user_ids: Annotated[list[UserId], Meta(min_length=1, max_length=1000)] | None = None
    as_of: date | None = None


type Cursor = Annotated[str, Meta(max_length=512, description="`next` of an earlier page; opaque")]


class NewestQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """A page of a list, newest first."""

    limit: Limit = 20
    before: Cursor | None = None


class RunsQuery(NewestQuery, frozen=True, forbid_unknown_fields=True):
    """A page of the runs, newest first: of all, or of those requested for these users."""

    users: Scope | None = None


type Rule = Annotated[str, Meta(pattern=rf"^({'|'.join(rule.name for rule in RULES)})$(?!\n)")]
type CheckFilter = Annotated[
    str,
    Meta(
        pattern=rf"^({'|'.join(rule.name for rule in RULES)})(:(warning|breach|unknown))?$(?!\n)",
        description="A rule, for all portfolios beyond its threshold, or `rule:warning`, `rule:breach`, `rule:unknown`",
    ),
]


type Complete = Annotated[bool, Meta(description="Whether every holding has a value")]


class PortfoliosQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """A page of the portfolios of a run."""

    limit: Limit = 20
    after: Cursor | None = None
    status: Status | None = None
    sort: SortField = "user_id"
    order: Literal["asc", "desc"] = "asc"
    check: CheckFilter | None = None
    complete: Complete | None = None
    user_id_prefix: UserId | None = None

    @property
    def wanted(self) -> Wanted:
        """Return the filter of the list."""
        rule, _, status = (self.check or "").partition(":")
        state, prefix = cast("CheckStatus | None", status or None), self.user_id_prefix or ""
        return Wanted(self.status, rule or None, state, prefix, complete=self.complete)

    def cursor(self, place: tuple[float | None, str]) -> tuple[str, str, float | None, str]:
        """Return what the cursor of a place in this list stands for, the order with it."""
        return self.sort, self.order, *place

    def place(self) -> tuple[float | None, str] | None:
        """Return the place that the page begins after, ``None`` at the beginning.

        Raises:
            InvalidMember: ``after`` is no cursor, or one of another order.
        """
        if self.after is None:
            return None
        sort, order, figure, user_id = decode_cursor("after", self.after, tuple[str, str, float | None, str])
        if (sort, order) != (self.sort, self.order):
            raise InvalidMember("after", f"{NO_CURSOR}, in the same order")
        return figure, user_id


# An id never has a slash, but it may have any other mark that separates words.
type _Ids = Annotated[tuple[UserId, ...], Meta(max_length=100)]


class PeopleQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """A page of the people of the newest night. A ``check`` alone asks for its warnings and breaches."""

    limit: Limit = 20
    after: Cursor | None = None
    q: Annotated[str, Meta(max_length=128, description="A part of the id, the name or the e-mail")] = ""
    user_ids: Annotated[str, Meta(description="Only people with these ids: at most 100, separated by slashes")] = ""
    status: Status | None = None
    check: Rule | None = None
    check_status: Literal["warning", "breach", "unknown"] | None = None
    complete: Complete | None = None
    sort: SortField = "user_id"
    order: Literal["asc", "desc"] = "asc"

    def check_members(self) -> None:
        """Check that the state of a check has its check, and that the ids are ids.

        Raises:
            InvalidMember: one of these is not so.
        """
        if self.check_status is not None and self.check is None:
            raise InvalidMember("check_status", "needs a check")
        try:
            msgspec.convert(self.ids, _Ids)
        except msgspec.ValidationError:
            raise InvalidMember("user_ids", "must be at most 100 ids, separated by slashes") from None

    @property
    def wanted(self) -> Wanted:
        """Return the filter of the list."""
        return Wanted(self.status, self.check, self.check_status, complete=self.complete)

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of the only people asked for, each once; none if anybody may be listed."""
        return tuple(dict.fromkeys(self.user_ids.split("/"))) if self.user_ids else ()

    @property
    def digest(self) -> str:
        """Return what tells the list from those of other filters and orders."""
        return _digest(msgspec.json.encode([getattr(self, name) for name in _OF_LIST]))


# The rest of the query names the page.
_OF_LIST = tuple(name for name in PeopleQuery.__struct_fields__ if name not in ("limit", "after"))


class EventsQuery(NewestQuery, frozen=True, forbid_unknown_fields=True):
    """A page of the outbox, newest first."""

    type: EventType | None = None
    status: DeliveryStatus | None = None


class EarlierQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The run of the night that the earlier report is of, by default any of the runs before."""

    night: RunId | None = None


class WeeksQuery(Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from", "last": "to"}):
    """The days of a series, both included."""

    first: date | None = None
    last: date | None = None

    def check(self) -> None:
        """Check that the days are in order.

        Raises:
            InvalidMember: they are not.
        """
        if self.first and self.last and self.first > self.last:
            raise InvalidMember("from", "must not be after to")


class GainsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """The year of gains, by default this one, and the method that chooses lots, by default the person's."""

    year: Annotated[int, Meta(ge=1900, le=2200)] | None = None
    method: LotMethod | None = None


def read_body[T](request: func.HttpRequest, kind: type[T]) -> T:
    """Return the body as ``kind``; an empty one means an empty object.

    Raises:
        LengthRequired, BodyTooLarge, InvalidMember: the body breaks a rule.
    """
    if "Transfer-Encoding" in request.headers and "Content-Length" not in request.headers:
        raise LengthRequired
    body = request.get_body()
    if len(body) > MAX_BODY_BYTES:
        raise BodyTooLarge
    content = body.removeprefix(codecs.BOM_UTF8).strip() or b"{}"
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid_member(error, "body") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _unreadable(content) from None


def read_query[T](request: func.HttpRequest, kind: type[T]) -> T:
    """Return the query parameters as ``kind``.

    Raises:
        InvalidMember: a parameter breaks a rule.
    """
    parameters = dict(request.params)
    try:
        query = msgspec.convert(parameters, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid_member(error, "query") from None
    except UnicodeEncodeError:
        raise InvalidMember(_place_of_no_text(parameters) or "query", _NO_TEXT) from None
    _check_texts(query, parameters)
    return query


def _check_texts(query: object, parameters: Mapping[str, str]) -> None:
    """Refuse the text "null", which is converted to no value: a filter by it would list everything."""
    for field in msgspec.structs.fields(query):  # type: ignore[arg-type] # queries are structs
        if field.encode_name in parameters and getattr(query, field.name) is None:
            raise InvalidMember(field.encode_name, "must not be null; leave it out instead")


def read_id(request: func.HttpRequest, name: str) -> str:
    """Return the id of this name, one of :data:`IDS`, from the path.

    Raises:
        MalformedId: it is malformed.
    """
    kind = IDS[name].__value__
    try:
        return msgspec.convert(request.route_params.get(name), kind)  # type: ignore[no-any-return] # Annotated[str]
    except msgspec.ValidationError:
        raise MalformedId(name) from None


def read_request_key(request: func.HttpRequest, admin: Admin, body: Struct) -> RequestKey | None:
    """Return the key that identifies repeats of a request of ``admin``, ``None`` without a header Idempotency-Key.

    Raises:
        InvalidMember: the header breaks a rule.
    """
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise InvalidMember(IDEMPOTENCY_KEY, "must be 1 to 255 visible ASCII characters")
    # As JSON, since names and keys may contain any separator.
    owned = msgspec.json.encode((admin.credential, admin.actor, key))
    return RequestKey(f"http:{_digest(owned)}", _digest(msgspec.json.encode(body)))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _unreadable(content: bytes) -> InvalidMember:
    """Return the error of a body that cannot be read, naming the member if only its text is invalid."""
    try:
        # A byte that is not UTF-8 becomes a lone surrogate, and an escaped lone surrogate stays one.
        place = _place_of_no_text(json.loads(content.decode("utf-8", "surrogateescape")))
    except (ValueError, RecursionError):
        place = None
    if place is None:
        return InvalidMember("body", "must be a JSON object in UTF-8")
    return InvalidMember(place or "body", _NO_TEXT)


def _place_of_no_text(value: object) -> str | None:
    """Return the member whose text cannot be encoded in UTF-8; for a member's own name, the object it is in."""
    return next((place[:_LONGEST_NAME] for place, text in _texts(value, "") if _SURROGATE.search(text)), None)


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield place, value
        case list():
            for number, item in enumerate(value):
                yield from _texts(item, f"{place}[{number}]")
        case dict():
            for name, item in value.items():
                yield place, name
                yield from _texts(item, f"{place}.{name}" if place else name)


_NO_TEXT = "must be text in UTF-8"
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_AT = re.compile(r" - at `(?:key in )?\$\.?(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"^Object contains unknown field `(?P<name>.*)`$", re.DOTALL)
_LONGEST_NAME = 64


def _invalid_member(error: msgspec.ValidationError, whole: str) -> InvalidMember:
    """Return the error with its member, which the library names only in its message."""
    text = str(error) if whole == "body" else str(error).replace(" | null", "")  # no parameter can be null
    path = ""
    if place := _AT.search(text):
        text, path = text[: place.start()], place["path"]
    if unknown := _UNKNOWN.match(text):
        name = unknown["name"][:_LONGEST_NAME]
        return InvalidMember(f"{path}.{name}" if path else name, "is not a known member")
    if "matching regex" in text:
        text = "Contains characters that are not allowed, or is empty or too long"
    return InvalidMember(path or whole, text[0].lower() + text[1:])
