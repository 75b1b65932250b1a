"""The users of ``make million``, made on the fly, are those that a database would return."""

from collections.abc import Iterator

import pytest

from benchmarks.generated import GeneratedUsers, user_id
from stores.backend import BackendCollection
from stores.mongo import DocumentDatabase, connect
from stores.portfolios import PortfolioStore
from stores.ranges import id_ranges
from tests.faults.wire import Wire

USERS, SYMBOLS = 450, 300
GENERATED = GeneratedUsers(USERS, SYMBOLS)


@pytest.fixture
def database(database: DocumentDatabase) -> Iterator[DocumentDatabase]:
    host, port = database.client.address or ("", 0)
    wire = Wire(port)
    wire.meddling.append(GENERATED)
    with connect(f"mongodb://{host}:{wire.port}/?directConnection=true") as client:
        yield client[database.name]
    wire.close()


def test_ranges_contain_every_user_once(database: DocumentDatabase) -> None:
    ranges = list(id_ranges(BackendCollection(database, "users"), 100))
    assert [count for _, count in ranges] == [100, 100, 100, 100, 50]
    assert [own.low for own, _ in ranges] == [None, *(user_id(number) for number in (100, 200, 300, 400))]


def test_a_page_has_the_portfolios_of_its_users(database: DocumentDatabase) -> None:
    names = [user_id(number) for number in range(100, 300)]
    loaded = PortfolioStore(database).load(names, contiguous=True)
    for number, own in enumerate(loaded, 100):
        expected = GENERATED.portfolio(number)
        assert own.user_id == expected.user_id
        assert sorted(own.holdings, key=str) == sorted(expected.holdings, key=str)  # type: ignore[union-attr]
        assert len({holding.symbol for holding in expected.holdings}) == len(expected.holdings) == 20


def test_single_users_are_found_and_others_are_not(database: DocumentDatabase) -> None:
    users = BackendCollection(database, "users")
    assert [own["user_id"] for own in users.of_user(user_id(7), None, 5)] == [user_id(7)]
    assert users.of_user(user_id(USERS), None, 5) == []
    assert users.of_user("someone else", None, 5) == []
    assert [kind.name for kind in users.types(now=True)] == ["text"]


def test_what_the_app_writes_reaches_the_server(database: DocumentDatabase) -> None:
    database.portfolio_analyses.insert_one({"run_id": "run", "user_id": user_id(1)})
    assert database.portfolio_analyses.count_documents({}) == 1
