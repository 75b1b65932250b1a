"""Runs the workflows of this repository as GitHub does: jobs by their needs, steps in order, shell steps in bash.

Actions are done by the caller, who also says which machine a job gets.
"""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Literal, Protocol

import yaml

from tests.infra.bicep import ROOT

# YAML 1.1, which the parser implements, reads the word "on" as true.
ON: Any = True

type Context = Mapping[str, Any]
type Result = Literal["success", "failure", "cancelled", "skipped"]


class Machine(Protocol):
    """What a job runs on."""

    folder: Path
    environment: dict[str, str]

    def act(self, action: str, options: dict[str, Any]) -> dict[str, str]:
        """Do what the action does and return its outputs."""


@dataclass
class Ran:
    """What happened, by job and step, and everything that was printed."""

    failed: list[str] = field(default_factory=list)
    succeeded: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    output: str = ""


def read(path: Path, edit: Callable[[str], str] = str) -> dict[Any, Any]:
    """Return a workflow, changed by a test."""
    parsed: dict[Any, Any] = yaml.safe_load(edit(path.read_text()))
    return parsed


def evaluate(expression: str, context: Context) -> Any:  # noqa: ANN401 - any JSON
    """Return the value of an expression, as far as the workflows here use the language."""
    text = expression.strip()
    for operator, decides in ((" || ", True), (" && ", False)):
        if operator in text:
            first, rest = text.split(operator, 1)
            value = evaluate(first, context)
            return value if bool(value) == decides else evaluate(rest, context)
    for operator, equal in ((" == ", True), (" != ", False)):
        if operator in text:
            left, right = (evaluate(part, context) for part in text.split(operator))
            return (left == right) == equal
    return not evaluate(text[1:], context) if text.startswith("!") else _operand(text, context)


def _operand(text: str, context: Context) -> Any:  # noqa: ANN401 - any JSON
    if text.startswith("'"):
        return text[1:-1]
    if match := re.fullmatch(r"startsWith\((.+), '(.+)'\)", text):
        return str(evaluate(match[1], context)).startswith(match[2])
    known = {"true": True, "false": False, "cancelled()": False, "failure()": context.get("failed")}
    if text in known:
        return known[text]
    found: Any = context
    for name in text.split("."):
        found = found.get(name, "")
    return found


def filled(value: Any, context: Context) -> Any:  # noqa: ANN401 - any JSON
    """Return a value of a workflow with its expressions evaluated."""
    if not isinstance(value, str):
        return value
    if whole := re.fullmatch(r"\$\{\{(.*?)\}\}", value):
        return evaluate(whole[1], context)
    return re.sub(r"\$\{\{(.*?)\}\}", lambda match: str(evaluate(match[1], context)), value)


def holds(condition: str, context: Context) -> bool:
    """Return whether a job or step with this condition runs: if all before it succeeded, or if it asks whether."""
    bare = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", condition)
    asks = any(function in bare for function in ("failure()", "cancelled()"))
    return bool(evaluate(bare, context)) and (asks or context["succeeded"])


@dataclass
class Runner:
    """``edit`` changes the text of each workflow, ``done`` are jobs that count as run, with their result."""

    machine: Callable[[dict[str, Any], str], Machine]
    github: dict[str, str]
    edit: Callable[[str], str] = str
    done: Mapping[str, Result] = field(default_factory=dict)
    ran: Ran = field(default_factory=Ran)

    def workflow(self, path: Path, inputs: Mapping[str, Any], called_as: str = "") -> Result:
        """Run a workflow and return its result."""
        workflow = read(path, self.edit)
        declared = (workflow[ON].get("workflow_call") or workflow[ON].get("workflow_dispatch") or {}).get("inputs", {})
        context = {
            "inputs": {name: inputs.get(name, each.get("default", "")) for name, each in declared.items()},
            "github": self.github,
            "vars": {"AZURE_LOCATION": "westeurope", "AZURE_CLIENT_ID": "an identity"},
        }
        needs = {name: self._needs(job) for name, job in workflow["jobs"].items()}
        before: dict[str, set[str]] = {}
        results: dict[str, Result] = {}
        for name in TopologicalSorter(needs).static_order():
            before[name] = set(needs[name]).union(*(before[need] for need in needs[name]))
            needed = {need: results[need] for need in needs[name]}
            status = {
                # A failure counts from any job before it, a job that exceeded its time is canceled: that is none.
                "failed": any(results[each] == "failure" for each in before[name]),
                "succeeded": all(result == "success" for result in needed.values()),
                "needs": {need: {"result": result} for need, result in needed.items()},
            }
            results[name] = self._job(workflow["jobs"][name], f"{called_as}{name}", context | status)
        ended: tuple[Result, ...] = ("failure", "cancelled", "success")
        return next((result for result in ended if result in results.values()), "skipped")

    @staticmethod
    def _needs(job: dict[str, Any]) -> list[str]:
        needs = job.get("needs", [])
        return [needs] if isinstance(needs, str) else needs

    def _job(self, job: dict[str, Any], name: str, context: Context) -> Result:
        """Run a job and return its result."""
        if not holds(job.get("if", "true"), context):
            self.ran.skipped.append(name)
            return "skipped"
        if name in self.done:
            return self.done[name]
        if "uses" in job:
            given = {key: filled(value, context) for key, value in job.get("with", {}).items()}
            return self.workflow(ROOT / job["uses"], given, f"{name}.")
        machine = self.machine(job, str(filled(job.get("environment", ""), context)))
        machine.environment |= {key: str(filled(value, context)) for key, value in job.get("env", {}).items()}
        here = {**context, "failed": False, "succeeded": True, "steps": {}}
        for step in job["steps"]:
            if not self._step(step, f"{name}: {step.get('name') or step['uses'].partition('@')[0]}", machine, here):
                here |= {"failed": True, "succeeded": False}
        return "failure" if here["failed"] else "success"

    def _step(self, step: dict[str, Any], name: str, machine: Machine, context: dict[str, Any]) -> bool:
        if not holds(step.get("if", "true"), context):
            self.ran.skipped.append(name)
            return True
        if "uses" in step:
            options = {key: filled(value, context) for key, value in step.get("with", {}).items()}
            outputs = machine.act(step["uses"].partition("@")[0], options)
            context["steps"][step.get("id", "")] = {"outputs": outputs}
            self.ran.succeeded.append(name)
            return True
        own = {key: str(filled(value, context)) for key, value in step.get("env", {}).items()}
        variables, summary = machine.folder / "variables", machine.folder / "summary"
        done = subprocess.run(
            ["/bin/bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", str(filled(step["run"], context))],
            cwd=machine.folder,
            env=machine.environment | own | {"GITHUB_ENV": str(variables), "GITHUB_STEP_SUMMARY": str(summary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        self.ran.output += f"--- {name}\n{done.stdout}"
        if variables.exists():
            machine.environment |= dict(line.split("=", 1) for line in variables.read_text().splitlines())
        (self.ran.failed if done.returncode else self.ran.succeeded).append(name)
        return done.returncode == 0
