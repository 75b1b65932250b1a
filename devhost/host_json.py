import os
import re
from pathlib import Path

import msgspec

from devhost.errors import StartError

_TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d\d):(\d\d):(\d\d)")


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


class HostJson(msgspec.Struct, frozen=True, rename="camel"):
    """The members of host.json that change the local host's behavior."""

    extensions: _Extensions = _Extensions()
    function_timeout: str = "00:30:00"

    @property
    def timeout_seconds(self) -> float | None:
        """Return the maximum time of an invocation; None for no limit."""
        if self.function_timeout == "-1":
            return None
        days, *clock = map(int, _TIME_SPAN.fullmatch(self.function_timeout).groups(default="0"))  # type: ignore[union-attr] # checked by read
        hours, minutes, seconds = clock
        return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)

    @classmethod
    def read(cls, app_dir: Path) -> "HostJson":
        """Return the settings in ``host.json`` of the app.

        Raises:
            StartError: it is missing or ill-formed.
        """
        try:
            read = msgspec.json.decode((app_dir / "host.json").read_bytes(), type=cls)
        except FileNotFoundError:
            raise StartError(f"host.json is missing in {app_dir}") from None
        except msgspec.DecodeError as error:
            raise StartError(f"host.json is ill-formed: {error}") from None
        if read.function_timeout != "-1" and not _TIME_SPAN.fullmatch(read.function_timeout):
            raise StartError(f"host.json: functionTimeout must be hh:mm:ss or -1, not {read.function_timeout}")
        return read
