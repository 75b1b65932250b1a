"""The adapter of the durable engine: the one place that sets deadlines and translates the engine's errors."""

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, override

import grpc
from durabletask.client import OrchestrationStatus, TaskHubGrpcClient
from durabletask.grpc_options import GrpcChannelOptions

from functions.delivery import DUE
from functions.messages import DeliveryInput, to_wire
from runs.engine import VERSION, Engine, EngineUnavailable, RunState, StillRunning

if TYPE_CHECKING:
    from azure.durable_functions import SyncDurableFunctionsClient

ORCHESTRATION, DELIVERY = "portfolio_analysis", "event_delivery"

DEADLINE_SECONDS = 10.0
PING_DEADLINE_SECONDS = 3.0
"""For health checks, whose callers have short timeouts."""

AT_ONCE = 2
"""Calls of one process that may wait for the engine: fewer than its threads, so that some stay free for other work."""

# How long a call waits for its turn, and how long no call is made after one timed out.
_TURN_SECONDS, _SILENT_SECONDS = 3.0, 5.0
# How long the result of a ping is reused: the health route is public.
_PING_SECONDS = 1.0
_OVER = (OrchestrationStatus.COMPLETED, OrchestrationStatus.FAILED, OrchestrationStatus.TERMINATED)
_NO_RUN = "none"  # no run has such an id
_making = threading.Lock()

_log = logging.getLogger(__name__)


class _Refused(EngineUnavailable):
    """The engine has no such instance, or its state does not allow the call."""


class _Exists(EngineUnavailable):
    """The engine already has an instance of this id."""


class DurableEngine(Engine):
    """The app's calls to the Durable Functions extension."""

    def __init__(self, client: "SyncDurableFunctionsClient", deadline_seconds: float = DEADLINE_SECONDS) -> None:
        place, message_bytes = (client.rpcBaseUrl, client.taskHubName), client.maxGrpcMessageSizeInBytes
        with _making:  # the first calls of several threads share one client and its turns
            self._client = _client(*place, message_bytes, deadline_seconds)
            self._pinging_client = _client(*place, message_bytes, min(deadline_seconds, PING_DEADLINE_SECONDS))
            self._turns = _turns(*place)

    @override
    def start(self, run_id: str) -> None:
        with suppress(_Exists):
            self._ask(
                lambda: self._client.schedule_new_orchestration(ORCHESTRATION, instance_id=run_id, version=VERSION)
            )

    @override
    def deliver(self, endpoint_id: str) -> None:
        # With the version: after a rollback, the engine keeps what it cannot continue, and never ends it.
        instance_id = f"delivery-{VERSION}-{endpoint_id}"
        if self.state(instance_id) == "active":
            self._ask(lambda: self._client.raise_orchestration_event(instance_id, DUE))
            if self.state(instance_id) == "active":  # else it has ended without the event
                return
        message = to_wire(DeliveryInput(endpoint_id, version=VERSION))
        with suppress(_Refused):
            self._ask(lambda: self._client.purge_orchestration(instance_id))
        with suppress(_Exists):
            self._ask(
                lambda: self._client.schedule_new_orchestration(
                    DELIVERY, instance_id=instance_id, input=message, version=VERSION
                )
            )

    @override
    def state(self, run_id: str) -> RunState | None:
        state = self._ask(lambda: self._client.get_orchestration_state(run_id, fetch_payloads=False))
        if state is None:
            return None
        return "over" if state.runtime_status in _OVER else "active"

    def ping(self) -> None:
        """Check the engine by a read from its storage, once for all concurrent callers.

        A ping takes no turn, and a slow answer to it blocks no other call: the health route is public.

        Raises:
            EngineUnavailable: the engine does not answer in time.
        """
        self._turns.ping(lambda: self._pinging_client.get_orchestration_state(_NO_RUN, fetch_payloads=False))

    @override
    def terminate(self, run_id: str) -> None:
        with suppress(_Refused):
            self._ask(lambda: self._client.terminate_orchestration(run_id))

    @override
    def purge(self, run_id: str, began: datetime, ended: datetime | None) -> None:
        # No engine purges sub-orchestrations with their parent. Only one run is active at a time, so all that began
        # then belongs to it. A purge takes longer the more there is to delete, so a timeout is no sign of an outage.
        self._ask(lambda: self._client.purge_orchestrations_by(began, ended, list(_OVER)), is_slow=True)
        try:
            self._ask(lambda: self._client.purge_orchestration(run_id), is_slow=True)
        except _Refused as error:
            if _code(error.__cause__) is grpc.StatusCode.FAILED_PRECONDITION:
                raise StillRunning(run_id) from error

    def _ask[Answer](self, call: Callable[[], Answer], *, is_slow: bool = False) -> Answer:
        with self._turns.one():
            try:
                return call()
            except grpc.RpcError as error:
                code = _code(error)
                if not is_slow and code is grpc.StatusCode.DEADLINE_EXCEEDED:
                    self._turns.fall_silent()
                raise (_ERRORS.get(code, EngineUnavailable) if code else EngineUnavailable) from error


