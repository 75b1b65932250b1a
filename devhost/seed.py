"""Writes the sample users into a MongoDB, in the document format of the existing backend."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import MongoClient, UpdateOne
from pymongo.collection import Collection

from devhost.sample_data import SAMPLE_STOCKS, SAMPLE_USERS, SampleUser

type _Document = dict[str, Any]

COLLECTIONS = ("users", "accounts", "holdings", "watchlist")
"""Those with documents of a user."""
_CREATED = datetime(2022, 1, 3, 9, 30, tzinfo=UTC)


def seed_sample_users(mongodb_url: str, database: str) -> int:
    """Write the sample users and instruments, and return the number of users.

    A repetition changes nothing: every write is on its key.

    Raises:
        PyMongoError: the server cannot be reached or refuses.
    """
    with MongoClient[_Document](mongodb_url) as client:
        collections = client[database]
        for name in COLLECTIONS:  # as a backend has them
            collections[name].create_index("user_id", name="user_id")
        collections["instruments"].create_index("symbol", name="symbol")
        _upsert(collections["users"], ("user_id",), [_user(user) for user in SAMPLE_USERS])
        _upsert(collections["accounts"], ("user_id",), [_account(user) for user in SAMPLE_USERS])
        holdings = [holding for user in SAMPLE_USERS for holding in _holdings(user)]
        _upsert(collections["holdings"], ("user_id", "symbol"), holdings)
        watched = [item for user in SAMPLE_USERS for item in _watchlist(user)]
        _upsert(collections["watchlist"], ("user_id", "symbol"), watched)
        # What a backend knows of an instrument stays as it is.
        instruments = [_instrument(symbol) for symbol in SAMPLE_STOCKS]
        _upsert(collections["instruments"], ("symbol",), instruments, operator="$setOnInsert")
    return len(SAMPLE_USERS)


def _upsert(
    collection: Collection[_Document], key: Sequence[str], documents: Sequence[_Document], *, operator: str = "$set"
) -> None:
    writes = [
        UpdateOne({name: document[name] for name in key}, {operator: document}, upsert=True) for document in documents
    ]
    collection.bulk_write(writes, ordered=False)


# Each document also has fields unknown to this app, like those of the backend.
def _user(user: SampleUser) -> _Document:
    return {
        "user_id": user.user_id,
        "username": user.user_id.replace("-", " ").title(),
        "email": f"{user.user_id}@sample.invalid",
        "is_admin": user.is_admin,
        "is_active": user.is_active,
        "created_at": _CREATED,
        "preferences": {"theme": "dark", "notifications": {"email": True, "push": False}},
    }


def _account(user: SampleUser) -> _Document:
    return {
        "user_id": user.user_id,
        "cash": user.cash,
        "buying_power": user.buying_power,
        "currency": "USD",
        "broker": {"name": "Sample Brokerage", "account": f"paper-{user.user_id}"},
    }


def _holdings(user: SampleUser) -> list[_Document]:
    return [
        {
            "user_id": user.user_id,
            "symbol": holding.symbol,
            "quantity": holding.quantity,
            "avg_price": holding.avg_price,
            "asset_class": "equity",
            "opened_at": _CREATED,
        }
        for holding in user.holdings
    ]


def _watchlist(user: SampleUser) -> list[_Document]:
    return [
        {"user_id": user.user_id, "symbol": symbol, "added_at": _CREATED, "alerts": []} for symbol in user.watchlist
    ]


def _instrument(symbol: str) -> _Document:
    return {"symbol": symbol, "kind": "stock", "currency": "USD", "listed_at": _CREATED}
