"""Outages of MongoDB: before a run, in each of its steps, and at its end."""

from concurrent.futures import ThreadPoolExecutor
from copy import replace
from http import HTTPStatus

import pytest

from tests.devhost.harness import eventually
from tests.faults.moments import LEASE_TAKEN, OF_ACTIVITIES, PAGE, RECORDED
from tests.faults.site import Site
from tests.faults.truth import Figures, check, figures
from tests.faults.wire import Moment


def test_a_trigger_while_mongodb_is_away_is_answered_503_and_nothing_has_started_once_it_is_back(site: Site) -> None:
    site.stop_mongodb()
    answer = site.app.trigger()
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert int(answer.headers["Retry-After"]) > 0
    site.start_mongodb()
    runs = site.app.client.get("/api/admin/portfolio/analysis-runs")
    assert (runs.status_code, runs.json()["runs"]) == (200, [])
    assert site.database.run_leases.count_documents({}) == 0
    assert "Portfolio analysis" not in site.log()
    check(site, site.trigger(), states=("completed",))


@pytest.mark.parametrize("activity", ["plan_run", "read_page", "collect_symbols", "analyze_page", "finish_run"])
def test_a_run_whose_step_fails_without_mongodb_completes_once_it_is_back(
    site: Site, undisturbed: Figures, activity: str
) -> None:
    with site.wire.holding(OF_ACTIVITIES[activity]) as hold:
        run_id = site.trigger()
        hold.wait()
        site.stop_mongodb()
    site.wait_for_log(f"{activity}: failed: ")
    site.start_mongodb()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == undisturbed


def test_reports_that_a_killed_mongodb_wrote_but_did_not_confirm_are_neither_lost_nor_duplicated(
    site: Site, undisturbed: Figures
) -> None:
    with site.wire.holding(replace(PAGE, carried_out=True)) as hold:
        run_id = site.trigger()
        hold.wait()
        site.kill_mongodb()
    site.start_mongodb()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == undisturbed


@pytest.mark.parametrize("moment", [RECORDED, LEASE_TAKEN], ids=["recorded", "lease taken"])
def test_a_trigger_whose_write_was_carried_out_but_not_confirmed_starts_the_one_run_it_recorded(
    site: Site, moment: Moment
) -> None:
    with ThreadPoolExecutor() as threads, site.wire.holding(replace(moment, carried_out=True)) as hold:
        answer = threads.submit(site.app.trigger)
        hold.wait()
        site.kill_mongodb()  # so that the server no longer knows the write that the driver retries
        hold.let_go.set()
        site.start_mongodb()
    assert answer.result().status_code == 202, answer.result().text
    run_id = answer.result().json()["run_id"]
    check(site, run_id, states=("completed",))
    assert [run["run_id"] for run in site.database.portfolio_analysis_runs.find()] == [run_id]


def test_a_mongodb_that_is_connected_but_silent_only_delays_a_run(site: Site, undisturbed: Figures) -> None:
    with site.wire.holding(PAGE) as hold:
        run_id = site.trigger()
        hold.wait()
        site.mongodb.pause()
    eventually(lambda: site.app.client.get("/api/health").status_code == HTTPStatus.SERVICE_UNAVAILABLE)  # not at once
    assert site.app.client.get("/api/health").json()["checks"]["mongodb"] == "unavailable"
    site.mongodb.resume()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == undisturbed
