"""Every query uses only existing tables, columns, lines, metrics and functions."""

import ast
import re
from functools import cache
from http import HTTPStatus
from itertools import chain
from pathlib import Path

import pytest

from functions.http.routes import api
from tests.functions.telemetry import page as telemetry_page
from tests.infra.bicep import INFRA, MAIN, ROOT, decorator, module, resource, template

QUERIES = sorted((INFRA / "queries").glob("*.kql"))

# Telemetry besides lines: metrics with their dimensions, and the dimension of every line of a run. Another test checks
# that the exports of a run are on the same page.
METRICS = {name: fields for name, (_, fields) in telemetry_page.metrics().items()}
LINE_DIMENSIONS = {"run_id"}
OUTCOMES = {"analyzed", "skipped", "failed"}

# Its form in Application Insights.
COLUMNS = {
    "traces": {"timestamp", "message", "severityLevel", "customDimensions"},
    "requests": {"timestamp", "name", "resultCode"},
    "customMetrics": {"timestamp", "name", "valueSum", "valueMax", "customDimensions"},
}
WORDS = {
    "let", "where", "extend", "project", "summarize", "by", "order", "asc", "desc", "and", "or", "in", "between", "has",
    "startswith", "now", "ago", "startofday", "count", "countif", "sum", "sumif", "min", "minif", "max", "maxif",
    "arg_max", "take_any", "toint", "tostring", "toscalar", "extract", "replace_regex", "isnotempty",
}  # fmt: skip
STRING = re.compile(r'@?"([^"]*)"')


def code_of(query: Path) -> str:
    return re.sub(r"(?m)^//.*$", "", query.read_text())


def tables_of(query: Path) -> set[str]:
    return set(re.findall(r"(?m)^\s*(\w+)\s*$", code_of(query)))


def names(queries: list[Path]) -> list[str]:
    return [query.stem for query in queries]


@pytest.mark.parametrize("query", QUERIES, ids=names(QUERIES))
def test_a_query_uses_only_existing_tables_and_columns(query: Path) -> None:
    code = code_of(query)
    tables = tables_of(query)
    assert tables
    assert tables <= COLUMNS.keys()
    made = set(re.findall(r"(\w+)\s*=(?![=~])", code)) | {
        name.strip() for names in re.findall(r"\(([\w, ]+)\)\s*=\s*arg_max", code) for name in names.split(",")
    }
    columns = set().union(*(COLUMNS[table] for table in tables))
    bare = re.sub(r"customDimensions\.\w+|\{\w+\}|\b\d+[a-z]?\b|\b\d+\.\d+\b", " ", STRING.sub(" ", code))
    used = set(re.findall(r"[A-Za-z_]\w*", bare))
    assert used - WORDS - tables - columns - made == set()


@pytest.mark.parametrize("query", QUERIES, ids=names(QUERIES))
def test_a_query_uses_only_dimensions_and_metrics_that_the_app_emits(query: Path) -> None:
    code = code_of(query)
    metrics = set(re.findall(r'\bname == "(portfolio_analysis[^"]*)"', code))
    assert metrics <= METRICS.keys()
    assert ("customMetrics" in tables_of(query)) == bool(metrics)
    dimensions = set().union(*(METRICS[metric] for metric in metrics)) if metrics else LINE_DIMENSIONS
    assert set(re.findall(r"customDimensions\.(\w+)", code)) <= dimensions
    assert set(re.findall(r'outcome == "(\w+)"', code)) <= OUTCOMES


@pytest.mark.parametrize("query", QUERIES, ids=names(QUERIES))
def test_a_query_searches_for_lines_that_the_code_writes(query: Path) -> None:
    for line in re.findall(r'message startswith "([^"]+)"', code_of(query)):
        assert any(is_beginning_of(line, template, words) for template, words in lines_of_the_code()), line


