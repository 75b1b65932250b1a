"""The alerts: what the service accepts of them, who is told, and what the compiler makes of the parameters."""

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from schedules import Schedule
from tests.infra.bicep import INFRA, MAIN, ROOT, decorator, module, resource, template
from tests.infra.queries import QUERIES, filled, parse

# What the services accept, in minutes, by the validation of the azurerm provider for Terraform.
HOURS = {f"PT{hours}H": 60 * hours for hours in (1, 2, 3, 4, 5, 6)}
LOG_FREQUENCIES = {f"PT{minutes}M": minutes for minutes in (1, 5, 10, 15, 30, 45)} | HOURS | {"P1D": 1440}
LOG_WINDOWS = LOG_FREQUENCIES | {"P2D": 2880}
METRIC_FREQUENCIES = {f"PT{minutes}M": minutes for minutes in (1, 5, 15, 30)} | {"PT1H": 60}
METRIC_WINDOWS = METRIC_FREQUENCIES | {"PT6H": 360, "PT12H": 720, "P1D": 1440}

RULES = {rule["name"]: rule for rule in module("alerts").variable("rules")}
METRIC_RULES = {
    rule["name"]: rule
    for name in ("ofMongodb", "ofRedis", "ofStorage")
    for rule in module("metric-alerts").variable(name)
}
SCHEDULED, METRIC = "Microsoft.Insights/scheduledQueryRules", "Microsoft.Insights/metricAlerts"


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_log_alert_sees_late_rows_and_has_times_that_the_service_accepts(
    rule: dict[str, Any],
) -> None:
    window, frequency = LOG_WINDOWS[rule["window"]], LOG_FREQUENCIES[rule["frequency"]]
    assert window >= 2 * frequency
    assert window >= 30, "rows arrive up to some minutes late"


@pytest.mark.parametrize("rule", METRIC_RULES.values(), ids=list(METRIC_RULES))
def test_a_metric_alert_has_a_window_and_a_frequency_that_the_service_accepts(rule: dict[str, Any]) -> None:
    (frequency,) = re.findall(r"evaluationFrequency: '(\w+)'", module("metric-alerts").text)
    assert METRIC_WINDOWS[rule["window"]] >= METRIC_FREQUENCIES[frequency]


def test_the_health_is_asked_at_least_once_in_the_window_of_its_alert() -> None:
    test, alert = resource("Microsoft.Insights/webtests").members, module("availability").resources()[1].members
    assert test["properties"]["Frequency"] in {300, 600, 900}
    assert METRIC_WINDOWS[alert["properties"]["windowSize"]] * 60 >= test["properties"]["Frequency"]
    assert alert["properties"]["evaluationFrequency"] in METRIC_FREQUENCIES
    assert test["properties"]["Request"]["RequestUrl"] == "${url}/api/health"


def test_the_dimensions_of_an_alert_are_texts_in_the_result_of_its_query() -> None:
    results = parse({name: filled(QUERIES[name]) for name in RULES})
    named = {
        name: {column: results[name].columns.get(column) for column in RULES[name]["dimensions"]} for name in RULES
    }
    assert {name: set(columns.values()) for name, columns in named.items() if columns} == {
        name: {"string"}
        for name in ("run-failed", "failed-users", "watchdog-fired", "server-errors", "trigger-refused")
    }
    assert set(named["run-failed"]) == {"run_id", "error_type"}


def test_an_alert_about_runs_names_the_run() -> None:
    with_runs = {
        name for name in RULES if re.search(r"(?m)^\| (?:extend|project|summarize)[^\n]*\brun_id\b", QUERIES[name])
    }
    assert with_runs == {"run-failed", "failed-users", "watchdog-fired"}
    assert all("run_id" in RULES[name]["dimensions"] for name in with_runs)


def test_the_runbook_lists_the_alerts_that_ring_phones() -> None:
    text = " ".join((ROOT / "docs" / "operations.md").read_text().split())
    (listed,) = re.findall(r"goes to `alertTextMessages` and `alertCalls`: (.*?)\. ", text)
    urgent = {name for name, rule in RULES.items() if rule["severity"] <= 1}
    assert set(re.findall(r"`([\w-]+)`", listed)) == urgent | {"unavailable"}


def test_only_alerts_of_the_workspace_ask_its_own_tables() -> None:
    of_workspace = {name for name in RULES if re.search(r"(?m)^_LogOperation$", QUERIES[name])}
    assert {name for name, rule in RULES.items() if rule["scope"] == "workspaceId"} == of_workspace
    assert {rule["scope"] for rule in RULES.values()} == {"componentId", "workspaceId"}


