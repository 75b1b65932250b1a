"""What an earlier version of the app stored, read over HTTP."""

import secrets
from collections.abc import Iterator
from copy import deepcopy

import pytest

from stores.mongo import connect
from tests.end_to_end.app import BASE, App, running_app
from tests.stores.version_1 import REPORT, RUN, SUMMARY

RUN_ID, USER_ID = RUN["run_id"], REPORT["user_id"]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, mongodb_url: str) -> Iterator[App]:
    """Yield the app on a database with a run, a report and a summary that version 1 stored."""
    name = f"test_{secrets.token_hex(4)}"
    with connect(mongodb_url) as client:
        client[name].portfolio_analysis_runs.insert_one(deepcopy(RUN))
        client[name].portfolio_analyses.insert_one(REPORT | {"run_id": RUN_ID})
        client[name].portfolio_summaries.insert_one(SUMMARY | {"run_id": RUN_ID})
        environment = {"MONGODB_URL": mongodb_url, "MONGODB_DATABASE": name, "MARKET_DATA_PROVIDER": "sample"}
        with running_app(tmp_path_factory.mktemp("app"), **environment) as running:
            yield running
        client.drop_database(name)


def test_its_run_and_the_list_of_runs_have_price_issues_in_the_form_of_today(app: App) -> None:
    run = app.status(RUN_ID)
    (listed,) = app.client.get(f"{BASE}/analysis-runs").json()["runs"]
    assert listed == run
    assert [(issue["kind"], issue["date"], issue["count"]) for issue in run["price_issues"]] == [
        ("jump", "2019-07-30", 1),
        ("missing_days", "2019-05-21", 2),
        ("no_volume", "2019-05-21", 300),
        ("renamed", "2025-12-01", None),
    ]


def test_its_reports_are_listed_and_read(app: App) -> None:
    (summary,) = app.client.get(f"{BASE}/analysis-runs/{RUN_ID}/portfolios").json()["portfolios"]
    assert (summary["user_id"], summary["unknowns"], summary["complete"]) == (USER_ID, 0, None)
    report = app.report(RUN_ID, USER_ID)
    assert (report["schema_version"], report["valuation"]["complete"]) == (1, False)
