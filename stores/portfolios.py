"""Users' holdings and watchlists: read from the existing backend's collections, which this app never writes.

Their documents may contain anything. All rules about them are here: an invalid holding is left out and reported, a
user whose documents allow no analysis becomes an :class:`InvalidPortfolio`.
"""

import logging
import math
import re
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import TypeIs

from bson import CodecOptions, DatetimeConversion, Decimal128
from pymongo import ASCENDING, IndexModel

from analysis.models import Holding, InvalidHolding, Portfolio
from stores.mongo import Document, DocumentDatabase, Documents, ensure_indexes, find_each

MOST_HOLDINGS = 5_000
MOST_WATCHED = 5_000
"""With this many of both, a report takes some 10 MB of the 16 MB that a MongoDB document may have."""

_USERS_PER_QUERY = 1_000
_LARGEST_NUMBER = 1e12
# Relative to the sum of the lots' sizes, a net quantity this small is rounding.
_ROUNDING = 1e-12
_MOST_INVALID_SHOWN = 100
_FIELDS_OF_HOLDINGS = ("symbol", "quantity", "avg_price")
_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=/_:-]{0,31}")

_log = logging.getLogger(__name__)

# A date outside Python's range, or text that is not UTF-8, matters only where the field is used.
_LENIENT: CodecOptions[Document] = CodecOptions(
    tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="replace"
)


class InvalidField(ValueError):
    """A field of a document breaks a rule. The message names field and rule, never the value, which can be anything."""


@dataclass(frozen=True, slots=True)
class InvalidPortfolio:
    """A user whose documents do not allow an analysis."""

    user_id: str
    error_type: str
    error: str


@dataclass(frozen=True, slots=True)
class OwnSymbols:
    """The symbols of one user: of readable holdings that are not closed, and those only watched."""

    held: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()


