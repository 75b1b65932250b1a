"""The telemetry page names everything that the code emits, and nothing else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from functions.http.routes import api
from tests.functions.telemetry import page as telemetry_page
from tests.functions.telemetry.page import ROOT

PACKAGES = ("functions", "runs", "stores", "credentials", "market_data")
LEVELS = {"exception": "error"}
# Lines with several levels or wordings, each of which is on the page.
REQUESTED = "run_id=…, users=…, dry_run=…, as_of=…"
SPELLED_OUT = {
    "Portfolio analysis triggered … (…, actor=…)": {
        f"Portfolio analysis triggered via API ({REQUESTED}, actor=…)": "info",
        f"Portfolio analysis triggered by timer ({REQUESTED}, actor=…)": "info",
    },
    "Portfolio analysis background task started (…)": {
        f"Portfolio analysis background task started ({REQUESTED})": "info",
    },
    "Portfolio analysis … (……)": {
        f"Portfolio analysis completed successfully ({REQUESTED})": "info",
        f"Portfolio analysis completed with errors ({REQUESTED})": "warning",
        f"Portfolio analysis canceled ({REQUESTED})": "warning",
        f"Portfolio analysis failed ({REQUESTED}, error_type=…)": "error",
    },
}


def modules() -> Iterator[ast.Module]:
    for package in PACKAGES:
        for file in sorted(Path(ROOT, package).rglob("*.py")):
            yield ast.parse(file.read_text())


def logged(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the level and the text of each line that a module logs."""
    texts = {
        node.targets[0].id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and ast.unparse(node.func.value) == "_log"
        ):
            level, text = node.func.attr, node.args[node.func.attr == "log"]
            words = texts[text.id] if isinstance(text, ast.Name) else ast.literal_eval(text)
            first_line = words.partition("\n")[0]
            yield LEVELS.get(level, level), re.sub(r"%[sd]", "…", first_line)


def test_every_line_is_on_the_page_with_its_level_and_no_other_is() -> None:
    expected: dict[str, str] = {}
    for tree in modules():
        for level, text in logged(tree):
            expected |= SPELLED_OUT.get(text, {text: level})
    assert telemetry_page.lines() == expected


def test_every_function_and_every_metric_of_the_code_is_on_the_page() -> None:
    steps = {
        node.name
        for tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and re.search(r"activity_trigger|timer_trigger", "".join(map(ast.unparse, node.decorator_list)))
    }
    assert telemetry_page.functions() == steps | {operation.name for operation in api.routes}
    made = {
        (node.args[0].value, node.args[1].value)
        for tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and re.search(r"create_(counter|histogram)$", ast.unparse(node.func))
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[1], ast.Constant)
    }
    assert {(name, unit) for name, (unit, _) in telemetry_page.metrics().items()} == made
