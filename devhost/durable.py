"""The durable engine: Microsoft's in-memory backend, and the bridge from its work items to functions."""

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.internal import orchestrator_service_pb2_grpc as rpc
from durabletask.testing import InMemoryOrchestrationBackend

from devhost.engine import Invoke
from devhost.errors import InvocationError, WorkerExitedError
from devhost.host_json import DurableTask
from devhost.messages import FunctionInfo

_HISTORY_EVENTS = 1_000_000
_SERVER_THREADS = 32  # each client that waits for an orchestration holds one
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_register: Any = rpc.add_TaskHubSidecarServiceServicer_to_server  # generated without types

type Backend = Any  # InMemoryOrchestrationBackend, whose methods are only partly typed


class LocalBackend(InMemoryOrchestrationBackend):
    """The SDK's backend; orchestrations started without a version get the default one, as the extension does it."""

    def __init__(self, default_version: str | None) -> None:
        super().__init__(max_history_size=_HISTORY_EVENTS)
        self._default_version = default_version
        self.traceparents: dict[str, str] = {}
        """By instance: the trace it was started in, which the SDK's backend forgets."""

    def StartInstance(self, request: pb.CreateInstanceRequest, context: Any) -> pb.CreateInstanceResponse:  # noqa: ANN401, N802 - a call of gRPC's
        """Start an orchestration."""
        if self._default_version and not request.version.value:
            request.version.value = self._default_version
        self.traceparents[request.instanceId] = request.parentTraceContext.traceParent
        return super().StartInstance(request, context)

    def _wait_for_state(self, instance_id: str, predicate: Callable[[Any], bool], timeout: float | None) -> Any:  # noqa: ANN401 - partly typed
        # The SDK takes "no time-out" for 30 s: a parent would never hear of a sub-orchestration that took longer.
        return super()._wait_for_state(instance_id, predicate, timeout or threading.TIMEOUT_MAX)


class MemoryEngine:
    """Microsoft's in-memory engine behind a gRPC server of ours; it forgets its instances with this process."""

    def __init__(self, backend: Backend, limits: DurableTask, client: dict[str, str]) -> None:
        self._backend = backend
        self._limits = limits
        self._client = json.dumps(client)

    def client_binding(self) -> str:
        """Return the binding data of durable clients."""
        return self._client

    async def ready(self) -> None:
        """Return at once: clients are served from the beginning."""

    async def run(self, functions: Sequence[FunctionInfo], invoke: Invoke) -> None:
        """Carry orchestrations with these functions until canceled."""
        await DurableBridge(self._backend, functions, invoke, self._limits).run()


@contextmanager
def memory_engine(settings: DurableTask, base_url: str) -> Iterator[MemoryEngine]:
    """Give an engine with an empty task hub, served to durable clients on a free loopback port.

    The SDK's ``create_test_backend`` serves the same class, but on all interfaces, on a port to be guessed free.
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
        backend.reset()  # wakes the threads of clients that still wait, or the interpreter would wait for them


class _LocalCall:
    """Stands in for a gRPC call: the bridge talks to the backend in-process, at a fifth of the cost."""

    def __init__(self) -> None:
        self.active = True

    def is_active(self) -> bool:
        """Whether the caller still wants work items."""
        return self.active

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        """The backend refuses a completion."""
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
        """Work until cancelled."""
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
            except WorkerExitedError:
                # Replay makes this safe: the extension, too, gives the work item back.
                abandoned = pb.AbandonOrchestrationTaskRequest(completionToken=token)
                self._backend.AbandonTaskOrchestratorWorkItem(abandoned, self._call)
                return
            except InvocationError as error:
                response = _failed_orchestration(error)
        response.instanceId = request.instanceId
        response.completionToken = token
        for action in response.actions:
            if action.HasField("createSubOrchestration"):
                traceparents = self._backend.traceparents
                traceparents[action.createSubOrchestration.instanceId] = traceparents.get(request.instanceId, "")
        self._backend.CompleteOrchestratorTask(response, self._call)

    async def _orchestrator_response(self, request: pb.OrchestratorRequest) -> pb.OrchestratorResponse:
        events = (*request.pastEvents, *request.newEvents)
        name = next(event.executionStarted.name for event in events if event.HasField("executionStarted"))
        function = _known(name, self._orchestrators, "an orchestrator")
        encoded = await self._invoke(function, base64.b64encode(request.SerializeToString()).decode(), "")
        response = pb.OrchestratorResponse()
        response.ParseFromString(base64.b64decode(encoded))
        return response

    async def _act(self, request: pb.ActivityRequest, token: str) -> None:
        response = pb.ActivityResponse(
            instanceId=request.orchestrationInstance.instanceId, taskId=request.taskId, completionToken=token
        )
        async with self._activity_slots:
            try:
                function = _known(request.name, self._activities, "an activity")
                text = request.input.value if request.HasField("input") else "null"
                traceparent = self._backend.traceparents.get(request.orchestrationInstance.instanceId, "")
                result = await self._invoke(function, text, traceparent)
                response.result.value = result
            except InvocationError as error:
                response.failureDetails.CopyFrom(_failure(error))
        self._backend.CompleteActivityTask(response, self._call)


def _by_durable_name(functions: Iterable[FunctionInfo], trigger_type: str, name: str) -> dict[str, str]:
    ours = (function for function in functions if function.trigger_type == trigger_type)
    return {function.trigger.get(name) or function.name: function.name for function in ours}


def _known(name: str, functions: dict[str, str], kind: str) -> str:
    if name not in functions:
        known = ", ".join(sorted(functions)) or "none"
        message = f"The function '{name}' doesn't exist, is disabled, or is not {kind} function. Known are: {known}."
        raise InvocationError("FunctionNotFound", message)
    return functions[name]


def _failure(error: InvocationError) -> pb.TaskFailureDetails:
    # The backend takes a failure without message for a success.
    failure = pb.TaskFailureDetails(errorType=error.error_type, errorMessage=error.message or error.error_type)
    failure.stackTrace.value = error.stack
    return failure


def _failed_orchestration(error: InvocationError) -> pb.OrchestratorResponse:
    complete = pb.CompleteOrchestrationAction(
        orchestrationStatus=pb.ORCHESTRATION_STATUS_FAILED, failureDetails=_failure(error)
    )
    return pb.OrchestratorResponse(actions=[pb.OrchestratorAction(id=-1, completeOrchestration=complete)])
