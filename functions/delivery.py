"""The delivery of events, by an orchestration for each endpoint: a slow one delays no other.

Deterministic as :mod:`functions.orchestration`. An orchestration goes on until nothing is left to deliver; it begins
again with an empty history after each round.
"""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import msgspec
from durabletask.task import OrchestrationContext, RetryPolicy, Task, when_all, when_any

from functions.messages import DeliveryInput, to_wire
from records import DeliveryStep, DeliveryWork

blueprint = df.Blueprint()

DUE = "due"
"""The event that ends a pause of the orchestration: there is something new to deliver."""

_RETRY = RetryPolicy(first_retry_interval=timedelta(seconds=3), max_number_of_attempts=5, backoff_coefficient=2)
_SLOTS_AT_ONCE = 2
"""Few, so that steps of runs and of other endpoints find free workers, too: an instance has four."""
_LINGER_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 8 * 3600.0


@blueprint.orchestration_trigger(context_name="context")
def event_delivery(context: OrchestrationContext, message: dict[str, Any]) -> Generator[Task[Any], Any]:
    """Deliver what is due and the passes of nights, or pause until something is; then begin again, or end."""
    asked = msgspec.convert(message, DeliveryInput)
    work = msgspec.convert((yield _call(context, "plan_delivery", asked)), DeliveryWork)
    steps = [DeliveryStep(asked.endpoint_id)] if work.due else []
    steps += [DeliveryStep(asked.endpoint_id, run_id, slot) for run_id, slot in work.slots[:_SLOTS_AT_ONCE]]
    if steps:
        yield when_all([_call(context, "deliver_events", step) for step in steps])
    else:
        seconds = _LINGER_SECONDS if work.wait_seconds is None else min(work.wait_seconds, _LONGEST_PAUSE_SECONDS)
        due = context.wait_for_external_event(DUE)
        yield when_any([context.create_timer(timedelta(seconds=seconds)), due])
        if work.wait_seconds is None and not due.is_complete:
            return  # without another look, during which an event that tells of something new would be lost
    context.continue_as_new(to_wire(asked), save_events=True)


def _call(context: OrchestrationContext, activity: str, message: DeliveryInput | DeliveryStep) -> Task[Any]:
    return context.call_activity(activity, input=to_wire(message), retry_policy=_RETRY)
