"""JSON schemas of requests and answers, from the types that validate and encode them."""

import re
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import msgspec
from msgspec import Struct

from analysis.models import Research
from functions.http.endpoint import Route
from functions.http.requests import IDS

type Json = dict[str, Any]

# Returned as stored, possibly by an earlier version of the app. All others are encoded anew, with every member.
_AS_STORED = {"Report", "DataQuality"}
_REFERENCE = "#/components/schemas/{name}"


class Schemas:
    """The schemas of all types of some routes."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._queries = {route.takes.__name__ for route in routes if route.method == "GET"}
        self._bodies = {route.takes.__name__ for route in routes if route.method == "POST"}
        kinds = {
            kind
            for route in routes
            for kind in (route.answer, route.takes)
            if isinstance(kind, type) and kind is not bytes
        } | {Research}
        named: dict[object, Any] = {kind: kind for kind in sorted(kinds, key=lambda kind: kind.__name__)}
        named |= {name: kind.__value__ for name, kind in IDS.items()}
        schemas, components = msgspec.json.schema_components(named.values(), ref_template=_REFERENCE)
        self._schemas: dict[object, Json] = dict(zip(named, _in_json(schemas), strict=True))
        self._components: dict[str, Json] = _in_json(components)

    def of(self, kind: object) -> Json:
        """Return the schema of a type, or of an id by its name in paths."""
        return self._schemas.get(kind, {"type": "object"})

    def parameters(self, query: type[Struct]) -> list[Json]:
        """Return the members of a query as parameters."""
        members = self._components[query.__name__]["properties"]
        return [
            {"name": name, "in": "query", "required": False, "schema": _without_null(member)}
            for name, member in members.items()
        ]

    def components(self) -> dict[str, Json]:
        """Return the schemas that others refer to."""
        only_queries = self._queries - self._bodies
        schemas = {name: schema for name, schema in deepcopy(self._components).items() if name not in only_queries}
        for name, schema in schemas.items():
            if "properties" in schema and name not in _AS_STORED | self._bodies:
                schema["required"] = list(schema["properties"])
        return schemas


def _without_null(schema: Json) -> Json:
    """Return the schema of a parameter, which may be absent but is never null."""
    others = {key: value for key, value in schema.items() if key != "anyOf" and value is not None}
    (kind,) = [kind for kind in schema.get("anyOf", [{}]) if kind.get("type") != "null"]
    return {**kind, **others}


def _in_json(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema with patterns and docstrings translated from Python's notation to that of JSON."""
    if isinstance(schema, list | tuple):
        return [_in_json(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    translated = {key: _in_json(value) for key, value in schema.items()}
    if isinstance(translated.get("pattern"), str):
        pattern = translated["pattern"].replace(r"$(?!\n)", "$")
        translated["pattern"] = pattern.replace(r"[\w", r"[\p{L}\p{N}_").replace(r"\w", r"[\p{L}\p{N}_]")
    if isinstance(translated.get("description"), str):
        text = re.sub(r":\w+:`", "`", translated["description"])  # the roles of reStructuredText
        translated["description"] = text.replace("``", "`").replace("`None`", "`null`")
    return translated
