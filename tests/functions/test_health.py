from collections.abc import Iterator
from pathlib import Path

import pytest

from functions import health
from settings import Settings
from stores.mongo import DocumentDatabase
from stores.secrets import Secrets
from tests.clock import Clock
from tests.vault import Vault, a_vault


class Connections:
    """A database that answers, and no Redis."""

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


def state() -> tuple[object, object]:
    found = health.check()
    return found.status, found.checks.key_vault


def test_all_is_well_while_the_vault_answers_and_asking_costs_it_nothing(vault: Vault) -> None:
    vault.put("admin-secret", "s")
    assert [state() for _ in range(20)] == [("ok", "ok")] * 20
    assert len(vault.asked) == 2


def test_a_vault_that_is_away_degrades_while_the_secret_is_known_and_then_shuts_the_app(
    vault: Vault, clock: Clock
) -> None:
    vault.put("admin-secret", "s")
    state()
    vault.failing_with = 503
    clock.advance(301)
    assert state() == ("degraded", "unavailable")
    clock.advance(3_600)
    assert state() == ("unavailable", "unavailable")


def test_without_an_admin_secret_the_app_is_unavailable(vault: Vault) -> None:
    assert vault.secrets == {}
    assert state() == ("unavailable", "unavailable")
