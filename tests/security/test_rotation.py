"""Secrets are replaced in the vault while runs are triggered and monitored in the whole app: no request is refused."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx
import jwt
import pytest

from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, App, running_app
from tests.vault import Vault, a_vault

OLD, NEW = "the secret that is replaced: 0123456789", "the secret that takes its place: 9876543210"
ROUNDS = 8
PATIENCE_SECONDS = 120
NO_USERS = {"dry_run": True, "user_ids": ["nobody"]}


def by_secret(secret: str) -> dict[str, str]:
    return {"X-Admin-Secret": secret}


def by_token(key: str) -> dict[str, str]:
    return {"Authorization": "Bearer " + jwt.encode({"sub": "zoe-admin", "exp": int(time.time()) + 600}, key, "HS256")}


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    with a_vault(tmp_path_factory.mktemp("vault")) as running:
        yield running


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, vault: Vault) -> Iterator[App]:
    for name in ("admin-secret", "jwt-secret"):
        vault.put(name, OLD)
    with running_app(tmp_path_factory.mktemp("app"), **vault.environment()) as running:
        del running.client.headers["X-Admin-Secret"]
        yield running
        assert not any(secret in running.log.read_text() for secret in (OLD, NEW))


class Callers:
    """Clients that trigger and monitor runs repeatedly until ``stop`` is set."""

    def __init__(self, client: httpx.Client) -> None:
        self.seen: Counter[str] = Counter()
        self.stop = threading.Event()
        self._client = client

    def loop(self) -> None:
        while not self.stop.is_set():
            trigger = self._client.post(f"{BASE}/trigger-analysis", json=NO_USERS)
            # 409: another run is active; only authenticated clients get this answer.
            assert trigger.status_code in (202, 409), trigger.text
            status = self._client.get(f"{BASE}/analysis-status/{trigger.json()['run_id']}")
            assert status.status_code == 200, status.text
            self.seen.update(["rounds"] + ["started"] * (trigger.status_code == 202))

    def go_on(self) -> None:
        """Wait for more requests, or until a client was refused and stopped."""
        enough = Counter(rounds=self.seen["rounds"] + ROUNDS, started=self.seen["started"] + 1)
        eventually(lambda: self.stop.is_set() or self.seen >= enough, PATIENCE_SECONDS)


@contextmanager
def callers(app: App, headers: dict[str, str]) -> Iterator[Callers]:
    """Run two clients while the body runs; fail at the end if one of them was refused."""
    with (
        httpx.Client(base_url=app.client.base_url, headers=headers, timeout=60, trust_env=False) as client,
        ThreadPoolExecutor(2) as pool,
    ):
        calling = Callers(client)
        loops = [pool.submit(calling.loop) for _ in range(2)]
        for loop in loops:
            loop.add_done_callback(lambda _: calling.stop.set())
        try:
            yield calling
        finally:
            calling.stop.set()
        for loop in loops:
            loop.result()


@pytest.mark.parametrize(("name", "signed"), [("admin-secret", by_secret), ("jwt-secret", by_token)])
def test_a_secret_is_replaced_while_runs_are_triggered_and_monitored_and_no_request_is_refused(
    app: App, vault: Vault, name: str, signed: Callable[[str], dict[str, str]]
) -> None:
    with ExitStack() as moved:
        with callers(app, signed(OLD)) as old:
            old.go_on()
            vault.put(name, NEW)
            new = moved.enter_context(callers(app, signed(NEW)))
            new.go_on()
            old.go_on()
        vault.secrets[name][0].enabled = False
        new.go_on()


def test_the_audit_log_contains_the_used_version_of_the_secret(app: App, vault: Vault) -> None:
    version = vault.secrets["admin-secret"][-1]
    headers = by_secret(version.value)
    app.client.post(f"{BASE}/analysis-runs/no-run/cancel", headers=headers)
    entry = app.client.get(f"{BASE}/audit", headers=headers).json()["entries"][0]
    assert (entry["action"], entry["actor"], entry["credential_id"]) == ("cancel", "admin-secret", version.id)
