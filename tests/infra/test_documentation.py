"""The runbook covers every event, and the commands on the pages are run where possible."""

import importlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from benchmarks import costs, scale_page
from credentials.secrets import SecretMissing, SecretName, SecretsUnavailable
from devhost.preflight_platform import POLLING_SETTING
from functions.http.routes import BASE, api
from functions.messages import MessageTooLarge
from market_data.provider import KeyRefused, ProviderUnavailable
from problems import Problem
from records import RunStatus
from stores.mongo import WriteRefused
from tests.end_to_end.app import SECRET, App
from tests.infra.bicep import INFRA, MAIN, ROOT, module, template
from tests.test_versions import BUNDLE, EXTENSION

DOCS = {name: (ROOT / "docs" / f"{name}.md").read_text() for name in ("deployment", "migration", "operations")}
BLOCKS = [
    pytest.param(block, id=f"{name}-{number}")
    for name, text in DOCS.items()
    for number, block in enumerate(re.findall(r"```bash\n(.*?)```", text, re.DOTALL))
]
# What a command of the pages writes.
WRITTEN = {path for text in DOCS.values() for path in re.findall(r"> (infra/[\w./-]+)$", text, re.MULTILINE)}
# Names of other systems that look like our parameters.
NOT_OURS = {
    "extensionBundle", "functionTimeout", "defaultVersion", "versionFailureStrategy", "concurrencyPolicy",
    "controlQueueVisibilityTimeout", "workItemQueueVisibilityTimeout", "readWrite",
}  # fmt: skip


def section(name: str, title: str) -> str:
    return DOCS[name].split(f"\n## {title}\n")[1].split("\n## ")[0]


def first_cells(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def test_exactly_the_existing_alerts_are_in_the_runbook() -> None:
    on_metrics = [module("metric-alerts").variable(name) for name in ("ofMongodb", "ofRedis", "ofStorage")]
    rules = [rule["name"] for rules in (module("alerts").variable("rules"), *on_metrics) for rule in rules]
    assert sorted(first_cells(section("operations", "Alerts"))) == sorted([*rules, "unavailable", "budget"])


def test_exactly_the_existing_problems_are_in_the_runbook() -> None:
    importlib.import_module("functions.http.openapi")  # with it, every problem is loaded
    importlib.import_module("functions.http.routes")
    kinds = [Problem]
    for kind in kinds:
        kinds += kind.__subclasses__()
    slugs = {kind.slug for kind in kinds if hasattr(kind, "slug")}
    documented = first_cells(section("operations", "API errors"))
    assert documented == ["type", *sorted(slugs)]


def test_every_route_of_the_api_is_in_the_readme_and_no_other() -> None:
    rows = re.findall(r"^\| `(GET|POST|DELETE) ([^`?]+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    documented = {(method, path if path.startswith("/api") else f"/{BASE}{path}") for method, path in rows}
    assert documented == {(route.method, f"/{route.path}") for route in api.routes}


def test_every_state_of_a_run_is_in_the_runbook() -> None:
    documented = first_cells(section("operations", "Run states"))
    assert set(get_args(RunStatus.__value__)) <= set(documented)


def test_every_reason_for_which_a_run_fails_is_in_the_runbook() -> None:
    code = "".join(file.read_text() for part in ("functions", "runs") for file in (ROOT / part).rglob("*.py"))
    named = set(re.findall(r'\bFailure\(\s*"(\w+)"', code))
    assert {"run_lost", "too_few_prices"} <= named
    # Errors raised by a step are named by their class.
    raised = (KeyRefused, MessageTooLarge, ProviderUnavailable, SecretMissing, SecretsUnavailable, WriteRefused)
    rows = re.findall(r"^\| (`.*?) \|", section("operations", "Run states"), re.MULTILINE)
    documented = set(re.findall(r"`(\w+)`", "".join(rows)))
    assert named | {error.__name__ for error in raised} <= documented


@pytest.mark.parametrize("block", BLOCKS)
def test_a_command_is_well_formed_and_uses_existing_names(block: str) -> None:
    subprocess.run(["bash", "-n", "-c", block], check=True)  # noqa: S607
    made = (ROOT / "Makefile").read_text()
    for verb in re.findall(r"^\s*(?:\w+=\w+ )?make (\w+)$", block, re.MULTILINE):
        assert re.search(rf"^{verb}:", made, re.MULTILINE), verb
    for path in re.findall(r"\b(?:scripts|infra)/[\w./-]+", block):
        assert path in WRITTEN or (ROOT / path).exists(), path
    filled = (INFRA / "main.parameters.json").read_text()
    for name in re.findall(r"azd env set (\w+)", block):
        assert f"${{{name}" in filled, name
    for name in re.findall(r"secret set .*--name ([\w-]+)", block):
        assert name in get_args(SecretName.__value__), name


def test_a_file_that_a_command_reads_was_written_before_and_secrets_are_not_left_behind() -> None:
    for name, text in DOCS.items():
        there = {"mongodb-url.txt"}  # the backend's own URL, which only the reader has
        for line in "".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)).splitlines():
            files = set(re.findall(r"[\w-]+\.txt", line))
            if line.strip().startswith("rm "):
                there -= files
            elif re.search(r"> [\w-]+\.txt|secret download", line):
                there |= files
            else:
                assert files <= there, (name, line)
        assert there <= {"mongodb-url.txt"}, name


