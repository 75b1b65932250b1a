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
from typing import TypeIs, override

from bson import Decimal128

from analysis.models import Holding, InvalidHolding, Portfolio
from stores.indexes import Indexed, Indexes
from stores.mongo import IDS_PER_LOOKUP, BackendCollection, Document, DocumentDatabase

COLLECTIONS = ("users", "holdings", "watchlist", "accounts")
MOST_HOLDINGS = 5_000
MOST_WATCHED = 5_000
"""With this many of both, a report takes some 10 MB of the 16 MB that a MongoDB document may have."""

_MOST_ITEMS = 10_000
"""The most documents of one user in the watchlist, whose symbols may be repeated."""

_USERS_PER_QUERY = 1_000
# Of documents in users or accounts with one id; it makes a lot of 1,000.
_MOST_REPEATED = 499
_LARGEST_NUMBER = 1e12
# Relative to the sum of the lots' sizes, a net quantity this small is rounding.
_ROUNDING = 1e-12
_MOST_INVALID_SHOWN = 100
_FIELDS_OF_HOLDINGS = ("symbol", "quantity", "avg_price")
_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=/_:-]{0,31}")

_log = logging.getLogger(__name__)


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
    """The symbols of one user: of readable holdings that are not closed, and those only watched.

    There are none of a user with more than a report can hold: that user fails, and must not cost others their prices.
    """

    held: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()


class PortfolioStore(Indexed):
    """Users with their holdings, watchlists and accounts."""

    def __init__(self, database: DocumentDatabase) -> None:
        self.collections = tuple(BackendCollection(database, name) for name in COLLECTIONS)
        self._users, self._holdings, self._watchlist, self._accounts = self.collections

    @override
    def indexes(self) -> Indexes:
        """Return the index behind every query here; it is the backend's to create, or an operator's with preflight."""
        return [(collection.documents, [collection.index()]) for collection in self.collections]

    def active_user_ids(self, only: Sequence[str] | None) -> Iterator[list[str]]:
        """Yield the ids of active users, ascending, in chunks: of all users, or of those in ``only``."""
        if only is None:
            yield from self._active_user_ids(None)
        else:
            for selection in batched(sorted(set(only)), _USERS_PER_QUERY, strict=False):
                yield from self._active_user_ids(list(selection))

    def _active_user_ids(self, selection: list[str] | None) -> Iterator[list[str]]:
        condition: Document = {"$gt": ""} if selection is None else {"$gt": "", "$in": selection}
        for lot in self._users.by_user(condition, ("is_active",), _MOST_REPEATED):
            # An absent flag means active. Documents with the same id are one user.
            yield sorted({d["user_id"] for d in lot if d.get("is_active") in (None, True)})

    def count_without_user_id(self) -> int:
        """Return the number of user documents without a usable id, which cannot be analyzed."""
        unusable = [{"user_id": {"$not": {"$type": "string"}}}, {"user_id": {"$type": "array"}}, {"user_id": ""}]
        return self._users.count({"$or": unusable})

    def symbols(self, user_ids: Sequence[str], *, contiguous: bool) -> dict[str, OwnSymbols]:
        """Return the symbols of each user; users with neither holdings nor a watchlist are left out.

        ``contiguous`` as in :meth:`load`.
        """
        held, watched = dict[str, frozenset[str] | None](), dict[str, frozenset[str] | None]()
        for lot in _of_users(self._holdings, user_ids, _FIELDS_OF_HOLDINGS, MOST_HOLDINGS, contiguous=contiguous):
            held |= {user_id: _held(documents) for user_id, documents in _grouped([lot]).items()}
        for lot in _of_users(self._watchlist, user_ids, ("symbol",), _MOST_ITEMS, contiguous=contiguous):
            watched |= {user_id: _watched_if_few(documents) for user_id, documents in _grouped([lot]).items()}
        owners = (held | watched).keys() & set(user_ids)
        return {
            user_id: _own_symbols(held.get(user_id, frozenset()), watched.get(user_id, frozenset()))
            for user_id in owners
        }

    def load(self, user_ids: Sequence[str], *, contiguous: bool) -> list[Portfolio | InvalidPortfolio]:
        """Return the portfolios of ``user_ids``, which are ascending, in that order.

        ``contiguous`` means that these are nearly all the users from the first to the last: then that range is read,
        which is much faster than a lookup of each.
        """
        wanted = (
            (self._users, ("analysis_thresholds",), _MOST_REPEATED),
            (self._accounts, ("cash", "buying_power"), _MOST_REPEATED),
            (self._holdings, ("symbol", "quantity", "avg_price"), MOST_HOLDINGS),
            (self._watchlist, ("symbol",), _MOST_ITEMS),
        )
        documents = [
            _grouped(_of_users(collection, user_ids, fields, most, contiguous=contiguous))
            for collection, fields, most in wanted
        ]
        return [_read(user_id, *[own.get(user_id, ()) for own in documents]) for user_id in user_ids]


def _of_users(
    collection: BackendCollection, user_ids: Sequence[str], fields: Sequence[str], most: int, *, contiguous: bool
) -> Iterator[list[Document]]:
    """Yield the documents of users in lots of whole users; others between them are included if ``contiguous``."""
    if contiguous and user_ids:
        yield from collection.by_user({"$gte": user_ids[0], "$lte": user_ids[-1]}, fields, most)
    else:
        for few in batched(user_ids, IDS_PER_LOOKUP, strict=False):
            yield from collection.by_user({"$in": list(few)}, fields, most)


def _grouped(lots: Iterable[list[Document]]) -> dict[str, list[Document]]:
    groups: dict[str, list[Document]] = defaultdict(list)
    for lot in lots:
        for document in lot:
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
    try:
        watched = _watched(watchlist)
    except InvalidField as error:
        return InvalidPortfolio(user_id, "too_many_watched", str(error))
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


def _own_symbols(held: frozenset[str] | None, watched: frozenset[str] | None) -> OwnSymbols:
    return OwnSymbols() if held is None or watched is None else OwnSymbols(held, watched - held)


def _held(documents: Sequence[Document]) -> frozenset[str] | None:
    """Return the symbols held, ``None`` if there are too many, or if something unforeseen is in the documents."""
    if len(documents) > MOST_HOLDINGS:
        return None
    try:
        valid, _ = _holdings(documents)
    except Exception:  # noqa: BLE001 - it fails again when the user is analyzed, and is logged there
        return None
    return frozenset(holding.symbol for holding in valid)


def _watched_if_few(documents: Sequence[Document]) -> frozenset[str] | None:
    try:
        return frozenset(_watched(documents))
    except InvalidField:
        return None


def _watched(documents: Sequence[Document]) -> set[str]:
    """Return the valid ones of the watched symbols."""
    if len(documents) > _MOST_ITEMS:
        raise InvalidField(f"There are more than {_MOST_ITEMS} watchlist items.")
    watched = {item["symbol"] for item in documents if _is_symbol(item.get("symbol"))}
    if len(watched) > MOST_WATCHED:
        raise InvalidField(f"There are more than {MOST_WATCHED} symbols watched.")
    return watched


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
