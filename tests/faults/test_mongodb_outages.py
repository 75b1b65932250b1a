"""MongoDB goes away: before a run, in each of its steps, and at its end."""

from dataclasses import replace

import pytest

from tests.faults.moments import OF_ACTIVITIES, PAGE
from tests.faults.site import Site
from tests.faults.truth import Figures, check, figures


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


@pytest.mark.parametrize("activity", ["plan_run", "analyze_page", "finish_run"])
def test_a_run_whose_step_fails_for_want_of_mongodb_completes_once_it_is_back(
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


def test_a_mongodb_that_is_killed_with_reports_written_but_not_confirmed_costs_and_doubles_none(
    site: Site, undisturbed: Figures
) -> None:
    with site.wire.holding(replace(PAGE, carried_out=True)) as hold:
        run_id = site.trigger()
        hold.wait()
        site.kill_mongodb()
    site.start_mongodb()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == undisturbed


def test_a_mongodb_that_is_connected_but_silent_only_delays_a_run(site: Site, undisturbed: Figures) -> None:
    with site.wire.holding(PAGE) as hold:
        run_id = site.trigger()
        hold.wait()
        site.mongodb.pause()
    health = site.app.client.get("/api/health")
    assert (health.status_code, health.json()["checks"]["mongodb"]) == (503, "unavailable")
    site.mongodb.resume()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == undisturbed
