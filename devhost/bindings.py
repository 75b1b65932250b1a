"""From messages to the arguments of a function and from its result to a message, through the SDK's own converters."""

import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from azure.functions import meta

from devhost.messages import FunctionInfo, HttpRequest, HttpResponse, Invoke

type Converter = Any  # the SDK finds them at run time, by the type of the binding

_thread_local_storage = threading.local()


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The trace that an invocation belongs to. This host adds no spans of its own to it."""

    trace_parent: str
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InvocationContext:
    """What a function sees as ``context: func.Context``; there is no host-side retry here."""

    function_name: str
    function_directory: str
    invocation_id: str
    trace_context: TraceContext
    thread_local_storage: threading.local = _thread_local_storage
    retry_context: None = None


@dataclass(frozen=True, slots=True)
class LoadedFunction:
    """An imported function and how to call it."""

    info: FunctionInfo
    call: Callable[..., Any]
    directory: str

    @property
    def is_async(self) -> bool:
        """Whether it runs on the event loop instead of a thread."""
        return inspect.iscoroutinefunction(self.call)

    def arguments(self, invoke: Invoke, durable_client: str) -> dict[str, Any]:
        """The keyword arguments of one call."""
        arguments: dict[str, Any] = {}
        for binding in self.info.bindings:
            if binding["type"] == "durableClient":
                arguments[binding["name"]] = _decode("durableClient", meta.Datum(durable_client, "string"))
            elif binding["direction"] == "IN":
                arguments[binding["name"]] = _decode(binding["type"], _datum(invoke.trigger, binding["type"]))
        if "context" in inspect.signature(self.call).parameters:
            trace = TraceContext(invoke.traceparent)
            arguments["context"] = InvocationContext(self.info.name, self.directory, str(invoke.id), trace)
        return arguments

    def outcome(self, result: object) -> HttpResponse | str | None:
        """The value the host gets; what other triggers than HTTP and durable ones return is of no use to it."""
        match self.info.trigger_type:
            case "httpTrigger":
                return _http_response(result)
            case "activityTrigger" | "orchestrationTrigger" as binding_type:
                return cast("str", _converter(binding_type).encode(result, expected_type=None).value)
            case _:
                return None


def _converter(binding_type: str) -> Converter:
    registry: Any = meta.get_binding_registry
    return registry().get(binding_type)


def _decode(binding_type: str, datum: meta.Datum) -> object:
    return _converter(binding_type).decode(datum, trigger_metadata=None)


def _datum(trigger: HttpRequest | str, binding_type: str) -> meta.Datum:
    if isinstance(trigger, str):
        return meta.Datum(trigger, "string" if binding_type == "orchestrationTrigger" else "json")
    return meta.Datum(
        {
            "method": meta.Datum(trigger.method, "string"),
            "url": meta.Datum(trigger.url, "string"),
            "headers": _strings(trigger.headers),
            "query": _strings(trigger.query),
            "params": _strings(trigger.route),
            "body": meta.Datum(trigger.body, "bytes"),
        },
        "http",
    )


def _strings(values: Mapping[str, str]) -> dict[str, meta.Datum]:
    return {name: meta.Datum(value, "string") for name, value in values.items()}


def _http_response(result: object) -> HttpResponse:
    if result is None:
        return HttpResponse(200, [], b"")
    datum = _converter("http").encode(result, expected_type=None)
    if datum.type == "string":
        return HttpResponse(200, [("content-type", "text/plain; charset=utf-8")], datum.value.encode())
    headers = [(name, str(value.value)) for name, value in datum.value["headers"].items()]
    cookies = datum.value["cookies"] or []  # of http.cookies
    headers += [("set-cookie", morsel.OutputString()) for cookie in cookies for morsel in cookie.values()]
    return HttpResponse(int(datum.value["status_code"].value), headers, datum.value["body"].value)
