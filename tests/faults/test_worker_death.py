"""Kill -9 of worker processes: in each step of a run, in the orchestrator, in a trigger, and at random."""

import os
import random
import secrets
from concurrent.futures import ThreadPoolExecutor
from copy import replace
from functools import partial

import httpx
import pytest

from stores.mongo import Document
from tests import real_engine
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE
from tests.faults.moments import (
    ATTEMPT_ON_RECORD,
    CLEARED_UP,
    LEASE_RELEASED,
    LEASE_TAKEN,
    OF_ACTIVITIES,
    RECORDED,
)
from tests.faults.people import people
from tests.faults.site import FINAL, PATIENCE_SECONDS, Site
from tests.faults.truth import Figures, check, figures
from tests.faults.wire import Moment

MOST_DEATHS = 3
AFTER_THE_END = {"before the lease is released": LEASE_RELEASED, "before the plan is cleared up": CLEARED_UP}


@pytest.mark.parametrize(
    ("activity", "carried_out"),
    [
        ("plan_run", False),
        ("plan_run", True),
        ("read_page", False),
        ("read_page", True),
        ("collect_symbols", False),
        ("collect_symbols", True),
        ("load_prices", True),
        ("research_symbols", True),
        ("analyze_page", False),
        pytest.param("analyze_page", True, marks=pytest.mark.both_engines),
        ("finish_run", False),
        ("finish_run", True),
    ],
)
def test_a_run_survives_the_death_of_every_worker_in_a_step(
    site: Site, undisturbed: Figures, activity: str, carried_out: bool
) -> None:
    with site.wire.holding(replace(OF_ACTIVITIES[activity], carried_out=carried_out)) as hold:
        run_id = site.trigger()
        hold.wait()
        site.kill_workers()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == undisturbed
    site.wait_for_log(r"exited with code -9, [1-9]\d* invocations lost")


@pytest.mark.parametrize("moment", AFTER_THE_END)
def test_the_remains_of_an_ended_run_of_a_dead_worker_are_cleaned_up(
    site: Site, undisturbed: Figures, moment: str
) -> None:
    with site.wire.holding(AFTER_THE_END[moment]) as hold:
        run_id = site.trigger()
        hold.wait()
        assert site.record(run_id)["status"] == "completed"
        site.kill_workers()
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == undisturbed


@pytest.mark.skipif(
    real_engine.is_chosen(), reason="there the orchestrator is started from a queue, when all workers are free"
)
def test_a_run_whose_orchestrator_dies_continues_on_another_worker(site: Site, undisturbed: Figures) -> None:
    # The least busy worker gets the next invocation, of several the oldest: the trigger goes to the older one, and
    # while it is running, the orchestrator goes to the newer one.
    site.kill_worker(site.workers()[0])
    newer = site.wait_for_workers()[1]
    site.pause_worker(newer)
    run_id = site.trigger()
    assert site.record(run_id)["status"] == "queued"
    site.kill_worker(newer)
    site.wait_for_log(f"worker {newer.pid} exited with code -9, 1 invocations lost")
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == undisturbed


@pytest.mark.parametrize("moment", [RECORDED, LEASE_TAKEN], ids=["recorded", "lease taken"])
@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
def test_a_trigger_whose_worker_dies_does_not_block_others_for_long(
    site: Site, moment: Moment, carried_out: bool
) -> None:
    with ThreadPoolExecutor() as threads, site.wire.holding(replace(moment, carried_out=carried_out)) as hold:
        answer = threads.submit(site.app.trigger)
        hold.wait()
        site.kill_workers()
    assert answer.result().status_code == 500
    site.wait_for_workers()
    for left in site.database.portfolio_analysis_runs.find():
        site.age(left["run_id"], seconds=120)
    check(site, site.trigger(), states=("completed",))
    for left in site.database.portfolio_analysis_runs.find({"status": {"$ne": "completed"}}):
        run = check(site, left["run_id"], planned=[], states=("failed",))
        assert run["errors"][0]["error_type"] == "run_lost"


