"""Microsoft's Bicep compiler, and what it predicts that a deployment of ``infra/main.bicep`` would create."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.infra.bicep import INFRA, MAIN

SUBSCRIPTION, TENANT = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
REGION = "westeurope"
NOT_INSTALLED = "no Bicep compiler: put bicep on PATH, or its path in BICEP"

type Values = Mapping[str, Any]


class Refused(Exception):
    """The template refuses its parameters. The message is all of its sentences."""


@dataclass(frozen=True)
class Snapshot:
    """What a deployment would create."""

    diagnostics: list[Any]
    resources: dict[str, dict[str, Any]]
    """By their ids."""
    number: int
    """Of resources, whether or not their ids differ."""
    outputs: dict[str, Any]

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [found for found in self.resources.values() if found["type"] == type_]

    def one(self, type_: str, beginning: str = "") -> dict[str, Any]:
        (found,) = [found for found in self.of(type_) if found["name"].startswith(beginning)]
        return found

    def config(self, name: str) -> dict[str, Any]:
        """Return the properties of one part of the app's configuration."""
        (found,) = [found for found in self.of("Microsoft.Web/sites/config") if found["name"].endswith(f"/{name}")]
        properties: dict[str, Any] = found["properties"]
        return properties


def program() -> str | None:
    """Return the compiler's path, if there is one."""
    return os.environ.get("BICEP") or shutil.which("bicep")


@dataclass
class Compiler:
    """One process of the compiler for many snapshots, because each start of it takes seconds.

    They are made from a template that was compiled once, which takes a fifth of the time.
    """

    path: str
    folder: Path
    _process: subprocess.Popen[bytes] = field(init=False)
    _compiled: dict[Path, Path] = field(init=False, default_factory=dict)
    _kept: dict[str, Snapshot] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._process = subprocess.Popen(
            [self.path, "jsonrpc", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the compiler by itself, with these arguments."""
        return subprocess.run([self.path, *arguments], capture_output=True, text=True, check=False)

    def parameter_file(self, values: Values, template: Path = MAIN) -> Path:
        """Write a ``.bicepparam`` and return its path."""
        path = self.folder / f"{len(list(self.folder.iterdir()))}.bicepparam"
        lines = [f"param {name} = {literal(value)}" for name, value in values.items()]
        path.write_text("\n".join([f"using '{os.path.relpath(template, self.folder)}'", *lines]))
        return path

    def snapshot(self, values: Values, template: Path = MAIN) -> Snapshot:
        """Return what a deployment with these parameters would create; the same one for the same parameters.

        Raises:
            Refused: the template refuses them.
        """
        key = json.dumps([str(template), values], sort_keys=True)
        if key not in self._kept:
            self._kept[key] = self._predict(self.parameter_file(values, self._compile(template)))
        return self._kept[key]

    def _compile(self, template: Path) -> Path:
        if template not in self._compiled:
            path = self.folder / f"{len(list(self.folder.iterdir()))}.json"
            done = self.run("build", template, "--outfile", path)
            assert done.returncode == 0, done.stderr
            self._compiled[template] = path
        return self._compiled[template]

    def _predict(self, path: Path) -> Snapshot:
        scope = {"tenantId": TENANT, "subscriptionId": SUBSCRIPTION, "location": REGION}
        asked = {"path": str(path), "metadata": scope | {"resourceGroup": None, "deploymentName": None}}
        answer = self._call("bicep/getSnapshot", asked | {"externalInputs": None})
        if "error" in answer:
            raise Refused(answer["error"]["message"])
        return read(answer["result"]["snapshot"])

    def _call(self, method: str, argument: Values) -> dict[str, Any]:
        content = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": [argument]}).encode()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(content), content))
        self._process.stdin.flush()
        length = 0
        while header := self._process.stdout.readline().strip():
            name, _, value = header.partition(b":")
            length = int(value) if name == b"Content-Length" else length
        answer: dict[str, Any] = json.loads(self._process.stdout.read(length))
        return answer


def read(text: str) -> Snapshot:
    """Return a snapshot from the compiler's JSON."""
    found = json.loads(text)
    predicted = found["predictedResources"]
    resources = {resource["id"]: resource for resource in predicted}
    return Snapshot(found["diagnostics"], resources, len(predicted), found["outputs"])


def literal(value: object) -> str:
    """Return a value in Bicep."""
    match value:
        case bool() | int():
            return str(value).lower()
        case str():
            return "'" + value.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${") + "'"
        case list():
            return "\n".join(["[", *map(literal, value), "]"])
        case dict():
            return "\n".join(["{", *(f"{name}: {literal(member)}" for name, member in value.items()), "}"])
    raise TypeError(type(value))


def environments() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the parameters of each environment that the pipeline deploys."""
    for path in sorted((INFRA / "environments").glob("*.json")):
        given = json.loads(path.read_text())["parameters"]
        yield path.stem, {name: parameter["value"] for name, parameter in given.items()}
