"""The health of the app's dependencies: the vault and the engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from credentials.secrets import Secrets
from functions.engine import DurableEngine
from functions.http import health
from functions.http.answers import Dependencies, Health
from functions.services import Worker
from settings import Settings
from stores.mongo import DocumentDatabase
from tests.clock import Clock
from tests.engine import engine_away
from tests.faulty_engines import silent
from tests.vault import Vault, a_vault

if TYPE_CHECKING:
    from runs.services import Services


class Connections:
    """Connections to a working database."""

    def __init__(self, database: DocumentDatabase) -> None:
        self.mongodb = database.client


IN_AZURE = {"MARKET_DATA_PROVIDER": "sample", "ANALYSIS_SCHEDULE": "0 0 1 * * *"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with a_vault(tmp_path) as running:
        yield running


@pytest.fixture
def worker(vault: Vault, database: DocumentDatabase, clock: Clock) -> Worker:
    made = Worker(Settings.from_environment(IN_AZURE | {"KEY_VAULT_URL": vault.url}))
    made.secrets = Secrets(made.settings, vault.client, clock, clock.utc)
    made.connections = lambda: cast("Services", Connections(database))
    made.redis = lambda: None
    return made


def state(worker: Worker, engine: DurableEngine) -> tuple[object, object]:
    found = health.check(worker, engine)
    return found.status, found.checks.key_vault


def test_everything_is_healthy_while_the_vault_answers_and_health_checks_send_it_no_requests(
    vault: Vault, worker: Worker, engine: DurableEngine
) -> None:
    vault.put("admin-secret", "s")
    assert [state(worker, engine) for _ in range(20)] == [("ok", "ok")] * 20
    assert len(vault.asked) == 2


def test_an_unavailable_vault_means_degraded_while_the_secret_is_known_and_then_unavailable(
    vault: Vault, worker: Worker, clock: Clock, engine: DurableEngine
) -> None:
    vault.put("admin-secret", "s")
    state(worker, engine)
    vault.failing_with = 503
    clock.advance(301)
    assert state(worker, engine) == ("degraded", "unavailable")
    clock.advance(3_600)
    assert state(worker, engine) == ("unavailable", "unavailable")


def test_without_an_admin_secret_the_app_is_unavailable(vault: Vault, worker: Worker, engine: DurableEngine) -> None:
    assert vault.secrets == {}
    assert state(worker, engine) == ("unavailable", "unavailable")


@pytest.mark.parametrize("at", ["an engine that is away", "an engine that is silent"])
def test_an_engine_that_does_not_answer_makes_the_app_unavailable_and_only_it_is_named(
    vault: Vault, worker: Worker, at: str
) -> None:
    vault.put("admin-secret", "s")
    with silent() as client:
        engine = engine_away() if at == "an engine that is away" else DurableEngine(client, 0.2)
        assert health.check(worker, engine) == Health(
            "unavailable", Dependencies("ok", "not_configured", "ok", "unavailable")
        )
