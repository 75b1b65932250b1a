"""The description of the API (OpenAPI 3.1), generated from the declared routes and the types that validate.

It describes only what the code does: parameters and bodies are the types that requests are validated against, answers
are the types that are encoded, and each problem is made by the class of its error.
"""

import functools
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from itertools import groupby
from typing import Any

import azure.functions as func
import msgspec

from functions.access.administrators import AuthenticationUnavailable, Forbidden, SessionOver, Unauthorized
from functions.access.own_pages import PAGE, PAGE_HEADER, ForeignPage
from functions.access.persons import Inactive, TooManyRequests
from functions.access.sessions import COOKIE, LOCAL_COOKIE
from functions.access.throttling import TooManyFailures
from functions.http.accepting import CSV, HTML, ContentKind, NotAcceptable
from functions.http.endpoint import HEADERS, PATH_PARAMETER, Route, etag_of, is_known
from functions.http.openapi_schemas import Schemas
from functions.http.problems import DatabaseRefused, DatabaseUnavailable, InternalError, MethodNotAllowed, NotFound
from functions.http.requests import IDEMPOTENCY_KEY, MAX_BODY_BYTES, BodyTooLarge, LengthRequired, MalformedId
from problems import InvalidMember, Problem
from records import RequestKey

type Json = dict[str, Any]

_JSON = "application/json"
_TEXTS = (CSV, HTML)
_TITLE = "Portfolio analysis"
_LICENSE = {"name": "MIT", "identifier": "MIT"}
_DESCRIPTION = (
    "Starts, watches and cancels analyses of every user's portfolio, and returns their reports. One run is active at a "
    "time. Errors are problem documents (RFC 9457). Every answer has the header `X-Correlation-Id`; its value is also "
    "in the log and in the audit log. A query parameter without a value is ignored; an unknown one is rejected if the "
    "route needs credentials. Pages of other origins may call the API if the setting CORS_ORIGINS names their origin."
)
_SECURITY_SCHEMES = {
    "adminSecret": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Admin-Secret",
        "description": "The admin secret. If a token is sent as well, the secret decides.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "`Authorization: Bearer <token>` of an administrator.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": (
            "A session of an administrator, for pages of the app only: requests of other origins are rejected, and one "
            f"that changes something needs the header {PAGE_HEADER}. The secret or a token decides if it is sent as "
            f"well. Without TLS on the local machine the name is `{LOCAL_COOKIE}`."
        ),
    },
    "ownBearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "`Authorization: Bearer <token>` of the person whose reports are read.",
    },
}
_SCHEMES_OF = {"administrators": ("adminSecret", "bearer", "session"), "persons": ("ownBearer",), "everybody": ()}


def _header(description: str, *, required: bool = False, **schema: Any) -> Json:  # noqa: ANN401 - any JSON
    return {"description": description, "required": required, "schema": schema}


