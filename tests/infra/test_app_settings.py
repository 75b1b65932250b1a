"""Every setting that the code reads is set in Azure, within its limits, and no setting is unused."""

import ast
import json
import platform
import re
import subprocess
import sys

import pytest

from devhost.preflight_platform import BODY_LIMIT_SETTING, HOMEPAGE_SETTING, LARGEST_BODY_LIMIT
from endpoints import EVENT_TYPES
from functions.http.requests import MAX_BODY_BYTES
from settings import CURRENCIES, PROVIDERS, Settings, SettingsError
from tests.infra.bicep import INFRA, MAIN, ROOT, decorator, literal_keys, module, resource, template

# Settings that the code reads and no template sets, with their origin.
OF_INSTANCES = (
    "WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID", "WEBSITE_POD_NAME", "CONTAINER_NAME", "LEGION_SERVICE_HOST",
)  # fmt: skip
FROM_ELSEWHERE = {
    "ADMIN_SECRET": "the vault's admin-secret",
    "JWT_SECRET": "the vault's jwt-secret",
    "AZURE_FUNCTIONS_ENVIRONMENT": "the host",
    "WEBSITE_AUTH_ENABLED": "the platform, if its sign-in is enabled",
    **dict.fromkeys(OF_INSTANCES, "the platform"),
    "WEBHOOKS_ALLOW_PRIVATE": "a local host, and refused elsewhere",
    "LAKE_DIR": "a folder, where there is no storage account",
    "PRICES_DIR": "a folder, and none is mounted in Azure",
    "RATES_DIR": "a folder, and none is mounted in Azure",
    "ALPACA_URL": "the provider's own address, except in tests",
    "ALPHAVANTAGE_URL": "the provider's own address, except in tests",
}
# Settings of templates that our code does not read, with their readers.
READ_BY_OTHERS = {
    "AzureWebJobsStorage__credential": "the host",
    "AzureWebJobsStorage__clientId": "the host",
    "AzureWebJobsStorage__blobServiceUri": "the host",
    "AzureWebJobsStorage__queueServiceUri": "the host",
    "AzureWebJobsStorage__tableServiceUri": "the host",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "the host",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "the host",
    "AzureWebJobs.nightly_analysis.Disabled": "the host, and our code by the function's name",
    "ALERTS_ENABLED": "preflight",
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "the host",
    "AzureWebJobsDisableHomepage": "the host",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "the host, and the exporters of functions/telemetry/exporters.py",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "the host",
    "PYTHON_THREADPOOL_THREAD_COUNT": "the worker",
    "OPENBLAS_NUM_THREADS": "numpy's linear algebra",
    "NPY_DISABLE_CPU_FEATURES": "numpy",
    "PYTHON_ENABLE_OPENTELEMETRY": "the worker",
    "AZURE_CLIENT_ID": "azure-identity",
    "AZURE_TOKEN_CREDENTIALS": "azure-identity",
}
_OF_NUMPY = ("OPENBLAS_NUM_THREADS", "NPY_DISABLE_CPU_FEATURES")
# Flex Consumption has its own properties for these, or sets them itself, or refuses them.
NOT_ON_FLEX_CONSUMPTION = {
    "FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_WORKER_RUNTIME_VERSION", "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_PROCESS_COUNT", "FUNCTIONS_MAX_HTTP_CONCURRENCY", "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "ENABLE_ORYX_BUILD", "WEBSITE_RUN_FROM_PACKAGE", "WEBSITE_CONTENTSHARE", "WEBSITE_TIME_ZONE", "TZ",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING", "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
}  # fmt: skip
LIMITS = {
    "MARKET_DATA_CONCURRENCY": "marketDataConcurrency",
    "ANALYSIS_PAGE_SIZE": "pageSize",
    "ANALYSIS_LOOKBACK_DAYS": "lookbackDays",
    "WATCHLIST_UNKNOWN_LIMIT": "watchlistUnknownLimit",
    "ANALYSIS_STALL_SECONDS": "stallSeconds",
    "ANALYSIS_RETENTION_DAYS": "retentionDays",
    "AUDIT_RETENTION_DAYS": "auditRetentionDays",
    "REPORTS_KEPT_NIGHTS": "reportsKeptNights",
    "TRUSTED_PROXIES": "trustedProxies",
}
IN_AZURE = {
    "KEY_VAULT_URL": "https://vault.example",
    "MARKET_DATA_PROVIDER": "alpaca",
    "ANALYSIS_SCHEDULE": "0 0 1 * * *",
    "LAKE_URL": "https://account.blob.core.windows.net/reports",
}


def set_in_azure() -> set[str]:
    return literal_keys(template(MAIN).variable("analysisSettings")) | literal_keys(
        module("app").variable("platformSettings")
    )


