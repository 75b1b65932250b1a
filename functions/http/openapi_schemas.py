"""JSON schemas of requests and answers, from the types that validate and encode them."""

import functools
from copy import deepcopy
from typing import Any

import msgspec
from msgspec import Struct

from analysis.models import Research
from functions.http.operations import OPERATIONS
from functions.http.requests import RunId, UserId

type Json = dict[str, Any]

_IDS: dict[str, Any] = {"run_id": RunId.__value__, "user_id": UserId.__value__}
# Returned as stored, possibly by an earlier version of the app. All others are encoded anew, with every member.
_AS_KEPT = {"Report", "DataQuality"}


def reference_to(kind: object) -> Json:
    """Return the schema of a type in the table of operations, or of an id by its name in paths."""
    return _generated()[0][kind]


def parameters_of(query: type[Struct]) -> list[Json]:
    """Return the members of a query as parameters."""
    schema = _generated()[1][query.__name__]
    return [
        {"name": name, "in": "query", "required": False, "schema": _without_null(member)}
        for name, member in schema["properties"].items()
    ]


def components() -> dict[str, Json]:
    """Return the schemas that others refer to."""
    queries = {operation.query.__name__ for operation in OPERATIONS if operation.method == "GET"}
    taken = {operation.body.__name__ for operation in OPERATIONS}
    schemas = {name: schema for name, schema in deepcopy(_generated()[1]).items() if name not in queries - taken}
    for name, schema in schemas.items():
        if "properties" in schema and name not in _AS_KEPT | taken:
            schema["required"] = list(schema["properties"])
    # As in documents: see report_document.
    stress, holding = schemas["Stress"]["properties"], schemas["HoldingReport"]
    stress["return"] = stress.pop("return_")
    schemas["Stress"]["required"] = list(stress)
    holding["properties"]["research"] = {"anyOf": [reference_to(Research), {"type": "null"}]}
    holding["required"].append("research")
    return schemas


@functools.cache
def _generated() -> tuple[dict[object, Json], dict[str, Json]]:
    kinds = {operation.answer for operation in OPERATIONS if isinstance(operation.answer, type)}
    kinds |= {kind for operation in OPERATIONS for kind in (operation.body, operation.query)} | {Research}
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    template = "#/components/schemas/{name}"
    found, parts = msgspec.json.schema_components([*ordered, *_IDS.values()], ref_template=template)
    schemas: dict[object, Json] = dict(zip([*ordered, *_IDS], found, strict=True))
    return _for_everybody(schemas), _for_everybody(parts)


def _without_null(schema: Json) -> Json:
    """Return the schema of a parameter, which may be absent but is never null."""
    told = {key: value for key, value in schema.items() if key != "anyOf" and value is not None}
    (kind,) = [kind for kind in schema.get("anyOf", [{}]) if kind.get("type") != "null"]
    return {**kind, **told}


def _for_everybody(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema with patterns and docstrings translated from Python's notation to that of JSON."""
    if isinstance(schema, list | tuple):
        return [_for_everybody(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    told = {key: _for_everybody(value) for key, value in schema.items()}
    if isinstance(told.get("pattern"), str):
        told["pattern"] = (
            told["pattern"].replace(r"$(?!\n)", "$").replace(r"[\w", r"[\p{L}\p{N}_").replace(r"\w", r"[\p{L}\p{N}_]")
        )
    if isinstance(told.get("description"), str):
        told["description"] = told["description"].replace("``", "`").replace("`None`", "`null`")
    return told
