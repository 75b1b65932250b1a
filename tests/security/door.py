"""The app's door, with keys, secrets and administrators that a test chooses."""

from collections.abc import Callable
from dataclasses import dataclass

import azure.functions as func
import pytest

from credentials.issuer import IssuerKeys
from credentials.secrets import Secrets
from functions.access.administrators import Admin, require_admin
from functions.access.tokens import verifiers
from settings import Settings
from tests.clock import Clock

LOCAL = {
    "MONGODB_URL": "mongodb://localhost",
    "MARKET_DATA_PROVIDER": "sample",
    "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
}


@dataclass(frozen=True)
class Door:
    """Lets in, or raises as :func:`require_admin` does."""

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
        monkeypatch.setattr(f"functions.access.administrators.{name}", lambda made=made: made)
    return Door(clock)