def test_every_alert_has_recipients_and_resolves_by_itself() -> None:
    for type_ in (SCHEDULED, METRIC):
        found = [
            candidate for name in ("alerts", "metric-alerts", "availability") for candidate in module(name).resources()
        ]
        rules = [candidate.members["properties"] for candidate in found if candidate.type == type_]
        assert rules
        assert all(rule["actions"] and rule["autoMitigate"] is True for rule in rules)
    for notification in resource("Microsoft.Consumption/budgets").members["properties"]["notifications"].values():
        assert notification["contactGroups"] == ["actionGroupId"]


@pytest.mark.parametrize("name", ["no-run-completed", "failed-users"])
def test_only_a_run_of_all_users_not_dry_as_of_the_newest_date_counts_as_a_night(name: str) -> None:
    assert 'message has "users=all, dry_run=false, as_of=newest"' in QUERIES[name]


def test_a_night_is_watched_until_a_run_completes_and_for_as_long_as_the_rule_can_see() -> None:
    query, window = QUERIES["no-run-completed"], LOG_WINDOWS[RULES["no-run-completed"]["window"]]
    assert "timestamp >= night" in query, "a run before the night does not count"
    (days,) = re.findall(r"night > ago\((\d)d\)", query)
    assert int(days) * 24 * 60 == window, "the rule would take runs for missing that it cannot see"
    for asked in (template(MAIN).parameters(), module("alerts").parameters()):
        latest = decorator(asked["deadlineMinutes"], "max_value")
        assert 24 * 60 + latest < window, "the night before the last must be seen until the deadline of the last"


def test_the_names_of_hosts_errors_are_read_with_their_dots() -> None:
    (pattern,) = re.findall(r'extract\(@"error_type=\((.*?)\)"', QUERIES["run-failed"])
    name = "Microsoft.Azure.WebJobs.Host.FunctionTimeoutException"
    line = f"Portfolio analysis failed (run_id=run_1, users=all, dry_run=false, as_of=newest, error_type={name})"
    found = re.search(f"error_type=({pattern})", line)
    assert found is not None
    assert found[1] == name


def test_refused_strangers_wake_nobody() -> None:
    statuses = set(re.findall(r'"(\d{3})"', QUERIES["trigger-refused"]))
    assert statuses == {"403", "409"}, "these have valid credentials"


def test_a_cronjob_that_waits_for_the_end_of_a_smaller_run_wakes_nobody() -> None:
    manifest = (INFRA / "kubernetes" / "cronjob.yaml").read_text()
    (pause,) = re.findall(r'name: WAIT_SECONDS\s+value: "(\d+)"', manifest)
    (enough,) = re.findall(r"refused >= (\d+)", QUERIES["trigger-refused"])
    window = 60 * LOG_WINDOWS[RULES["trigger-refused"]["window"]]
    assert window // int(pause) + 1 < int(enough)


def test_silent_timers_and_lost_telemetry_are_told_apart() -> None:
    assert "where arrived > 0 and fired == 0" in QUERIES["timers-silent"]
    assert "where arrived == 0" in QUERIES["telemetry-lost"]
    tables = {name: re.findall(r"(?m)^union (.*)$", QUERIES[name])[0] for name in ("timers-silent", "telemetry-lost")}
    assert set(tables["timers-silent"].split(", ")) <= set(tables["telemetry-lost"].split(", "))


# What the compiler makes of it. Each call takes a second or more, so many cases are modules of one template.

BICEP = os.environ.get("BICEP") or shutil.which("bicep")
needs_compiler = pytest.mark.skipif(not BICEP, reason="no bicep on PATH or in BICEP")
NOBODY = "00000000-0000-0000-0000-000000000000"
GIVEN: dict[str, Any] = {
    "environmentName": "test",
    "location": "westeurope",
    "alertEmails": ["ops@bank.test"],
    "budgetStartDate": "2026-11-01",
    "marketDataProvider": "alpaca",
    "alertsEnabled": True,
}
WITH_CLUSTER = {"mongodb": "cluster", "mongodbTier": "M40", "mongodbCommandLogs": True}
OF_THE_MODULE: dict[str, Any] = {
    "location": "westeurope",
    "tags": {},
    "componentId": "/component",
    "workspaceId": "/workspace",
    "emails": ["ops@bank.test"],
    "webhooks": [],
    "textMessages": [],
    "calls": [],
    "schedule": "0 0 1 * * *",
    "deadlineMinutes": 30,
    "failedUsersPercent": 5,
    "failedUsersMinimum": 20,
    "enabled": True,
}


