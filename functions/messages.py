"""The messages between orchestration and activities: ids and counters, never documents.

Messages are sent as JSON and stay in the engine's history, so they must be small; the results of a batch are stored in
the database. :func:`to_wire` rejects a message that is too large, and errors are cut to a size that can be sent.
"""

import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from msgspec import Struct, to_builtins

from records import Failure

MAX_MESSAGE_BYTES = 48 * 1024
"""The engine stores up to 64 KB inline; larger messages are stored elsewhere or refused."""

_LONGEST_TEXT, _LONGEST_TRACE = 2_000, 20_000


class MessageTooLarge(ValueError):
    """A message is over :data:`MAX_MESSAGE_BYTES`. The text names its kind and size, not its content."""


class PlanInput(Struct, frozen=True):
    """The run to plan, and when its orchestration started.

    ``pages_only`` leaves the symbols to a later step; runs of versions before 1.2 plan everything at once.
    """

    run_id: str
    started_at: datetime
    pages_only: bool = False


class CollectInput(Struct, frozen=True):
    """The run whose symbols are to be collected from its pages."""

    run_id: str


class GroupInput(Struct, frozen=True):
    """The consecutive batches of a run's plan that a sub-orchestration runs an ``activity`` for.

    At most ``at_once`` of them are under way, any number if it is 0.
    """

    run_id: str
    plan_id: str
    activity: str
    first: int
    count: int
    at_once: int = 0


class DeliveryInput(Struct, frozen=True):
    """The endpoint that an orchestration delivers events to.

    ``version`` is that of the app that started it. Another one leaves everything to the orchestration of its own.
    """

    endpoint_id: str
    version: str = ""


class FinishInput(Struct):
    """The input of the last step, filled as the run proceeds, so that a run that breaks off reports what it has."""

    run_id: str
    failure: Failure | None = None
    durations: dict[str, float] = {}


def to_wire(message: object) -> Any:  # noqa: ANN401 - any JSON
    """Return ``message``, a record, as plain JSON values.

    Raises:
        MessageTooLarge: it is over 48 KB.
    """
    wire = to_builtins(message)
    size = len(json.dumps(wire))  # as the SDK writes it
    if size > MAX_MESSAGE_BYTES:
        raise MessageTooLarge(f"{type(message).__name__} has {size} bytes, {MAX_MESSAGE_BYTES} are allowed")
    return wire


@contextmanager
def sendable_errors() -> Iterator[None]:
    """Replace an error of the body that cannot be sent by one of the same name."""
    try:
        yield
    except Exception as error:
        replacement = sendable(_without_command(error))
        if replacement is error:
            raise
        try:
            raise replacement from None
        finally:
            replacement.__context__ = None  # the SDK sends this, too


def sendable(error: Exception) -> Exception:
    """Return an error of the same name that can be sent: not too long, and without lone surrogates.

    The host's worker and the SDK put its text and the texts of its causes into protobuf unchanged. If that fails, no
    answer is sent, and the engine waits for the step forever.
    """
    text, trace = str(error), "".join(traceback.format_exception(error))
    if len(text) <= _LONGEST_TEXT and len(trace) <= _LONGEST_TRACE and _encodable(trace) == trace:
        return error
    kind: type[Exception] = type(type(error).__name__, (Exception,), {})
    return kind(_encodable(text[:_LONGEST_TEXT])).with_traceback(error.__traceback__)


def _without_command(error: Exception) -> Exception:
    """Return an error that names a command refused by the database; some servers quote it with its parameters."""
    from stores.refusals import CommandRefused, refusal_of

    reason = refusal_of(error)
    return error if reason is None else CommandRefused(reason)


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()
