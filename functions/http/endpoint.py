"""The declaration of routes, and the steps that all of them share: method, sign-in, validation, audit, errors, headers.

A handler is a plain function of decoded values. Its parameters and its result declare what the route accepts and
answers; everything else that callers should know stands in its decorator. The functions of the host, the checks of
requests and the description of the API follow from this declaration.
"""

import functools
import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Literal

import azure.durable_functions as df
import azure.functions as func
import msgspec
from msgspec import Struct

from correlation import CORRELATION_ID, add_ids_to_log_lines, correlated
from functions.access.administrators import Admin, sign_in
from functions.access.audit import Attempt, new_entry, on_record, read_on_record, refusal_on_record
from functions.access.persons import Person, sign_in_person
from functions.access.throttling import client_of
from functions.engine import DurableEngine
from functions.http.accepting import JSON, ContentKind, negotiated
from functions.http.answers import Accepted
from functions.http.cors import cors_headers, preflight
from functions.http.problems import MethodNotAllowed, answer_of
from functions.http.requests import IDS, MalformedId, Nothing, read_body, read_id, read_query, read_request_key
from functions.services import Worker, worker
from functions.telemetry.spans import invocation, record_answer, traceparent_of
from problems import Problem
from records import AuditedAction, AuditEntry, RequestKey
from runs.engine import Engine
from runs.services import Services
from settings import Settings

type Handler = Callable[..., Any]
PATH_PARAMETER = re.compile(r"\{(\w+)\}")
# Members of a body that an audit entry has, too.
_ASKED = ("dry_run", "as_of", "user_ids")
type Method = Literal["GET", "POST", "DELETE"]
type Callers = Literal["administrators", "persons", "everybody"]

# Answers hold personal figures or details of the app, so no cache may store them and no page may frame them.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

add_ids_to_log_lines()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Route:
    """A route as its handler declares it.

    ``errors`` are its own; those that many routes have in common follow from the rest. A route with an ``action``
    changes something (POST, DELETE) or shows personal figures (GET), and is audited under that name. An administrator's
    session is enough for it if ``by_session``. ``others`` describes further statuses of the answer, ``headers`` are
    further ones of it, and ``formats`` are the kinds of content beside JSON that a caller may accept: the
    handler of a route with some takes the chosen ``ContentKind``. If the answer is ``bytes``, they are the only ones.
    """

    method: Method
    path: str
    handler: Handler
    parameters: Mapping[str, Any]
    """The types of the handler's parameters by name."""
    status: HTTPStatus
    answer: object
    errors: tuple[type[Problem], ...]
    action: AuditedAction | None
    callers: Callers
    others: Mapping[int, str]
    formats: tuple[ContentKind, ...]
    headers: tuple[str, ...]
    by_session: bool

    @property
    def name(self) -> str:
        """Return the name of the handler; that of the first route of a path is the name of the host's function."""
        return self.handler.__name__

    @property
    def summary(self) -> str:
        """Return the first line of the handler's docstring."""
        return inspect.cleandoc(self.handler.__doc__ or "").partition("\n")[0].rstrip(".")

    @property
    def takes(self) -> type[Struct]:
        """Return the type of the query of a GET, or of the body of a POST."""
        return next(filter(_is_content, self.parameters.values()), Nothing)

    @property
    def uses_engine(self) -> bool:
        """Return whether the handler calls the engine."""
        return not {Engine, DurableEngine}.isdisjoint(self.parameters.values())


class Api:
    """A set of routes, and the blueprint of the functions behind them."""

    def __init__(self) -> None:
        self.blueprint = df.Blueprint(http_auth_level=func.AuthLevel.ANONYMOUS)
        self.routes: list[Route] = []
        self._of_path: dict[str, list[Route]] = {}

    def route(  # noqa: PLR0913 - each by its name
        self,
        method: Method,
        path: str,
        *,
        status: HTTPStatus = HTTPStatus.OK,
        answer: object = None,
        errors: tuple[type[Problem], ...] = (),
        action: AuditedAction | None = None,
        callers: Callers = "administrators",
        others: Mapping[int, str] = MappingProxyType({}),
        formats: tuple[ContentKind, ...] = (),
        headers: tuple[str, ...] = (),
        by_session: bool = True,
    ) -> Callable[[Handler], Handler]:
        """Return a decorator that declares a route, see :class:`Route`; its answer is by default the handler's result.

        The method is checked by the function and not by the host, which would answer 404 to another one. So a path has
        one function, also if it has several routes.

        Raises:
            TypeError: the declaration cannot work; the message names the handler and the fault.
        """

        def declare(handler: Handler) -> Handler:
            signature = inspect.signature(handler)
            parameters = {name: parameter.annotation for name, parameter in signature.parameters.items()}
            result = answer or signature.return_annotation
            route = Route(
                method, path, handler, parameters, status, result, errors, action, callers, others, formats, headers,
                by_session,
            )  # fmt: skip
            of_path = self._of_path.setdefault(path, [])
            if fault := _fault_of(route) or _fault_beside(route, of_path):
                raise TypeError(f"{route.name}: {fault}")
            self.routes.append(route)
            of_path.append(route)
            if route is of_path[0]:
                function = _function(of_path)
                if route.uses_engine:
                    function = self.blueprint.durable_client_input(client_name="client")(function)
                self.blueprint.route(path)(function)
            return handler

        return declare


