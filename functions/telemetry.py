"""What whoever watches the app from afar is told beside log lines: spans of what was done, and figures of runs.

All of it, by name, stands in ``docs/telemetry.md``. The code speaks to OpenTelemetry's interface, which does nothing by
itself; only where a setting says whom to tell does the first invocation of a worker start what listens there.
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

from stores.records import Run

if TYPE_CHECKING:
    import azure.functions as func
    from opentelemetry.metrics import Counter, Histogram

    from functions.exporters import Flush

type Triggered = Literal["http", "timer", "other"]
"""Who invokes a function, in the words of OpenTelemetry's conventions; the orchestration engine is none of theirs."""

_LISTENERS = ("APPLICATIONINSIGHTS_CONNECTION_STRING", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Settings of the exporters, which read them by themselves."""

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

_tracer = trace.get_tracer("portfolio_analysis")
_propagator = TraceContextTextMapPropagator()
_starting = threading.Lock()
_log = logging.getLogger(__name__)
# It has a line for each step of an orchestration and each question to the engine. No filter of host.json could keep
# these out: the host files whatever a worker logs under the name of the function.
logging.getLogger("azure.durable_functions").setLevel(logging.WARNING)


@dataclass
class _Invocation:
    told_at_once: bool = False


_current: ContextVar[_Invocation | None] = ContextVar("invocation", default=None)


@functools.cache
def is_exported() -> bool:
    """Tell whether anybody listens."""
    return any(os.environ.get(name, "").strip() for name in _LISTENERS)


@contextmanager
def invocation(
    name: str, triggered: Triggered, context: "func.Context | None", **attributes: str | int
) -> Iterator[trace.Span]:
    """Put what is within in the trace that the host says it belongs to, as one span; gives that."""
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
            # Both would quote the error, whose message may hold anything.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            if flush is not None:
                from functions.exporters import log_failures  # noqa: PLC0415 - loaded by the start

                log_failures()
            try:
                yield span
            except Exception as error:
                tell_error(span, error)
                raise
    finally:
        _current.reset(token)
        if flush is not None and current.told_at_once:
            flush()


def tell_at_once() -> None:
    """Have all that this worker has to tell exported before this invocation ends: it may be killed any time after."""
    current = _current.get()
    if current is not None:
        current.told_at_once = True


def tell_error(span: trace.Span, error: Exception) -> None:
    """Mark a span as gone wrong, by the error's class."""
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(trace.StatusCode.ERROR)


def tell_answer(span: trace.Span, method: str, status: int) -> None:
    """Tell how a request was answered."""
    span.set_attribute("http.request.method", method if method in _METHODS else "_OTHER")
    span.set_attribute("http.response.status_code", status)
    if HTTPStatus(status).is_server_error:
        span.set_status(trace.StatusCode.ERROR)


def traceparent_of(span: trace.Span) -> str | None:
    """Give the traceparent of a span, ``None`` where nobody listens."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier.get("traceparent")


def record_end(run: Run, error_type: str | None) -> None:
    """Put the figures of a run that ended on record, and have them told at once."""
    if not is_exported():
        return
    _start()
    tell_at_once()
    runs, users, durations = _instruments()
    runs.add(1, {"status": run.status} | ({"error_type": error_type} if error_type else {}))
    for outcome in ("analyzed", "skipped", "failed"):
        users.add(getattr(run, f"users_{outcome}"), {"run_id": run.run_id, "outcome": outcome})
    if run.metrics.total_duration_seconds is not None:
        durations.record(run.metrics.total_duration_seconds, {"run_id": run.run_id, "status": run.status})


@functools.cache
def _instruments() -> "tuple[Counter, Counter, Histogram]":
    from opentelemetry import metrics  # noqa: PLC0415 - not while indexing

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
    from functions.exporters import start  # noqa: PLC0415 - slow, and only where somebody listens

    try:
        return start()
    except Exception as error:  # noqa: BLE001 - what watches the work never stops it
        # The class only: a message may quote a setting.
        _log.error("Nobody is told about what this worker does: %s", type(error).__name__)
        return None


def _parent(context: "func.Context | None") -> Context:
    # Not what is current in this thread: the host's worker leaves there what an earlier invocation belonged to.
    told = context and context.trace_context
    if not told:
        return Context()
    carrier = {"traceparent": told.trace_parent or "", "tracestate": told.trace_state or ""}
    return _propagator.extract(carrier, Context())
