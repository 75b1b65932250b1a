"""Why a run of all users finds nobody to analyze, in counts."""

from stores.backend import ID_TYPES, BackendCollection
from stores.portfolios import PortfolioStore

_COUNTED = ("users", "holdings", "watchlist")
_NOUNS = {
    "users": ("user", "users"),
    "holdings": ("holding", "holdings"),
    "watchlist": ("watchlist item", "watchlist items"),
}


def why_nobody(store: PortfolioStore) -> str | None:
    """Return why no active user owns or watches anything, as far as counts tell; ``None`` if nothing is stored."""
    counts = _counts(store)
    if not any(counts.values()):
        return None
    there = [f"{count:,} {_NOUNS[name][count != 1]}" for name, count in counts.items() if count]
    exist = f"{' and '.join(there)} {'exist' if len(there) > 1 or sum(counts.values()) > 1 else 'exists'}, but "
    if not counts["users"]:
        return f"{exist}no user: is {store.fields['users'].described} the collection of the users?"
    if store.count_without_user_id() == counts["users"]:
        return f"{exist}no user has an id in `{_key(store, 'users')}`."
    if next(filter(None, store.active_user_ids(None)), None) is None:
        return f"{exist}no user is active: see `{store.fields['users'].described_field('is_active')}`."
    owned = [name for name in ("holdings", "watchlist") if counts.get(name)]
    if not owned:
        places = " and ".join(store.fields[name].described for name in ("holdings", "watchlist"))
        return f"{exist}nobody holds or watches anything: {places} are empty."
    types = "; ".join(f"{name}: {_types(store.collections[name])}" for name in ("users", *owned))
    keys = " or ".join(f"`{_key(store, name)}`" for name in owned)
    return f"{exist}no {keys} matches a `{_key(store, 'users')}` of an active user ({types})."


def _counts(store: PortfolioStore) -> dict[str, int]:
    """Return the number of documents of each kind; what is inside users' documents is not counted."""
    users = store.collections["users"]
    own = {name: store.collections[name] for name in _COUNTED}
    return {
        name: collection.documents.count_documents({})
        for name, collection in own.items()
        if name == "users" or collection is not users
    }


def _key(store: PortfolioStore, name: str) -> str:
    return f"{name}.{store.fields[name].described_field('user_id')}"


def _types(collection: BackendCollection) -> str:
    """Return the types of the ids in a collection with their numbers, such as ``50 ObjectId``."""
    found = {kind.name: collection.count_of(kind) for kind in ID_TYPES}
    return ", ".join(f"{count:,} {name}" for name, count in found.items() if count) or "no ids"
