"""The Bicep files as trees, with a few queries for tests."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser

ROOT = Path(__file__).parent.parent.parent
INFRA = ROOT / "infra"
MAIN = INFRA / "main.bicep"

type Tree = Any


@dataclass(frozen=True)
class Resource:
    """One resource of a template: its type, API version and members, without the loop or condition around it."""

    template: str
    symbol: str
    type: str
    api_version: str
    existing: bool
    members: dict[str, Tree]


@dataclass(frozen=True)
class Template:
    """One Bicep file."""

    path: Path
    tree: Tree

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def text(self) -> str:
        return self.path.read_text()

    def parameters(self) -> dict[str, Tree]:
        return dict(self.tree.get("parameters", {}))

    def outputs(self) -> dict[str, Tree]:
        return dict(self.tree.get("outputs", {}))

    def variable(self, name: str) -> Tree:
        return self.tree["variables"][name]["value"]

    def resources(self) -> list[Resource]:
        return [
            Resource(
                self.name,
                symbol,
                found["type"],
                found["api_version"],
                found.get("existing", False),
                _innermost(found["config"]),
            )
            for symbol, found in self.tree.get("resources", {}).items()
        ]

    def imports(self) -> list[Path]:
        """Return the files whose functions the template uses."""
        return [
            (self.path.parent / name).resolve() for name in re.findall(r"(?m)^import \{.*\} from '(.+)'$", self.text)
        ]

    def modules(self) -> dict[str, tuple[Path, dict[str, Tree]]]:
        """Return the file and the parameters of each module, by symbol."""
        return {
            symbol: ((self.path.parent / found["detail"]["path"]).resolve(), _innermost(found["config"])["params"])
            for symbol, found in self.tree.get("modules", {}).items()
        }


@cache
def template(path: Path) -> Template:
    return Template(path, BicepParser().parse(text=path.read_text()))


def templates() -> list[Template]:
    return [template(path) for path in sorted(INFRA.rglob("*.bicep"))]


def module(name: str) -> Template:
    return template(INFRA / "modules" / f"{name}.bicep")


def resources() -> list[Resource]:
    return [resource for found in templates() for resource in found.resources() if not resource.existing]


def resource(type_: str) -> Resource:
    (found,) = [candidate for candidate in resources() if candidate.type == type_]
    return found


def assigned_roles() -> set[tuple[str, str]]:
    """Return the ids of the roles that the templates assign, each with the kind of its holder."""
    found = set()
    for assignment in resources():
        if assignment.type == "Microsoft.Authorization/roleAssignments":
            properties = assignment.members["properties"]
            role = properties["roleDefinitionId"]["function"]["parameters"]["resource_name_1"]
            found.add((module(assignment.template).variable(role), properties["principalType"]))
    return found


def decorator(parameter: Tree, type_: str) -> Tree:
    """Return the argument of a decorator; None without one."""
    found = [decorator["argument"] for decorator in parameter["decorators"] if decorator["type"] == type_]
    return found[0] if found else None


def walk(tree: Tree, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Tree]]:
    """Yield every node of a tree with its path."""
    yield path, tree
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield from walk(child, (*path, str(key)))


def literal_keys(tree: Tree) -> set[str]:
    """Return the names in an object, without quotes."""
    return {key.strip("'") for key in tree}


def if_else(condition: str, yes: Tree, no: Tree) -> Tree:
    """Return the tree of ``condition ? yes : no``."""
    operands = {"condition": condition, "true_value": yes, "false_value": no}
    return {"operator": {"type": "conditional", "operands": operands}}


def without_comments(text: str) -> str:
    return re.sub(r"(?m)^\s*//.*$", "", text)


def _innermost(config: Tree) -> dict[str, Tree]:
    while "config" in config and {"condition", "loop_type"} & config.keys():
        config = config["config"]
    return dict(config)