def is_beginning_of(line: str, template: str, words: set[str]) -> bool:
    """Return whether a line from ``template`` may begin with ``line``, with words of its module in the first gap."""
    filled = [template.replace("%s", word, 1) for word in words] if "%s" in template[: len(line)] else [template]
    return any(candidate.startswith(line) for candidate in filled)


@cache
def lines_of_the_code() -> tuple[tuple[str, set[str]], ...]:
    """Return the templates of all lines that the app logs, each with the texts of its module."""
    found = []
    for module_file in chain.from_iterable((ROOT / part).rglob("*.py") for part in ("functions", "runs")):
        tree = ast.parse(module_file.read_text())
        words = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_log."):
                found += [(text, words) for text in texts(node)]
    return tuple(found)


def texts(call: ast.Call) -> list[str]:
    return [found.value for found in call.args if isinstance(found, ast.Constant) and isinstance(found.value, str)]


@pytest.mark.parametrize("line", ["Portfolio analysis was lost", "A run got far", "The watchdog"])
def test_the_check_of_lines_finds_violations(line: str) -> None:
    assert not any(is_beginning_of(line, template, words) for template, words in lines_of_the_code())


@pytest.mark.parametrize("query", QUERIES, ids=names(QUERIES))
def test_a_query_uses_only_existing_functions_and_statuses(query: Path) -> None:
    if "requests" not in tables_of(query):
        return
    functions = {operation.name for operation in api.routes} | {"watchdog", "nightly_analysis"}
    assert set(re.findall(r'\bname == "(\w+)"', code_of(query))) <= functions
    assert {HTTPStatus(int(code)) for code in re.findall(r'"(\d{3})"', code_of(query))} <= set(HTTPStatus)


def used_by(name: str) -> set[str]:
    return set(re.findall(r"loadTextContent\('\.\./queries/([\w-]+)\.kql'\)", module(name).text))


def test_every_query_is_used_by_an_alert_the_workbook_or_a_script() -> None:
    scripts = "".join(path.read_text() for path in (ROOT / "scripts").iterdir())
    by_scripts = set(re.findall(r"infra/queries/([\w-]+)\.kql", scripts))
    assert used_by("alerts") | used_by("workbook") | by_scripts == set(names(QUERIES))


def test_a_query_that_is_used_unchanged_has_no_placeholders_and_those_of_others_are_filled() -> None:
    with_gaps = {query.stem: set(re.findall(r"\{(\w+)\}", code_of(query))) for query in QUERIES}
    filled = dict(re.findall(r"queries/([\w-]+)\.kql'\), '\{(\w+)\}'", module("alerts").text))
    assert {name: {gap} for name, gap in filled.items()} == {name: gaps for name, gaps in with_gaps.items() if gaps}
    assert used_by("workbook") & filled.keys() == set()


def test_every_alert_has_recipients_and_resolves_by_itself() -> None:
    rule = resource("Microsoft.Insights/scheduledQueryRules").members["properties"]
    assert rule["actions"]["actionGroups"]
    assert rule["autoMitigate"] is True
    group = resource("Microsoft.Insights/actionGroups").members["properties"]
    assert group["emailReceivers"]["config"]["emailAddress"] == "email"
    for notification in resource("Microsoft.Consumption/budgets").members["properties"]["notifications"].values():
        assert notification["contactGroups"] == ["actionGroupId"]


def test_the_half_hour_after_any_deadline_ends_on_the_same_day() -> None:
    assert "between (deadline .. deadline + 30m)" in (INFRA / "queries" / "no-run-completed.kql").read_text()
    for asked in (template(MAIN).parameters(), module("alerts").parameters()):
        assert decorator(asked["deadlineMinutes"], "max_value") + 30 <= 24 * 60


def test_an_alerts_window_is_at_least_as_long_as_its_frequency() -> None:
    minutes = {"PT5M": 5, "PT10M": 10, "PT15M": 15, "PT30M": 30, "P1D": 1440}
    for rule in module("alerts").variable("rules"):
        assert minutes[rule["window"]] >= minutes[rule["frequency"]], rule["name"]