def _fault_of(route: Route) -> str | None:
    """Return what cannot work in the declaration of a route."""
    for name, kind in route.parameters.items():
        if not (kind in _READERS or _is_content(kind) or kind is IDS.get(name)):
            return f"nothing in a request is {name}: {kind}"
    kinds = list(route.parameters.values())
    if route.parameters.keys() & IDS.keys() != set(PATH_PARAMETER.findall(route.path)) & IDS.keys():
        return "the ids in its path are not those among its parameters"
    if sum(map(_is_content, kinds)) > 1:
        return "a request has one query or body"
    if fault := _fault_of_callers(route, kinds):
        return fault
    if Attempt in kinds and not route.action:
        return "a route without an action has no attempt"
    return _fault_of_answer(route)


def _fault_beside(route: Route, others: Sequence[Route]) -> str | None:
    """Return what cannot work in a route beside the others of its path."""
    if any(other.method == route.method for other in others):
        return f"its path has a {route.method} already"
    if any(other.uses_engine != route.uses_engine for other in others):
        return "all routes of a path use the engine, or none does"
    return None


def _fault_of_answer(route: Route) -> str | None:
    if (ContentKind in route.parameters.values()) != (bool(route.formats) and route.answer is not bytes):
        return "a route with formats takes the kind of content, and no other does"
    return "its answer is not declared" if route.answer is inspect.Signature.empty else None


def _fault_of_callers(route: Route, kinds: Sequence[object]) -> str | None:
    if route.callers == "everybody" and any(map(_is_content, kinds)):
        return "a public route has no query or body"
    if route.callers != "administrators" and (route.action or any(kind in _OF_ADMINS for kind in kinds)):
        return "only a route of administrators has an administrator or an audit"
    if (route.callers == "persons") != (Person in kinds):
        return "a route of persons, and no other, has a person"
    return None


def _is_content(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _function(routes: Sequence[Route]) -> Callable[..., func.HttpResponse]:
    """Return the function that the host calls for the routes of a path, of which more may be declared later."""
    first = routes[0]

    def function(
        req: func.HttpRequest,
        client: df.SyncDurableFunctionsClient | None = None,
        context: func.Context | None = None,
    ) -> func.HttpResponse:
        route = next((route for route in routes if route.method == req.method), first)
        with (
            invocation(route.name, "http", context) as span,
            correlated(traceparent_of(span) or req.headers.get("traceparent")) as correlation_id,
        ):
            call = _Call(route, req, client, worker(), tuple(route.method for route in routes))
            try:
                answer = call.answer()
            except Exception as error:  # noqa: BLE001 - the boundary: no stack trace leaves the app
                answer = answer_of(error)
                span.set_attribute("error.type", type(error).__name__)
            record_answer(span, req.method, answer.status_code)
        headers = HEADERS | {CORRELATION_ID: correlation_id}
        if origins := call.worker.settings.cors_origins:
            headers |= cors_headers(req, origins)
        if vary := _vary(route, answer.headers.get("Vary"), headers.pop("Vary", None)):
            answer.headers["Vary"] = vary
        for name, value in headers.items():
            answer.headers.setdefault(name, value)
        return answer

    # The host's worker checks the names and types of parameters, and passes the context only where there is one.
    kinds = {"req": func.HttpRequest, "client": df.SyncDurableFunctionsClient, "context": func.Context}
    if not first.uses_engine:
        del kinds["client"]
    parameters = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=of) for name, of in kinds.items()
    ]
    functools.update_wrapper(function, first.handler)
    del function.__wrapped__  # type: ignore[attr-defined] # it has other parameters
    function.__annotations__ = {**kinds, "return": func.HttpResponse}
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # of inspect's
    return function


def _vary(route: Route, *known: str | None) -> str:
    """Return the headers of a request that its answer depends on: those ``known``, and that of its kind of content."""
    lists = ["Accept" if ContentKind in route.parameters.values() else "", *(names or "" for names in known)]
    return ", ".join(dict.fromkeys(name for names in lists for name in names.split(", ") if name))


