"""Conversion of the host's data to the messages of its workers, and back.

As in the Functions host: MessageExtensions/GrpcMessageConversionExtensions.cs and GrpcMessageExtensionUtilities.cs.
"""

import json
from typing import Any
from urllib.parse import quote

from devhost import protos
from devhost.errors import InvocationError
from devhost.messages import FunctionInfo, HttpRequest, HttpResponse, RetryPolicy

type Message = Any  # generated, without types

_rpc: Any = protos.load()
_SAME_SITE = {1: "lax", 2: "strict", 3: "none"}


def function_info(metadata: Message) -> FunctionInfo:
    """Return one function that a worker has indexed (``RpcFunctionMetadata``)."""
    bindings = [json.loads(raw) for raw in metadata.raw_bindings]
    return FunctionInfo(metadata.name, bindings, _retry_policy(metadata), metadata.function_id)


def _retry_policy(metadata: Message) -> RetryPolicy | None:
    if not metadata.HasField("retry_options"):
        return None
    options = metadata.retry_options
    strategy = _rpc.RpcRetryOptions.RetryStrategy.Name(options.retry_strategy)
    return RetryPolicy(strategy, options.max_retry_count, options.delay_interval.ToTimedelta().total_seconds())


def invocation_request(
    function: FunctionInfo, invocation_id: str, trigger: HttpRequest | str, durable_client: str, traceparent: str
) -> Message:
    """Return the message that runs a function. A trigger other than HTTP is JSON, or base64 for an orchestrator."""
    request = _rpc.InvocationRequest(invocation_id=invocation_id, function_id=function.function_id)
    request.trace_context.trace_parent = traceparent
    for binding in function.bindings:
        if binding["type"] == "durableClient":
            request.input_data.add(name=binding["name"]).data.string = durable_client
        elif binding is function.trigger:
            _fill(request.input_data.add(name=binding["name"]).data, trigger, binding["type"])
    return _rpc.StreamingMessage(invocation_request=request)


def _fill(data: Message, trigger: HttpRequest | str, binding_type: str) -> None:
    if isinstance(trigger, HttpRequest):
        data.http.method, data.http.url = trigger.method, trigger.url
        data.http.headers.update(trigger.headers)
        data.http.query.update(trigger.query)
        data.http.params.update(trigger.route)
        if trigger.body:
            data.http.body.bytes = trigger.body
    elif binding_type == "timerTrigger":  # an object there, which the host writes as JSON
        data.json = trigger
    else:
        data.string = trigger


def outcome(function: FunctionInfo, response: Message) -> HttpResponse | str | None:
    """Return the value of an ``InvocationResponse``: for HTTP an answer, else JSON or base64 text, for a timer nothing.

    Raises:
        InvocationError: the function raised.
    """
    if response.result.status != _rpc.StatusResult.Success:
        raise _failure(response.result.exception)
    value = response.return_value
    kind = value.WhichOneof("data")
    if function.trigger_type == "httpTrigger":
        return _http_response(value, kind)
    return str(getattr(value, kind)) if kind else None


def _failure(exception: Message) -> InvocationError:
    error_type, _, message = exception.message.partition(": ")
    return InvocationError(error_type, message, exception.stack_trace)


def _http_response(value: Message, kind: str | None) -> HttpResponse:
    if kind is None:
        return HttpResponse(200, [], b"")
    if kind != "http":
        text = [("content-type", "text/plain; charset=utf-8")]
        return HttpResponse(200, text, str(getattr(value, kind)).encode())
    headers = [*value.http.headers.items(), *(("set-cookie", _cookie(cookie)) for cookie in value.http.cookies)]
    return HttpResponse(int(value.http.status_code), headers, _bytes(value.http.body))


def _bytes(data: Message) -> bytes:
    kind = data.WhichOneof("data")
    content = getattr(data, kind) if kind else b""
    return content if isinstance(content, bytes) else str(content).encode()


def _cookie(cookie: Message) -> str:
    """Return the header in the order and spelling of ASP.NET's SetCookieHeaderValue.cs."""
    parts = [f"{quote(cookie.name, safe='')}={quote(cookie.value, safe='')}"]
    if cookie.HasField("expires"):
        parts.append(f"expires={cookie.expires.value.ToDatetime():%a, %d %b %Y %H:%M:%S} GMT")
    if cookie.HasField("max_age"):
        parts.append(f"max-age={cookie.max_age.value:.0f}")
    parts += [f"{name}={getattr(cookie, name).value}" for name in ("domain", "path") if getattr(cookie, name).value]
    parts += ["secure"] * cookie.secure.value
    parts += [f"samesite={_SAME_SITE[cookie.same_site]}"] if cookie.same_site in _SAME_SITE else []
    parts += ["httponly"] * cookie.http_only.value
    return "; ".join(parts)
