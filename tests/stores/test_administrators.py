from typing import Any

import pytest
from pymongo.errors import PyMongoError
from pymongo.monitoring import CommandListener, CommandStartedEvent

from stores.administrators import CACHE_SECONDS, AdministratorStore
from stores.mongo import DocumentDatabase, connect
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def administrators(database: DocumentDatabase, clock: Clock) -> AdministratorStore:
    return AdministratorStore(database, clock)


@pytest.mark.parametrize("fields", [{"is_admin": True}, {"is_admin": True, "is_active": True}])
def test_an_active_user_with_the_flag_is_an_administrator(
    database: DocumentDatabase, administrators: AdministratorStore, fields: dict[str, Any]
) -> None:
    database.users.insert_one({"user_id": "u", **fields})
    assert administrators.is_administrator("u")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"is_admin": False},
        {"is_admin": None},
        {"is_admin": 1},
        {"is_admin": "true"},
        {"is_admin": ["x"]},
        {"is_admin": True, "is_active": False},
        {"is_admin": True, "is_active": "no"},
    ],
)
def test_only_an_active_user_whose_flag_is_true_is_an_administrator(
    database: DocumentDatabase, administrators: AdministratorStore, fields: dict[str, Any]
) -> None:
    database.users.insert_one({"user_id": "u", **fields})
    assert not administrators.is_administrator("u")


def test_an_unknown_user_is_not_an_administrator(administrators: AdministratorStore) -> None:
    assert not administrators.is_administrator("nobody")


def test_a_document_whose_id_is_an_array_with_the_id_belongs_to_another_user(
    database: DocumentDatabase, administrators: AdministratorStore
) -> None:
    database.users.insert_one({"user_id": ["u"], "is_admin": True})
    assert not administrators.is_administrator("u")


def test_if_two_documents_have_one_id_both_must_have_the_flag(
    database: DocumentDatabase, administrators: AdministratorStore
) -> None:
    database.users.insert_many([{"user_id": "u", "is_admin": True}, {"user_id": "u", "is_admin": False}])
    assert not administrators.is_administrator("u")


def test_a_withdrawn_flag_is_noticed_within_thirty_seconds(
    database: DocumentDatabase, administrators: AdministratorStore, clock: Clock
) -> None:
    database.users.insert_one({"user_id": "u", "is_admin": True})
    assert administrators.is_administrator("u")
    database.users.update_one({"user_id": "u"}, {"$set": {"is_admin": False}})
    clock.advance(CACHE_SECONDS + 1)
    assert not administrators.is_administrator("u")
    assert CACHE_SECONDS <= 30


class Queries(CommandListener):
    """Counts the commands that reach the server."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.names.append(event.command_name)

    def succeeded(self, event: object) -> None:
        pass

    def failed(self, event: object) -> None:
        pass


def test_a_users_requests_are_one_query_in_thirty_seconds(mongodb_url: str, clock: Clock) -> None:
    from pymongo import MongoClient

    queries = Queries()
    client: MongoClient[dict[str, Any]] = MongoClient(mongodb_url, event_listeners=[queries])
    administrators = AdministratorStore(client["test_administrators"], clock)
    for _ in range(100):
        administrators.is_administrator("u")
    client.close()
    assert queries.names.count("find") == 1


def test_without_the_database_an_older_answer_gives_no_access(mongodb_url: str, clock: Clock) -> None:
    client = connect(mongodb_url)
    administrators = AdministratorStore(client["test_administrators"], clock)
    client["test_administrators"].users.insert_one({"user_id": "u", "is_admin": True})
    assert administrators.is_administrator("u")
    client.drop_database("test_administrators")
    client.close()
    clock.advance(CACHE_SECONDS + 1)
    with pytest.raises(PyMongoError):
        administrators.is_administrator("u")


def test_the_number_of_cached_answers_is_limited(
    database: DocumentDatabase, administrators: AdministratorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stores.administrators._MOST_CACHED", 3)
    database.users.insert_one({"user_id": "u", "is_admin": True})
    for user in ("a", "b", "c", "d", "u"):
        administrators.is_administrator(user)
    assert len(administrators._cached) <= 3  # noqa: SLF001 - the cache is not visible otherwise
    assert administrators.is_administrator("u")
