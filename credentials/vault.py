"""Key Vault: the accepted versions of a secret, in few requests."""

import functools
import itertools
import logging
from collections.abc import Callable
from copy import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from credentials.identity import IMPATIENT, credential
from credentials.secrets import NEVER, SecretsUnavailable, SecretVersion

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError
    from azure.keyvault.secrets import SecretClient, SecretProperties

_ACCEPTED_VERSIONS = 2
"""The current version and the one before it, so that no client is refused while a secret is replaced."""
MOST_VERSIONS_LISTED = 1_000
_PAGE_SIZE = 25  # the maximum of the vault
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_log = logging.getLogger(__name__)


class Vault:
    """The secrets of one vault. A version's value never changes, so each is fetched once while it counts."""

    def __init__(self, client: Callable[[], "SecretClient"], now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._values: dict[str, dict[str, str]] = {}

    def current(self, name: str) -> tuple[SecretVersion, ...]:
        """Return the current version, in one request; nothing if there is no such secret.

        Its expiry is ignored: whether a URL still works is for its server to decide.

        Raises:
            SecretsUnavailable: the vault did not answer.
        """
        return _answered(lambda: tuple(replace(version, not_after=NEVER) for version in self._current(name)))

    def newest(self, name: str) -> tuple[SecretVersion, ...]:
        """Return the newest two enabled and valid versions; raises as :meth:`current`."""
        return _answered(lambda: self._newest(name))

    def _newest(self, name: str) -> tuple[SecretVersion, ...]:
        versions = self._client().list_properties_of_secret_versions(name, max_page_size=_PAGE_SIZE)
        # The list has no guaranteed order, so all pages must be read to find the newest.
        listed = list(itertools.islice(versions, MOST_VERSIONS_LISTED + 1))
        if len(listed) > MOST_VERSIONS_LISTED:
            _log.error("%s has over %s versions: only its current one is accepted", name, MOST_VERSIONS_LISTED)
            return tuple(version for version in self._current(name) if self._now() < version.not_after)
        counting = sorted(filter(self._counts, listed), key=lambda found: found.created_on or _LONG_AGO, reverse=True)
        known = self._values.get(name, {})
        found = [self._value(name, version, known) for version in counting[:_ACCEPTED_VERSIONS]]
        self._values[name] = {version.id: version.value for version in found if version.id}
        return tuple(version for version in found if version.value)

    def _counts(self, version: "SecretProperties") -> bool:
        starts, ends = version.not_before or _LONG_AGO, version.expires_on or NEVER
        return version.enabled is True and starts <= self._now() < ends

    def _value(self, name: str, listed: "SecretProperties", known: dict[str, str]) -> SecretVersion:
        version = str(listed.version)
        return _version(listed, known.get(version) or self._client().get_secret(name, version).value or "")

    def _current(self, name: str) -> tuple[SecretVersion, ...]:
        secret = self._client().get_secret(name)
        return (_version(secret.properties, secret.value),) if secret.value else ()


def _version(properties: "SecretProperties", value: str) -> SecretVersion:
    return SecretVersion(properties.version, value, properties.expires_on or NEVER)


def _answered[T](fetch: Callable[[], tuple[T, ...]]) -> tuple[T, ...]:
    from azure.core.exceptions import AzureError, ResourceNotFoundError

    try:
        return fetch()
    except ResourceNotFoundError:
        return ()
    except AzureError as error:
        # The class only: the message may quote the request.
        raise SecretsUnavailable(type(error).__name__, _retry_after_seconds(error)) from None
    except ValueError as error:  # the SDK raises it for a malformed challenge, or one of another vault
        raise SecretsUnavailable(type(error).__name__) from None


def _retry_after_seconds(error: "AzureError") -> float:
    response = getattr(error, "response", None)
    text = str(response.headers.get("Retry-After", "")) if response is not None else ""
    return float(text) if text.isdecimal() else 0.0


def vault_client(url: str) -> Callable[[], "SecretClient"]:
    """Return a function that returns the process's one client of the vault, created on first use."""

    @functools.cache
    def client() -> "SecretClient":
        from azure.keyvault.secrets import SecretClient

        return SecretClient(url, credential(), **IMPATIENT)

    return client
