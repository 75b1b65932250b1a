"""host.json contains only names that the platform knows, with values that it accepts.

An unknown name is ignored without a warning, and an invalid value stops the start. The known members were taken from
the source files named here, in the repositories azure-functions-host, azure-functions-durable-extension (3.19.0) and
azure-webjobs-sdk-extensions; the last tests use the extension itself, if it is installed.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from devhost.preflight_platform import POLLING_SETTING
from market_data.patience import PATIENCE_SECONDS
from settings import Settings
from tests.conftest import ENGINE_PROGRAM, free_port
from tests.infra.bicep import INFRA, ROOT
from tests.test_versions import EXTENSION, WHAT_TO_DO

HOST_JSON = ROOT / "host.json"
LOADED = re.compile(r"Durable extension configuration loaded: (\{.*\})\. HubName.* ExtensionVersion: ([\d.]*\d)")
ON_A_LAPTOP = {"AZURE_FUNCTIONS_ENVIRONMENT": "Development", "MONGODB_URL": "mongodb://not-used"}
ONE_ACTIVITY = [{"name": "step", "kind": "activityTrigger", "durableName": "step"}]


class Member(NamedTuple):
    """A member of host.json: the source file that reads it, and a check of its values."""

    source: str
    takes: Callable[[Any], bool]


def one_of(*values: str) -> Callable[[Any], bool]:
    return values.__contains__


def form(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def from_to(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def a_time(least: str, most: str) -> Callable[[Any], bool]:
    return lambda value: form(r"\d\d:[0-5]\d:[0-5]\d")(value) and time(least) <= time(value) <= time(most)


def a_truth(value: object) -> bool:
    return isinstance(value, bool)


def time(text: str) -> timedelta:
    hours, minutes, seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


LEVEL = one_of("Trace", "Debug", "Information", "Warning", "Error", "Critical", "None")
DURABLE, STORAGE = "extensions.durableTask", "extensions.durableTask.storageProvider"
MEMBERS = {
    "version": Member("HostJsonFileConfigurationSource.cs", one_of("2.0")),
    "telemetryMode": Member("TelemetryMode.cs", one_of("ApplicationInsights", "OpenTelemetry", "None")),
    "functionTimeout": Member("ScriptJobHostOptionsSetup.cs", a_time("00:00:01", "23:59:59")),
    "extensionBundle.id": Member("ExtensionBundleOptions.cs", form(r"Microsoft\.Azure\.Functions\.[\w.]+")),
    "extensionBundle.version": Member("ExtensionBundleOptions.cs", form(r"\[[\d.*]+, [\d.]+\)")),
    "extensions.http.routePrefix": Member("HttpOptions.cs", form(r"[\w/]*")),
    f"{DURABLE}.hubName": Member("AzureStorageOptions.cs", form(r"[A-Za-z][A-Za-z0-9]{2,44}")),
    f"{DURABLE}.defaultVersion": Member("DurableTaskOptions.cs", form(r"\d+(\.\d+)*")),
    f"{DURABLE}.versionMatchStrategy": Member("DurableTaskOptions.cs", one_of("None", "Strict", "CurrentOrOlder")),
    f"{DURABLE}.versionFailureStrategy": Member("DurableTaskOptions.cs", one_of("Reject", "Fail")),
    f"{DURABLE}.maxConcurrentActivityFunctions": Member("DurableTaskOptions.cs", from_to(1, 1000)),
    f"{DURABLE}.maxConcurrentOrchestratorFunctions": Member("DurableTaskOptions.cs", from_to(1, 1000)),
    f"{DURABLE}.tracing.distributedTracingEnabled": Member("TraceOptions.cs", a_truth),
    f"{DURABLE}.tracing.version": Member("DurableDistributedTracingVersion.cs", one_of("None", "V1", "V2")),
    f"{STORAGE}.controlQueueVisibilityTimeout": Member("AzureStorageOptions.cs", a_time("00:01:00", "01:00:00")),
    f"{STORAGE}.workItemQueueVisibilityTimeout": Member("AzureStorageOptions.cs", a_time("00:00:01", "01:00:00")),
    f"{STORAGE}.maxQueuePollingInterval": Member("AzureStorageOptions.cs", a_time("00:00:01", "01:00:00")),
    # For the Durable Task Scheduler, with infra/host.scheduler.json.
    f"{STORAGE}.type": Member("DurableTaskExtension.cs", one_of("azureManaged")),
    f"{STORAGE}.connectionStringName": Member("AzureManagedOptions.cs", form(r"[A-Z_]+")),
}
CATEGORIES = re.compile(r"default|Azure\.(Core|Identity)|DurableTask\.(AzureStorage|Core)")


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, name))
        else:
            yield (*path, name), value


def faults(host_json: dict[str, Any]) -> list[str]:
    """Return every member that the platform does not know, or whose value it does not accept."""
    found = []
    for path, value in leaves(host_json):
        if path[:2] == ("logging", "logLevel"):
            right = CATEGORIES.fullmatch(".".join(path[2:])) is not None and LEVEL(value)
        else:
            member = MEMBERS.get(".".join(path))
            right = member is not None and member.takes(value)
        if not right:
            found.append(f"{'.'.join(path)}={value}")
    return found


def ours() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(HOST_JSON.read_text())
    return loaded


@pytest.mark.parametrize("path", [HOST_JSON, INFRA / "host.scheduler.json"], ids=lambda path: path.name)
def test_every_member_is_known_to_the_platform_and_has_an_accepted_value(path: Path) -> None:
    assert faults(json.loads(path.read_text())) == []


@pytest.mark.parametrize(
    ("way", "name", "value"),
    [
        (STORAGE, "controlQueueVisiblityTimeout", "00:01:00"),
        (STORAGE, "controlQueueVisibilityTimeout", "00:00:59"),
        (STORAGE, "workItemQueueVisibilityTimeout", "30"),
        (f"{DURABLE}.tracing", "version", "V3"),
        (f"{DURABLE}.tracing", "distributedTracingEnabled", "true"),
        (DURABLE, "hubName", "portfolio-analysis"),
        (DURABLE, "extendedSessionsEnabled", True),
        ("logging.logLevel", "Durabletask.Core", "Warning"),
        ("logging.logLevel", "default", "Warn"),
    ],
)
def test_a_mistake_in_a_name_or_a_value_is_found(way: str, name: str, value: object) -> None:
    host_json = member = ours()
    for step in way.split("."):
        member = member[step]
    member[name] = value
    assert faults(host_json) == [f"{way}.{name}={value}"]


def test_the_work_of_a_dead_host_continues_within_a_minute() -> None:
    storage = ours()["extensions"]["durableTask"]["storageProvider"]
    assert storage["controlQueueVisibilityTimeout"] == "00:01:00", "the minimum that the extension accepts"
    assert storage["workItemQueueVisibilityTimeout"] == "00:00:30"


def test_a_step_gives_up_before_the_host_kills_it_and_the_watchdog_stops_a_run_only_later() -> None:
    stalled = timedelta(seconds=Settings.from_environment(ON_A_LAPTOP).stall_seconds)
    # Beside its requests a step reads and stores prices.
    assert timedelta(seconds=PATIENCE_SECONDS) + timedelta(minutes=2) <= time(ours()["functionTimeout"]) < stalled


def test_the_bundle_changes_by_a_commit_only() -> None:
    found = re.fullmatch(r"\[4\.(\d+)\.0, 4\.(\d+)\.0\)", ours()["extensionBundle"]["version"])
    assert found is not None
    assert int(found[2]) == int(found[1]) + 1


def test_a_run_is_one_trace() -> None:
    assert ours()["extensions"]["durableTask"]["tracing"] == {"distributedTracingEnabled": True, "version": "V2"}


def test_the_engine_logs_from_warning_and_the_app_from_information() -> None:
    levels = ours()["logging"]["logLevel"]
    assert levels["default"] == "Information"
    assert {levels[name] for name in ("DurableTask.AzureStorage", "DurableTask.Core")} == {"Warning"}


def loaded_by_the_extension(tmp_path: Path, **overrides: str) -> dict[str, Any]:
    """Return the configuration that the real extension loaded from host.json; this needs no storage."""

    if not os.access(ENGINE_PROGRAM, os.X_OK):
        pytest.skip("DURABLE_HOST does not name a program that hosts the real extension")
    functions = tmp_path / "functions.json"
    functions.write_text(json.dumps(ONE_ACTIVITY))
    nowhere = f"http://127.0.0.1:{free_port()}/account"
    endpoints = ";".join(f"{service}Endpoint={nowhere}" for service in ("Blob", "Queue", "Table"))
    environment = os.environ | {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "DURABLE_CLIENT": str(tmp_path / "client.json"),
        "AzureWebJobsStorage": f"DefaultEndpointsProtocol=http;AccountName=account;AccountKey=bm9uZQ==;{endpoints}",
    }
    with subprocess.Popen(
        [ENGINE_PROGRAM, str(HOST_JSON), str(functions)],
        env=environment | overrides,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            if found := LOADED.search(line):
                process.kill()
                assert found[2] == EXTENSION, WHAT_TO_DO
                loaded: dict[str, Any] = json.loads(found[1])
                return loaded
            printed.append(line)
    pytest.fail("".join(printed)[:2000])


def test_the_extension_itself_loads_every_member_as_written(tmp_path: Path) -> None:
    loaded = dict(leaves(loaded_by_the_extension(tmp_path)))
    expected = dict(leaves(ours()["extensions"]["durableTask"]))
    assert {path: loaded.get(path) for path in expected} == expected


def test_an_app_setting_sets_the_polling_interval_of_the_extension_itself(tmp_path: Path) -> None:
    settings = json.loads((ROOT / "local.settings.json").read_text())["Values"]
    assert POLLING_SETTING in settings
    loaded = loaded_by_the_extension(tmp_path, **{POLLING_SETTING: settings[POLLING_SETTING]})
    assert loaded["storageProvider"]["maxQueuePollingInterval"] == settings[POLLING_SETTING]
