"""A worker that is stuck but alive: the watchdog stops its run."""

from copy import replace

from tests.devhost.harness import eventually
from tests.faults.moments import PAGE
from tests.faults.site import FINAL, PATIENCE_SECONDS, Site
from tests.faults.truth import check, figures


def test_the_watchdog_stops_a_run_that_stalls_in_a_page_and_the_counts_agree_after_the_worker_resumes(
    site: Site,
) -> None:
    with site.wire.holding(replace(PAGE, carried_out=True)) as hold:
        run_id = site.trigger()
        hold.wait()
        stuck = site.worker_of(hold.client_ports[0])
        site.pause_worker(stuck)
    site.age(run_id, seconds=120)

    def is_over() -> bool:
        # Repeatedly: the watchdog may run on the stuck worker, and it ignores a run with recent progress.
        site.fire_watchdog()
        return site.record(run_id)["status"] in FINAL

    eventually(is_over, PATIENCE_SECONDS)
    stalled = check(site, run_id, states=("failed",))
    assert stalled["errors"][0]["error_type"] == "run_stalled"
    site.wait_for_log(rf"ERROR +watchdog: A run made no progress for 2 s and is stopped \(run_id={run_id}\)")

    stuck.resume()
    site.wait_for_workers()
    check(site, site.trigger(), states=("completed",))  # the stuck worker must finish its page first
    assert check(site, run_id, states=("failed",))["users_analyzed"] == len(figures(site, run_id))


def test_the_watchdog_does_not_stop_a_slow_run_that_makes_progress(site: Site) -> None:
    with site.wire.holding(PAGE) as hold:
        run_id = site.trigger()
        hold.wait()
    site.age(run_id, seconds=120)
    site.fire_watchdog()
    check(site, run_id, states=("completed",))
