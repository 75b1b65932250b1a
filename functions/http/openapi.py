"""The description of the API (OpenAPI 3.1), generated from the table of operations and the types that validate.

It describes only what the code does: parameters and bodies are the types that requests are validated against, answers
are the types that are encoded, and each problem is the result of :func:`problem_of` for the error.
"""

import functools
import re
from http import HTTPStatus
from typing import Any

import azure.functions as func
import msgspec

from functions.http import openapi_texts as texts
from functions.http.endpoint import HEADERS
from functions.http.etags import etag_of, is_known
from functions.http.openapi_problems import references_to_headers, responses_of, schema_of_problems
from functions.http.openapi_schemas import components, parameters_of, reference_to
from functions.http.operations import OPERATIONS, Operation
from functions.http.requests import IDEMPOTENCY_KEY, MAX_BODY_BYTES

type Json = dict[str, Any]

_PATH_PARAMETER = re.compile(r"\{(\w+)\}")
_JSON = "application/json"


def document_for(request: func.HttpRequest) -> func.HttpResponse:
    """Return the document, or 304 if the caller already has it."""
    body, etag = _encoded()
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if is_known(request, etag):
        return func.HttpResponse(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return func.HttpResponse(body, headers=headers, mimetype=_JSON)


@functools.cache
def _encoded() -> tuple[bytes, str]:
    body = msgspec.json.encode(document())
    return body, etag_of(body)


def document() -> Json:
    """Return the document."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(f"/{operation.route}", {})[operation.method.lower()] = _describe(operation)
    return {
        "openapi": "3.1.1",
        "info": {"title": texts.TITLE, "version": "1", "description": texts.DESCRIPTION, "license": texts.LICENSE},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components() | schema_of_problems(),
            "securitySchemes": texts.SECURITY_SCHEMES,
            "headers": texts.HEADERS_OF_SOME | _headers_of_every_answer(),
        },
    }


def _headers_of_every_answer() -> Json:
    fixed: Json = {name: {"required": True, "schema": {"const": value}} for name, value in HEADERS.items()}
    return {name: fixed.get(name, {}) | told for name, told in texts.HEADERS_OF_EVERY_ANSWER.items()}


def _describe(operation: Operation) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": [] if operation.public else [{name: []} for name in texts.SECURITY_SCHEMES],
        "parameters": [*_in_path(operation), *parameters_of(operation.query), *_headers_taken(operation)],
        "responses": {**_success(operation), **responses_of(operation)},
    }
    if operation.method == "POST":
        description = (
            f"May be left out. At most {MAX_BODY_BYTES} bytes, never compressed, never without its Content-Length."
        )
        content = {_JSON: {"schema": reference_to(operation.body)}}
        described["requestBody"] = {"required": False, "description": description, "content": content}
    return described


def _in_path(operation: Operation) -> list[Json]:
    names = _PATH_PARAMETER.findall(operation.route)
    return [{"name": name, "in": "path", "required": True, "schema": reference_to(name)} for name in names]


def _headers_taken(operation: Operation) -> list[Json]:
    names = ["traceparent"]
    names += [IDEMPOTENCY_KEY] if operation.idempotent else []
    names += ["If-None-Match"] if operation.cached else []
    return [{"name": name, "in": "header", "required": False, **texts.HEADERS_TAKEN[name]} for name in names]


def _success(operation: Operation) -> Json:
    names = ["Location", "Retry-After"] if operation.status == HTTPStatus.ACCEPTED else []
    names += ["ETag"] if operation.cached else []
    headers = references_to_headers(*names)
    content = {_JSON: {"schema": {"type": "object"} if operation.cached else reference_to(operation.answer)}}
    described: Json = {
        str(operation.status.value): {"description": operation.status.phrase, "headers": headers, "content": content}
    }
    if operation.cached:
        described["304"] = {"description": "The caller has this very document.", "headers": headers}
    if operation.name == "health":
        described["503"] = {"description": "It cannot.", "headers": headers, "content": content}
    return described
