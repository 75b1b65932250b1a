"""A simulated afternoon: the shell steps of the workflows, in order, from a tag to production and back.

Each test of a defect brings it back, by the text of a workflow or by what Azure holds, and shows where it is stopped.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from devhost.sample_data import SAMPLE_USERS
from stores.mongo import DocumentDatabase
from tests.conftest import missing_server
from tests.infra.afternoon import PACKAGE, PRODUCTION, Afternoon, an_afternoon
from tests.infra.azure import CLUSTER, PROVEN, SECRET
from tests.infra.bicep import ROOT
from tests.infra.workflow import Result


@pytest.fixture
def first_afternoon(tmp_path: Path, mongodb_url: str, database: DocumentDatabase) -> Iterator[Afternoon]:
    """Yield one before the first deployment, with nobody granted anything."""
    if shutil.which("jq") is None:
        missing_server("jq is not installed")
    databases = {"staging": database.name, PRODUCTION: f"{database.name}_production"}
    with an_afternoon(tmp_path, mongodb_url, databases) as ours:
        yield ours


@pytest.fixture
def afternoon(first_afternoon: Afternoon) -> Afternoon:
    """Return one on which everybody has what the pages have them granted."""
    first_afternoon.grant_all()
    return first_afternoon


def test_a_tag_brings_the_tested_package_to_production(afternoon: Afternoon, database: DocumentDatabase) -> None:
    ran = afternoon.deploy()
    assert ran.failed == [], ran.output
    built = (afternoon.folder / "artifact" / f"{PACKAGE}.sha256").read_text().split()[0]
    assert afternoon.staging["package"] == afternoon.production["package"] == built
    assert database["users"].count_documents({}) == len(SAMPLE_USERS)
    deployed = ran.succeeded.index("staging.deploy: Package"), ran.succeeded.index("production.deploy: Package")
    assert deployed[0] < ran.succeeded.index("staging.deploy: Smoke test") < deployed[1]


def test_its_release_holds_the_package_its_checksum_its_attestation_and_its_contents(afternoon: Afternoon) -> None:
    afternoon.deploy()
    kept = {path.name for path in (afternoon.releases / "v1.4.0").iterdir()}
    assert kept == {PACKAGE, *(f"{PACKAGE}.{kind}" for kind in ("sha256", "sigstore.json", "cdx.json"))}


@pytest.mark.parametrize("begun", [{}, {"gh release edit": "false"}, {"gh release upload": "false"}])
def test_a_release_that_was_begun_or_made_is_completed_by_a_repetition(
    afternoon: Afternoon, begun: dict[str, str]
) -> None:
    afternoon.changed |= begun
    assert afternoon.deploy().failed == (["release: Release"] if begun else [])
    afternoon.changed.clear()
    ran = afternoon.deploy()
    assert ran.failed == [], ran.output
    assert not (afternoon.releases / "v1.4.0" / ".draft").exists()
    assert afternoon.production["package"] == afternoon.staging["package"]


def test_production_waits_for_the_release_and_a_release_keeps_its_package(afternoon: Afternoon) -> None:
    released = afternoon.release("v1.4.0", b"another package")
    stopped_at(afternoon, "release: Release", "v1.4.0 was released with another package, which stays")
    assert afternoon.production["asked"] == []
    assert (afternoon.releases / "v1.4.0" / f"{PACKAGE}.sha256").read_text().startswith(released)


def test_a_deployment_of_a_branch_makes_no_release(afternoon: Afternoon) -> None:
    afternoon.branch = "main"
    ran = afternoon.deploy()
    assert ran.failed == [], ran.output
    assert "release" in ran.skipped
    assert afternoon.production["package"] == afternoon.staging["package"]


def test_production_is_asked_for_no_secret_and_gets_no_sample_user(afternoon: Afternoon) -> None:
    ran = afternoon.deploy()
    assert afternoon.production.asked("keyvault secret") == []
    assert "production.deploy: Sample users" in ran.skipped
    assert len(afternoon.staging.asked("keyvault secret")) == 1
    assert f"::add-mask::{SECRET}\n" in ran.output
    assert SECRET not in ran.output.replace(f"::add-mask::{SECRET}\n", "")


# A job that exceeds its time is canceled, which GitHub does not take for a failure.
NOT_PASSED: list[Result] = ["failure", "cancelled"]


@pytest.mark.parametrize("result", NOT_PASSED)
def test_without_its_checks_nothing_is_deployed(afternoon: Afternoon, result: Result) -> None:
    afternoon.done["checks"] = result
    ran = afternoon.deploy()
    assert {"staging", "release", "production"} <= set(ran.skipped)
    assert afternoon.staging["asked"] == afternoon.production["asked"] == []


@pytest.mark.parametrize("result", NOT_PASSED)
@pytest.mark.parametrize("branch", ["", "main"])
@pytest.mark.parametrize("job", ["staging.what-if", "staging.deploy"])
def test_a_package_that_was_not_tested_in_staging_does_not_reach_production(
    afternoon: Afternoon, job: str, branch: str, result: Result
) -> None:
    afternoon.done[job] = result
    afternoon.branch = branch
    assert {"release", "production"} <= set(afternoon.deploy().skipped)
    assert afternoon.staging["package"] is None
    assert afternoon.production["asked"] == []


@pytest.mark.parametrize("result", NOT_PASSED)
def test_a_package_without_a_release_to_return_to_does_not_reach_production(
    afternoon: Afternoon, result: Result
) -> None:
    afternoon.done["release"] = result
    assert "production" in afternoon.deploy().skipped
    assert afternoon.production["asked"] == []


def stopped_at(afternoon: Afternoon, step: str, message: str, **inputs: object) -> None:
    """Check that a deployment fails in this step, with this message, and does not reach production."""
    ran = afternoon.deploy(**inputs)
    assert ran.failed == [step], ran.output
    assert message in ran.output
    if step.startswith("staging"):
        assert afternoon.production["asked"] == []


def test_a_remote_build_is_stopped(afternoon: Afternoon) -> None:
    afternoon.changed[" --build-remote false"] = ""
    stopped_at(afternoon, "staging.deploy: Package", "remote build timed out")


EXPIRED = "AADSTS700024: Client assertion is not within its valid time range"


def without(step: str) -> dict[str, str]:
    """Return the change of the workflows that leaves out a step."""
    never = "if: ${{ false }}\n"
    return {f"- name: {step}\n": f"- name: {step}\n        {never}", f"{never}        if:": "if: false &&"}


TELEMETRY = "Sign in for the telemetry and the vault of the new version"


@pytest.mark.parametrize(
    ("left_out", "needed_by"),
    [
        (["Sign in for the database"], "staging.deploy: Sample users"),
        (["Sign in for the telemetry"], "production.deploy: Still no run is active"),
        ([TELEMETRY], "staging.deploy: Queries"),
        ([TELEMETRY, "Queries"], "staging.deploy: Admin secret"),
    ],
)
def test_a_step_after_the_end_of_the_assertion_needs_its_own_sign_in(
    afternoon: Afternoon, left_out: list[str], needed_by: str
) -> None:
    for step in left_out:
        afternoon.changed |= without(step)
    stopped_at(afternoon, needed_by, EXPIRED)


def test_a_staging_without_users_is_stopped(afternoon: Afternoon) -> None:
    afternoon.changed |= without("Sample users")
    stopped_at(afternoon, "staging.deploy: Smoke test", "completed: 0 of 0 users analyzed")


def test_timers_that_do_not_fire_are_stopped(afternoon: Afternoon) -> None:
    afternoon.staging.set(timers_fire=False)
    stopped_at(afternoon, "staging.deploy: Timers", "The watchdog has not fired")


def test_timers_that_fire_by_the_database_of_staging_are_not_blamed_for_lost_telemetry(afternoon: Afternoon) -> None:
    afternoon.staging.set(timers_fire=False, watchdog="2027-01-15T14:05:00Z")
    stopped_at(afternoon, "staging.deploy: Timers", "timers of func-staging fire, but its telemetry does not arrive")


def test_silent_timers_of_production_are_told_without_its_secret(afternoon: Afternoon) -> None:
    afternoon.production.set(timers_fire=False, watchdog="2027-01-15T14:05:00Z")
    stopped_at(afternoon, "production.deploy: Timers", "The watchdog has not fired")


def test_a_query_that_cannot_run_is_stopped(afternoon: Afternoon) -> None:
    afternoon.staging.set(queries_fail=True)
    stopped_at(afternoon, "staging.deploy: Queries", "The query run-failed fails")


def test_an_active_run_is_not_interrupted(afternoon: Afternoon) -> None:
    afternoon.staging.deployed()
    afternoon.staging.set(active_runs={"run_20270115_010000_abcd": 13})
    stopped_at(
        afternoon, "staging.deploy: No run is active", "Active in rg-portfolio-staging: run_20270115_010000_abcd."
    )
    assert afternoon.staging.asked("deployment sub create") == []


def test_an_active_run_is_interrupted_on_request(afternoon: Afternoon) -> None:
    for azure in (afternoon.staging, afternoon.production):
        azure.deployed()
        azure.set(active_runs={"run_20270115_010000_abcd": 13})
    assert afternoon.deploy(force=True).failed == []
    assert afternoon.production["package"] == afternoon.staging["package"] != "that of an earlier release"


def test_a_run_that_begins_while_the_infrastructure_is_deployed_is_not_interrupted(afternoon: Afternoon) -> None:
    afternoon.staging.set(runs_meanwhile={"run_20270115_140000_abcd": 0})
    stopped_at(afternoon, "staging.deploy: Still no run is active", "run_20270115_140000_abcd")
    assert afternoon.staging["package"] is None


def test_an_environment_that_was_deleted_is_created_again_with_its_vault_once_it_is_granted_again(
    afternoon: Afternoon,
) -> None:
    afternoon.staging.delete_group()
    stopped_at(afternoon, "staging.deploy: Vault", "AuthorizationFailed")
    afternoon.grant_pipeline(afternoon.staging)
    stopped_at(afternoon, "staging.deploy: Sample users", "Authentication failed")
    assert afternoon.staging["vault_deleted"] is False
    afternoon.grant_staging()
    assert afternoon.deploy().failed == []


def test_without_its_vault_recovered_it_cannot_be_created_again(afternoon: Afternoon) -> None:
    afternoon.staging.set(vault_deleted=True)
    afternoon.changed |= without("Vault")
    stopped_at(afternoon, "staging.deploy: Infrastructure", "already exists in deleted state")


def test_the_budget_keeps_its_start_and_a_new_one_starts_this_month(afternoon: Afternoon) -> None:
    afternoon.production.deployed()
    assert afternoon.deploy().failed == []
    assert (afternoon.staging["budget"], afternoon.production["budget"]) == ("2027-01-01", "2026-12-01")


@pytest.mark.parametrize("start", ["2026-12-01", "2027-01-15"])
def test_a_fixed_start_of_the_budget_is_stopped(afternoon: Afternoon, start: str) -> None:
    afternoon.changed["budgetStartDate=$start"] = f"budgetStartDate={start}"
    stopped_at(afternoon, "staging.what-if: What would change", "Start date should be")


def test_a_preview_that_asks_for_rights_to_write_is_stopped(afternoon: Afternoon) -> None:
    afternoon.changed[" --validation-level ProviderNoRbac"] = ""
    stopped_at(afternoon, "staging.what-if: What would change", "AuthorizationFailed")


def test_the_identity_of_the_preview_cannot_deploy(afternoon: Afternoon) -> None:
    afternoon.changed["environment: ${{ inputs.environment }}\n    permissions"] = (
        "environment: ${{ inputs.environment }}-preview\n    permissions"
    )
    stopped_at(afternoon, "staging.deploy: Infrastructure", "AuthorizationFailed")


# What the identities may do

INFRASTRUCTURE = "staging.deploy: Infrastructure"


@pytest.mark.parametrize(
    ("given", "instead", "step"),
    [
        ('assign "$subscription" Reader', "true", "staging.what-if: What would change"),
        (" Microsoft.Resources/deployments/whatIf/action", "", "staging.what-if: What would change"),
        ("\nMicrosoft.KeyVault/deletedVaults/read", "", "staging.deploy: Vault"),
        (" Microsoft.Resources/deployments/write", "", INFRASTRUCTURE),
        ('"Microsoft.Resources/deployments/read ', '"', INFRASTRUCTURE),
        ('/$group" Contributor', '/$group" Reader', INFRASTRUCTURE),
        ('"Role Based Access Control Administrator" --condition', "Reader --condition", INFRASTRUCTURE),
        ('"Key Vault Secrets User"', "Reader", "staging.deploy: Admin secret"),
        ('"Locks Contributor"', "Reader", "production.deploy: Infrastructure"),
    ],
)
def test_a_role_that_the_scripts_do_not_give_is_missed(
    afternoon: Afternoon, given: str, instead: str, step: str
) -> None:
    texts = "".join((ROOT / "scripts" / name).read_text() for name in ("grant-pipeline", "grant-staging"))
    assert given in texts
    afternoon.changed[given] = instead
    afternoon.grant_all()
    stopped_at(afternoon, step, "AuthorizationFailed")


def test_a_role_of_the_template_that_the_condition_does_not_name_is_missed(afternoon: Afternoon) -> None:
    assignments = afternoon.staging["assignments"]
    for each in assignments:
        each["condition"] = each["condition"].replace("4633458b-17de-408a-b874-0445c86b69e6,", "")
    afternoon.staging.set(assignments=assignments)
    stopped_at(afternoon, "staging.deploy: Infrastructure", "The condition does not allow")


def test_the_identity_of_production_may_not_read_the_secret(afternoon: Afternoon) -> None:
    only_staging = "- name: Admin secret\n        if: inputs.smoke_test == 'dry-run'\n"
    afternoon.changed[only_staging] = "- name: Admin secret\n"
    stopped_at(afternoon, "production.deploy: Admin secret", "AuthorizationFailed")


# The first deployment


def test_the_first_deployment_creates_the_cluster_with_a_password_and_waits_for_what_only_an_owner_may_grant(
    first_afternoon: Afternoon,
) -> None:
    for azure in (first_afternoon.staging, first_afternoon.production):
        first_afternoon.grant_pipeline(azure)
    stopped_at(first_afternoon, "staging.deploy: Sample users", "Authentication failed")
    made = [deployment["name"] for deployment in first_afternoon.staging["deployments"]]
    assert made == ["portfolio-staging.123456.1.cluster", "portfolio-staging.123456.1"]
    first_afternoon.grant_staging()
    ran = first_afternoon.deploy()
    assert ran.failed == [], ran.output
    assert len(first_afternoon.staging["deployments"]) == 3, "a cluster that is there is not created again"
    assert first_afternoon.staging["clusters"][CLUSTER]["password"] is False


def test_a_cluster_that_is_created_without_a_password_is_stopped(first_afternoon: Afternoon) -> None:
    first_afternoon.grant_pipeline(first_afternoon.staging)
    first_afternoon.changed['deploy "$name.cluster" true'] = "true"
    stopped_at(first_afternoon, "staging.deploy: Infrastructure", "NativeAuth must be enabled")


# The package


def test_a_umask_of_the_shell_does_not_reach_the_package(afternoon: Afternoon) -> None:
    afternoon.changed["make package |"] = "umask 077; make package |"
    assert afternoon.deploy().failed == []


def test_a_package_that_the_host_cannot_read_is_stopped(afternoon: Afternoon) -> None:
    afternoon.changed["make package |"] = "umask 077; make package |"
    afternoon.changed["0o100644 << 16"] = "path.stat().st_mode << 16"
    stopped_at(afternoon, "staging.deploy: Timers", "The health of func-staging is 404")


def test_a_bundle_that_floats_brings_one_with_which_no_function_loads_and_is_stopped(afternoon: Afternoon) -> None:
    afternoon.changed[f"[{', '.join(PROVEN)})"] = "[4.*, 5.0.0)"
    stopped_at(afternoon, "staging.deploy: Timers", "The health of func-staging is 404")


def test_a_package_that_changed_on_its_way_is_stopped(afternoon: Afternoon) -> None:
    afternoon.changed["- name: Checksum\n        run: "] = f"- name: Checksum\n        run: echo x >> build/{PACKAGE}; "
    stopped_at(afternoon, "staging.deploy: Checksum", "FAILED")


def test_a_rollback_deploys_the_package_of_a_release_and_nothing_else(afternoon: Afternoon) -> None:
    afternoon.production.deployed()
    earlier = afternoon.release("v1.3.0", b"the package of last month")
    ran = afternoon.roll_back("v1.3.0")
    assert ran.failed == [], ran.output
    assert afternoon.production["package"] == earlier
    assert "rollback.what-if" in ran.skipped
    assert afternoon.production.asked("deployment sub create") == afternoon.staging["asked"] == []


@pytest.mark.parametrize(
    ("tag", "signed_by"),
    [
        ("v1.3.0", "ci.yml"),
        ("v1.3.0", "of-a-branch.yml"),
        # Anybody with push rights can make such a tag, with a workflow of that name that builds anything.
        ("1.3.0", "deploy.yml"),
        ("of-somebody", "deploy.yml"),
    ],
)
def test_a_rollback_refuses_a_package_that_the_deployment_did_not_build_from_a_tag_of_the_team(
    afternoon: Afternoon, tag: str, signed_by: str
) -> None:
    afternoon.production.deployed()
    afternoon.release(tag, b"not of the team", signed_by=signed_by)
    ran = afternoon.roll_back(tag)
    assert ran.failed == ["rollback.deploy: Package of a release"]
    assert "verification failed" in ran.output
    assert afternoon.production["package"] == "that of an earlier release"


def test_a_rollback_does_not_interrupt_a_run_unless_it_is_forced(afternoon: Afternoon) -> None:
    afternoon.production.deployed()
    earlier = afternoon.release("v1.3.0", b"the package of last month")
    afternoon.production.set(active_runs={"run_20270115_010000_abcd": 2})
    assert afternoon.roll_back("v1.3.0").failed == ["rollback.deploy: No run is active"]
    assert afternoon.roll_back("v1.3.0", force=True).failed == []
    assert afternoon.production["package"] == earlier
