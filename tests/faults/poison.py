"""Invalid documents, and their effect on their user."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from stores.mongo import Document, DocumentDatabase

_MANY = 100_000
_LATE = DatetimeMS(946_684_799_123)
_NO_UTF8 = "not-#-text"
# Placeholders for a date far beyond the year 9999 and for text that is not UTF-8, and the bytes that replace them: no
# server here stores such values, but others do.
GARBLED = {
    int(_LATE).to_bytes(8, "little"): (2**62).to_bytes(8, "little"),
    _NO_UTF8.encode(): b"not-\xff-text",
}
_SYMBOL = "S01"


@dataclass(frozen=True)
class Poison:
    """The documents of one user.

    ``reason`` is the cause of the user's failure, ``None`` if there is a report; then ``told`` names the part of its
    data quality that tells of them, if they are not harmless.
    """

    user_id: str
    reason: str | None = None
    told: str | None = None
    user: Document = field(default_factory=dict)
    account: tuple[Document, ...] = ()
    holdings: tuple[Document, ...] = ({"symbol": _SYMBOL, "quantity": 3, "avg_price": 10},)
    watchlist: tuple[Document, ...] = ()

    def write(self, database: DocumentDatabase) -> None:
        owner = {"user_id": self.user_id}
        database.users.insert_one(owner | self.user)
        own = (("accounts", self.account), ("holdings", self.holdings), ("watchlist", self.watchlist))
        for collection, documents in own:
            if documents:
                database[collection].insert_many([owner | document for document in documents])

    def mend(self, database: DocumentDatabase) -> None:
        """Replace the documents by valid ones."""
        for collection in ("users", "accounts", "holdings", "watchlist"):
            database[collection].delete_many({"user_id": self.user_id})
        Poison(self.user_id).write(database)


def _nested(depth: int) -> Any:  # noqa: ANN401 - any value of BSON's
    value: Any = 1
    for _ in range(depth):
        value = {"in": value}
    return value


_NO_NUMBERS: dict[str, Any] = {
    "text": "ten",
    "huge-text": "9" * 1_000_000,
    "not-utf-8": _NO_UTF8,
    "not-a-number": float("nan"),
    "infinite": float("inf"),
    "too-large": 1e308,
    "largest-int": Int64(2**63 - 1),
    "decimal-not-a-number": Decimal128("NaN"),
    "decimal-signaling": Decimal128("sNaN"),
    "decimal-infinite": Decimal128("-Infinity"),
    "decimal-too-large": Decimal128("9.999E+6144"),
    "late-date": _LATE,
    "date": datetime(2026, 1, 2, tzinfo=UTC),
    "null": None,
    "true": True,
    "array": [1.0],
    "long-array": [1.0] * _MANY,
    "object": {"$numberDecimal": "1"},
    "nested": _nested(60),
    "binary": Binary(b"\xff" * 1_000, 128),
    "code": Code("function() { return 1; }"),
    "regex": Regex("(a+)+$"),
    "min-key": MinKey(),
    "max-key": MaxKey(),
    "timestamp": Timestamp(1, 1),
    "id": ObjectId("0123456789abcdef01234567"),
}


def poisons() -> Iterator[Poison]:
    """Yield a user for each kind of poison."""
    for name, value in _NO_NUMBERS.items():
        yield Poison(
            f"zz-quantity-{name}",
            told="invalid_holdings",
            holdings=({"symbol": _SYMBOL, "quantity": value, "avg_price": 1},),
        )
        if name != "text":  # which can be a symbol
            unnamed = {"symbol": value, "quantity": 1, "avg_price": 1}
            yield Poison(
                f"zz-symbol-{name}", told="invalid_holdings", holdings=(unnamed,), watchlist=({"symbol": value},)
            )
        if value is not None:  # without a value the field is absent, which is allowed
            yield Poison(f"zz-cash-{name}", "invalid_account", account=({"cash": value},))
            thresholds = {"analysis_thresholds": {"largest_position": {"breach": value}}}
            yield Poison(f"zz-threshold-{name}", told="notes", user=thresholds)
            cost = {"symbol": _SYMBOL, "quantity": 1, "avg_price": value}
            yield Poison(f"zz-cost-{name}", told="unknown_cost_symbols", holdings=(cost,))
    yield Poison("zz-no-cost", told="unknown_cost_symbols", holdings=({"symbol": _SYMBOL, "quantity": 1},))
    yield Poison("zz-two-accounts", account=({"cash": 1}, {"cash": 2}))
    yield Poison("zz-thresholds", told="notes", user={"analysis_thresholds": [1.0] * _MANY})
    lot = {"symbol": _SYMBOL, "quantity": 1, "avg_price": 1}
    yield Poison("zz-holdings", "too_many_holdings", holdings=(lot,) * 5_001)
    # Symbols that nobody ever heard of must cost nobody a night.
    yield Poison("zz-watchlist", watchlist=tuple({"symbol": f"INVENTED{number}"} for number in range(9)))
    # Fields of other systems may contain anything.
    yield Poison("zz-name", user={"username": _NO_UTF8, "created_at": _LATE, "preferences": [1] * _MANY})


def unusable_user_ids() -> list[Document]:
    """Return user documents without a usable id.

    None is binary: the local server counts such a value among UUIDs if it asks without an index, unlike MongoDB.
    """
    values: list[Any] = [["user-00001"], [["user-00001"]], 7.5, float("nan"), None, True, {"user_id": "user-00001"}]
    values += [Decimal128("NaN"), _LATE, MinKey(), "", " ", "a/b", "$gt", "u" * 100_000]
    values += [["user-00001"] * _MANY, _NO_UTF8]
    return [{"username": "nobody"}, *({"user_id": value} for value in values)]


def write_unusable_user_ids(database: DocumentDatabase) -> int:
    """Write these documents, each with a holding of the same owner; return their number."""
    documents = unusable_user_ids()
    holding = {"symbol": _SYMBOL, "quantity": 1, "avg_price": 1}
    database.holdings.insert_many([document | holding for document in documents])
    database.users.insert_many(documents)
    return len(documents)
