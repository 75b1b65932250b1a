"""The OpenTelemetry exporters, which send in threads of their own, so that no request waits for long.

They send to Application Insights (``APPLICATIONINSIGHTS_CONNECTION_STRING``), to any collector that accepts OTLP over
HTTP (``OTEL_EXPORTER_OTLP_ENDPOINT``), or to both. The reasons: docs/decisions/0020-telemetry.md.
"""

import importlib
import logging
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, override

from opentelemetry import metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context, get_current
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from correlation import current_run_id

_OTLP = "opentelemetry.exporter.otlp.proto.http"
_EXPORTERS = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": {
        "traces": ("azure.monitor.opentelemetry.exporter", "AzureMonitorTraceExporter"),
        "logs": ("azure.monitor.opentelemetry.exporter", "AzureMonitorLogExporter"),
        "metrics": ("azure.monitor.opentelemetry.exporter", "AzureMonitorMetricExporter"),
    },
    "OTEL_EXPORTER_OTLP_ENDPOINT": {
        "traces": (f"{_OTLP}.trace_exporter", "OTLPSpanExporter"),
        "logs": (f"{_OTLP}._log_exporter", "OTLPLogExporter"),
        "metrics": (f"{_OTLP}.metric_exporter", "OTLPMetricExporter"),
    },
}
# Otherwise the exporter for Application Insights also reports its own usage to Microsoft, fetches configuration from
# there, and sends a metric without information with each batch.
_WITHOUT_USAGE_DATA = {
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED": "true",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED": "true",
}
# These log every export, which would be exported in turn, and every failed one, which _Late reports.
_NOISY = {
    "azure.core.pipeline.policies.http_logging_policy": logging.WARNING,
    "azure.monitor": logging.CRITICAL,
    "opentelemetry": logging.CRITICAL,
}
_OURS = ("functions.", "runs.", "stores.", "credentials.", "market_data.", "settings")
_EXPORTERS_OWN = ("opentelemetry", "azure.monitor", "azure.core", "azure.identity", "msal", "urllib3")
_SEVERITIES = {
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}
_PATIENCE_SECONDS = 3.0

_importing = threading.Lock()
_unlogged: deque[tuple[str, str]] = deque()
_log = logging.getLogger(__name__)


def start() -> "Flush":
    """Start exporting to the destinations in the settings; return what flushes all exporters."""
    for name, value in _WITHOUT_USAGE_DATA.items():
        os.environ.setdefault(name, value)
    for name, level in _NOISY.items():
        logging.getLogger(name).setLevel(level)
    resource = Resource.create({"service.name": _service_name()})
    # Alerts count requests, so none may be dropped because the caller's own trace is not sampled.
    sampler = None if os.environ.get("OTEL_TRACES_SAMPLER") else ALWAYS_ON
    # Azure kills workers, so nothing that is registered for the exit of the process ever runs there.
    tracers = TracerProvider(sampler, resource, shutdown_on_exit=False)
    tracers.add_span_processor(_RunIds())
    loggers = LoggerProvider(resource, shutdown_on_exit=False)
    spans = [BatchSpanProcessor(exporter) for exporter in _exporters("traces")]
    lines = [BatchLogRecordProcessor(exporter) for exporter in _exporters("logs")]
    figures = [PeriodicExportingMetricReader(_Metrics(exporter)) for exporter in _exporters("metrics")]
    for of_spans in spans:
        tracers.add_span_processor(of_spans)
    for of_lines in lines:
        loggers.add_log_record_processor(of_lines)
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(MeterProvider(figures, resource, shutdown_on_exit=False))
    logging.getLogger().addHandler(_LogLines(loggers))
    parts: list[_Part] = [*spans, *lines, *figures]
    return Flush(part.force_flush for part in parts)


class _Part(Protocol):
    def force_flush(self) -> bool: ...


