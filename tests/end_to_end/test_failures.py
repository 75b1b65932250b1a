"""Real failures around a run: an unavailable database, and workers that die."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.app import BASE, App, running_app, running_app_without_its_database


def test_without_its_database_the_app_answers_503_and_starts_nothing(tmp_path: Path) -> None:
    with running_app_without_its_database(tmp_path) as app:
        answers = [app.trigger(), app.client.get(f"{BASE}/analysis-runs")]
        health = app.client.get("/api/health")
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:portfolio-analysis:problem:database-unavailable"
        assert int(answer.headers["Retry-After"]) > 0
    assert health.status_code == 503
    assert health.json()["checks"]["mongodb"] == "unavailable"
    assert health.json()["status"] == "unavailable"


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with running_app(tmp_path, ANALYSIS_PAGE_SIZE="1") as running:
        yield running


def workers(app: App) -> list[psutil.Process]:
    children = psutil.Process(app.process.pid).children(recursive=True)
    return [child for child in children if "devhost.worker" in child.cmdline()]


@pytest.mark.parametrize("phase", ["plan", "analyze"])
def test_a_run_survives_the_death_of_every_worker(app: App, phase: str) -> None:
    app.run()  # Only the first run of a week asks for symbols that the source does not know, and counts them.
    whole = app.run()
    run_id = app.trigger().json()["run_id"]
    while (now := app.status(run_id))["progress"]["phase"] != phase and now["status"] != "completed_with_errors":
        time.sleep(0.005)
    for worker in workers(app):
        os.kill(worker.pid, signal.SIGKILL)
    # Status requests in progress on the dead workers are lost with them, as under the real host.
    while app.client.get(f"{BASE}/analysis-status/{run_id}").status_code != 200:
        time.sleep(0.1)
    run = app.wait(run_id)
    same = ("status", "users_to_analyze", "users_analyzed", "users_skipped", "users_failed", "symbols", "errors_count")
    assert {member: run[member] for member in same} == {member: whole[member] for member in same}
    listed = app.client.get(f"{BASE}/analysis-runs/{run_id}/portfolios", params={"limit": 100}).json()["portfolios"]
    assert len({summary["user_id"] for summary in listed}) == len(listed) == run["users_to_analyze"]
