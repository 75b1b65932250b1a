"""The scripts that ask and change a subscription, run against the stand-in for the Azure CLI, and those for GitHub."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import missing_server
from tests.infra.azure import PREVIEWS, Azure
from tests.infra.bicep import INFRA, MAIN, ROOT, template

GROUP = "rg-portfolio-staging"


@pytest.fixture
def azure(tmp_path: Path) -> Azure:
    """Return a subscription with an earlier deployment, and a person signed in."""
    azure = Azure(tmp_path)
    azure.deployed()
    azure.sign_in()
    return azure


def run(azure: Azure, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "scripts" / script, *arguments],
        cwd=azure.folder,
        env=os.environ | azure.programs,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_that_began_and_did_not_end_is_told_by_its_id(azure: Azure) -> None:
    azure.set(active_runs={"run_20270115_010000_abcd": 13, "run_20270115_020000_abcd": 1})
    done = run(azure, "check-no-run", GROUP)
    assert done.returncode == 1
    assert "run_20270115_010000_abcd, run_20270115_020000_abcd" in done.stderr


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({}, f"No run is active in {GROUP}"),
        ({"deployments": []}, f"{GROUP} has no telemetry yet"),
        ({"group": False}, f"{GROUP} does not exist yet"),
    ],
)
def test_without_a_run_an_environment_may_be_deployed(azure: Azure, state: dict[str, object], said: str) -> None:
    azure.set(**state)
    done = run(azure, "check-no-run", GROUP)
    assert (done.returncode, done.stdout) == (0, f"{said}\n")


def test_an_az_that_fails_is_not_taken_for_no_run(azure: Azure) -> None:
    azure.set(now=600)
    done = run(azure, "check-no-run", GROUP)
    assert done.returncode == 2
    assert "AADSTS700024" in done.stderr
    assert "az could not tell" in done.stderr


def test_an_active_run_is_found_by_one_who_may_only_read(azure: Azure) -> None:
    azure.sign_in(*PREVIEWS)
    assert run(azure, "check-no-run", GROUP).returncode == 0


def test_a_budget_keeps_its_start(azure: Azure) -> None:
    done = run(azure, "budget-start-date", "staging")
    assert (done.returncode, done.stdout) == (0, "2026-12-01\n")


@pytest.mark.parametrize("state", [{"budget": None}, {"group": False}])
def test_a_new_budget_starts_this_month(azure: Azure, state: dict[str, object]) -> None:
    azure.set(**state)
    done = run(azure, "budget-start-date", "staging")
    assert (done.returncode, done.stdout) == (0, "2027-01-01\n")


@pytest.mark.parametrize(
    "call", [("budget-start-date", "staging"), ("recover-vault", "staging"), ("deployment-outputs", "staging")]
)
def test_an_az_that_fails_fails_the_script_with_its_own_message(azure: Azure, call: tuple[str, str]) -> None:
    azure.set(signed_in=None)
    done = run(azure, *call)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "ERROR: Please run 'az login' to setup account.\n")


@pytest.mark.parametrize("group", [True, False])
def test_a_deleted_vault_is_recovered_into_its_group_which_is_created_if_it_is_gone(azure: Azure, group: bool) -> None:
    azure.set(vault_deleted=True, group=group)
    done = run(azure, "recover-vault", "staging")
    assert (done.returncode, done.stdout) == (0, "Recovered kv-0 with its secrets\n")
    assert (azure["vault_deleted"], azure["group"]) == (False, True)
    created = azure.asked("group create")
    assert len(created) == (0 if group else 1)
    assert all("azd-env-name=staging application=portfolio-analysis" in call for call in created)


def test_without_a_deleted_vault_of_the_environment_nothing_is_recovered(azure: Azure) -> None:
    done = run(azure, "recover-vault", "staging")
    assert (done.returncode, done.stdout) == (0, "No deleted vault of staging\n")
    assert azure.asked("keyvault recover") == []


def test_the_outputs_are_told_under_their_own_names_to_who_may_read_the_group_only(azure: Azure) -> None:
    if shutil.which("jq") is None:
        missing_server("jq is not installed")
    names = template(MAIN).outputs().keys()
    azure.set(outputs=dict.fromkeys(names, "a value"))
    done = run(azure, "deployment-outputs", "staging")
    assert sorted(done.stdout.splitlines()) == sorted(f"{name}=a value" for name in names)
    assert all(call.startswith("deployment group ") for call in azure["asked"])


@pytest.mark.parametrize("deployments", [[], [{"name": "portfolio-staging.1.1", "state": "Running", "timestamp": 0}]])
def test_before_a_deployment_has_succeeded_there_are_no_outputs(azure: Azure, deployments: list[object]) -> None:
    azure.set(deployments=deployments)
    done = run(azure, "deployment-outputs", "staging")
    assert (done.returncode, done.stderr) == (1, "No deployment of staging has succeeded yet\n")


PRINCIPAL = "00000000-0000-0000-0000-000000000001"


def granted(azure: Azure) -> list[str]:
    return re.findall(
        r"--role (.+?)(?: --condition-version|$)", "\n".join(azure.asked("role assignment create")), re.MULTILINE
    )


def test_the_identity_of_a_preview_may_read_and_ask_what_would_change_only(azure: Azure) -> None:
    for _ in range(2):
        assert run(azure, "grant-pipeline", "preview", PRINCIPAL).returncode == 0
    assert granted(azure) == ["Reader", "Portfolio deployment preview"] * 2
    (role,) = azure["roles"]
    assert json.loads(role)["Actions"] == [
        "Microsoft.Resources/deployments/whatIf/action",
        "Microsoft.Resources/deployments/validate/action",
    ]


def test_the_identity_of_a_deployment_may_assign_only_the_roles_of_the_condition(azure: Azure) -> None:
    assert run(azure, "grant-pipeline", "deploy", PRINCIPAL).returncode == 0
    assert granted(azure) == ["Contributor", "Locks Contributor", "Role Based Access Control Administrator"]
    (constrained,) = [call for call in azure.asked("role assignment create") if "--condition " in call]
    assert (INFRA / "pipeline.condition").read_text().rstrip() in constrained


def test_a_person_who_deploys_by_hand_gets_the_same_roles(azure: Azure) -> None:
    call = [str(ROOT / "scripts" / "grant-pipeline"), "deploy", PRINCIPAL]
    programs = os.environ | azure.programs
    for kind in ("ServicePrincipal", "User"):
        subprocess.run(call, env=programs | {"PRINCIPAL_TYPE": kind}, check=True)
    asked = azure.asked("role assignment create")
    of_identity, of_person = asked[:3], asked[3:]
    assert all("--assignee-principal-type User " in given for given in of_person)
    assert [given.replace("-type ServicePrincipal", "-type User") for given in of_identity] == of_person


def test_the_identity_of_staging_may_read_one_secret_and_write_into_one_database(azure: Azure) -> None:
    done = run(azure, "grant-staging", GROUP, "kv-0", PRINCIPAL)
    assert done.returncode == 0, done.stderr
    (assigned,) = azure.asked("role assignment create")
    assert "--role Key Vault Secrets User" in assigned
    assert assigned.endswith("/vaults/kv-0/secrets/admin-secret")
    (user,) = azure["database_users"]
    assert user["id"] == PRINCIPAL
    assert user["properties"]["roles"] == [{"db": "portfolio", "role": "readWrite"}]
    assert user["properties"]["identityProvider"]["properties"] == {"principalType": "servicePrincipal"}


def test_an_unknown_kind_of_identity_gets_nothing(azure: Azure) -> None:
    done = run(azure, "grant-pipeline", "owner", PRINCIPAL)
    assert (done.returncode, done.stderr) == (1, "preview or deploy, not owner\n")
    assert azure.asked("role assignment create") == []


GH = """
echo "$*" >> "$0.asked"
if [ "$3" = PUT ] || [ "$4" = PUT ]; then cat >> "$0.rules"; echo >> "$0.rules"; fi
case "$*" in *.branch_policies*) [ -z "${KNOWN:-}" ] || printf '%s\\n' $KNOWN ;; esac
"""


def environments(azure: Azure, **variables: str) -> list[str]:
    gh = azure.folder / "bin" / "gh"
    gh.write_text(f"#!/usr/bin/env bash\n{GH}")
    command = [str(ROOT / "scripts" / "create-environments"), "owner/portfolio", "42"]
    done = subprocess.run(
        command, env=os.environ | azure.programs | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["staging-preview", "staging", "production-preview", "production"]
    return (azure.folder / "bin" / "gh.asked").read_text().splitlines()


def test_every_environment_takes_main_and_tags_only_and_production_a_reviewer_too(azure: Azure) -> None:
    asked = environments(azure)
    rules = [json.loads(part) for part in (azure.folder / "bin" / "gh.rules").read_text().split("\n\n") if part.strip()]
    assert [each["reviewers"] for each in rules] == [None, None, None, [{"type": "Team", "id": 42}]]
    assert all(each["deployment_branch_policy"]["custom_branch_policies"] for each in rules)
    posted = [call.partition("environments/")[2] for call in asked if "--method POST" in call]
    assert posted == [
        f"{name}/deployment-branch-policies --raw-field name={rule} --raw-field type={kind}"
        for name in ("staging-preview", "staging", "production-preview", "production")
        for rule, kind in (("main", "branch"), ("v*", "tag"))
    ]


def test_rules_that_are_there_are_not_added_twice(azure: Azure) -> None:
    assert not any("--method POST" in call for call in environments(azure, KNOWN="main v*"))
