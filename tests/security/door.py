"""The app's authentication, with keys, secrets and administrators chosen by a test."""

from collections.abc import Callable
from dataclasses import dataclass

import azure.functions as func
import pytest

from functions.auth import Admin, require_admin
from functions.tokens import verifiers
from settings import Settings
from stores.issuer import IssuerKeys
from stores.secrets import Secrets
from tests.clock import Clock

LOCAL = {
    "MONGODB_URL": "mongodb://localhost",
    "MARKET_DATA_PROVIDER": "sample",
    "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
}


@dataclass(frozen=True)
class Door:
    """Accepts a request, or raises like :func:`require_admin`."""

    clock: Clock

    def enter(self, headers: dict[str, str] | None = None, *, query: dict[str, str] | None = None) -> Admin:
        return require_admin(
            func.HttpRequest("GET", "http://localhost/", headers=headers or {}, params=query, body=b"")
        )

    def with_secret(self, secret: str) -> Admin:
        return self.enter({"X-Admin-Secret": secret})

    def with_token(self, token: str) -> Admin:
        return self.enter({"Authorization": f"Bearer {token}"})


def a_door(
    monkeypatch: pytest.MonkeyPatch,
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
    table = verifiers(settings, known, is_administrator, keys)
    for name, made in {"settings": settings, "secrets": known, "token_verifiers": table}.items():
        monkeypatch.setattr(f"functions.auth.{name}", lambda made=made: made)
    return Door(clock)
