"""The scripts that pipelines and people run against an app, run for real against one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stores.mongo import DocumentDatabase
from tests.conftest import free_port
from tests.end_to_end.app import SECRET, App
from tests.infra.bicep import ROOT

COMPONENT = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Insights/components/appi"


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / script, *arguments],
        env=os.environ | {"no_proxy": "*", "PATIENCE": "120"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def url_of(app: App) -> str:
    return str(app.client.base_url)


def test_an_app_that_works_passes_the_smoke_test(app: App) -> None:
    done = run("smoke-test", url_of(app), "dry-run", ADMIN_SECRET=SECRET)
    assert (done.returncode, done.stderr) == (0, "")
    (run_id,) = re.findall(r"Dry run (run_\w+)", done.stdout)
    assert app.status(run_id)["dry_run"] is True
    analyzed = app.status(run_id)["users_analyzed"]
    assert f"{analyzed} of {app.status(run_id)['users_to_analyze']} users analysed" in done.stdout


def test_an_app_whose_database_has_nobody_yet_passes_the_smoke_test(app: App, app_database: DocumentDatabase) -> None:
    active = {"user_id": {"$in": [user["user_id"] for user in app_database["users"].find({"is_active": True})]}}
    app_database["users"].update_many(active, {"$set": {"is_active": False}})
    try:
        done = run("smoke-test", url_of(app), "dry-run", ADMIN_SECRET=SECRET)
    finally:
        app_database["users"].update_many(active, {"$set": {"is_active": True}})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("completed: 0 of 0 users analysed\n")


def test_health_alone_needs_no_secret(app: App) -> None:
    done = run("smoke-test", url_of(app), "health")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_wrong_secret_fails_the_smoke_test_and_is_not_printed(app: App) -> None:
    done = run("smoke-test", url_of(app), "dry-run", ADMIN_SECRET="not-the-secret")
    assert done.returncode == 1
    assert "No run was started" in done.stderr
    assert "urn:portfolio-analysis:problem:unauthorized" in done.stderr
    assert "not-the-secret" not in done.stdout + done.stderr


def test_an_app_that_does_not_answer_fails_the_smoke_test() -> None:
    done = run("smoke-test", f"http://127.0.0.1:{free_port()}", "health", PATIENCE="0")
    assert done.returncode == 1
    assert 'It answers 000: see docs/operations.md, "Health"' in done.stderr


# A stand-in for the Azure CLI: notes what it is asked, and answers with how often the watchdog has fired.
AZ = """#!{python}
import sys
with open({asked!r}, "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
if sys.argv[1:3] == ["functionapp", "show"]:
    print("/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/app")
elif "query" in sys.argv:
    asked = sum("app-insights query" in line for line in open({asked!r}))
    print(int(asked > {silent_for}))
"""


def az(folder: Path, silent_for: int) -> dict[str, str]:
    program = folder / "az"
    asked = str(folder / "asked")
    program.write_text(AZ.format(python=sys.executable, asked=asked, silent_for=silent_for))
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "PAUSE": "0"}


def test_timers_are_waited_for_after_the_platform_was_told_to_look_again(tmp_path: Path) -> None:
    done = run("check-timers", "rg", "app", COMPONENT, **az(tmp_path, silent_for=3))
    assert (done.returncode, done.stdout) == (0, "The timers of app fire\n")
    asked = (tmp_path / "asked").read_text().splitlines()
    assert "sites/app/syncfunctiontriggers?api-version=" in asked[1]
    assert len(asked) == 2 + 4
    assert all("name == 'watchdog'" in line and COMPONENT in line for line in asked[2:])


def test_timers_that_stay_silent_fail_the_deployment(tmp_path: Path) -> None:
    done = run("check-timers", "rg", "app", COMPONENT, **az(tmp_path, silent_for=1000), PATIENCE="0")
    assert done.returncode == 1
    assert "neither will the nightly run" in done.stderr


@pytest.mark.parametrize("script", ["smoke-test", "check-timers", "package"])
def test_a_script_has_no_mistake_that_its_shell_can_tell(script: str) -> None:
    subprocess.run(["bash", "-n", ROOT / "scripts" / script], check=True)  # noqa: S607
