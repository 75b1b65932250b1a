"""What a trace shows of MongoDB: a span a command."""

from typing import override

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent

_tracer = trace.get_tracer("portfolio_analysis")


class CommandSpans(CommandListener):
    """Tells the name of each command and its collection, and how it ended; nothing of what it asks or is answered."""

    def __init__(self) -> None:
        self._spans: dict[int, Span] = {}

    @override
    def started(self, event: CommandStartedEvent) -> None:
        if not trace.get_current_span().get_span_context().is_valid:
            return  # the driver's own, such as the last words of a connection
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
        # Not the message: one of a duplicate key quotes it.
        error_type = failure.get("codeName") or failure.get("errtype") or failure.get("code") or "unknown"
        span.set_attribute("error.type", str(error_type))
        span.set_status(StatusCode.ERROR)
        span.end()
