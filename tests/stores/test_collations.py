"""Users whose ids differ only in case are all found, though the backend's collections compare without it."""

import pytest

from analysis.models import Portfolio
from stores.administrators import AdministratorStore
from stores.mongo import DocumentDatabase
from stores.portfolios import COLLECTIONS, OwnSymbols, PortfolioStore
from tests.faults.meddling import DefaultCollation, Refusing
from tests.stores.wired import wired

IGNORING_CASE = {"locale": "en", "strength": 2}
SIMPLE = {"locale": "simple"}
# More than one query returns, and the two spellings of an id side by side in the middle of them.
USER_IDS = sorted(f"{letter}{number:04}" for number in range(800) for letter in "uU")


@pytest.fixture
def ignoring_case() -> DefaultCollation:
    return DefaultCollation(COLLECTIONS, IGNORING_CASE)


@pytest.fixture
def filled(database: DocumentDatabase) -> DocumentDatabase:
    for name in COLLECTIONS:
        database.create_collection(name, collation=IGNORING_CASE)
    database.users.insert_many({"user_id": user_id, "is_admin": user_id[0] == "U"} for user_id in USER_IDS)
    database.holdings.insert_many(
        {"user_id": user_id, "symbol": user_id, "quantity": 1, "avg_price": 2} for user_id in USER_IDS
    )
    return database


def test_every_user_is_found_once_and_with_the_own_holdings(
    filled: DocumentDatabase, ignoring_case: DefaultCollation
) -> None:
    with wired(filled, ignoring_case) as seen:
        store = PortfolioStore(seen)
        found = [user_id for chunk in store.active_user_ids(None) for user_id in chunk]
        symbols = store.symbols(found, contiguous=True)
        page = [*USER_IDS[100:150], *USER_IDS[-50:]]
        loaded = [portfolio for whole in (True, False) for portfolio in store.load(page, contiguous=whole)]
        assert store.count_without_user_id() == 0
    assert found == USER_IDS
    assert symbols == {user_id: OwnSymbols(frozenset({user_id})) for user_id in USER_IDS}
    held = [tuple(h.symbol for h in portfolio.holdings) for portfolio in loaded if isinstance(portfolio, Portfolio)]
    assert held == [(user_id,) for user_id in page] * 2
    assert {collation["locale"] for _, _, collation in ignoring_case.asked} == {"simple"}


def test_the_stand_in_loses_users_that_are_not_asked_for_exactly(
    filled: DocumentDatabase, ignoring_case: DefaultCollation
) -> None:
    with wired(filled, ignoring_case) as seen:
        last, found = "", 0
        while page := seen.users.find({"user_id": {"$gt": last}}).sort("user_id").limit(999).to_list():
            last = page[-1]["user_id"]
            found += len(page)
    assert found < len(USER_IDS)


def test_an_administrator_is_not_another_user_in_other_letters(
    filled: DocumentDatabase, ignoring_case: DefaultCollation
) -> None:
    with wired(filled, ignoring_case) as seen:
        store = AdministratorStore(seen)
        assert (store.is_administrator("U0001"), store.is_administrator("u0001")) == (True, False)
    assert ignoring_case.asked == [("find", "users", SIMPLE)] * 2


def test_a_collation_is_told_once_and_its_collection_wants_an_index_with_the_simple_one(
    filled: DocumentDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    filled.users.create_index("user_id", name="user_id", collation=IGNORING_CASE)
    store = PortfolioStore(filled)
    for _ in range(3):
        list(store.active_user_ids(None))
    assert caplog.messages == [
        "A collection has a collation (users: en, strength 2): it needs an index on user_id with the simple one"
    ]
    store.ensure_indexes()
    assert filled.users.index_information()["user_id_simple"]["collation"]["locale"] == "simple"
    assert [len(filled[name].index_information()) for name in COLLECTIONS] == [3, 2, 2, 2, 2, 2]


def test_without_a_collation_none_is_asked_with(database: DocumentDatabase) -> None:
    database.users.insert_one({"user_id": "u1"})
    seen_by_server = DefaultCollation(COLLECTIONS, SIMPLE)
    with wired(database, seen_by_server) as seen:
        assert list(PortfolioStore(seen).active_user_ids(None)) == [["u1"]]
    assert set(map(str, seen_by_server.asked)) == {str(("find", "users", None))}


def test_a_user_that_may_not_read_collations_is_told_once_and_everything_else_works(
    database: DocumentDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    database.users.insert_one({"user_id": "u1"})
    with wired(database, Refusing(["listCollections"])) as seen:
        store = PortfolioStore(seen)
        assert [list(store.active_user_ids(None)) for _ in range(2)] == [[["u1"]], [["u1"]]]
    (told,) = caplog.messages
    assert told.startswith("The collation of a collection cannot be read (13 Unauthorized: listCollections")
