"""A limit on one user's documents acts in the query: the others are never read, however many there are."""

from typing import Any

import pytest

from analysis.models import Portfolio
from stores.mongo import DocumentDatabase
from stores.portfolio_documents import MOST_HOLDINGS, InvalidPortfolio
from stores.portfolios import OwnSymbols, PortfolioStore
from tests.stores.wired import Commands, wired

MANY = 30_000
NEIGHBORS = [f"u{number:03}" for number in range(40)]
HUGE = "u020-huge"


def fill(database: DocumentDatabase, name: str, **fields: Any) -> None:  # noqa: ANN401 - anything may be stored
    """Store two documents of each neighbor, in no order, and very many of one user."""
    database[name].insert_many({"user_id": user_id, "symbol": "A", **fields} for user_id in reversed(NEIGHBORS))
    database[name].insert_many(({"user_id": HUGE, "symbol": "B", **fields} for _ in range(MANY)), ordered=False)
    database[name].insert_many({"user_id": user_id, "symbol": "C", **fields} for user_id in NEIGHBORS)
    PortfolioStore(database).ensure_indexes()


@pytest.fixture(scope="module")
def huge(mongodb_url: str) -> Any:  # noqa: ANN401
    from stores.mongo import connect

    with connect(mongodb_url) as client:
        database = client["too_many_holdings"]
        fill(database, "holdings", quantity=1, avg_price=2.0)
        yield database
        client.drop_database(database)


@pytest.mark.parametrize("contiguous", [True, False])
def test_very_many_holdings_of_one_user_are_not_read_and_cost_no_other_user_anything(
    huge: DocumentDatabase, contiguous: bool
) -> None:
    commands = Commands()
    user_ids = sorted([*NEIGHBORS, HUGE])
    with wired(huge, commands=commands) as seen:
        loaded = {
            portfolio.user_id: portfolio for portfolio in PortfolioStore(seen).load(user_ids, contiguous=contiguous)
        }
    assert loaded.pop(HUGE) == InvalidPortfolio(HUGE, "too_many_holdings", "There are more than 5000 holdings.")
    assert list(loaded) == NEIGHBORS
    for portfolio in loaded.values():
        assert isinstance(portfolio, Portfolio)
        assert [holding.symbol for holding in portfolio.holdings] == ["A", "C"]
    assert commands.documents_received < 2 * (MOST_HOLDINGS + 1) + 4 * len(NEIGHBORS)
    assert "getMore" not in commands.names()


@pytest.mark.parametrize("contiguous", [True, False])
def test_the_symbols_of_such_a_user_are_neither_read_nor_asked_for(huge: DocumentDatabase, contiguous: bool) -> None:
    commands = Commands()
    with wired(huge, commands=commands) as seen:
        symbols = PortfolioStore(seen).symbols(sorted([*NEIGHBORS, HUGE]), contiguous=contiguous)
    assert symbols == {user_id: OwnSymbols(frozenset({"A", "C"})) for user_id in NEIGHBORS} | {HUGE: OwnSymbols()}
    assert commands.documents_received < 2 * (MOST_HOLDINGS + 1) + 4 * len(NEIGHBORS)


@pytest.mark.parametrize("name", ["users", "accounts", "watchlist"])
def test_thousands_of_documents_of_one_id_in_any_collection_are_not_all_read(
    database: DocumentDatabase, name: str
) -> None:
    store = PortfolioStore(database)
    store.ensure_indexes()
    database[name].insert_many([{"user_id": HUGE, "symbol": "B", "cash": 1} for _ in range(25_000)])
    database[name].insert_many([{"user_id": user_id, "symbol": "A", "cash": 1} for user_id in NEIGHBORS])
    commands = Commands()
    with wired(database, commands=commands) as seen:
        store = PortfolioStore(seen)
        loaded = store.load(sorted([*NEIGHBORS, HUGE]), contiguous=True)
        found = [user_id for chunk in store.active_user_ids(None) for user_id in chunk]
        store.symbols(sorted([*NEIGHBORS, HUGE]), contiguous=True)
    assert [portfolio.user_id for portfolio in loaded if isinstance(portfolio, Portfolio)][:20] == NEIGHBORS[:20]
    assert len(loaded) == len(NEIGHBORS) + 1
    assert found == (sorted([*NEIGHBORS, HUGE]) if name == "users" else [])
    assert commands.most_at_once <= 2 * 10_001
    assert commands.documents_received < 45_000


def test_a_user_with_as_many_holdings_as_allowed_is_whole_wherever_the_queries_divide(
    database: DocumentDatabase,
) -> None:
    store = PortfolioStore(database)
    store.ensure_indexes()
    for user_id, count in (
        ("a", 4_000),
        ("b", MOST_HOLDINGS),
        ("c", MOST_HOLDINGS),
        ("d", MOST_HOLDINGS + 1),
        ("e", 3),
    ):
        database.holdings.insert_many(
            {"user_id": user_id, "symbol": f"S{number}", "quantity": 1, "avg_price": 2} for number in range(count)
        )
    loaded = store.load(list("abcde"), contiguous=True)
    counts = [
        len(portfolio.holdings) if isinstance(portfolio, Portfolio) else portfolio.error_type for portfolio in loaded
    ]
    assert counts == [4_000, MOST_HOLDINGS, MOST_HOLDINGS, "too_many_holdings", 3]


def test_the_documents_of_one_id_are_one_user_wherever_the_queries_divide(database: DocumentDatabase) -> None:
    users = [{"user_id": f"u{number:04}"} for number in range(998)]
    twice: list[dict[str, Any]] = [
        {"user_id": "v", "is_active": False},
        {"user_id": "v", "is_active": False},
        {"user_id": "v"},
    ]
    database.users.insert_many([*users, *twice, {"user_id": "w"}])
    found = [user_id for chunk in PortfolioStore(database).active_user_ids(None) for user_id in chunk]
    assert found[-3:] == ["u0997", "v", "w"]
    assert len(found) == 1_000
