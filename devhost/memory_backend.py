"""The SDK's in-memory backend, made as strict as the Durable extension with Azure Storage.

As in the extension: LocalGrpcListener.cs (refusals and answers to clients), and in DurableTask.AzureStorage (timers,
which are messages of a queue; OrchestrationSessionManager.cs, messages for an earlier execution of an instance, which
are discarded).
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
        self._first_tokens: dict[str, int] = {}
        """By instance: the completion token with which its execution began; each turn has a larger one."""

    def StartInstance(self, request: pb.CreateInstanceRequest, context: Any) -> pb.CreateInstanceResponse:  # noqa: ANN401, N802 - a call of gRPC's
        """Start an orchestration."""
        if self._default_version and not request.version.value:
            request.version.value = self._default_version
        self.traceparents[request.instanceId] = request.parentTraceContext.traceParent
        with self._lock:
            started = super().StartInstance(request, context)
            self._begin(started.instanceId)
        return started

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

    def CompleteActivityTask(self, request: pb.ActivityResponse, _: Any) -> pb.CompleteTaskResponse:  # noqa: ANN401, N802 - a call of gRPC's
        """Pass the result of an activity to its orchestration."""
        event = helpers.new_task_completed_event(request.taskId, request.result.value)
        if request.HasField("failureDetails"):  # the SDK treats one without text as a success
            failed = pb.TaskFailedEvent(taskScheduledId=request.taskId, failureDetails=request.failureDetails)
            event = pb.HistoryEvent(eventId=-1, taskFailed=failed)
        self._deliver(request.instanceId, int(request.completionToken), event)
        return pb.CompleteTaskResponse()

    def _create_instance_internal(self, instance_id: str, *rest: Any, **named: Any) -> None:  # noqa: ANN401 - the SDK's
        super()._create_instance_internal(instance_id, *rest, **named)
        self._begin(instance_id)

    def _process_complete_orchestration_action(
        self, instance: OrchestrationInstance, complete_action: pb.CompleteOrchestrationAction
    ) -> None:
        super()._process_complete_orchestration_action(instance, complete_action)
        if complete_action.orchestrationStatus == pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW:
            self._first_tokens[instance.instance_id] = self._next_completion_token

    def _watch_sub_orchestration(self, parent_instance_id: str, sub_instance_id: str, task_id: int) -> None:
        token = self._instances[parent_instance_id].completion_token

        def watch() -> None:
            child = self._wait_for_state(sub_instance_id, self._is_terminal_status_check, None)
            if child is not None:
                self._deliver(parent_instance_id, token, _end_of_child(child, task_id))

        threading.Thread(target=watch, daemon=True).start()

    def _process_create_timer_action(self, instance: OrchestrationInstance, action: pb.OrchestratorAction) -> None:
        due = action.createTimer.fireAt.ToDatetime(tzinfo=UTC)
        instance.history.append(helpers.new_timer_created_event(action.id, due))
        # A message to a queue of Azure Storage can be hidden for whole seconds only: timers fire up to a second early.
        delay = max(0, (due - datetime.now(UTC)) // timedelta(seconds=1))
        fired = helpers.new_timer_fired_event(action.id, due)
        timer = threading.Timer(delay, self._deliver, (instance.instance_id, instance.completion_token, fired))
        timer.daemon = True
        timer.start()

    def _begin(self, instance_id: str) -> None:
        self._first_tokens[instance_id] = self._instances[instance_id].completion_token

    def _deliver(self, instance_id: str, token: int, event: pb.HistoryEvent) -> None:
        """Pass an event to the execution of an instance that asked for it in the turn with ``token``."""
        with self._lock:
            instance = self._instances.get(instance_id)
            if instance is None or self._is_terminal_status(instance.status):
                return
            if token >= self._first_tokens[instance_id]:
                instance.pending_events.append(event)
                instance.last_updated_at = datetime.now(UTC)
                self._enqueue_orchestration(instance_id)

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
