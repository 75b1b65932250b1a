"""The app's secrets: from Key Vault if one is configured, otherwise from the settings."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, get_args

from credentials.kept import Kept
from credentials.vault import SecretsUnavailable, SecretVersion, Vault, vault_client
from settings import MONGODB_SCHEMES, REDIS_SCHEMES, SHORTEST_JWT_SECRET_BYTES, KeyName, Settings, is_server_url

if TYPE_CHECKING:
    from azure.keyvault.secrets import SecretClient

type SecretName = Literal[
    "admin-secret",
    "jwt-secret",
    "mongodb-url",
    "redis-url",
    "alpaca-key-id",
    "alpaca-secret-key",
    "alphavantage-api-key",
]
type Versions = tuple[SecretVersion, ...]

_ACCEPTED_VERSIONS = 2
"""The current version and the one before it, so that no client is refused while a secret is replaced."""
_SCHEMES = {"mongodb-url": MONGODB_SCHEMES, "redis-url": REDIS_SCHEMES}
_KEYS: tuple[str, ...] = get_args(KeyName.__value__)
"""Passed to a price provider, which decides about their validity."""

_log = logging.getLogger(__name__)


class SecretMissing(Exception):
    """The secret is missing: from the vault, or from the settings."""


class Secrets:
    """Secrets by their vault name. Values leave this class only as return values and arguments of ``match``."""

    def __init__(
        self,
        settings: Settings,
        client: Callable[[], "SecretClient"] | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        if settings.key_vault_url is None:
            source = _from(settings)
        else:
            source = _from_vault(Vault(client or vault_client(settings.key_vault_url), now))
        names: tuple[SecretName, ...] = get_args(SecretName.__value__)
        self._kept = {name: Kept(name, source(name), clock) for name in names}

    def get(self, name: SecretName) -> str:
        """Return the secret's current value.

        Raises:
            SecretMissing: it was never set, or every version is disabled, expired or not valid yet.
            SecretsUnavailable: the vault did not answer, and its last answer is too old.
        """
        return self.accepted(name)[0].value

    def accepted(self, name: SecretName) -> Versions:
        """Return the accepted versions, newest first, never none; raises as :meth:`get`."""
        found = self._kept[name].find(lambda versions: self._valid(versions) or None)
        if found is None:
            raise SecretMissing(name)
        return found

    def find[R](self, name: SecretName, match: Callable[[Versions], R | None]) -> R | None:
        """Return the result of ``match`` on the accepted versions; if it is ``None``, try newer ones.

        Raises as :meth:`get`.
        """
        self.accepted(name)
        return self._kept[name].find(lambda versions: match(self._valid(versions)))

    def ping(self) -> None:
        """Check that the vault answers, if there is one; raises as :meth:`get`."""
        self.accepted("admin-secret")
        if self._kept["admin-secret"].failing:
            raise SecretsUnavailable

    def _valid(self, versions: Versions) -> Versions:
        # The rest was checked when they were fetched; this may have changed since.
        return tuple(version for version in versions if self._now() < version.not_after)


type _Source = Callable[[SecretName], Callable[[], Versions]]


def _from(settings: Settings) -> _Source:
    keys = settings.market_data_server.keys if settings.market_data_server else {}
    values = {"admin-secret": settings.admin_secret, "jwt-secret": settings.jwt_secret, **keys}

    def source(name: SecretName) -> Callable[[], Versions]:
        value = values.get(name)
        return lambda: () if value is None else (SecretVersion(None, value),)

    return source


def _from_vault(vault: Vault) -> _Source:
    def source(name: SecretName) -> Callable[[], Versions]:
        if schemes := _SCHEMES.get(name):
            return lambda: _usable(name, schemes, vault.current(name))
        if name in _KEYS:
            return lambda: vault.current(name)
        return lambda: _long_enough(name, vault.newest(name, _ACCEPTED_VERSIONS))

    return source


def _long_enough(name: SecretName, versions: Versions) -> Versions:
    """Leave out keys short enough to guess; the setting of the same purpose is checked at the start."""
    if name != "jwt-secret":
        return versions
    kept = tuple(version for version in versions if len(version.value.encode()) >= SHORTEST_JWT_SECRET_BYTES)
    if len(kept) < len(versions):
        _log.error("%s has versions of less than %s bytes: they are refused", name, SHORTEST_JWT_SECRET_BYTES)
    return kept


def _usable(name: SecretName, schemes: tuple[str, ...], versions: Versions) -> Versions:
    """Leave out values that no driver can use; settings of the same purpose are checked at the start."""
    kept = tuple(version for version in versions if is_server_url(version.value, schemes))
    if len(kept) < len(versions):
        forms = " or ".join(f"{scheme}://" for scheme in schemes)
        _log.error("%s is no URL that starts with %s and names a host: it counts as missing", name, forms)
    return kept
