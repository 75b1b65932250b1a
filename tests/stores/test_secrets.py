from collections.abc import Iterator
from pathlib import Path

import pytest

from settings import Settings
from stores.secrets import SecretMissing, Secrets, SecretsUnavailable
from tests.vault import Vault, a_vault

LOCAL = {"MONGODB_URL": "mongodb://localhost", "MARKET_DATA_PROVIDER": "sample"}


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with a_vault(tmp_path) as running:
        yield running


def secrets_in(vault: Vault, **environment: str) -> Secrets:
    settings = Settings.from_environment(LOCAL | {"KEY_VAULT_URL": vault.url} | environment)
    return Secrets(settings, vault.client)


def test_without_a_vault_the_admin_secret_is_the_setting() -> None:
    assert Secrets(Settings.from_environment(LOCAL | {"ADMIN_SECRET": "s"})).get("admin-secret") == "s"


def test_without_a_vault_and_a_setting_there_is_no_secret() -> None:
    with pytest.raises(SecretMissing):
        Secrets(Settings.from_environment(LOCAL)).get("admin-secret")


def test_with_a_vault_its_secret_counts_and_the_setting_does_not(vault: Vault) -> None:
    vault.secrets["admin-secret"] = "from the vault"
    assert secrets_in(vault, ADMIN_SECRET="from the setting").get("admin-secret") == "from the vault"


def test_a_secret_is_fetched_once_and_kept(vault: Vault) -> None:
    vault.secrets["admin-secret"] = "s"
    secrets = secrets_in(vault)
    assert [secrets.get("admin-secret") for _ in range(3)] == ["s"] * 3
    assert vault.asked == ["secrets/admin-secret"]


def test_a_secret_that_the_vault_does_not_hold_is_missing_even_where_the_setting_is_there(vault: Vault) -> None:
    with pytest.raises(SecretMissing):
        secrets_in(vault, ADMIN_SECRET="from the setting").get("admin-secret")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_vault_that_refuses_or_fails_is_unavailable(vault: Vault, status: int) -> None:
    vault.failing_with = status
    with pytest.raises(SecretsUnavailable):
        secrets_in(vault).get("admin-secret")


def test_a_vault_that_is_away_is_unavailable(tmp_path: Path) -> None:
    with a_vault(tmp_path) as gone:
        secrets = secrets_in(gone)
    with pytest.raises(SecretsUnavailable):
        secrets.get("admin-secret")


def test_a_vault_that_comes_back_is_asked_again(vault: Vault) -> None:
    secrets = secrets_in(vault)
    vault.secrets["admin-secret"], vault.failing_with = "s", 403
    with pytest.raises(SecretsUnavailable):
        secrets.get("admin-secret")
    vault.failing_with = None
    assert secrets.get("admin-secret") == "s"
