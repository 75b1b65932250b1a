"""The app's secrets: from Key Vault if one is configured, otherwise from the settings."""

import functools
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from copy import replace
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, get_args

from settings import (
    MONGODB_SCHEMES,
    REDIS_SCHEMES,
    SHORTEST_JWT_SECRET_BYTES,
    Settings,
    database_in,
    is_server_url,
)

if TYPE_CHECKING:
    from azure.keyvault.secrets import SecretClient

    from credentials.vault import Vault

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

_SCHEMES = {"mongodb-url": MONGODB_SCHEMES, "redis-url": REDIS_SCHEMES}
_WITH_EARLIER_VERSIONS = ("admin-secret", "jwt-secret")
"""Passed to a price provider, which decides about their validity."""

FRESH_SECONDS = 300.0
BRIDGE_SECONDS = 3600.0
"""The maximum age of a value while its source does not answer. An older one is not used."""
BETWEEN_REPEATED_FETCHES_SECONDS = 5.0
AFTER_FAILURE_SECONDS = 15.0

NEVER = datetime.max.replace(tzinfo=UTC)

_log = logging.getLogger(__name__)


class Unavailable(Exception):
    """The source of the value does not answer or refuses the request; it may have named a time for the next attempt."""

    def __init__(self, reason: str = "", retry_after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class SecretsUnavailable(Unavailable):
    """The vault cannot be reached or refuses the request."""


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """One current or earlier value of a secret; ``id`` is None for one that does not come from a vault."""

    id: str | None
    value: str = field(repr=False)
    not_after: datetime = NEVER


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
            fetch = _from(settings)
        else:
            from credentials.vault import Vault, vault_client

            fetch = _from_vault(Vault(client or vault_client(settings.key_vault_url), now), settings.mongodb_database)
        self._signing = settings.signing_secrets
        self._signing_in_vault: dict[str, Cached[Versions]] = {}
        self._fetch, self._clock = (None if settings.key_vault_url is None else fetch), clock
        names: tuple[SecretName, ...] = get_args(SecretName.__value__)
        self._cached = {name: Cached(name, functools.partial(fetch, name), clock) for name in names}

    def get(self, name: SecretName) -> str:
        """Return the secret's current value.

        Raises:
            SecretMissing: it was never set, or every version is disabled, expired or not valid yet.
            SecretsUnavailable: the vault did not answer, and its last answer is too old.
        """
        return self.accepted(name)[0].value

    def accepted(self, name: SecretName) -> Versions:
        """Return the accepted versions, newest first, never none; raises as :meth:`get`."""
        found = self._cached[name].find(lambda versions: self._valid(versions) or None)
        if found is None:
            raise SecretMissing(name)
        return found

    def find[R](self, name: SecretName, match: Callable[[Versions], R | None]) -> R | None:
        """Return the result of ``match`` on the accepted versions; if it is ``None``, try newer ones.

        Raises as :meth:`get`.
        """
        self.accepted(name)
        return self._cached[name].find(lambda versions: match(self._valid(versions)))

    def signing(self, name: str) -> str:
        """Return the secrets that sign the events for a receiver: those of that name in the vault, else in a setting.

        Raises as :meth:`get`.
        """
        if self._fetch is not None:
            fetch = functools.partial(self._fetch, name)
            cached = self._signing_in_vault.setdefault(name, Cached(name, fetch, self._clock))
            if found := cached.find(lambda versions: self._valid(versions) or None):
                return found[0].value
        setting = name.upper().replace("-", "_")
        if setting not in self._signing:
            raise SecretMissing(name)
        return self._signing[setting]

    def ping(self) -> None:
        """Check that the vault answers, whether or not it has an admin secret; raises SecretsUnavailable."""
        with suppress(SecretMissing):
            self.accepted("admin-secret")
        if self._cached["admin-secret"].failing:
            raise SecretsUnavailable

    def _valid(self, versions: Versions) -> Versions:
        # The rest was checked when they were fetched; this may have changed since.
        return tuple(version for version in versions if self._now() < version.not_after)


def _from(settings: Settings) -> Callable[[str], Versions]:
    keys = settings.market_data_server.keys if settings.market_data_server else {}
    values = {"admin-secret": settings.admin_secret, "jwt-secret": settings.jwt_secret, **keys}
    versions = {name: (SecretVersion(None, value),) for name, value in values.items() if value is not None}
    return lambda name: versions.get(name, ())


def _from_vault(vault: "Vault", database: str) -> Callable[[str], Versions]:
    logged: set[tuple[str, str | None]] = set()

    def stripped(name: str, versions: Versions) -> Versions:
        """Return the versions without white space around their values, like settings: many tools add a line break."""
        for version in versions:
            if version.value != version.value.strip() and (name, version.id) not in logged:
                logged.add((name, version.id))
                _log.warning("%s has white space around its value: it is ignored (version=%s)", name, version.id)
        short = (replace(version, value=version.value.strip()) for version in versions)
        return tuple(version for version in short if version.value)

    def fetch(name: str) -> Versions:
        if schemes := _SCHEMES.get(name):
            usable = _usable(name, schemes, stripped(name, vault.current(name)))
            return _of_database(database, usable) if name == "mongodb-url" else usable
        if name in _WITH_EARLIER_VERSIONS:
            return _long_enough(name, stripped(name, vault.newest(name)))
        return stripped(name, vault.current(name))

    return fetch


def _long_enough(name: str, versions: Versions) -> Versions:
    """Leave out keys short enough to guess; the setting of the same purpose is checked at the start."""
    if name != "jwt-secret":
        return versions
    accepted = tuple(version for version in versions if len(version.value.encode()) >= SHORTEST_JWT_SECRET_BYTES)
    if len(accepted) < len(versions):
        _log.error("%s has versions of less than %s bytes: they are rejected", name, SHORTEST_JWT_SECRET_BYTES)
    return accepted


def _usable(name: str, schemes: tuple[str, ...], versions: Versions) -> Versions:
    """Leave out values that no driver can use; settings of the same purpose are checked at the start."""
    usable = tuple(version for version in versions if is_server_url(version.value, schemes))
    if len(usable) < len(versions):
        forms = " or ".join(f"{scheme}://" for scheme in schemes)
        _log.error("%s is not a URL that starts with %s and names a host: it counts as missing", name, forms)
    return usable


def _of_database(database: str, versions: Versions) -> Versions:
    """Leave out a URL that names another database than the setting; two settings that differ stop the start."""
    same = tuple(version for version in versions if database_in(version.value) in (None, database))
    if len(same) < len(versions):
        _log.error("mongodb-url names another database than MONGODB_DATABASE, %s: it counts as missing", database)
    return same


@dataclass(frozen=True, slots=True)
class _Entry[T]:
    value: T
    fetched_at: float


class Cached[T]:
    """The result of ``fetch``, fetched again by one thread at a time when it is no longer fresh.

    ``fetch`` raises :class:`Unavailable` if its source does not answer; any result is accepted as it is, also an empty
    one.
    """

    def __init__(self, name: str, fetch: Callable[[], T], clock: Callable[[], float]) -> None:
        self._name = name
        self._fetch = fetch
        self._clock = clock
        self._fetching = threading.Lock()
        self._entry: _Entry[T] | None = None
        self._failure: Unavailable | None = None
        self._not_before = self._no_repetition_before = float("-inf")

    @property
    def failing(self) -> bool:
        """Return whether the last fetch failed, even if an older value is still served."""
        return self._failure is not None

    def find[R](self, match: Callable[[T], R | None]) -> R | None:
        """Return the result of ``match`` on the value or, if it is ``None``, on a newer value that can be fetched now.

        Repeated fetches are rate-limited, so that guessed keys do not flood the source.

        Raises:
            Unavailable: there is no value, or only one that is too old.
        """
        called_at = self._clock()
        entry = self._current()
        found = match(entry.value)
        # A value fetched after the call began is new enough: no repetition is needed.
        while found is None and entry.fetched_at <= called_at:
            newer = self._newer_than(entry)
            if newer is None:
                break
            entry, found = newer, match(newer.value)
        return found

    def _current(self) -> _Entry[T]:
        if fresh := self._not_older_than(FRESH_SECONDS):
            return fresh
        old = self._not_older_than(BRIDGE_SECONDS)
        # While one thread fetches, the others use the old value; threads without a value wait.
        if not self._fetching.acquire(blocking=old is None) and old is not None:
            return old
        try:
            return self._refreshed()
        finally:
            self._fetching.release()

    def _refreshed(self) -> _Entry[T]:
        if fresh := self._not_older_than(FRESH_SECONDS):
            return fresh  # fetched by another thread in the meantime
        if self._clock() >= self._not_before:
            self._try_to_fetch()
        if entry := self._not_older_than(BRIDGE_SECONDS):
            return entry
        # A new one each time: threads that raise the same error object would write into the same traceback.
        raise _without_traceback(self._failure or Unavailable())

    def _newer_than(self, entry: _Entry[T]) -> _Entry[T] | None:
        with self._fetching:  # waits for a fetch under way: its value may have the match
            if self._entry is not None and self._entry is not entry:
                return self._entry
            now = self._clock()
            if now < max(self._not_before, self._no_repetition_before):
                return None
            self._no_repetition_before = now + BETWEEN_REPEATED_FETCHES_SECONDS
            return self._entry if self._try_to_fetch() else None

    def _try_to_fetch(self) -> bool:
        started = self._clock()
        try:
            value = self._fetch()
        except Unavailable as error:
            requested = min(error.retry_after_seconds, FRESH_SECONDS)
            self._not_before = self._clock() + max(AFTER_FAILURE_SECONDS, requested)
            # The traceback would keep the variables of the fetch alive, secrets among them.
            self._failure = _without_traceback(error)
            _log.warning("%s cannot be fetched: %s", self._name, error)
            return False
        self._entry, self._failure = _Entry(value, started), None
        return True

    def _not_older_than(self, seconds: float) -> _Entry[T] | None:
        entry = self._entry
        return entry if entry is not None and self._clock() - entry.fetched_at <= seconds else None


def _without_traceback(error: Unavailable) -> Unavailable:
    return type(error)(str(error), error.retry_after_seconds)
