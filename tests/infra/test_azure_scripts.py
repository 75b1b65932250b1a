"""The scripts that ask and change a subscription, run against the stand-in for the Azure CLI, and those for GitHub."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing_server
from tests.infra.azure import CLUSTER, SUBSCRIPTION, Azure, a_cluster
from tests.infra.bicep import INFRA, MAIN, ROOT, template
from tests.infra.rights import ASSIGN, granting
from tests.infra.workflow import read

GROUP = "rg-portfolio-staging"
PRINCIPAL = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def azure(tmp_path: Path) -> Azure:
    """Return a subscription with an earlier deployment, and a person signed in."""
    if shutil.which("jq") is None:
        missing_server("jq is not installed")
    azure = Azure(tmp_path)
    azure.deployed()
    azure.sign_in()
    return azure


def run(azure: Azure, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return azure.run(script, *arguments)


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
    assert run(azure, "grant-pipeline", "preview", "staging", PRINCIPAL).returncode == 0
    azure.sign_in(PRINCIPAL)
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
    "call",
    [("budget-start-date", "staging"), ("recover-vault", "staging", "westeurope"), ("deployment-outputs", "staging")],
)
def test_an_az_that_fails_fails_the_script_with_its_own_message(azure: Azure, call: tuple[str, ...]) -> None:
    azure.set(signed_in=None)
    done = run(azure, *call)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "ERROR: Please run 'az login' to setup account.\n")


@pytest.mark.parametrize("group", [True, False])
def test_a_deleted_vault_is_recovered_into_its_group_which_is_created_if_it_is_gone(azure: Azure, group: bool) -> None:
    azure.set(vault_deleted=True, group=group)
    done = run(azure, "recover-vault", "staging", "westeurope")
    assert (done.returncode, done.stdout) == (0, "Recovered kv-0 with its secrets\n")
    assert (azure["vault_deleted"], azure["group"]) == (False, True)
    created = azure.asked("group create")
    assert len(created) == (0 if group else 1)
    assert all("azd-env-name=staging application=portfolio-analysis" in call for call in created)


def test_a_vault_is_found_by_either_name_of_its_region(azure: Azure) -> None:
    azure.set(vault_deleted=True)
    done = run(azure, "recover-vault", "staging", "West Europe")
    assert (done.returncode, done.stdout) == (0, "Recovered kv-0 with its secrets\n")


def test_without_a_deleted_vault_of_the_environment_nothing_is_recovered(azure: Azure) -> None:
    done = run(azure, "recover-vault", "staging", "westeurope")
    assert (done.returncode, done.stdout) == (0, "No deleted vault of staging in westeurope\n")
    assert azure.asked("keyvault recover") == []


def test_of_two_deleted_vaults_that_could_be_the_one_none_is_recovered(azure: Azure) -> None:
    azure.set(vault_deleted=True, other_vault_is_ours=True)
    done = run(azure, "recover-vault", "staging", "westeurope")
    assert (done.returncode, done.stderr) == (
        1,
        "Which one is the vault of staging? Recover it yourself: kv-3, kv-0\n",
    )
    assert azure.asked("keyvault recover") == []


def test_the_outputs_are_told_under_their_own_names_to_who_may_read_the_group_only(azure: Azure) -> None:
    names = template(MAIN).outputs().keys()
    azure.set(outputs=dict.fromkeys(names, "a value"))
    done = run(azure, "deployment-outputs", "staging")
    assert sorted(done.stdout.splitlines()) == sorted(f"{name}='a value'" for name in names)
    assert all(call.startswith("deployment group ") for call in azure["asked"])


TROUBLESOME = 'it\'s in West Europe; $(touch made) `touch made` $HOME \\ "*"'


def test_a_shell_gets_the_outputs_as_they_are_whatever_is_in_them(azure: Azure) -> None:
    azure.set(outputs={"AZURE_LOCATION": TROUBLESOME, "APP_URL": "https://app.portfolio.dev", "OUTBOUND_ADDRESS": ""})
    (azure.folder / "scripts").symlink_to(ROOT / "scripts")
    source = "set -a; source <(scripts/deployment-outputs production); set +a"
    assert source in (ROOT / "docs" / "operations.md").read_text()
    shown = "jq --null-input '[env.AZURE_LOCATION, env.APP_URL, env.OUTBOUND_ADDRESS]'"
    done = subprocess.run(
        ["bash", "-eu", "-c", f"{source.replace('production', 'staging')}\n{shown}"],  # noqa: S607
        cwd=azure.folder, env=os.environ | azure.programs, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [TROUBLESOME, "https://app.portfolio.dev", ""]
    assert not (azure.folder / "made").exists()


def test_a_pipeline_gets_the_outputs_without_quotes_which_would_be_part_of_the_values(azure: Azure) -> None:
    azure.set(outputs={"AZURE_LOCATION": "West Europe", "OUTBOUND_ADDRESS": ""})
    done = run(azure, "deployment-outputs", "staging", "github")
    assert (done.returncode, done.stdout) == (0, "AZURE_LOCATION=West Europe\nOUTBOUND_ADDRESS=\n")


@pytest.mark.parametrize("deployments", [[], [{"name": "portfolio-staging.1.1", "state": "Running", "timestamp": 0}]])
def test_before_a_deployment_has_succeeded_there_are_no_outputs(azure: Azure, deployments: list[object]) -> None:
    azure.set(deployments=deployments)
    done = run(azure, "deployment-outputs", "staging")
    assert (done.returncode, done.stderr) == (1, "No deployment of staging has succeeded yet\n")


def granted(azure: Azure) -> list[tuple[str, str]]:
    """Return the roles that were given, each with its place in the subscription."""
    given = [each for each in azure["assignments"] if each["principal"] == PRINCIPAL]
    return [(each["role"], each["scope"].removeprefix(SUBSCRIPTION)) for each in given]


OF_THE_GROUP = f"/resourceGroups/{GROUP}"
ENDING = SUBSCRIPTION.rpartition("/")[2]


def test_the_identity_of_a_preview_may_read_and_ask_what_would_change_only(azure: Azure) -> None:
    for _ in range(2):
        assert run(azure, "grant-pipeline", "preview", "staging", PRINCIPAL).returncode == 0
    name = f"Portfolio deployment preview of {ENDING}"
    assert granted(azure) == [("Reader", ""), (name, "")]
    assert azure["custom_roles"] == {
        name: ["Microsoft.Resources/deployments/validate/action", "Microsoft.Resources/deployments/whatIf/action"]
    }


@pytest.mark.parametrize("group", [True, False])
def test_the_identity_of_a_deployment_may_change_its_own_resource_group_and_assign_only_the_roles_of_the_condition(
    azure: Azure, group: bool
) -> None:
    azure.set(group=group)
    for _ in range(2):
        assert run(azure, "grant-pipeline", "deploy", "staging", PRINCIPAL).returncode == 0
    assert azure["group"] is True
    assert granted(azure) == [
        (f"Portfolio deployment of {ENDING}", ""),
        ("Contributor", OF_THE_GROUP),
        ("Locks Contributor", OF_THE_GROUP),
        ("Role Based Access Control Administrator", OF_THE_GROUP),
    ]
    conditions = {each["role"]: each["condition"] for each in azure["assignments"] if each["condition"]}
    assert conditions == {
        "Role Based Access Control Administrator": (INFRA / "pipeline.condition").read_text().rstrip()
    }


def test_the_group_of_an_environment_that_only_azd_knows_is_created_by_hand_before_its_roles(azure: Azure) -> None:
    trial = Azure(azure.folder / "trial", "trial")
    trial.sign_in()
    done = run(trial, "grant-pipeline", "deploy", "trial", PRINCIPAL)
    assert done.returncode == 1
    told, command = done.stderr.splitlines()
    assert told.startswith("rg-portfolio-trial is not there, and there is no infra/environments/trial.json")
    assert command.startswith("az group create --name rg-portfolio-trial --location REGION --tags azd-env-name=trial ")
    assert (trial["custom_roles"], granted(trial)) == ({}, [])
    create = ["bash", "-c", command.replace("REGION", "westeurope")]
    subprocess.run(create, cwd=trial.folder, env=os.environ | trial.programs, check=True)
    done = run(trial, "grant-pipeline", "deploy", "trial", PRINCIPAL)
    assert (done.returncode, done.stderr) == (0, "")
    assert ("Contributor", "/resourceGroups/rg-portfolio-trial") in granted(trial)


@pytest.mark.parametrize("what", ["preview", "deploy"])
def test_a_role_of_an_earlier_version_gets_the_actions_of_this_one(azure: Azure, what: str) -> None:
    assert run(azure, "grant-pipeline", what, "staging", PRINCIPAL).returncode == 0
    ((name, actions),) = azure["custom_roles"].items()
    azure.set(custom_roles={name: ["Microsoft.Resources/deployments/read"]})
    done = run(azure, "grant-pipeline", what, "staging", PRINCIPAL)
    assert (done.returncode, done.stderr) == (0, "")
    assert azure["custom_roles"] == {name: actions}


@pytest.mark.parametrize(
    "action",
    ["Microsoft.Web/sites/write", "Microsoft.Web/sites/delete", "Microsoft.Authorization/locks/delete", ASSIGN],
)
def test_the_identity_of_staging_cannot_change_production_in_the_same_subscription(azure: Azure, action: str) -> None:
    assert run(azure, "grant-pipeline", "deploy", "staging", PRINCIPAL).returncode == 0

    def may(group: str) -> bool:
        scope = f"{SUBSCRIPTION}/resourceGroups/{group}"
        return bool(granting(action, scope, PRINCIPAL, azure["assignments"], azure["custom_roles"]))

    assert (may(GROUP), may("rg-portfolio-production")) == (True, False)


@pytest.mark.parametrize(
    ("command", "asks"),
    [
        ('az role assignment list --assignee "$old_group" --all', "Microsoft.Authorization/roleAssignments/read"),
        # It also names each role.
        ('az role assignment list --assignee "$old_group" --all', "Microsoft.Authorization/roleDefinitions/read"),
        ('az resource delete --ids "${old_cluster:?}"', "Microsoft.Resources/subscriptions/providers/read"),
        ("az resource list --resource-group", "Microsoft.Resources/subscriptions/resources/read"),
    ],
)
def test_who_deploys_may_ask_in_the_subscription_what_commands_of_the_page_ask_there(
    azure: Azure, command: str, asks: str
) -> None:
    assert command in (ROOT / "docs" / "deployment.md").read_text()
    assert run(azure, "grant-pipeline", "deploy", "staging", PRINCIPAL).returncode == 0
    there = (SUBSCRIPTION, PRINCIPAL, azure["assignments"], azure["custom_roles"])
    assert granting(asks, *there)
    assert not granting(asks.replace("/read", "/write"), *there)


@pytest.mark.parametrize("what", ["preview", "deploy"])
def test_an_identity_that_has_rights_in_the_whole_subscription_is_told(azure: Azure, what: str) -> None:
    wide = {"principal": PRINCIPAL, "role": "Contributor", "scope": SUBSCRIPTION, "condition": ""}
    azure.set(assignments=[*azure["assignments"], wide])
    done = run(azure, "grant-pipeline", what, "staging", PRINCIPAL)
    assert done.returncode == 1
    assert "in the whole subscription, and so in other environments: Contributor. Delete them." in done.stderr


@pytest.mark.parametrize(
    ("kind", "role", "may"),
    [
        ("User", "Reader", True),
        ("Group", "Reader", True),
        ("User", "Contributor", False),
        ("ServicePrincipal", "Reader", False),
    ],
)
def test_a_person_who_deploys_by_hand_may_read_the_whole_subscription(
    azure: Azure, kind: str, role: str, may: bool
) -> None:
    wide = {"principal": PRINCIPAL, "role": role, "scope": SUBSCRIPTION, "condition": ""}
    azure.set(assignments=[*azure["assignments"], wide])
    done = azure.run("grant-pipeline", "deploy", "staging", PRINCIPAL, PRINCIPAL_TYPE=kind)
    assert (done.returncode == 0) == may
    assert (f"other environments: {role}. Delete them." in done.stderr) == (not may)


def test_a_person_who_deploys_by_hand_gets_the_same_roles(azure: Azure) -> None:
    for kind in ("ServicePrincipal", "User"):
        done = azure.run("grant-pipeline", "deploy", "staging", PRINCIPAL, PRINCIPAL_TYPE=kind)
        assert done.returncode == 0, done.stderr
    asked = azure.asked("role assignment create")
    of_identity, of_person = asked[:4], asked[4:]
    assert all("--assignee-principal-type User " in given for given in of_person)
    assert [given.replace("-type ServicePrincipal", "-type User") for given in of_identity] == of_person


@pytest.mark.parametrize("what", ["preview", "deploy"])
def test_a_second_subscription_has_roles_of_its_own_because_names_are_unique_in_a_tenant(
    azure: Azure, tmp_path: Path, what: str
) -> None:
    assert run(azure, "grant-pipeline", what, "staging", PRINCIPAL).returncode == 0
    second = Azure(tmp_path / "second")
    other = "/subscriptions/11111111-1bf0-4dda-aec3-cb9272f09590"
    owner = {"principal": "an owner", "role": "Owner", "scope": other, "condition": ""}
    second.set(subscription=other, assignments=[owner], roles_of_other_subscriptions=list(azure["custom_roles"]))
    second.sign_in()
    done = run(second, "grant-pipeline", what, "staging", PRINCIPAL)
    assert (done.returncode, done.stderr) == (0, "")
    assert second["custom_roles"].keys().isdisjoint(azure["custom_roles"])


def with_outputs(azure: Azure, cluster: str) -> None:
    user = azure.group("providers/Microsoft.DocumentDB/mongoClusters", cluster, "users/id-app") if cluster else ""
    outputs = {"AZURE_RESOURCE_GROUP": GROUP, "AZURE_KEY_VAULT_NAME": "kv-0", "MONGODB_APP_USER_ID": user}
    azure.set(outputs=outputs)


@pytest.mark.parametrize(("database", "role"), [("portfolio", "readWrite"), ("trial", "readWrite"), ("admin", "root")])
def test_the_identity_of_staging_may_read_one_secret_and_has_the_apps_right_in_the_cluster_that_is_deployed(
    azure: Azure, database: str, role: str
) -> None:
    azure.set(clusters={CLUSTER: a_cluster(), "mongo-restored": a_cluster(database, role)})
    with_outputs(azure, "mongo-restored")
    done = run(azure, "grant-staging", PRINCIPAL)
    assert done.returncode == 0, done.stderr
    vault = f"{OF_THE_GROUP}/providers/Microsoft.KeyVault/vaults/kv-0"
    assert granted(azure) == [("Key Vault Secrets User", f"{vault}/secrets/admin-secret")]
    assert PRINCIPAL not in azure["clusters"][CLUSTER]["users"]
    assert azure["clusters"]["mongo-restored"]["users"][PRINCIPAL] == {
        "properties": {
            "identityProvider": {"type": "MicrosoftEntraID", "properties": {"principalType": "servicePrincipal"}},
            "roles": [{"db": database, "role": role}],
        }
    }


def test_without_a_cluster_of_its_own_the_identity_of_staging_gets_no_user(azure: Azure) -> None:
    with_outputs(azure, "")
    done = run(azure, "grant-staging", PRINCIPAL)
    assert done.returncode == 1
    assert done.stderr == "Staging has no cluster of its own: give the identity a user in its database\n"


def test_an_unknown_kind_of_identity_gets_nothing(azure: Azure) -> None:
    done = run(azure, "grant-pipeline", "owner", "staging", PRINCIPAL)
    assert (done.returncode, done.stderr) == (1, "preview or deploy, not owner\n")
    assert granted(azure) == []


def parameters(azure: Azure, environment: str, **changed: object) -> None:
    """Check the repository out, with these parameters of an environment."""
    given = json.loads((INFRA / "environments" / f"{environment}.json").read_text())
    given["parameters"] |= {name: {"value": value} for name, value in changed.items()}
    folder = azure.folder / "infra" / "environments"
    folder.mkdir(parents=True)
    (folder / f"{environment}.json").write_text(json.dumps(given))
    shutil.copytree(ROOT / "scripts", azure.folder / "scripts")


def deploy_staging(azure: Azure, name: str = "portfolio-staging.7.1") -> subprocess.CompletedProcess[str]:
    return azure.run("deploy-infrastructure", "staging", "westeurope", name, scripts=azure.folder / "scripts")


@pytest.mark.parametrize(
    ("changed", "clusters", "signs_in"),
    [
        ({}, {}, ["true", "false"]),
        ({}, {CLUSTER: {}}, ["false"]),
        ({}, {"mongo-of-others": {}}, ["true", "false"]),
        ({}, {CLUSTER: {"state": "Failed"}}, ["true", "false"]),
        ({"mongodbClusterName": "restored"}, {CLUSTER: {}, "restored": {}}, ["false"]),
        ({"mongodbClusterName": "restored"}, {CLUSTER: {}}, ["true", "false"]),
        ({"mongodb": "given"}, {}, ["false"]),
    ],
)
def test_only_a_deployment_that_creates_the_cluster_lets_a_password_sign_in_and_the_next_one_ends_it(
    azure: Azure, changed: dict[str, object], clusters: dict[str, dict[str, Any]], signs_in: list[str]
) -> None:
    parameters(azure, "staging", **changed)
    azure.set(clusters={name: a_cluster() | state for name, state in clusters.items()})
    done = deploy_staging(azure)
    assert (done.returncode, done.stderr) == (0, "")
    asked = azure.asked("deployment sub create")
    assert [call.rpartition("mongodbPasswordSignIn=")[2].split()[0] for call in asked] == signs_in
    assert " --name portfolio-staging.7.1 " in asked[-1]


def test_a_pipeline_can_deploy_when_the_history_of_the_subscription_is_full(azure: Azure) -> None:
    assert run(azure, "grant-pipeline", "deploy", "staging", PRINCIPAL).returncode == 0
    azure.sign_in(PRINCIPAL)
    parameters(azure, "staging", mongodb="given")
    earlier = [{"name": f"portfolio-staging.{run}.1", "state": "Succeeded", "timestamp": 0} for run in range(799)]
    azure.set(deployments=earlier)
    for number in (800, 801):
        done = deploy_staging(azure, f"portfolio-staging.{number}.1")
        assert (done.returncode, done.stderr) == (0, "")
    assert azure["deployments"][-1]["name"] == "portfolio-staging.801.1"


@pytest.mark.parametrize("failing", ["group exists", "resource list"])
def test_an_az_that_cannot_tell_whether_a_cluster_is_there_stops_the_deployment(azure: Azure, failing: str) -> None:
    parameters(azure, "staging")
    az = azure.folder / "bin" / "az"
    az.rename(azure.folder / "bin" / "az-of-stand-in")
    refuses = f'case "$*" in "{failing}"*) echo "ERROR: az" >&2; exit 1 ;; esac'
    az.write_text(f'#!/usr/bin/env bash\n{refuses}\nexec "$0-of-stand-in" "$@"\n')
    az.chmod(0o755)
    done = deploy_staging(azure)
    assert (done.returncode, done.stderr) == (1, "ERROR: az\n")
    assert azure.asked("deployment sub create") == []


# A repository of GitHub that keeps what it is told in files.
GH = """
echo "$*" >> "$0.asked"
case "$*" in
    *" --input -") cat >> "$0.told"; echo >> "$0.told" ;;
    *"--method "*) ;;
    *) [ -z "${KNOWN:-}" ] || printf '%s\\n' "$KNOWN" ;;
