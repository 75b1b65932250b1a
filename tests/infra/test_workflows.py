"""The pipelines are pinned, have only the permissions that they need, and run only existing files and targets."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import missing_server
from tests.infra.bicep import INFRA, MAIN, ROOT, decorator, template

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
ENVIRONMENTS = sorted((INFRA / "environments").glob("*.json"))
# YAML 1.1, which the parser implements, reads this word as true.
ON: Any = True


def workflow(path: Path) -> dict[Any, Any]:
    parsed: dict[Any, Any] = yaml.safe_load(path.read_text())
    return parsed


def jobs() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path.stem}.{name}", job) for path in WORKFLOWS for name, job in workflow(path)["jobs"].items()]


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
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_one_action_is_used_in_one_version() -> None:
    used = {step["uses"] for _, step in steps() if "uses" in step}
    assert len(used) == len({action.partition("@")[0] for action in used})


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_a_workflow_has_read_permission_and_only_deployments_may_sign_in(path: Path) -> None:
    parsed = workflow(path)
    assert parsed["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in parsed[ON]
    for name, job in parsed["jobs"].items():
        signs_in = "environment" in job or "environment" in job.get("with", {})
        expected = {"contents": "read", "id-token": "write"} if signs_in else None
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
    known = {"GITHUB_STEP_SUMMARY", "GITHUB_ENV", "ENVIRONMENT", "SMOKE_TEST", "ADMIN_SECRET", "DURABLE_BACKEND"}
    assert used <= given | known


def test_outputs_keep_their_own_names_whatever_their_case(tmp_path: Path) -> None:
    (command,) = [command for _, command in commands() if "outputs.json" in command]
    (line,) = [line for line in command.splitlines() if line.startswith("jq ")]
    given = template(MAIN).outputs().keys()
    mangled = {name[0].lower() + name[1:]: {"type": "String", "value": "a value"} for name in given}
    (tmp_path / "outputs.json").write_text(json.dumps(mangled))
    if shutil.which("jq") is None:
        missing_server("jq is not installed")
    environment = os.environ | {"GITHUB_ENV": "taken"}
    subprocess.run(["bash", "-ec", line], cwd=tmp_path, env=environment, check=True)  # noqa: S607
    assert sorted((tmp_path / "taken").read_text().splitlines()) == sorted(f"{name}=a value" for name in given)


@pytest.mark.parametrize("path", WORKFLOWS, ids=[path.stem for path in WORKFLOWS])
def test_a_step_fails_if_any_part_of_its_pipe_fails(path: Path) -> None:
    assert workflow(path)["defaults"] == {"run": {"shell": "bash"}}
    assert not any("shell" in step for _, step in steps())


def test_the_package_is_built_for_the_engine_of_all_environments() -> None:
    (command,) = [command for _, command in commands() if "make package" in command]
    assert "DURABLE_BACKEND=$(jq --raw-output '.parameters.durableBackend.value //" in command
    named = [json.loads(path.read_text())["parameters"].get("durableBackend") for path in ENVIRONMENTS]
    assert all(engine == named[0] for engine in named)
    assert template(MAIN).parameters()["durableBackend"]["default"] == "storage"


def test_the_package_that_was_tested_in_staging_is_deployed_to_production() -> None:
    deploy = workflow(FOLDER / "deploy.yml")["jobs"]
    assert (deploy["staging"]["needs"], deploy["production"]["needs"]) == ("package", "staging")
    assert deploy["staging"]["uses"] == deploy["production"]["uses"]
    assert [step["with"]["name"] for _, step in steps() if "artifact" in step.get("uses", "")] == ["package"] * 2
    assert {deploy[job]["with"]["environment"] for job in ("staging", "production")} == {
        path.stem for path in ENVIRONMENTS
    }


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=[path.stem for path in ENVIRONMENTS])
def test_the_parameters_of_an_environment_are_within_limits(path: Path) -> None:
    given = {name: value["value"] for name, value in json.loads(path.read_text())["parameters"].items()}
    asked = template(MAIN).parameters()
    required = {name for name, parameter in asked.items() if parameter["default"] is None}
    assert required <= given.keys() | {"budgetStartDate"}, "the pipeline looks up the month"
    assert given.keys() <= asked.keys() - {"budgetStartDate"}
    assert given["environmentName"] == path.stem
    for name, value in given.items():
        allowed = decorator(asked[name], "allowed")
        assert allowed is None or value in allowed, name
        if isinstance(value, int) and not isinstance(value, bool):
            assert decorator(asked[name], "min_value") <= value <= decorator(asked[name], "max_value"), name
