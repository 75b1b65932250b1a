"""Helpers for tests of runs and their engine."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from azure.durable_functions import SyncDurableFunctionsClient
from durabletask.testing import create_test_backend
from durabletask.worker import TaskHubGrpcWorker

from functions.engine import DurableEngine
from records import Run, Trigger
from runs.services import Services
from tests.conftest import free_port

OF_ALL = "users=all, dry_run=false, as_of=newest"
"""What log lines say of a run of all users."""


def client_of(address: str) -> SyncDurableFunctionsClient:
    """Return the client that the SDK creates from a binding to the engine at an address."""
    return SyncDurableFunctionsClient(json.dumps({"taskHubName": "Test", "rpcBaseUrl": address}))


def engine_port() -> int:
    """Return a free port that no other engine of this process had.

    gRPC shares the connections of a process by address. A new engine on an old port would get the state of the old one,
    which refuses calls until it connects again.
    """
    while (port := free_port()) in _ports:
        pass
    _ports.add(port)
    return port


_ports: set[int] = set()


@contextmanager
def client_without_worker() -> Iterator[SyncDurableFunctionsClient]:
    """Run the SDK's engine and yield a client of it; without a worker, nothing started in it makes progress.

    The backend comes started. ``start`` would add a second server on the port, and drop the first, which cancels the
    calls it has a second later.
    """
    port = engine_port()
    backend = create_test_backend(port)
    try:
        yield client_of(f"localhost:{port}")
    finally:
        backend.stop()


def engine_away() -> DurableEngine:
    """Return an engine that refuses connections."""
    return DurableEngine(client_of(f"localhost:{engine_port()}"))


def hold_lease(services: Services, run_id: str, *, requested_at: datetime) -> None:
    services.runs.create(
        Run(run_id=run_id, status="queued", trigger=Trigger("http", "admin-secret"), requested_at=requested_at), None
    )
    services.lease.acquire(run_id, requested_at)


def run_of(services: Services, run_id: str) -> Run:
    run = services.runs.get(run_id)
    assert run is not None
    return run


def carry_out(client: SyncDurableFunctionsClient, run_id: str) -> None:
    """Run a worker until a termination is complete: the engine alone does not end an instance."""
    with TaskHubGrpcWorker(host_address=client.rpcBaseUrl) as worker:
        worker.start()  # type: ignore[no-untyped-call] # the SDK's
        client.wait_for_orchestration_completion(run_id, timeout=10)
