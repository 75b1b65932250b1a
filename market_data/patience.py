"""Time limits for a source of prices: for one request, and for all requests of a step."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PATIENCE_SECONDS = 480.0
"""The time limit of a batch: well within ``functionTimeout`` of host.json, which is 10 minutes."""

_end = ContextVar("end of patience", default=math.inf)


@contextmanager
def one_patience() -> Iterator[None]:
    """Let all requests within share the time limit of a single one."""
    token = _end.set(end_of_patience())
    try:
        yield
    finally:
        _end.reset(token)


def end_of_patience() -> float:
    """Return the time by which requests from now on must be answered."""
    return min(_end.get(), time.monotonic() + PATIENCE_SECONDS)
