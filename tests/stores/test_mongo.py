"""The connection to MongoDB: what the app's own collections are read from and written with, whatever the URL says."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.monitoring import CommandListener, CommandStartedEvent

from records import Run, Trigger
from stores.mongo import DocumentDatabase, connect, own_database
from stores.portfolios import PortfolioStore
from stores.runs import RunLease, RunStore

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Commands(CommandListener):
    """Keeps the commands that are sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def started(self, event: CommandStartedEvent) -> None:
        """Keep a command."""
        self.sent.append(dict(event.command))

    def succeeded(self, event: object) -> None:
        """Ignore a success."""

    def failed(self, event: object) -> None:
        """Ignore a failure."""


@pytest.fixture(params=["readPreference=secondaryPreferred&w=1", "readPreference=nearest&w=0&journal=false"])
def options(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def own(options: str, commands: Commands, database: DocumentDatabase, mongodb_url: str) -> Iterator[DocumentDatabase]:
    with connect(f"{mongodb_url}/?{options}", [commands]) as client:
        yield own_database(client, database.name)


def test_runs_and_the_lease_are_written_with_majority_and_read_from_the_primary(
    own: DocumentDatabase, commands: Commands
) -> None:
    runs, lease = RunStore(own), RunLease(own)
    run = Run("run_20260102_030405_abcd", "queued", Trigger("http", "a"), NOW)
    runs.create(run, None)
    assert lease.acquire(run.run_id, NOW) is None
    assert runs.get(run.run_id) == run
    assert lease.holder() == run.run_id
    lease.release(run.run_id)
    assert runs.finish(run.run_id, "completed", {})
    written = [sent for sent in commands.sent if {"insert", "update", "delete"} & sent.keys()]
    assert {sent["writeConcern"]["w"] for sent in written} == {"majority"}
    assert len(written) == 4
    read = [sent for sent in commands.sent if "find" in sent]
    assert {sent.get("$readPreference", {}).get("mode", "primary") for sent in read} <= {"primary", "primaryPreferred"}
    assert len(read) == 2


def test_the_backends_collections_are_read_as_the_url_says(
    options: str, commands: Commands, database: DocumentDatabase, mongodb_url: str
) -> None:
    with connect(f"{mongodb_url}/?{options}", [commands]) as client:
        users = PortfolioStore(client[database.name])._users.documents  # noqa: SLF001 - its options
        assert users.read_preference.mongos_mode == options.split("&", maxsplit=1)[0].removeprefix("readPreference=")


def test_the_lease_is_released_only_by_its_holder(own: DocumentDatabase) -> None:
    lease = RunLease(own)
    lease.acquire("run_20260102_030405_abcd", NOW)
    lease.release("run_20260102_030405_ffff")
    assert lease.holder() == "run_20260102_030405_abcd"
