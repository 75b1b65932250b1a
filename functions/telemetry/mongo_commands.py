"""MongoDB in traces: one span per command."""

from typing import override

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

_tracer = trace.get_tracer("portfolio_analysis")


class CommandSpans(CommandListener):
    """Records the name of each command, its collection and its outcome; nothing of its parameters or results."""

    def __init__(self) -> None:
        self._spans: dict[int, Span] = {}

    @override
    def started(self, event: CommandStartedEvent) -> None:
        if not trace.get_current_span().get_span_context().is_valid:
            return  # the driver's own, such as those that end a connection
        collection = event.command.get("collection" if event.command_name == "getMore" else event.command_name)
        attributes = {
            "db.system.name": "mongodb",
            "db.namespace": event.database_name,
            "db.operation.name": event.command_name,
        }
        name = event.command_name
        if isinstance(collection, str):
            attributes["db.collection.name"] = collection
            name += f" {collection}"
        self._spans[event.request_id] = _tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)

    @override
    def succeeded(self, event: CommandSucceededEvent) -> None:
        if span := self._spans.pop(event.request_id, None):
            span.end()

    @override
    def failed(self, event: CommandFailedEvent) -> None:
        span, failure = self._spans.pop(event.request_id, None), event.failure
        if span is None:
            return
        # Not the message: that of a duplicate key quotes the key.
        error_type = failure.get("codeName") or failure.get("errtype") or failure.get("code") or "unknown"
        span.set_attribute("error.type", str(error_type))
        span.set_status(StatusCode.ERROR)
        span.end()
