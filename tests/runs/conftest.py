"""The real engine without a worker, so that runs stay where they are, and stores on a real database."""

from collections.abc import Iterator
from typing import cast

import pytest
from azure.durable_functions import SyncDurableFunctionsClient
from durabletask.testing import create_test_backend

from functions.engine import Engine
from functions.services import Services
from stores.audit import AuditLog
from stores.batches import BatchStore
from stores.mongo import DocumentDatabase
from stores.prices import PriceStore
from stores.reports import ReportStore
from stores.runs import RunLease, RunStore
from tests.conftest import free_port
from tests.engine import client_of


@pytest.fixture(scope="module")
def client() -> Iterator[SyncDurableFunctionsClient]:
    """What a function is bound to: tests look behind the engine's adapter with it."""
    backend = create_test_backend(port=free_port())
    yield client_of(backend.start())
    backend.stop()


@pytest.fixture(scope="module")
def engine(client: SyncDurableFunctionsClient) -> Engine:
    return Engine(client)


class Stores:
    """The part of the services that starting a run needs."""

    def __init__(self, database: DocumentDatabase) -> None:
        self.runs = RunStore(database)
        self.lease = RunLease(database)
        self.batches = BatchStore(database)
        self.reports = ReportStore(database)
        self.prices = PriceStore(database)
        self.audit = AuditLog(database)
        self.runs.ensure_indexes()


@pytest.fixture
def services(database: DocumentDatabase) -> Services:
    return cast("Services", Stores(database))
