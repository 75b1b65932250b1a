"""The app as the host indexes it: exactly these functions, routes and triggers."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from devhost.environment import PUBLISHED_SECRET
from functions.http.console import pages
from functions.http.routes import api
from settings import NIGHTLY_TIMER

ROOT = Path(__file__).parent.parent

INDEX = """
import json, sys, typing, function_app
functions, results, schedules = {}, [], {}
for function in function_app.app.get_functions():
    trigger = function.get_trigger()
    functions[function.get_function_name()] = [trigger.type, getattr(trigger, "route", None)]
    if trigger.type == "httpTrigger":
        results.append(typing.get_type_hints(function.get_user_function())["return"].__name__)
    if trigger.type == "timerTrigger":
        schedules[function.get_function_name()] = trigger.schedule
    if policy := function.get_settings_dict("retry_policy"):
        retried = function.get_function_name(), policy["strategy"]
known = {"pymongo", "redis", "numpy", "croniter", "azure.identity", "azure.keyvault.secrets", "jwt", "cryptography"}
known |= {"fpdf", "fontTools", "PIL", "xlsxwriter", "delivery.exports.reports"}
known |= {"httpx", "tenacity", "requests", "azure.monitor.opentelemetry.exporter"}
known |= {"opentelemetry.sdk.trace", "opentelemetry.sdk.metrics", "opentelemetry.exporter.otlp.proto.http"}
heavy = sorted(known & set(sys.modules))
found = {"functions": functions, "heavy": heavy, "retried": retried, "results": results, "schedules": schedules}
print(json.dumps(found))
"""


def index(**environment: str) -> subprocess.CompletedProcess[str]:
    return run_code(INDEX, **environment)


def run_code(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code of the tree in a new process, which has not imported anything yet."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def indexed() -> dict[str, Any]:
    done = index(MONGODB_URL="mongodb://localhost", AZURE_FUNCTIONS_ENVIRONMENT="Development")
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def test_the_app_has_exactly_these_functions_routes_and_triggers(indexed: dict[str, Any]) -> None:
    base = "api/admin/portfolio"
    assert indexed["functions"] == {
        "start_session": ["httpTrigger", f"{base}/session"],
        "list_people": ["httpTrigger", f"{base}/portfolios"],
        "get_book": ["httpTrigger", f"{base}/book"],
        "list_events": ["httpTrigger", f"{base}/events"],
        "replay_event": ["httpTrigger", f"{base}/events/{{event_id}}/replay"],
        "list_webhooks": ["httpTrigger", f"{base}/webhooks"],
        "test_webhook": ["httpTrigger", f"{base}/webhooks/{{endpoint_id}}/test"],
        "trigger_analysis": ["httpTrigger", f"{base}/trigger-analysis"],
        "get_analysis_status": ["httpTrigger", f"{base}/analysis-status/{{run_id}}"],
        "list_analysis_runs": ["httpTrigger", f"{base}/analysis-runs"],
        "cancel_analysis": ["httpTrigger", f"{base}/analysis-runs/{{run_id}}/cancel"],
        "retry_analysis": ["httpTrigger", f"{base}/analysis-runs/{{run_id}}/retry"],
        "list_portfolios": ["httpTrigger", f"{base}/analysis-runs/{{run_id}}/portfolios"],
        "get_portfolio_report": ["httpTrigger", f"{base}/analysis-runs/{{run_id}}/portfolios/{{user_id}}"],
        "get_portfolio_series": ["httpTrigger", f"{base}/analysis-runs/{{run_id}}/portfolios/{{user_id}}/series"],
        "get_portfolio_returns": ["httpTrigger", f"{base}/analysis-runs/{{run_id}}/portfolios/{{user_id}}/returns"],
        "get_portfolio_income": ["httpTrigger", f"{base}/analysis-runs/{{run_id}}/portfolios/{{user_id}}/income"],
        "get_portfolio_gains": ["httpTrigger", f"{base}/analysis-runs/{{run_id}}/portfolios/{{user_id}}/gains"],
        "get_earlier_report": ["httpTrigger", f"{base}/analysis-runs/{{run_id}}/portfolios/{{user_id}}/earlier"],
        "get_own_report": ["httpTrigger", "api/me/report"],
        **{f"get_own_{form}": ["httpTrigger", f"api/me/report.{form}"] for form in ("csv", "xlsx", "pdf", "html")},
        "get_own_series": ["httpTrigger", "api/me/series"],
        "get_own_returns": ["httpTrigger", "api/me/returns"],
        "get_own_income": ["httpTrigger", "api/me/income"],
        "get_own_gains": ["httpTrigger", "api/me/gains"],
        "get_price_days": ["httpTrigger", f"{base}/price-days"],
        "get_schedule": ["httpTrigger", f"{base}/schedule"],
        "list_audit_entries": ["httpTrigger", f"{base}/audit"],
        "health": ["httpTrigger", "api/health"],
        "openapi": ["httpTrigger", "api/openapi.json"],
        "own_page": ["httpTrigger", "api/me/page"],
        "console_redirect": ["httpTrigger", "api"],
        "console": ["httpTrigger", "api/admin/console"],
        "console_file": ["httpTrigger", "api/admin/console/{name}"],
        "nightly_analysis": ["timerTrigger", None],
        "watchdog": ["timerTrigger", None],
        "portfolio_analysis": ["orchestrationTrigger", None],
        "batch_group": ["orchestrationTrigger", None],
        "event_delivery": ["orchestrationTrigger", None],
        "plan_delivery": ["activityTrigger", None],
        "deliver_events": ["activityTrigger", None],
        "plan_run": ["activityTrigger", None],
        "read_page": ["activityTrigger", None],
        "collect_symbols": ["activityTrigger", None],
        "load_prices": ["activityTrigger", None],
        "research_symbols": ["activityTrigger", None],
        "analyze_page": ["activityTrigger", None],
        "finish_run": ["activityTrigger", None],
        # The Durable SDK adds these two to every app.
        "BuiltIn__HttpActivity": ["activityTrigger", None],
        "BuiltIn__HttpPollOrchestrator": ["orchestrationTrigger", None],
    }


def test_each_http_function_is_in_the_table_of_operations_under_its_route(indexed: dict[str, Any]) -> None:
    served = {name: route for name, (kind, route) in indexed["functions"].items() if kind == "httpTrigger"}
    # The first operation of a path gives its name to the function of all.
    first = {operation.path: operation.name for operation in reversed((*api.routes, *pages.routes))}
    assert served == {name: path for path, name in first.items()}


def test_http_functions_declare_a_return_type_that_the_hosts_worker_accepts(indexed: dict[str, Any]) -> None:
    assert indexed["results"] == ["HttpResponse"] * len({route.path for route in (*api.routes, *pages.routes)})


def test_the_nightly_run_is_retried_if_its_start_fails(indexed: dict[str, Any]) -> None:
    assert indexed["retried"] == ["nightly_analysis", "fixed_delay"]


def test_the_timer_of_the_schedule_is_the_one_whose_switch_is_read(indexed: dict[str, Any]) -> None:
    assert [name for name, text in indexed["schedules"].items() if "ANALYSIS_SCHEDULE" in text] == [NIGHTLY_TIMER]


def test_indexing_imports_nothing_heavy_even_with_telemetry_enabled(indexed: dict[str, Any]) -> None:
    assert indexed["heavy"] == []
    listened = index(
        MONGODB_URL="mongodb://localhost",
        AZURE_FUNCTIONS_ENVIRONMENT="Development",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1",
        APPLICATIONINSIGHTS_CONNECTION_STRING="InstrumentationKey=00000000-0000-0000-0000-000000000000",
    )
    assert json.loads(listened.stdout) == indexed


def test_a_missing_setting_stops_the_start_and_is_named() -> None:
    done = index(AZURE_FUNCTIONS_ENVIRONMENT="Development")
    assert done.returncode != 0
    assert done.stderr.strip().splitlines()[-1].startswith("settings.SettingsError: MONGODB_URL is missing")


def test_the_deployed_local_settings_hold_no_real_secret() -> None:
    values = json.loads((ROOT / "local.settings.json").read_text())["Values"]
    assert values["ADMIN_SECRET"] == PUBLISHED_SECRET, "which make start replaces for other data than the sample's"
    assert "/local.settings.json" in (ROOT / ".funcignore").read_text().splitlines()


def test_the_route_prefix_is_empty_since_routes_carry_their_own() -> None:
    assert json.loads((ROOT / "host.json").read_text())["extensions"]["http"]["routePrefix"] == ""


def test_workers_threads_and_concurrent_activities_fit_together() -> None:
    settings = json.loads((ROOT / "local.settings.json").read_text())["Values"]
    durable = json.loads((ROOT / "host.json").read_text())["extensions"]["durableTask"]
    threads = int(settings["FUNCTIONS_WORKER_PROCESS_COUNT"]) * int(settings["PYTHON_THREADPOOL_THREAD_COUNT"])
    busy = durable["maxConcurrentActivityFunctions"] + durable["maxConcurrentOrchestratorFunctions"]
    assert busy < threads, "no thread would be left for HTTP and timers"


def test_orchestrations_have_a_version_and_those_of_newer_versions_are_rejected() -> None:
    durable = json.loads((ROOT / "host.json").read_text())["extensions"]["durableTask"]
    assert durable["defaultVersion"] == "1.2"
    assert (durable["versionMatchStrategy"], durable["versionFailureStrategy"]) == ("CurrentOrOlder", "Reject")
