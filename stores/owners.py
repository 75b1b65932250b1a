"""The owners among the users of a page: those who are active and have something to analyze, read once.

The documents of a user are those of the same id in text, whatever the type of the id. Of several types that a user's
own documents have, the first one with an active document is the one whose range the user belongs to.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from analysis.models import Portfolio
from records import USER_ID_PATTERN
from stores.backend import ID_TYPES, IdType, typed
from stores.document_values import currencies_of, symbol_reader
from stores.mongo import Document
from stores.portfolio_documents import InvalidPortfolio, held_symbols, is_active, watched_symbols
from stores.portfolios import MOST_OF_USER, OF_PORTFOLIOS, Groups, OwnSymbols, PortfolioStore, own_symbols, symbols_in
from stores.ranges import IdRange

_USER_ID = re.compile(USER_ID_PATTERN)
_CURRENCIES = {"users": ("base_currency",), "accounts": ("currency",)}


@dataclass(frozen=True, slots=True)
class Owner:
    """One owner with the symbols, and the currencies as the documents name them, transactions excepted."""

    portfolio: Portfolio | InvalidPortfolio
    symbols: OwnSymbols
    currencies: frozenset[str]


@dataclass(slots=True)
class Owners:
    """The owners among some users, the ids of all ``active`` ones, and what is wrong with others.

    ``strange`` counts the active users whose id cannot be used, ``unreadable`` the flags that are neither true nor
    false. ``id_types`` names the types of ids that were looked up in each collection.
    """

    owners: list[Owner] = field(default_factory=list)
    active: list[str] = field(default_factory=list)
    strange: int = 0
    unreadable: int = 0
    id_types: dict[str, list[str]] = field(default_factory=dict)


def read_owners(
    store: PortfolioStore, users: IdRange | Sequence[str], *, contiguous: bool, base_currency: str
) -> Owners:
    """Return the owners among the users of a range, or of these ids, in the order of the range.

    ``contiguous`` and ``base_currency`` as in :meth:`PortfolioStore.load`.
    """
    found = Owners()
    # What is inside users' documents comes with them.
    inside = [name for name in OF_PORTFOLIOS if store.collections[name] is store.collections["users"]]
    documents = _of_active(store, users, inside, found)
    groups: dict[str, Groups] = {name: defaultdict(list) for name in OF_PORTFOLIOS}
    for name in inside:
        store.sort_into(groups[name], name, documents)
    others = {name: fields for name, fields in OF_PORTFOLIOS.items() if name not in inside}
    # Documents of inactive users are read with the range, unless they are the most.
    contiguous = contiguous and 2 * len(found.active) > len(documents)
    for name, lot in store.lots(others, found.active, contiguous=contiguous):
        store.sort_into(groups[name], name, lot)
    ids = typed(found.active)
    found.id_types |= {name: [kind.name for kind in store.collections[name].asked(ids)] for name in others if ids}
    user_ids = [user_id for user_id in found.active if user_id in groups["holdings"] or user_id in groups["watchlist"]]
    for portfolio in store.portfolios_in(groups, user_ids, base_currency):
        user_id = portfolio.user_id
        currencies = [currencies_of(groups[name].get(user_id, ()), names) for name, names in _CURRENCIES.items()]
        symbols = _symbols(store, portfolio, groups)
        found.owners.append(Owner(portfolio, symbols, frozenset[str]().union(*currencies)))
    return found


def _of_active(
    store: PortfolioStore, users: IdRange | Sequence[str], inside: Sequence[str], found: Owners
) -> list[Document]:
    """Return the documents of the users' collection, and add to ``found`` what they tell."""
    collection = store.collections["users"]
    wanted = {name: OF_PORTFOLIOS[name] for name in inside}
    stored = store.stored_names(wanted | {"users": (*wanted["users"], "is_active")})
    most = max(MOST_OF_USER[name] for name in inside)

    def of_ids(ids: Mapping[IdType, Sequence[object]]) -> list[Document]:
        return list(chain.from_iterable(collection.of_users(ids, stored, most, spans=False)))

    if isinstance(users, IdRange):
        own = list(chain.from_iterable(collection.by_user(users.kind, users.condition(), stored, most)))
        flags = _flags(store, own)
        found.unreadable = sum(flag is None for some in flags.values() for flag in some)
        active = [user_id for user_id, some in flags.items() if any(some)]
        found.id_types = {"users": [users.kind.name]} if own else {}
        by_type = {users.kind: own}
        for kind, values in typed(active).items():
            if kind is not users.kind and collection.has(kind):
                by_type[kind] = of_ids({kind: values})
        for kind in ID_TYPES[: ID_TYPES.index(users.kind)]:
            seen = _flags(store, by_type.get(kind, ()))
            active = [user_id for user_id in active if not any(seen.get(user_id, ()))]
        documents = [document for kind in ID_TYPES for document in by_type.get(kind, ())]
    else:
        documents = of_ids(typed(users))
        flags = _flags(store, documents)
        active = [user_id for user_id in users if any(flags.get(user_id, ()))]
    found.active = [user_id for user_id in active if _USER_ID.search(user_id)]
    found.strange = len(active) - len(found.active)
    return documents


def _flags(store: PortfolioStore, documents: Sequence[Document]) -> dict[str, list[bool | None]]:
    """Return whether each of the documents of each user says that the user is active."""
    return {user_id: list(map(is_active, own)) for user_id, own in store.by_user("users", documents).items()}


def _symbols(
    store: PortfolioStore, portfolio: Portfolio | InvalidPortfolio, groups: Mapping[str, Groups]
) -> OwnSymbols:
    """Return the symbols of an owner; those of a user who cannot be analyzed for another reason count, too."""
    if isinstance(portfolio, Portfolio):
        held = frozenset(holding.symbol for holding in portfolio.holdings)
        return OwnSymbols(held, frozenset(portfolio.watchlist) - held)
    holdings, watchlist = (groups[name].get(portfolio.user_id, ()) for name in ("holdings", "watchlist"))
    symbol_of = symbol_reader(store.spelling)
    return own_symbols(symbols_in(held_symbols, holdings, symbol_of), symbols_in(watched_symbols, watchlist, symbol_of))
