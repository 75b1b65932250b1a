"""The health of the app's dependencies: the vault and the engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from functions import health
from functions.answers import Checks, Health
from functions.engine import Engine
from settings import Settings
from stores.mongo import DocumentDatabase
from stores.secrets import Secrets
from tests.clock import Clock
from tests.functions.engine import engine_away
from tests.functions.engines import silent
from tests.vault import Vault, a_vault


class Connections:
    """Connections to a working database, without Redis."""

    def __init__(self, database: DocumentDatabase) -> None:
        self.mongodb = database.client
        self.price_cache = None


IN_AZURE = {"MARKET_DATA_PROVIDER": "sample", "ANALYSIS_SCHEDULE": "0 0 1 * * *"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(tmp_path: Path, database: DocumentDatabase, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    with a_vault(tmp_path) as running:
        settings = Settings.from_environment(IN_AZURE | {"KEY_VAULT_URL": running.url})
        secrets = Secrets(settings, running.client, clock, clock.utc)
        monkeypatch.setattr(health, "settings", lambda: settings)
        monkeypatch.setattr(health, "secrets", lambda: secrets)
        monkeypatch.setattr(health, "connections", lambda: Connections(database))
        yield running


def state(engine: Engine) -> tuple[object, object]:
    found = health.check(engine)
    return found.status, found.checks.key_vault


def test_everything_is_healthy_while_the_vault_answers_and_health_checks_send_it_no_requests(
    vault: Vault, engine: Engine
) -> None:
    vault.put("admin-secret", "s")
    assert [state(engine) for _ in range(20)] == [("ok", "ok")] * 20
    assert len(vault.asked) == 2


def test_an_unavailable_vault_means_degraded_while_the_secret_is_known_and_then_unavailable(
    vault: Vault, clock: Clock, engine: Engine
) -> None:
    vault.put("admin-secret", "s")
    state(engine)
    vault.failing_with = 503
    clock.advance(301)
    assert state(engine) == ("degraded", "unavailable")
    clock.advance(3_600)
    assert state(engine) == ("unavailable", "unavailable")


def test_without_an_admin_secret_the_app_is_unavailable(vault: Vault, engine: Engine) -> None:
    assert vault.secrets == {}
    assert state(engine) == ("unavailable", "unavailable")


@pytest.mark.parametrize("at", ["an engine that is away", "an engine that is silent"])
def test_an_engine_that_does_not_answer_makes_the_app_unavailable_and_only_it_is_named(vault: Vault, at: str) -> None:
    vault.put("admin-secret", "s")
    with silent() as client:
        engine = engine_away() if at == "an engine that is away" else Engine(client, 0.2)
        assert health.check(engine) == Health("unavailable", Checks("ok", "not_configured", "ok", "unavailable"))
