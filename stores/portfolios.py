"""Users' holdings and watchlists: read from the existing backend's collections, which this app never writes.

Their documents may contain anything; :mod:`stores.portfolio_documents` has the rules. A user whose documents allow no
analysis becomes an :class:`InvalidPortfolio`.
"""

import logging
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any, override

from analysis.models import Instrument, Portfolio
from analysis.spellings import spellings
from fields import FIELDS_OF, Fields
from stores.account_documents import MOST_ACCOUNTS
from stores.backend import TEXT, BackendCollection, IdType, Names, typed
from stores.document_values import Absent, Spelling, SymbolOf, symbol_reader
from stores.indexes import Indexed, Indexes
from stores.mongo import IDS_PER_LOOKUP, Document, DocumentDatabase
from stores.places import documents_in, missing, needed_names, rows_in, unused_entries
from stores.portfolio_documents import (
    FIELDS_OF_INSTRUMENTS,
    MOST_HOLDINGS,
    MOST_ITEMS,
    InvalidPortfolio,
    UserDocuments,
    held_symbols,
    is_active,
    lacking,
    read_instruments,
    read_portfolio,
    watched_symbols,
)
from stores.transaction_documents import MOST_TRANSACTIONS

COLLECTIONS = tuple(FIELDS_OF)
_USERS_PER_QUERY = 1_000
_SAMPLE = 100
# Many, since each query costs, but not all transactions of a page; few documents if they have the transactions inside.
_AT_ONCE, _LARGE_AT_ONCE = 10_000, 50
MOST_OF_USER = {
    "users": MOST_ACCOUNTS, "accounts": MOST_ACCOUNTS, "holdings": MOST_HOLDINGS, "watchlist": MOST_ITEMS,
    "transactions": MOST_TRANSACTIONS,
}  # fmt: skip
OF_PORTFOLIOS = {
    "users": ("analysis_thresholds", "base_currency", "lot_method"),
    "accounts": ("account_id", "cash", "buying_power", "currency"),
    "holdings": ("symbol", "quantity", "avg_price"), "watchlist": ("symbol",),
}  # fmt: skip
"""The fields of portfolios, by collection, in the order of :class:`UserDocuments`."""

_log = logging.getLogger(__name__)

type Groups = dict[str, list[Document]]
"""Documents of one collection by user."""


@dataclass(frozen=True, slots=True)
class OwnSymbols:
    """The symbols of one user: of readable holdings that are not closed, and those only watched.

    There are none of a user with more than a report can hold: that user fails, and must not cost others their prices.
    """

    held: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()


