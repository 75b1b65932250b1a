"""An action is recorded before it is executed, a read before it is answered; no run is lost for lack of an entry."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from secantus import SecantusDBServer

from functions.access.audit import MOST_USER_IDS, Attempt, new_entry, on_record, read_on_record
from functions.engine import DurableEngine
from functions.http.problems import NotFound
from records import AuditedAction, AuditEntry, Trigger
from runs.services import Services
from runs.starting import RunActive, start_run
from stores.audit import AuditLog
from stores.mongo import Document, DocumentDatabase

BY_HTTP = Trigger("http", "admin-secret")


@pytest.fixture
def log(database: DocumentDatabase) -> AuditLog:
    log = AuditLog(database)
    log.ensure_indexes()
    return log


@contextmanager
def a_log_that_can_be_stopped() -> Iterator[tuple[SecantusDBServer, AuditLog]]:
    with SecantusDBServer(storage_path=":memory:") as server:
        url = f"mongodb://127.0.0.1:{server.port}"
        client: MongoClient[Document] = MongoClient(url, tz_aware=True, serverSelectionTimeoutMS=200)
        log = AuditLog(client["audited"])
        log.ensure_indexes()
        yield server, log
        client.close()


def attempt() -> AuditEntry:
    return new_entry("trigger", credential="admin-secret", actor="admin-secret", client="192.0.2.1")


def test_an_entry_exists_before_the_act_and_names_its_run_after_it(log: AuditLog) -> None:
    with on_record(log, attempt()) as attempted:
        (entry,) = log.newest(10, None)
        assert (entry.outcome, entry.run_id) == ("attempted", None)
        attempted.tell(run_id="run_20260102_030405_abcd")
    (entry,) = log.newest(10, None)
    assert (entry.outcome, entry.problem, entry.run_id) == ("accepted", None, "run_20260102_030405_abcd")


def test_the_entry_of_a_refusal_contains_its_problem(log: AuditLog) -> None:
    with pytest.raises(RunActive), on_record(log, attempt()):
        raise RunActive("run_20260102_030405_abcd", "users=all, dry_run=false, as_of=newest")
    (entry,) = log.newest(10, None)
    assert (entry.outcome, entry.problem) == ("refused", "run-active")


def test_without_its_entry_nothing_is_done() -> None:
    done = []
    with a_log_that_can_be_stopped() as (server, log):
        server.stop()
        with pytest.raises(PyMongoError), on_record(log, attempt()):
            done.append("the act")
    assert done == []


def test_if_the_audit_log_becomes_unavailable_no_run_is_lost_and_the_open_entry_is_logged(
    services: Services, engine: DurableEngine, caplog: pytest.LogCaptureFixture
) -> None:
    with a_log_that_can_be_stopped() as (server, log):
        entry = attempt()
        with on_record(log, entry) as attempted:
            attempted.tell(run_id=start_run(services, engine, BY_HTTP))
            server.stop()
    run = services.runs.get(attempted.entry.run_id or "")
    assert run is not None
    assert run.is_active
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert f"entry_id={entry.entry_id}, outcome=accepted, run_id={run.run_id}" in line.getMessage()


def test_a_concluded_entry_does_not_change(log: AuditLog) -> None:
    with on_record(log, entry := attempt()):
        pass
    log.conclude(entry)
    assert log.newest(1, None)[0].outcome == "accepted"


def test_entries_are_listed_newest_first_page_by_page_also_of_one_moment(log: AuditLog) -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    for number in range(6):
        at = moment + timedelta(seconds=number // 3)
        log.add(AuditEntry(f"{number:016x}", at, "cancel", "bearer", "c", "attempted", "a", "7"))
    listed = []
    before = None
    while page := log.newest(2, before):
        listed += page
        before = page[-1].at, page[-1].entry_id
    assert [int(entry.entry_id, 16) for entry in listed] == [5, 4, 3, 2, 1, 0]


def test_entries_are_deleted_after_the_days_they_were_written_for_and_refused_sign_ins_after_ninety_at_most(
    database: DocumentDatabase,
) -> None:
    now = datetime.now(UTC)
    actions: tuple[AuditedAction, ...] = ("sign_in", "trigger", "read_report")
    for kept in (30, 365):
        log = AuditLog(database, kept)
        log.ensure_indexes()
        for days in (29, 31, 89, 91, 364, 366):
            for action in actions:
                at, entry_id = now - timedelta(days=days), f"{action} {days} of {kept}"
                log.add(AuditEntry(entry_id, at, action, "none", "c", "refused", problem="unauthorized"))
    database.client.admin.command("secantusAdmin.pruneTtl")  # servers do this once a minute; here it happens at once
    assert {entry.entry_id for entry in log.newest(50, None)} == {
        *(f"{action} 29 of 30" for action in actions),
        *(f"sign_in {days} of 365" for days in (29, 31, 89)),
        *(f"{action} {days} of 365" for action in actions[1:] for days in (29, 31, 89, 91, 364)),
    }


def a_read() -> AuditEntry:
    run_id = "run_20260102_030405_abcd"
    return new_entry("read_report", "bearer", actor="ada", credential_id="7", run_id=run_id, user_id="u1")


def test_a_read_is_one_entry_that_is_written_with_its_outcome(log: AuditLog) -> None:
    with read_on_record(log, a_read()):
        assert log.newest(10, None) == []
    (entry,) = log.newest(10, None)
    assert (entry.action, entry.outcome, entry.user_id) == ("read_report", "accepted", "u1")


def test_a_read_that_cannot_be_recorded_gives_nothing() -> None:
    answers: list[str] = []

    def answer() -> None:
        with read_on_record(log, a_read()):
            server.stop()
        answers.append("the report")

    with a_log_that_can_be_stopped() as (server, log), pytest.raises(PyMongoError):
        answer()
    assert answers == []


def test_a_refused_read_stays_refused_if_it_cannot_be_recorded(caplog: pytest.LogCaptureFixture) -> None:
    def answer() -> None:
        with read_on_record(log, a_read()):
            server.stop()
            raise NotFound("There is no such run.")

    with a_log_that_can_be_stopped() as (server, log), pytest.raises(NotFound):
        answer()
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "A refusal cannot be recorded: " in line.getMessage()
    assert "action=read_report" in line.getMessage()


def test_of_many_users_the_first_hundred_are_kept_and_all_are_counted(log: AuditLog) -> None:
    users = [f"u{number}" for number in range(250)]
    with on_record(log, attempt()) as attempted:
        attempted.tell(user_ids=users, as_of=date(2026, 1, 2), dry_run=True)
    (entry,) = log.newest(1, None)
    assert (entry.user_ids, entry.user_ids_count) == (tuple(users[:MOST_USER_IDS]), 250)
    assert (entry.as_of, entry.dry_run) == (date(2026, 1, 2), True)


def test_a_count_of_users_that_is_given_is_kept() -> None:
    attempted = Attempt(attempt())
    attempted.tell(user_ids=["u1"], user_ids_count=7)
    assert (attempted.entry.user_ids, attempted.entry.user_ids_count) == (("u1",), 7)


def test_entries_of_earlier_versions_are_listed_with_the_rest_unknown(
    log: AuditLog, database: DocumentDatabase
) -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    earlier = {"entry_id": "0", "at": at, "action": "cancel", "credential": "bearer", "correlation_id": "c"}
    database.audit_log.insert_one(earlier | {"outcome": "accepted", "actor": "a"})
    (entry,) = log.newest(1, None)
    assert (entry.actor, entry.user_id, entry.dry_run) == ("a", None, None)


def test_the_log_has_indexes_for_its_key_its_list_and_its_expiry(database: DocumentDatabase) -> None:
    AuditLog(database).ensure_indexes()
    indexes = database.audit_log.index_information()
    assert indexes["at_entry_id"]["key"] == [("at", -1), ("entry_id", -1)]
    assert indexes.keys() == {"_id_", "entry_id", "at_entry_id", "expires_at"}
