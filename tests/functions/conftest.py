"""The real engine without a worker, so that runs stay where they are, and stores on a real database."""

import json
from collections.abc import Iterator
from typing import cast

import pytest
from azure.durable_functions import SyncDurableFunctionsClient
from durabletask.testing import create_test_backend

from functions.services import Services
from stores.audit import AuditLog
from stores.batches import BatchStore
from stores.leases import RunLease
from stores.mongo import DocumentDatabase
from stores.prices import PriceStore
from stores.reports import ReportStore
from stores.runs import RunStore
from tests.conftest import free_port


@pytest.fixture(scope="module")
def engine() -> Iterator[SyncDurableFunctionsClient]:
    backend = create_test_backend(port=free_port())
    address = backend.start()
    yield SyncDurableFunctionsClient(json.dumps({"taskHubName": "Test", "rpcBaseUrl": address}))
    backend.stop()


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
