"""How long a source of prices may be waited for: in one question, and in all that a step asks of it."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PATIENCE_SECONDS = 480.0
"""What a batch may take altogether: well within ``functionTimeout`` of host.json, which is 10 minutes."""

_end = ContextVar("end of patience", default=math.inf)


@contextmanager
def one_patience() -> Iterator[None]:
    """Let all that is asked within share the time that a single question may take."""
    token = _end.set(end_of_patience())
    try:
        yield
    finally:
        _end.reset(token)


def end_of_patience() -> float:
    """Give the time by which what is asked from now on must be answered."""
    return min(_end.get(), time.monotonic() + PATIENCE_SECONDS)