def literal(value: object) -> str:
    """Return a value as Bicep writes it."""
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    return f"'{value}'" if isinstance(value, str) else json.dumps(value)


def snapshot(template_text: str, parameters: dict[str, Any], *scope: str) -> tuple[list[Any], str]:
    """Return the resources that a template beside infra/main.bicep deploys, none with the reason if it is refused."""
    with TemporaryDirectory() as folder:
        # A copy: other tests list the templates meanwhile.
        infra = Path(shutil.copytree(INFRA, Path(folder) / "infra"))
        (infra / "test.bicep").write_text(template_text)
        path = infra / "test.bicepparam"
        lines = [f"param {name} = {literal(value)}" for name, value in parameters.items()]
        path.write_text("\n".join(["using 'test.bicep'", *lines]))
        ids = ("--subscription-id", NOBODY, "--tenant-id", NOBODY, "--location", "westeurope", *scope)
        command = [str(BICEP), "snapshot", str(path), "--mode", "Overwrite", *ids]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return [], done.stderr
        found = json.loads(path.with_suffix(".snapshot.json").read_text())
        assert found["diagnostics"] == []
        resources: list[Any] = found["predictedResources"]
        return resources, ""


@cache
def whole(given: str) -> list[Any]:
    """Return what infra/main.bicep deploys with these parameters, given as JSON."""
    found, error = snapshot(MAIN.read_text(), GIVEN | json.loads(given))
    assert found, error
    return found


def deployed(type_: str, **given: object) -> dict[str, Any]:
    """Return the properties of the resources of a type by their names without the prefix."""
    return {
        predicted["name"].removeprefix("portfolio-test-"): predicted["properties"]
        for predicted in whole(json.dumps(given, sort_keys=True))
        if predicted["type"].lower() == type_.lower()
    }


def modules(cases: list[dict[str, Any]]) -> tuple[list[Any], str]:
    """Return what the module of alerts deploys in each case, with the case's number as prefix."""
    text = ""
    for at, given in enumerate(cases):
        parameters = OF_THE_MODULE | {"prefix": f"p{at}"} | given
        body = "".join(f"    {name}: {literal(value)}\n" for name, value in parameters.items())
        text += f"module m{at} 'modules/alerts.bicep' = {{\n  name: 'm{at}'\n  params: {{\n{body}  }}\n}}\n"
    return snapshot(text, {}, "--resource-group", "rg")


PLAIN = [
    "0 0 1 * * *", "0 30 01 * * 1-5", "0 15,45 1,13 * * MON,wed-Fri", "0 0 23 * * Fri-Mon", "0 0 0 * * su,6",
    "5 0 1 * * T",
]  # fmt: skip
OTHERS = [
    "0 0 */2 * * *",
    "0 0 1 1 * *",
    "0 0 1 * * 1-",
    "0  0 1 * * *",
    "0 0 1 * Jan *",
    "0 0 1 * * 1-5/2",
    "0 0 1 * * x",
    "0 1 * * *  ",
]


@cache
def nights() -> dict[str, tuple[set[int], set[int]]]:
    """Return the minutes after midnight and the weekdays that the alert expects runs at, by schedule."""
    cases: list[dict[str, Any]] = [{"schedule": text} for text in PLAIN]
    cases += [{"schedule": text, "enabled": False} for text in OTHERS]
    found, error = modules(cases)
    assert found, error
    queries = {
        predicted["name"]: predicted["properties"]["criteria"]["allOf"][0]["query"]
        for predicted in found
        if predicted["name"].endswith("no-run-completed")
    }
    return {
        case["schedule"]: (
            numbers(r"dynamic\(\[(.*?)\]\)", queries[f"p{at}-no-run-completed"]),
            numbers(r"in \(([\d, ]+)\)", queries[f"p{at}-no-run-completed"]),
        )
        for at, case in enumerate(cases)
    }


def numbers(pattern: str, query: str) -> set[int]:
    (listed,) = re.findall(pattern, query)
    return {int(number) for number in listed.split(", ") if number}


@needs_compiler
@pytest.mark.parametrize("schedule", PLAIN)
def test_the_nights_of_the_alert_are_those_of_the_timer(schedule: str) -> None:
    read = Schedule.read(schedule)
    starts = {hour * 60 + minute for hour in read.hours for minute in read.minutes}
    assert nights()[schedule] == (starts, set(read.weekdays))


