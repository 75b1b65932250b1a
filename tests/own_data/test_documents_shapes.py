"""Documents in the shapes that backends have: each gives the portfolios of the plain shape, or its sentence."""

from collections.abc import Callable, Mapping, Sequence
from copy import replace
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Decimal128, Int64, ObjectId

from analysis.models import Account, Holding, Portfolio
from fields import Fields
from stores.mongo import Document, DocumentDatabase
from stores.portfolios import PortfolioStore

TEXTS = ("u1", "u2")
HEXES = ("65a000000000000000000001", "65a000000000000000000002")
UUIDS = ("0b5c9d5e-0000-4000-8000-000000000001", "0b5c9d5e-0000-4000-8000-000000000002")
NUMBERS = ("9", "10")
OBJECT_IDS = tuple(map(ObjectId, HEXES))
BINARIES = tuple(Binary.from_uuid(UUID(text)) for text in UUIDS)

# symbol, quantity, average price of each user's holdings
HELD: tuple[tuple[tuple[str, Any, Any], ...], ...] = ((("AAPL", 10, 5.0), ("MSFT", -2.5, 7)), (("BRK.B", 3, 1),))
CASH, POWER = (100, 40), (250.5, 40)


def users(ids: Sequence[Any] = TEXTS, **more: object) -> list[Document]:
    return [{"user_id": user_id, "username": "someone", **more} for user_id in ids]


def holdings(
    ids: Sequence[Any] = TEXTS, names: tuple[str, str, str] = ("symbol", "quantity", "avg_price"), key: str = "user_id"
) -> list[Document]:
    return [
        {key: user_id, "opened": "2020", **dict(zip(names, lot, strict=True))}
        for user_id, lots in zip(ids, HELD, strict=True)
        for lot in lots
    ]


def accounts(ids: Sequence[Any] = TEXTS, key: str = "user_id") -> list[Document]:
    amounts = zip(ids, CASH, POWER, strict=True)
    return [{key: user_id, "cash": cash, "buying_power": power} for user_id, cash, power in amounts]


def watchlist(ids: Sequence[Any] = TEXTS, key: str = "user_id") -> list[Document]:
    return [{key: user_id, "symbol": "XOM"} for user_id in ids]


def everything(
    ids: Sequence[Any] = TEXTS, others: Sequence[Any] | None = None, key: str = "user_id", **of_users: object
) -> dict[str, list[Document]]:
    others = others or ids
    return {
        "users": users(ids, **of_users),
        "holdings": holdings(others, key=key),
        "accounts": accounts(others, key),
        "watchlist": watchlist(others, key),
    }


def without(name: str, inside: Callable[[int], Document], ids: Sequence[Any] = TEXTS) -> dict[str, list[Document]]:
    """Return everything, but what is in one collection inside the documents of users."""
    found = everything(ids)
    del found[name]
    found["users"] = [user | inside(number) for number, user in enumerate(found["users"])]
    return found


def positions(number: int) -> list[Document]:
    return [{"symbol": symbol, "quantity": quantity, "avg_price": price} for symbol, quantity, price in HELD[number]]


def by_symbol(number: int) -> Document:
    return {symbol: {"quantity": quantity, "avg_price": price} for symbol, quantity, price in HELD[number]}


def renamed(documents: list[Document], **names: str) -> list[Document]:
    return [{names.get(name, name): value for name, value in document.items()} for document in documents]


def plain(ids: Sequence[str]) -> list[Portfolio]:
    return [
        Portfolio(
            user_id,
            holdings=tuple(Holding(symbol, float(quantity), float(price)) for symbol, quantity, price in HELD[number]),
            watchlist=("XOM",),
            cash=float(CASH[number]),
            buying_power=float(POWER[number]),
            accounts=(Account("", float(CASH[number]), float(POWER[number]), "USD"),),
        )
        for number, user_id in enumerate(ids)
    ]


@dataclass(frozen=True)
class Shape:
    documents: Mapping[str, list[Document]]
    fields: str = ""
    ids: Sequence[str] = TEXTS
    expected: Callable[[Portfolio], Portfolio] = field(default=lambda portfolio: portfolio)


def accounts_of(own: Portfolio, first: tuple[str, float, float]) -> tuple[Account, ...]:
    """Return two accounts with the amounts of the portfolio's one."""
    account_id, cash, power = first
    return Account(account_id, cash, power, "USD"), Account("", own.cash - cash, own.buying_power - power, "USD")


