"""Every query parses, and uses only lines, metrics and functions that exist."""

import ast
import re
from functools import cache
from http import HTTPStatus
from itertools import chain
from pathlib import Path

import pytest

from functions.http.routes import api
from tests.functions.telemetry import page as telemetry_page
from tests.infra.bicep import INFRA, ROOT, module
from tests.infra.queries import IN_DOCS, QUERIES, SAMPLES, code_of, filled, parse

# Telemetry besides lines: metrics with their dimensions, and the dimension of every line of a run. Another test checks
# that the exports of a run are on the same page.
METRICS = {name: fields for name, (_, fields) in telemetry_page.metrics().items()}
LINE_DIMENSIONS = {"run_id"}
OUTCOMES = {"analyzed", "skipped", "failed"}


def test_every_query_of_alerts_workbook_and_docs_is_accepted_by_microsofts_parser() -> None:
    parsed = parse({name: filled(text) for name, text in (QUERIES | IN_DOCS).items()})
    assert {name: found.faults for name, found in parsed.items() if found.faults} == {}
    assert {"errors", "no-run-completed", "telemetry-0", "deployment-0"} <= parsed.keys()


# Faults that are put into queries: the query, a word of it, what stands there instead, and what the parser says.
MUTANTS = [
    ("errors", "first_seen", "first", "'first' needs to be bracketed"),
    ("errors", "severityLevel", "severity", "'severity' does not refer to any known column"),
    ("runs", "traces", "trace", "'trace' does not refer to any known"),
    ("run-failed", "extract(", "extrakt(", "'extrakt' does not refer to any known function"),
    ("telemetry-capped", "| project", "project", "Expected: ;"),
    ("no-run-completed", "startofday(now())", "startofday(now()", "Expected: )"),
    ("users-of-runs", "sum(valueSum)", "sum(name)", "must be summable"),
]


@cache
def faults_of_mutants() -> list[list[str]]:
    texts = {str(at): filled(QUERIES[query].replace(word, new)) for at, (query, word, new, _) in enumerate(MUTANTS)}
    return [found.faults for found in parse(texts).values()]


@pytest.mark.parametrize("at", range(len(MUTANTS)), ids=[fault for _, _, _, fault in MUTANTS])
def test_the_parser_finds_a_fault_that_is_put_into_a_query(at: int) -> None:
    query, word, _, fault = MUTANTS[at]
    assert word in QUERIES[query]
    assert any(fault in text for text in faults_of_mutants()[at]), faults_of_mutants()[at]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_uses_only_dimensions_and_metrics_that_the_app_emits(query: str) -> None:
    code = code_of(QUERIES[query])
    metrics = set(re.findall(r'\bname == "(portfolio_analysis[^"]*)"', code))
    assert metrics <= METRICS.keys()
    assert ("customMetrics" in code) == bool(metrics)
    dimensions = set().union(*(METRICS[metric] for metric in metrics)) if metrics else LINE_DIMENSIONS
    assert set(re.findall(r"customDimensions\.(\w+)", code)) <= dimensions
    assert set(re.findall(r'outcome == "(\w+)"', code)) <= OUTCOMES


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_searches_for_lines_that_the_code_writes(query: str) -> None:
    for line in re.findall(r'message startswith "([^"]+)"', code_of(QUERIES[query])):
        assert any(is_beginning_of(line, template, words) for template, words in lines_of_the_code()), line


@pytest.mark.parametrize("query", QUERIES)
def test_what_a_query_asks_of_a_run_is_written_as_the_lines_of_runs_say_it(query: str) -> None:
    documented = [text for text in telemetry_page.lines() if text.startswith("Portfolio analysis ")]
    (asked,) = {"users=…, dry_run=…, as_of=…"} & {
        part for text in documented for part in re.findall(r"users=….*?as_of=…", text)
    }
    pattern = re.escape(asked).replace("…", r"[\w-]+")
    for words in re.findall(r'message has "([^"]+)"', code_of(QUERIES[query])):
        assert re.fullmatch(pattern, words) or re.fullmatch(r"dry_run=(true|false)", words), words


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


@pytest.mark.parametrize("query", [name for name, text in QUERIES.items() if "requests" in code_of(text)])
def test_a_query_uses_only_existing_functions_and_statuses(query: str) -> None:
    code = code_of(QUERIES[query])
    functions = {operation.name for operation in api.routes} | {"watchdog", "nightly_analysis"}
    assert set(re.findall(r'\bname == "(\w+)"', code)) <= functions
    assert {HTTPStatus(int(status)) for status in re.findall(r'"(\d{3})"', code)} <= set(HTTPStatus)


def used_by(name: str) -> set[str]:
    return set(re.findall(r"loadTextContent\('\.\./queries/([\w-]+)\.kql'\)", module(name).text))


def text_of_the_scripts() -> str:
    return "".join(path.read_text() for path in (ROOT / "scripts").iterdir())


def test_every_query_is_used_by_an_alert_the_workbook_or_a_script() -> None:
    by_scripts = set(re.findall(r"infra/queries/([\w-]+)\.kql", text_of_the_scripts()))
    assert used_by("alerts") | used_by("workbook") | by_scripts == set(QUERIES)


# What begins a query: a step of it, at the begin of a line or after the name of a table.
STEP = re.compile(r"(?m)(?:^\s*|\w )\| (?:where|summarize|extend|project) \w")
PLACES = [*INFRA.rglob("*.bicep"), *(ROOT / "scripts").iterdir(), *(ROOT / "docs").rglob("*.md")]


@pytest.mark.parametrize("path", PLACES, ids=[path.name for path in PLACES])
def test_no_template_script_or_page_has_a_query_that_the_parser_does_not_see(path: Path) -> None:
    text = re.sub(r"```(?:kusto|kql)\n.*?```", "", path.read_text(), flags=re.DOTALL)
    assert not re.search(r"\bquery: '", text)
    assert STEP.findall(text) == []


def test_a_query_that_is_used_unchanged_has_no_placeholders_and_those_of_others_are_filled() -> None:
    text = module("alerts").text
    gaps = {name: set(re.findall(r"\{(\w+)\}", code_of(query))) for name, query in QUERIES.items()}
    filled_in = {
        name: set(re.findall(r"'\{(\w+)\}'", line))
        for line in text.splitlines()
        for name in re.findall(r"^var \w+ = .*queries/([\w-]+)\.kql", line)
    }
    for gap, name in re.findall(r"s/\{(\w+)\}/.* infra/queries/([\w-]+)\.kql", text_of_the_scripts()):
        filled_in[name] = {gap}
    assert filled_in == {name: found for name, found in gaps.items() if found}
    assert used_by("workbook") & filled_in.keys() == set()
    assert set().union(*gaps.values()) == set(SAMPLES)
