"""A throttled write repeats what was refused, and nothing else."""

import itertools
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pymongo import InsertOne, ReplaceOne
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

import stores.mongo
from stores.mongo import (
    DocumentDatabase,
    Pauses,
    WriteRefused,
    bulk_write,
    insert_new,
    one_patience,
    own_database,
    patiently,
)
from stores.outbox import Delivery, OutboxStore
from stores.reports import ReportStore
from stores.symbols import ResearchStore
from tests.builders import save
from tests.faults.meddling import Throttling
from tests.stores.test_reports import a_report
from tests.stores.wired import wired

NAME = "portfolio_analyses"
STORES = Path(stores.mongo.__file__).parent
COMMANDS = frozenset(
    [
        "aggregate",
        "count_documents",
        "delete_many",
        "delete_one",
        "distinct",
        "estimated_document_count",
        "find",
        "find_one_and_delete",
        "find_one_and_replace",
        "find_one_and_update",
        "insert_many",
        "insert_one",
        "replace_one",
        "update_many",
        "update_one",
    ]
)


class Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now

    def all_pauses(self) -> Pauses:
        return Pauses(self.sleep, self.clock, 200.0)


@pytest.fixture
def time_() -> Time:
    return Time()


@pytest.fixture
def throttling(time_: Time) -> Throttling:
    return Throttling(60, [NAME], time_.clock)


@pytest.fixture
def seen(database: DocumentDatabase, throttling: Throttling) -> Iterator[DocumentDatabase]:
    database[NAME].create_index("number", unique=True)
    with wired(database, throttling) as through:
        yield through


def numbers(database: DocumentDatabase) -> list[int]:
    return sorted(document["number"] for document in database[NAME].find())


def test_a_page_of_200_gets_through_at_60_documents_a_second_and_each_time_only_the_refused_ones_are_sent(
    seen: DocumentDatabase, database: DocumentDatabase, throttling: Throttling, time_: Time
) -> None:
    bulk_write(seen[NAME], [InsertOne({"number": number}) for number in range(200)], time_.all_pauses())
    assert numbers(database) == list(range(200))
    accepted = [was - then for was, then in zip(throttling.received, [*throttling.received[1:], 0], strict=True)]
    assert throttling.received[0] == 200
    assert sum(accepted) == 200
    assert min(accepted) > 0  # no attempt in vain
    assert sum(throttling.received) < 5 * 200
    assert time_.now < 2 * (200 - 60) / 60


def test_replacements_that_are_throttled_are_made_once_each(
    seen: DocumentDatabase, database: DocumentDatabase, time_: Time
) -> None:
    for value in range(2):
        writes = [ReplaceOne({"number": n}, {"number": n, "value": value}, upsert=True) for n in range(100)]
        bulk_write(seen[NAME], writes, time_.all_pauses())
    assert numbers(database) == list(range(100))
    assert database[NAME].distinct("value") == [1]


def test_documents_that_exist_are_told_apart_from_those_that_were_throttled(
    seen: DocumentDatabase, database: DocumentDatabase, throttling: Throttling, time_: Time
) -> None:
    there = {3, 50, 77, 199}
    database[NAME].insert_many({"number": number} for number in there)
    existing = insert_new(seen[NAME], [{"number": number} for number in range(200)], time_.all_pauses())
    assert set(existing) == there
    assert numbers(database) == list(range(200))
    assert len(throttling.received) > 1


def test_a_page_of_reports_delivered_again_while_throttled_replaces_those_that_exist(
    database: DocumentDatabase,
) -> None:
    reports = ReportStore(database, ResearchStore(database))
    reports.ensure_indexes()
    users = [f"u{number:03}" for number in range(30)]
    save(reports, [a_report(user_id, value=1.0) for user_id in users[::3]])
    throttling = Throttling(20, [NAME])
    with wired(database, throttling) as seen:
        save(ReportStore(seen, ResearchStore(seen)), [a_report(user_id, value=2.0) for user_id in users])
    assert sorted(document["user_id"] for document in database[NAME].find()) == users
    assert database[NAME].distinct("market_value") == [2.0]
    assert len(throttling.received) > 4