_HEADERS_OF_EVERY_ANSWER = {
    "X-Correlation-Id": _header(
        "The trace-id of the request's traceparent, or else a new one.",
        required=True,
        type="string",
        pattern="^[0-9a-f]{32}$",
    ),
    "Cache-Control": _header(
        "Answers must not be cached, except this document, which must be revalidated, and a person's own.",
        required=True,
        enum=["no-store", "no-cache", "private"],
    ),
    **{
        name: _header(description, required=True, const=HEADERS[name])
        for name, description in {
            "Content-Security-Policy": "No page may frame the answer, and nothing in it may run.",
            "Referrer-Policy": "Links in the answer reveal nothing of its address.",
            "X-Content-Type-Options": "Browsers must not guess another content type.",
        }.items()
    },
    "Vary": _header("The headers of the request that the answer depends on.", type="string"),
    "Access-Control-Allow-Origin": _header("The origin of the calling page, if it may read the answer.", type="string"),
    "Access-Control-Expose-Headers": _header("The headers that the calling page may read.", type="string"),
}
_HEADERS_OF_SOME = {
    "Location": _header("The address of the run's status.", required=True, type="string", format="uri-reference"),
    "Retry-After": _header("The seconds to wait before the next request.", required=True, type="integer", minimum=1),
    "ETag": _header("Identifies this document; send it as If-None-Match.", required=True, type="string"),
    "Content-Disposition": _header(
        "The name of the file, for a caller that accepts another kind than JSON.", type="string"
    ),
    "Set-Cookie": _header("The cookie of the session: kept, or forgotten at its end.", required=True, type="string"),
    "Allow": _header("The methods to use.", required=True, enum=["GET", "POST", "POST, DELETE"]),
    "WWW-Authenticate": _header("The accepted scheme.", required=True, type="string"),
}
_HEADERS_TAKEN = {
    "traceparent": _header(
        "W3C trace context; its trace-id becomes the correlation id. A malformed one is ignored.",
        type="string",
        examples=["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
    ),
    "Idempotency-Key": _header(
        "The same key and body within 24 hours return the same run; another body is rejected.",
        type="string",
        pattern="^[\\x20-\\x7e]{1,255}$",
    ),
    "If-None-Match": _header("The ETag of the document that the caller has.", type="string"),
    PAGE_HEADER: _header(f"With a session's cookie, `{PAGE}`; else not looked at.", type="string", examples=[PAGE]),
}


@functools.cache
def _encoded(routes: tuple[Route, ...]) -> tuple[bytes, str]:
    body = msgspec.json.encode(document(routes))
    return body, etag_of(body)


def document_for(request: func.HttpRequest, routes: Iterable[Route]) -> func.HttpResponse:
    """Return the document, or 304 if the caller already has it."""
    body, etag = _encoded(tuple(routes))
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if is_known(request, etag):
        return func.HttpResponse(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return func.HttpResponse(body, headers=headers, mimetype=_JSON)


def document(routes: Sequence[Route]) -> Json:
    """Return the document."""
    schemas = Schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(f"/{route.path}", {})[route.method.lower()] = _operation(route, schemas)
    problems = {problem.slug: problem for route in routes for problem in problems_of(route)}
    return {
        "openapi": "3.1.1",
        "info": {"title": _TITLE, "version": "1", "description": _DESCRIPTION, "license": _LICENSE},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.components() | {_name(of): _schema(of) for _, of in sorted(problems.items())},
            "securitySchemes": _SECURITY_SCHEMES,
            "headers": _HEADERS_OF_SOME | _HEADERS_OF_EVERY_ANSWER,
        },
    }


def problems_of(route: Route) -> list[Problem]:
    """Return an example of every problem that the route may answer with, each type once."""
    kinds: list[type[Problem]] = []
    if route.callers != "everybody":
        kinds = [
            Unauthorized,
            *((NotFound, Inactive, TooManyRequests) if route.callers == "persons" else (Forbidden,)),
            *((SessionOver, ForeignPage) if _may_use_session(route) else ()),
            TooManyFailures,
            AuthenticationUnavailable,
            DatabaseUnavailable,
            DatabaseRefused,
            InvalidMember,
        ]
        kinds += [MalformedId] if "{" in route.path else []
        kinds += [LengthRequired, BodyTooLarge] if route.method == "POST" else []
        kinds += [NotAcceptable] if ContentKind in route.parameters.values() else []
    examples = [MethodNotAllowed(route.method), *(kind.example() for kind in (*kinds, *route.errors)), InternalError()]
    return list({problem.slug: problem for problem in examples}.values())


def _operation(route: Route, schemas: Schemas) -> Json:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": schemas.of(name)}
        for name in PATH_PARAMETER.findall(route.path)
    ]
    query = schemas.parameters(route.takes) if route.method == "GET" else []
    described: Json = {
        "operationId": route.name,
        "summary": route.summary,
        "security": [{name: []} for name in _SCHEMES_OF[route.callers] if name != "session" or _may_use_session(route)],
        "parameters": [*in_path, *query, *_headers_taken(route)],
        "responses": {**_successes(route, schemas), **_failures(route)},
    }
    if route.method == "POST":
        described["requestBody"] = {
            "required": False,
            "description": f"Optional. At most {MAX_BODY_BYTES} bytes, not compressed, and with its Content-Length.",
            "content": {_JSON: {"schema": schemas.of(route.takes)}},
        }
    return described


def _may_use_session(route: Route) -> bool:
    return route.callers == "administrators" and route.by_session


def _headers_taken(route: Route) -> list[Json]:
    names = ["traceparent"]
    names += [IDEMPOTENCY_KEY] if RequestKey | None in route.parameters.values() else []
    names += ["If-None-Match"] if HTTPStatus.NOT_MODIFIED in route.others else []
    names += [PAGE_HEADER] if _may_use_session(route) and route.method != "GET" else []
    return [{"name": name, "in": "header", **_HEADERS_TAKEN[name]} for name in names]


def _successes(route: Route, schemas: Schemas) -> Json:
    names = ["Location", "Retry-After"] if route.status == HTTPStatus.ACCEPTED else []
    names += ["ETag"] if HTTPStatus.NOT_MODIFIED in route.others else []
    names += route.headers
    headers, content = _references(names), {}
    if route.answer is not bytes:
        content[_JSON] = {"schema": schemas.of(route.answer)}
    content |= {kind: {"schema": {"type": "string"}} if kind in _TEXTS else {} for kind in route.formats}
    if route.formats:
        headers |= _references(["Content-Disposition"])
    described = {str(route.status.value): {"description": route.status.phrase, "headers": headers, "content": content}}
    for status, description in route.others.items():
        described[str(status)] = {"description": description, "headers": headers}
        if status != HTTPStatus.NOT_MODIFIED:
            described[str(status)]["content"] = content
    return described


def _failures(route: Route) -> Json:
    ordered = sorted(problems_of(route), key=lambda problem: problem.status)
    by_status = groupby(ordered, key=lambda problem: problem.status)
    return {str(status): _failure(list(problems)) for status, problems in by_status}


def _failure(problems: list[Problem]) -> Json:
    schemas = [{"$ref": f"#/components/schemas/{_name(problem)}"} for problem in problems]
    return {
        "description": "; ".join(problem.title for problem in problems),
        "headers": _references(sorted({name for problem in problems for name in problem.headers})),
        "content": {"application/problem+json": {"schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas}}},
    }


def _references(names: Iterable[str]) -> Json:
    """Return the headers of an answer: those named, and those of every answer."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in [*names, *_HEADERS_OF_EVERY_ANSWER]}


def _name(problem: Problem) -> str:
    return "Problem" + problem.slug.title().replace("-", "")


def _schema(problem: Problem) -> Json:
    document = problem.document()
    fixed = {name: {"const": document[name]} for name in ("type", "title", "status")}
    free = {name: {"type": "string"} for name in ("detail", *problem.members)}
    return {
        "title": problem.title,
        "type": "object",
        "properties": fixed | free,
        "required": list(document),
        "additionalProperties": False,
        "examples": [document],
    }
