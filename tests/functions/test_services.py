"""The values that the services need from a vault, and their errors if it does not have them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pymongo import ReadPreference, WriteConcern
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from credentials.secrets import Secrets, SecretsUnavailable
from functions import services
from functions.access.throttling import SIGN_IN_FAILURES
from functions.services import Worker
from market_data.provider import KeyRefused
from settings import Settings
from tests.clock import Clock
from tests.vault import Vault, a_vault

IN_AZURE = {"MARKET_DATA_PROVIDER": "sample", "ANALYSIS_SCHEDULE": "0 0 1 * * *"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    with a_vault(tmp_path) as running:
        yield running


@pytest.fixture
def worker(vault: Vault, clock: Clock) -> Worker:
    made = Worker(Settings.from_environment(IN_AZURE | {"KEY_VAULT_URL": vault.url}))
    made.secrets = Secrets(made.settings, vault.client, clock, clock.utc)
    return made


def test_a_vault_without_a_url_of_redis_is_asked_for_it_once_for_any_number_of_sign_ins(
    vault: Vault, worker: Worker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        worker.counts(SIGN_IN_FAILURES)
        assert worker.redis() is None
        clock.advance(6)
    assert vault.asked == ["secrets/redis-url"]
    assert [record.message for record in caplog.records if record.name == services.__name__] == [
        "No REDIS_URL: rate limits and sign-in failures are counted by each worker"
    ]


def test_a_vault_that_is_unavailable_at_first_is_asked_again_for_the_url_of_redis(
    vault: Vault, worker: Worker, clock: Clock
) -> None:
    vault.put("redis-url", "redis://127.0.0.1:1")
    vault.failing_with = 503
    own = worker.counts(SIGN_IN_FAILURES)
    for _ in range(10):
        assert worker.counts(SIGN_IN_FAILURES) is own
    assert len(vault.asked) == 1
    with pytest.raises(SecretsUnavailable):
        worker.redis()
    vault.failing_with = None
    clock.advance(16)
    shared = worker.counts(SIGN_IN_FAILURES)
    assert shared is not own
    assert worker.counts(SIGN_IN_FAILURES) is shared
    assert worker.redis() is worker.redis() is not None


def test_a_provider_key_that_is_not_in_the_vault_is_reported_with_its_names(vault: Vault) -> None:
    worker = Worker(
        Settings.from_environment(IN_AZURE | {"KEY_VAULT_URL": vault.url, "MARKET_DATA_PROVIDER": "alpaca"})
    )
    worker.secrets = Secrets(worker.settings, vault.client)
    vault.put("alpaca-secret-key", "from the vault")
    assert worker.provider_key("alpaca-secret-key") == "from the vault"
    with pytest.raises(KeyRefused, match=r"^ALPACA_KEY_ID is missing: the vault has no secret alpaca-key-id"):
        worker.provider_key("alpaca-key-id")


def test_the_apps_own_collections_are_read_from_the_primary_and_written_with_majority_whatever_the_url_says() -> None:
    url = {"MONGODB_URL": "mongodb://127.0.0.1:1/?readPreference=secondaryPreferred&w=1&readConcernLevel=available"}
    made = Worker(Settings.from_environment(IN_AZURE | url)).services()
    own = (made.runs, made.lease, made.nights, made.batches, made.prices, made.research, made.reports, made.audit)
    collections = [part for store in own for part in vars(store).values() if isinstance(part, Collection)]
    assert len(collections) >= len(own)
    for collection in collections:
        assert collection.read_preference == ReadPreference.PRIMARY, collection.name
        assert collection.write_concern == WriteConcern("majority"), collection.name
        assert collection.read_concern == ReadConcern("local"), collection.name
    made.mongodb.close()
