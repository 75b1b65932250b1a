import os
from pathlib import Path

import msgspec

from devhost.errors import StartError


class _Http(msgspec.Struct, frozen=True, rename="camel"):
    route_prefix: str = "api"


class DurableTask(msgspec.Struct, frozen=True, rename="camel"):
    """Settings of the Durable extension; the defaults are the extension's own."""

    hub_name: str = "TestHubName"
    default_version: str | None = None
    max_concurrent_activity_functions: int = 10 * (os.cpu_count() or 1)
    max_concurrent_orchestrator_functions: int = 10 * (os.cpu_count() or 1)


class _Extensions(msgspec.Struct, frozen=True, rename="camel"):
    http: _Http = _Http()
    durable_task: DurableTask = DurableTask()


class HostJson(msgspec.Struct, frozen=True):
    """The members of host.json that change what the local host does."""

    extensions: _Extensions = _Extensions()

    @classmethod
    def read(cls, app_dir: Path) -> "HostJson":
        """Read ``host.json`` of the app.

        Raises:
            StartError: it is missing or ill-formed.
        """
        try:
            return msgspec.json.decode((app_dir / "host.json").read_bytes(), type=cls)
        except FileNotFoundError:
            raise StartError(f"host.json is missing in {app_dir}") from None
        except msgspec.DecodeError as error:
            raise StartError(f"host.json is ill-formed: {error}") from None
