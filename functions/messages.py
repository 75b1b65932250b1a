"""What orchestration and activities tell each other: ids and counters, never documents.

Everything here crosses the wire as JSON and stays in the engine's history, so it must stay small; what a batch found is
kept in the database. :func:`to_wire` refuses what has grown too large all the same.
"""

import json
from datetime import datetime
from typing import Any

from msgspec import Struct, to_builtins

MAX_MESSAGE_BYTES = 48 * 1024
"""The engine keeps up to 64 KB in place; what is larger it has to store elsewhere, or refuses."""

_NAMED_SYMBOLS = 50


class MessageTooLarge(ValueError):
    """A message is over :data:`MAX_MESSAGE_BYTES`. The text names its kind and size, not its content."""


def to_wire(message: Struct) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Give ``message`` as plain JSON values.

    Raises:
        MessageTooLarge: it would be over 48 KB.
    """
    wire = to_builtins(message)
    size = len(json.dumps(wire))  # as the SDK writes it
    if size > MAX_MESSAGE_BYTES:
        raise MessageTooLarge(f"{type(message).__name__} has {size} bytes, {MAX_MESSAGE_BYTES} are allowed")
    return wire


class PlanInput(Struct, frozen=True):
    """Which run to plan, and since when the engine carries it."""

    run_id: str
    started_at: datetime


class BatchInput(Struct, frozen=True):
    """Which numbered batch of a run's plan an activity is to work on."""

    run_id: str
    plan_id: str
    number: int


class GroupInput(Struct, frozen=True):
    """Which consecutive batches of a run's plan a sub-orchestration is to run an ``activity`` for."""

    run_id: str
    plan_id: str
    activity: str
    first: int
    count: int


class Failure(Struct, frozen=True):
    """Why a run cannot go on, in a word and in a sentence."""

    error_type: str
    error: str


class Plan(Struct, frozen=True):
    """How much there is to do. Settings that decide the course of a run are part of it: they must not change midway."""

    plan_id: str = ""
    symbols: int = 0
    symbol_batches: int = 0
    pages: int = 0
    min_success_rate: float = 0.0
    failure: Failure | None = None

    def too_few_prices(self, loaded: "BatchResult") -> Failure | None:
        """Give the reason to stop where the share of symbols with prices is below the limit."""
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
    """How a batch went, or several together.

    ``failed`` counts the members of the batch that failed, ``failed_symbols`` names some of them, where they are
    symbols; ``failure`` says why a batch as a whole could not be worked on.
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
    """What the last step needs to know; filled as the run goes, so that a run that breaks off tells what it has."""

    run_id: str
    failure: Failure | None = None
    durations: dict[str, float] = {}
