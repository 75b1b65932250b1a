"""The app's authentication, with keys, secrets and administrators chosen by a test."""

from collections.abc import Callable
from dataclasses import dataclass

import azure.functions as func

from credentials.issuer import IssuerKeys
from credentials.secrets import Secrets
from functions.access.administrators import Admin, admin_of
from functions.access.tokens import verifiers
from functions.services import Worker
from settings import Settings
from tests.clock import Clock

LOCAL = {
    "MONGODB_URL": "mongodb://localhost",
    "MARKET_DATA_PROVIDER": "sample",
    "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
}


@dataclass(frozen=True)
class Door:
    """Accepts a request, or raises like :func:`admin_of`."""

    clock: Clock
    worker: Worker

    def enter(self, headers: dict[str, str] | None = None, *, query: dict[str, str] | None = None) -> Admin:
        return admin_of(
            func.HttpRequest("GET", "http://localhost/", headers=headers or {}, params=query, body=b""), self.worker
        )

    def with_secret(self, secret: str) -> Admin:
        return self.enter({"X-Admin-Secret": secret})

    def with_token(self, token: str) -> Admin:
        return self.enter({"Authorization": f"Bearer {token}"})


def a_door(
    environment: dict[str, str],
    *,
    is_administrator: Callable[[str], bool] = lambda _: False,
    secrets: Secrets | None = None,
    clock: Clock | None = None,
) -> Door:
    clock = clock or Clock()
    settings = Settings.from_environment(LOCAL | environment)
    known = secrets or Secrets(settings, clock=clock)
    keys = None if settings.oidc is None else IssuerKeys(settings.oidc, clock)
    worker = Worker(settings)
    worker.secrets = known
    worker.verifiers = verifiers(settings, known, is_administrator, keys)
    return Door(clock, worker)
