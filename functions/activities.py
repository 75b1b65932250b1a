"""The steps of a run as the engine calls them. What each does stands in the module it delegates to.

The engine delivers at least once: each step may run twice, or twice at the same time, and must leave the same result.
"""

import logging
from typing import Any

import azure.durable_functions as df
import msgspec

from functions.messages import BatchInput, FinishInput, MessageTooLarge, PlanInput, to_wire
from functions.services import services

blueprint = df.Blueprint()
_log = logging.getLogger(__name__)


@blueprint.activity_trigger(input_name="message")
def plan_run(message: dict[str, Any]) -> dict[str, Any]:
    """Fix the as-of date and the batches of symbols and users."""
    from functions.planning import plan  # noqa: PLC0415 - numpy: not while indexing; so the others

    return to_answer(plan(services(), msgspec.convert(message, PlanInput)))


@blueprint.activity_trigger(input_name="message")
def load_prices(message: dict[str, Any]) -> dict[str, Any]:
    """Fetch and keep the daily prices of one batch of symbols."""
    from functions.market import load_batch  # noqa: PLC0415

    return to_answer(load_batch(services(), msgspec.convert(message, BatchInput)))


@blueprint.activity_trigger(input_name="message")
def research_symbols(message: dict[str, Any]) -> dict[str, Any]:
    """Research one batch of symbols."""
    from functions.market import research_batch  # noqa: PLC0415

    return to_answer(research_batch(services(), msgspec.convert(message, BatchInput)))


@blueprint.activity_trigger(input_name="message")
def analyze_page(message: dict[str, Any]) -> dict[str, Any]:
    """Analyse one page of users."""
    from functions.pages import analyze  # noqa: PLC0415

    return to_answer(analyze(services(), msgspec.convert(message, BatchInput)))


@blueprint.activity_trigger(input_name="message")
def finish_run(message: dict[str, Any]) -> str:
    """Bring the run to its final state and free the lease; gives that state."""
    from functions.finishing import finish  # noqa: PLC0415

    return finish(services(), msgspec.convert(message, FinishInput))


def to_answer(message: msgspec.Struct) -> dict[str, Any]:
    """Give what a step answers the engine; one that is too large is refused, and the log says so."""
    try:
        wire: dict[str, Any] = to_wire(message)
    except MessageTooLarge as error:
        _log.error("A step's answer is refused: %s", error)
        raise
    return wire
