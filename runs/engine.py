"""The durable engine, as far as runs depend on it."""

from datetime import datetime
from typing import Literal, Protocol

from problems import Problem

VERSION = "1.2"
"""The version of the orchestration, equal to ``defaultVersion`` in host.json, which the engine compares runs with."""

type RunState = Literal["active", "over"]


class EngineUnavailable(Problem):
    """The engine did not confirm a call; it may still have carried it out."""

    status, slug, title = 503, "engine-unavailable", "Orchestration engine unavailable"
    detail = "The orchestration engine is unavailable, and no run was started. Try again."
    retry_after = 10


class StillRunning(Exception):
    """The run is not over in the engine, so its history cannot be purged."""


class Engine(Protocol):
    """Carries orchestrations. Every method raises :class:`EngineUnavailable` if the engine does not answer in time."""

    def start(self, run_id: str) -> None:
        """Start the orchestration of a run. After a timeout it may still start later, when storage answers again."""
        ...

    def state(self, run_id: str) -> RunState | None:
        """Return whether a run is active or over in the engine, ``None`` if the engine has no such run."""
        ...

    def deliver(self, endpoint_id: str) -> None:
        """Let the delivery to an endpoint begin, or end its pause."""
        ...

    def terminate(self, run_id: str) -> None:
        """Terminate a run in the engine; a run that is over or unknown is ignored."""
        ...

    def purge(self, run_id: str, began: datetime, ended: datetime | None) -> None:
        """Delete the engine's data of a run that lasted from ``began`` to ``ended``.

        Raises:
            StillRunning: the run is not over in the engine.
        """
        ...


def is_newer(version: str) -> bool:
    """Return whether a version of the orchestration is newer than the app's; an invalid one is not."""
    try:
        return _parts(version) > _parts(VERSION)
    except ValueError:
        return False


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]
