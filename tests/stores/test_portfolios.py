from typing import Any

import pytest
from bson import Code, Decimal128, Int64

from analysis.models import Account, Holding, InvalidHolding, Portfolio
from stores.mongo import DocumentDatabase
from stores.portfolio_documents import InvalidPortfolio
from stores.portfolios import OwnSymbols, PortfolioStore
from tests.stores.wired import Commands, wired


@pytest.fixture
def store(database: DocumentDatabase) -> PortfolioStore:
    return PortfolioStore(database, lambda symbol: symbol.replace("BRK-B", "BRK.B").replace("BRK B", "BRK.B"))


def add_user(database: DocumentDatabase, user_id: Any = "u1", **fields: Any) -> None:  # noqa: ANN401 - anything may be stored
    database.users.insert_one({"user_id": user_id, "username": "someone", "theme": "dark", **fields})


def add_holding(database: DocumentDatabase, symbol: Any = "AAPL", **fields: Any) -> None:  # noqa: ANN401
    document = {"user_id": "u1", "symbol": symbol, "quantity": 10, "avg_price": 5.0, "broker": {"id": 7}, **fields}
    database.holdings.insert_one(document)


def load_one(store: PortfolioStore) -> Portfolio | InvalidPortfolio:
    (loaded,) = store.load(["u1"], contiguous=True)
    return loaded


