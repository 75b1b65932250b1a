"""Users' holdings and watchlists: read from the existing backend's collections, which this app never writes.

Their documents may contain anything; :mod:`stores.portfolio_documents` has the rules. A user whose documents allow no
analysis becomes an :class:`InvalidPortfolio`.
"""

import logging
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import batched

from bson import CodecOptions, DatetimeConversion
from pymongo import ASCENDING, IndexModel

from analysis.models import Portfolio
from stores.mongo import Document, DocumentDatabase, Documents, ensure_indexes, find_each
from stores.portfolio_documents import InvalidPortfolio, Spelling, UserDocuments, is_symbol, read_portfolio

_USERS_PER_QUERY = 1_000

_log = logging.getLogger(__name__)

# A date outside Python's range, or text that is not UTF-8, matters only where the field is used.
_LENIENT: CodecOptions[Document] = CodecOptions(
    tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="replace"
)


class PortfolioStore:
    """Users with their holdings, watchlists and accounts; ``spelling`` is that of the source of prices."""

    def __init__(self, database: DocumentDatabase, spelling: Spelling) -> None:
        self._spelling = spelling
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

    def symbols(self, user_ids: Sequence[str], *, contiguous: bool) -> dict[str, set[str]]:
        """Return the symbols each user holds or watches; users with neither are left out.

        ``contiguous`` as in :meth:`load`.
        """
        symbols: dict[str, set[str]] = defaultdict(set)
        for collection in (self._holdings, self._watchlist):
            for document in _of_users(collection, user_ids, contiguous, ("symbol",)):
                found = symbols[document["user_id"]]
                if is_symbol(document.get("symbol")):
                    found.add(self._spelling(document["symbol"]))
        return dict(symbols)

    def load(self, user_ids: Sequence[str], *, contiguous: bool) -> list[Portfolio | InvalidPortfolio]:
        """Return the portfolios of ``user_ids``, which are ascending, in that order.

        ``contiguous`` means that these are nearly all the users from the first to the last: then that range is read,
        which is much faster than a lookup of each.
        """
        documents = [
            _grouped(_of_users(self._users, user_ids, contiguous, ("analysis_thresholds",))),
            _grouped(_of_users(self._accounts, user_ids, contiguous, ("cash", "buying_power"))),
            _grouped(_of_users(self._holdings, user_ids, contiguous, ("symbol", "quantity", "avg_price"))),
            _grouped(_of_users(self._watchlist, user_ids, contiguous, ("symbol",))),
        ]
        return [
            _read(user_id, UserDocuments(*[own.get(user_id, ()) for own in documents]), self._spelling)
            for user_id in user_ids
        ]


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


def _read(user_id: str, documents: UserDocuments, spelling: Spelling) -> Portfolio | InvalidPortfolio:
    try:
        return read_portfolio(user_id, documents, spelling)
    except Exception as error:  # noqa: BLE001 - an unforeseen error costs only this user's report
        where = traceback.extract_tb(error.__traceback__)[-1]
        name = type(error).__name__
        # Without its message, which may contain the user's data.
        _log.error("The documents of %s cannot be read: %s in %s:%s", user_id, name, where.name, where.lineno)
        return InvalidPortfolio(user_id, "unreadable_documents", f"The documents cannot be read: {name}")
