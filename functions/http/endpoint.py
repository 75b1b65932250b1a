"""The wrapper that all HTTP functions share: method, sign-in, validation, audit, errors and headers."""

import functools
import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import azure.functions as func
import msgspec

from functions.access.administrators import acting, current_admin
from functions.access.audit import new_entry, on_record
from functions.access.client import client_of
from functions.access.door import sign_in
from functions.http.answers import Accepted
from functions.http.cors import cors_headers, preflight
from functions.http.operations import Operation
from functions.http.problems import MethodNotAllowed, answer_of
from functions.http.requests import MalformedId, read_body, read_id, read_query
from functions.services import services
from functions.telemetry.correlation import CORRELATION_ID, correlated, tell_in_log_lines
from functions.telemetry.spans import invocation, tell_answer, traceparent_of
from records import AuditedAction, AuditEntry

# Answers hold personal figures or details of the app, so no cache may store them and no page may frame them.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

tell_in_log_lines()


def endpoint(operation: Operation) -> Callable[[Callable[..., Any]], Callable[..., func.HttpResponse]]:
    """Return a decorator that turns the handler of ``operation`` into a function of the host.

    The method is checked here and not by the route: the host answers 404 to a method its route does not name.
    """

    def decorate(handler: Callable[..., Any]) -> Callable[..., func.HttpResponse]:
        @functools.wraps(handler)
        def guarded(
            req: func.HttpRequest,
            *bindings: Any,  # noqa: ANN401
            context: func.Context | None = None,
            **named_bindings: Any,  # noqa: ANN401
        ) -> func.HttpResponse:
            with (
                invocation(operation.name, "http", context) as span,
                correlated(traceparent_of(span) or req.headers.get("traceparent")) as correlation_id,
            ):
                try:
                    answer = _answer(operation, req, lambda: handler(req, *bindings, **named_bindings))
                except Exception as error:  # noqa: BLE001 - the boundary: no stack trace leaves the app
                    answer = answer_of(error)
                    span.set_attribute("error.type", type(error).__name__)
                tell_answer(span, req.method, answer.status_code)
            for name, value in {**HEADERS, CORRELATION_ID: correlation_id, **cors_headers(req)}.items():
                answer.headers.setdefault(name, value)
            return answer

        # The host's worker rejects a function whose declared result is not an HTTP response, and passes the context of
        # an invocation only to a function that declares it.
        guarded.__annotations__ = {**handler.__annotations__, "context": func.Context, "return": func.HttpResponse}
        signature = inspect.signature(handler)
        context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=func.Context)
        declared = signature.replace(parameters=[*signature.parameters.values(), context])
        guarded.__signature__ = declared  # type: ignore[attr-defined] # of inspect's
        return guarded

    return decorate


def _answer(operation: Operation, request: func.HttpRequest, handle: Callable[[], Any]) -> func.HttpResponse:
    if request.method != operation.method:
        answer = preflight(request, operation.method)
        if answer is None:
            raise MethodNotAllowed(operation.method)
        return answer
    if operation.public:
        return _response(operation, handle())
    with acting(sign_in(request)):
        return _response(operation, _act(operation, request, handle))


def _act(operation: Operation, request: func.HttpRequest, handle: Callable[[], Any]) -> Any:  # noqa: ANN401 - a record
    if operation.action is None:
        _refuse_what_is_not_asked_for(operation, request)
        return handle()
    with on_record(services().audit, _entry(operation.action, request)) as attempt:
        _refuse_what_is_not_asked_for(operation, request)
        accepted: Accepted = handle()
        attempt.run_id = accepted.run_id
    return accepted


def _entry(action: AuditedAction, request: func.HttpRequest) -> AuditEntry:
    admin, run_id = current_admin.get(), None
    with suppress(MalformedId):
        run_id = read_id(request, "run_id")
    return new_entry(
        action,
        actor=admin.actor,
        credential=admin.credential,
        credential_id=admin.credential_id,
        client=client_of(request),
        run_id=run_id,
    )


def _refuse_what_is_not_asked_for(operation: Operation, request: func.HttpRequest) -> None:
    """Refuse a member that would be ignored, since the caller expects it to have an effect.

    Raises:
        InvalidMember: there is one.
    """
    read_query(request, operation.query)
    if operation.method == "POST":
        read_body(request, operation.body)


def _response(operation: Operation, answer: Any) -> func.HttpResponse:  # noqa: ANN401 - any record of ours
    if isinstance(answer, func.HttpResponse):
        return answer
    headers = {"Location": answer.status_url, "Retry-After": "5"} if isinstance(answer, Accepted) else {}
    return json_response(answer, operation.status, headers)


def json_response(content: object, status_code: int = 200, headers: dict[str, str] | None = None) -> func.HttpResponse:
    """Return ``content`` as a JSON response."""
    return func.HttpResponse(
        msgspec.json.encode(content), status_code=int(status_code), headers=headers, mimetype="application/json"
    )
