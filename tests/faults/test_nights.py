"""The nightly timer beside a smaller run, and a host that stops between the attempts of its timer."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE
from tests.faults.moments import PAGE
from tests.faults.site import PATIENCE_SECONDS, Site
from tests.faults.truth import check

BY_TIMER = {"trigger.source": "timer"}


@pytest.fixture
def schedule(site: Site) -> str:
    """Return a daily time that has just passed, under which the app runs and which it has known for long."""
    due = datetime.now(UTC) - timedelta(minutes=5)
    expression = f"0 {due.minute} {due.hour} * * *"
    site.heal(ANALYSIS_SCHEDULE=expression)
    known = {"schedule": expression, "since": due - timedelta(days=100), "awaited": None}
    site.database.nights.update_one({"_id": "nightly_analysis"}, {"$set": known}, upsert=True)
    return expression


def run_of_the_timer(site: Site) -> str:
    """Wait for the run that a timer started; return its id."""
    runs = site.database.portfolio_analysis_runs
    eventually(lambda: runs.count_documents(BY_TIMER) == 1, PATIENCE_SECONDS)
    return str(runs.distinct("run_id", BY_TIMER)[0])


@pytest.mark.usefixtures("schedule")
def test_a_night_waits_for_the_end_of_a_smaller_run_on_record_and_is_started_then(site: Site) -> None:
    only = site.user_ids[:1]
    with site.wire.holding(PAGE) as hold:
        smaller = site.trigger(user_ids=only)
        hold.wait()
        site.app.fire("nightly_analysis")
        site.wait_for_log(rf"The nightly run waits for the end of another run \(run_id={smaller}")
        assert site.database.portfolio_analysis_runs.count_documents(BY_TIMER) == 0
    check(site, smaller, planned=only)
    site.fire_watchdog()  # or the host, which repeats what it fired by itself after a minute
    check(site, run_of_the_timer(site))
    entries = site.database.audit_log.find({"credential": "timer"}).sort("at", 1).to_list()
    assert [(entry["outcome"], entry["problem"]) for entry in entries] == [
        ("refused", "run-active"),
        ("accepted", None),
    ]


def test_a_host_that_stops_between_the_attempts_of_its_timer_loses_no_night(site: Site, schedule: str) -> None:
    site.stop_mongodb()
    site.app.fire("nightly_analysis")
    site.wait_for_log("ERROR +nightly_analysis")
    site.start_mongodb()
    site.start_app(ANALYSIS_SCHEDULE=schedule, **site.settings)
    assert site.database.portfolio_analysis_runs.count_documents({}) == 0
    site.fire_watchdog()
    check(site, run_of_the_timer(site))


def test_the_schedule_tells_when_the_watchdog_fired_and_is_told_without_the_database(site: Site) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    site.fire_watchdog()

    def fired() -> bool:
        watchdog = site.app.client.get(f"{BASE}/schedule").json()["watchdog"]
        return watchdog is not None and datetime.fromisoformat(watchdog) >= before

    eventually(fired, PATIENCE_SECONDS)
    site.stop_mongodb()
    answer = site.app.client.get(f"{BASE}/schedule")
    assert (answer.status_code, answer.json()["watchdog"]) == (200, None)
    assert answer.json()["schedule"]