ODD = ("it's {u} & co #1", "ÅSA+x@y.z (2)")
PLAIN = everything()
SHAPES = {
    "the app's own names": Shape(PLAIN),
    "other names of fields": Shape(
        PLAIN | {"holdings": holdings(names=("ticker", "shares", "average_cost"))},
        "holdings.symbol=ticker,holdings.quantity=shares, holdings.avg_price=average_cost",
    ),
    "fields inside objects": Shape(
        PLAIN | {"holdings": [{"user_id": d["user_id"], "of": {"asset": d}} for d in holdings()]},
        "holdings.symbol=of.asset.symbol,holdings.quantity=of.asset.quantity,holdings.avg_price=of.asset.avg_price",
    ),
    "amounts inside an object": Shape(
        PLAIN | {"accounts": [{"user_id": d["user_id"], "balances": d} for d in accounts()]},
        "accounts.cash=balances.cash,accounts.buying_power=balances.buying_power",
    ),
    "numbers as text and decimals": Shape(
        PLAIN | {"holdings": [d | {"quantity": str(d["quantity"]), "avg_price": Decimal128("5")} for d in holdings()]},
        expected=lambda own: replace(own, holdings=tuple(replace(h, avg_price=5.0) for h in own.holdings)),
    ),
    "numbers as ids": Shape(everything((9, Int64(10))), ids=NUMBERS),
    "whole doubles as ids": Shape(everything((9.0, 10.0), (9, 10)), ids=NUMBERS),
    "ObjectIds as ids": Shape(everything(OBJECT_IDS), ids=HEXES),
    "UUIDs as ids": Shape(everything(BINARIES), ids=UUIDS),
    "users by ObjectId, the rest by text": Shape(everything(OBJECT_IDS, HEXES), ids=HEXES),
    "users by text, the rest by ObjectId": Shape(everything(HEXES, OBJECT_IDS), ids=HEXES),
    "users by UUID, the rest by text": Shape(everything(BINARIES, UUIDS), ids=UUIDS),
    "users by text, the rest by UUID": Shape(everything(UUIDS, BINARIES), ids=UUIDS),
    "users by number, the rest by text": Shape(everything((9, 10), NUMBERS), ids=NUMBERS),
    "users by text, the rest by number": Shape(everything(NUMBERS, (9, 10)), ids=NUMBERS),
    "users of several types": Shape(everything((9, "u2"), ("9", "u2")), ids=("9", "u2")),
    "the user id in _id": Shape(
        everything(OBJECT_IDS) | {"users": [{"_id": user_id} for user_id in OBJECT_IDS]}, "users.user_id=_id", ids=HEXES
    ),
    "the user id in _id, and others by their owner in text": Shape(
        everything(OBJECT_IDS, HEXES, key="owner") | {"users": [{"_id": user_id} for user_id in OBJECT_IDS]},
        "users.user_id=_id,holdings.user_id=owner,accounts.user_id=owner,watchlist.user_id=owner",
        ids=HEXES,
    ),
    "the user id inside an object": Shape(
        PLAIN | {"users": [{"profile": {"id": text}, "user_id": 7} for text in TEXTS]}, "users.user_id=profile.id"
    ),
    "holdings in the user's document": Shape(
        without("holdings", lambda number: {"positions": positions(number)}), "holdings=users.positions[]"
    ),
    "holdings deep in the user's document, with other names": Shape(
        without("holdings", lambda number: {"a": {"b": renamed(positions(number), symbol="t", quantity="n")}}),
        "holdings=users.a.b[],holdings.symbol=t,holdings.quantity=n",
    ),
    "holdings by symbol in a map": Shape(
        without("holdings", lambda number: {"positions": by_symbol(number)}), "holdings=users.positions{}"
    ),
    "quantities by symbol in a map": Shape(
        without("holdings", lambda number: {"held": {symbol: quantity for symbol, quantity, _ in HELD[number]}}),
        "holdings=users.held{},holdings.quantity=.",
        expected=lambda own: replace(own, holdings=tuple(replace(h, avg_price=None) for h in own.holdings)),
    ),
    "a wallet in the user's document": Shape(
        without("accounts", lambda number: {"wallet": accounts()[number]}), "accounts=users.wallet"
    ),
    "several wallets in the user's document": Shape(
        without(
            "accounts",
            lambda number: {
                "wallets": [
                    {"cash": 1, "buying_power": 0.5},
                    {"cash": CASH[number] - 1, "buying_power": POWER[number] - 0.5},
                ]
            },
        ),
        "accounts=users.wallets[]",
        expected=lambda own: replace(own, accounts=accounts_of(own, ("", 1.0, 0.5))),
    ),
    "wallets by name in a map": Shape(
        without("accounts", lambda number: {"wallets": {"main": accounts()[number], "new": {"cash": 0}}}),
        "accounts=users.wallets{}",
        expected=lambda own: replace(
            own, accounts=(replace(own.accounts[0], account_id="main"), Account("new", 0.0, 0.0, "USD"))
        ),
    ),
    "symbols watched as a list of texts": Shape(
        without("watchlist", lambda _: {"watched": ["XOM"]}), "watchlist=users.watched[],watchlist.symbol=."
    ),
    "symbols watched as keys": Shape(
        without("watchlist", lambda _: {"watched": {"XOM": True}}), "watchlist=users.watched{}"
    ),
    "everything in the user's document": Shape(
        {
            "people": [
                {"_id": user_id, "p": positions(number), "w": accounts()[number], "l": ["XOM"], "on": 1}
                for number, user_id in enumerate(OBJECT_IDS)
            ]
        },
        "users=people,users.user_id=_id,users.is_active=on,holdings=users.p[],accounts=users.w,watchlist=users.l[],"
        "watchlist.symbol=.",
        ids=HEXES,
    ),
    "another collection's name": Shape({**PLAIN, "positions": PLAIN["holdings"], "holdings": []}, "holdings=positions"),
    "holdings inside documents of their own": Shape(
        PLAIN
        | {"holdings": [], "books": [{"owner": {"id": text}, "of": positions(at)} for at, text in enumerate(TEXTS)]},
        "holdings=books.of[],holdings.user_id=owner.id",
    ),
    "holdings inside accounts": Shape(
        PLAIN | {"holdings": [], "accounts": [own | {"of": positions(at)} for at, own in enumerate(accounts())]},
        "holdings=accounts.of[]",
    ),
    "names with dots and commas": Shape(
        {**PLAIN, "my.own,lots": renamed(holdings(), symbol="a.b", quantity="c,d"), "holdings": []},
        r"holdings=my\.own\,lots,holdings.symbol=a\.b,holdings.quantity=c\,d",
    ),
    "flags as a number": Shape(PLAIN | {"users": users(is_active=1)}),
    "flags as text": Shape(PLAIN | {"users": users(is_active="true")}),
    "a flag under another name": Shape(PLAIN | {"users": users(on=True, is_active=False)}, "users.is_active=on"),
    "ids with signs": Shape(everything(ODD), ids=ODD),
    "thresholds inside an object": Shape(
        PLAIN | {"users": users(prefs={"limits": {"beta": {"warning": 1}}})},
        "users.analysis_thresholds=prefs.limits",
        expected=lambda own: replace(own, thresholds={"beta": {"warning": 1.0}}),
    ),
}


def stored(database: DocumentDatabase, documents: Mapping[str, list[Document]], fields: str) -> PortfolioStore:
    for name, some in documents.items():
        if some:
            database[name].insert_many([dict(document) for document in some])
    store = PortfolioStore(database, fields=Fields.read(fields))
    store.ensure_indexes()
    return store


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_shape_gives_the_portfolios_of_the_plain_one(database: DocumentDatabase, shape: Shape) -> None:
    store = stored(database, shape.documents, shape.fields)
    expected = {portfolio.user_id: shape.expected(portfolio) for portfolio in plain(shape.ids)}
    found = [user_id for chunk in store.active_user_ids(None) for user_id in chunk]
    assert sorted(found) == sorted(shape.ids)
    assert [user_id for chunk in store.active_user_ids(shape.ids) for user_id in chunk] == sorted(shape.ids)
    for contiguous in (True, False):
        loaded = store.load(found, contiguous=contiguous)
        assert loaded == [expected[user_id] for user_id in found]
        symbols = store.symbols(found, contiguous=contiguous)
        held = {own.user_id: {h.symbol for h in own.holdings} for own in loaded if isinstance(own, Portfolio)}
        assert {user_id: set(own.held) for user_id, own in symbols.items()} == held
