"""The values that the services need from a vault, and their errors if it does not have them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from functions import services
from market_data.provider import KeyRefused
from settings import Settings
from stores.secrets import Secrets
from tests.clock import Clock
from tests.vault import Vault, a_vault

IN_AZURE = {"MARKET_DATA_PROVIDER": "sample", "ANALYSIS_SCHEDULE": "0 0 1 * * *"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    with a_vault(tmp_path) as running:
        settings = Settings.from_environment(IN_AZURE | {"KEY_VAULT_URL": running.url})
        secrets = Secrets(settings, running.client, clock, clock.utc)
        monkeypatch.setattr(services, "settings", lambda: settings)
        monkeypatch.setattr(services, "secrets", lambda: secrets)
        forget()
        yield running
        forget()


def forget() -> None:
    services._sign_in_failures.cache_clear()  # noqa: SLF001 - as in a new worker process
    services._own_sign_in_failures.cache_clear()  # noqa: SLF001


def test_a_vault_without_a_url_of_redis_is_asked_for_it_once_for_any_number_of_sign_ins(
    vault: Vault, clock: Clock
) -> None:
    for _ in range(100):
        services.sign_in_failures()
        clock.advance(6)
    assert vault.asked == ["secrets/redis-url"]


def test_a_vault_that_is_away_at_first_is_asked_again_for_the_url_of_redis(vault: Vault, clock: Clock) -> None:
    vault.put("redis-url", "redis://127.0.0.1:1")
    vault.failing_with = 503
    own = services.sign_in_failures()
    vault.failing_with = None
    clock.advance(16)
    shared = services.sign_in_failures()
    assert shared is not own
    assert services.sign_in_failures() is shared


def test_a_provider_key_that_is_not_in_the_vault_is_reported_with_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_vault(tmp_path) as vault:
        settings = Settings.from_environment(IN_AZURE | {"KEY_VAULT_URL": vault.url, "MARKET_DATA_PROVIDER": "alpaca"})
        secrets = Secrets(settings, vault.client)
        monkeypatch.setattr(services, "secrets", lambda: secrets)
        vault.put("alpaca-secret-key", "from the vault")
        assert services.provider_key("alpaca-secret-key") == "from the vault"
        with pytest.raises(KeyRefused, match=r"^ALPACA_KEY_ID is missing: the vault has no secret alpaca-key-id"):
            services.provider_key("alpaca-key-id")