class PortfolioStore(Indexed):
    """Users with their holdings, watchlists and accounts, and the instruments they hold.

    ``spelling`` is that of the source of prices; ``fields`` has the places of the backend's documents.
    """

    def __init__(self, database: DocumentDatabase, spelling: Spelling = str, fields: Fields | None = None) -> None:
        self.spelling = spelling
        self.fields = fields or Fields()
        places = self.fields.places
        # Documents inside others are read together with these.
        asked = {
            (collection, key): BackendCollection(database, collection, key)
            for collection, key in dict.fromkeys((place.collection, place.key) for place in places.values())
        }
        self.collections = {name: asked[place.collection, place.key] for name, place in places.items()}
        """By the app's names; several of them may be in the same collection of the backend."""
        self._plain = {name for name, place in places.items() if place.is_plain}
        self._facts = needed_names(places["instruments"], FIELDS_OF_INSTRUMENTS)
        self._flag = needed_names(places["users"], ("is_active",))
        self._users, self._instruments = self.collections["users"], self.collections["instruments"]

    @override
    def indexes(self) -> Indexes:
        """Return the index behind every query here; it is the backend's to create, or an operator's with preflight."""
        collections = dict.fromkeys(self.collections.values())
        wanted = [(collection.documents, collection.index()) for collection in collections]
        return [(documents, [index]) for documents, index in wanted if index is not None]

    def names(self) -> dict[BackendCollection, set[str]]:
        """Return the backend's collections, each with the app's names for what is in it."""
        return {
            collection: {name for name, own in self.collections.items() if own is collection}
            for collection in dict.fromkeys(self.collections.values())
        }

    def active_user_ids(self, only: Sequence[str] | None) -> Iterator[list[str]]:
        """Yield the ids of active users in chunks, each id once: of all users, or of those in ``only``.

        They are in the order of the database, ascending within each type of ids.
        """
        if only is None:
            yield from self._all_active()
        else:
            for selection in batched(sorted(set(only)), _USERS_PER_QUERY, strict=False):
                yield sorted(self._active_of(typed(selection)))

    def is_active(self, user_id: str) -> bool | None:
        """Return whether a user is active, ``None`` if there is none of this id in whatever type."""
        lots = self._users.of_users(typed([user_id]), self._flag, MOST_ACCOUNTS, spans=False)
        flags = [is_active(user) for lot in lots for users in self.by_user("users", lot).values() for user in users]
        return any(flags) if flags else None

    def id_types(self) -> dict[str, list[str]]:
        """Return the types of users' ids in each collection."""
        return {name: [kind.name for kind in self.collections[name].types(now=True)] for name in OF_PORTFOLIOS}

    def entries_without_use(self) -> list[str]:
        """Return the entries of ``FIELDS`` whose path is in none of the first documents."""
        unused = []
        for collection, names in self.names().items():
            renamed = [self.fields[name] for name in sorted(names) if not self.fields[name].is_plain]
            stored = collection.documents.find().limit(_SAMPLE).to_list() if renamed else []
            unused += [entry for place in renamed for entry in unused_entries(place, stored)]
        return unused

    def count_without_user_id(self) -> int:
        """Return the number of user documents without a usable id, which cannot be analyzed."""
        return self._users.count_without_key()

    def symbols(self, user_ids: Sequence[str], *, contiguous: bool) -> dict[str, OwnSymbols]:
        """Return the symbols of each user; users with neither holdings nor a watchlist are left out.

        ``contiguous`` as in :meth:`load`.
        """
        reads = {"holdings": held_symbols, "watchlist": watched_symbols}
        found: dict[str, dict[str, frozenset[str] | None]] = {name: {} for name in reads}
        wanted, symbol_of = {name: OF_PORTFOLIOS[name] for name in reads}, symbol_reader(self.spelling)
        for name, lot in self.lots(wanted, user_ids, contiguous=contiguous):
            for user_id, documents in self.by_user(name, lot).items():
                own, others = symbols_in(reads[name], documents, symbol_of), found[name].get(user_id, frozenset())
                found[name][user_id] = None if own is None or others is None else own | others
        held, watched = found["holdings"], found["watchlist"]
        owners = (held | watched).keys() & set(user_ids)
        return {
            user_id: own_symbols(held.get(user_id, frozenset()), watched.get(user_id, frozenset()))
            for user_id in owners
        }

    def load(
        self, user_ids: Sequence[str], *, contiguous: bool, base_currency: str = "USD"
    ) -> list[Portfolio | InvalidPortfolio]:
        """Return the portfolios of ``user_ids`` in that order.

        ``contiguous`` means that these are nearly all the users from the first to the last: then that range is read,
        which is much faster than a lookup of each. ``base_currency`` is that of users who name none.
        """
        found: dict[str, Groups] = {name: defaultdict(list) for name in OF_PORTFOLIOS}
        for name, lot in self.lots(OF_PORTFOLIOS, user_ids, contiguous=contiguous):
            self.sort_into(found[name], name, lot)
        return self.portfolios_in(found, user_ids, base_currency)

    def portfolios_in(
        self, found: Mapping[str, Groups], user_ids: Sequence[str], base_currency: str
    ) -> list[Portfolio | InvalidPortfolio]:
        """Return the portfolios of ``user_ids``, in that order, in their documents by collection."""
        of_users = [(id_, UserDocuments(*[found[name].get(id_, ()) for name in OF_PORTFOLIOS])) for id_ in user_ids]
        unexplained, symbol_of = self.absent({}), symbol_reader(self.spelling)
        portfolios = [self._read(*of_user, symbol_of, unexplained, base_currency) for of_user in of_users]
        for position, absent in self._explained(of_users, portfolios):
            portfolios[position] = self._read(*of_users[position], symbol_of, absent, base_currency)
        return portfolios

    def instruments(self, symbols: Sequence[str]) -> dict[str, Instrument]:
        """Return the instruments of those ``symbols`` that have one, in whatever spelling the backend has it."""
        every_spelling = [spelling for symbol in symbols for spelling in spellings(symbol)]
        stored = self._instruments.with_keys(every_spelling, self._facts)
        return read_instruments(self.renamed("instruments", stored), symbols)

    def renamed(self, name: str, stored: Iterable[Document]) -> Iterable[Document]:
        """Return the documents of a collection that are in stored ones, with the app's names."""
        if name in self._plain:
            return stored
        return (document for one in stored for document in documents_in(self.fields[name], one))

    def lots(
        self, wanted: Mapping[str, tuple[str, ...]], user_ids: Sequence[str], *, contiguous: bool
    ) -> Iterator[tuple[str, list[Document]]]:
        """Yield the stored documents of users with the ``wanted`` fields, by collection, in lots of whole users.

        What is in the same collection of the backend is read together. ``contiguous`` as in :meth:`load`.
        """
        ids = typed(user_ids)
        for collection in dict.fromkeys(self.collections[name] for name in wanted):
            names = [name for name in wanted if self.collections[name] is collection]
            stored = self.stored_names({name: wanted[name] for name in names})
            most = max(MOST_OF_USER[name] for name in names)
            inside = any(name not in self._plain and self.fields[name].inside for name in names)
            at_once = (_LARGE_AT_ONCE if inside else _AT_ONCE) if "transactions" in names else None
            spans = contiguous and self._are_in_order(ids, collection)
            for lot in collection.of_users(ids, stored, most, spans=spans, at_once=at_once):
                yield from ((name, lot) for name in names)

    def stored_names(self, wanted: Mapping[str, tuple[str, ...]]) -> Names:
        """Return the outermost names to read for the ``wanted`` fields of what is in one collection of the backend."""
        parts = [
            frozenset(fields) if name in self._plain else needed_names(self.fields[name], fields)
            for name, fields in wanted.items()
        ]
        return None if None in parts else frozenset[str]().union(*(part or () for part in parts))

    def by_user(self, name: str, lot: Iterable[Document]) -> dict[str, list[Document]]:
        """Return the documents of a collection that are in a lot, with the app's names, by user."""
        return self.sort_into(defaultdict(list), name, lot)

    def absent(self, rows: Mapping[str, Sequence[object]]) -> Absent:
        """Return the sentences about missing fields of a user with these stored documents by collection."""
        return lambda name, field: missing(self.fields[name], field, rows.get(name, ()))

    def _all_active(self) -> Iterator[list[str]]:
        types = self._users.types(now=True)
        unreadable = 0
        for position, kind in enumerate(types):
            for lot in self._users.by_user(kind, dict(kind.all_of_them), self._flag, MOST_ACCOUNTS):
                flags = [
                    (user_id, is_active(user))
                    for user_id, users in self.by_user("users", lot).items()
                    for user in users
                ]
                unreadable += sum(flag is None for _, flag in flags)
                # Documents with the same id are one user, also if it is stored in several types.
                found = dict.fromkeys(user_id for user_id, flag in flags if flag)
                ids = typed(found)
                seen = self._active_of({earlier: ids[earlier] for earlier in types[:position] if earlier in ids})
                yield [user_id for user_id in found if user_id not in seen]
        if unreadable:
            _log.warning("%d users count as inactive: is_active is neither true nor false", unreadable)

    def _active_of(self, ids: Mapping[IdType, Sequence[Any]]) -> set[str]:
        """Return the active ones of some users."""
        lots = self._users.of_users(ids, self._flag, MOST_ACCOUNTS, spans=False) if ids else ()
        groups = (self.by_user("users", lot) for lot in lots)
        return {user_id for group in groups for user_id, users in group.items() if any(map(is_active, users))}

    def _are_in_order(self, ids: Mapping[IdType, object], collection: BackendCollection) -> bool:
        """Return whether ids that follow each other in the users' collection do so in another one."""
        if list(ids) == [TEXT]:
            return True
        own = self._users.types()
        return len(own) == 1 and all(
            kind is own[0] or (kind.in_order_of_text and own[0].in_order_of_text) for kind in collection.asked(ids)
        )

    def sort_into(self, groups: Groups, name: str, lot: Iterable[Document]) -> Groups:
        """Add the documents of a collection that are in stored ones, with the app's names, to their users' groups."""
        if name in self._plain:
            for document in lot:
                groups[document["user_id"]].append(document)
        else:
            for stored in lot:
                groups[stored["user_id"]] += documents_in(self.fields[name], stored)
        return groups

    def _explained(
        self, of_users: Sequence[tuple[str, UserDocuments]], portfolios: Sequence[Portfolio | InvalidPortfolio]
    ) -> Iterator[tuple[int, Absent]]:
        """Yield the sentences about missing fields of the first users that lack some, with these users' positions.

        For this alone are their documents read with all their fields.
        """
        suspects = [
            position for position, portfolio in enumerate(portfolios)
            if isinstance(portfolio, InvalidPortfolio) or portfolio.invalid_holdings or portfolio.notes
        ]  # fmt: skip
        lack = {position: lacks for position in suspects if (lacks := lacking(of_users[position][1]))}
        some = dict(list(lack.items())[:IDS_PER_LOOKUP])
        ids = typed(of_users[position][0] for position in some)
        rows: dict[str, dict[str, list[object]]] = defaultdict(lambda: defaultdict(list))
        for name in sorted(set().union(*some.values())):
            for lot in self.collections[name].of_users(ids, None, MOST_OF_USER[name], spans=False):
                for stored in lot:
                    rows[stored["user_id"]][name] += [row for _, row in rows_in(self.fields[name], stored)]
        yield from ((position, self.absent(rows[of_users[position][0]])) for position in some)

    def _read(
        self, user_id: str, documents: UserDocuments, symbol_of: SymbolOf, absent: Absent, base_currency: str
    ) -> Portfolio | InvalidPortfolio:
        try:
            return read_portfolio(user_id, documents, symbol_of, absent, default_currency=base_currency)
        except Exception as error:  # noqa: BLE001 - an unforeseen error costs only this user's report
            where = traceback.extract_tb(error.__traceback__)[-1]
            name = type(error).__name__
            # Without its message, which may contain the user's data.
            _log.error("The documents of %s cannot be read: %s in %s:%s", user_id, name, where.name, where.lineno)
            return InvalidPortfolio(user_id, "unreadable_documents", f"The documents cannot be read: {name}")


def symbols_in(
    read: Callable[[Sequence[Document], SymbolOf], frozenset[str]], documents: Sequence[Document], symbol_of: SymbolOf
) -> frozenset[str] | None:
    """Return the symbols in a user's documents, ``None`` if there are too many or they cannot be read."""
    try:
        return read(documents, symbol_of)
    except Exception:  # noqa: BLE001 - it fails again when the user is analyzed, and is logged there
        return None


def own_symbols(held: frozenset[str] | None, watched: frozenset[str] | None) -> OwnSymbols:
    """Return the symbols of a user, none if one of both is ``None``."""
    return OwnSymbols() if held is None or watched is None else OwnSymbols(held, watched - held)