@needs_compiler
@pytest.mark.parametrize("schedule", OTHERS)
def test_a_schedule_that_no_alert_can_follow_has_no_nights_while_alerts_are_off(schedule: str) -> None:
    assert nights()[schedule] == (set(), {7})


@needs_compiler
def test_everybody_is_told_of_everything_and_phones_ring_for_what_cannot_wait() -> None:
    given = {"webhooks": ["https://hook.test/a", ""], "textMessages": ["1 5551234567"], "calls": ["44 2012345678"]}
    found, error = modules([given])
    assert found, error
    by_name = {predicted["name"].removeprefix("p0-"): predicted["properties"] for predicted in found}
    operators, on_call = by_name["operators"], by_name["on-call"]
    assert [receiver["emailAddress"] for receiver in operators["emailReceivers"]] == ["ops@bank.test"]
    assert [receiver["serviceUri"] for receiver in operators["webhookReceivers"]] == ["https://hook.test/a"]
    (text,), (call,) = on_call["smsReceivers"], on_call["voiceReceivers"]
    assert (text["countryCode"], text["phoneNumber"]) == ("1", "5551234567")
    assert (call["countryCode"], call["phoneNumber"]) == ("44", "2012345678")
    told = {
        name: {found for found in ("operators", "on-call") if f"p0-{found}" in str(by_name[name]["actions"])}
        for name in RULES
    }
    assert told == {
        name: {"operators", "on-call"} if rule["severity"] <= 1 else {"operators"} for name, rule in RULES.items()
    }


@needs_compiler
def test_phones_that_are_taken_out_of_the_parameters_are_taken_out_of_the_group() -> None:
    group = deployed("Microsoft.Insights/actionGroups")["on-call"]
    assert (group["smsReceivers"], group["voiceReceivers"]) == ([], [])


@needs_compiler
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"redis-evictions", "storage-throttled", "unavailable"}),
        (
            WITH_CLUSTER,
            {"mongodb-disk", "mongodb-cpu", "redis-evictions", "storage-throttled", "unavailable"},
        ),
        ({"redis": "none"}, {"storage-throttled", "unavailable"}),
    ],
)
def test_what_exists_is_watched(given: dict[str, Any], expected: set[str]) -> None:
    assert set(deployed(METRIC, **given)) == expected


@needs_compiler
@pytest.mark.parametrize(
    ("given", "alerts", "test"),
    [
        ({}, True, True),
        ({"alertsEnabled": False}, False, False),
        ({"availabilityTest": False}, True, False),
        # An address that is closed to the test, and one in front of it that is not.
        ({"network": "private"}, True, False),
        ({"frontDoorId": NOBODY}, True, False),
        ({"frontDoorId": NOBODY, "publicUrl": "https://portfolio.bank.test"}, True, True),
    ],
)
def test_alerts_and_the_paid_test_of_the_health_run_only_where_they_are_enabled(
    given: dict[str, Any], alerts: bool, test: bool
) -> None:
    assert {rule["enabled"] for rule in deployed(SCHEDULED, **given).values()} == {alerts}
    on_metrics = deployed(METRIC, **given)
    assert (on_metrics.pop("unavailable")["enabled"], {rule["enabled"] for rule in on_metrics.values()}) == (
        test,
        {alerts},
    )
    assert [found["Enabled"] for found in deployed("Microsoft.Insights/webtests", **given).values()] == [test]


@needs_compiler
def test_the_queries_that_are_deployed_are_accepted_by_microsofts_parser() -> None:
    rules = deployed(SCHEDULED)
    parsed = parse({name: rule["criteria"]["allOf"][0]["query"] for name, rule in rules.items()})
    assert {name: found.faults for name, found in parsed.items() if found.faults} == {}
    assert parsed.keys() == RULES.keys()


@needs_compiler
def test_logs_of_redis_are_kept_and_those_of_mongodb_where_its_commands_may_be_read() -> None:
    kept = {
        given: {
            log["category"]: log["enabled"]
            for predicted in whole(given)
            if predicted["type"] == "Microsoft.Insights/diagnosticSettings"
            for log in predicted["properties"].get("logs", [])
            if "category" in log
        }
        for given in (json.dumps(WITH_CLUSTER, sort_keys=True), "{}")
    }
    assert list(kept.values()) == [{"vCoreMongoRequests": True, "ConnectionEvents": True}, {"ConnectionEvents": True}]