def read_by_the_code() -> set[str]:
    constants = {
        node.value
        for node in ast.walk(ast.parse((ROOT / "settings.py").read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    # Constants of one word are currencies and symbols, except these.
    return {text for text in constants if re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|WEBHOOKS|DIGEST|FIELDS", text)}


def test_every_setting_that_the_code_reads_is_set() -> None:
    assert read_by_the_code() - set_in_azure() == FROM_ELSEWHERE.keys()


def test_no_setting_is_unused() -> None:
    assert set_in_azure() - read_by_the_code() == READ_BY_OTHERS.keys()


def test_every_setting_is_documented() -> None:
    documented = (ROOT / "docs" / "settings.md").read_text()
    of_the_platform = {"AZURE_FUNCTIONS_ENVIRONMENT", "WEBSITE_AUTH_ENABLED", *OF_INSTANCES}
    assert [name for name in read_by_the_code() - of_the_platform if f"`{name}`" not in documented] == []


def test_no_setting_is_set_that_the_plan_does_not_support() -> None:
    assert set_in_azure() & NOT_ON_FLEX_CONSUMPTION == set()


def test_the_providers_that_the_code_knows_may_be_chosen() -> None:
    allowed = decorator(template(MAIN).parameters()["marketDataProvider"], "allowed")
    assert set(PROVIDERS) <= set(allowed)


def test_the_currencies_and_the_types_of_events_that_the_code_knows_are_accepted() -> None:
    checks = (INFRA / "checks.bicep").read_text()
    listed = checks.split("var currencies = split(join([")[1].split("], ' '), ' ')")[0]
    assert set(re.findall(r"[A-Z]{3}", listed)) == CURRENCIES
    assert template(MAIN).variable("eventTypes") == list(EVENT_TYPES)


@pytest.mark.parametrize(("setting", "parameter"), LIMITS.items())
def test_a_parameter_allows_what_the_code_allows_and_has_its_default(setting: str, parameter: str) -> None:
    asked = template(MAIN).parameters()[parameter]
    for value in (decorator(asked, "min_value"), decorator(asked, "max_value")):
        Settings.from_environment(IN_AZURE | {setting: str(value)})
    with pytest.raises(SettingsError):
        Settings.from_environment(IN_AZURE | {setting: str(decorator(asked, "max_value") + 1)})
    if setting != "TRUSTED_PROXIES":  # a laptop has no proxy in front, an app has the platform's front end
        assert Settings.from_environment(IN_AZURE | {setting: str(asked["default"])}) == Settings.from_environment(
            IN_AZURE
        )


@pytest.mark.parametrize(
    ("setting", "parameter"), [("RISK_FREE_RATE", "riskFreeRate"), ("ANALYSIS_MIN_SUCCESS_RATE", "minSuccessRate")]
)
def test_a_number_given_as_text_has_the_codes_default(setting: str, parameter: str) -> None:
    default = template(MAIN).parameters()[parameter]["default"]
    assert Settings.from_environment(IN_AZURE | {setting: default}) == Settings.from_environment(IN_AZURE)


def test_an_empty_setting_counts_as_not_set() -> None:
    empty = dict.fromkeys(read_by_the_code() - IN_AZURE.keys() - {"AZURE_FUNCTIONS_ENVIRONMENT"}, "")
    assert Settings.from_environment(IN_AZURE | empty) == Settings.from_environment(IN_AZURE)


def test_a_stalled_run_is_stopped_later_than_a_step_may_take() -> None:
    hours, minutes, seconds = map(int, json.loads((ROOT / "host.json").read_text())["functionTimeout"].split(":"))
    shortest = decorator(template(MAIN).parameters()["stallSeconds"], "min_value")
    assert shortest > hours * 3600 + minutes * 60 + seconds


def test_the_host_refuses_large_bodies_long_before_they_fill_the_memory() -> None:
    limit = template(MAIN).parameters()["requestBodyLimitBytes"]
    assert (decorator(limit, "min_value"), decorator(limit, "max_value")) == (MAX_BODY_BYTES, LARGEST_BODY_LIMIT)
    assert f"{BODY_LIMIT_SETTING}: string(requestBodyLimitBytes)" in module("app").text


def test_a_laptop_has_the_same_host_settings_as_azure() -> None:
    local = json.loads((ROOT / "local.settings.json").read_text())["Values"]
    assert local[BODY_LIMIT_SETTING] == str(template(MAIN).parameters()["requestBodyLimitBytes"]["default"])
    azure = module("app").variable("platformSettings")
    for name in (HOMEPAGE_SETTING, *_OF_NUMPY):
        assert local[name] == azure[name]


_ASK_NUMPY = """
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
print(*(name in __cpu_dispatch__ and not __cpu_features__[name] for name in {names!r}))
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only there is AVX-512")
def test_numpy_knows_the_code_that_it_is_to_leave_aside() -> None:
    settings = {name: module("app").variable("platformSettings")[name] for name in _OF_NUMPY}
    names = settings["NPY_DISABLE_CPU_FEATURES"].split()
    done = subprocess.run(
        [sys.executable, "-c", _ASK_NUMPY.format(names=names)], env=settings, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True"]


def test_the_host_uses_the_same_collector_protocol_as_the_workers() -> None:
    assert module("app").variable("platformSettings")["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert (
        '_OTLP = "opentelemetry.exporter.otlp.proto.http"'
        in (ROOT / "functions" / "telemetry" / "exporters.py").read_text()
    )


def test_one_process_has_threads_for_more_than_activities_and_orchestrations() -> None:
    assert "PYTHON_THREADPOOL_THREAD_COUNT: string(threads)" in module("app").text
    threads = module("app").variable("threads")
    durable = json.loads((ROOT / "host.json").read_text())["extensions"]["durableTask"]
    busy = durable["maxConcurrentActivityFunctions"] + durable["maxConcurrentOrchestratorFunctions"]
    assert busy < threads, "no thread would be left for HTTP and timers"


def test_an_instance_takes_as_many_requests_at_once_as_it_has_threads() -> None:
    scale = resource("Microsoft.Web/sites").members["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    assert scale["triggers"]["http"]["perInstanceConcurrency"] == "threads"
