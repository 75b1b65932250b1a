"""What the services need from a vault, and say where it is not there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from credentials.secrets import Secrets
from credentials.vault import SecretsUnavailable
from functions import services
from market_data.provider import KeyRefused
from settings import Settings
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
    services._redis_server.cache_clear()  # noqa: SLF001 - a worker's own life is one process
    services._sign_in_failures.cache_clear()  # noqa: SLF001


def test_a_vault_without_a_url_of_redis_is_asked_for_it_once_however_many_sign_in(
    vault: Vault, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        services.sign_in_failures()
        assert services.redis_server() is None
        clock.advance(6)
    assert vault.asked == ["secrets/redis-url"]
    assert [record.message for record in caplog.records if record.name == services.__name__] == [
        "No REDIS_URL: rate limits and sign-in failures are counted by each worker"
    ]


def test_a_vault_that_is_away_at_first_is_asked_again_for_the_url_of_redis(vault: Vault, clock: Clock) -> None:
    vault.put("redis-url", "redis://127.0.0.1:1")
    vault.failing_with = 503
    own = services.sign_in_failures()
    for _ in range(10):
        assert services.sign_in_failures() is own
    assert len(vault.asked) == 1
    with pytest.raises(SecretsUnavailable):
        services.redis_server()
    vault.failing_with = None
    clock.advance(16)
    shared = services.sign_in_failures()
    assert shared is not own
    assert services.sign_in_failures() is shared
    assert services.redis_server() is services.redis_server() is not None


def test_a_key_of_the_provider_that_the_vault_does_not_hold_is_told_by_its_names(
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
