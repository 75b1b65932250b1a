"""The example of docs/own-data.md, as it is printed there, from its documents to its reports."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bson.json_util import loads

from stores.mongo import DocumentDatabase
from tests.devhost.harness import ROOT
from tests.end_to_end.app import App, running_app

EXAMPLE = ROOT / "examples" / "own-data"
PAGE = (ROOT / "docs" / "own-data.md").read_text()
USERS = {"65f000000000000000000001": "Ann", "65f000000000000000000002": "Ben"}


def load(url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLE / "load.py")]
    return subprocess.run(command, env={"MONGODB_URL": url}, capture_output=True, text=True, check=False)


@pytest.fixture
def app(tmp_path: Path, database: DocumentDatabase, mongodb_url: str) -> Iterator[App]:
    url = f"{mongodb_url}/{database.name}"
    assert load(url).returncode == 0
    lines = (EXAMPLE / "settings.txt").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines)
    folder = {"PRICES_DIR": str(ROOT / environment["PRICES_DIR"])}
    with running_app(tmp_path, **environment | folder | {"MONGODB_URL": url}) as running:
        yield running


def test_the_example_gives_the_values_that_the_page_names(app: App) -> None:
    run = app.run()
    assert (run["status"], run["users_analyzed"], run["errors"]) == ("completed", 2, [])
    for user_id, name in USERS.items():
        report = app.report(run["run_id"], user_id)
        valuation = report["valuation"]
        (told,) = re.findall(rf"{name} owns ([\d,.]*\d)|and {name} ([\d,.]*\d)", PAGE)
        assert f"{valuation['market_value'] + valuation['cash']:,.2f}" == "".join(told)
        assert valuation["complete"] is True
        assert report["performance"]["observations"] > 500


def test_its_documents_are_loaded_into_an_empty_database_only(database: DocumentDatabase, mongodb_url: str) -> None:
    database.users.insert_one({"user_id": "someone"})
    result = load(f"{mongodb_url}/{database.name}")
    assert result.returncode == 1
    assert result.stderr == f"{database.name}.users holds documents already: name an empty database in MONGODB_URL.\n"
    assert database.users.count_documents({}) == 1


def test_the_page_shows_the_settings_and_a_document_of_the_example() -> None:
    assert (EXAMPLE / "settings.txt").read_text() in PAGE
    ann = loads((EXAMPLE / "users.json").read_text())[0]
    shown = [loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    assert ann in shown