def test_an_absent_flag_means_active_and_only_false_ones_are_left_out(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    flags: dict[str, dict[str, bool | None]] = {
        "a": {},
        "b": {"is_active": True},
        "c": {"is_active": False},
        "d": {"is_active": None},
    }
    for user_id, flag in flags.items():
        add_user(database, user_id, **flag)
    assert list(store.active_user_ids(None)) == [["a", "b", "d"]]


def test_many_users_come_in_ascending_chunks_and_each_once(database: DocumentDatabase, store: PortfolioStore) -> None:
    store.ensure_indexes()
    ids = [f"u{i:05}" for i in range(2_345)]
    database.users.insert_many([{"user_id": user_id} for user_id in reversed(ids)])
    chunks = list(store.active_user_ids(None))
    assert [user_id for chunk in chunks for user_id in chunk] == ids
    assert len(chunks) == 3


def test_only_the_requested_users_are_returned_and_none_for_an_empty_request(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    for user_id in ("a", "b", "c"):
        add_user(database, user_id)
    assert list(store.active_user_ids(["c", "x", "a", "c"])) == [["a", "c"]]
    assert list(store.active_user_ids([])) == []


def test_users_without_a_usable_id_are_counted_and_not_returned(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    for user_id in ("a", "", 7.5e300, None, True, ["a"], ["b", "c"], {"$gt": ""}):
        add_user(database, user_id)
    database.users.insert_one({"username": "nameless"})
    assert list(store.active_user_ids(None)) == [["a"]]
    assert list(store.active_user_ids(["a", "b"])) == [["a"]]
    assert store.count_without_user_id() == 8


@pytest.mark.parametrize("contiguous", [False, True])
def test_arrays_that_contain_a_user_id_belong_to_no_user(
    database: DocumentDatabase, store: PortfolioStore, contiguous: bool
) -> None:
    add_holding(database)
    for collection in (database.users, database.holdings, database.watchlist, database.accounts):
        collection.insert_one({"user_id": ["u1"], "symbol": "ODD", "quantity": 1, "avg_price": 1, "cash": "much"})
    assert store.symbols(["u1"], contiguous=contiguous) == {"u1": OwnSymbols(frozenset({"AAPL"}))}
    (loaded,) = store.load(["u1"], contiguous=contiguous)
    assert loaded == Portfolio("u1", holdings=(Holding("AAPL", 10.0, 5.0),))


@pytest.mark.parametrize("contiguous", [False, True])
def test_symbols_are_those_held_or_only_watched_and_users_with_neither_are_left_out(
    database: DocumentDatabase, store: PortfolioStore, contiguous: bool
) -> None:
    add_holding(database, "AAPL")
    database.watchlist.insert_many({"user_id": "u1", "symbol": symbol} for symbol in ("AAPL", "MSFT"))
    database.watchlist.insert_one({"user_id": "u2", "symbol": {"$gt": ""}})
    assert store.symbols(["u1", "u2", "u3"], contiguous=contiguous) == {
        "u1": OwnSymbols(held=frozenset({"AAPL"}), watched=frozenset({"MSFT"})),
        "u2": OwnSymbols(),
    }


def test_a_closed_or_unreadable_holding_is_not_held(database: DocumentDatabase, store: PortfolioStore) -> None:
    add_holding(database, "HELD")
    add_holding(database, "ZERO", quantity=0)
    add_holding(database, "SOLD", quantity=3)
    add_holding(database, "SOLD", quantity=-3)
    add_holding(database, "TEXT", quantity="ten")
    add_holding(database, "FREE", avg_price=0)
    database.watchlist.insert_one({"user_id": "u1", "symbol": "ZERO"})
    held = frozenset({"HELD", "FREE"})
    assert store.symbols(["u1"], contiguous=True) == {"u1": OwnSymbols(held, frozenset({"ZERO"}))}


@pytest.mark.parametrize("collection", ["holdings", "watchlist"])
def test_a_user_with_more_than_a_report_can_hold_has_no_symbols(
    database: DocumentDatabase, store: PortfolioStore, collection: str
) -> None:
    add_holding(database)
    database[collection].insert_many(
        {"user_id": "u1", "symbol": f"X{number}", "quantity": 1, "avg_price": 1} for number in range(5_001)
    )
    assert store.symbols(["u1"], contiguous=True) == {"u1": OwnSymbols()}


def test_a_portfolio_is_read_whatever_else_its_documents_contain(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    add_user(database, analysis_thresholds={"volatility": {"warning": 0.1, "breach": 0.2}})
    add_holding(database, "MSFT", quantity=-2.5)
    add_holding(database, "AAPL", quantity=Decimal128("1.5"))
    database.watchlist.insert_many([{"user_id": "u1", "symbol": "XOM"}, {"user_id": "u1", "symbol": "XOM"}])
    database.accounts.insert_one({"user_id": "u1", "cash": 100, "buying_power": 250.5})
    assert load_one(store) == Portfolio(
        user_id="u1",
        holdings=(Holding("AAPL", 1.5, 5.0), Holding("MSFT", -2.5, 5.0)),
        watchlist=("XOM",),
        cash=100.0,
        buying_power=250.5,
        accounts=(Account("", 100.0, 250.5, "USD"),),
        thresholds={"volatility": {"warning": 0.1, "breach": 0.2}},
    )


def test_buying_power_defaults_to_cash_and_both_are_zero_without_an_account(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    bare = load_one(store)
    database.accounts.insert_one({"user_id": "u1", "cash": 40})
    with_cash = load_one(store)
    assert isinstance(bare, Portfolio)
    assert isinstance(with_cash, Portfolio)
    assert (bare.cash, bare.buying_power) == (0.0, 0.0)
    assert (with_cash.cash, with_cash.buying_power) == (40.0, 40.0)


def test_lots_of_one_symbol_become_one_holding_at_their_average_price(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    add_holding(database, quantity=10, avg_price=4.0)
    add_holding(database, quantity=30, avg_price=8.0)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert loaded.holdings == (Holding("AAPL", 40.0, 7.0),)


def test_lots_of_both_signs_keep_the_average_price_of_the_side_that_remains(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    add_holding(database, quantity=10, avg_price=10.0)
    add_holding(database, quantity=-9, avg_price=100.0)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert loaded.holdings == (Holding("AAPL", 1.0, 10.0),)


def test_lots_too_small_to_be_multiplied_do_not_fail_a_run(database: DocumentDatabase, store: PortfolioStore) -> None:
    for _ in range(2):
        add_holding(database, quantity=1e-200, avg_price=3.0)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert loaded.holdings == (Holding("AAPL", 2e-200, 3.0),)


def test_lots_that_cancel_out_except_for_rounding_are_no_holding(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    add_holding(database, "MSFT")
    for quantity in (0.1, 0.2, -0.3):
        add_holding(database, quantity=quantity)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert [holding.symbol for holding in loaded.holdings] == ["MSFT"]
    assert loaded.invalid_holdings == ()


def test_null_cash_and_buying_power_are_as_if_absent(database: DocumentDatabase, store: PortfolioStore) -> None:
    add_holding(database)
    database.accounts.insert_one({"user_id": "u1", "cash": None, "buying_power": None})
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert (loaded.cash, loaded.buying_power) == (0.0, 0.0)


def test_several_accounts_are_summed_and_each_without_buying_power_has_its_cash(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    database.accounts.insert_many(
        [{"user_id": "u1", "cash": 1, "buying_power": 10}, {"user_id": "u1", "cash": " 2.5 "}, {"user_id": "u1"}]
    )
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert (loaded.cash, loaded.buying_power) == (3.5, 12.5)


def test_one_share_in_several_spellings_is_one_holding_and_watched_once(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    for symbol, quantity in (("BRK.B", 1), ("BRK-B", 2), ("BRK B", 3)):
        add_holding(database, symbol, quantity=quantity)
        database.watchlist.insert_one({"user_id": "u1", "symbol": symbol})
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert (loaded.holdings, loaded.watchlist) == ((Holding("BRK.B", 6.0, 5.0),), ("BRK.B",))
    assert store.symbols(["u1"], contiguous=True) == {"u1": OwnSymbols(frozenset({"BRK.B"}))}


def test_the_cost_of_lots_is_unknown_if_that_of_one_on_the_side_that_remains_is(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    for symbol, other in (("KNOWN", -4), ("UNKNOWN", 4)):
        add_holding(database, symbol)
        add_holding(database, symbol, quantity=other, avg_price=None)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert loaded.holdings == (Holding("KNOWN", 6.0, 5.0), Holding("UNKNOWN", 14.0, None))


def test_more_holdings_than_fit_a_report_make_the_user_invalid(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    database.holdings.insert_many({"user_id": "u1", "symbol": f"S{i}", "quantity": 1} for i in range(5_001))
    loaded = load_one(store)
    assert isinstance(loaded, InvalidPortfolio)
    assert loaded.error_type == "too_many_holdings"


def test_more_watched_symbols_than_fit_a_report_make_the_user_invalid_and_as_many_as_fit_do_not(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    # Some of them are repeated.
    database.watchlist.insert_many({"user_id": "u1", "symbol": f"S{i % 5_000}"} for i in range(6_000))
    fitting = load_one(store)
    database.watchlist.insert_one({"user_id": "u1", "symbol": "S5000"})
    assert isinstance(fitting, Portfolio)
    assert len(fitting.watchlist) == 5_000
    assert load_one(store) == InvalidPortfolio("u1", "too_many_watched", "There are more than 5000 symbols watched.")


@pytest.mark.parametrize("contiguous", [False, True])
def test_portfolios_come_in_the_order_asked_for_and_without_those_between(
    database: DocumentDatabase, store: PortfolioStore, contiguous: bool
) -> None:
    ids = [f"u{i:03}" for i in range(0, 240, 2)]
    for i in range(240):
        add_holding(database, user_id=f"u{i:03}", quantity=i + 1)
    loaded = store.load(ids, contiguous=contiguous)
    assert [portfolio.user_id for portfolio in loaded] == ids
    assert [portfolio.holdings[0].quantity for portfolio in loaded if isinstance(portfolio, Portfolio)] == [
        i + 1 for i in range(0, 240, 2)
    ]
    assert store.load([], contiguous=contiguous) == []


def test_a_page_is_read_by_one_query_a_collection_and_without_the_fields_that_are_not_used(
    database: DocumentDatabase,
) -> None:
    ids = [f"u{number:03}" for number in range(200)]
    for user_id in ids:
        add_user(database, user_id)
        add_holding(database, user_id=user_id)
    commands = Commands()
    with wired(database, commands=commands) as seen:
        assert len(PortfolioStore(seen).load(ids, contiguous=True)) == len(ids)
    read = {sent["find"]: sent["projection"] for sent in commands.sent if "find" in sent}
    assert commands.names().count("find") == len(read)
    assert read.keys() == {"users", "holdings", "watchlist", "accounts"}
    assert {name for name, wanted in read["holdings"].items() if wanted} == {
        "user_id",
        "symbol",
        "quantity",
        "avg_price",
    }
    assert "username" not in read["users"]


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (7, 7.0),
        (Int64(-7), -7.0),
        (2.5, 2.5),
        (Decimal128("1.5"), 1.5),
        ("12", 12.0),
        (" -12.50 ", -12.5),
        ("+1", 1.0),
        (1e12, 1e12),
    ],
)
def test_numbers_are_read_in_every_form_that_a_backend_may_store(
    database: DocumentDatabase, store: PortfolioStore, number: object, value: float
) -> None:
    add_holding(database, quantity=number, avg_price=number)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert loaded.holdings == (Holding("AAPL", value, value),)


_UNREADABLE = (
    "ten", "", "1,5", "1e3", ".5", "5.", "0x10", "١٢", "9" * 401, None, True, [1], {"$gt": 1}, float("nan"),
    float("inf"), 1e300, 1.1e12, "1000000000001", Decimal128("NaN"), Decimal128("1E+6000"),
)  # fmt: skip


@pytest.mark.parametrize("number", _UNREADABLE)
def test_an_unreadable_quantity_makes_a_holding_invalid_and_the_others_stay(
    database: DocumentDatabase, store: PortfolioStore, number: object
) -> None:
    add_holding(database, "GOOD")
    add_holding(database, "BAD", quantity=number)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert [holding.symbol for holding in loaded.holdings] == ["GOOD"]
    assert loaded.invalid_holdings == (InvalidHolding("BAD", "quantity is not a number up to 1e+12", None, 5.0),)


@pytest.mark.parametrize("number", _UNREADABLE)
def test_an_unreadable_cost_is_unknown_and_the_holding_stays(
    database: DocumentDatabase, store: PortfolioStore, number: object
) -> None:
    add_holding(database, avg_price=number)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert loaded.holdings == (Holding("AAPL", 10.0, None),)


@pytest.mark.parametrize("price", [0, -3.5])
def test_a_cost_of_zero_or_below_is_known(database: DocumentDatabase, store: PortfolioStore, price: float) -> None:
    add_holding(database, avg_price=price)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert loaded.holdings == (Holding("AAPL", 10.0, price),)


def test_a_quantity_of_zero_is_a_closed_position(database: DocumentDatabase, store: PortfolioStore) -> None:
    add_holding(database, quantity=0)
    add_holding(database, "no symbol!", quantity="0.0")
    assert load_one(store) == Portfolio("u1")


def test_a_symbol_that_is_stored_as_javascript_is_read_as_its_text(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    add_holding(database, Code("AAPL"))
    add_holding(database, "AAPL")
    database.watchlist.insert_many({"user_id": "u1", "symbol": Code(text)} for text in ("MSFT", "f(x);"))
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert [(holding.symbol, holding.quantity) for holding in loaded.holdings] == [("AAPL", 20.0)]
    assert loaded.watchlist == ("MSFT",)
    assert store.symbols(["u1"], contiguous=True) == {"u1": OwnSymbols(frozenset({"AAPL"}), frozenset({"MSFT"}))}


@pytest.mark.parametrize(
    "symbol", [None, 7, "", "../etc/passwd", " AB", "AB ", "A\x00", "X" * 33, {"$gt": ""}, [], Code("f(x);")]
)
def test_a_holding_with_an_invalid_symbol_is_left_out(
    database: DocumentDatabase, store: PortfolioStore, symbol: object
) -> None:
    add_holding(database, "GOOD")
    add_holding(database, symbol)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert [holding.reason for holding in loaded.invalid_holdings] == ["symbol is not a text that can be one"]


def test_a_user_whose_every_holding_is_invalid_is_analyzed_with_what_is_known_of_them(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    add_holding(database, "?", quantity=3)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert loaded.invalid_holdings == (InvalidHolding("?", "symbol is not a text that can be one", 3.0, 5.0),)


@pytest.mark.parametrize("account", [{"cash": "much"}, {"cash": 1, "buying_power": float("nan")}, {"cash": True}])
def test_an_unreadable_account_makes_the_user_invalid(
    database: DocumentDatabase, store: PortfolioStore, account: dict[str, Any]
) -> None:
    add_holding(database)
    database.accounts.insert_many([{"user_id": "u1", "cash": 1}, {"user_id": "u1", **account}])
    loaded = load_one(store)
    assert isinstance(loaded, InvalidPortfolio)
    assert loaded.error_type == "invalid_account"


def test_an_unreadable_threshold_is_no_number_and_the_others_count(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    own = {"beta": {"warning": "high", "breach": "1.5"}, "volatility": 7, "drawdown": {"warning": -0.1, "brech": -0.2}}
    add_user(database, analysis_thresholds=own)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert repr(dict(loaded.thresholds)) == repr(
        {
            "beta": {"warning": float("nan"), "breach": 1.5},
            "volatility": {"warning": float("nan"), "breach": float("nan")},
            "drawdown": {"warning": -0.1, "brech": -0.2},
        }
    )


@pytest.mark.parametrize("own", [[1], "strict", 3])
def test_thresholds_that_are_no_object_are_told_to_the_user(
    database: DocumentDatabase, store: PortfolioStore, own: object
) -> None:
    add_user(database, analysis_thresholds=own)
    loaded = load_one(store)
    assert isinstance(loaded, Portfolio)
    assert loaded.notes == ("analysis_thresholds is not an object: the default thresholds apply.",)


def test_unexpected_documents_fail_only_their_user_and_their_values_are_not_shown(
    database: DocumentDatabase, store: PortfolioStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble_over_several(lots: list[tuple[float, float]]) -> tuple[float, float]:
        (lot,) = lots
        return lot

    # No such documents are known, so the error is simulated.
    monkeypatch.setattr("stores.portfolio_documents._net", stumble_over_several)
    for user_id, lots in (("u1", 1), ("u2", 3), ("u3", 1)):
        for _ in range(lots):
            add_holding(database, user_id=user_id, quantity=12.5)

    first, strange, last = store.load(["u1", "u2", "u3"], contiguous=True)

    assert strange == InvalidPortfolio("u2", "unreadable_documents", "The documents cannot be read: ValueError")
    assert [type(first), type(last)] == [Portfolio, Portfolio]
    assert "The documents of u2 cannot be read: ValueError" in caplog.text
    assert "12.5" not in caplog.text


def test_an_index_of_the_backend_with_another_name_is_accepted(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    database.users.create_index("user_id", name="backend_users", unique=True)
    store.ensure_indexes()
    assert "backend_users" in database.users.index_information()
