"""The id that ties together an answer, its log lines and its audit entry: the trace-id of the caller's traceparent.

Everything a request logs is kept on one line here, whatever a value in it holds: a line break in one must not be able
to forge a log line.
"""

import logging
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar

CORRELATION_ID = "X-Correlation-Id"

_correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
# https://www.w3.org/TR/trace-context/: a version to come may append fields, version 00 has just these.
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace_id>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-.*)?"
)
_NONE = re.compile(r"0+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@contextmanager
def correlated(traceparent: str | None = None) -> Iterator[str]:
    """Do what is within under one id; gives it."""
    correlation_id = trace_id(traceparent) or secrets.token_hex(16)
    token = _correlation_id.set(correlation_id)
    try:
        yield correlation_id
    finally:
        _correlation_id.reset(token)


def current_correlation_id() -> str:
    """Give the id of what is being done, a new one where it has none."""
    return _correlation_id.get() or secrets.token_hex(16)


def trace_id(traceparent: str | None) -> str | None:
    """Give the trace-id of a traceparent, ``None`` where it is none: then, says the standard, it is to be ignored."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None or (found["version"] == "00" and found["more"]):
        return None
    _, trace, parent, *_ = found[0].split("-")
    return None if _NONE.fullmatch(trace) or _NONE.fullmatch(parent) else trace


def tell_in_log_lines() -> None:
    """Have the log lines of each request end with its id. Doing it again changes nothing."""
    make = logging.getLogRecordFactory()
    if make is not _make_record:
        _makers.append(make)
        logging.setLogRecordFactory(_make_record)


_makers: list[Callable[..., logging.LogRecord]] = []


def _make_record(*args: object, **kwargs: object) -> logging.LogRecord:
    record = _makers[-1](*args, **kwargs)
    correlation_id = _correlation_id.get()
    if correlation_id is not None:
        with suppress(TypeError, ValueError):  # some library's arguments do not fit: handlers tell of it, none raises
            record.msg = f"{_UNPRINTABLE.sub(_escape, record.getMessage())} (correlation_id={correlation_id})"
            record.args = ()
    return record


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
