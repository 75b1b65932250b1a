"""The structure of the code base, checked by parsing it."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# The imports that each part may have; all of them point one way.
MAY_IMPORT: dict[str, set[str]] = {
    "correlation": set(),
    "endpoints": set(),
    "fields": set(),
    "problems": set(),
    "records": set(),
    "schedules": set(),
    "settings": {"endpoints", "fields", "schedules"},
    "analysis": {"records"},
    "credentials": {"settings"},
    "delivery": {"credentials", "endpoints", "problems", "records"},
    "lake": {"problems"},
    "market_data": {"analysis", "records", "settings"},
    "stores": {"analysis", "credentials", "delivery", "endpoints", "fields", "lake", "records"},
    "runs": {
        "analysis", "correlation", "delivery", "endpoints", "lake", "market_data", "problems", "records", "schedules",
        "settings", "stores",
    },
    "functions": {
        "analysis", "correlation", "credentials", "delivery", "endpoints", "lake", "market_data", "problems", "records",
        "runs", "schedules", "settings", "stores",
    },
    "function_app": {"functions"},
}  # fmt: skip
NOT_THE_APP = {"tests", "devhost", "benchmarks", "console", "scripts", "build"}
PARTS = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in ROOT.glob("*/*.py")} | {
    path.stem for path in ROOT.glob("*.py")
}
LIBRARIES_OF_ANALYSIS = {"numpy"}


def modules(package: str) -> list[Path]:
    folder = ROOT / package
    return sorted(folder.rglob("*.py")) if folder.is_dir() else sorted(ROOT.glob(f"{package}.py"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_every_part_of_the_app_has_an_entry_in_the_table_of_imports() -> None:
    assert set(MAY_IMPORT) == PARTS - NOT_THE_APP


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_imports_point_one_way(package: str) -> None:
    for module in modules(package):
        ours = {name.split(".")[0] for name in imports(module)} & PARTS
        assert ours - {package} <= MAY_IMPORT[package], module


def test_runs_import_neither_azure_nor_http() -> None:
    for module in modules("runs"):
        roots = {name.split(".")[0] for name in imports(module)}
        assert not roots & {"azure", "durabletask", "grpc", "http", "httpx", "urllib"}, module


def test_analysis_needs_records_numpy_and_the_standard_library_only() -> None:
    from sys import stdlib_module_names

    for module in modules("analysis"):
        roots = {name.split(".")[0] for name in imports(module)}
        assert roots - stdlib_module_names <= LIBRARIES_OF_ANALYSIS | {"analysis", "records"}, module


def test_the_services_of_a_worker_are_fetched_only_where_the_host_calls_and_passed_on() -> None:
    fetching = [
        module for part in MAY_IMPORT for module in modules(part) if re.search(r"\bworker\(\)", module.read_text())
    ]
    assert {str(module.relative_to(ROOT)) for module in fetching} == {
        "function_app.py", "functions/activities.py", "functions/http/endpoint.py", "functions/services.py",
        "functions/timers.py",
    }  # fmt: skip


def test_only_functions_and_the_app_import_azure_functions() -> None:
    for package in sorted(set(MAY_IMPORT) - {"functions", "function_app"}):
        for module in modules(package):
            assert not any(name.startswith(("azure.functions", "azure.durable")) for name in imports(module)), module


def test_no_address_of_the_engines_own_api_is_created_because_it_would_contain_the_key() -> None:
    makers = re.compile(r"create_check_status_response|management_payload|response_links|runtime/webhooks")
    for package in sorted(MAY_IMPORT):
        for module in modules(package):
            assert makers.findall(module.read_text()) == [], module


ORCHESTRATIONS = [ROOT / "functions" / name for name in ("orchestration.py", "delivery.py")]
# The imports allowed in an orchestrator: others could read a clock, a random number, the environment or a store.
ALLOWED_IMPORTS = {
    "collections.abc",
    "datetime",
    "itertools",
    "typing",
    "azure.durable_functions",
    "msgspec",
    "durabletask.task",
    "functions.messages",
    "records",
}
FORBIDDEN_CALLS = {
    "now", "utcnow", "today", "time", "monotonic", "sleep", "random", "uuid4", "uuid1", "token_hex", "getenv", "open",
    "print", "input", "exec", "eval", "__import__", "get_event_loop", "run_until_complete", "set", "frozenset",
}  # fmt: skip


@pytest.mark.parametrize("module", ORCHESTRATIONS, ids=lambda path: path.name)
def test_orchestrators_import_nothing_that_could_make_them_indeterministic(module: Path) -> None:
    assert imports(module) <= ALLOWED_IMPORTS


def indeterminism(source: str) -> list[str]:
    """Return the names in ``source`` that could have another result in a replay."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in FORBIDDEN_CALLS:
                found.append(name)
        elif isinstance(node, ast.Set | ast.SetComp | ast.Await | ast.AsyncFor | ast.AsyncWith | ast.Global):
            found.append(type(node).__name__)
        elif isinstance(node, ast.Attribute) and node.attr in {"environ", "logger"}:
            found.append(node.attr)
    return found


@pytest.mark.parametrize("module", ORCHESTRATIONS, ids=lambda path: path.name)
def test_orchestrators_are_deterministic(module: Path) -> None:
    assert indeterminism(module.read_text()) == []


def test_every_module_with_an_orchestrator_is_checked() -> None:
    decorated = [path for path in modules("functions") if "@blueprint.orchestration_trigger" in path.read_text()]
    assert sorted(decorated) == sorted(ORCHESTRATIONS)


@pytest.mark.parametrize(
    "line",
    ["datetime.now()", "time.time()", "random.random()", "uuid.uuid4()", "os.environ['X']", "open('x')", "{1, 2}"],
)
def test_the_check_of_determinism_finds_violations(line: str) -> None:
    assert indeterminism(line) != []
