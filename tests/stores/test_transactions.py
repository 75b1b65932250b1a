"""Transactions over the wire: the same ledger in every shape, few queries, and figures that fit each other."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from bson.tz_util import utc
from pymongo.monitoring import CommandStartedEvent

from analysis.models import Account, Portfolio
from analysis.returns.ledger import Transaction
from fields import Fields
from stores.mongo import DocumentDatabase
from stores.portfolio_documents import InvalidPortfolio
from stores.portfolios import PortfolioStore
from stores.transactions import Traded, TransactionStore
from tests.own_data.ledgers import BUY, TODAY, bought, last_unsound
from tests.stores.wired import Commands, wired

KNOWN = ObjectId("65a000000000000000000001")
UUID_TEXT = "0b5c9d5e-0000-4000-8000-000000000001"
OTHERS: dict[str, Any] = BUY | {"transaction_id": "T2", "symbol": "MSFT", "currency": "EUR"}


def a_store(database: DocumentDatabase, fields: str = "") -> TransactionStore:
    return TransactionStore(PortfolioStore(database, fields=Fields.read(fields)))


def add(database: DocumentDatabase, user_id: Any, *transactions: Mapping[str, Any], **holding: Any) -> None:  # noqa: ANN401
    """Store a user with one holding, an account and these transactions."""
    database.users.insert_one({"user_id": user_id})
    database.holdings.insert_one({"user_id": user_id, "symbol": "AAPL", "quantity": 10, "avg_price": 5} | holding)
    database.accounts.insert_one({"user_id": user_id, "cash": 100})
    if transactions:
        database.transactions.insert_many([{"user_id": user_id, **own} for own in transactions])


def ledger(store: TransactionStore, user_id: str, *, contiguous: bool = True) -> list[Transaction]:
    ledgers = store.ledgers([user_id], TODAY, contiguous=contiguous)
    assert [issue.text for issue in ledgers.issues[0]] == []
    return list(ledgers.transactions.of(0))


@pytest.mark.parametrize("contiguous", [True, False])
@pytest.mark.parametrize(
    ("stored", "user_id"),
    [("u1", "u1"), (7, "7"), (Int64(7), "7"), (7.0, "7"), (KNOWN, str(KNOWN)),
     (Binary(bytes.fromhex(UUID_TEXT.replace("-", "")), 4), UUID_TEXT)],
)  # fmt: skip
def test_a_ledger_is_read_whatever_the_type_of_the_user_id(
    database: DocumentDatabase, stored: object, user_id: str, contiguous: bool
) -> None:
    database.transactions.insert_many([{"user_id": stored, **BUY}, {"user_id": "someone", **OTHERS}])
    assert ledger(a_store(database), user_id, contiguous=contiguous) == [bought()]


SHAPES: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "other names": (
        "transactions=orders,transactions.user_id=owner,transactions.quantity=shares,transactions.date=at.day",
        "orders",
        [{"owner": "u1", "type": "Buy", "symbol": "AAPL", "price": 5, "shares": 10, "at": {"day": "2026-01-05"}}],
    ),
    "a list in the users' documents": ("transactions=users.ledger[]", "users", [{"user_id": "u1", "ledger": [BUY]}]),
    "a list in the accounts": ("transactions=accounts.ledger[]", "accounts", [{"user_id": "u1", "ledger": [BUY]}]),
    "lists in documents of their own": (
        "transactions=months.rows[]", "months", [{"user_id": "u1", "rows": [BUY]}, {"user_id": "u1", "rows": []}],
    ),
    "decimals and text": (
        "", "transactions", [{"user_id": "u1", **BUY, "quantity": Decimal128("-10.0"), "price": "5"}],
    ),
    "dates": ("", "transactions", [{"user_id": "u1", **BUY, "date": datetime(2026, 1, 5, tzinfo=utc)}]),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "collection", "documents"), SHAPES.values(), ids=SHAPES)
def test_a_shape_gives_the_ledger_of_the_plain_one(
    database: DocumentDatabase, fields: str, collection: str, documents: list[dict[str, Any]]
) -> None:
    database[collection].insert_many([dict(own) for own in documents])
    assert ledger(a_store(database, fields), "u1") == [bought()]


def test_the_key_in_a_map_is_the_id_of_the_transaction(database: DocumentDatabase) -> None:
    database.users.insert_one({"user_id": "u1", "ledger": {"T1": dict(BUY)}})
    assert ledger(a_store(database, "transactions=users.ledger{}"), "u1") == [bought(transaction_id="T1")]


@pytest.mark.parametrize(
    ("ledger_", "rule"),
    [
        ({"T1": 7}, "`ledger` is an object, not an array"),
        (["T1"], "an element of users.ledger[] is a text, not an object"),
    ],
)
def test_something_else_at_the_place_of_transactions_is_told(
    database: DocumentDatabase, ledger_: object, rule: str
) -> None:
    database.users.insert_one({"user_id": "u1", "ledger": ledger_})
    ledgers = a_store(database, "transactions=users.ledger[]").ledgers(["u1"], TODAY, contiguous=True)
    assert [issue.text for issue in ledgers.issues[0]] == [f"A transaction without id cannot be read: {rule}."]


def test_a_missing_field_is_told_by_the_name_that_fields_gives_it(database: DocumentDatabase) -> None:
    database.transactions.insert_one({"user_id": "u1", **{key: BUY[key] for key in BUY if key != "quantity"}})
    ledgers = a_store(database, "transactions.quantity=shares.count").ledgers(["u1"], TODAY, contiguous=True)
    (issue,) = ledgers.issues[0]
    assert issue.text.endswith("cannot be read: no field `shares.count`.")


def test_owners_are_the_positions_of_the_portfolios_that_can_be_read(database: DocumentDatabase) -> None:
    for user_id in ("a", "b", "c", "d"):
        add(database, user_id, BUY | {"transaction_id": f"T-{user_id}"} if user_id != "c" else {"type": "?"})
    database.accounts.insert_one({"user_id": "b", "cash": "much"})
    page = a_store(database).load(["a", "b", "c", "d"], TODAY, contiguous=True, base_currency="EUR")
    assert [own.user_id for own in page.portfolios] == ["a", "c", "d"]
    assert [own.user_id for own in page.invalid] == ["b"]
    assert page.portfolios[0].accounts == (Account("", 100.0, 100.0, "EUR"),)
    assert page.ledgers.transactions.owner.tolist() == [0, 2]
    assert page.ledgers.transactions.transaction_id.tolist() == ["T-a", "T-d"]
    assert [len(issues) for issues in page.ledgers.issues] == [0, 1, 0]
    assert [last_unsound(page.ledgers, owner) is None for owner in range(3)] == [True, False, True]


def test_a_page_without_transactions_costs_one_query_more(database: DocumentDatabase) -> None:
    ids = [f"u{number}" for number in range(60)]
    for user_id in ids:
        add(database, user_id)
    commands = Commands()
    with wired(database, commands=commands) as seen:
        store = PortfolioStore(seen)
        store.load(ids, contiguous=True)
        alone = commands.names().count("find")
        commands.sent.clear()
        page = TransactionStore(store).load(ids, TODAY, contiguous=True, base_currency="USD")
    assert commands.names().count("find") == alone + 1
    assert (len(page.portfolios), len(page.ledgers.transactions.owner)) == (60, 0)


def test_lots_are_of_whole_users_and_small(database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stores.portfolios._AT_ONCE", 10)
    counts = {"a": 4, "b": 9, "c": 35, "d": 10, "e": 1}
    for user_id, count in counts.items():
        database.transactions.insert_many(
            [{"user_id": user_id, **BUY, "transaction_id": f"{user_id}{number}"} for number in range(count)]
        )
    for contiguous in (True, False):
        ledgers = a_store(database).ledgers(list(counts), TODAY, contiguous=contiguous)
        owners = ledgers.transactions.owner.tolist()
        assert [owners.count(owner) for owner in range(5)] == list(counts.values())
        assert [len(issues) for issues in ledgers.issues] == [0] * 5


def test_of_a_user_with_too_many_transactions_few_are_read_and_nothing_else_suffers(
    database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ledger_reader", "transactions"):
        monkeypatch.setattr(f"stores.{name}.MOST_TRANSACTIONS", 50)
    monkeypatch.setitem(__import__("stores.portfolios").portfolios.MOST_OF_USER, "transactions", 50)
    for user_id in ("a", "b", "c"):
        add(database, user_id, BUY)
    database.transactions.insert_many([{"user_id": "b", **BUY, "symbol": f"S{number}"} for number in range(500)])
    commands = Commands()
    with wired(database, commands=commands) as seen:
        store = a_store(seen)
        page = store.load(["a", "b", "c"], TODAY, contiguous=True, base_currency="USD")
        traded = store.traded(["a", "b", "c"], contiguous=True, stated={})
    assert [own.user_id for own in page.portfolios] == ["a", "b", "c"]
    assert page.ledgers.transactions.owner.tolist() == [0, 2]
    assert [len(issues) for issues in page.ledgers.issues] == [0, 1, 0]
    assert traded.keys() == {"a", "c"}
    assert commands.documents_received < 4 * 102 + 40


class Trading(Commands):
    """Lets people trade between the reading of holdings and that of transactions, so many times."""

    def __init__(self, trade: Callable[[], None], times: int) -> None:
        super().__init__()
        self._trade = trade
        self.left = times

    def started(self, event: CommandStartedEvent) -> None:
        super().started(event)
        if event.command.get("find") == "transactions" and self.left:
            self.left -= 1
            self._trade()


def test_holdings_that_change_while_transactions_are_read_are_read_again_with_them(database: DocumentDatabase) -> None:
    for user_id in ("a", "b"):
        add(database, user_id, BUY | {"transaction_id": "T1"})

    def trade() -> None:
        database.transactions.insert_one({"user_id": "b", **BUY, "transaction_id": str(ObjectId())})
        database.holdings.update_one({"user_id": "b"}, {"$inc": {"quantity": 10}})

    for times in (1, 2):
        trading = Trading(trade, times)
        with wired(database, commands=trading) as seen:
            page = a_store(seen).load(["a", "b"], TODAY, contiguous=True, base_currency="USD")
        held = [own.holdings[0].quantity for own in page.portfolios]
        bought_ = [10.0 * page.ledgers.transactions.owner.tolist().count(owner) for owner in (0, 1)]
        assert (held, trading.left) == (bought_, 0)
        assert [len(issues) for issues in page.ledgers.issues] == [0, 0]


def test_a_ledger_that_never_stands_still_is_unsound_and_nobody_elses_is(database: DocumentDatabase) -> None:
    for user_id in ("a", "b"):
        add(database, user_id, BUY | {"transaction_id": "T1"})

    def trade() -> None:
        database.holdings.update_one({"user_id": "b"}, {"$inc": {"quantity": 10}})

    with wired(database, commands=Trading(trade, 99)) as seen:
        page = a_store(seen).load(["a", "b"], TODAY, contiguous=True, base_currency="USD")
    assert [[issue.kind for issue in issues] for issues in page.ledgers.issues] == [[], ["unreadable"]]
    assert [last_unsound(page.ledgers, owner) is None for owner in (0, 1)] == [True, False]
    assert len(page.portfolios) == 2


def test_symbols_and_currencies_of_plans_are_those_of_all_documents(database: DocumentDatabase) -> None:
    change = {"type": "symbol_change", "date": "2020-01-05", "symbol": "FB", "to_symbol": "META", "to_currency": " x"}
    add(database, "a", OTHERS, change, {"symbol": 7, "currency": "Euro"})
    add(database, "b")
    stated = {"a": frozenset({"CHF"}), "b": frozenset({"GBp"})}
    assert a_store(database).traded(["a", "b"], contiguous=True, stated=stated) == {
        "a": Traded(frozenset({"MSFT", "FB", "META"}), frozenset({"CHF", "EUR"})),
        "b": Traded(frozenset(), frozenset({"GBp"})),
    }


ACCOUNTS: Sequence[tuple[dict[str, Any], Account | str]] = [
    ({"cash": 5}, Account("", 5.0, 5.0, "CHF")),
    ({"cash": 5, "currency": None, "account_id": 7}, Account("7", 5.0, 5.0, "CHF")),
    ({"cash": 5, "currency": " ", "account_id": KNOWN}, Account(str(KNOWN), 5.0, 5.0, "CHF")),
    ({"cash": "5", "currency": " eur ", "account_id": "A"}, Account("A", 5.0, 5.0, "EUR")),
    ({"cash": 5, "currency": "gbp"}, Account("", 5.0, 5.0, "GBP")),
    ({"cash": 5, "currency": "GBp"}, Account("", 5.0, 5.0, "GBp")),
    ({"cash": 5, "currency": "Euro"}, "The account cannot be read: currency is no code of three letters"),
    ({"cash": 5, "currency": 978}, "The account cannot be read: currency is no code of three letters"),
]


@pytest.mark.parametrize(("stored", "expected"), ACCOUNTS)
def test_an_account_is_in_its_own_currency_else_in_the_base(
    database: DocumentDatabase, stored: dict[str, Any], expected: Account | str
) -> None:
    database.users.insert_one({"user_id": "u1", "base_currency": "CHF"})
    database.accounts.insert_one({"user_id": "u1", **stored})
    (loaded,) = PortfolioStore(database).load(["u1"], contiguous=True)
    if isinstance(expected, str):
        assert loaded == InvalidPortfolio("u1", "invalid_account", expected)
    else:
        assert isinstance(loaded, Portfolio)
        assert loaded.accounts == (expected,)


@pytest.mark.parametrize(
    ("user", "base", "method", "notes"),
    [
        ({}, None, "fifo", 0),
        ({"base_currency": " chf", "lot_method": "HIFO "}, "CHF", "hifo", 0),
        ({"base_currency": "", "lot_method": None}, None, "fifo", 0),
        ({"base_currency": "GBp", "lot_method": "oldest"}, None, "fifo", 2),
        ({"base_currency": "Euro", "lot_method": 1}, None, "fifo", 2),
    ],
)
def test_a_base_currency_and_a_lot_method_that_cannot_be_are_told_and_the_default_applies(
    database: DocumentDatabase, user: dict[str, Any], base: str | None, method: str, notes: int
) -> None:
    database.users.insert_one({"user_id": "u1", **user})
    (loaded,) = PortfolioStore(database).load(["u1"], contiguous=True)
    assert isinstance(loaded, Portfolio)
    assert (loaded.base_currency, loaded.lot_method, len(loaded.notes)) == (base, method, notes)


@pytest.mark.parametrize(
    ("currency", "expected"),
    [("usd", "USD"), ("GBX", "GBX"), ("GBp", "GBp"), (None, None), ("", None), ("Dollar", "XXX"), (840, "XXX")],
)
def test_prices_of_an_unknown_unit_have_no_currency_rather_than_the_default(
    database: DocumentDatabase, currency: object, expected: str | None
) -> None:
    database.instruments.insert_one({"symbol": "AAPL", "currency": currency})
    assert PortfolioStore(database).instruments(["AAPL"])["AAPL"].currency == expected
