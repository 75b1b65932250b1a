"""The commands of the pages have their variables, and each step of a runbook says what to expect."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import missing_server
from tests.infra.afternoon import PACKAGE, REPOSITORY, Afternoon
from tests.infra.azure import OWNER, SECRET, SUBSCRIPTION, Azure
from tests.infra.bicep import INFRA, MAIN, ROOT, template
from tests.infra.test_bicep import ROLES

PAGES = {path.stem: path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
# What somebody who deploys by hand needs for a package and its check.
MAY_DO_THIS = ("Contributor", "Key Vault Secrets Officer")
RUNBOOKS = ["MongoDB", "A secret", "The vault", "The lake", "Losing a region", "A drill"]


def part(text: str, title: str) -> str:
    """Return a part of a page, up to the next title of its level."""
    level = title.partition(" ")[0]
    return text.split(f"\n{title}\n")[1].split(f"\n{level} ", maxsplit=1)[0]


def blocks(text: str) -> list[str]:
    return re.findall(r"```bash\n(.*?)```", text, re.DOTALL)


NAMES = blocks(part(PAGES["operations"], "## Names"))[0]
RESTORING = part(PAGES["operations"], "## Restoring")


def literal_free(block: str) -> str:
    """Return a block without the text in single quotes, where a program in another language has its own variables."""
    kept, quote = [], ""
    for character in re.sub(r"(?m)(^|\s)#\s.*$", "", block):
        if character in "'\"" and quote in ("", character):
            quote = "" if quote else character
        elif quote != "'":
            kept.append(character)
    return "".join(kept)


def assigned(line: str) -> set[str]:
    found = re.findall(r"(?:^|[\s(;])(\w+)=|\bfor (\w+) in|\bread(?: -\w+)*((?: \w+)+)", line)
    return {name for names in found for name in " ".join(names).split()}


def known() -> set[str]:
    """Return the variables that the commands of "Names" set."""
    assert "source <(scripts/deployment-outputs production)" in NAMES
    return template(MAIN).outputs().keys() | assigned_in(NAMES)


def assigned_in(block: str) -> set[str]:
    return {name for line in literal_free(block).splitlines() for name in assigned(line)}


def operator(azure: Azure) -> list[dict[str, str]]:
    """Return the roles of the operators that "Names" needs, where the template gives them."""
    places = {
        "Key Vault Secrets Officer": azure.group("providers/Microsoft.KeyVault/vaults/x"),
        "Website Contributor": azure.group("providers/Microsoft.Web/sites/x"),
        "Monitoring Reader": azure.group(),
    }
    return [
        {"principal": "an operator", "role": role, "scope": scope, "condition": ""} for role, scope in places.items()
    ]


@pytest.mark.parametrize("page", PAGES)
def test_every_variable_of_a_command_is_set_before_it_or_by_the_commands_of_names(page: str) -> None:
    deployed = False
    for section in re.split(r"(?m)^##+ ", PAGES[page]):
        here: set[str] = set()
        for block in blocks(section):
            for line in literal_free(block).splitlines():
                used = set(re.findall(r"\$\{?#?([A-Za-z_]\w*)", line))
                here |= assigned(line)
                deployed = deployed or bool(used & known())
                assert used - here - known() == set(), (section.splitlines()[0], line)
    if deployed and page != "operations":
        assert re.search(r"\"Names\"\s+(?:in|writes|of)", PAGES[page]), page
        assert "(operations.md)" in PAGES[page]


def test_the_variables_are_listed_with_what_they_are() -> None:
    table = part(PAGES["operations"], "## Names").partition("| variable | is |")[2]
    cells = re.findall(r"(?m)^\| (`.+?`) \|", table)
    assert set(re.findall(r"`(\w+)`", "".join(cells))) == known()


def test_the_commands_of_names_set_the_variables_of_an_environment(tmp_path: Path) -> None:
    if shutil.which("jq") is None:
        missing_server("jq is not installed")
    azure = Azure(tmp_path)
    azure.deployed()
    azure.set(assignments=[OWNER, *operator(azure)])
    azure.sign_in("an operator")
    outputs = dict.fromkeys(template(MAIN).outputs(), "x")
    outputs |= {"AZURE_RESOURCE_GROUP": "rg-portfolio-staging", "APP_URL": "https://app.portfolio.dev"}
    azure.set(outputs=outputs, settings={"MONGODB_DATABASE": "portfolio"})
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    commands = NAMES.replace("production", "staging")
    done = subprocess.run(
        ["bash", "-eu", "-c", commands], cwd=tmp_path, env=os.environ | azure.programs, capture_output=True, text=True,  # noqa: S607
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"rg-portfolio-staging https://app.portfolio.dev {len(SECRET)}"
    settings = tmp_path / "settings.json"
    assert json.loads(settings.read_text()) == [{"name": "MONGODB_DATABASE", "value": "portfolio"}]
    assert settings.stat().st_mode & 0o077 == 0


def usages(script: str) -> list[list[str]]:
    """Return the words after the name in each line of a script's usage; those in small letters are meant literally."""
    lines = re.findall(rf"(?m)^#   scripts/{script} (.+?)(?: {{3,}}.*)?$", (ROOT / "scripts" / script).read_text())
    return [line.split() for line in lines]


