"""Outages of Redis: runs and sign-ins continue without it, with one warning in each worker process."""

import pytest

from tests.end_to_end.app import BASE
from tests.faults.moments import PLAN
from tests.faults.site import Site
from tests.faults.truth import Figures, check, figures

_WARNING = "Redis is unavailable"


@pytest.fixture
def site(standing_site: Site) -> Site:
    """Return a site with one worker process, which has not logged the warning yet."""
    standing_site.heal(FUNCTIONS_WORKER_PROCESS_COUNT="1")
    return standing_site


def replace_the_worker(site: Site) -> None:
    site.kill_workers()
    site.wait_for_workers()


def refuse_a_sign_in(site: Site) -> None:
    """Send a wrong secret, so that a failed sign-in is counted."""
    assert site.app.client.get(f"{BASE}/analysis-runs", headers={"X-Admin-Secret": "wrong"}).status_code == 401


def check_twice(site: Site, run_id: str, undisturbed: Figures) -> None:
    """Check that this run and the next one complete with the usual figures, and one warning in total."""
    for run in (run_id, None):
        run_id = run or site.trigger()
        refuse_a_sign_in(site)
        check(site, run_id, states=("completed",))
        assert figures(site, run_id) == undisturbed
        assert site.app.status(run_id)["status"] == "completed"  # its sign-in reads the count of failures
        assert site.log().count(_WARNING) == 1


def test_a_redis_that_is_killed_during_a_run_causes_one_warning(site: Site, undisturbed: Figures) -> None:
    replace_the_worker(site)
    with site.wire.holding(PLAN) as hold:
        run_id = site.trigger()
        hold.wait()
        assert _WARNING not in site.log()
        site.redis.kill()
    check_twice(site, run_id, undisturbed)


def test_a_redis_that_never_existed_causes_one_warning(site: Site, undisturbed: Figures) -> None:
    site.redis.kill()
    replace_the_worker(site)
    check_twice(site, site.trigger(), undisturbed)


def test_a_redis_that_is_connected_but_silent_causes_one_warning(site: Site, undisturbed: Figures) -> None:
    replace_the_worker(site)
    refuse_a_sign_in(site)
    check(site, site.trigger(), states=("completed",))  # connects
    site.redis.pause()
    check_twice(site, site.trigger(), undisturbed)
