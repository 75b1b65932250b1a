"""Telemetry in addition to log lines: spans of invocations, and metrics of runs.

``docs/telemetry.md`` lists all of it by name. The code calls OpenTelemetry's API, which does nothing by itself; if a
setting names a destination, the first invocation of a worker starts the exporters.
"""

import functools
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from records import Run

if TYPE_CHECKING:
    import azure.functions as func
    from opentelemetry.metrics import Counter, Histogram

    from functions.telemetry.exporters import Flush

type Triggered = Literal["http", "timer", "other"]
"""The trigger of a function, in OpenTelemetry's terms, which have none for the orchestration engine."""

_DESTINATIONS = ("APPLICATIONINSIGHTS_CONNECTION_STRING", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Settings that the exporters read by themselves."""

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

_tracer = trace.get_tracer("portfolio_analysis")
_propagator = TraceContextTextMapPropagator()
_starting = threading.Lock()
_log = logging.getLogger(__name__)
# The SDK logs a line for each step of an orchestration and each call to the engine. No filter in host.json can drop
# them: the host files all lines of a worker under the name of the function.
logging.getLogger("azure.durable_functions").setLevel(logging.WARNING)


@dataclass
class _Invocation:
    flush_at_end: bool = False


_current: ContextVar[_Invocation | None] = ContextVar("invocation", default=None)


@functools.cache
def is_exported() -> bool:
    """Return whether telemetry is exported."""
    return any(os.environ.get(name, "").strip() for name in _DESTINATIONS)


@contextmanager
def invocation(
    name: str, triggered: Triggered, context: "func.Context | None", **attributes: str | int
) -> Iterator[trace.Span]:
    """Run the body as one span in the trace that the host passes; yield the span."""
    if not is_exported():
        yield trace.INVALID_SPAN
        return
    flush, current = _start(), _Invocation()
    token = _current.set(current)
    try:
        with _tracer.start_as_current_span(
            name,
            context=_parent(context),
            kind=trace.SpanKind.SERVER,
            attributes={"faas.trigger": triggered, **attributes},
            # Both would include the error's message, which may hold anything.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            if flush is not None:
                from functions.telemetry.exporters import log_failures

                log_failures()
            try:
                yield span
            except Exception as error:
                record_error(span, error)
                raise
    finally:
        _current.reset(token)
        if flush is not None and current.flush_at_end:
            flush()


def flush_at_end() -> None:
    """Flush the exporters before this invocation ends: the worker may be killed at any time after."""
    current = _current.get()
    if current is not None:
        current.flush_at_end = True


def record_error(span: trace.Span, error: Exception) -> None:
    """Mark a span as failed, with the error's class."""
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(trace.StatusCode.ERROR)


def record_answer(span: trace.Span, method: str, status: int) -> None:
    """Set the method and the status of a request on its span."""
    span.set_attribute("http.request.method", method if method in _METHODS else "_OTHER")
    span.set_attribute("http.response.status_code", status)
    if HTTPStatus(status).is_server_error:
        span.set_status(trace.StatusCode.ERROR)


def traceparent_of(span: trace.Span) -> str | None:
    """Return the traceparent of a span, ``None`` if telemetry is not exported."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier.get("traceparent")


def record_end(run: Run, error_type: str | None) -> None:
    """Record the metrics of a run that ended, and flush them when the invocation ends."""
    if not is_exported():
        return
    _start()
    flush_at_end()
    runs, users, durations = _instruments()
    runs.add(1, {"status": run.status} | ({"error_type": error_type} if error_type else {}))
    for outcome in ("analyzed", "skipped", "failed"):
        users.add(getattr(run, f"users_{outcome}"), {"run_id": run.run_id, "outcome": outcome})
    if run.metrics.total_duration_seconds is not None:
        durations.record(run.metrics.total_duration_seconds, {"run_id": run.run_id, "status": run.status})


@functools.cache
def _instruments() -> "tuple[Counter, Counter, Histogram]":
    from opentelemetry import metrics

    meter = metrics.get_meter("portfolio_analysis")
    return (
        meter.create_counter("portfolio_analysis.runs", "{run}", "Runs that ended."),
        meter.create_counter("portfolio_analysis.users", "{user}", "Users of a run that ended."),
        meter.create_histogram("portfolio_analysis.run.duration", "s", "From the first step of a run to its end."),
    )


def _start() -> "Flush | None":
    with _starting:
        return _started()


@functools.cache
def _started() -> "Flush | None":
    from functions.telemetry.exporters import start

    try:
        return start()
    except Exception as error:  # noqa: BLE001 - telemetry never stops the work
        # Only the class: the message may contain a setting.
        _log.error("Telemetry cannot be exported: %s", type(error).__name__)
        return None


def _parent(context: "func.Context | None") -> Context:
    # Not the current context of this thread: the host's worker leaves the one of an earlier invocation there.
    passed = context and context.trace_context
    if not passed:
        return Context()
    carrier = {"traceparent": passed.trace_parent or "", "tracestate": passed.trace_state or ""}
    return _propagator.extract(carrier, Context())
