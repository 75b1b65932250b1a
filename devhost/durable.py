"""The durable engine in memory: the SDK's backend, and the bridge from its work items to functions.

As in the Durable extension: OutOfProcMiddleware.cs (results of failures) and RemoteOrchestratorContext.cs (maximum
size of a custom status). ``tests/devhost/test_engines.py`` makes the same claims on both engines.
"""

import asyncio
import base64
import json
import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import grpc
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as rpc

from devhost.engine import Invoke
from devhost.errors import FunctionTimeoutError, InvocationError, WorkerExitedError
from devhost.host_json import DurableTask
from devhost.memory_backend import LocalBackend
from devhost.messages import FunctionInfo

_SERVER_THREADS = 32  # each client that waits for an orchestration occupies one
_CUSTOM_STATUS_BYTES = 16 * 1024
_HOST = "Microsoft.Azure.WebJobs.Host"
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_register: Any = rpc.add_TaskHubSidecarServiceServicer_to_server  # generated without types

_log = logging.getLogger(__name__)

type Backend = Any  # InMemoryOrchestrationBackend, whose methods are only partly typed


class MemoryEngine:
    """Microsoft's in-memory engine behind our own gRPC server; its instances are lost with this process."""

    def __init__(self, backend: Backend, limits: DurableTask, client: dict[str, str]) -> None:
        self._backend = backend
        self._limits = limits
        self._client = json.dumps(client)

    def client_binding(self) -> str:
        """Return the binding data of durable clients."""
        return self._client

    async def ready(self) -> None:
        """Return at once: clients are served from the start."""

    async def run(self, functions: Sequence[FunctionInfo], invoke: Invoke) -> None:
        """Run orchestrations with these functions until canceled."""
        await DurableBridge(self._backend, functions, invoke, self._limits).run()


