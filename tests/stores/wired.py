"""A connection to the real server through the wire, and what was sent and received on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo.monitoring import CommandListener, CommandStartedEvent, CommandSucceededEvent

from stores.mongo import DocumentDatabase, connect
from tests.faults.meddling import Meddling
from tests.faults.wire import Wire


class Commands(CommandListener):
    """Keeps the commands that are sent, and counts the documents that are received."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.documents_received = 0
        self.most_at_once = 0

    def names(self) -> list[str]:
        return [next(iter(sent)) for sent in self.sent]

    def started(self, event: CommandStartedEvent) -> None:
        """Keep a command."""
        self.sent.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Count the documents in an answer."""
        cursor = event.reply.get("cursor", {})
        received = len(cursor.get("firstBatch", ())) + len(cursor.get("nextBatch", ()))
        self.documents_received += received
        self.most_at_once = max(self.most_at_once, received)

    def failed(self, event: object) -> None:
        """Ignore a failure."""


@contextmanager
def wired(
    database: DocumentDatabase, *meddling: Meddling, commands: Commands | None = None
) -> Iterator[DocumentDatabase]:
    """Yield the database as the app sees it, with this in the way."""
    host, port = database.client.address or ("", 0)
    wire = Wire(port)
    wire.meddling += meddling
    with connect(f"mongodb://{host}:{wire.port}/?directConnection=true", [commands] if commands else []) as client:
        yield client[database.name]
    wire.close()
