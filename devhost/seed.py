"""Writes the sample users into a MongoDB, in the document format of the existing backend."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.collection import Collection

from devhost.sample_data import SAMPLE_INDEX, SAMPLE_SECTORS, SAMPLE_STOCKS, SAMPLE_USERS, SampleAccount, SampleUser
from stores.mongo import connect

type _Document = dict[str, Any]

COLLECTIONS = ("users", "accounts", "holdings", "watchlist", "transactions")
"""Those with documents of a user."""
_CREATED = datetime(2022, 1, 3, 9, 30, tzinfo=UTC)


def seed_sample_users(mongodb_url: str, database: str) -> int:
    """Write the sample users with all that is theirs, and the instruments; return the number of users.

    A repetition changes nothing: every write is on its key.

    Raises:
        PyMongoError: the server cannot be reached or refuses.
    """
    transactions = _transactions()  # before anything is written: a start that finds users writes no more
    with connect(mongodb_url) as client:
        collections = client[database]
        for name in COLLECTIONS:  # as a backend has them
            collections[name].create_index("user_id", name="user_id")
        collections["instruments"].create_index("symbol", name="symbol")
        _upsert(collections["users"], ("user_id",), [_user(user) for user in SAMPLE_USERS])
        _write_accounts(collections["accounts"])
        holdings = [holding for user in SAMPLE_USERS for holding in _holdings(user)]
        _write_changed(collections["holdings"], ("user_id", "symbol"), holdings)
        watched = [item for user in SAMPLE_USERS for item in _watchlist(user)]
        _upsert(collections["watchlist"], ("user_id", "symbol"), watched)
        _write_changed(collections["transactions"], ("user_id", "transaction_id"), transactions)
        # What a backend knows of an instrument stays as it is.
        instruments = [
            _instrument(symbol, name, "stock") | {"sector": SAMPLE_SECTORS[symbol], "country": "United States"}
            for symbol, name in SAMPLE_STOCKS.items()
        ]
        instruments += [_instrument(symbol, name, "index") for symbol, name in SAMPLE_INDEX.items()]
        _upsert(collections["instruments"], ("symbol",), instruments, operator="$setOnInsert")
    return len(SAMPLE_USERS)


def _upsert(
    collection: Collection[_Document], key: Sequence[str], documents: Sequence[_Document], *, operator: str = "$set"
) -> None:
    writes = [
        UpdateOne({name: document[name] for name in key}, {operator: document}, upsert=True) for document in documents
    ]
    collection.bulk_write(writes, ordered=False)


def _write_accounts(accounts: Collection[_Document]) -> None:
    writes = []
    for user in SAMPLE_USERS:
        for number, account in enumerate(user.accounts):
            # An earlier version of the sample wrote one account a user, without an id.
            known = {"$in": [account.account_id, None]} if number == 0 else account.account_id
            key = {"user_id": user.user_id, "account_id": known}
            writes.append(UpdateOne(key, {"$set": _account(user, account)}, upsert=True))
    accounts.bulk_write(writes, ordered=False)


def _write_changed(collection: Collection[_Document], key: Sequence[str], documents: Sequence[_Document]) -> None:
    """Write the documents that are not there or differ: as many upserts take the embedded server seconds."""
    of_samples = {"user_id": {"$in": [user.user_id for user in SAMPLE_USERS]}}
    stored = {tuple(document.get(name) for name in key): document for document in collection.find(of_samples)}
    new, changed = [], []
    for document in documents:
        old = stored.get(tuple(document[name] for name in key))
        if old is None:
            new.append(document)
        elif not document.items() <= old.items():
            changed.append(document)
    if new:
        collection.insert_many(new, ordered=False)
    if changed:
        _upsert(collection, key, changed)


def _transactions() -> list[_Document]:
    # Imported late: the prices that ledgers follow from take some time, and most starts find the users written.
    from devhost.sample_ledgers import ledger_of
    from devhost.sample_transactions import documents_of

    return [document for user in SAMPLE_USERS for document in documents_of(user.user_id, ledger_of(user))]


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
        **({"base_currency": user.base_currency} if user.base_currency else {}),
    }


def _account(user: SampleUser, account: SampleAccount) -> _Document:
    return {
        "user_id": user.user_id,
        "account_id": account.account_id,
        "cash": account.cash,
        "buying_power": account.buying_power,
        "currency": account.currency,
        "broker": {"name": "Sample Brokerage", "account": f"paper-{account.account_id}"},
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


def _instrument(symbol: str, name: str, kind: str) -> _Document:
    return {"symbol": symbol, "name": name, "kind": kind, "currency": "USD", "listed_at": _CREATED}
