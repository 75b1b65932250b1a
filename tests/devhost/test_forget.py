"""``python -m devhost forget``: what a person at the terminal sees, and what stays on record."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import devhost.forget
import runs.forgetting
from market_data.sample_prices import SampleProvider
from runs.forgetting import Trace
from runs.services import Services
from stores.mongo import DocumentDatabase
from tests.conftest import free_port
from tests.devhost.harness import ROOT
from tests.engine import hold_lease
from tests.runs.nightly import run_once
from tests.runs.steps import NOW, all_services
from tests.runs.test_people import add

PASSWORD = "hunter2"
OWN = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development", "MARKET_DATA_PROVIDER": "sample", "REDIS_URL": ""}


def forget(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "devhost", "forget", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | OWN | environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def where(database: DocumentDatabase, mongodb_url: str) -> dict[str, str]:
    return {"MONGODB_URL": mongodb_url, "MONGODB_DATABASE": database.name}


def test_what_is_kept_is_shown_then_erased_with_yes_and_only_that_is_on_record(
    database: DocumentDatabase, mongodb_url: str, where: dict[str, str]
) -> None:
    add(database, "ann")
    add(database, "bob")
    with all_services(database, mongodb_url, SampleProvider()) as services:
        run_once(services)
    shown = forget("ann", **where)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "       1  reports" in shown.stdout
    assert "Nothing is erased yet: repeat the command with --yes." in shown.stdout
    assert "the backend's own documents" in shown.stdout
    assert database.portfolio_analyses.count_documents({"user_id": "ann"}) == 1
    erased = forget("ann", "--yes", **where)
    assert "Erased." in erased.stdout
    assert database.portfolio_analyses.distinct("user_id") == ["bob"]
    assert database.users.count_documents({}) == 2
    (entry,) = database.audit_log.find()
    assert (entry["action"], entry["credential"], entry["outcome"]) == ("forget", "command", "accepted")
    assert entry["entry_id"] in erased.stdout
    assert "ann" not in {value for value in entry.values() if isinstance(value, str)}
    assert "Nothing is kept about this person." in forget("ann", **where).stdout


def test_while_a_run_is_active_the_command_refuses_which_is_on_record(
    database: DocumentDatabase, mongodb_url: str, where: dict[str, str]
) -> None:
    with all_services(database, mongodb_url, SampleProvider()) as services:
        hold_lease(services, "run_20260102_030405_abcd", requested_at=NOW)
    refused = forget("ann", "--yes", **where)
    assert refused.returncode == 1
    assert "Run run_20260102_030405_abcd is active." in refused.stderr
    (entry,) = database.audit_log.find()
    assert (entry["outcome"], entry["problem"]) == ("refused", "run-active")


def test_a_run_that_begins_meanwhile_makes_the_erasure_incomplete(
    database: DocumentDatabase, where: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def overtaken(services: Services, user_id: str, *, erase: bool) -> Iterator[Trace]:
        yield from runs.forgetting.forget(services, user_id, erase=erase)
        hold_lease(services, "run_20260102_030405_abcd", requested_at=NOW)

    monkeypatch.setattr(devhost.forget, "forget", overtaken)
    for name, value in (OWN | where).items():
        monkeypatch.setenv(name, value)
    database.audit_log.insert_one({"entry_id": "e", "user_id": "ann"})
    assert devhost.forget.main("ann", None, erase=True) == 1
    said = capsys.readouterr().out
    assert "A run has begun meanwhile" in said
    assert "Erased." not in said


def test_a_database_that_does_not_answer_is_told_without_its_url() -> None:
    url = f"mongodb://ann:{PASSWORD}@127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=100"
    failed = forget("ann", MONGODB_URL=url)
    assert failed.returncode == 1
    assert "The database does not answer" in failed.stderr
    assert PASSWORD not in failed.stdout + failed.stderr


def test_the_settings_may_come_from_a_file(tmp_path: Path, where: dict[str, str]) -> None:
    file = tmp_path / "settings.json"
    file.write_text("[]")
    assert "Nothing is kept" in forget("ann", "--settings", str(file), **where).stdout
    assert forget("ann", "--settings", str(tmp_path / "missing.json"), **where).returncode == 1