def test_what_the_commands_write_into_a_checkout_is_neither_committed_nor_deployed() -> None:
    commands = "".join(block for text in DOCS.values() for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL))
    written = set(re.findall(r"(?:>|--file|tee) ([\w-]+(?:\.\w+)+)", commands)) - set(re.findall(r"mv (\S+)", commands))
    assert {"settings.json", "admin-secret.txt", "restore.json"} <= written
    for ignored in (".gitignore", ".funcignore"):
        assert {f"/{name}" for name in written} <= set((ROOT / ignored).read_text().splitlines()), ignored


@pytest.mark.parametrize("name", DOCS)
def test_a_page_names_only_existing_parameters(name: str) -> None:
    documented = set(re.findall(r"`([a-z]+(?:[A-Z][a-z]+)+)`", DOCS[name]))
    assert documented - NOT_OURS <= template(MAIN).parameters().keys()


@pytest.mark.parametrize("name", DOCS)
def test_a_page_links_only_to_existing_pages_and_files(name: str) -> None:
    for link in re.findall(r"\]\(([\w/-]+\.md)\)", DOCS[name]):
        assert (ROOT / "docs" / link).is_file(), link
    for path in re.findall(r"`((?:docs|infra|functions|tests|scripts)/[\w./-]+)`", DOCS[name]):
        assert path in WRITTEN or (ROOT / path).exists(), path


def test_the_calls_on_the_pages_succeed(app: App, tmp_path: Path) -> None:
    run_id = app.run()["run_id"]
    environment = os.environ | {
        "APP_URL": str(app.client.base_url).rstrip("/"),
        "ADMIN_SECRET": SECRET,
        "RUN_ID": run_id,
        "no_proxy": "*",
    }
    calls = [
        block for (block,) in (parameter.values for parameter in BLOCKS) if re.search(r'curl .*"\$APP_URL', str(block))
    ]
    assert len(calls) >= 5
    for call in calls:
        command = ["bash", "-eu", "-c", str(call)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), call
        if started := re.search(r'"run_id":"(run_\w+)"', done.stdout) if "trigger-analysis" in str(call) else None:
            app.wait(started[1])


def test_the_parameters_that_deployments_set_are_documented() -> None:
    filled = json.loads((INFRA / "main.parameters.json").read_text())["parameters"]
    all_pages = "".join(DOCS.values())
    assert [name for name in filled if name not in all_pages and name not in {"environmentName", "location"}] == []