@pytest.mark.parametrize("carried_out", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("moment", [RECORDED, LEASE_TAKEN], ids=["recorded", "lease taken"])
def test_a_client_that_repeats_a_trigger_whose_worker_died_gets_a_run_that_is_carried_out(
    site: Site, undisturbed: Figures, moment: Moment, carried_out: bool
) -> None:
    def trigger() -> httpx.Response:
        return site.app.client.post(f"{BASE}/trigger-analysis", headers={"Idempotency-Key": "repeated"})

    with ThreadPoolExecutor() as threads, site.wire.holding(replace(moment, carried_out=carried_out)) as hold:
        answer = threads.submit(trigger)
        hold.wait()
        site.kill_workers()
    assert answer.result().status_code == 500
    site.wait_for_workers()
    left = [run["run_id"] for run in site.database.portfolio_analysis_runs.find()]
    for run_id in left:
        site.age(run_id, seconds=30)
    answer_again = trigger()
    assert answer_again.status_code == 202, answer_again.text
    run_id = answer_again.json()["run_id"]
    assert left in ([], [run_id])
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == undisturbed
    assert trigger().json()["run_id"] == run_id
    assert site.database.portfolio_analysis_runs.count_documents({}) == 1


@pytest.mark.parametrize(
    ("moment", "runs"),
    [(ATTEMPT_ON_RECORD, 0), (replace(LEASE_TAKEN, carried_out=True), 1)],
    ids=["before the act", "during the act"],
)
def test_the_attempt_of_a_trigger_whose_worker_dies_is_in_the_audit_log_with_its_actor(
    site: Site, moment: Moment, runs: int
) -> None:
    site.database.audit_log.delete_many({})
    with ThreadPoolExecutor() as threads, site.wire.holding(moment) as hold:
        answer = threads.submit(site.app.trigger)
        hold.wait()
        site.kill_workers()
    assert answer.result().status_code == 500
    site.wait_for_workers()
    (entry,) = site.app.client.get(f"{BASE}/audit").json()["entries"]
    assert (entry["action"], entry["actor"], entry["client"]) == ("trigger", "admin-secret", "127.0.0.1")
    assert (entry["outcome"], entry["problem"], entry["run_id"]) == ("attempted", None, None)
    left = [run["run_id"] for run in site.database.portfolio_analysis_runs.find()]
    assert len(left) == runs
    for run_id in left:
        site.age(run_id, seconds=120)
        site.fire_watchdog()
        assert check(site, run_id, planned=[], states=("failed",))["trigger"]["actor"] == entry["actor"]


def test_a_run_over_2000_users_completes_however_often_its_workers_are_killed(site: Site) -> None:
    seed = int(os.environ.get("FAULTS_SEED") or secrets.randbelow(1_000_000))
    print(f"FAULTS_SEED={seed}")  # noqa: T201 - shown when the test fails
    random_source = random.Random(seed)  # noqa: S311 - repeatable on purpose
    site.populate(people(2_000, holdings=1))
    workers = 4
    site.start_app(ANALYSIS_PAGE_SIZE="50", FUNCTIONS_WORKER_PROCESS_COUNT=str(workers))
    run_id = site.trigger()

    def reached(pages: int) -> Document | None:
        run = site.record(run_id)
        return run if run["status"] in FINAL or run["progress"]["pages_done"] >= pages else None

    kills, next_kill = 0, 0
    while (run := eventually(partial(reached, next_kill), PATIENCE_SECONDS)) and run["status"] not in FINAL:
        if kills < MOST_DEATHS * workers - 1:  # after one more, the host exits
            site.kill_worker(random_source.choice(site.workers()))
            kills += 1
        next_kill = run["progress"]["pages_done"] + random_source.randint(2, 7)
    check(site, run_id, states=("completed",))
    assert kills > 5
