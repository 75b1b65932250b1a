"""The problems that an operation may answer with, each made by the code that also answers real errors."""

from itertools import groupby
from typing import Any

from credentials.vault import SecretsUnavailable
from functions.access.administrators import AuthenticationUnavailable, Forbidden, Unauthorized
from functions.access.throttling import TooManyFailures
from functions.access.tokens import Bearer
from functions.engine import EngineUnavailable
from functions.http.openapi_texts import HEADERS_OF_EVERY_ANSWER
from functions.http.operations import OPERATIONS, Operation
from functions.http.problems import MethodNotAllowed, NotFound, Problem, problem_of
from functions.http.requests import BodyTooLarge, InvalidMember, LengthRequired, MalformedId
from runs.starting import InvalidAsOf, KeyReused, NothingFailed, RunActive, RunOver

type Json = dict[str, Any]

_RUN_ID = "run_20260102_010000_ab12"
_EXAMPLES: dict[type[Exception], Exception] = {
    type(error): error
    for error in (
        AuthenticationUnavailable(),
        BodyTooLarge(),
        EngineUnavailable(),
        Forbidden(Bearer("adam", "adam")),
        InvalidAsOf(),
        InvalidMember("limit", "expected `int` <= 100"),
        KeyReused(),
        LengthRequired(),
        MalformedId("run_id"),
        NotFound(f"There is no run {_RUN_ID}."),
        NothingFailed(_RUN_ID),
        RunActive(_RUN_ID),
        RunOver(_RUN_ID),
        SecretsUnavailable(),
        TooManyFailures(300),
        Unauthorized(),
    )
}


def problems_of(operation: Operation) -> list[Problem]:
    """Return every problem that the operation may answer with, each type once."""
    errors = [MethodNotAllowed(operation.method), *(_EXAMPLES[kind] for kind in _kinds_of(operation)), Exception()]
    return list({problem.slug: problem for problem in map(problem_of, errors)}.values())


def _kinds_of(operation: Operation) -> list[type[Exception]]:
    if operation.public:
        return list(operation.errors)
    kinds = [Unauthorized, Forbidden, TooManyFailures, AuthenticationUnavailable, SecretsUnavailable, InvalidMember]
    kinds += [MalformedId] if "{" in operation.route else []
    kinds += [LengthRequired, BodyTooLarge] if operation.method == "POST" else []
    return [*kinds, *operation.errors]


def references_to_headers(*names: str) -> Json:
    """Return the headers of an answer: those named, and those of every answer."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in [*names, *HEADERS_OF_EVERY_ANSWER]}


def responses_of(operation: Operation) -> dict[str, Json]:
    """Return the descriptions of the answers that are problems, by status."""
    ordered = sorted(problems_of(operation), key=lambda problem: problem.status)
    by_status = groupby(ordered, key=lambda problem: problem.status)
    return {str(status.value): _response(list(problems)) for status, problems in by_status}


def schema_of_problems() -> dict[str, Json]:
    """Return a schema for each type of problem."""
    every = {problem.slug: problem for operation in OPERATIONS for problem in problems_of(operation)}
    return {_name(problem): _schema(problem) for _, problem in sorted(every.items())}


def _response(problems: list[Problem]) -> Json:
    schemas = [{"$ref": f"#/components/schemas/{_name(problem)}"} for problem in problems]
    names = sorted({name for problem in problems for name in problem.headers})
    return {
        "description": "; ".join(problem.title for problem in problems),
        "headers": references_to_headers(*names),
        "content": {"application/problem+json": {"schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas}}},
    }


def _schema(problem: Problem) -> Json:
    document = problem.document()
    fixed = {name: {"const": document[name]} for name in ("type", "title", "status")}
    told = {name: {"type": "string"} for name in ("detail", *problem.members)}
    return {
        "title": problem.title,
        "type": "object",
        "properties": fixed | told,
        "required": list(document),
        "additionalProperties": False,
        "examples": [document],
    }


def _name(problem: Problem) -> str:
    return "Problem" + problem.slug.title().replace("-", "")