def fits(words: list[str], usage: list[str]) -> bool:
    literal = (index for index, word in enumerate(usage) if word.islower())
    return len(words) == len(usage) and all(words[index] == usage[index] for index in literal)


@pytest.mark.parametrize("page", PAGES)
def test_a_command_calls_a_script_of_ours_with_its_arguments(page: str) -> None:
    for block in blocks(PAGES[page]):
        # What stands in $(...) is one word; its own calls are looked at by themselves.
        flat = re.sub(r"\$\([^()]*\)", "x", block.replace("\\\n", " "))
        for text in (flat, *re.findall(r"\$\(([^()]*)\)", block)):
            for script, rest in re.findall(r"scripts/([\w-]+)([^\n;|&>)]*)", text):
                words = shlex.split(rest, comments=True)
                found = usages(script)
                assert any(fits(words, usage) for usage in found) or (not words and not found), (script, words)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_command_asks_of_the_app_is_there(tmp_path: Path, page: str) -> None:
    azure = Azure(tmp_path)
    azure.deployed()
    azure.sign_in()
    for block in blocks(PAGES[page]):
        for query in re.findall(r"az functionapp show [^|;&)]*?--query (\S+)", block.replace("\\\n", " ")):
            asked = ["az", "functionapp", "show", "--resource-group", "x", "--name", "func-x", "--query", query]
            done = subprocess.run(
                [*asked, "--output", "tsv"], env=os.environ | azure.programs, capture_output=True, text=True, check=True
            )
            assert done.stdout.strip() not in {"", "None"}, query


@pytest.mark.parametrize("page", PAGES)
def test_a_deployment_that_makes_something_again_is_not_skipped_by_azd_which_compares_its_parameters_only(
    page: str,
) -> None:
    for block in blocks(PAGES[page]):
        before, *deployments = re.split(r"(?m)^ *azd provision\b(?! --preview)", block)
        for options in deployments:
            assert "azd env set " in before or options.startswith(" --no-state\n"), block
            before = options


def test_the_runbooks_are_these() -> None:
    assert re.findall(r"(?m)^### (.+)$", RESTORING) == RUNBOOKS


@pytest.mark.parametrize("title", [*RUNBOOKS, "Lost telemetry"])
def test_each_step_of_a_runbook_has_its_number_a_command_and_what_to_expect(title: str) -> None:
    text = part(RESTORING, f"### {title}") if title in RUNBOOKS else part(PAGES["operations"], f"## {title}")
    intro, *rest = re.split(r"(?m)^(\d+)\. ", text)
    assert re.search(r"For who deploys|For operators|by who deploys", " ".join(intro.split())), "by whom"
    numbers, steps = [int(number) for number in rest[::2]], rest[1::2]
    assert numbers == list(range(1, len(steps) + 1))
    assert len(steps) >= 4
    for number, step in zip(numbers, steps, strict=True):
        assert re.search(r"```bash\n.+?```\s+Expected: \S", step, re.DOTALL), (title, number)


