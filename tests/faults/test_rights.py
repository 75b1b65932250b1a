"""A MongoDB user with few rights: what suffices works, and what does not is named by code, command and collection."""

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.deployed import hasty_app
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, ROOT
from tests.faults.meddling import Meddling, Refusing
from tests.faults.messages import Message
from tests.faults.site import Site
from tests.faults.truth import check

BACKEND = ("users", "holdings", "watchlist", "accounts")
WRITES = ("insert", "update", "delete", "findAndModify")


class Watching:
    """Keeps the commands about indexes."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def sent(self, message: Message) -> Message:
        if message.command in ("createIndexes", "listIndexes"):
            self.seen.append((message.command, message.collection))
        return message

    def answered(self, message: Message) -> Message:
        return message


@pytest.fixture(scope="module")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("rights") / "site", users=7, FUNCTIONS_WORKER_PROCESS_COUNT="1")
    yield site
    site.close()


@pytest.fixture
def site(small_site: Site) -> Iterator[Site]:
    """Return the site with new workers, which know nothing of the indexes."""
    small_site.wire.meddling.clear()
    small_site.heal()
    yield small_site
    small_site.wire.meddling.clear()


def restart(site: Site, *meddling: Meddling, script_root: Path = ROOT) -> None:
    site.start_app(script_root)
    site.wait_for_workers()
    site.wire.meddling += meddling
    site.forget_log()


def test_the_first_trigger_of_a_new_deployment_has_its_keys_before_any_watchdog_and_leaves_the_backend_alone(
    site: Site,
) -> None:
    for name in site.database.list_collection_names():
        if name not in BACKEND:
            site.database[name].drop()
    watching = Watching()
    restart(site, watching)
    assert site.app.client.get(f"{BASE}/analysis-runs").status_code == 200
    assert watching.seen == []
    headers = {"Idempotency-Key": "a-new-deployment"}
    answers = [site.app.client.post(f"{BASE}/trigger-analysis", headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["run_id"] == answers[1].json()["run_id"]
    check(site, answers[0].json()["run_id"], states=("completed",))
    assert {collection for _, collection in watching.seen}.isdisjoint(BACKEND)
    assert {"run_id", "request_key"} <= set(site.database.portfolio_analysis_runs.index_information())
    assert "status_requested_at" not in site.database.portfolio_analysis_runs.index_information()
    site.fire_watchdog()
    eventually(lambda: "status_requested_at" in site.database.portfolio_analysis_runs.index_information())
    eventually(lambda: ("listIndexes", "instruments") in watching.seen)
    seen = len(watching.seen)
    site.fire_watchdog()
    check(site, site.trigger(), states=("completed",))
    assert len(watching.seen) == seen


def test_reading_the_backend_and_writing_what_is_there_suffices(site: Site) -> None:
    check(site, site.trigger(), states=("completed",))  # so that the indexes are there
    site.database.holdings.drop_indexes()
    restart(site, Refusing(["createIndexes"]), Refusing(WRITES, BACKEND))
    check(site, site.trigger(), states=("completed",))
    assert site.app.client.get("/api/health").json()["checks"]["mongodb"] == "ok"
    for _ in range(2):
        site.fire_watchdog()
    site.wait_for_log("An index is missing on a collection of the backend, so runs are slow .holdings: user_id.")
    assert site.log().count("An index is missing") == 1


@pytest.mark.parametrize("command", ["insert", "createIndexes"])
def test_a_right_that_a_trigger_lacks_is_named_and_nobody_is_told_to_try_again(site: Site, command: str) -> None:
    if command == "createIndexes":
        site.database.portfolio_analysis_runs.drop()
    restart(site, Refusing([command], ["portfolio_analysis_runs"]))
    answer = site.app.trigger()
    reason = f"13 Unauthorized: {command} on portfolio_analysis_runs"
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert "Retry-After" not in answer.headers
    assert answer.json()["type"] == "urn:portfolio-analysis:problem:database-refused"
    assert reason in answer.json()["detail"]
    assert "again" not in answer.json()["detail"].lower()
    assert reason in site.log()
    assert site.app.client.get(f"{BASE}/analysis-runs").status_code == 200


def test_a_right_that_a_step_lacks_is_in_the_runs_failure_without_the_command_itself(
    site: Site, tmp_path: Path
) -> None:
    restart(site, Refusing(["find"], ["holdings"]), script_root=hasty_app(tmp_path / "app"))
    run = site.wait(site.trigger())
    (error,) = run["errors"]
    assert (run["status"], error["error_type"]) == ("failed", "CommandRefused")
    assert error["error"] == "13 Unauthorized: find on holdings"
    assert "user-00000" not in site.log()
    assert "not authorized on portfolio to execute" not in site.log()


@pytest.mark.parametrize(
    ("command", "collection"), [("find", "accounts"), ("update", "health"), ("update", "run_batches")]
)
def test_the_health_check_finds_a_right_that_the_app_lacks(site: Site, command: str, collection: str) -> None:
    restart(site, Refusing([command], [collection]))
    eventually(lambda: site.app.client.get("/api/health").status_code == HTTPStatus.SERVICE_UNAVAILABLE)
    assert site.app.client.get("/api/health").json()["checks"]["mongodb"] == "unavailable"
    assert f"MongoDB refuses a command of the health check: 13 Unauthorized: {command} on {collection}" in site.log()
