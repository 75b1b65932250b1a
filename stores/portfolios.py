"""What users own and watch: read from the existing backend's collections, which this app never writes.

Their documents may hold anything. What breaks a rule is named here, once: a bad holding is left out and reported, a
user nothing can be said about becomes an :class:`InvalidPortfolio`.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any, TypeIs

from bson import Decimal128
from pymongo import ASCENDING, IndexModel

from analysis.models import Holding, InvalidHolding, Portfolio
from stores.mongo import Document, DocumentDatabase, Documents, ensure_indexes, find_each

_USERS_PER_QUERY = 1_000
_LARGEST_NUMBER = 1e12
_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=/_:-]{0,31}")


class InvalidField(ValueError):
    """A field of a document breaks a rule. The message names field and rule, never the value: it may be anything."""


@dataclass(frozen=True, slots=True)
class InvalidPortfolio:
    """A user whose documents do not allow an analysis."""

    user_id: str
    error_type: str
    error: str


class PortfolioStore:
    """Users with their holdings, watchlists and accounts."""

    def __init__(self, database: DocumentDatabase) -> None:
        self._users = database["users"]
        self._holdings = database["holdings"]
        self._watchlist = database["watchlist"]
        self._accounts = database["accounts"]

    def ensure_indexes(self) -> None:
        """Create the index behind every query here; the backend may well have made it already."""
        for collection in (self._users, self._holdings, self._watchlist, self._accounts):
            ensure_indexes(collection, [IndexModel([("user_id", ASCENDING)], name="user_id")])

    def active_user_ids(self, only: Sequence[str] | None) -> Iterator[list[str]]:
        """Give the ids of active users, ascending, in chunks: of all users, or of those in ``only``."""
        if only is None:
            yield from self._active_user_ids(None)
        else:
            for selection in batched(sorted(set(only)), _USERS_PER_QUERY, strict=False):
                yield from self._active_user_ids(list(selection))

    def _active_user_ids(self, selection: list[str] | None) -> Iterator[list[str]]:
        last = ""
        while True:
            # Paged by key: a cursor left open over a whole plan would not survive a restart of the server.
            condition: Document = {"$gt": last} if selection is None else {"$gt": last, "$in": selection}
            fields = {"_id": False, "user_id": True, "is_active": True}
            documents = list(
                self._users.find({"user_id": condition}, fields).sort("user_id", ASCENDING).limit(_USERS_PER_QUERY)
            )
            if not documents:
                return
            last = documents[-1]["user_id"]
            # An absent flag means active. Two documents of one id are one user.
            yield sorted({d["user_id"] for d in documents if d.get("is_active") in (None, True)})

    def count_without_user_id(self) -> int:
        """Count the user documents that have no usable id and so cannot be analysed."""
        return self._users.count_documents({"$or": [{"user_id": {"$not": {"$type": "string"}}}, {"user_id": ""}]})

    def symbols(self, user_ids: Sequence[str], *, contiguous: bool) -> dict[str, set[str]]:
        """Give the symbols each user holds or watches; users with neither are left out.

        ``contiguous`` as in :meth:`load`.
        """
        symbols: dict[str, set[str]] = defaultdict(set)
        for collection in (self._holdings, self._watchlist):
            for document in _of_users(collection, user_ids, contiguous, {"user_id": True, "symbol": True}):
                found = symbols[document["user_id"]]
                if _is_symbol(document.get("symbol")):
                    found.add(document["symbol"])
        return dict(symbols)

    def load(self, user_ids: Sequence[str], *, contiguous: bool) -> list[Portfolio | InvalidPortfolio]:
        """Give the portfolios of ``user_ids``, which are ascending, in that order.

        ``contiguous`` says that they are nearly all the users from the first to the last: then that range is read,
        which is much quicker than looking for each.
        """
        users = {document["user_id"]: document for document in _of_users(self._users, user_ids, contiguous)}
        accounts = {document["user_id"]: document for document in _of_users(self._accounts, user_ids, contiguous)}
        holdings = _grouped(_of_users(self._holdings, user_ids, contiguous))
        watchlist = _grouped(_of_users(self._watchlist, user_ids, contiguous))
        return [
            _portfolio(
                user_id,
                users.get(user_id, {}),
                accounts.get(user_id, {}),
                holdings.get(user_id, ()),
                watchlist.get(user_id, ()),
            )
            for user_id in user_ids
        ]


def _of_users(
    collection: Documents,
    user_ids: Sequence[str],
    contiguous: bool,  # noqa: FBT001 - passed on
    fields: Mapping[str, bool] | None = None,
) -> Iterator[Document]:
    if not (contiguous and user_ids):
        return find_each(collection, "user_id", user_ids, fields)
    wanted = set(user_ids)
    documents = collection.find({"user_id": {"$gte": user_ids[0], "$lte": user_ids[-1]}}, fields)
    return (document for document in documents if document["user_id"] in wanted)


def _grouped(documents: Iterator[Document]) -> dict[str, list[Document]]:
    groups: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        groups[document["user_id"]].append(document)
    return groups


def _portfolio(
    user_id: str, user: Document, account: Document, holdings: Sequence[Document], watchlist: Sequence[Document]
) -> Portfolio | InvalidPortfolio:
    valid, invalid = _holdings(holdings)
    if invalid and not valid:
        named = "; ".join(f"{holding.symbol}: {holding.reason}" for holding in invalid[:5])
        return InvalidPortfolio(user_id, "invalid_holdings", f"No holding can be read: {named}")
    try:
        cash = _number(account, "cash", default=0.0)
        buying_power = _number(account, "buying_power", default=cash)
    except InvalidField as error:
        return InvalidPortfolio(user_id, "invalid_account", f"The account cannot be read: {error}")
    try:
        thresholds = _thresholds(user.get("analysis_thresholds"))
    except InvalidField as error:
        return InvalidPortfolio(user_id, "invalid_thresholds", f"analysis_thresholds cannot be read: {error}")
    return Portfolio(
        user_id=user_id,
        holdings=tuple(valid),
        watchlist=tuple(sorted({item["symbol"] for item in watchlist if _is_symbol(item.get("symbol"))})),
        cash=cash,
        buying_power=buying_power,
        invalid_holdings=tuple(invalid),
        thresholds=thresholds,
    )


def _holdings(documents: Sequence[Document]) -> tuple[list[Holding], list[InvalidHolding]]:
    """Read the holdings; several lots of one symbol become one holding at their average price."""
    lots: dict[str, list[tuple[float, float]]] = defaultdict(list)
    invalid = []
    for document in documents:
        symbol = document.get("symbol")
        try:
            if not _is_symbol(symbol):
                raise InvalidField("symbol is not one")
            lot = _number(document, "quantity"), _positive(document, "avg_price")
            lots[symbol].append(lot)
        except InvalidField as error:
            shown = symbol if isinstance(symbol, str) else "?"
            invalid.append(InvalidHolding(shown[:32], str(error)))
    valid = []
    for symbol, bought in lots.items():
        quantity = math.fsum(quantity for quantity, _ in bought)
        if quantity == 0:
            invalid.append(InvalidHolding(symbol, "quantity is zero"))
            continue
        cost = math.fsum(quantity * price for quantity, price in bought)
        valid.append(Holding(symbol, quantity, bought[0][1] if len(bought) == 1 else cost / quantity))
    return sorted(valid, key=lambda holding: holding.symbol), invalid


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


def _positive(document: Document, name: str) -> float:
    value = _number(document, name)
    if value <= 0:
        raise InvalidField(f"{name} is not positive")
    return value


def _number(document: Document, name: str, *, default: float | None = None) -> float:
    value: Any = document.get(name, default)
    if isinstance(value, Decimal128):
        value = value.to_decimal()
        value = float(value) if value.is_finite() else math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidField(f"{name} is not a number")
    if not abs(value) <= _LARGEST_NUMBER:
        raise InvalidField(f"{name} is not a number up to {_LARGEST_NUMBER:g}")
    return float(value)
