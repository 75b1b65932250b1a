"""A complete environment passes; if any one thing is missing, it is named."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest

from devhost.errors import StartError
from devhost.findings import Finding
from devhost.preflight import preflight, read_settings
from devhost.preflight_database import _OWN
from devhost.preflight_platform import POLLING_SETTING
from stores.mongo import OWN_COLLECTIONS, DocumentDatabase
from stores.portfolios import PortfolioStore
from tests.conftest import free_port
from tests.end_to_end.app import SECRET, App
from tests.faults.meddling import Refusing
from tests.faults.wire import Wire
from tests.infra.bicep import ROOT
from tests.infra.storage import Storage, a_storage_account
from tests.vault import Vault, a_vault


@dataclass
class Place:
    """A whole environment: settings, and their servers."""

    vault: Vault
    storage: Storage
    database: DocumentDatabase
    prices: Path
    settings: dict[str, str]
    secrets: dict[str, str] = field(default_factory=dict)

    def check(self, app_url: str | None = None) -> list[Finding]:
        for name, value in self.secrets.items():
            self.vault.put(name, value)
        return list(preflight(os.environ | self.settings, app_url))

    def quote(self, day: datetime) -> None:
        (self.prices / "SPY.csv").write_text(f"date,close\n{day:%Y-%m-%d},500\n")


@pytest.fixture
def place(
    tmp_path: Path, database: DocumentDatabase, mongodb_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    database["users"].insert_many([{"user_id": "u1"}, {"user_id": "boss", "is_admin": True}])
    for name in ("holdings", "watchlist", "accounts", "transactions"):
        database[name].insert_one({"user_id": "u1"})
    database["instruments"].insert_one({"symbol": "AAPL", "kind": "stock"})
    for store in (*_OWN, PortfolioStore):
        store(database).ensure_indexes()
    prices = tmp_path / "prices"
    prices.mkdir()
    with a_vault(tmp_path) as vault, a_storage_account() as storage:
        for name, value in vault.environment().items():
            monkeypatch.setenv(name, value)
        settings = storage.environment() | {
            "MONGODB_DATABASE": database.name,
            "MARKET_DATA_PROVIDER": "csv",
            "PRICES_DIR": str(prices),
            "ANALYSIS_SCHEDULE": "0 0 1 * * *",
            "JWT_AUDIENCE": "admin",
            "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "131072",
            "AzureWebJobsDisableHomepage": "true",
            "ALERTS_ENABLED": "true",
            "TRUSTED_PROXIES": "1",
        }
        secrets = {"admin-secret": SECRET, "jwt-secret": "k" * 32, "mongodb-url": mongodb_url, "redis-url": redis_url}
        found = Place(vault, storage, database, prices, settings, secrets)
        found.quote(datetime.now(UTC) - timedelta(days=3))
        yield found


def lacking(findings: list[Finding]) -> list[str]:
    return [finding.subject for finding in findings if finding.good is False]


def test_the_indexes_of_all_own_collections_are_looked_for(database: DocumentDatabase) -> None:
    looked_at = {collection.name for store in _OWN for collection, _ in store(database).indexes()}
    assert looked_at | {"nights", "run_leases", "portfolio_summaries"} >= set(OWN_COLLECTIONS)


def test_in_a_complete_environment_nothing_is_reported_missing_and_nothing_is_written(place: Place) -> None:
    names = set(place.database.list_collection_names())
    counts = {name: place.database[name].count_documents({}) for name in names}
    findings = place.check()
    assert [finding for finding in findings if finding.good is not True] == []
    assert {finding.subject for finding in findings} == {
        "settings", "secret", "tokens", "roles", "database", "clock", "collections", "indexes", "redis", "prices",
        "schedule", "alerts", "proxies", "platform",
    }  # fmt: skip
    assert {name: place.database[name].count_documents({}) for name in place.database.list_collection_names()} == counts
    assert all(asked.startswith("GET") for asked in place.storage.asked)


def no_settings(place: Place) -> None:
    place.settings["MARKET_DATA_PROVIDER"] = "yahoo"


def no_secret(place: Place) -> None:
    del place.secrets["admin-secret"]


def no_audience(place: Place) -> None:
    del place.settings["JWT_AUDIENCE"]


def no_role_on_the_vault(place: Place) -> None:
    place.vault.failing_with = 403


def no_role_on_queues(place: Place) -> None:
    place.storage.allowed.remove("queue")


def no_database_url(place: Place) -> None:
    del place.secrets["mongodb-url"]


def no_database(place: Place) -> None:
    place.secrets["mongodb-url"] = f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=200"


def no_holdings(place: Place) -> None:
    place.database["holdings"].drop()


def no_redis(place: Place) -> None:
    place.secrets["redis-url"] = f"redis://127.0.0.1:{free_port()}"


def no_new_prices(place: Place) -> None:
    place.quote(datetime(2020, 1, 2, tzinfo=UTC))


def no_key_of_the_provider(place: Place) -> None:
    place.settings |= {"MARKET_DATA_PROVIDER": "alpaca", "ALPACA_URL": f"http://127.0.0.1:{free_port()}"}


def no_schedule(place: Place) -> None:
    del place.settings["ANALYSIS_SCHEDULE"]


def no_limit_of_bodies(place: Place) -> None:
    del place.settings["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"]


def no_limit_worth_the_name(place: Place) -> None:
    place.settings["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] = "131073"


def no_room_for_a_body_that_the_api_takes(place: Place) -> None:
    place.settings["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] = "65535"


def no_number_for_a_limit(place: Place) -> None:
    place.settings["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] = "128k"


def no_rest_from_the_platforms_page(place: Place) -> None:
    place.settings["AzureWebJobsDisableHomepage"] = "1"


def no_alerts_beside_the_timer(place: Place) -> None:
    place.settings |= {"ALERTS_ENABLED": "false"}


def no_protocol_for_the_host(place: Place) -> None:
    place.settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = "https://collector.example:4318"


def no_protocol_of_the_workers(place: Place) -> None:
    no_protocol_for_the_host(place)
    place.settings["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc"


@pytest.mark.parametrize(
    ("take_away", "subject", "word"),
    [
        (no_settings, "settings", "MARKET_DATA_PROVIDER"),
        (no_secret, "secret", "admin-secret is not in the vault"),
        (no_audience, "tokens", "JWT_AUDIENCE is not set: tokens signed with jwt-secret are rejected"),
        (no_role_on_the_vault, "secret", "Key Vault Secrets User"),
        (no_role_on_queues, "roles", "Storage Queue Data Contributor"),
        (no_database_url, "database", "mongodb-url is not in the vault"),
        (no_database, "database", "ServerSelectionTimeoutError"),
        (no_redis, "redis", "ConnectionError"),
        (no_new_prices, "prices", "SPY: no prices"),
        (no_key_of_the_provider, "prices", "alpaca gives none: alpaca-key-id is not in the vault"),
        (no_schedule, "settings", "ANALYSIS_SCHEDULE is missing"),
        (no_limit_of_bodies, "platform", "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT is not set: set 131072"),
        (no_limit_worth_the_name, "platform", "is 131073: set 131072"),
        (no_room_for_a_body_that_the_api_takes, "platform", "is 65535: the API takes 65536"),
        (no_number_for_a_limit, "platform", "is not a number: 128k"),
        (no_rest_from_the_platforms_page, "platform", "AzureWebJobsDisableHomepage is not true"),
        (
            no_alerts_beside_the_timer,
            "alerts",
            "the timer is enabled and the alerts are not: set alertsEnabled to true",
        ),
        (no_protocol_for_the_host, "telemetry", "OTEL_EXPORTER_OTLP_PROTOCOL is not set: set http/protobuf"),
        (no_protocol_of_the_workers, "telemetry", "OTEL_EXPORTER_OTLP_PROTOCOL is grpc"),
    ],
)
def test_a_missing_requirement_is_named(
    take_away: Callable[[Place], None], subject: str, word: str, place: Place
) -> None:
    take_away(place)
    findings = place.check()
    assert lacking(findings) == [subject]
    assert word in next(finding.text for finding in findings if finding.good is False)
    printed = " ".join(finding.text for finding in findings)
    assert not [value for value in place.secrets.values() if value in printed]


def test_a_collection_that_is_missing_is_named_and_nothing_is_created_in_a_database_that_may_be_the_wrong_one(
    place: Place,
) -> None:
    no_holdings(place)
    place.database["portfolio_analysis_runs"].drop_indexes()
    findings = place.check()
    assert lacking(findings) == ["collections"]
    assert "holdings is empty or not there: is MONGODB_DATABASE the backend's, and FIELDS right?" in [
        found.text for found in findings
    ]
    assert "indexes" not in {finding.subject for finding in findings}
    assert "holdings" not in place.database.list_collection_names()
    assert set(place.database["portfolio_analysis_runs"].index_information()) == {"_id_"}


def about(findings: list[Finding], subject: str) -> list[tuple[bool | None, str]]:
    return [(finding.good, finding.text) for finding in findings if finding.subject == subject]


def test_indexes_that_lack_are_created_those_of_the_backend_too(place: Place) -> None:
    place.database["portfolio_analysis_runs"].drop_index("status_requested_at")
    place.database["holdings"].drop_indexes()
    assert about(place.check(), "indexes") == [
        (True, "portfolio_analysis_runs: status, requested_at; created"),
        (True, "holdings: user_id; created"),
        (True, "all there"),
    ]
    assert about(place.check(), "indexes") == [(True, "all there")]


def test_collections_and_indexes_are_looked_for_where_the_fields_are(place: Place) -> None:
    place.database["holdings"].rename("positions")
    place.database["positions"].insert_one({"owner": {"id": "u1"}})
    place.settings["FIELDS"] = "holdings=positions,holdings.user_id=owner.id,accounts=users.wallet,users.is_admin=boss"
    findings = place.check()
    assert lacking(findings) == []
    assert about(findings, "collections") == [
        (True, "users"),
        (True, "positions"),
        (True, "watchlist"),
        (True, "instruments"),
        (True, "transactions"),
        (None, "no user is an administrator (boss): no token of the backend gives access"),
    ]
    assert about(findings, "indexes") == [(True, "positions: owner.id; created"), (True, "all there")]


def test_an_index_that_may_not_be_created_is_named_with_the_reason(place: Place, mongodb_url: str) -> None:
    place.database["holdings"].drop_indexes()
    place.database["run_batches"].drop_index("run_id")
    wire = Wire(urlsplit(mongodb_url).port or 0)
    wire.meddling.append(Refusing(["createIndexes"]))
    place.secrets["mongodb-url"] = f"mongodb://127.0.0.1:{wire.port}/?directConnection=true"
    reason = "it cannot be looked for or created (13 Unauthorized: createIndexes on"
    assert about(place.check(), "indexes") == [
        (False, f"run_batches: run_id; {reason} run_batches)"),
        (False, f"holdings: user_id; {reason} holdings)"),
    ]
    wire.close()


def test_a_collation_of_the_backend_is_told_and_an_exact_index_created_beside_its_own(place: Place) -> None:
    place.database["users"].drop()
    place.database.create_collection("users", collation={"locale": "en", "strength": 2})
    place.database["users"].insert_one({"user_id": "boss", "is_admin": True})
    findings = place.check()
    told = "users compares by en, strength 2: the app compares ids exactly, for which an index of its own is needed"
    assert about(findings, "collections")[1] == (None, told)
    assert about(findings, "indexes") == [(True, "users: user_id; created"), (True, "all there")]
    assert place.database["users"].index_information()["user_id_simple"]["collation"]["locale"] == "simple"


def test_a_wrong_clock_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) - timedelta(minutes=2)

    monkeypatch.setattr("devhost.preflight_database.datetime", Slow)
    assert lacking(place.check()) == ["clock"]


def test_a_possibly_intended_state_is_reported_and_is_not_a_failure(place: Place) -> None:
    del place.secrets["jwt-secret"], place.secrets["redis-url"]
    place.database["users"].update_many({}, {"$set": {"is_admin": False}})
    place.settings |= {"AzureWebJobs.nightly_analysis.Disabled": "true"}
    findings = place.check()
    assert lacking(findings) == []
    assert {finding.subject for finding in findings if finding.good is None} == {
        "tokens", "redis", "collections", "schedule",
    }  # fmt: skip


def test_alerts_that_nobody_told_of_are_noted_beside_a_timer_and_not_without_one(place: Place) -> None:
    del place.settings["ALERTS_ENABLED"]
    ((good, text),) = about(place.check(), "alerts")
    assert (good, "does something else tell of a night without a run?" in text) == (None, True)
    place.settings |= {"AzureWebJobs.nightly_analysis.Disabled": "true"}
    assert about(place.check(), "alerts") == []


def test_a_collector_that_host_and_workers_reach_is_accepted(place: Place) -> None:
    no_protocol_for_the_host(place)
    place.settings["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
    assert [finding.good for finding in place.check() if finding.subject == "telemetry"] == [True]


def test_slow_polling_of_idle_queues_is_noted_where_the_plan_does_not_prevent_it(place: Place) -> None:
    place.settings["FUNCTIONS_WORKER_RUNTIME"] = "python"
    (noted,) = [finding for finding in place.check() if finding.good is None]
    assert noted.text.startswith(f"{POLLING_SETTING} is not set")
    place.settings[POLLING_SETTING] = "00:00:02"
    assert [finding for finding in place.check() if finding.good is None] == []
    del place.settings[POLLING_SETTING]
    place.settings["DURABLE_TASK_SCHEDULER"] = "Endpoint=https://scheduler.example"
    assert [finding for finding in place.check() if finding.good is None] == []


def test_a_deployed_app_is_checked_from_outside(place: Place, app: App) -> None:
    findings = place.check(str(app.client.base_url))
    assert lacking(findings) == []
    assert [finding.text for finding in findings if finding.subject == "app"][-1].startswith(
        "the admin secret is accepted"
    )


def test_an_app_with_another_secret_or_no_app_at_all_is_named(place: Place, app: App) -> None:
    place.secrets["admin-secret"] = "of another environment"
    assert lacking(place.check(str(app.client.base_url))) == ["app"]
    assert lacking(place.check(f"http://127.0.0.1:{free_port()}")) == ["app"]


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "devhost", "preflight", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_reads_the_output_of_the_azure_cli_and_fails_if_something_is_missing(
    place: Place, tmp_path: Path
) -> None:
    for name, value in place.secrets.items():
        place.vault.put(name, value)
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps([{"name": name, "value": value} for name, value in place.settings.items()]))
    done = command("--settings", str(settings))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "Nothing is missing."
    place.storage.allowed.clear()
    done = command("--settings", str(settings))
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "3 missing"


@pytest.mark.parametrize("content", ["", "[]x", '{"A": "b"}', "3"])
def test_a_file_that_holds_no_settings_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(content)
    with pytest.raises(StartError, match="contains no app settings"):
        read_settings(path)


def test_preflight_signs_in_as_its_user(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(
        '[{"name": "AZURE_TOKEN_CREDENTIALS", "value": "ManagedIdentityCredential"}, {"name": "A", "value": "b"}]'
    )
    assert read_settings(path) == {"A": "b"}


def test_the_local_settings_are_read_too() -> None:
    assert read_settings(ROOT / "local.settings.json")["ANALYSIS_SCHEDULE"] == "0 0 1 * * *"
