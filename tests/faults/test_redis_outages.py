"""Redis goes away: a run goes on without it, and says so once in each worker process."""

import pytest

from tests.faults.moments import PLAN
from tests.faults.site import Site
from tests.faults.truth import Figures, check, figures

_WARNING = "Redis cannot be used"


@pytest.fixture
def one_worker(site: Site) -> Site:
    site.start_app(FUNCTIONS_WORKER_PROCESS_COUNT="1")
    return site


def check_twice(site: Site, run_id: str, undisturbed: Figures) -> None:
    """This run and the next one complete as if nothing had happened, with one warning in all."""
    for run in (run_id, None):
        run_id = run or site.trigger()
        check(site, run_id, states=("completed",))
        assert figures(site, run_id) == undisturbed
        assert site.log().count(_WARNING) == 1


def test_a_redis_that_is_killed_during_a_run_costs_one_warning(one_worker: Site, undisturbed: Figures) -> None:
    with one_worker.wire.holding(PLAN) as hold:
        run_id = one_worker.trigger()
        hold.wait()
        assert _WARNING not in one_worker.log()
        one_worker.redis.kill()
    check_twice(one_worker, run_id, undisturbed)


def test_a_redis_that_never_was_there_costs_one_warning(site: Site, undisturbed: Figures) -> None:
    site.redis.kill()
    site.start_app(FUNCTIONS_WORKER_PROCESS_COUNT="1")
    check_twice(site, site.trigger(), undisturbed)


def test_a_redis_that_is_connected_but_silent_costs_one_warning(one_worker: Site, undisturbed: Figures) -> None:
    check(one_worker, one_worker.trigger(), states=("completed",))  # connects
    one_worker.redis.pause()
    check_twice(one_worker, one_worker.trigger(), undisturbed)
