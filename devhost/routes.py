"""HTTP routes as the Functions host treats them, and its rules about them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from devhost.errors import StartError
from devhost.messages import FunctionInfo

RESERVED_PREFIXES = ("admin", "runtime")
_PARAMETER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One HTTP function's route as declared, before the prefix; no methods means all."""

    function: str
    template: str
    methods: frozenset[str]

    @classmethod
    def of(cls, function: FunctionInfo) -> "Route":
        """Return the route of an HTTP function; without one it is the function's name.

        Raises:
            StartError: the route breaks a rule of the host.
        """
        template = str(function.trigger.get("route") or function.name).strip("/")
        reserved = next((prefix for prefix in RESERVED_PREFIXES if template.lower().startswith(prefix)), None)
        if reserved:
            raise StartError(
                f"function {function.name}: the route '{template}' starts with '{reserved}', "
                "which is reserved for the Functions host"
            )
        unknown = next((name for name in _PARAMETER.findall(template) if not name.isidentifier()), None)
        if unknown is not None:
            raise StartError(
                f"function {function.name}: the local host does not support the route parameter {{{unknown}}}"
            )
        return cls(function.name, template, frozenset(function.trigger.get("methods", ())))

    def conflicts_with(self, other: "Route") -> bool:
        """Return whether the template is the same, and a method in common."""
        methods_meet = not self.methods or not other.methods or bool(self.methods & other.methods)
        return self.template.lower() == other.template.lower() and methods_meet


class RouteTable:
    """Finds the function for a request. Literal segments have priority over parameters, as in the host."""

    def __init__(self, functions: Iterable[FunctionInfo], prefix: str) -> None:
        """Check the routes of all HTTP functions.

        Raises:
            StartError: two routes conflict, or one breaks a rule of the host.
        """
        self.routes = [Route.of(function) for function in functions if function.trigger_type == "httpTrigger"]
        for first, second in combinations(self.routes, 2):
            if first.conflicts_with(second):
                raise StartError(
                    f"function {second.function}: the route '{second.template}' conflicts with the route of "
                    f"function {first.function}"
                )
        by_precedence = sorted(self.routes, key=lambda route: ["{" in part for part in route.template.split("/")])
        self._patterns = [(_pattern(f"{prefix}/{route.template}"), route) for route in by_precedence]

    def match(self, method: str, path: str) -> tuple[str, dict[str, str]] | None:
        """Return the function's name and the values of its route parameters; None if the host answers 404.

        ``path`` as decoded by devhost.kestrel. As in ASP.NET (PathTokenizer.cs, TemplateMatcher.cs,
        HttpMethodRouteConstraint.cs): one slash at the end is ignored, an empty segment matches nothing.
        """
        for pattern, route in self._patterns:
            found = pattern.fullmatch(path.removeprefix("/").removesuffix("/"))
            if found and (not route.methods or method.upper() in route.methods):
                return route.function, found.groupdict()
        return None


def _pattern(template: str) -> re.Pattern[str]:
    literals_and_names = _PARAMETER.split(template.strip("/"))
    parts = [re.escape(literals_and_names[0])]
    for name, literal in zip(literals_and_names[1::2], literals_and_names[2::2], strict=True):
        parts += [f"(?P<{name}>[^/]+)", re.escape(literal)]
    return re.compile("".join(parts), re.IGNORECASE | re.ASCII)