class Flush:
    """Exports everything recorded so far, since data in a worker's memory is lost when the worker is killed.

    Each signal and destination has its own thread, because the SDK's flush has no timeout. A destination that is too
    slow delays callers by three seconds once, and then no others until that flush is done.
    """

    def __init__(self, parts: Iterable[Callable[[], object]]) -> None:
        self._under_way: dict[Callable[[], object], threading.Thread | None] = dict.fromkeys(parts)
        self._one_at_a_time = threading.Lock()

    def __call__(self) -> None:
        """Wait until everything is exported, for three seconds at most."""
        ends = time.monotonic() + _PATIENCE_SECONDS
        if not self._one_at_a_time.acquire(timeout=_PATIENCE_SECONDS):
            return
        try:
            for thread in self._begin():
                thread.join(max(0.0, ends - time.monotonic()))
        finally:
            self._one_at_a_time.release()

    def _begin(self) -> list[threading.Thread]:
        begun = []
        for part, earlier in self._under_way.items():
            if earlier is None or not earlier.is_alive():
                self._under_way[part] = thread = threading.Thread(target=part, daemon=True)
                thread.start()
                begun.append(thread)
        return begun


def log_failures() -> None:
    """Log the failed exports since the last call."""
    while _unlogged:
        _log.warning("Telemetry export failed: %s: %s", *_unlogged.popleft())


def _service_name() -> str:
    # The host's name for the app, so that both appear as one service in a service map.
    return os.environ.get("OTEL_SERVICE_NAME") or os.environ.get("WEBSITE_SITE_NAME") or "portfolio-analysis"


def _exporters(signal: str) -> Iterator[Any]:
    return (_Late(*exporters[signal]) for name, exporters in _EXPORTERS.items() if os.environ.get(name, "").strip())


class _Late:
    """An exporter that is imported at its first export, in the exporter's thread, so that no request waits.

    A failure is logged once until an export succeeds. The next invocation logs it, since the host discards lines of
    threads that belong to no invocation.
    """

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name
        self._made: Any = None
        self._succeeded = True

    def export(self, batch: object) -> Any:  # noqa: ANN401 - each exporter's own
        try:
            result = self._exporter().export(batch)
        except Exception as error:
            self._record(type(error).__name__)
            raise
        self._record(None if result.name == "SUCCESS" else result.name)
        return result

    def _exporter(self) -> Any:  # noqa: ANN401
        # Two threads importing modules that import each other could see partly initialized ones.
        with _importing:
            if self._made is None:
                self._made = getattr(importlib.import_module(self._module), self._name)()
            return self._made

    def _record(self, failure: str | None) -> None:
        if failure and self._succeeded:
            _unlogged.append((self._name, failure))
        self._succeeded = failure is None

    def shutdown(self) -> None:
        if self._made is not None:
            self._made.shutdown()


class _Metrics(MetricExporter):
    """Exports only changes since the last export, so a run's figures are sent once however long the worker lives."""

    def __init__(self, exporter: _Late) -> None:
        super().__init__(dict.fromkeys((Counter, Histogram), AggregationTemporality.DELTA))
        self._exporter = exporter

    @override
    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **kwargs: object) -> MetricExportResult:
        result: MetricExportResult = self._exporter.export(metrics_data)
        return result

    @override
    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    @override
    def shutdown(self, timeout_millis: float = 0, **kwargs: object) -> None:
        self._exporter.shutdown()


class _RunIds(SpanProcessor):
    """Sets the id of the current run on each span that starts."""

    @override
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        run_id = current_run_id()
        if run_id is not None:
            span.set_attribute("run_id", run_id)


class _LogLines(logging.Handler):
    """Exports the app's lines and the warnings of libraries, but not the exporters' own lines: that would never end."""

    def __init__(self, loggers: LoggerProvider) -> None:
        super().__init__(logging.INFO)
        self._loggers = loggers

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith(_EXPORTERS_OWN):
            return False
        return record.levelno >= logging.WARNING or record.name.startswith(_OURS)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._loggers.get_logger(record.name).emit(_line(record))
        except Exception:  # noqa: BLE001 - as every handler does: a line that cannot be exported never stops the work
            self.handleError(record)


def _line(record: logging.LogRecord) -> LogRecord:
    return LogRecord(
        timestamp=int(record.created * 1e9),
        context=get_current(),
        severity_text=record.levelname,
        severity_number=_SEVERITIES.get(record.levelno, SeverityNumber.INFO),
        body=record.getMessage(),
        attributes=dict(_attributes(record)),
    )


def _attributes(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    for name in ("run_id", "correlation_id"):
        if value := getattr(record, name, None):
            yield name, value
    if record.exc_info and record.exc_info[0]:
        # The location, but not the message, which may hold anything. With the attribute names of the conventions for
        # exceptions, Application Insights would not store it as a log line.
        yield "error.type", record.exc_info[0].__name__
        yield "code.stacktrace", "".join(traceback.format_tb(record.exc_info[2]))