class PortfolioStore:
    """Users with their holdings, watchlists and accounts."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._users, self._holdings, self._watchlist, self._accounts = (
            database.get_collection(name, codec_options=_LENIENT)
            for name in ("users", "holdings", "watchlist", "accounts")
        )

    def ensure_indexes(self) -> None:
        """Create the index behind every query here; the backend may already have created it."""
        for collection in (self._users, self._holdings, self._watchlist, self._accounts):
            ensure_indexes(collection, [IndexModel([("user_id", ASCENDING)], name="user_id")])

    def active_user_ids(self, only: Sequence[str] | None) -> Iterator[list[str]]:
        """Yield the ids of active users, ascending, in chunks: of all users, or of those in ``only``."""
        if only is None:
            yield from self._active_user_ids(None)
        else:
            for selection in batched(sorted(set(only)), _USERS_PER_QUERY, strict=False):
                yield from self._active_user_ids(list(selection))

    def _active_user_ids(self, selection: list[str] | None) -> Iterator[list[str]]:
        last = ""
        while True:
            # Paged by key: a cursor left open during a whole plan would not survive a restart of the server. Arrays of
            # texts would match as well.
            condition: Document = {"$gt": last, "$not": {"$type": "array"}}
            if selection is not None:
                condition["$in"] = selection
            fields = {"_id": False, "user_id": True, "is_active": True}
            documents = list(
                self._users.find({"user_id": condition}, fields).sort("user_id", ASCENDING).limit(_USERS_PER_QUERY)
            )
            if not documents:
                return
            last = documents[-1]["user_id"]
            # An absent flag means active. Documents with the same id are one user.
            yield sorted({d["user_id"] for d in documents if d.get("is_active") in (None, True)})

    def count_without_user_id(self) -> int:
        """Return the number of user documents without a usable id, which cannot be analyzed."""
        unusable = [{"user_id": {"$not": {"$type": "string"}}}, {"user_id": {"$type": "array"}}, {"user_id": ""}]
        return self._users.count_documents({"$or": unusable})

    def symbols(self, user_ids: Sequence[str], *, contiguous: bool) -> dict[str, OwnSymbols]:
        """Return the symbols of each user; users with neither holdings nor a watchlist are left out.

        ``contiguous`` as in :meth:`load`.
        """
        holdings = _grouped(_of_users(self._holdings, user_ids, contiguous, _FIELDS_OF_HOLDINGS))
        watchlists = _grouped(_of_users(self._watchlist, user_ids, contiguous, ("symbol",)))
        owners = dict.fromkeys([*holdings, *watchlists])
        return {user_id: _symbols(holdings.get(user_id, ()), watchlists.get(user_id, ())) for user_id in owners}

    def load(self, user_ids: Sequence[str], *, contiguous: bool) -> list[Portfolio | InvalidPortfolio]:
        """Return the portfolios of ``user_ids``, which are ascending, in that order.

        ``contiguous`` means that these are nearly all the users from the first to the last: then that range is read,
        which is much faster than a lookup of each.
        """
        documents = [
            _grouped(_of_users(self._users, user_ids, contiguous, ("analysis_thresholds",))),
            _grouped(_of_users(self._accounts, user_ids, contiguous, ("cash", "buying_power"))),
            _grouped(_of_users(self._holdings, user_ids, contiguous, _FIELDS_OF_HOLDINGS)),
            _grouped(_of_users(self._watchlist, user_ids, contiguous, ("symbol",))),
        ]
        return [_read(user_id, *[own.get(user_id, ()) for own in documents]) for user_id in user_ids]


def _of_users(
    collection: Documents,
    user_ids: Sequence[str],
    contiguous: bool,  # noqa: FBT001 - passed on
    fields: Sequence[str],
) -> Iterator[Document]:
    projection = {"_id": False, "user_id": True, **dict.fromkeys(fields, True)}
    if contiguous and user_ids:
        of_range = {"user_id": {"$gte": user_ids[0], "$lte": user_ids[-1]}}
        documents: Iterable[Document] = collection.find(of_range, projection).to_list()
    else:
        documents = find_each(collection, "user_id", user_ids, projection)
    wanted = set(user_ids)
    # A query by value also matches arrays that contain the value.
    return (d for d in documents if isinstance(d["user_id"], str) and d["user_id"] in wanted)


def _grouped(documents: Iterator[Document]) -> dict[str, list[Document]]:
    groups: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        groups[document["user_id"]].append(document)
    return groups


def _read(user_id: str, *documents: Sequence[Document]) -> Portfolio | InvalidPortfolio:
    try:
        return _portfolio(user_id, *documents)
    except Exception as error:  # noqa: BLE001 - an unforeseen error costs only this user's report
        where = traceback.extract_tb(error.__traceback__)[-1]
        name = type(error).__name__
        # Without its message, which may contain the user's data.
        _log.error("The documents of %s cannot be read: %s in %s:%s", user_id, name, where.name, where.lineno)
        return InvalidPortfolio(user_id, "unreadable_documents", f"The documents cannot be read: {name}")


def _portfolio(
    user_id: str,
    users: Sequence[Document],
    accounts: Sequence[Document],
    holdings: Sequence[Document],
    watchlist: Sequence[Document],
) -> Portfolio | InvalidPortfolio:
    if len(holdings) > MOST_HOLDINGS:
        return InvalidPortfolio(user_id, "too_many_holdings", f"There are more than {MOST_HOLDINGS} holdings.")
    watched = _watched(watchlist)
    if len(watched) > MOST_WATCHED:
        return InvalidPortfolio(user_id, "too_many_watched", f"There are more than {MOST_WATCHED} symbols watched.")
    valid, invalid = _holdings(holdings)
    if invalid and not valid:
        named = "; ".join(f"{holding.symbol}: {holding.reason}" for holding in invalid[:2])
        return InvalidPortfolio(user_id, "invalid_holdings", f"No holding can be read: {named}")
    try:
        cash, buying_power = _account(accounts)
    except InvalidField as error:
        return InvalidPortfolio(user_id, "invalid_account", f"The account cannot be read: {error}")
    try:
        thresholds = _thresholds(users[0].get("analysis_thresholds") if users else None)
    except InvalidField as error:
        return InvalidPortfolio(user_id, "invalid_thresholds", f"analysis_thresholds cannot be read: {error}")
    return Portfolio(
        user_id=user_id,
        holdings=tuple(valid),
        watchlist=tuple(sorted(watched)),
        cash=cash,
        buying_power=buying_power,
        invalid_holdings=tuple(invalid[:_MOST_INVALID_SHOWN]),
        thresholds=thresholds,
    )


def _symbols(holdings: Sequence[Document], watchlist: Sequence[Document]) -> OwnSymbols:
    """Return the symbols of a user, none of one with more than a report can hold: that user fails, without prices."""
    watched = _watched(watchlist)
    if len(holdings) > MOST_HOLDINGS or len(watched) > MOST_WATCHED:
        return OwnSymbols()
    try:
        valid, _ = _holdings(holdings)
    except Exception:  # noqa: BLE001 - it fails again when the user is analyzed, and is logged there
        return OwnSymbols()
    held = frozenset(holding.symbol for holding in valid)
    return OwnSymbols(held, frozenset(watched - held))


def _watched(watchlist: Sequence[Document]) -> set[str]:
    return {item["symbol"] for item in watchlist if _is_symbol(item.get("symbol"))}


def _account(documents: Sequence[Document]) -> tuple[float, float]:
    """Return cash and buying power; absent or null cash is zero, absent or null buying power is the cash."""
    if len(documents) > 1:
        raise InvalidField("there are several")
    document = {name: value for name, value in documents[0].items() if value is not None} if documents else {}
    cash = _number(document, "cash", default=0.0)
    return cash, _number(document, "buying_power", default=cash)


def _holdings(documents: Sequence[Document]) -> tuple[list[Holding], list[InvalidHolding]]:
    """Return the holdings, by symbol; several lots of one symbol become one holding.

    Its average price is that of the lots on the remaining side: the price of a short lot has no effect on the purchase
    price of the remaining shares.
    """
    lots: dict[str, list[tuple[float, float]]] = defaultdict(list)
    invalid = []
    for document in documents:
        symbol = document.get("symbol")
        try:
            if not _is_symbol(symbol):
                raise InvalidField("symbol is not one")
            quantity, price = _number(document, "quantity"), _number(document, "avg_price")
            if price <= 0:
                raise InvalidField("avg_price is not positive")
            lots[symbol].append((quantity, price))
        except InvalidField as error:
            shown = symbol if isinstance(symbol, str) else "?"
            invalid.append(InvalidHolding(shown[:32], str(error)))
    valid = []
    for symbol in sorted(lots):
        own = lots[symbol]
        quantity, average = own[0] if len(own) == 1 else _net(own)
        if quantity:
            valid.append(Holding(symbol, quantity, average))
        else:
            invalid.append(InvalidHolding(symbol, "quantity is zero"))
    return valid, invalid


def _net(lots: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the net quantity of several lots, and the average purchase price of one share of it."""
    quantity = math.fsum(quantity for quantity, _ in lots)
    if abs(quantity) <= _ROUNDING * math.fsum(abs(quantity) for quantity, _ in lots):
        return 0.0, 0.0
    side = [lot for lot in lots if (lot[0] > 0) == (quantity > 0)]
    average = math.fsum(q * price for q, price in side) / math.fsum(q for q, _ in side)
    return quantity, side[0][1] if len(side) == 1 else average


def _thresholds(value: object) -> dict[str, dict[str, float]]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(levels, dict) for levels in value.values()):
        raise InvalidField("it must be an object of objects")
    return {
        str(rule): {level: _number(levels, level) for level in levels if level in ("warning", "breach")}
        for rule, levels in value.items()
    }


def _is_symbol(value: object) -> TypeIs[str]:
    return isinstance(value, str) and _SYMBOL.fullmatch(value) is not None


def _number(document: Document, name: str, *, default: float | None = None) -> float:
    found = document.get(name, default)
    value = found if isinstance(found, float) else _as_float(found, name)
    if not -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER:
        raise InvalidField(f"{name} is not a number up to {_LARGEST_NUMBER:g}")
    return value


def _as_float(value: object, name: str) -> float:
    if isinstance(value, Decimal128):
        decimal = value.to_decimal()
        return float(decimal) if decimal.is_finite() else math.nan
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidField(f"{name} is not a number")
    return float(value)
