"""Documents that do not fit their ``FIELDS``: each has the sentence that says what to change, without any value."""

from typing import Any

import pytest

from analysis.models import InvalidHolding, Portfolio
from fields import Fields
from stores.mongo import Document, DocumentDatabase
from stores.portfolio_documents import InvalidPortfolio
from stores.portfolios import PortfolioStore
from tests.stores.wired import Commands, wired

SECRET = "SECRET"


def load(database: DocumentDatabase, fields: str = "", **documents: Document) -> Portfolio | InvalidPortfolio:
    """Return the portfolio of the user u, who has one document in each of these collections."""
    for name, document in documents.items():
        database[name].insert_one({"user_id": "u", **document})
    (loaded,) = PortfolioStore(database, fields=Fields.read(fields)).load(["u"], contiguous=True)
    assert SECRET not in repr(loaded)
    return loaded


def reasons(loaded: Portfolio | InvalidPortfolio) -> list[str]:
    assert isinstance(loaded, Portfolio)
    return [holding.reason for holding in loaded.invalid_holdings]


@pytest.mark.parametrize(
    ("fields", "holding", "reason"),
    [
        ("", {"ticker": "AAPL", "quantity": 1}, "no field `symbol`; the document has `ticker`: set FIELDS"),
        ("", {"symbol": "AAPL", "shares": 1}, "no field `quantity`; the document has `shares`: set FIELDS"),
        ("", {"symbol": "AAPL", "Qty": 1}, "no field `quantity`; the document has `Qty`: set FIELDS"),
        (
            "",
            {"symbol": "AAPL", "lot": {"units": 1}},
            "no field `quantity`; the document has `lot.units`: set FIELDS",
        ),
        (
            "",
            {"paper": "AAPL", "pieces": 3, "e@mail.org": 1},
            "no field `symbol`; the document has `paper`, `pieces`: set FIELDS",
        ),
        ("", {}, "no field `symbol`"),
        (
            "holdings.symbol=tickr",
            {"ticker": "AAPL", "quantity": 1},
            "no field `tickr`; the document has `ticker`: set FIELDS",
        ),
        (
            "holdings.quantity=lot.shares",
            {"symbol": "AAPL", "quantity": 1},
            "no field `lot.shares`; the document has `quantity`: set FIELDS",
        ),
        ("holdings.quantity=lot.shares", {"symbol": "AAPL", "lot": 7}, "`lot` is a number, not an object"),
        ("holdings.quantity=lot.shares", {"symbol": "AAPL", "lot": [{"a": 7}]}, "`lot` is an array, not an object"),
        (
            "holdings.quantity=lot.shares",
            {"symbol": "AAPL", "lot": None},
            "no field `lot.shares`; the document has `lot`: set FIELDS",
        ),
        ("holdings.quantity=lot", {"symbol": "AAPL", "lot": {"shares": 7}}, "quantity is not a number up to 1e+12"),
    ],
)  # fmt: skip
def test_a_holding_whose_field_is_not_where_it_should_be_says_so(
    database: DocumentDatabase, fields: str, holding: Document, reason: str
) -> None:
    assert reasons(load(database, fields, holdings=holding)) == [reason]


@pytest.mark.parametrize(
    ("fields", "user", "reason"),
    [
        ("holdings=users.p[]", {"p": {"AAPL": {}}}, "`p` is an object, not an array"),
        ("holdings=users.p{}", {"p": [{"symbol": "AAPL"}]}, "`p` is an array, not an object"),
        ("holdings=users.p", {"p": [{"symbol": "AAPL"}]}, "`p` is an array, not an object"),
        ("holdings=users.p[]", {"p": SECRET}, "`p` is a text, not an array"),
        ("holdings=users.a.p[]", {"a": [{"p": []}]}, "`a` is an array, not an object"),
        ("holdings=users.p[]", {"p": [[{"symbol": "AAPL"}]]}, "an element of users.p[] is an array, not an object"),
        ("holdings=users.p[]", {"p": [SECRET]}, "an element of users.p[] is a text, not an object"),
        ("holdings=users.p[]", {"p": [None]}, "an element of users.p[] is null, not an object"),
        ("holdings=users.p{}", {"p": {"AAPL": 7}}, "an element of users.p{} is a number, not an object"),
        (
            "holdings=users.p[]",
            {"p": [{"ticker": SECRET, "quantity": 7}]},
            "no field `symbol`; the document has `ticker`: set FIELDS",
        ),
    ],
)
def test_holdings_inside_a_document_that_are_not_as_said_are_one_invalid_holding(
    database: DocumentDatabase, fields: str, user: Document, reason: str
) -> None:
    assert reasons(load(database, fields, users=user)) == [reason]


