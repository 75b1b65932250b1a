"""Kill -9 of the whole host in the middle of a run: the in-memory engine's state is lost, the record is not.

The real engine keeps its state: ``tests/extension/test_host_death.py``.
"""

import pytest

from tests import real_engine
from tests.faults.moments import CLEARED_UP, FINISH, OF_ACTIVITIES
from tests.faults.site import Site
from tests.faults.truth import check, figures
from tests.faults.wire import Moment

pytestmark = pytest.mark.skipif(real_engine.is_chosen(), reason="the real engine continues the run")

MOMENTS = {"plan": OF_ACTIVITIES["plan_run"], "page": OF_ACTIVITIES["analyze_page"]}
UNDER_WAY = r"An active run cannot continue in the orchestration engine \(run_id=%s\)"


def lose_a_run(site: Site, moment: Moment) -> str:
    """Start a run, kill the host at this moment of it, restart the host, and return the run's id."""
    with site.wire.holding(moment) as hold:
        run_id = site.trigger()
        hold.wait()
        site.kill_app()
    site.start_app()
    return run_id


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_next_trigger_closes_a_run_that_was_lost_with_its_host(site: Site, moment: str) -> None:
    lost = lose_a_run(site, MOMENTS[moment])
    assert site.record(lost)["status"] == "running"
    check(site, site.trigger(), states=("completed",))
    run = check(site, lost, states=("failed",))
    assert run["errors"][0]["error_type"] == "run_lost"
    site.wait_for_log(r"ERROR +trigger_analysis: " + UNDER_WAY % lost)


def test_the_watchdog_closes_a_run_that_was_lost_with_its_host_and_its_reports_are_kept(site: Site) -> None:
    lost = lose_a_run(site, MOMENTS["page"])
    site.age(lost, seconds=120)
    site.fire_watchdog()
    run = check(site, lost, states=("failed",))
    assert run["errors"][0]["error_type"] == "run_lost"
    assert len(figures(site, lost)) == run["users_analyzed"]
    site.wait_for_log(r"ERROR +watchdog: " + UNDER_WAY % lost)
    check(site, site.trigger(), states=("completed",))


@pytest.mark.parametrize("moment", [FINISH, CLEARED_UP], ids=["its state recorded", "its plan cleared up"])
def test_the_watchdog_completes_the_end_of_a_run_whose_host_died_during_it(site: Site, moment: Moment) -> None:
    lost = lose_a_run(site, moment)  # messages already sent by the dead worker still arrive
    site.wait_for(lost, status="completed")
    site.age(lost, seconds=120)
    site.fire_watchdog()
    check(site, lost, states=("completed",))
