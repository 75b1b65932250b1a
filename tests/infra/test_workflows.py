"""The pipelines are pinned, have only the permissions that they need, and run only existing files and targets."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.bicep import INFRA, MAIN, ROOT, decorator, template
from tests.infra.workflow import ON, read

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
ENVIRONMENTS = sorted((INFRA / "environments").glob("*.json"))


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path.stem}.{name}", job) for path in WORKFLOWS for name, job in read(path)["jobs"].items()]


def steps() -> list[tuple[str, dict[str, Any]]]:
    return [(name, step) for name, job in jobs() for step in job.get("steps", [])]


def commands() -> list[tuple[str, str]]:
    return [(name, step["run"]) for name, step in steps() if "run" in step]


def names(pairs: list[tuple[str, Any]]) -> list[str]:
    return [name for name, _ in pairs]


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_only_actions_pinned_by_commit_are_used_with_their_version_in_a_comment(path: Path) -> None:
    for line in re.findall(r"uses: (.*)", path.read_text()):
        if line.startswith("./"):
            assert (ROOT / line).is_file(), line
        else:
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_one_action_is_used_in_one_version() -> None:
    used = {step["uses"] for _, step in steps() if "uses" in step}
    assert len(used) == len({action.partition("@")[0] for action in used})


def test_one_version_of_bicep_is_used() -> None:
    installed = [re.findall(r"az bicep install(.*)", command) for _, command in commands() if "az bicep" in command]
    assert len(installed) == 4
    assert {version for versions in installed for version in versions} == {" --version v0.49.2"}


def test_azd_and_az_use_the_same_compiler_by_hand_as_the_pipeline() -> None:
    by_hand = (ROOT / "docs" / "deployment.md").read_text().split("## By hand\n")[1]
    assert {version for _, command in commands() for version in re.findall(r"az bicep install (.*)", command)} == set(
        re.findall(r"az bicep install (.*)", by_hand)
    )
    assert by_hand.index("export AZD_BICEP_TOOL_PATH=~/.azure/bin/bicep") < by_hand.index("azd provision")


OWN_PERMISSIONS = {
    "package": {"contents": "read", "id-token": "write", "attestations": "write"},
    "release": {"contents": "write"},
    "analyze": {"contents": "read", "security-events": "write"},
}


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_a_workflow_has_read_permission_and_only_deployments_may_sign_in(path: Path) -> None:
    parsed = read(path)
    assert parsed["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in parsed[ON]
    for name, job in parsed["jobs"].items():
        signs_in = "environment" in job or "environment" in job.get("with", {})
        expected = {"contents": "read", "id-token": "write"} if signs_in else OWN_PERMISSIONS.get(name)
        assert job.get("permissions") == expected, name


@pytest.mark.parametrize(("name", "job"), jobs(), ids=names(jobs()))
def test_no_job_runs_for_hours(name: str, job: dict[str, Any]) -> None:
    assert "uses" in job or job["timeout-minutes"] <= 90, name


def test_no_checkout_leaves_credentials_behind() -> None:
    checkouts = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


@pytest.mark.parametrize(("name", "command"), commands(), ids=names(commands()))
def test_no_untrusted_input_is_part_of_a_command(name: str, command: str) -> None:
    for expression in re.findall(r"\$\{\{(.*?)\}\}", command):
        assert re.fullmatch(r" vars\.[A-Z_]+ ", expression), name


@pytest.mark.parametrize(("name", "command"), commands(), ids=names(commands()))
def test_a_step_runs_only_existing_files_and_targets(name: str, command: str) -> None:
    made = (ROOT / "Makefile").read_text()
    for verb in re.findall(r"\bmake (\w+)", command):
        assert re.search(rf"^{verb}:", made, re.MULTILINE), name
    for script in re.findall(r"\bscripts/[\w-]+", command):
        assert os.access(ROOT / script, os.X_OK), name
    for path in re.findall(r"\binfra/[\w./-]+", command.replace("$ENVIRONMENT", "staging")):
        assert (ROOT / path).is_file(), name
    plain = re.sub(r"\$\{\{.*?\}\}", "value", command)
    subprocess.run(["bash", "-n", "-c", plain], check=True)  # noqa: S607


def test_the_outputs_that_a_deployment_uses_exist() -> None:
    used = {name for _, command in commands() for name in re.findall(r"\$([A-Z][A-Z_]+)", command)}
    given = template(MAIN).outputs().keys()
    known = {"BUNDLE", "ENVIRONMENT", "RELEASE", "SMOKE_TEST", "ADMIN_SECRET", "DURABLE_BACKEND", "HOME"}
    assert {name for name in used if not name.startswith("GITHUB_")} <= given | known


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_a_step_fails_if_any_part_of_its_pipe_fails(path: Path) -> None:
    assert read(path)["defaults"] == {"run": {"shell": "bash"}}
    assert not any("shell" in step for _, step in steps())


def test_the_package_is_built_for_the_engine_of_all_environments() -> None:
    (command,) = [command for _, command in commands() if "make package" in command]
    assert "DURABLE_BACKEND=$(jq --raw-output '.parameters.durableBackend.value //" in command
    named = [json.loads(path.read_text())["parameters"].get("durableBackend") for path in ENVIRONMENTS]
    assert all(engine == named[0] for engine in named)
    assert template(MAIN).parameters()["durableBackend"]["default"] == "storage"


def test_the_package_that_was_tested_in_staging_is_deployed_to_production() -> None:
    deploy = read(FOLDER / "deploy.yml")["jobs"]
    assert (deploy["staging"]["needs"], deploy["production"]["needs"]) == (
        ["checks", "package"],
        ["staging", "release"],
    )
    assert deploy["staging"]["uses"] == deploy["production"]["uses"]
    assert [step["with"]["name"] for _, step in steps() if "artifact" in step.get("uses", "")] == ["package"] * 3
    # There may be more, such as one in another region, which the pipeline does not know yet.
    assert {deploy[job]["with"]["environment"] for job in ("staging", "production")} <= {
        path.stem for path in ENVIRONMENTS
    }


BY_THE_PIPELINE = {"budgetStartDate", "mongodbPasswordSignIn"}


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=[path.stem for path in ENVIRONMENTS])
def test_the_parameters_of_an_environment_are_within_limits(path: Path) -> None:
    given = {name: value["value"] for name, value in json.loads(path.read_text())["parameters"].items()}
    asked = template(MAIN).parameters()
    needed = {name for name, parameter in asked.items() if parameter["default"] is None}
    assert needed - BY_THE_PIPELINE <= given.keys() <= asked.keys() - BY_THE_PIPELINE
    assert given["environmentName"] == path.stem
    for name, value in given.items():
        allowed = decorator(asked[name], "allowed")
        assert allowed is None or value in allowed, name
        if isinstance(value, int) and not isinstance(value, bool):
            assert decorator(asked[name], "min_value") <= value <= decorator(asked[name], "max_value"), name


def test_the_deployment_calls_the_checks_that_every_change_has() -> None:
    assert read(FOLDER / "deploy.yml")["jobs"]["checks"]["uses"] == "./.github/workflows/ci.yml"
    ci = read(FOLDER / "ci.yml")
    assert "workflow_call" in ci[ON]
    # With the same group, a push to main would cancel the checks of a deployment.
    assert "${{ github.workflow }}" in ci["concurrency"]["group"]


def test_a_rollback_and_a_deployment_wait_for_each_other() -> None:
    deploy, rollback = (read(FOLDER / f"{name}.yml") for name in ("deploy", "rollback"))
    assert deploy["concurrency"] == rollback["concurrency"] == {"group": "deploy", "cancel-in-progress": False}


DEPLOYMENT = re.compile(r"az functionapp deployment source config-zip(?:.*\\\n)*.*")
PLACES = {
    path.name: path.read_text()
    for path in (*WORKFLOWS, *(ROOT / "docs").glob("*.md"), *(ROOT / "scripts").iterdir())
    if "config-zip" in path.read_text()
}


def test_a_package_is_deployed_by_the_pipeline_and_by_hand() -> None:
    assert {"environment.yml", "deployment.md"} <= PLACES.keys()


@pytest.mark.parametrize("name", PLACES)
def test_a_package_is_deployed_as_it_was_tested_not_built_again(name: str) -> None:
    found = DEPLOYMENT.findall(PLACES[name])
    assert found
    assert all(" --build-remote false" in command for command in found)


def test_what_is_pinned_is_kept_up_to_date() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    watched = {
        (update["package-ecosystem"], folder)
        for update in updates
        for folder in update.get("directories", [update.get("directory")])
    }
    assert watched == {
        ("github-actions", "/"),
        ("pip", "/"),
        ("pip", "/benchmarks"),
        ("npm", "/console"),
        ("npm", "/tests/infra/kusto"),
        ("docker", "/infra/kubernetes"),
    }
    assert all((ROOT / folder.removeprefix("/")).is_dir() for _, folder in watched)
    assert all(update["cooldown"] == {"default-days": 7} for update in updates)


def test_every_language_is_searched_for_vulnerabilities() -> None:
    job = read(FOLDER / "codeql.yml")["jobs"]["analyze"]
    assert job["strategy"]["matrix"]["language"] == ["actions", "javascript-typescript", "python"]
    assert [step["uses"].partition("@")[0] for step in job["steps"]][1:] == [
        "github/codeql-action/init",
        "github/codeql-action/analyze",
    ]
