"""The messages between orchestration and activities: ids and counters, never documents.

Messages are sent as JSON and stay in the engine's history, so they must be small; the results of a batch are stored in
the database. :func:`to_wire` rejects a message that is too large.
"""

import json
from datetime import datetime
from typing import Any

from msgspec import Struct, to_builtins

MAX_MESSAGE_BYTES = 48 * 1024
"""The engine stores up to 64 KB inline; larger messages are stored elsewhere or refused."""

_NAMED_SYMBOLS = 50


class MessageTooLarge(ValueError):
    """A message is over :data:`MAX_MESSAGE_BYTES`. The text names its kind and size, not its content."""


def to_wire(message: Struct) -> Any:  # noqa: ANN401 - any JSON
    """Return ``message`` as plain JSON values.

    Raises:
        MessageTooLarge: it is over 48 KB.
    """
    wire = to_builtins(message)
    size = len(json.dumps(wire))  # as the SDK writes it
    if size > MAX_MESSAGE_BYTES:
        raise MessageTooLarge(f"{type(message).__name__} has {size} bytes, {MAX_MESSAGE_BYTES} are allowed")
    return wire


class PlanInput(Struct, frozen=True):
    """The run to plan, and when its orchestration started."""

    run_id: str
    started_at: datetime


class BatchInput(Struct, frozen=True):
    """The numbered batch of a run's plan that an activity works on."""

    run_id: str
    plan_id: str
    number: int


class GroupInput(Struct, frozen=True):
    """The consecutive batches of a run's plan that a sub-orchestration runs an ``activity`` for."""

    run_id: str
    plan_id: str
    activity: str
    first: int
    count: int


class Failure(Struct, frozen=True):
    """The reason a run cannot continue, as a type and as a sentence."""

    error_type: str
    error: str


class Plan(Struct, frozen=True):
    """The size of a run. It includes a setting that decides the run's course and must not change during the run."""

    plan_id: str = ""
    symbols: int = 0
    symbol_batches: int = 0
    pages: int = 0
    min_success_rate: float = 0.0
    failure: Failure | None = None

    def too_few_prices(self, loaded: "BatchResult") -> Failure | None:
        """Return the reason to stop if the share of symbols with prices is below the limit."""
        priced = self.symbols - loaded.failed
        if self.symbols == 0 or priced / self.symbols >= self.min_success_rate:
            return None
        missing, unnamed = ", ".join(loaded.failed_symbols), loaded.failed - len(loaded.failed_symbols)
        more = f" and {unnamed} more" if unnamed else ""
        return Failure(
            "too_few_prices",
            f"Only {priced} of {self.symbols} symbols have prices, {self.min_success_rate:.0%} are needed; without "
            f"prices: {missing}{more}.",
        )


class BatchResult(Struct, frozen=True):
    """The result of a batch, or of several together.

    ``failed`` counts the members of the batch that failed, ``failed_symbols`` names some of them, if they are symbols;
    ``failure`` is the reason why a batch as a whole could not be processed.
    """

    failed: int = 0
    failed_symbols: tuple[str, ...] = ()
    failure: Failure | None = None

    def __add__(self, other: "BatchResult") -> "BatchResult":
        return BatchResult(
            failed=self.failed + other.failed,
            failed_symbols=(self.failed_symbols + other.failed_symbols)[:_NAMED_SYMBOLS],
            failure=self.failure or other.failure,
        )


class FinishInput(Struct):
    """The input of the last step, filled as the run proceeds, so that a run that breaks off reports what it has."""

    run_id: str
    failure: Failure | None = None
    durations: dict[str, float] = {}