_ERRORS = {
    grpc.StatusCode.NOT_FOUND: _Refused,
    grpc.StatusCode.FAILED_PRECONDITION: _Refused,
    grpc.StatusCode.ALREADY_EXISTS: _Exists,
}


def _code(error: BaseException | None) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.Call) else None


class _Turns:
    """Keeps a silent engine from blocking every thread of the process.

    At most :data:`AT_ONCE` calls wait for it. A call that times out marks the engine as silent: for some seconds, calls
    fail at once; then a few try again. A call that gets no turn in time marks it as busy: for some seconds, no other
    call waits for a turn, but free turns are still taken.
    """

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._pinging = threading.Lock()
        self._pinged_at = float("-inf")
        self._no_answer: grpc.RpcError | None = None
        self._silent_until = self._busy_until = 0.0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Run the body as one turn.

        Raises:
            EngineUnavailable: no turn is free in time, or the engine is silent.
        """
        self._refuse_while_silent()
        if not self._free.acquire(timeout=0 if time.monotonic() < self._busy_until else _TURN_SECONDS):
            self._busy_until = time.monotonic() + _SILENT_SECONDS
            raise EngineUnavailable
        try:
            self._refuse_while_silent()  # the previous call may have timed out
            yield
        finally:
            self._free.release()

    def ping(self, call: Callable[[], object]) -> None:
        """Call the engine without ever marking it as silent.

        Raises:
            EngineUnavailable: the engine did not answer this call, or one of a moment ago.
        """
        self._refuse_while_silent()
        with self._pinging:
            if time.monotonic() - self._pinged_at > _PING_SECONDS:
                self._no_answer = None
                try:
                    call()
                except grpc.RpcError as error:
                    self._no_answer = error
                self._pinged_at = time.monotonic()
            if self._no_answer:
                raise EngineUnavailable from self._no_answer

    def fall_silent(self) -> None:
        """Mark the engine as silent."""
        if time.monotonic() >= self._silent_until:
            _log.warning("The orchestration engine does not answer; no calls for %d s", _SILENT_SECONDS)
        self._silent_until = time.monotonic() + _SILENT_SECONDS

    def _refuse_while_silent(self) -> None:
        if time.monotonic() < self._silent_until:
            raise EngineUnavailable


class _Deadline(grpc.UnaryUnaryClientInterceptor):
    """Sets a deadline on each call that has none."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def intercept_unary_unary(
        self,
        continuation: Callable[[Any, Any], Any],
        client_call_details: Any,  # noqa: ANN401 - as gRPC declares it
        request: Any,  # noqa: ANN401 - as gRPC declares it
    ) -> Any:  # noqa: ANN401 - as gRPC declares it
        """Pass the call on."""
        return continuation(_CallDetails(client_call_details, self._seconds), request)


class _CallDetails(grpc.ClientCallDetails):
    def __init__(self, details: Any, seconds: float) -> None:  # noqa: ANN401 - as gRPC declares it
        self.method, self.metadata, self.credentials = details.method, details.metadata, details.credentials
        self.wait_for_ready, self.compression = details.wait_for_ready, details.compression
        self.timeout = seconds if details.timeout is None else details.timeout


@functools.cache
def _client(address: str, hub: str, message_bytes: int, deadline_seconds: float) -> TaskHubGrpcClient:
    """Return this process's client for an engine, made as the SDK makes the binding's, but with a deadline."""
    limit = message_bytes or None  # 0: use gRPC's default
    return TaskHubGrpcClient(
        host_address=address,
        metadata=[("taskhub", hub)],
        interceptors=[_Deadline(deadline_seconds)],
        channel_options=GrpcChannelOptions(max_receive_message_length=limit, max_send_message_length=limit),
        emit_trace_spans=False,
        logger=logging.getLogger("azure.durable_functions.client"),
    )


@functools.cache
def _turns(address: str, hub: str) -> _Turns:  # noqa: ARG001 - the cache's key
    return _Turns()
