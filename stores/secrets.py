"""The app's secrets: from Key Vault where one is named, from the settings otherwise."""

import functools
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from settings import Settings

if TYPE_CHECKING:
    from azure.keyvault.secrets import SecretClient

type SecretName = Literal["admin-secret", "mongodb-url", "redis-url"]

_KEEP_SECONDS = 300.0
# The SDK would try for minutes while an administrator waits for an answer.
IMPATIENT: dict[str, Any] = {"retry_total": 1, "connection_timeout": 3, "read_timeout": 3}


class SecretMissing(Exception):
    """There is no such secret: not in the vault, or not in the settings."""


class SecretsUnavailable(Exception):
    """The vault cannot be reached or refuses to answer."""


class Secrets:
    """Secrets by their vault name, kept for five minutes. Values leave this class only as return values."""

    def __init__(self, settings: Settings, client: Callable[[], "SecretClient"] | None = None) -> None:
        self._settings = settings
        self._client = client or _vault_client(settings)
        self._kept: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def get(self, name: SecretName) -> str:
        """Give the secret's current value.

        Raises:
            SecretMissing: nobody set it.
            SecretsUnavailable: the vault did not answer.
        """
        if self._settings.key_vault_url is None:
            if name != "admin-secret" or self._settings.admin_secret is None:
                raise SecretMissing(name)
            return self._settings.admin_secret
        with self._lock:
            fetched_at, value = self._kept.get(name, (0.0, ""))
            if not value or time.monotonic() - fetched_at > _KEEP_SECONDS:
                value = self._from_vault(name)
                self._kept[name] = (time.monotonic(), value)
            return value

    def ping(self) -> None:
        """Make sure that the vault answers, if there is one; raises as :meth:`get`."""
        if self._settings.key_vault_url is not None:
            self.get("admin-secret")

    def _from_vault(self, name: SecretName) -> str:
        from azure.core.exceptions import AzureError, ResourceNotFoundError  # noqa: PLC0415 - slow, not always needed

        try:
            value = self._client().get_secret(name).value
        except ResourceNotFoundError:
            value = None
        except AzureError as error:
            # The class only: the message may quote the request.
            raise SecretsUnavailable(type(error).__name__) from None
        if not value:
            raise SecretMissing(name)
        return value


def _vault_client(settings: Settings) -> Callable[[], "SecretClient"]:
    @functools.cache
    def client() -> "SecretClient":
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - slow, only used with a vault
        from azure.keyvault.secrets import SecretClient  # noqa: PLC0415 - slow, only used with a vault

        return SecretClient(settings.key_vault_url or "", DefaultAzureCredential(), **IMPATIENT)

    return client