@contextmanager
def memory_engine(settings: DurableTask, base_url: str) -> Iterator[MemoryEngine]:
    """Yield an engine with an empty task hub, served to durable clients on a free loopback port.

    The SDK's ``create_test_backend`` serves the same class, but on all interfaces, on a port that may be taken.
    """
    backend: Backend = LocalBackend(settings.default_version)
    server = grpc.server(ThreadPoolExecutor(_SERVER_THREADS, thread_name_prefix="durable"), options=_UNLIMITED)
    _register(backend, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    client = {
        "taskHubName": settings.hub_name,
        "rpcBaseUrl": f"http://127.0.0.1:{port}",
        "httpBaseUrl": f"{base_url}/runtime/webhooks/durabletask",
    }
    try:
        yield MemoryEngine(backend, settings, client)
    finally:
        backend.stop()
        server.stop(grace=None).wait()
        backend.reset()  # wakes the threads of waiting clients, or the interpreter would wait for them


class _LocalCall:
    """Stands in for a gRPC call: the bridge talks to the backend in-process, at a fifth of the cost."""

    def __init__(self) -> None:
        self.active = True

    def is_active(self) -> bool:
        """Return whether the caller still wants work items."""
        return self.active

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        """Raise an error: the backend refuses a completion."""
        raise RuntimeError(f"{code.name}: {details}")


class DurableBridge:
    """Takes work items from the backend, runs the functions they name, and reports the outcome."""

    def __init__(
        self, backend: Backend, functions: Iterable[FunctionInfo], invoke: Invoke, limits: DurableTask
    ) -> None:
        functions = tuple(functions)
        self._backend = backend
        self._orchestrators = _by_durable_name(functions, "orchestrationTrigger", "orchestration")
        self._activities = _by_durable_name(functions, "activityTrigger", "activity")
        self._invoke = invoke
        self._orchestrator_slots = asyncio.Semaphore(limits.max_concurrent_orchestrator_functions)
        self._activity_slots = asyncio.Semaphore(limits.max_concurrent_activity_functions)
        self._call = _LocalCall()

    async def run(self) -> None:
        """Work until canceled."""
        items: asyncio.Queue[pb.WorkItem] = asyncio.Queue()
        threading.Thread(target=self._fetch, args=(asyncio.get_running_loop(), items), daemon=True).start()
        try:
            async with asyncio.TaskGroup() as work:
                while True:
                    item = await items.get()
                    if item.HasField("orchestratorRequest"):
                        work.create_task(self._orchestrate(item.orchestratorRequest, item.completionToken))
                    elif item.HasField("activityRequest"):
                        work.create_task(self._act(item.activityRequest, item.completionToken))
        finally:
            self._call.active = False

    def _fetch(self, loop: asyncio.AbstractEventLoop, items: asyncio.Queue[pb.WorkItem]) -> None:
        for item in self._backend.GetWorkItems(pb.GetWorkItemsRequest(), self._call):
            if not self._call.active:
                return
            loop.call_soon_threadsafe(items.put_nowait, item)

    async def _orchestrate(self, request: pb.OrchestratorRequest, token: str) -> None:
        async with self._orchestrator_slots:
            try:
                response = await self._orchestrator_response(request)
            except (WorkerExitedError, FunctionTimeoutError):
                # Safe because of replay: the extension, too, returns the work item.
                abandoned = pb.AbandonOrchestrationTaskRequest(completionToken=token)
                self._backend.AbandonTaskOrchestratorWorkItem(abandoned, self._call)
                return
            except InvocationError as error:
                response = _unhandled(request, str(error))
        if _utf16_bytes(response.customStatus.value) > _CUSTOM_STATUS_BYTES:
            actual = f"{_utf16_bytes(response.customStatus.value) / 1024:.2f}"
            response = _unhandled(request, f"CustomStatus is too large: limit = 16 KB (UTF-16), actual = {actual} KB.")
        response.instanceId = request.instanceId
        response.completionToken = token
        for action in response.actions:
            if action.HasField("createSubOrchestration"):
                traceparents = self._backend.traceparents
                traceparents[action.createSubOrchestration.instanceId] = traceparents.get(request.instanceId, "")
        self._backend.CompleteOrchestratorTask(response, self._call)

    async def _orchestrator_response(self, request: pb.OrchestratorRequest) -> pb.OrchestratorResponse:
        name = _name(request)
        function = self._orchestrators.get(name)
        if function is None:
            known = ", ".join(f"'{name}'" for name in sorted(self._orchestrators))
            return _failed_orchestration(
                f"The function '{name}' doesn't exist, is disabled, or is not an orchestrator function. "
                f"Additional info: The following are the known orchestrator functions: {known}."
            )
        encoded = await self._invoke(function, base64.b64encode(request.SerializeToString()).decode(), "")
        response = pb.OrchestratorResponse()
        response.ParseFromString(base64.b64decode(encoded))
        return response

    async def _act(self, request: pb.ActivityRequest, token: str) -> None:
        response = pb.ActivityResponse(
            instanceId=request.orchestrationInstance.instanceId, taskId=request.taskId, completionToken=token
        )
        function = self._activities.get(request.name)
        if function is None:
            _log.error("the function '%s' does not exist, or is not an activity function", request.name)
            response.failureDetails.SetInParent()  # the reason is not reported
            self._backend.CompleteActivityTask(response, self._call)
            return
        async with self._activity_slots:
            try:
                text = request.input.value if request.HasField("input") else "null"
                traceparent = self._backend.traceparents.get(request.orchestrationInstance.instanceId, "")
                result = await self._invoke(function, text, traceparent)
                response.result.value = result
            except InvocationError as error:
                response.failureDetails.CopyFrom(_failure(function, error))
        self._backend.CompleteActivityTask(response, self._call)


def _by_durable_name(functions: Iterable[FunctionInfo], trigger_type: str, name: str) -> dict[str, str]:
    ours = (function for function in functions if function.trigger_type == trigger_type)
    return {function.trigger.get(name) or function.name: function.name for function in ours}


def _failure(function: str, error: InvocationError) -> pb.TaskFailureDetails:
    """Return the failure of an activity as its orchestration sees it."""
    if isinstance(error, FunctionTimeoutError):
        limit = f"{timedelta(seconds=error.seconds)}".zfill(len("hh:mm:ss"))
        message = f"Timeout value of {limit} exceeded by function 'Functions.{function}'."
        return pb.TaskFailureDetails(errorType=f"{_HOST}.FunctionTimeoutException", errorMessage=message)
    if isinstance(error, WorkerExitedError):
        cause = pb.TaskFailureDetails(
            errorType="Microsoft.Azure.WebJobs.Script.Workers.WorkerProcessExitException", errorMessage=error.message
        )
        return pb.TaskFailureDetails(
            errorType=f"{_HOST}.FunctionInvocationException",
            errorMessage=f"Exception while executing function: Functions.{function}",
            innerFailure=cause,
        )
    failure = pb.TaskFailureDetails(errorType=error.error_type, errorMessage=error.message.partition("\n")[0].rstrip())
    failure.stackTrace.value = error.stack
    return failure


def _name(request: pb.OrchestratorRequest) -> str:
    events = (*request.pastEvents, *request.newEvents)
    return str(next(event.executionStarted.name for event in events if event.HasField("executionStarted")))


def _unhandled(request: pb.OrchestratorRequest, details: str) -> pb.OrchestratorResponse:
    return _failed_orchestration(f"Function '{_name(request)}' failed with an unhandled exception.", details)


def _failed_orchestration(message: str, details: str | None = None) -> pb.OrchestratorResponse:
    """Return the failure of an orchestrator without an answer of the SDK: its parent does not learn the reason."""
    complete = pb.CompleteOrchestrationAction(orchestrationStatus=pb.ORCHESTRATION_STATUS_FAILED)
    complete.result.value = json.dumps({"message": message, "details": details})
    return pb.OrchestratorResponse(actions=[pb.OrchestratorAction(id=-1, completeOrchestration=complete)])


def _utf16_bytes(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass"))