def test_the_cluster_that_is_deleted_is_not_the_one_of_the_newest_deployment() -> None:
    found = [block for page in PAGES.values() for block in blocks(page) if "[?name!='${MONGODB_CLUSTER_ID" in block]
    assert len(found) == 2
    for block in found:
        assert block.index("source <(scripts/deployment-outputs production)") < block.index("[?name!=")
        # Without another cluster there is nothing to delete.
        assert '"$old_cluster"' not in block
        assert '"${old_cluster:?}"' in block


@pytest.mark.parametrize(
    ("newest", "signed_by", "right"),
    [("v1.4.0", "deploy.yml", True), ("v1.4.0", "ci.yml", False), ("with-the-tag-of-anybody", "deploy.yml", False)],
)
def test_in_another_region_only_a_package_is_deployed_that_the_workflow_built_from_a_tag_of_the_team(
    tmp_path: Path, newest: str, signed_by: str, right: bool
) -> None:
    if shutil.which("jq") is None:
        missing_server("jq is not installed")
    step = re.split(r"(?m)^\d+\. ", part(RESTORING, "### Losing a region"))[5]
    azure = Azure(tmp_path, "production-2")
    release = Afternoon(tmp_path, azure, azure)
    for tag, signer in (("v1.3.0", "deploy.yml"), (newest, signed_by)):
        checksum = release.release(tag, tag.encode(), signed_by=signer)
    azure.deployed()
    roles = [{"principal": "an engineer", "role": role, "scope": SUBSCRIPTION, "condition": ""} for role in MAY_DO_THIS]
    azure.set(assignments=roles, package=None)
    azure.sign_in("an engineer")
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    names = dict.fromkeys(template(MAIN).outputs(), "x") | {"AZURE_RESOURCE_GROUP": "rg-portfolio-production-2"}
    places = {"RELEASES": str(release.releases), "GITHUB_REPOSITORY": REPOSITORY, "PATIENCE": "0"}
    # As in a shell that somebody types into, where the next command follows one that failed.
    done = subprocess.run(
        ["bash", "-c", blocks(step)[0]], cwd=tmp_path, env=os.environ | azure.programs | names | places,  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"{PACKAGE}: OK" in done.stdout, done.stderr
    assert ("verification failed" in done.stderr) == (not right)
    assert azure["package"] == (checksum if right else None)


def test_in_another_region_the_public_address_leads_to_the_new_app_before_it_is_asked() -> None:
    _, *rest = re.split(r"(?m)^\d+\. ", part(RESTORING, "### Losing a region"))
    (first, *_) = [number for number, step in enumerate(rest) if "$APP_URL" in "".join(blocks(step))]
    assert any("`publicUrl`" in step and "properties.defaultHostName" in step for step in rest[:first])


# GitHub, and programs that write down how they were called.
FIRST_DEPLOYMENT = """
gh() {
    [ "$1 $2 $3" = "api repos/OWNER/REPOSITORY/actions/oidc/customization/sub --jq" ] || return 1
    jq --raw-output "$4" <<<"$ANSWER"
}
az() { echo "az $*" >> asked; echo "the-id-of-${!#}"; }
"""


@pytest.mark.parametrize("prefix", ["repo:owner/portfolio", "repo:owner@123456/portfolio@456789"])
def test_the_credential_of_a_pipeline_has_the_subject_that_github_gives_its_repository(
    tmp_path: Path, prefix: str
) -> None:
    if shutil.which("jq") is None:
        missing_server("jq is not installed")
    (block,) = [each for each in blocks(PAGES["deployment"]) if "federated-credential create" in each]
    (tmp_path / "scripts").mkdir()
    grant = tmp_path / "scripts" / "grant-pipeline"
    grant.write_text('#!/bin/sh\necho "grant-pipeline $1 $2" >> asked\n')
    grant.chmod(0o755)
    answer = json.dumps({"use_default": True, "use_immutable_subject": False, "sub_claim_prefix": prefix})
    done = subprocess.run(
        ["bash", "-eu", "-c", FIRST_DEPLOYMENT + block], cwd=tmp_path, env=os.environ | {"ANSWER": answer},  # noqa: S607
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    asked = (tmp_path / "asked").read_text()
    named = re.findall(r"--identity-name (\S+) .*--subject (\S+)", asked)
    names = ["staging-preview", "staging", "production-preview", "production"]
    assert named == [(f"id-{name}", f"{prefix}:environment:{name}") for name in names]
    granted = re.findall(r"grant-pipeline (.*)", asked)
    assert granted == ["preview staging", "deploy staging", "preview production", "deploy production"]


TELLING = """
gh() { echo "$*" >> told; }
az() {
    case "$*" in
        "identity show "*clientId*) echo "client-$6" ;;
        "account show "*) echo "$4-here" ;;
        *) return 1 ;;
    esac
}
"""


def test_each_environment_of_github_is_told_every_variable_that_the_workflows_use(tmp_path: Path) -> None:
    if shutil.which("jq") is None:
        missing_server("jq is not installed")
    (block,) = [each for each in blocks(PAGES["deployment"]) if "gh variable set" in each]
    (tmp_path / "infra").symlink_to(ROOT / "infra")
    subprocess.run(["bash", "-eu", "-c", TELLING + block], cwd=tmp_path, check=True)  # noqa: S607
    told = re.findall(
        r"variable set (\w+) --repo OWNER/REPOSITORY --env (\S+) --body (\S+)\n", (tmp_path / "told").read_text()
    )
    used = {
        name
        for path in (ROOT / ".github" / "workflows").glob("*.yml")
        for name in re.findall(r"vars\.(\w+)", path.read_text())
    }
    environments = ["staging-preview", "staging", "production-preview", "production"]
    assert {(name, where) for name, where, _ in told} == {(name, where) for name in used for where in environments}
    assert ("AZURE_CLIENT_ID", "production-preview", "client-id-production-preview") in told
    assert ("AZURE_SUBSCRIPTION_ID", "staging", "id-here") in told
    staging = json.loads((INFRA / "environments" / "staging.json").read_text())["parameters"]
    assert ("AZURE_LOCATION", "staging-preview", staging["location"]["value"]) in told


def test_a_step_that_a_page_refers_to_exists() -> None:
    parts = {
        title: text
        for page in PAGES.values()
        for title, text in re.findall(r"(?ms)^##+ ([^\n]+)\n(.*?)(?=^##|\Z)", page)
    }
    found = []
    for page in PAGES.values():
        text = " ".join(page.split())
        found += [(title, *numbers) for *numbers, title in re.findall(r'steps? (\d+)(?: to (\d+))? of "([^"]+)"', text)]
        found += re.findall(r'"([^"]+)", steps? (\d+)(?: to (\d+))?', text)
    assert len(found) > 8
    for title, *numbers in found:
        for number in filter(None, numbers):
            assert re.search(rf"(?m)^{number}\. ", parts[title]), (title, number)


def test_the_roles_of_the_operators_are_those_that_the_template_gives_them() -> None:
    table = part(PAGES["deployment"], "## Operators")
    documented = re.findall(r"(?m)^\| ([A-Z][\w ]+) \|", table)
    assert sorted(documented) == sorted(ROLES["operators"].values())


def test_the_rights_of_who_deploys_are_in_the_script_that_gives_them_alone() -> None:
    script = (ROOT / "scripts" / "grant-pipeline").read_text().partition("deploy)")[2]
    given = re.findall(r'assign "\S+/\$group" "?([A-Z][A-Za-z -]+?)"?(?: --condition|$)', script, re.MULTILINE)
    assert len(given) == 3
    text = part(PAGES["deployment"], "## Rights of who deploys")
    assert "scripts/grant-pipeline deploy" in text
    assert [role for role in given if role in text] == []
    (call,) = re.findall(r"(\w+)=User scripts/grant-pipeline deploy", text)
    assert f"${{{call}:-ServicePrincipal}}" in (ROOT / "scripts" / "grant-pipeline").read_text()
