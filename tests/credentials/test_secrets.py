from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from credentials.secrets import SecretMissing, SecretName, Secrets, SecretsUnavailable, Versions
from settings import Settings
from tests.clock import Clock
from tests.vault import Vault, a_vault

LOCAL = {
    "MONGODB_URL": "mongodb://localhost",
    "MARKET_DATA_PROVIDER": "sample",
    "ANALYSIS_SCHEDULE": "0 0 1 * * *",
}
ADMIN: SecretName = "admin-secret"
MINUTE, HOUR, DAY = 60, 3600, 86_400


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with a_vault(tmp_path) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secrets(vault: Vault, clock: Clock) -> Secrets:
    return secrets_in(vault, clock)


@pytest.fixture
def azure(vault: Vault, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Secrets:
    """Return the secrets as created by a worker in Azure, where the test sets only the environment."""
    for name, value in vault.environment().items():
        monkeypatch.setenv(name, value)
    return Secrets(Settings.from_environment(LOCAL | vault.environment()), clock=clock, now=clock.utc)


def secrets_in(vault: Vault, clock: Clock, **environment: str) -> Secrets:
    settings = Settings.from_environment(LOCAL | {"KEY_VAULT_URL": vault.url} | environment)
    return Secrets(settings, vault.client, clock, clock.utc)


def values(secrets: Secrets, name: SecretName = ADMIN) -> list[str]:
    return [version.value for version in secrets.accepted(name)]


def is_(value: str) -> Callable[[Versions], str | None]:
    return lambda versions: next((version.value for version in versions if version.value == value), None)


def test_without_a_vault_the_admin_secret_is_the_setting_without_a_version() -> None:
    (only,) = Secrets(Settings.from_environment(LOCAL | {"ADMIN_SECRET": "s"})).accepted(ADMIN)
    assert (only.value, only.id) == ("s", None)


def test_without_a_vault_the_keys_of_the_provider_are_settings() -> None:
    keys = {"MARKET_DATA_PROVIDER": "alpaca", "ALPACA_KEY_ID": "id", "ALPACA_SECRET_KEY": "secret"}
    secrets = Secrets(Settings.from_environment(LOCAL | keys))
    assert (secrets.get("alpaca-key-id"), secrets.get("alpaca-secret-key")) == ("id", "secret")


NAMES: tuple[SecretName, ...] = get_args(SecretName.__value__)


@pytest.mark.parametrize("name", NAMES)
def test_without_a_vault_and_a_setting_there_is_no_secret(name: SecretName) -> None:
    with pytest.raises(SecretMissing):
        Secrets(Settings.from_environment(LOCAL)).get(name)


def test_with_a_vault_its_secret_counts_and_the_setting_does_not(vault: Vault, clock: Clock) -> None:
    vault.put(ADMIN, "from the vault")
    assert values(secrets_in(vault, clock, ADMIN_SECRET="from the setting")) == ["from the vault"]


def test_a_secret_is_fetched_in_two_requests_and_kept(vault: Vault, secrets: Secrets) -> None:
    version = vault.put(ADMIN, "s")
    assert [secrets.get(ADMIN) for _ in range(100)] == ["s"] * 100
    assert vault.asked == ["secrets/admin-secret/versions", f"secrets/admin-secret/{version.id}"]
    assert vault.challenged == 1


def test_after_five_minutes_only_the_list_of_versions_is_fetched_again(
    vault: Vault, secrets: Secrets, clock: Clock
) -> None:
    vault.put(ADMIN, "old")
    vault.put(ADMIN, "new")
    secrets.get(ADMIN)
    vault.asked.clear()
    clock.advance(5 * MINUTE + 1)
    assert values(secrets) == ["new", "old"]
    assert vault.asked == ["secrets/admin-secret/versions"]


@pytest.mark.parametrize("name", ["alpaca-key-id", "alpaca-secret-key", "alphavantage-api-key"])
def test_a_key_of_the_provider_is_the_current_version_in_one_request(
    vault: Vault, secrets: Secrets, clock: Clock, name: SecretName
) -> None:
    vault.put(name, "old")
    assert values(secrets, name) == ["old"]
    vault.put(name, "new")
    clock.advance(5 * MINUTE + 1)
    assert values(secrets, name) == ["new"]
    assert vault.asked == [f"secrets/{name}"] * 2


@pytest.mark.parametrize("name", ["mongodb-url", "redis-url"])
def test_the_url_of_a_server_is_the_current_version_in_one_request(
    vault: Vault, secrets: Secrets, name: SecretName
) -> None:
    scheme = name.removesuffix("-url")
    vault.put(name, f"{scheme}://old")
    vault.put(name, f"{scheme}://new")
    assert values(secrets, name) == [f"{scheme}://new"]
    assert vault.asked == [f"secrets/{name}"]


@pytest.mark.parametrize("name", ["admin-secret", "jwt-secret"])
def test_the_newest_two_versions_are_accepted_newest_first(vault: Vault, secrets: Secrets, name: SecretName) -> None:
    versions = [vault.put(name, f"a value long enough for a key, {n}") for n in range(5)]
    accepted = secrets.accepted(name)
    assert [version.id for version in accepted] == [versions[4].id, versions[3].id]
    assert [version.value for version in accepted] == [versions[4].value, versions[3].value]


def test_a_key_of_less_than_32_bytes_is_not_accepted(vault: Vault, secrets: Secrets) -> None:
    vault.put("jwt-secret", "0123456789abcdef0123456789abcdef")
    vault.put("jwt-secret", "0123456789abcdef0123456789abcde")
    assert values(secrets, "jwt-secret") == ["0123456789abcdef0123456789abcdef"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"enabled": False},
        {"ends": Clock().utc() - timedelta(seconds=1)},
        {"starts": Clock().utc() + timedelta(minutes=1)},
    ],
    ids=["disabled", "expired", "not valid yet"],
)
def test_a_version_that_does_not_count_is_refused_and_the_two_below_it_are_accepted(
    vault: Vault, secrets: Secrets, attributes: dict[str, object]
) -> None:
    for value in ("oldest", "old", "current"):
        vault.put(ADMIN, value)
    refused = vault.put(ADMIN, "refused", **attributes)
    assert values(secrets) == ["current", "old"]
    assert f"secrets/{ADMIN}/{refused.id}" not in vault.asked


