"""Ranges of users' ids: together they contain every id once, whatever the types, and are found by one walk."""

from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from bson.binary import UUID_SUBTYPE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.errors import AutoReconnect
from secantus import SecantusDBServer

import stores.ranges
from stores.backend import OBJECT_ID, TEXT, BackendCollection, text_of
from stores.mongo import DocumentDatabase, connect
from stores.ranges import IdRange, id_ranges
from tests.conftest import free_port
from tests.stores.wired import Commands, wired

USABLE: tuple[Any, ...] = (
    *range(-2, 6), 2**40, 7.0, Int64(-9), *(f"u{number}" for number in range(6)), "A", "a", "é", "Zoë", "~", "007",
    *(ObjectId(f"{number:024x}") for number in range(3)),
    *(Binary(UUID(int=number).bytes, UUID_SUBTYPE) for number in range(3)),
)  # fmt: skip
OTHERS: tuple[Any, ...] = (None, True, "", 2.5, float("nan"), 1e300, Decimal128("3"), ["u1"], [3, "a"], {}, b"x")


def in_ranges(users: BackendCollection, ranges: list[tuple[IdRange, int]]) -> list[list[str]]:
    """Return the ids in each of the ranges, as pages find them."""
    return [
        [document["user_id"] for lot in users.by_user(own.kind, own.condition(), (), 499) for document in lot]
        for own, _ in ranges
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(USABLE), max_size=40), st.lists(st.sampled_from(OTHERS)), st.integers(1, 7))
def test_ranges_contain_every_id_exactly_once_and_at_most_so_many(
    database: DocumentDatabase, ids: list[Any], others: list[Any], size: int
) -> None:
    database.users.drop()
    database.users.create_index("user_id")
    if ids or others:
        database.users.insert_many([{"user_id": value} for value in [*ids, *others]])
    users = BackendCollection(database, "users")
    ranges = list(id_ranges(users, size))
    found = [[text for text in own if text] for own in in_ranges(users, ranges)]
    assert Counter(text for own in found for text in own) == Counter(text_of(value) for value in ids)
    assert [len(set(own)) for own in found] == [count for _, count in ranges]
    assert all(count <= size for _, count in ranges)


def test_users_added_later_are_in_a_range_wherever_their_ids_are(database: DocumentDatabase) -> None:
    database.users.insert_many([{"user_id": f"m{number}"} for number in range(9)])
    users = BackendCollection(database, "users")
    ranges = list(id_ranges(users, 4))
    database.users.insert_many([{"user_id": user_id} for user_id in ("a", "m3x", "z")])
    assert in_ranges(users, ranges) == [
        ["a", "m0", "m1", "m2", "m3", "m3x"], ["m4", "m5", "m6", "m7"], ["m8", "z"],
    ]  # fmt: skip


@pytest.mark.parametrize("own", [IdRange(TEXT), IdRange(TEXT, "a", "b"), IdRange(OBJECT_ID, ObjectId("a" * 24))])
def test_a_range_comes_back_from_its_document(database: DocumentDatabase, own: IdRange) -> None:
    database.kept.insert_one(own.to_document())
    assert IdRange.from_document(database.kept.find_one() or {}) == own


def test_the_walk_reads_only_keys_by_one_query_a_type(database: DocumentDatabase) -> None:
    database.users.insert_many([{"user_id": f"u{number:03}", "name": "x" * 99} for number in range(300)])
    commands = Commands()
    with wired(database, commands=commands) as seen:
        ranges = list(id_ranges(BackendCollection(seen, "users"), 50))
    assert len(ranges) == 6
    assert commands.names().count("find") == 4
    assert {(*own["projection"].items(),) for own in commands.sent if "find" in own} == {
        (("_id", False), ("user_id", True))
    }


def test_keys_of_other_names_and_inside_objects_are_walked_through_as_well(database: DocumentDatabase) -> None:
    database.users.insert_many([{"who": {"id": f"u{number}"}} for number in range(5)])
    database.users.insert_many([{"who": [{"id": "u1"}, {"id": "x"}]}, {"who": {"id": ["c"]}}])
    database.people.insert_many([{"_id": f"u{number}"} for number in range(5)])
    for users in (BackendCollection(database, "users", ("who", "id")), BackendCollection(database, "people", ("_id",))):
        assert in_ranges(users, list(id_ranges(users, 3))) == [["u0", "u1", "u2"], ["u3", "u4"]]


def test_the_other_documents_of_an_id_with_very_many_are_passed_over(
    database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores.ranges, "_AT_ONCE", 100)
    database.users.insert_many([{"user_id": user_id} for user_id in ("a", *["b"] * 5_000, "c", "d")])
    commands = Commands()
    with wired(database, commands=commands) as seen:
        ranges = list(id_ranges(BackendCollection(seen, "users"), 2))
    assert [(own.low, own.below, count) for own, count in ranges] == [(None, "c", 2), ("c", None, 2)]
    assert commands.documents_received < 1_000


class Breaking(BackendCollection):
    """A collection whose connection breaks after some keys of a query, as often as it is told."""

    breaks: list[int]

    def keys(self, condition: dict[str, Any], at_once: int) -> Any:  # noqa: ANN401 - an iterator
        left = self.breaks.pop(0) if self.breaks and "$lte" not in condition else None
        for number, value in enumerate(super().keys(condition, at_once)):
            if number == left:
                raise AutoReconnect("the server stopped")
            yield value


def test_a_walk_that_breaks_off_goes_on_and_finds_the_same_ranges(database: DocumentDatabase) -> None:
    database.users.insert_many([{"user_id": f"u{number:03}"} for number in range(100)])
    users = Breaking(database, "users")
    users.breaks = []
    whole = list(id_ranges(users, 7))
    users.breaks = [1, 20, 7, 30]
    assert list(id_ranges(users, 7)) == whole
    assert users.breaks == []


def test_a_walk_that_breaks_off_again_at_once_is_given_up(database: DocumentDatabase) -> None:
    database.users.insert_many([{"user_id": f"u{number:03}"} for number in range(100)])
    users = Breaking(database, "users")
    users.breaks = [20, 0]
    with pytest.raises(AutoReconnect):
        list(id_ranges(users, 7))


def test_a_server_that_restarts_during_the_walk_costs_no_range(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores.ranges, "_AT_ONCE", 10)
    port = free_port()
    with connect(f"mongodb://127.0.0.1:{port}/?directConnection=true") as client:
        users = BackendCollection(client["backend"], "users")
        with SecantusDBServer(port=port, storage_path=str(tmp_path)):
            users.documents.create_index("user_id")
            users.documents.insert_many([{"user_id": f"u{number:03}"} for number in range(100)])
            whole = list(id_ranges(users, 7))
            walk = id_ranges(users, 7)
            begun = [next(walk), next(walk)]
        with SecantusDBServer(port=port, storage_path=str(tmp_path)):
            assert begun + list(walk) == whole