def test_the_states_of_deliveries_are_stored_while_throttled(database: DocumentDatabase) -> None:
    outbox, now = OutboxStore(database), datetime.now(UTC)
    outbox.ensure_indexes()
    ids = [f"evt_{number:032}" for number in range(30)]
    throttling = Throttling(20, ["deliveries"])
    with wired(database, throttling) as seen:
        OutboxStore(seen).record([Delivery(own, "ops", "pending", now, due_at=now) for own in ids])
    assert sorted(own.event_id for own in outbox.deliveries(ids)) == ids
    assert len(throttling.received) > 1


def test_other_errors_beside_throttled_documents_are_told_by_their_codes(
    seen: DocumentDatabase, database: DocumentDatabase, time_: Time
) -> None:
    database.command("collMod", NAME, validator={"number": {"$lt": 199}})
    with pytest.raises(WriteRefused, match=r"^The database refused 1 documents: \[121\]$"):
        bulk_write(seen[NAME], [InsertOne({"number": number}) for number in range(200)], time_.all_pauses())
    assert numbers(database) == list(range(199))


def test_a_database_that_accepts_nothing_is_given_up_after_minutes_with_the_code(
    database: DocumentDatabase, time_: Time
) -> None:
    with (
        wired(database, Throttling(0.001, [NAME], lambda: 0.0)) as seen,
        pytest.raises(WriteRefused, match=r"^The database refused 2 documents: \[16500\]$"),
    ):
        bulk_write(seen[NAME], [InsertOne({"number": number}) for number in range(2)], time_.all_pauses())
    assert 60 < time_.now <= 200
    assert max(time_.pauses) == 10.0  # it asked for a thousand seconds


def test_a_single_command_that_is_throttled_is_repeated_after_the_servers_hint(time_: Time) -> None:
    answers = iter([OperationFailure("Error=16500, RetryAfterMs=1500, Details=''", 16500), None])

    def attempt() -> str:
        if error := next(answers):
            raise error
        return "done"

    assert patiently(attempt, time_.all_pauses()) == "done"
    assert time_.pauses == [1.5]


def test_another_error_of_a_single_command_is_not_repeated(time_: Time) -> None:
    def attempt() -> None:
        raise OperationFailure("not authorized", 13)

    with pytest.raises(OperationFailure, match="not authorized"):
        patiently(attempt, time_.all_pauses())
    assert time_.pauses == []


def test_every_single_command_on_an_own_collection_is_repeated(database: DocumentDatabase) -> None:
    ticks = itertools.count()
    throttling = Throttling(20, [NAME], lambda: 0.02 * next(ticks))  # two commands in five, after the first ones
    with wired(database, throttling) as seen, one_patience():
        collection = own_database(seen.client, seen.name, patient=True)[NAME]
        for number in range(12):
            collection.insert_one({"number": number})
            assert collection.update_one({"number": number}, {"$set": {"seen": True}}).matched_count == 1
            assert collection.replace_one({"number": number}, {"number": number}).matched_count == 1
            assert collection.find_one({"number": number}) is not None
        assert len(collection.find().sort("number", 1).to_list()) == collection.count_documents({}) == 12
        assert [found["number"] for found in collection.find({}, limit=3).sort("number", 1)] == [0, 1, 2]
        assert collection.find_one_and_update({"number": 1}, {"$set": {"seen": False}}) is not None
        assert collection.delete_many({}).deleted_count == 12
    assert throttling.commands.total() + len(throttling.received) > 4 * 12 + 5


@pytest.mark.parametrize("store", sorted({*STORES.glob("*.py")} - {STORES / "mongo.py"}), ids=lambda store: store.stem)
def test_a_store_uses_no_command_that_is_not_repeated(store: Path, database: DocumentDatabase) -> None:
    patient = type(own_database(database.client, database.name, patient=True)[NAME])
    used = COMMANDS & set(re.findall(r"\.([a-z_]+)\(", store.read_text()))
    assert [name for name in used if getattr(patient, name) is getattr(Collection, name)] == []


def test_a_request_waits_for_a_throttled_database_for_seconds_only_and_all_waits_of_a_step_have_one_end(
    time_: Time,
) -> None:
    pauses = Pauses(time_.sleep, time_.clock)
    while pauses.wait(""):
        pass
    assert time_.now <= 5
    time_.now = time.monotonic()
    with one_patience():
        first, began = Pauses(time_.sleep, time_.clock), time_.now
        while first.wait(""):
            pass
        assert 300 < time_.now - began < 600
        assert not Pauses(time_.sleep, time_.clock).wait("RetryAfterMs=2000")