def test_if_no_version_counts_there_is_no_secret(vault: Vault, secrets: Secrets) -> None:
    vault.put(ADMIN, "disabled", enabled=False)
    vault.put(ADMIN, "expired", ends=Clock().utc() - timedelta(days=1))
    with pytest.raises(SecretMissing):
        secrets.get(ADMIN)


def test_a_version_expires_on_time_even_if_it_is_cached(vault: Vault, secrets: Secrets, clock: Clock) -> None:
    vault.put(ADMIN, "old", ends=clock.utc() + timedelta(minutes=1))
    vault.put(ADMIN, "new")
    assert values(secrets) == ["new", "old"]
    clock.advance(MINUTE + 1)
    assert values(secrets) == ["new"]
    assert vault.listings(ADMIN) == 1


def test_a_version_that_is_disabled_is_refused_after_five_minutes(vault: Vault, secrets: Secrets, clock: Clock) -> None:
    withdrawn = vault.put(ADMIN, "withdrawn")
    vault.put(ADMIN, "new")
    secrets.get(ADMIN)
    withdrawn.enabled = False
    clock.advance(5 * MINUTE + 1)
    assert values(secrets) == ["new"]


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_that_is_not_in_the_vault_is_missing_even_if_the_setting_exists(
    vault: Vault, clock: Clock, name: SecretName
) -> None:
    jwt = {"JWT_SECRET": "from the setting " * 2, "JWT_AUDIENCE": "app"}
    secrets = secrets_in(vault, clock, ADMIN_SECRET="from the setting", **jwt)
    with pytest.raises(SecretMissing):
        secrets.get(name)
    assert len(vault.asked) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mongodb-url", "https://db.example"),
        ("mongodb-url", "mongodb://user:hunter2/x@db.example"),
        ("redis-url", "redis://:hunter2/x@cache.example:6380/0"),
        ("redis-url", "redis://cache.example:port/0"),
        ("redis-url", "cache.example:6380,password=hunter2,ssl=True"),
    ],
)
def test_an_unusable_url_counts_as_missing_and_is_logged_without_its_password(
    vault: Vault, secrets: Secrets, caplog: pytest.LogCaptureFixture, name: SecretName, value: str
) -> None:
    vault.put(name, value)
    with pytest.raises(SecretMissing):
        secrets.get(name)
    assert f"{name} is not a URL" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_url_that_names_another_database_than_the_setting_counts_as_missing_and_is_logged_without_it(
    vault: Vault, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    vault.put("mongodb-url", "mongodb://user:hunter2@db.example/shop")
    assert secrets_in(vault, clock, MONGODB_DATABASE="shop").get("mongodb-url").endswith("/shop")
    assert "counts as missing" not in caplog.text
    with pytest.raises(SecretMissing):
        secrets_in(vault, clock).get("mongodb-url")
    assert "mongodb-url names another database than MONGODB_DATABASE, portfolio: it counts as missing" in caplog.text
    assert "hunter2" not in caplog.text


VALUES = {"mongodb-url": "mongodb://db.example", "redis-url": "redis://cache.example", "jwt-secret": "k" * 32}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("white_space", ["\n", "\r\n", " "])
def test_white_space_around_a_secret_is_ignored_and_logged_once_with_its_name_only(
    vault: Vault, clock: Clock, name: SecretName, white_space: str, caplog: pytest.LogCaptureFixture
) -> None:
    value = VALUES.get(name, "the value")
    version = vault.put(name, f"{white_space}{value}{white_space}")
    secrets = secrets_in(vault, clock)
    assert secrets.get(name) == value
    clock.advance(5 * MINUTE + 1)
    assert secrets.get(name) == value
    warnings = [record.getMessage() for record in caplog.records if record.name == "credentials.secrets"]
    assert warnings == [f"{name} has white space around its value: it is ignored (version={version.id})"]


def test_a_secret_of_white_space_only_is_missing(vault: Vault, secrets: Secrets) -> None:
    vault.put(ADMIN, " \n")
    with pytest.raises(SecretMissing):
        secrets.get(ADMIN)


def test_a_secret_without_versions_is_missing(vault: Vault, secrets: Secrets) -> None:
    vault.secrets[ADMIN] = []
    with pytest.raises(SecretMissing):
        secrets.get(ADMIN)


def test_a_secret_that_is_set_later_is_found_within_seconds(vault: Vault, secrets: Secrets, clock: Clock) -> None:
    for _ in range(100):
        with pytest.raises(SecretMissing):
            secrets.get(ADMIN)
    assert len(vault.asked) == 2
    vault.put(ADMIN, "s")
    clock.advance(6)
    assert secrets.get(ADMIN) == "s"


def test_a_deleted_secret_is_gone_and_not_bridged(vault: Vault, secrets: Secrets, clock: Clock) -> None:
    vault.put(ADMIN, "s")
    secrets.get(ADMIN)
    del vault.secrets[ADMIN]
    clock.advance(5 * MINUTE + 1)
    with pytest.raises(SecretMissing):
        secrets.get(ADMIN)


def test_a_thousand_old_versions_take_requests_for_forty_pages_and_two_values(vault: Vault, secrets: Secrets) -> None:
    for number in range(1_000):
        vault.put(ADMIN, str(number))
    assert values(secrets) == ["999", "998"]
    assert len(vault.asked) == 42


def test_with_more_versions_than_are_listed_the_current_one_is_used(vault: Vault, secrets: Secrets) -> None:
    for number in range(1_100):
        vault.put(ADMIN, str(number))
    assert values(secrets) == ["1099"]
    assert len(vault.asked) == 42


def test_a_new_secret_is_found_at_once(vault: Vault, secrets: Secrets) -> None:
    vault.put(ADMIN, "old")
    secrets.get(ADMIN)
    vault.put(ADMIN, "new")
    assert secrets.find(ADMIN, is_("new")) == "new"
    assert values(secrets) == ["new", "old"]


def test_guessing_does_not_flood_the_vault(vault: Vault, secrets: Secrets, clock: Clock) -> None:
    vault.put(ADMIN, "s")
    secrets.get(ADMIN)
    for guess in range(1_000):
        assert secrets.find(ADMIN, is_(f"guess {guess}")) is None
        clock.advance(0.01)
    assert vault.listings(ADMIN) == 3


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_vault_that_refuses_or_fails_is_unavailable(vault: Vault, secrets: Secrets, status: int) -> None:
    vault.failing_with = status
    with pytest.raises(SecretsUnavailable):
        secrets.get(ADMIN)


def test_an_unreachable_vault_is_unavailable(tmp_path: Path, clock: Clock) -> None:
    with a_vault(tmp_path) as gone:
        secrets = secrets_in(gone, clock)
    with pytest.raises(SecretsUnavailable):
        secrets.get(ADMIN)


def test_a_vault_that_does_not_answer_in_time_is_unavailable(tmp_path: Path, clock: Clock) -> None:
    with a_vault(tmp_path, read_timeout=0.1) as slow:
        slow.put(ADMIN, "s")
        slow.door.clear()
        with pytest.raises(SecretsUnavailable):
            secrets_in(slow, clock).get(ADMIN)
        assert slow.listings(ADMIN) == 2, "one retry, and no more for minutes"


def test_a_vault_whose_challenge_is_for_another_host_gets_no_token(tmp_path: Path, clock: Clock) -> None:
    with a_vault(tmp_path) as other:
        other.resource = "https://vault.example"
        with pytest.raises(SecretsUnavailable):
            secrets_in(other, clock).get(ADMIN)
        assert (other.challenged, other.asked) == (1, [])


def test_as_in_azure_the_vault_is_read_by_the_managed_identity(vault: Vault, azure: Secrets) -> None:
    vault.put(ADMIN, "s")
    assert azure.get(ADMIN) == "s"
    assert vault.asked[0] == "identity"


def test_a_failing_managed_identity_is_an_outage_and_is_not_called_for_minutes(vault: Vault, azure: Secrets) -> None:
    vault.identity_failing_with = 500
    with pytest.raises(SecretsUnavailable):
        azure.get(ADMIN)
    assert vault.asked == ["identity"]


def test_a_throttling_vault_is_not_called_for_the_time_it_demands(vault: Vault, secrets: Secrets, clock: Clock) -> None:
    vault.failing_with, vault.retry_after = 429, "60"
    for _ in range(10):
        with pytest.raises(SecretsUnavailable):
            secrets.get(ADMIN)
        clock.advance(5)
    assert vault.listings(ADMIN) == 1
    vault.put(ADMIN, "s")
    vault.failing_with = vault.retry_after = None
    clock.advance(11)
    assert secrets.get(ADMIN) == "s"


@pytest.mark.parametrize("status", [403, 429, 500])
def test_an_outage_is_bridged_for_an_hour(vault: Vault, secrets: Secrets, clock: Clock, status: int) -> None:
    vault.put(ADMIN, "s")
    secrets.get(ADMIN)
    vault.failing_with = status
    clock.advance(HOUR - 1)
    assert secrets.get(ADMIN) == "s"
    with pytest.raises(SecretsUnavailable):
        secrets.ping()
    clock.advance(2)
    with pytest.raises(SecretsUnavailable):
        secrets.get(ADMIN)


def test_a_version_also_expires_during_an_outage(vault: Vault, secrets: Secrets, clock: Clock) -> None:
    vault.put(ADMIN, "s", ends=clock.utc() + timedelta(minutes=10))
    secrets.get(ADMIN)
    vault.failing_with = 500
    clock.advance(11 * MINUTE)
    with pytest.raises(SecretMissing):
        secrets.get(ADMIN)


def test_a_vault_that_is_back_is_called_again(vault: Vault, secrets: Secrets, clock: Clock) -> None:
    vault.put(ADMIN, "s")
    vault.failing_with = 403
    with pytest.raises(SecretsUnavailable):
        secrets.get(ADMIN)
    vault.failing_with = None
    clock.advance(16)
    assert secrets.get(ADMIN) == "s"
    secrets.ping()


def test_concurrent_first_requests_are_one_fetch(vault: Vault, secrets: Secrets) -> None:
    vault.put(ADMIN, "s")
    vault.door.clear()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(secrets.get, ADMIN) for _ in range(8)]
        vault.waiting.wait()
        vault.door.set()
        assert [answer.result() for answer in answers] == ["s"] * 8
    assert len(vault.asked) == 2


def test_while_the_vault_is_slow_other_requests_use_the_cached_value(
    vault: Vault, secrets: Secrets, clock: Clock
) -> None:
    vault.put(ADMIN, "s")
    secrets.get(ADMIN)
    clock.advance(5 * MINUTE + 1)
    vault.waiting.clear()
    vault.door.clear()
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(secrets.get, ADMIN)
        vault.waiting.wait()
        assert secrets.get(ADMIN) == "s"
        assert not refreshing.done()
        vault.door.set()
        refreshing.result()
    assert vault.listings(ADMIN) == 2


def test_no_secret_is_in_the_representation_of_its_container(vault: Vault, secrets: Secrets) -> None:
    vault.put(ADMIN, "do-not-show-me")
    assert "do-not-show-me" not in repr(secrets.accepted(ADMIN))