esac
"""


def run_on_github(
    azure: Azure, script: str, known: str, environments: tuple[str, ...] = ("production", "staging")
) -> subprocess.CompletedProcess[str]:
    """Run a script in a checkout that has parameters of these environments."""
    gh = azure.folder / "bin" / "gh"
    gh.write_text(f"#!/usr/bin/env bash\n{GH}")
    folder = azure.folder / "infra" / "environments"
    folder.mkdir(parents=True)
    for name in environments:
        (folder / f"{name}.json").write_text("{}")
    (azure.folder / ".github").symlink_to(ROOT / ".github")
    scripts = shutil.copytree(ROOT / "scripts", azure.folder / "scripts")
    return azure.run(script, "owner/portfolio", "42", scripts=scripts, KNOWN=known)


def on_github(azure: Azure, script: str, known: str = "") -> tuple[list[str], list[Any], list[str]]:
    """Run a script and return the calls that change something, what they tell, and what the script says."""
    done = run_on_github(azure, script, known)
    assert done.returncode == 0, done.stderr
    asked, told = (azure.folder / "bin" / f"gh.{name}" for name in ("asked", "told"))
    calls = [call for call in asked.read_text().splitlines() if "--method" in call]
    bodies = [json.loads(part) for part in told.read_text().split("\n\n") if part.strip()]
    return calls, bodies, done.stdout.splitlines()


ENVIRONMENTS = ["production-preview", "production", "staging-preview", "staging"]


def test_every_environment_takes_main_and_tags_only_and_a_reviewer_where_something_may_be_changed(azure: Azure) -> None:
    calls, rules, said = on_github(azure, "create-environments")
    assert said == ENVIRONMENTS
    team = [{"type": "Team", "id": 42}]
    assert [each["reviewers"] for each in rules] == [None, team, None, team]
    assert all(each["deployment_branch_policy"]["custom_branch_policies"] for each in rules)
    posted = [call.partition("environments/")[2] for call in calls if "--method POST" in call]
    assert posted == [
        f"{name}/deployment-branch-policies --raw-field name={rule} --raw-field type={kind}"
        for name in ENVIRONMENTS
        for rule, kind in (("main", "branch"), ("v*", "tag"))
    ]


def test_an_environment_in_another_region_gets_its_two_of_github_as_well(azure: Azure) -> None:
    done = run_on_github(azure, "create-environments", "", environments=("production", "production-2", "staging"))
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == sorted([*ENVIRONMENTS, "production-2-preview", "production-2"])


def test_rules_that_are_there_are_not_added_twice(azure: Azure) -> None:
    calls, _, _ = on_github(azure, "create-environments", known="main:branch\nv*:tag")
    assert not any("--method POST" in call for call in calls)


def test_a_rule_that_lets_others_use_an_environment_is_told(azure: Azure) -> None:
    done = run_on_github(azure, "create-environments", known="main:branch\nv*:branch\n*:branch\nv*:tag")
    assert done.returncode == 1
    told = [f"{name} may also be used by v*:branch, *:branch: delete these rules" for name in ENVIRONMENTS]
    assert done.stderr.splitlines() == told


def test_the_rulesets_let_only_reviewed_and_checked_changes_into_main(azure: Azure) -> None:
    calls, rulesets, said = on_github(azure, "create-rulesets")
    assert said == [each["name"] for each in rulesets]
    assert all("--method POST repos/owner/portfolio/rulesets --input -" in call for call in calls)
    (main,) = [each for each in rulesets if each["target"] == "branch"]
    assert main["conditions"]["ref_name"] == {"include": ["refs/heads/main"], "exclude": []}
    rules = {rule["type"]: rule.get("parameters") for rule in main["rules"]}
    assert {"deletion", "non_fast_forward"} <= rules.keys()
    assert rules["pull_request"]["required_approving_review_count"] == 1
    required = {check["context"] for check in rules["required_status_checks"]["required_status_checks"]}
    assert required == read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"].keys()
    assert main["bypass_actors"] == []


def test_the_rulesets_let_only_the_team_create_tags_and_nobody_move_one(azure: Azure) -> None:
    _, rulesets, _ = on_github(azure, "create-rulesets")
    tags = [each for each in rulesets if each["target"] == "tag"]
    assert all(each["conditions"]["ref_name"]["include"] == ["refs/tags/v*"] for each in tags)
    assert all(each["enforcement"] == "active" for each in rulesets)
    team = [{"actor_id": 42, "actor_type": "Team", "bypass_mode": "always"}]
    assert {rule["type"]: each["bypass_actors"] for each in tags for rule in each["rules"]} == {
        "creation": team,
        "update": [],
        "deletion": [],
    }


def test_a_ruleset_that_is_there_is_renewed(azure: Azure) -> None:
    calls, _, _ = on_github(azure, "create-rulesets", known="7 another\n8 tags v* stay where they are")
    renewed = [call for call in calls if "--method PUT" in call]
    assert renewed == ["api --silent --method PUT repos/owner/portfolio/rulesets/8 --input -"]
    assert len(calls) == 3
