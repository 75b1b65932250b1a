"""The real engine without a worker, so that runs make no progress, and stores on a real database."""

from collections.abc import Iterator
from typing import cast

import pytest
from azure.durable_functions import SyncDurableFunctionsClient
from durabletask.testing import create_test_backend

from functions.engine import Engine
from functions.services import Services
from stores.audit import AuditLog
from stores.batches import BatchStore
from stores.leases import RunLease
from stores.mongo import DocumentDatabase
from stores.prices import PriceStore
from stores.reports import ReportStore
from stores.runs import RunStore
from tests.conftest import free_port
from tests.functions.engine import client_of


@pytest.fixture(scope="module")
def client() -> Iterator[SyncDurableFunctionsClient]:
    """Yield the client that functions are bound to, for checks behind the engine's adapter."""
    backend = create_test_backend(port=free_port())
    yield client_of(backend.start())
    backend.stop()


@pytest.fixture(scope="module")
def engine(client: SyncDurableFunctionsClient) -> Engine:
    return Engine(client)


class Stores:
    """The part of the services that is needed to start a run."""

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
