"""Correlation ids: of a request's answer, log lines and audit entry, and of all log lines of a run.

A request's id is the trace-id of the caller's traceparent. Each log message of a request is kept on one line, so that
a line break in a value cannot forge a log line.
"""

import logging
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar

from opentelemetry import trace

CORRELATION_ID = "X-Correlation-Id"

_correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
_run_id: ContextVar[str | None] = ContextVar("run_id", default=None)
# https://www.w3.org/TR/trace-context/: a future version may append fields, version 00 has exactly these.
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace_id>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-.*)?"
)
_NONE = re.compile(r"0+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@contextmanager
def correlated(traceparent: str | None = None) -> Iterator[str]:
    """Run the body under one correlation id and yield the id."""
    correlation_id = trace_id(traceparent) or secrets.token_hex(16)
    token = _correlation_id.set(correlation_id)
    try:
        yield correlation_id
    finally:
        _correlation_id.reset(token)


def current_correlation_id() -> str:
    """Return the current correlation id, or a new one if there is none."""
    return _correlation_id.get() or secrets.token_hex(16)


@contextmanager
def of_run(run_id: str | None) -> Iterator[None]:
    """Run the body for a run: its log lines and spans carry the run's id. ``None`` changes nothing."""
    outer = _run_id.get()
    token = _run_id.set(run_id or outer)
    _set_in_span(run_id)
    try:
        yield
    finally:
        _run_id.reset(token)
        _set_in_span(outer)


def current_run_id() -> str | None:
    """Return the id of the current run, if there is one."""
    return _run_id.get()


def _set_in_span(run_id: str | None) -> None:
    if run_id is not None:
        trace.get_current_span().set_attribute("run_id", run_id)


def trace_id(traceparent: str | None) -> str | None:
    """Return the trace-id of a traceparent, ``None`` if it is malformed: the standard says to ignore it then."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None or (found["version"] == "00" and found["more"]):
        return None
    _, trace, parent, *_ = found[0].split("-")
    return None if _NONE.fullmatch(trace) or _NONE.fullmatch(parent) else trace


def add_ids_to_log_lines() -> None:
    """Append the ids to the log lines of requests and runs. Calling it again changes nothing.

    The ids are also attributes of the log record, for handlers that use more than its text.
    """
    make = logging.getLogRecordFactory()
    if make is not _make_record:
        _makers.append(make)
        logging.setLogRecordFactory(_make_record)


_makers: list[Callable[..., logging.LogRecord]] = []


def _make_record(*args: object, **kwargs: object) -> logging.LogRecord:
    record = _makers[-1](*args, **kwargs)
    ids = {"run_id": _run_id.get(), "correlation_id": _correlation_id.get()}
    record.__dict__.update(ids)
    if any(ids.values()):
        with suppress(TypeError, ValueError):  # a library's arguments do not fit: handlers report it, none raises
            text = record.getMessage()
            record.msg, record.args = _with_ids(text if ids["correlation_id"] is None else _on_one_line(text), ids), ()
    return record


def _with_ids(text: str, ids: Mapping[str, str | None]) -> str:
    pairs = (f"{name}={value}" for name, value in ids.items() if value is not None)
    return text + "".join(f" ({pair})" for pair in pairs if pair not in text)


def _on_one_line(text: str) -> str:
    return _UNPRINTABLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
