"""Sessions end with the version of the secret that they were started with."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import jwt
import pytest

from functions.access.sessions import LOCAL_COOKIE
from stores.mongo import DocumentDatabase
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, App, running_app
from tests.vault import Vault, a_vault

OLD, NEW = "the secret that is replaced: 0123456789", "the secret that takes its place: 9876543210"
SESSION, RUNS = f"{BASE}/session", f"{BASE}/analysis-runs"
PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with a_vault(tmp_path_factory.mktemp("vault")) as running:
        yield running


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, vault: Vault) -> Iterator[App]:
    for name in ("admin-secret", "jwt-secret"):
        vault.put(name, OLD)
    # Without proxies wrong secrets are checked however many there were; they make the app look for new versions.
    alone = {"FUNCTIONS_WORKER_PROCESS_COUNT": "1", "TRUSTED_PROXIES": "0"}
    with running_app(tmp_path_factory.mktemp("app"), **alone, **vault.environment()) as running:
        del running.client.headers["X-Admin-Secret"]
        yield running


def by_secret(secret: str) -> dict[str, str]:
    return {"X-Admin-Secret": secret}


def by_token(key: str) -> dict[str, str]:
    return {"Authorization": "Bearer " + jwt.encode({"sub": "zoe-admin", "exp": int(time.time()) + 600}, key, "HS256")}


def started(client: httpx.Client, credential: dict[str, str]) -> dict[str, str]:
    answer = client.post(SESSION, headers=credential)
    assert answer.status_code == 201, answer.text
    session_id = client.cookies[LOCAL_COOKIE]
    client.cookies.clear()
    return {"Cookie": f"{LOCAL_COOKIE}={session_id}"}


def refusal(answer: httpx.Response) -> str | None:
    return None if answer.is_success else answer.json()["type"].rpartition(":")[2]


@pytest.mark.parametrize(("name", "signed"), [("admin-secret", by_secret), ("jwt-secret", by_token)])
def test_a_session_outlives_a_rotation_and_ends_when_its_version_is_no_longer_accepted(
    app: App, vault: Vault, name: str, signed: Callable[[str], dict[str, str]]
) -> None:
    with app.stranger() as client:
        of_old = started(client, signed(OLD))
        vault.put(name, NEW)
        of_new = started(client, signed(NEW))
        assert [refusal(client.get(RUNS, headers=session)) for session in (of_old, of_new)] == [None, None]
        vault.secrets[name][0].enabled = False
        eventually(
            lambda: (
                client.get(RUNS, headers=signed("x" * 40)).status_code in (401, 429)
                and refusal(client.get(RUNS, headers=of_old)) == "session-over"
            ),
            PATIENCE_SECONDS,
        )
        assert refusal(client.get(RUNS, headers=of_new)) is None


def test_while_the_vault_is_away_the_cached_versions_count_for_sessions_too(app: App, vault: Vault) -> None:
    with app.stranger() as client:
        session = started(client, by_secret(NEW))
        vault.failing_with = 503
        try:
            assert client.get(RUNS, headers=session).status_code == 200
        finally:
            vault.failing_with = None


def test_a_session_does_not_survive_another_secret_in_the_settings(
    tmp_path: Path, mongodb_url: str, database: DocumentDatabase
) -> None:
    environment = {"MONGODB_URL": mongodb_url, "MONGODB_DATABASE": database.name, "MARKET_DATA_PROVIDER": "sample"}
    with running_app(tmp_path, ADMIN_SECRET=OLD, **environment) as app, app.stranger() as client:
        session = started(client, by_secret(OLD))
        assert client.get(RUNS, headers=session).status_code == 200
    with running_app(tmp_path, ADMIN_SECRET=NEW, **environment) as app, app.stranger() as client:
        assert refusal(client.get(RUNS, headers=session)) == "session-over"
    with running_app(tmp_path, ADMIN_SECRET=OLD, **environment) as app, app.stranger() as client:
        assert client.get(RUNS, headers=session).status_code == 200
