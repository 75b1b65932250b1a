"""Receivers of telemetry: a collector of OTLP over HTTP, and a stand-in for the endpoint of Application Insights."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, override

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

AT_ONCE = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BLRP_SCHEDULE_DELAY": "100", "OTEL_METRIC_EXPORT_INTERVAL": "200"}
"""Settings with which a worker exports soon, because tests wait for it."""

_KEY = "00000000-0000-0000-0000-000000000000"
_ACCEPTED = b'{"itemsReceived": 1, "itemsAccepted": 1, "errors": []}'


@dataclass(frozen=True)
class Span:
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    failed: bool
    fields: dict[str, Any]


@dataclass(frozen=True)
class Line:
    trace_id: str
    text: str
    level: str
    fields: dict[str, Any]


@dataclass(frozen=True)
class Point:
    """New data of a metric: the increase of a counter, or the sum and number of values of a histogram."""

    name: str
    value: float
    count: int
    fields: dict[str, Any]


@dataclass
class Listener:
    """The telemetry received so far: ``envelopes`` for Application Insights, ``bodies`` as received."""

    url: str = ""
    spans: list[Span] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    envelopes: list[dict[str, Any]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def connection_string(self) -> str:
        return f"InstrumentationKey={_KEY};IngestionEndpoint={self.url}/"

    def total(self, name: str, **fields: str) -> float:
        """Return the sum of a metric over its points with these fields."""
        return sum(
            point.value for point in self.points if point.name == name and point.fields.items() >= fields.items()
        )

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Return the rows of a table of Application Insights, by the kind of its data."""
        return [row["data"]["baseData"] for row in self.envelopes if row["data"]["baseType"] == kind]

    def receive(self, path: str, body: bytes) -> None:
        self.bodies.append(body)
        match path:
            case "/v1/traces":
                self.spans += _spans(ExportTraceServiceRequest.FromString(body))
            case "/v1/logs":
                self.lines += _lines(ExportLogsServiceRequest.FromString(body))
            case "/v1/metrics":
                self.points += _points(ExportMetricsServiceRequest.FromString(body))
            case _:
                self.envelopes += json.loads(body)


@contextmanager
def a_listener() -> Iterator[Listener]:
    """Yield a listener on a free port."""
    listener = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            listener.receive(self.path, body)
            answer = b"" if self.path.startswith("/v1/") else _ACCEPTED
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        @override
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        listener.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield listener
        server.shutdown()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                ids = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
                assert not span.events  # events would need a check of their own
                assert not span.status.message
                yield Span(*ids, span.name, span.status.code == span.status.STATUS_CODE_ERROR, _fields(span))


def _lines(request: ExportLogsServiceRequest) -> Iterator[Line]:
    for resource in request.resource_logs:
        for scope in resource.scope_logs:
            for line in scope.log_records:
                yield Line(line.trace_id.hex(), line.body.string_value, line.severity_text, _fields(line))


def _points(request: ExportMetricsServiceRequest) -> Iterator[Point]:
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for summed in metric.sum.data_points:
                    yield Point(metric.name, summed.as_double or summed.as_int, 1, _fields(summed))
                for spread in metric.histogram.data_points:
                    yield Point(metric.name, spread.sum, spread.count, _fields(spread))


def _fields(record: Any) -> dict[str, Any]:  # noqa: ANN401 - one of three kinds
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in record.attributes}
