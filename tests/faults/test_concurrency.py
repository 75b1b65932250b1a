"""Concurrent triggers: only one run at a time is active."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import httpx

from stores.mongo import DocumentDatabase
from tests.faults.people import people
from tests.faults.rounds import TRIGGERS, started_in_rounds
from tests.faults.site import Site
from tests.faults.truth import check

ROUNDS_BY_HTTP = 4
ROUNDS = 10  # 200 in the soak


def test_of_50_triggers_at_once_none_starts_a_run_while_another_is_active(site: Site) -> None:
    site.populate(people(5))
    for _ in range(ROUNDS_BY_HTTP):
        answers = trigger_at_once(site)
        assert {answer.status_code for answer in answers} <= {202, 409}
        started = [answer.json()["run_id"] for answer in answers if answer.status_code == 202]
        assert len(started) == len(set(started)) > 0
        assert {answer.json()["run_id"] for answer in answers if answer.status_code == 409} <= set(started)
        # A trigger that is processed after the end of the run may start another.
        runs = [check(site, run_id, states=("completed",)) for run_id in started]
        spans = sorted((run["started_at"], run["completed_at"]) for run in runs)
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))


def trigger_at_once(site: Site) -> list[httpx.Response]:
    with ThreadPoolExecutor(TRIGGERS) as threads:
        return list(threads.map(lambda _: site.app.trigger(), range(TRIGGERS)))


def test_of_50_triggers_at_once_exactly_one_starts_a_run_that_does_not_end(database: DocumentDatabase) -> None:
    rounds = list(started_in_rounds(database, ROUNDS))
    assert [len(started) for started in rounds] == [1] * ROUNDS
    assert database.portfolio_analysis_runs.count_documents({}) == ROUNDS
    assert database.run_leases.count_documents({}) == 0
