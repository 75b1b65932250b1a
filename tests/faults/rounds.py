"""Rounds of concurrent calls of start_run, with the real engine and a real database."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, cast

from functions.engine import DurableEngine
from functions.telemetry.spans import record_end
from records import Trigger
from runs.ending import close_run
from runs.starting import RunActive, start_run
from settings import Settings
from stores.batches import BatchStore
from stores.books import BookStore
from stores.mongo import DocumentDatabase
from stores.outbox import OutboxStore
from stores.passes import PassStore
from stores.rankings import RankingStore
from stores.reports import ReportStore
from stores.runs import RunLease, RunStore
from stores.symbols import ResearchStore
from stores.webhooks import WebhookStore
from tests.engine import client_without_worker

if TYPE_CHECKING:
    from runs.services import Services

TRIGGERS = 50
_ENVIRONMENT = {
    "MONGODB_URL": "mongodb://not-used",
    "MARKET_DATA_PROVIDER": "sample",
    "ANALYSIS_SCHEDULE": "0 0 1 * * *",
}


class _Stores:
    """The part of the services that is needed to start and close a run."""

    def __init__(self, database: DocumentDatabase) -> None:
        self.runs = RunStore(database)
        self.lease = RunLease(database)
        self.batches = BatchStore(database)
        self.reports = ReportStore(database, ResearchStore(database))
        self.rankings = RankingStore(database)
        self.books = BookStore(database)
        self.outbox = OutboxStore(database)
        self.passes = PassStore(database)
        self.webhooks = WebhookStore(database)
        self.settings = Settings.from_environment(_ENVIRONMENT)
        self.lake = None
        self.record_end = record_end
        self.ensure_keys = lambda: None
        for store in (self.runs, self.batches, self.reports):
            store.ensure_indexes()


def started_in_rounds(database: DocumentDatabase, rounds: int) -> Iterator[list[str]]:
    """Trigger 50 times at once in each round, and close the started runs; yield the run ids of each round."""
    services = cast("Services", _Stores(database))
    with client_without_worker() as client, ThreadPoolExecutor(TRIGGERS) as threads:
        engine = DurableEngine(client)

        def trigger(_: int) -> str | None:
            try:
                return start_run(services, engine, Trigger("http", "admin-secret"))
            except RunActive:
                return None

        for _ in range(rounds):
            started = [run_id for run_id in threads.map(trigger, range(TRIGGERS)) if run_id]
            for run_id in started:
                if run := services.runs.get(run_id):
                    close_run(services, run, None)
            yield started
