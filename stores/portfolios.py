"""Users' holdings and watchlists: read from the existing backend's collections, which this app never writes.

Their documents may contain anything; :mod:`stores.portfolio_documents` has the rules. A user whose documents allow no
analysis becomes an :class:`InvalidPortfolio`.
"""

import logging
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import override

from analysis.models import Instrument, Portfolio
from analysis.spellings import spellings
from stores.indexes import Indexed, Indexes
from stores.mongo import IDS_PER_LOOKUP, BackendCollection, Document, DocumentDatabase
from stores.portfolio_documents import (
    FIELDS_OF_INSTRUMENTS,
    MOST_ACCOUNTS,
    MOST_HOLDINGS,
    MOST_ITEMS,
    InvalidPortfolio,
    Spelling,
    UserDocuments,
    held_symbols,
    read_instruments,
    read_portfolio,
    watched_symbols,
)

COLLECTIONS = ("users", "holdings", "watchlist", "accounts", "instruments")
_USERS_PER_QUERY = 1_000
_FIELDS_OF_HOLDINGS = ("symbol", "quantity", "avg_price")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OwnSymbols:
    """The symbols of one user: of readable holdings that are not closed, and those only watched.

    There are none of a user with more than a report can hold: that user fails, and must not cost others their prices.
    """

    held: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()


class PortfolioStore(Indexed):
    """Users with their holdings, watchlists and accounts, and the instruments they hold.

    ``spelling`` is that of the source of prices.
    """

    def __init__(self, database: DocumentDatabase, spelling: Spelling = str) -> None:
        self._spelling = spelling
        self.collections = tuple(
            BackendCollection(database, name, "symbol" if name == "instruments" else "user_id") for name in COLLECTIONS
        )
        self._users, self._holdings, self._watchlist, self._accounts, self._instruments = self.collections

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
        for lot in self._users.by_user(condition, ("is_active",), MOST_ACCOUNTS):
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
            held |= {
                user_id: _symbols_in(held_symbols, documents, self._spelling)
                for user_id, documents in _grouped([lot]).items()
            }
        for lot in _of_users(self._watchlist, user_ids, ("symbol",), MOST_ITEMS, contiguous=contiguous):
            watched |= {
                user_id: _symbols_in(watched_symbols, documents, self._spelling)
                for user_id, documents in _grouped([lot]).items()
            }
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
            (self._users, ("analysis_thresholds",), MOST_ACCOUNTS),
            (self._accounts, ("cash", "buying_power"), MOST_ACCOUNTS),
            (self._holdings, ("symbol", "quantity", "avg_price"), MOST_HOLDINGS),
            (self._watchlist, ("symbol",), MOST_ITEMS),
        )
        documents = [
            _grouped(_of_users(collection, user_ids, fields, most, contiguous=contiguous))
            for collection, fields, most in wanted
        ]
        return [
            _read(user_id, UserDocuments(*[own.get(user_id, ()) for own in documents]), self._spelling)
            for user_id in user_ids
        ]

    def instruments(self, symbols: Sequence[str]) -> dict[str, Instrument]:
        """Return the instruments of those ``symbols`` that have one, in whatever spelling the backend has it."""
        every_spelling = [spelling for symbol in symbols for spelling in spellings(symbol)]
        return read_instruments(self._instruments.with_keys(every_spelling, FIELDS_OF_INSTRUMENTS), symbols)


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


def _read(user_id: str, documents: UserDocuments, spelling: Spelling) -> Portfolio | InvalidPortfolio:
    try:
        return read_portfolio(user_id, documents, spelling)
    except Exception as error:  # noqa: BLE001 - an unforeseen error costs only this user's report
        where = traceback.extract_tb(error.__traceback__)[-1]
        name = type(error).__name__
        # Without its message, which may contain the user's data.
        _log.error("The documents of %s cannot be read: %s in %s:%s", user_id, name, where.name, where.lineno)
        return InvalidPortfolio(user_id, "unreadable_documents", f"The documents cannot be read: {name}")


def _symbols_in(
    read: Callable[[Sequence[Document], Spelling], frozenset[str]], documents: Sequence[Document], spelling: Spelling
) -> frozenset[str] | None:
    """Return the symbols in a user's documents, ``None`` if there are too many or they cannot be read."""
    try:
        return read(documents, spelling)
    except Exception:  # noqa: BLE001 - it fails again when the user is analyzed, and is logged there
        return None


def _own_symbols(held: frozenset[str] | None, watched: frozenset[str] | None) -> OwnSymbols:
    return OwnSymbols() if held is None or watched is None else OwnSymbols(held, watched - held)