@pytest.mark.parametrize("user", [{}, {"p": None}, {"p": []}, {"a": {}}])
def test_a_user_without_anything_at_the_place_of_holdings_has_none(database: DocumentDatabase, user: Document) -> None:
    assert load(database, "holdings=users.p[]", users=user) == Portfolio("u")


@pytest.mark.parametrize(
    ("fields", "documents", "error"),
    [
        ("accounts=users.w", {"users": {"w": [{"cash": 1}]}}, "`w` is an array, not an object"),
        ("accounts.cash=b.cash", {"accounts": {"b": 7}}, "`b` is a number, not an object"),
        ("accounts.cash=b.cash", {"accounts": {"b": [{"cash": 7}]}}, "`b` is an array, not an object"),
        ("accounts.cash=b", {"accounts": {"b": {"cash": 7}}}, "cash is not a number up to 1e+12"),
    ],
)
def test_an_account_that_is_not_as_said_fails_its_user(
    database: DocumentDatabase, fields: str, documents: dict[str, Any], error: str
) -> None:
    loaded = load(database, fields, **documents)
    assert loaded == InvalidPortfolio("u", "invalid_account", f"The account cannot be read: {error}")


@pytest.mark.parametrize(
    ("fields", "documents", "note"),
    [
        (
            "",
            {"accounts": {"balance": 5}},
            "An account counts as empty: no field `cash`; the document has `balance`: set FIELDS.",
        ),
        (
            "accounts.cash=balanes.cash",
            {"accounts": {"balances": {"cash": 5}}},
            "An account counts as empty: no field `balanes.cash`; the document has `balances.cash`: set FIELDS.",
        ),
        (
            "",
            {"watchlist": {"ticker": SECRET}},
            "A watchlist item is left out: no field `symbol`; the document has `ticker`: set FIELDS.",
        ),
        (
            "watchlist=users.l[]",
            {"users": {"l": [SECRET]}},
            "A watchlist item is left out: an element of users.l[] is a text, not an object.",
        ),
    ],
)
def test_what_counts_for_nothing_because_a_field_is_missing_is_noted(
    database: DocumentDatabase, fields: str, documents: dict[str, Any], note: str
) -> None:
    loaded = load(database, fields, **documents)
    assert isinstance(loaded, Portfolio)
    assert loaded.notes == (note,)


def test_a_null_is_no_missing_field(database: DocumentDatabase) -> None:
    loaded = load(database, holdings={"symbol": "AAPL", "quantity": None, "shares": 7})
    assert isinstance(loaded, Portfolio)
    assert loaded.invalid_holdings == (InvalidHolding("AAPL", "quantity is not a number up to 1e+12"),)


def test_names_are_looked_up_for_few_users_and_only_where_some_are_missing(database: DocumentDatabase) -> None:
    ids = [f"u{number:03}" for number in range(100)]
    commands = Commands()
    with wired(database, commands=commands) as seen:
        store = PortfolioStore(seen)
        database.holdings.insert_many({"user_id": user_id, "symbol": "AAPL", "quantity": 1} for user_id in ids)
        store.load(ids, contiguous=True)
        usual = commands.names().count("find")
        database.holdings.update_many({}, {"$rename": {"symbol": "ticker"}})
        commands.sent.clear()
        loaded = store.load(ids, contiguous=True)
        asked = commands.names().count("find")
    told = [reason for own in loaded for reason in reasons(own)]
    assert (usual, asked) == (4, 5)
    assert told[:50] == ["no field `symbol`; the document has `ticker`: set FIELDS"] * 50
    assert told[50:] == ["no field `symbol`"] * 50