def documented_values_of_host_json() -> list[tuple[str, str, object]]:
    """Return the documented values of host.json and the host's settings: page, pattern and actual value."""
    host_json = json.loads((ROOT / "host.json").read_text())
    durable = host_json["extensions"]["durableTask"]
    storage, tracing = durable["storageProvider"], durable["tracing"]
    local = json.loads((ROOT / "local.settings.json").read_text())["Values"]
    in_azure = module("app").variable("platformSettings")
    hours, minutes, seconds = map(int, host_json["functionTimeout"].split(":"))
    assert (hours, seconds) == (0, 0)
    limit = template(MAIN).parameters()["requestBodyLimitBytes"]["default"]
    return [
        (
            "settings",
            r"`maxConcurrentActivityFunctions` in host.json \| (\d+)",
            durable["maxConcurrentActivityFunctions"],
        ),
        (
            "settings",
            r"`maxConcurrentOrchestratorFunctions` in host.json \| (\d+)",
            durable["maxConcurrentOrchestratorFunctions"],
        ),
        ("settings", r"`functionTimeout`, (\d+) minutes", minutes),
        ("settings", r"`FUNCTIONS_REQUEST_BODY_SIZE_LIMIT` \| `(\d+)`", limit),
        ("settings", r"`AzureWebJobsDisableHomepage` \| `(\w+)`", in_azure["AzureWebJobsDisableHomepage"]),
        ("settings", rf"`{POLLING_SETTING}` \| `([\d:]+)`", local[POLLING_SETTING]),
        ("deployment", rf"`{POLLING_SETTING}` \| `([\d:]+)`", local[POLLING_SETTING]),
        ("deployment", r"`version` must be `(\w+)`", tracing["version"]),
        ("deployment", r"(?m)^bundle=(\S+)$", BUNDLE["id"]),
        ("deployment", r"(?m)^version=([\d.]+) ", BUNDLE["version"].strip("[)").split(", ")[0]),
        ("deployment", r"the (\S+) of the tests", EXTENSION),
        ("deployment", r"with (\S+) or newer", EXTENSION),
        ("operations", r"`functionTimeout` \((\d+) minutes\)", minutes),
        ("operations", r"`controlQueueVisibilityTimeout` `([\d:]+)`", storage["controlQueueVisibilityTimeout"]),
        ("operations", r"`workItemQueueVisibilityTimeout` `([\d:]+)`", storage["workItemQueueVisibilityTimeout"]),
        ("operations", r"concurrent pages: (\d+) per instance", durable["maxConcurrentActivityFunctions"]),
        ("security", r"`FUNCTIONS_REQUEST_BODY_SIZE_LIMIT` = `(\d+)`", limit),
        ("security", r"`AzureWebJobsDisableHomepage` = `(\w+)`", in_azure["AzureWebJobsDisableHomepage"]),
        ("telemetry", r"`version`\s+`(V\d)`", tracing["version"]),
        ("telemetry", r"`OTEL_EXPORTER_OTLP_PROTOCOL` \| `([\w/]+)`", in_azure["OTEL_EXPORTER_OTLP_PROTOCOL"]),
    ]


@pytest.mark.parametrize(("page", "pattern", "actual"), documented_values_of_host_json())
def test_the_documented_configuration_of_the_host_is_the_actual_one(page: str, pattern: str, actual: object) -> None:
    assert set(re.findall(pattern, (ROOT / "docs" / f"{page}.md").read_text())) == {str(actual)}


def test_the_documented_log_levels_are_those_of_host_json() -> None:
    levels = json.loads((ROOT / "host.json").read_text())["logging"]["logLevel"]
    lines = (ROOT / "docs" / "telemetry.md").read_text().split("\n## Log lines\n")[1].split("\n## ")[0]
    documented = set(re.findall(r"`(DurableTask\.\w+)`", lines))
    assert documented == {name for name in levels if name.startswith("DurableTask.")}


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.stem)
def test_a_page_has_no_gap_that_a_figure_was_to_fill(page: Path) -> None:
    outside_of_code = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    assert re.findall(r"\{\w*\}", outside_of_code) == []


def test_the_tables_of_the_scale_are_made_from_the_stored_results() -> None:
    text = scale_page.PAGE.read_text()
    assert scale_page.with_tables(text, json.loads(scale_page.RESULTS.read_text())) == text


def test_the_documented_prices_are_those_behind_the_costs() -> None:
    documented = " ".join(section("operations", "Costs").split())
    hot, cool, cold = sorted(set(costs.BLOB_GB_MONTHS), reverse=True)
    write, to_cool, to_cold = (1e4 * price for price in costs.BLOB_WRITES)
    known = {
        f"{costs.GB_SECOND:f} per GB-second",
        f"{1e6 * costs.EXECUTION:.2f} per million executions",
        f"{costs.CLUSTER_MONTH / 2:.0f} per core and month",
        f"{costs.DISK_GB_MONTH:.2f} per GB of disk",
        f"Redis B0 {costs.REDIS_MONTH:.0f}",
        f"logs {costs.LOGS_GB:.2f} per GB",
        f"queues and tables {1e4 * costs.QUEUE_OR_TABLE_OPERATION:.3f}",
        f"writes of blobs {write:.3f}, into the cool tier {to_cool:.2f} and into the cold one {to_cold:.2f}",
        f"{hot:.3f} hot, {cool:.2f} cool, {cold:.4f} cold",
    }
    assert {price for price in known if price not in documented} == set()
