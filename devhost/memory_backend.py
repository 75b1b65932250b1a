"""The SDK's in-memory backend, made as strict as the Durable extension with Azure Storage.

As in the extension: LocalGrpcListener.cs (refusals and answers to clients), and in DurableTask.AzureStorage (timers,
which are messages of a queue).
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from durabletask.internal import helpers
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing import InMemoryOrchestrationBackend
from durabletask.testing.in_memory_backend import OrchestrationInstance

_HISTORY_EVENTS = 1_000_000


class LocalBackend(InMemoryOrchestrationBackend):
    """The SDK's backend; orchestrations started without a version get the default one, as in the extension."""

    def __init__(self, default_version: str | None) -> None:
        super().__init__(max_history_size=_HISTORY_EVENTS)
        self._default_version = default_version
        self.traceparents: dict[str, str] = {}
        """By instance: the trace it was started in, which the SDK's backend does not store."""

    def StartInstance(self, request: pb.CreateInstanceRequest, context: Any) -> pb.CreateInstanceResponse:  # noqa: ANN401, N802 - a call of gRPC's
        """Start an orchestration."""
        if self._default_version and not request.version.value:
            request.version.value = self._default_version
        self.traceparents[request.instanceId] = request.parentTraceContext.traceParent
        return super().StartInstance(request, context)

    def TerminateInstance(self, request: pb.TerminateRequest, context: Any) -> pb.TerminateResponse:  # noqa: ANN401, N802 - a call of gRPC's
        """Terminate an orchestration that has not ended."""
        with self._lock:
            instance = self._instances.get(request.instanceId)
            if instance is None:
                context.abort(grpc.StatusCode.NOT_FOUND, f"No instance with ID '{request.instanceId}' was found.")
            elif self._is_terminal_status(instance.status):
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "The orchestration has ended.")
            return super().TerminateInstance(request, context)

    def PurgeInstances(self, request: pb.PurgeInstancesRequest, context: Any) -> pb.PurgeInstancesResponse:  # noqa: ANN401, N802 - a call of gRPC's
        """Delete orchestrations that have ended."""
        with self._lock:
            instance = self._instances.get(request.instanceId)
            if instance is not None and not self._is_terminal_status(instance.status):
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, "The orchestration has not ended.")
            return super().PurgeInstances(request, context)

    def CompleteActivityTask(self, request: pb.ActivityResponse, context: Any) -> pb.CompleteTaskResponse:  # noqa: ANN401, N802 - a call of gRPC's
        """Pass the result of an activity to its orchestration."""
        if not request.HasField("failureDetails"):
            return super().CompleteActivityTask(request, context)
        # The SDK treats a failure without text as a success.
        failed = pb.TaskFailedEvent(taskScheduledId=request.taskId, failureDetails=request.failureDetails)
        self._deliver(request.instanceId, pb.HistoryEvent(eventId=-1, taskFailed=failed))
        return pb.CompleteTaskResponse()

    def _watch_sub_orchestration(self, parent_instance_id: str, sub_instance_id: str, task_id: int) -> None:
        def watch() -> None:
            child = self._wait_for_state(sub_instance_id, self._is_terminal_status_check, None)
            if child is not None:
                self._deliver(parent_instance_id, _end_of_child(child, task_id))

        threading.Thread(target=watch, daemon=True).start()

    def _deliver(self, instance_id: str, event: pb.HistoryEvent) -> None:
        with self._lock:
            instance = self._instances.get(instance_id)
            if instance is not None and not self._is_terminal_status(instance.status):
                instance.pending_events.append(event)
                instance.last_updated_at = datetime.now(UTC)
                self._enqueue_orchestration(instance_id)

    def _process_create_timer_action(self, instance: OrchestrationInstance, action: pb.OrchestratorAction) -> None:
        # A message to a queue of Azure Storage can be hidden for whole seconds only: timers fire up to a second early.
        due = action.createTimer.fireAt.ToDatetime(tzinfo=UTC)
        early = pb.OrchestratorAction(id=action.id, createTimer=action.createTimer)
        early.createTimer.fireAt.FromDatetime(self._fire_at(due))
        super()._process_create_timer_action(instance, early)
        instance.history[-1].timerCreated.fireAt.CopyFrom(action.createTimer.fireAt)

    def _fire_at(self, due: datetime) -> datetime:
        now = datetime.now(UTC)
        return now + timedelta(seconds=max(0, (due - now) // timedelta(seconds=1)))

    def _build_instance_response(
        self,
        instance: OrchestrationInstance,
        include_payloads: bool,  # noqa: FBT001 - the SDK's
    ) -> pb.GetInstanceResponse:
        response = super()._build_instance_response(instance, include_payloads)
        state = response.orchestrationState
        if state.HasField("failureDetails"):  # clients of the extension get a text instead
            if include_payloads:
                failure = state.failureDetails
                state.output.value = f"{failure.errorType}: {failure.errorMessage}"
            state.ClearField("failureDetails")
        return response

    def _wait_for_state(self, instance_id: str, predicate: Callable[[Any], bool], timeout: float | None) -> Any:  # noqa: ANN401 - partly typed
        # The SDK treats "no time-out" as 30 s: a parent would never learn about a sub-orchestration that took longer.
        return super()._wait_for_state(instance_id, predicate, timeout or threading.TIMEOUT_MAX)


def _end_of_child(child: OrchestrationInstance, task_id: int) -> pb.HistoryEvent:
    """Return the event for the parent of a sub-orchestration that has ended."""
    if child.status == pb.ORCHESTRATION_STATUS_COMPLETED:
        return helpers.new_sub_orchestration_completed_event(task_id, child.output)
    failed = pb.SubOrchestrationInstanceFailedEvent(
        taskScheduledId=task_id, failureDetails=child.failure_details or pb.TaskFailureDetails()
    )
    return pb.HistoryEvent(eventId=-1, subOrchestrationInstanceFailed=failed)
