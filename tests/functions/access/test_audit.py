"""A request is recorded before it is executed, and no run is lost if the audit log cannot be written."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError
from secantus import SecantusDBServer

from functions.access.audit import new_entry, on_record
from functions.engine import DurableEngine
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
        attempted.run_id = "run_20260102_030405_abcd"
    (entry,) = log.newest(10, None)
    assert (entry.outcome, entry.problem, entry.run_id) == ("accepted", None, "run_20260102_030405_abcd")


def test_the_entry_of_a_refusal_contains_its_problem(log: AuditLog) -> None:
    with pytest.raises(RunActive), on_record(log, attempt()):
        raise RunActive("run_20260102_030405_abcd")
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
            attempted.run_id = start_run(services, engine, BY_HTTP)
            server.stop()
    run = services.runs.get(attempted.run_id)
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


def test_refused_sign_ins_are_deleted_after_ninety_days_and_acts_of_administrators_are_not(
    log: AuditLog, database: DocumentDatabase
) -> None:
    now = datetime.now(UTC)
    actions: tuple[AuditedAction, ...] = ("sign_in", "trigger")
    for days in (89, 91):
        for action in actions:
            at = now - timedelta(days=days)
            log.add(AuditEntry(f"{action} {days}", at, action, "none", "c", "refused", problem="unauthorized"))
    database.client.admin.command("secantusAdmin.pruneTtl")  # servers do this once a minute; here it happens at once
    assert [entry.entry_id for entry in log.newest(10, None)] == ["trigger 89", "sign_in 89", "trigger 91"]
