"""The real engine without a worker, so that runs make no progress, and stores on a real database."""

from collections.abc import Iterator
from typing import cast

import pytest
from azure.durable_functions import SyncDurableFunctionsClient

from functions.engine import DurableEngine
from functions.telemetry.spans import record_end
from market_data.sample_prices import SampleProvider
from runs.services import Services
from settings import Settings
from stores.audit import AuditLog
from stores.batches import BatchStore
from stores.books import BookStore
from stores.mongo import DocumentDatabase
from stores.nights import NightStore
from stores.outbox import OutboxStore
from stores.passes import PassStore
from stores.rankings import RankingStore
from stores.reports import ReportStore
from stores.runs import RunLease, RunStore
from stores.symbols import PriceStore, ResearchStore
from stores.webhooks import WebhookStore
from tests.engine import client_without_worker


@pytest.fixture(scope="module")
def client() -> Iterator[SyncDurableFunctionsClient]:
    """Yield the client that functions are bound to, for checks behind the engine's adapter."""
    with client_without_worker() as client:
        yield client


@pytest.fixture(scope="module")
def engine(client: SyncDurableFunctionsClient) -> DurableEngine:
    return DurableEngine(client)


class Stores:
    """The part of the services that starting a run needs."""

    def __init__(self, database: DocumentDatabase) -> None:
        self.runs = RunStore(database)
        self.lease = RunLease(database)
        self.nights = NightStore(database)
        self.batches = BatchStore(database)
        self.research = ResearchStore(database)
        self.reports = ReportStore(database, self.research)
        self.rankings = RankingStore(database)
        self.books = BookStore(database)
        self.outbox = OutboxStore(database)
        self.passes = PassStore(database)
        self.webhooks = WebhookStore(database)
        self.lake = None
        self.prices = PriceStore(database)
        self.audit = AuditLog(database)
        self.record_end = record_end
        self.ensure_keys = lambda: None
        environment = {"MONGODB_URL": "mongodb://not-used", "MARKET_DATA_PROVIDER": "sample"}
        times = {"ANALYSIS_SCHEDULE": "0 0 1 * * *", "ANALYSIS_STALL_SECONDS": "300", "ANALYSIS_RETENTION_DAYS": "30"}
        self.settings = Settings.from_environment(environment | times)
        self.provider = SampleProvider()
        self.runs.ensure_indexes()


@pytest.fixture
def services(database: DocumentDatabase) -> Services:
    return cast("Services", Stores(database))
