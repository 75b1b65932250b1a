"""The scripts that check timers, queries and recipients, run against stand-ins for az and for the app."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.infra.bicep import ROOT

GROUP = "/subscriptions/s/resourceGroups/rg"
COMPONENT = f"{GROUP}/providers/microsoft.insights/components/appi"
WORKSPACE = f"{GROUP}/providers/Microsoft.OperationalInsights/workspaces/log"
SECRET = "the-secret-of-the-stand-in"

# A stand-in for the Azure CLI: records its arguments, and answers with the first rule whose words are all among them.
AZ = """#!{python}
import json, sys
with open({folder!r} + "/asked", "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
asked = [json.loads(line) for line in open({folder!r} + "/asked")]
for words, answers in json.load(open({folder!r} + "/rules")):
    def matches(arguments):
        return all(any(word in argument for argument in arguments) for word in words)
    if matches(sys.argv[1:]):
        times = sum(map(matches, asked))
        answer = answers[min(times, len(answers)) - 1]
        if answer is None:
            sys.exit("ERROR: AADSTS700024: Client assertion is not within its valid time range.")
        sys.stdout.write(answer and answer + "\\n")
        sys.exit()
sys.exit(f"ERROR: the stand-in does not know {{sys.argv[1:]}}")
"""

type Rules = list[tuple[list[str], list[str | None]]]


class Az:
    """The stand-in in a folder; each rule has answers for its first, second and so on call, ``None`` for a failure."""

    def __init__(self, folder: Path, rules: Rules) -> None:
        self._folder = folder
        (folder / "rules").write_text(json.dumps(rules))
        (folder / "az").write_text(AZ.format(python=sys.executable, folder=str(folder)))
        (folder / "az").chmod(0o755)

    def run(self, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        known = {name: value for name, value in os.environ.items() if name not in {"APP_URL", "ADMIN_SECRET"}}
        return subprocess.run(
            [ROOT / "scripts" / script, *arguments],
            env=known | {"PATH": f"{self._folder}:{os.environ['PATH']}", "no_proxy": "*", "PAUSE": "0"} | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def asked(self, *words: str) -> list[list[str]]:
        calls = [json.loads(line) for line in (self._folder / "asked").read_text().splitlines()]
        return [call for call in calls if all(any(word in argument for argument in call) for word in words)]


# Timers

SITE = f"{GROUP}/providers/Microsoft.Web/sites/app"
SYNC: Rules = [(["functionapp", "show"], [SITE]), (["syncfunctiontriggers"], [""])]


def timers(folder: Path, *counts: str | None) -> Az:
    """Return an az that counts ``FIRED ARRIVED`` so at its calls, the last one from then on."""
    return Az(folder, [*SYNC, (["app-insights", "query"], list(counts))])


def check_timers(az: Az, **environment: str) -> subprocess.CompletedProcess[str]:
    return az.run("check-timers", "rg", "app", COMPONENT, **{"PATIENCE": "120"} | environment)


class _Schedule(BaseHTTPRequestHandler):
    """The two answers of the app that the script asks for."""

    watchdog: str | None = None

    def do_GET(self) -> None:
        known = self.path == "/api/health" or self.headers.get("X-Admin-Secret") == SECRET
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(json.dumps({"watchdog": self.watchdog}).encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def app_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of an app whose watchdog fires in the course of the check."""
    soon = datetime.now(UTC) + timedelta(minutes=1)
    monkeypatch.setattr(_Schedule, "watchdog", f"{soon:%Y-%m-%dT%H:%M:%S.%fZ}")
    with ThreadingHTTPServer(("127.0.0.1", 0), _Schedule) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_after_a_sync_of_the_triggers_the_script_waits_for_the_timers(tmp_path: Path) -> None:
    az = timers(tmp_path, "0 0", "0 7", "0 9", "1 12")
    done = check_timers(az)
    assert (done.returncode, done.stdout) == (0, "The timers of app fire\n")
    assert az.asked("rest", f"{SITE}/syncfunctiontriggers?api-version=")
    asked = az.asked("query", 'name == "watchdog"', COMPONENT)
    assert len(asked) == 4
    (since,) = {query for call in asked for query in re.findall(r"datetime\((.*?)\)", "".join(call))}
    assert datetime.now(UTC) - datetime.fromisoformat(since) < timedelta(minutes=5)


def test_timers_that_stay_silent_beside_other_telemetry_fail_the_deployment(tmp_path: Path) -> None:
    done = check_timers(timers(tmp_path, "0 25"), PATIENCE="0")
    assert done.returncode == 1
    assert "so neither will the nightly run: restart app" in done.stderr


def test_telemetry_that_does_not_arrive_at_all_is_not_taken_for_silent_timers(tmp_path: Path) -> None:
    done = check_timers(timers(tmp_path, "0 0"), PATIENCE="0")
    assert done.returncode == 1
    assert "Nothing at all arrived from app" in done.stderr
    assert "restart" not in done.stderr


def test_timers_that_fire_by_the_apps_own_database_are_not_blamed_for_lost_telemetry(
    tmp_path: Path, app_url: str
) -> None:
    done = check_timers(timers(tmp_path, "0 0"), PATIENCE="0", APP_URL=app_url, ADMIN_SECRET=SECRET)
    assert done.returncode == 1
    assert "The health of app is 200" in done.stderr
    assert "The timers of app fire, but its telemetry does not arrive" in done.stderr
    assert SECRET not in done.stdout + done.stderr


def test_timers_that_last_fired_before_the_deployment_are_still_silent(
    tmp_path: Path, app_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Schedule, "watchdog", "2026-01-02T01:00:00Z")
    done = check_timers(timers(tmp_path, "0 25"), PATIENCE="0", APP_URL=app_url, ADMIN_SECRET=SECRET)
    assert done.returncode == 1
    assert "By its own database the watchdog last fired at 2026-01-02T01:00:00Z" in done.stderr
    assert "restart app" in done.stderr


def test_without_the_secret_only_the_health_is_asked(tmp_path: Path, app_url: str) -> None:
    done = check_timers(timers(tmp_path, "0 25"), PATIENCE="0", APP_URL=app_url)
    assert "The health of app is 200" in done.stderr
    assert "restart app" in done.stderr
    assert "database" not in done.stderr


@pytest.mark.parametrize("counts", [[None], ["0 0", None]])
def test_an_az_that_fails_again_and_again_is_no_silence(tmp_path: Path, counts: list[str | None]) -> None:
    az = timers(tmp_path, *counts)
    done = check_timers(az)
    assert done.returncode == 2
    assert "AADSTS700024" in done.stderr
    assert "nothing is known of the timers of app" in done.stderr
    assert "restart" not in done.stderr
    assert len(az.asked("app-insights")) == 2 + len(counts), "it does not wait for fifteen minutes"


def test_an_az_that_fails_when_patience_ends_is_no_silence(tmp_path: Path) -> None:
    done = check_timers(timers(tmp_path, None), PATIENCE="0")
    assert done.returncode == 2
    assert "Nothing at all arrived" not in done.stderr


def test_an_az_that_fails_once_is_asked_again(tmp_path: Path) -> None:
    done = check_timers(timers(tmp_path, "0 0", None, None, "1 4"))
    assert (done.returncode, done.stdout) == (0, "The timers of app fire\n")


@pytest.mark.parametrize("failing", [0, 1])
def test_an_az_that_cannot_sync_the_triggers_is_named(tmp_path: Path, failing: int) -> None:
    rules: Rules = [(words, [None] if at == failing else answers) for at, (words, answers) in enumerate(SYNC)]
    done = check_timers(Az(tmp_path, rules))
    assert (done.returncode, "az failed" in done.stderr) == (2, True)


# Queries


def rule(name: str, scope: str, query: str) -> dict[str, Any]:
    return {"name": name, "properties": {"scopes": [scope], "criteria": {"allOf": [{"query": query}]}}}


RULES = [rule("p-one", COMPONENT, "traces\n| take 1"), rule("p-two", WORKSPACE, '_Log | where a == "b"')]
ITEMS = [{"content": {"parameters": []}}, {"content": {"title": "Of the book", "query": "requests | count"}}]
WORKBOOKS = [{"properties": {"serializedData": json.dumps({"items": ITEMS})}}]


def queries(folder: Path, rules: list[dict[str, Any]], workbooks: list[dict[str, Any]], *failing: str) -> Az:
    """Return an az with these rules and workbooks, where the queries with a failing word are refused."""
    refused: Rules = [(["query", word], [None]) for word in failing]
    answers: Rules = [
        (["scheduledQueryRules?api-version="], [json.dumps({"value": rules})]),
        (["workbooks?api-version="], [json.dumps({"value": workbooks})]),
        (["rest", f"https://management.azure.com{WORKSPACE}?api-version="], ["the-customer"]),
        (["app-insights", "query"], [""]),
        (["api.loganalytics.io/v1/workspaces/the-customer/query"], [""]),
    ]
    return Az(folder, [*refused, *answers])


def test_each_query_of_the_deployed_alerts_and_workbook_runs_once_where_it_belongs(tmp_path: Path) -> None:
    az = queries(tmp_path, RULES, WORKBOOKS)
    done = az.run("check-queries", COMPONENT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3 of 3 queries run\n", "")
    assert {call[call.index("--analytics-query") + 1] for call in az.asked("app-insights", COMPONENT)} == {
        "traces\n| take 1",
        "requests | count",
    }
    ((*_, body),) = az.asked("api.loganalytics.io/v1")
    assert json.loads(body) == {"query": '_Log | where a == "b"'}
    assert all(f"https://management.azure.com{GROUP}/providers/" in call[-1] for call in az.asked("api-version="))


@pytest.mark.parametrize(("failing", "name"), [("traces", "p-one"), ("_Log", "p-two"), ("requests", "Of-the-book")])
def test_a_query_that_fails_is_named_and_fails_the_deployment_after_the_others_ran(
    tmp_path: Path, failing: str, name: str
) -> None:
    done = queries(tmp_path, RULES, WORKBOOKS, failing).run("check-queries", COMPONENT)
    assert (done.returncode, done.stdout) == (1, "2 of 3 queries run\n")
    assert f"The query {name} fails" in done.stderr


def test_a_query_without_a_title_is_run_and_one_that_cannot_be_read_fails_the_check(tmp_path: Path) -> None:
    items: list[dict[str, Any]] = [{"content": {"query": "dependencies | count"}}, {"content": {"title": "?"}}, {}]
    done = []
    for kept in (2, 3):
        workbook = {"properties": {"serializedData": json.dumps({"items": items[:kept]})}}
        done.append(queries(tmp_path, RULES, [workbook]).run("check-queries", COMPONENT))
    assert [each.returncode for each in done] == [0, 1], done[0].stderr
    assert done[0].stdout == "3 of 3 queries run\n"
    assert "KeyError" in done[1].stderr


def test_a_group_without_any_query_fails_the_check(tmp_path: Path) -> None:
    done = queries(tmp_path, [], []).run("check-queries", COMPONENT)
    assert (done.returncode, done.stdout) == (1, "")


def test_an_az_that_cannot_list_the_queries_is_named(tmp_path: Path) -> None:
    done = Az(tmp_path, [(["rest"], [None])]).run("check-queries", COMPONENT)
    assert done.returncode == 2
    assert "no query was checked" in done.stderr


# Recipients

RECEIVERS = [
    {
        "name": "p-operators",
        "emailReceivers": [{"name": "ops", "emailAddress": "ops@bank.test"}],
        "webhookReceivers": [{"name": "webhook-0", "serviceUri": "https://hook.test/a"}],
    },
    {
        "name": "p-on-call",
        "smsReceivers": [{"name": "text 1 555", "countryCode": "1", "phoneNumber": "555"}],
        "voiceReceivers": [{"name": "call 1 555", "countryCode": "1", "phoneNumber": "555"}],
    },
]


def recipients(folder: Path, found: list[dict[str, Any]], *statuses: str | None) -> Az:
    listed: Rules = [(["action-group", "list"], [json.dumps(found)])]
    return Az(folder, [*listed, (["test-notifications"], list(statuses))])


def test_each_recipient_gets_a_test_notification(tmp_path: Path) -> None:
    az = recipients(tmp_path, RECEIVERS, "Succeeded")
    done = az.run("test-alerts", "rg")
    assert (done.returncode, done.stderr) == (0, "")
    sent = [call[call.index("--add-action") + 1 : call.index("--query")] for call in az.asked("test-notifications")]
    assert sent == [
        ["email", "ops", "ops@bank.test", "usecommonalertschema"],
        ["webhook", "webhook-0", "https://hook.test/a", "usecommonalertschema"],
        ["sms", "text 1 555", "1", "555"],
        ["voice", "call 1 555", "1", "555"],
    ]


@pytest.mark.parametrize("status", ["Failed", None])
def test_a_recipient_that_is_not_reached_fails_the_test_of_the_alerts(tmp_path: Path, status: str | None) -> None:
    done = recipients(tmp_path, RECEIVERS, status, "Succeeded").run("test-alerts", "rg")
    assert done.returncode == 1
    assert "email ops: " in done.stdout
    assert "email ops: Succeeded" not in done.stdout
    assert "voice call 1 555: Succeeded" in done.stdout


def test_alerts_without_a_recipient_fail_the_test_of_the_alerts(tmp_path: Path) -> None:
    assert recipients(tmp_path, [{"name": "p-operators"}], "Succeeded").run("test-alerts", "rg").returncode == 1


@pytest.mark.parametrize("script", ["check-queries", "test-alerts", "ensure-kusto"])
def test_a_script_has_no_syntax_error(script: str) -> None:
    subprocess.run(["bash", "-n", ROOT / "scripts" / script], check=True)  # noqa: S607
