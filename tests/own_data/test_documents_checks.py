"""What the backend's collections hold, as ``make check-data`` tells it."""

from collections.abc import Mapping, Sequence
from typing import Any

from bson import ObjectId

from fields import Fields
from stores.document_checks import CollectionCheck, check_documents
from stores.mongo import DocumentDatabase
from stores.portfolios import PortfolioStore


def checks(
    database: DocumentDatabase, fields: str = "", **documents: Sequence[Mapping[str, Any]]
) -> dict[str, CollectionCheck]:
    for name, own in documents.items():
        database[name].insert_many([dict(document) for document in own])
    return {own.name: own for own in check_documents(PortfolioStore(database, fields=Fields.read(fields)))}


def test_documents_are_counted_with_the_rules_that_refuse_them(database: DocumentDatabase) -> None:
    found = checks(
        database,
        users=[{"user_id": "u"}, {"user_id": "v", "is_active": "maybe"}, {"user_id": "a/b"}, {"user_id": None}],
        holdings=[
            {"user_id": "u", "symbol": "AAPL", "quantity": 1},
            {"user_id": "u", "symbol": "AAPL", "quantity": "ten"},
            {"user_id": "u", "ticker": "AAPL", "shares": 1},
            {"user_id": ["u"], "symbol": "AAPL", "quantity": 1},
        ],
        watchlist=[{"user_id": "v", "symbol": ""}],
        accounts=[{"user_id": "u", "cash": "much"}, {"user_id": "u", "balance": 1}],
    )
    assert {name: (own.documents, own.accepted) for name, own in found.items()} == {
        "users": (4, 1), "holdings": (4, 1), "watchlist": (1, 0), "accounts": (2, 0), "transactions": (0, 0),
    }  # fmt: skip
    types = "not one of ObjectId, UUID, number, text"
    assert found["users"].refused == {
        "is_active is neither true nor false": 1,
        "the id cannot be used: it is too long, or has signs that cannot be shown": 1,
        f"the id cannot be used: it is of the type null, {types}": 1,
    }
    assert found["holdings"].refused == {
        "quantity is not a number up to 1e+12": 1,
        "no field `symbol`; the document has `ticker`: set FIELDS": 1,
        f"the id cannot be used: it is of the type array, {types}": 1,
    }
    assert found["watchlist"].refused == {"symbol is not a text that can be one": 1}
    assert found["accounts"].refused == {
        "The account cannot be read: cash is not a number up to 1e+12": 1,
        "no field `cash`; the document has `balance`: set FIELDS": 1,
    }
    assert found["holdings"].proposals == {"holdings.symbol=ticker": 1, "holdings.quantity=shares": 1}


def test_types_of_ids_and_those_without_a_match_are_told(database: DocumentDatabase) -> None:
    known = ObjectId()
    found = checks(
        database,
        users=[{"user_id": "u"}, {"user_id": str(known)}],
        holdings=[{"user_id": user_id, "symbol": "AAPL", "quantity": 1} for user_id in (known, 7, "x", known)],
    )
    assert (found["users"].id_types, found["holdings"].id_types) == (
        {"text": 2},
        {"ObjectId": 2, "number": 1, "text": 1},
    )
    assert (found["users"].without_match, found["users"].examples) == (1, ("u",))
    assert (found["holdings"].without_match, found["holdings"].examples) == (2, ("7", "x"))


def test_ids_that_are_those_in_id_are_proposed(database: DocumentDatabase) -> None:
    known = ObjectId()
    users = [{"_id": known, "user_id": "ann"}]
    found = checks(database, users=users, holdings=[{"user_id": known, "symbol": "AAPL", "quantity": 1}])
    assert found["users"].proposals == {"users.user_id=_id": 1}
    assert checks(database, "users.user_id=_id")["holdings"].without_match == 0


def test_users_without_the_field_of_their_id_are_told_what_they_have(database: DocumentDatabase) -> None:
    found = checks(database, users=[{"uid": "ann"}, {"name": "bob"}], holdings=[{"owner_id": "ann", "symbol": "A"}])
    assert found["users"].proposals == {"users.user_id=uid": 1, "users.user_id=_id": 1}
    assert found["users"].id_types == {"missing": 2}
    assert found["holdings"].refused == {"no field `user_id`; the document has `owner_id`: set FIELDS": 1}


def test_holdings_inside_the_users_documents_are_proposed_only_where_there_are_no_others(
    database: DocumentDatabase,
) -> None:
    users: list[Mapping[str, Any]] = [
        {"user_id": "u", "positions": [{"ticker": "AAPL", "shares": 1}], "tags": ["a"], "empty": []},
        {"user_id": "v", "book": {"AAPL": {"qty": 1}}},
    ]
    proposed = {"holdings=users.positions[]": 1, "holdings=users.book{}": 1}
    assert checks(database, users=users)["holdings"].proposals == proposed
    found = checks(database, "holdings=users.positions[],holdings.symbol=ticker")["holdings"]
    assert (found.place, found.documents, found.accepted) == ("users.positions[]", 1, 0)
    assert found.proposals == {"holdings.quantity=shares": 1}
    holdings = [{"user_id": "u", "symbol": "AAPL", "quantity": 1, "average_cost": 5}]
    assert checks(database, holdings=holdings)["holdings"].proposals == {"holdings.avg_price=average_cost": 1}


def test_entries_that_lead_nowhere_are_told(database: DocumentDatabase) -> None:
    users = [{"user_id": "u", "book": {"lots": [{"symbol": "AAPL", "quantity": 1, "cost": 1}]}, "active": False}]
    right = "holdings=users.book.lots[],holdings.avg_price=cost,users.is_active=active"
    assert {own.unused for own in checks(database, right, users=users).values()} == {()}
    found = checks(
        database, "holdings=users.book.lots[],holdings.avg_price=costs,users.is_active=activ,accounts=users.w"
    )
    assert {name: own.unused for name, own in found.items()} == {
        "users": ("users.is_active=activ",),
        "holdings": ("holdings.avg_price=costs",),
        "watchlist": (),
        "accounts": ("accounts=users.w",),
        "transactions": (),
    }