@dataclass(slots=True, eq=False, repr=False)
class _Call:
    """One request to a route."""

    route: Route
    request: func.HttpRequest
    client: df.SyncDurableFunctionsClient | None
    worker: Worker
    methods: tuple[Method, ...]
    """Those of its path."""
    admin: Admin | None = None
    person: Person | None = None
    content: Struct = field(default_factory=Nothing)
    """The decoded query of a GET, or body of a POST."""
    attempt: Attempt | None = None

    def answer(self) -> func.HttpResponse:
        """Return the answer of the handler, if the request is allowed and valid."""
        if self.request.method != self.route.method:
            answer = preflight(self.request, self.methods, self.worker.settings.cors_origins)
            if answer is None:
                raise MethodNotAllowed(*self.methods)
            return answer
        if self.route.callers == "administrators":
            self.admin = sign_in(self.request, self.worker, by_session=self.route.by_session)
        elif self.route.callers == "persons":
            self.person = sign_in_person(self.request, self.worker)
        if self.admin is None or self.route.action is None:
            self._read_content()
            return self._respond(self._handle())
        log, entry = self.worker.services().audit, self._entry(self.admin, self.route.action)
        if self.route.method == "GET":
            with read_on_record(log, entry) as self.attempt:
                self._read_content()
                return self._respond(self._handle())
        self.attempt = Attempt(entry)
        with refusal_on_record(log, self.attempt):
            self._read_content()
        self.attempt.tell(**{name: getattr(self.content, name) for name in _ASKED if hasattr(self.content, name)})
        with on_record(log, self.attempt.entry) as self.attempt:
            answer = self._handle()
            if isinstance(answer, Accepted):
                self.attempt.tell(run_id=answer.run_id)
        return self._respond(answer)

    def _read_content(self) -> None:
        if self.route.callers != "everybody":  # an unknown member would be ignored, though its caller expects an effect
            self.content = read_query(self.request, self.route.takes if self.route.method == "GET" else Nothing)
            if self.route.method == "POST":
                self.content = read_body(self.request, self.route.takes)

    def _handle(self) -> Any:  # noqa: ANN401 - the result of the handler
        return self.route.handler(**{name: self._argument(name, of) for name, of in self.route.parameters.items()})

    def _argument(self, name: str, kind: object) -> object:
        if reader := _READERS.get(kind):
            return reader(self)
        return self.content if _is_content(kind) else read_id(self.request, name)

    def _entry(self, admin: Admin, action: AuditedAction) -> AuditEntry:
        known: dict[str, str | None] = {"actor": admin.actor, "credential_id": admin.credential_id}
        for name in IDS.keys() & self.route.parameters.keys():
            with suppress(MalformedId):
                known[name] = read_id(self.request, name)
        client = client_of(self.request.headers, self.worker.settings).address
        return new_entry(action, admin.credential, client=client, **known)

    def _respond(self, answer: Any) -> func.HttpResponse:  # noqa: ANN401 - any record of ours
        if isinstance(answer, func.HttpResponse):
            return answer
        headers = {"Location": answer.status_url, "Retry-After": "5"} if isinstance(answer, Accepted) else {}
        return json_response(answer, self.route.status, headers)

    def _engine(self) -> DurableEngine:
        if self.client is None:
            raise TypeError(f"{self.route.name}: the host passed no client of the engine")
        return DurableEngine(self.client)

    def _request_key(self) -> RequestKey | None:
        return None if self.admin is None else read_request_key(self.request, self.admin, self.content)


_OF_ADMINS = (Admin, RequestKey | None)
_READERS: dict[object, Callable[[_Call], object]] = {
    Admin: lambda call: call.admin,
    Attempt: lambda call: call.attempt,
    ContentKind: lambda call: negotiated(call.request, (JSON, *call.route.formats)),
    DurableEngine: _Call._engine,  # noqa: SLF001 - of this module
    Engine: _Call._engine,  # noqa: SLF001
    Person: lambda call: call.person,
    RequestKey | None: _Call._request_key,  # noqa: SLF001
    Services: lambda call: call.worker.services(),
    Settings: lambda call: call.worker.settings,
    Worker: lambda call: call.worker,
    func.HttpRequest: lambda call: call.request,
}


def json_response(
    content: object, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] = MappingProxyType({})
) -> func.HttpResponse:
    """Return ``content`` as a JSON response."""
    return func.HttpResponse(
        msgspec.json.encode(content), status_code=status.value, headers=dict(headers), mimetype="application/json"
    )


def etag_of(content: bytes) -> str:
    """Return the ETag of the content."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_known(request: func.HttpRequest, etag: str) -> bool:
    """Return whether the request's header If-None-Match matches ``etag``."""
    known = request.headers.get("If-None-Match", "")
    return known.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in known.split(","))
