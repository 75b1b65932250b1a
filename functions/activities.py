"""The steps of a run, called by the engine. Each delegates to the module that does the work.

The engine delivers at least once: each step may run twice, even concurrently, and must leave the same result.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df
import azure.functions as func
import msgspec

from correlation import of_run
from functions.messages import (
    CollectInput,
    DeliveryInput,
    FinishInput,
    MessageTooLarge,
    PlanInput,
    sendable_errors,
    to_wire,
)
from functions.services import worker
from functions.telemetry.spans import invocation
from records import Batch, DeliveryStep, DeliveryWork
from runs.engine import VERSION

if TYPE_CHECKING:
    type Message = dict[str, Any]
else:
    # A bare `dict`: Azure's worker rejects `dict[str, Any]` as the type of a trigger parameter, and loads no function
    # at all if it rejects one.
    Message = dict

blueprint = df.Blueprint()
_log = logging.getLogger(__name__)


@blueprint.activity_trigger(input_name="message")
def plan_run(message: Message, context: func.Context) -> dict[str, Any]:
    """Fix the as-of date and the pages of users."""
    with _step("plan_run", message, context):
        from runs.collecting import plan_at_once
        from runs.planning import plan_pages

        asked = msgspec.convert(message, PlanInput)
        plan = plan_pages if asked.pages_only else plan_at_once
        return to_answer(plan(worker().services_of_steps(), asked.run_id, asked.started_at))


@blueprint.activity_trigger(input_name="message")
def read_page(message: Message, context: func.Context) -> dict[str, Any]:
    """Read the documents of one page of users."""
    with _step("read_page", message, context):
        from runs.reading import read

        return to_answer(read(worker().services_of_steps(), msgspec.convert(message, Batch)))


@blueprint.activity_trigger(input_name="message")
def collect_symbols(message: Message, context: func.Context) -> dict[str, Any]:
    """Fix the batches of symbols of all pages."""
    with _step("collect_symbols", message, context):
        from runs.collecting import collect

        return to_answer(collect(worker().services_of_steps(), msgspec.convert(message, CollectInput).run_id))


@blueprint.activity_trigger(input_name="message")
def load_prices(message: Message, context: func.Context) -> dict[str, Any]:
    """Fetch and keep the daily prices of one batch of symbols."""
    with _step("load_prices", message, context):
        from runs.prices import load_batch

        return to_answer(load_batch(worker().services_of_steps(), msgspec.convert(message, Batch)))


@blueprint.activity_trigger(input_name="message")
def research_symbols(message: Message, context: func.Context) -> dict[str, Any]:
    """Research one batch of symbols."""
    with _step("research_symbols", message, context):
        from runs.research import research_batch

        return to_answer(research_batch(worker().services_of_steps(), msgspec.convert(message, Batch)))


@blueprint.activity_trigger(input_name="message")
def analyze_page(message: Message, context: func.Context) -> dict[str, Any]:
    """Analyze one page of users."""
    with _step("analyze_page", message, context):
        from runs.reports import analyze

        return to_answer(analyze(worker().services_of_steps(), msgspec.convert(message, Batch)))


@blueprint.activity_trigger(input_name="message")
def finish_run(message: Message, context: func.Context) -> str:
    """Bring the run to its final state, release the lease and return that state."""
    with _step("finish_run", message, context):
        from runs.ending import finish

        end = msgspec.convert(message, FinishInput)
        return finish(worker().services_of_steps(), end.run_id, end.failure, end.durations)


@blueprint.activity_trigger(input_name="message")
def plan_delivery(message: Message, context: func.Context) -> dict[str, Any]:
    """Find what is to be delivered to an endpoint."""
    with _step("plan_delivery", message, context):
        from runs.delivering import work_for

        asked = msgspec.convert(message, DeliveryInput)
        is_ours = asked.version == VERSION
        return to_answer(work_for(worker().services_of_steps(), asked.endpoint_id) if is_ours else DeliveryWork())


@blueprint.activity_trigger(input_name="message")
def deliver_events(message: Message, context: func.Context) -> dict[str, Any]:
    """Deliver a part of what is to be delivered to an endpoint."""
    with _step("deliver_events", message, context):
        from runs.delivering import deliver

        deliver(worker().services_of_steps(), msgspec.convert(message, DeliveryStep))
        return {}


@contextmanager
def _step(name: str, message: Message, context: func.Context | None) -> Iterator[None]:
    """Run the body as a step of its run, named in the trace, with the run's id in log lines."""
    batch = {"batch": message["number"]} if "number" in message else {}
    from stores.mongo import one_patience

    with invocation(name, "other", context, **batch), of_run(message.get("run_id")), sendable_errors(), one_patience():
        yield


def to_answer(result: object) -> dict[str, Any]:
    """Return a step's result in wire form; one that is too large is logged and rejected."""
    try:
        wire: dict[str, Any] = to_wire(result)
    except MessageTooLarge as error:
        _log.error("The result of a step is rejected: %s", error)
        raise
    return wire
