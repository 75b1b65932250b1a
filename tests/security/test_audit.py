"""The audit log over HTTP: which run was asked for, and who has seen whose figures."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from stores.mongo import DocumentDatabase
from tests.end_to_end.app import BASE, App, running_app
from tests.faults.wire import Moment, Wire

RUNS = f"{BASE}/analysis-runs"
UNKNOWN = "run_20200101_000000_abcd"
QUANTITY = 7919  # a number that no other member contains


@dataclass
class Site:
    """An app, its database behind a wire, and a run of three users, one of whom failed."""

    app: App
    wire: Wire
    database: DocumentDatabase
    run_id: str = ""

    def entries(self, limit: int = 100) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.app.client.get(f"{BASE}/audit?limit={limit}").json()["entries"]
        return entries

    def asked(self, *members: str) -> tuple[Any, ...]:
        """Return these members of the newest entry."""
        (entry,) = self.entries(limit=1)
        return tuple(entry[member] for member in members)


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, mongodb_url: str, database: DocumentDatabase) -> Iterator[Site]:
    users = ["u1", "u2", "u3"]
    database.users.insert_many([{"user_id": user_id} for user_id in users])
    database.holdings.insert_many(
        [{"user_id": user_id, "symbol": "AAPL", "quantity": QUANTITY, "avg_price": 1} for user_id in users]
    )
    database.accounts.insert_one({"user_id": "u3", "cash": "many"})
    wire = Wire(int(mongodb_url.rpartition(":")[2]))
    environment = {
        "MONGODB_URL": f"mongodb://127.0.0.1:{wire.port}/?directConnection=true",
        "MONGODB_DATABASE": database.name,
        "MARKET_DATA_PROVIDER": "sample",
        "AUDIT_RETENTION_DAYS": "30",
    }
    with running_app(tmp_path_factory.mktemp("app"), **environment) as app:
        site = Site(app, wire, database)
        site.run_id = str(app.run()["run_id"])
        yield site
    wire.close()


def test_every_read_of_figures_is_on_record_with_the_users_it_showed(site: Site) -> None:
    portfolios = f"{RUNS}/{site.run_id}/portfolios"
    reads = [
        (portfolios, "list_portfolios", None, ["u1", "u2", "u3"]),
        (f"{portfolios}?limit=1&user_id_prefix=u2", "list_portfolios", None, ["u2"]),
        (f"{portfolios}?user_id_prefix=x", "list_portfolios", None, []),
        (f"{portfolios}/u1", "read_report", "u1", None),
        (f"{portfolios}/u1", "read_report", "u1", None),
        (f"{portfolios}/u1/series", "read_series", "u1", None),
        (f"{portfolios}/u2/earlier", "read_earlier", "u2", None),
        (f"{portfolios}/u1/returns", "read_returns", "u1", None),
        (f"{portfolios}/u2/gains?year=2020", "read_gains", "u2", None),
        (f"{portfolios}/u3/income", "read_income", "u3", None),
    ]
    for path, action, user_id, user_ids in reads:
        answer = site.app.client.get(path)
        assert answer.status_code == 200, answer.text
        (entry,) = site.entries(limit=1)
        count = None if user_ids is None else len(user_ids)
        assert [entry[name] for name in ("action", "outcome", "problem")] == [action, "accepted", None]
        assert [entry[name] for name in ("run_id", "user_id", "user_ids", "user_ids_count")] == [
            site.run_id,
            user_id,
            user_ids,
            count,
        ]
        assert (entry["actor"], entry["correlation_id"]) == ("admin-secret", answer.headers["X-Correlation-Id"])
    assert [entry["action"] for entry in reversed(site.entries())] == ["trigger", *(action for _, action, *_ in reads)]
    kept = json.dumps(list(site.database.audit_log.find({}, {"_id": False})), default=str)
    assert str(QUANTITY) not in kept
    periods = [entry["expires_at"] - entry["at"] for entry in site.database.audit_log.find({})]
    assert {period.days for period in periods} == {30}, "AUDIT_RETENTION_DAYS"


def test_a_refused_read_is_on_record_as_refused(site: Site) -> None:
    for path, expected in (
        (f"{UNKNOWN}/portfolios", ("list_portfolios", "not-found", UNKNOWN, None)),
        (f"{UNKNOWN}/portfolios/u1", ("read_report", "not-found", UNKNOWN, "u1")),
        (f"{UNKNOWN}/portfolios/u1/series", ("read_series", "not-found", UNKNOWN, "u1")),
        (f"{UNKNOWN}/portfolios/u1/earlier", ("read_earlier", "not-found", UNKNOWN, "u1")),
        (f"{UNKNOWN}/portfolios/u1/returns", ("read_returns", "not-found", UNKNOWN, "u1")),
        (f"{UNKNOWN}/portfolios/u1/gains?year=0", ("read_gains", "invalid-member", UNKNOWN, "u1")),
        ("no-run/portfolios/u1", ("read_report", "malformed-id", None, "u1")),
        (f"{UNKNOWN}/portfolios/$gt", ("read_report", "malformed-id", UNKNOWN, None)),
        (f"{UNKNOWN}/portfolios?limit=0", ("list_portfolios", "invalid-member", UNKNOWN, None)),
    ):
        assert site.app.client.get(f"{RUNS}/{path}").is_client_error
        assert site.asked("outcome", "action", "problem", "run_id", "user_id") == ("refused", *expected)
    with site.app.stranger() as stranger:
        assert stranger.get(f"{RUNS}/{site.run_id}/portfolios/u1").status_code == 401
    assert site.asked("action", "outcome", "problem") == ("sign_in", "refused", "unauthorized")


def test_no_figure_leaves_the_app_before_its_entry_and_none_without_it(site: Site) -> None:
    path = f"{RUNS}/{site.run_id}/portfolios/u1"
    before = len(site.entries())
    with ThreadPoolExecutor(1) as other:
        with site.wire.holding(Moment("insert", "audit_log")) as hold:
            read = other.submit(site.app.client.get, path)
            hold.wait()
            assert not read.done()
            assert site.database.audit_log.count_documents({}) == before
        assert read.result().status_code == 200
        with site.wire.holding(Moment("insert", "audit_log")) as hold:
            read = other.submit(site.app.client.get, path)
            hold.wait()
            site.wire.close()
            site.wire.cut()
        answer = read.result()
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (503, "database-unavailable")
    assert str(QUANTITY) not in answer.text
    site.wire.open()
    assert len(site.entries()) == before + 1


def test_a_trigger_tells_what_it_asks_for_even_if_nothing_comes_of_it(site: Site) -> None:
    many = [f"user-{number}" for number in range(150)]
    asked = ("action", "dry_run", "as_of", "user_ids", "user_ids_count", "outcome")
    body = {"dry_run": True, "as_of": "2020-01-02", "user_ids": many}
    started = site.app.trigger(**body)
    assert started.status_code == 202, started.text
    assert site.asked(*asked) == ("trigger", True, "2020-01-02", many[:100], 150, "accepted")
    site.app.wait(started.json()["run_id"])
    assert site.app.trigger(as_of="1500-01-01").status_code == 422
    assert site.asked(*asked) == ("trigger", False, "1500-01-01", None, None, "refused")
    assert site.app.trigger(as_of="yesterday").status_code == 422
    assert site.asked(*asked) == ("trigger", None, None, None, None, "refused")


def test_a_trigger_whose_outcome_is_not_recorded_has_told_what_it_asks_for(site: Site) -> None:
    with ThreadPoolExecutor(1) as other, site.wire.holding(Moment("update", "audit_log")) as hold:
        started = other.submit(site.app.trigger, dry_run=True, user_ids=["u1"])
        hold.wait()
        asked = site.database.audit_log.find_one({"action": "trigger", "outcome": "attempted"})
        hold.let_go.set()
        site.app.wait(started.result().json()["run_id"])
    assert asked is not None
    assert (asked["dry_run"], asked["user_ids"], asked["user_ids_count"]) == (True, ["u1"], 1)


def test_a_retry_tells_the_users_that_it_analyzes_again(site: Site) -> None:
    retried = site.app.client.post(f"{RUNS}/{site.run_id}/retry")
    assert retried.status_code == 202, retried.text
    as_of = site.app.status(site.run_id)["as_of"]
    members = ("action", "run_id", "dry_run", "as_of", "user_ids", "user_ids_count")
    assert site.asked(*members) == ("retry", retried.json()["run_id"], False, as_of, ["u3"], 1)
