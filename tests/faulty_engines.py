"""Engines on a real server that fail, like one whose storage is unavailable or silent."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from azure.durable_functions import SyncDurableFunctionsClient
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as rpc
from durabletask.testing import InMemoryOrchestrationBackend

from tests.engine import client_of, engine_port

_register: Any = rpc.add_TaskHubSidecarServiceServicer_to_server  # generated without types

type Context = Any  # grpc.ServicerContext, of which the SDK's backend knows no type


class SlowEngine(InMemoryOrchestrationBackend):
    """Answers lookups slowly."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self.asked = 0

    def GetInstance(self, request: pb.GetInstanceRequest, context: Context) -> pb.GetInstanceResponse:  # noqa: N802 - a call of gRPC's
        """Return an instance."""
        self.asked += 1
        time.sleep(self._seconds)
        return super().GetInstance(request, context)


class TakingEngine(InMemoryOrchestrationBackend):
    """Accepts a start and does not answer, as if storage became silent in between."""

    def __init__(self) -> None:
        super().__init__()
        self.answering = threading.Event()
        self.taken: list[str] = []

    def StartInstance(self, request: pb.CreateInstanceRequest, context: Context) -> pb.CreateInstanceResponse:  # noqa: N802 - a call of gRPC's
        """Start an orchestration."""
        response = super().StartInstance(request, context)
        self.taken.append(request.instanceId)
        self.answering.wait()
        return response


class StubbornEngine(InMemoryOrchestrationBackend):
    """Cannot terminate an orchestration, because it cannot reach its storage."""

    def TerminateInstance(self, request: pb.TerminateRequest, context: Context) -> pb.TerminateResponse:  # noqa: N802 - a call of gRPC's
        """Refuse."""
        context.abort(grpc.StatusCode.UNKNOWN, f"{request.instanceId}: storage is away")
        raise NotImplementedError


@contextmanager
def served(backend: InMemoryOrchestrationBackend) -> Iterator[SyncDurableFunctionsClient]:
    """Serve an engine and yield the client that a function is bound to."""
    server = grpc.server(ThreadPoolExecutor(8))
    _register(backend, server)
    port = server.add_insecure_port(f"127.0.0.1:{engine_port()}")
    server.start()
    try:
        yield client_of(f"127.0.0.1:{port}")
    finally:
        if isinstance(backend, TakingEngine):
            backend.answering.set()
        server.stop(grace=None).wait()
        backend.reset()  # type: ignore[no-untyped-call] # the SDK's


@contextmanager
def silent() -> Iterator[SyncDurableFunctionsClient]:
    """Yield the client of an engine that accepts connections and never answers."""
    port = engine_port()
    with socket.create_server(("127.0.0.1", port), backlog=64):
        yield client_of(f"127.0.0.1:{port}")
