"""The durable engine as the app asks it: the one place for deadlines, and the one that turns its errors into ours."""

import functools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import grpc
from durabletask.client import OrchestrationStatus, TaskHubGrpcClient
from durabletask.grpc_options import GrpcChannelOptions

if TYPE_CHECKING:
    from azure.durable_functions import SyncDurableFunctionsClient

VERSION = "1.0"
"""Of the orchestration in this app; ``defaultVersion`` of host.json, by which the engine judges runs, is the same."""

DEADLINE_SECONDS = 10.0
HASTY_DEADLINE_SECONDS = 3.0
"""For health, whose caller soon takes no answer for one."""

AT_ONCE = 2
"""Calls of one process that may wait for the engine: fewer than it has threads, so that others stay for all else."""

# How long a call waits for its turn, and for how long none is made after one had no answer.
_TURN_SECONDS, _SILENT_SECONDS = 3.0, 5.0
# How long the answer to one ping serves others: health is open to everybody.
_PING_SECONDS = 1.0
_OVER = (OrchestrationStatus.COMPLETED, OrchestrationStatus.FAILED, OrchestrationStatus.TERMINATED)
_NOBODY = "nobody"  # no run has such an id

type RunState = Literal["active", "over"]

_log = logging.getLogger(__name__)


class EngineUnavailable(Exception):
    """The engine did not do what it was asked for, as far as can be told: it may have taken it and not answered."""


class StillRunning(Exception):
    """The engine keeps the history of what is not over."""


class _Refused(EngineUnavailable):
    """There is no such instance, or it is not in a state for what was asked for."""


class Engine:
    """What the app asks of the engine. Every method raises :class:`EngineUnavailable` where no answer comes in time."""

    def __init__(self, client: "SyncDurableFunctionsClient", deadline_seconds: float = DEADLINE_SECONDS) -> None:
        place = (client.rpcBaseUrl, client.taskHubName)
        self._client = _client(*place, client.maxGrpcMessageSizeInBytes, deadline_seconds)
        self._turns = _turns(*place)

    def start(self, orchestration: str, run_id: str) -> None:
        """Have the engine carry a run. One that is not taken in time may be taken later, when storage answers again."""
        self._ask(lambda: self._client.schedule_new_orchestration(orchestration, instance_id=run_id, version=VERSION))

    def state(self, run_id: str) -> RunState | None:
        """Tell whether the engine carries a run, ``None`` where it does not know it."""
        state = self._ask(lambda: self._client.get_orchestration_state(run_id, fetch_payloads=False))
        if state is None:
            return None
        return "over" if state.runtime_status in _OVER else "active"

    def ping(self) -> None:
        """Have the engine look something up in its storage, once for all that ask at the same time.

        It takes no turn, and a slow answer to it refuses no other call: everybody may ask for health.
        """
        self._turns.ping(lambda: self._client.get_orchestration_state(_NOBODY, fetch_payloads=False))

    def terminate(self, run_id: str) -> None:
        """Have the engine end a run; one that is over, or that it does not know, needs no end."""
        with suppress(_Refused):
            self._ask(lambda: self._client.terminate_orchestration(run_id))

    def purge(self, run_id: str, began: datetime, ended: datetime | None) -> None:
        """Delete what the engine keeps of a run that lasted from ``began`` to ``ended``.

        Raises:
            StillRunning: it is not over there.
        """
        # No engine purges sub-orchestrations with their parent. One run is active at a time: what began then is its
        # own. This takes the longer the more there is to delete, and says nothing about other calls.
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
                refused = code in (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION)
                raise (_Refused if refused else EngineUnavailable) from error


def is_newer(version: str) -> bool:
    """Tell whether a run of this version of the orchestration is beyond this app; what is no version is not."""
    try:
        return _parts(version) > _parts(VERSION)
    except ValueError:
        return False


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _code(error: BaseException | None) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.Call) else None


class _Turns:
    """Keeps an engine that is silent from holding every thread of the process.

    At most :data:`AT_ONCE` calls wait for it. One that has no answer shows that it is silent: for some seconds calls
    are then refused at once, and after that a few try again. One that gets no turn in time shows that it is busy: for
    some seconds no other waits for a turn, but those that are free are taken.
    """

    def __init__(self) -> None:
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._pinging = threading.Lock()
        self._pinged_at = float("-inf")
        self._no_answer: grpc.RpcError | None = None
        self._silent_until = self._busy_until = 0.0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Give a turn.

        Raises:
            EngineUnavailable: there is none to be had.
        """
        self._refuse_while_silent()
        if not self._free.acquire(timeout=0 if time.monotonic() < self._busy_until else _TURN_SECONDS):
            self._busy_until = time.monotonic() + _SILENT_SECONDS
            raise EngineUnavailable
        try:
            self._refuse_while_silent()  # the call before may have shown it
            yield
        finally:
            self._free.release()

    def ping(self, call: Callable[[], object]) -> None:
        """Make a call that no other is judged by.

        Raises:
            EngineUnavailable: the engine did not answer it, or one of a moment ago.
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
        """Note that the engine does not answer."""
        if time.monotonic() >= self._silent_until:
            _log.warning("The orchestration engine does not answer; for %d s it is not asked", _SILENT_SECONDS)
        self._silent_until = time.monotonic() + _SILENT_SECONDS

    def _refuse_while_silent(self) -> None:
        if time.monotonic() < self._silent_until:
            raise EngineUnavailable


class _Deadline(grpc.UnaryUnaryClientInterceptor):
    """Gives a deadline to each call that has none of its own."""

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
    """Give the client of this process for an engine: as the SDK makes that of the binding, but with a deadline."""
    limit = message_bytes or None  # none given: gRPC's own
    return TaskHubGrpcClient(
        host_address=address,
        metadata=[("taskhub", hub)],
        interceptors=[_Deadline(deadline_seconds)],
        channel_options=GrpcChannelOptions(max_receive_message_length=limit, max_send_message_length=limit),
        emit_trace_spans=False,
        logger=logging.getLogger("azure.durable_functions.client"),
    )


@functools.cache
def _turns(address: str, hub: str) -> _Turns:  # noqa: ARG001 - one for each
    return _Turns()
