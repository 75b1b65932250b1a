"""The health of the app's dependencies: the vault and the engine."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import redis

from credentials.secrets import Secrets
from functions.engine import DurableEngine
from functions.http import health
from functions.http.answers import Dependencies, Health
from functions.services import Worker
from settings import Oidc, Settings
from stores.mongo import DocumentDatabase
from stores.redis_server import RedisServer
from tests.clock import Clock
from tests.engine import engine_away
from tests.faults.servers import Redis
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
    names = {"KEY_VAULT_URL": vault.url, "MONGODB_DATABASE": database.name}
    made = Worker(Settings.from_environment(IN_AZURE | names))
    made.secrets = Secrets(made.settings, vault.client, clock, clock.utc)
    made.services = lambda: cast("Services", Connections(database))
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
            "unavailable", Dependencies("ok", "not_configured", "ok", "unavailable", "ok")
        )


OIDC = Oidc("https://issuer.example", "admin-ui", "Portfolio.Admin")


@pytest.mark.parametrize(
    ("secret", "settings", "found"),
    [
        ("jwt-secret", {"jwt_audience": "admin"}, "ok"),
        ("jwt-secret", {}, "unavailable"),  # every token is rejected
        (None, {"oidc": OIDC}, "ok"),
    ],
)
def test_a_vault_without_an_admin_secret_is_fine_if_sign_in_is_by_tokens(
    vault: Vault, worker: Worker, engine: DurableEngine, secret: str | None, settings: dict[str, Any], found: str
) -> None:
    worker.settings = replace(worker.settings, **settings)
    if secret is not None:
        vault.put(secret, "a secret of thirty-two bytes, or more")
    assert state(worker, engine) == (found, found)


def test_a_redis_that_refuses_writes_degrades_though_it_answers(
    vault: Vault, worker: Worker, engine: DurableEngine, tmp_path: Path
) -> None:
    vault.put("admin-secret", "s")
    program = Redis(tmp_path / "redis")
    program.start()
    server = RedisServer(program.url)
    worker.redis = lambda: server
    try:
        assert health.check(worker, engine).checks.redis == "ok"
        with redis.Redis.from_url(program.url) as operator:
            operator.config_set("min-replicas-to-write", 1)
            assert operator.ping()
        found = health.check(worker, engine)
        assert (found.status, found.checks.redis) == ("degraded", "unavailable")
    finally:
        server.close()
        program.kill()


def test_the_database_is_checked_by_a_write(
    vault: Vault, worker: Worker, engine: DurableEngine, database: DocumentDatabase
) -> None:
    vault.put("admin-secret", "s")
    for _ in range(2):
        health.check(worker, engine)
    assert database.health.count_documents({}) == 1


def test_a_disabled_nightly_timer_degrades(vault: Vault, worker: Worker, engine: DurableEngine) -> None:
    vault.put("admin-secret", "s")
    worker.settings = replace(worker.settings, timer_disabled=True)
    found = health.check(worker, engine)
    assert (found.status, found.checks.schedule) == ("degraded", "unavailable")


def test_concurrent_callers_share_one_check_and_those_of_the_next_second_too(
    vault: Vault, worker: Worker, engine: DurableEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.put("admin-secret", "s")
    checks: list[int] = []
    now = [100.0]

    def slow() -> None:
        checks.append(1)
        now[0] += 3

    worker.redis = slow
    monkeypatch.setattr(health, "_last", [])
    monkeypatch.setattr("functions.http.health.time.monotonic", lambda: now[0])
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: health.recent(worker, engine), range(8)))
    assert {answer.status for answer in found} == {"ok"}
    assert len(checks) == 1
    now[0] += 0.9
    health.recent(worker, engine)
    assert len(checks) == 1
    now[0] += 0.2
    health.recent(worker, engine)
    assert len(checks) == 2
