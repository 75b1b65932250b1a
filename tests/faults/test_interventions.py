"""Cancels and retries by administrators during failures."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.end_to_end.app import BASE
from tests.faults.moments import PAGE, REPORTS_WRITTEN
from tests.faults.site import Site
from tests.faults.truth import Figures, check, figures

_PAGES_AT_ONCE = 4  # maxConcurrentActivityFunctions in host.json; there are twice as many


def cancel(site: Site, run_id: str) -> httpx.Response:
    return site.app.client.post(f"{BASE}/analysis-runs/{run_id}/cancel")


def test_a_canceled_run_keeps_the_reports_it_has_and_counts_them(site: Site, undisturbed: Figures) -> None:
    with site.wire.holding(PAGE) as hold:
        run_id = site.trigger()
        hold.wait(_PAGES_AT_ONCE)  # these still complete, the others have not started
        assert cancel(site, run_id).status_code == 202
    run = check(site, run_id, states=("canceled",))
    kept = figures(site, run_id)
    assert 0 < len(kept) == run["users_analyzed"] < len(site.user_ids)
    assert kept == {user_id: undisturbed[user_id] for user_id in kept}


def test_of_two_cancels_at_once_both_are_accepted_and_the_run_ends_once(site: Site) -> None:
    with site.wire.holding(PAGE) as hold, ThreadPoolExecutor() as threads:
        run_id = site.trigger()
        hold.wait()
        answers = list(threads.map(cancel, [site] * 2, [run_id] * 2))
    assert [answer.status_code for answer in answers] == [202, 202]
    check(site, run_id, states=("canceled",))
    assert cancel(site, run_id).status_code == 409


def test_a_cancel_while_mongodb_is_away_is_answered_503_and_the_run_completes(site: Site, undisturbed: Figures) -> None:
    with site.wire.holding(PAGE) as hold:
        run_id = site.trigger()
        hold.wait()
        site.stop_mongodb()
        answer = cancel(site, run_id)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    site.start_mongodb()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == undisturbed


def test_a_cancel_takes_effect_even_if_every_worker_dies_during_it(site: Site) -> None:
    with site.wire.holding(PAGE) as hold:
        run_id = site.trigger()
        hold.wait()
        assert cancel(site, run_id).status_code == 202
        site.kill_workers()
    check(site, run_id, states=("canceled",))


def test_reports_whose_worker_died_before_it_listed_them_are_counted_and_listed(site: Site) -> None:
    with site.wire.holding(REPORTS_WRITTEN) as hold:
        run_id = site.trigger()
        hold.wait()
        assert cancel(site, run_id).status_code == 202
        site.kill_workers()
    run = check(site, run_id, states=("canceled",))
    listed = [line["user_id"] for line in site.app.portfolios(run_id)]
    assert 0 < run["users_analyzed"] == len(listed)
    assert set(listed) == set(figures(site, run_id))
