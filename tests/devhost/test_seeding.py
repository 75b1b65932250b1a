"""The sample users of an environment for tests, written by a command with that environment's settings."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from devhost.sample_data import SAMPLE_USERS
from stores.mongo import DocumentDatabase
from tests.infra.bicep import ROOT


def seed(settings: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "devhost", "seed", "--settings", str(settings)]
    return subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=False)


@pytest.fixture
def settings(tmp_path: Path, mongodb_url: str, database: DocumentDatabase) -> Path:
    """Return a file with settings as the platform lists them."""
    values = {
        "MONGODB_URL": mongodb_url,
        "MONGODB_DATABASE": database.name,
        "MARKET_DATA_PROVIDER": "sample",
        "KEY_VAULT_URL": "https://kv-portfolio.vault.azure.net",
        "ANALYSIS_SCHEDULE": "0 0 1 * * *",
    }
    path = tmp_path / "settings.json"
    path.write_text(json.dumps([{"name": name, "value": value} for name, value in values.items()]))
    return path


def test_an_empty_database_gets_the_sample_users_and_a_repetition_adds_none(
    settings: Path, database: DocumentDatabase
) -> None:
    for _ in range(2):
        done = seed(settings)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{len(SAMPLE_USERS)} sample users\n", "")
    assert database["users"].count_documents({}) == len(SAMPLE_USERS)


def test_no_sample_user_is_written_beside_real_ones(settings: Path, database: DocumentDatabase) -> None:
    database["users"].insert_one({"user_id": "a real person"})
    done = seed(settings)
    assert done.returncode == 1
    assert done.stderr == "The database has users of its own: no sample users are written beside them.\n"
    assert database["users"].count_documents({}) == 1


def test_a_setting_that_is_missing_is_named(tmp_path: Path) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text("[]")
    done = seed(settings)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "MONGODB_URL is missing" in done.stderr
