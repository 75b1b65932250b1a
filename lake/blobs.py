"""The lake in Azure Blob Storage. Imported where it is used: the SDK takes a while to import."""

from collections.abc import Iterator, Mapping
from typing import Any

from azure.core.credentials import TokenCredential
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import ContainerClient

from lake.places import LakeUnavailable

# The SDK waits 84 s between its four attempts, with each step and request that waits for it; steps are tried again.
_PATIENCE: Mapping[str, Any] = {
    "connection_timeout": 5,
    "read_timeout": 20,
    "retry_total": 2,
    "initial_backoff": 1,
    "increment_base": 2,
    "random_jitter_range": 1,
}


class BlobLake:
    """The lake in a container, by its URL, as the app's identity."""

    def __init__(self, url: str, credential: TokenCredential) -> None:
        self._container = ContainerClient.from_container_url(url, credential=credential, **_PATIENCE)

    def write(self, path: str, content: bytes) -> None:
        """Write a blob by one request, which replaces all of an earlier one."""
        try:
            self._container.upload_blob(path, content, overwrite=True)
        except AzureError as error:
            raise LakeUnavailable from error

    def read(self, path: str) -> bytes | None:
        """Return the content of a blob, ``None`` if there is none."""
        try:
            return self._container.download_blob(path).readall()
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            raise LakeUnavailable from error

    def paths(self) -> Iterator[str]:
        """Yield the names of all blobs, which are listed five thousand at a time."""
        try:
            yield from self._container.list_blob_names()
        except AzureError as error:
            raise LakeUnavailable from error

    def delete(self, path: str) -> None:
        """Delete a blob; the account keeps it for as long as its soft delete says."""
        try:
            self._container.delete_blob(path)
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise LakeUnavailable from error
