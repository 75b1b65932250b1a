"""``check-data`` as a command, over the example of the documentation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bson.json_util import loads

from stores.mongo import DocumentDatabase
from tests.devhost.harness import ROOT

EXAMPLE = ROOT / "examples" / "own-data"


@pytest.fixture
def example(database: DocumentDatabase, mongodb_url: str) -> dict[str, str]:
    """Return the environment of the example, whose documents are in the database."""
    for file in EXAMPLE.glob("*.json"):
        database[file.stem].insert_many(loads(file.read_text()))
    lines = (EXAMPLE / "settings.txt").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines)
    return {**os.environ, **settings, "MONGODB_URL": f"{mongodb_url}/{database.name}", "COLUMNS": "80", "TERM": "dumb"}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "devhost", "check-data", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_command_prints_lines_of_eighty_columns_and_exits_with_0_if_nothing_is_refused(
    example: dict[str, str],
) -> None:
    result = run(example)
    assert (result.returncode, result.stderr) == (0, "")
    *lines, last = result.stdout.splitlines()
    assert last == "A run would be sound."
    assert all(len(line) <= 80 for line in lines if "-> " not in line)


def test_the_command_exits_with_1_and_gives_json_with_the_line_to_change(example: dict[str, str]) -> None:
    result = run({**example, "FIELDS": "users.user_id=_id"}, "--json")
    found = json.loads(result.stdout)
    assert (result.returncode, found["sound"]) == (1, False)
    assert {finding["status"] for finding in found["findings"]} == {"accepted", "refused", "suspicious"}
    (proposal,) = [own["change"] for own in found["findings"] if own["subject"] == "FIELDS"]
    assert proposal.startswith("FIELDS=users.user_id=_id,")


def test_the_settings_of_a_deployed_app_may_come_from_a_file_and_nothing_of_the_laptop_completes_them(
    example: dict[str, str], tmp_path: Path
) -> None:
    here = {name: value for name, value in example.items() if name in os.environ}
    own = {name: value for name, value in example.items() if name not in os.environ}
    file = tmp_path / "settings.json"

    def checked(settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
        listed = [{"name": name, "value": value, "slotSetting": False} for name, value in settings.items()]
        file.write_text(json.dumps(listed))
        # The file wins over the shell.
        return run({**here, "MONGODB_URL": "mongodb://127.0.0.1:9/elsewhere"}, "--settings", str(file), "--json")

    result = checked({**own, "ANALYSIS_SCHEDULE": "0 0 1 * * *"})
    assert (result.returncode, result.stderr, json.loads(result.stdout)["sound"]) == (0, "", True)
    # local.settings.json has a schedule, which is none of the app's.
    without = checked(own)
    (finding,) = json.loads(without.stdout)["findings"]
    assert (without.returncode, finding["subject"], finding["status"]) == (1, "settings", "refused")
    assert "ANALYSIS_SCHEDULE" in finding["text"]


def test_a_file_without_settings_is_refused_before_anything_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("[]x")
    result = run(dict(os.environ), "--settings", str(file))
    assert (result.returncode, result.stdout) == (2, "")
    assert "contains no app settings" in result.stderr
