"""What a deployment leaves behind of an option that was switched off is in the runbook: it deletes nothing."""

import re

import pytest

from tests.infra.bicep import ROOT
from tests.infra.compiler import Compiler, Values
from tests.infra.parameter_sets import ALL, EVERYTHING, OTHERS, PLAIN, SWITCHED_OFF

PUBLIC = OTHERS["public network"]
# Before and after, by the parameter: within a private network, and where it differs within a public one.
SWITCHES: dict[str, list[tuple[Values, Values]]] = {
    name: [(EVERYTHING, ALL[f"without {name}"])] for name in SWITCHED_OFF if name != "platformSignIn"
}
SWITCHES["network"].append((EVERYTHING | {"natGateway": False}, PUBLIC | {"natGateway": False}))
SWITCHES["natGateway"].append((OTHERS["fixed address, public"], PLAIN))
SWITCHES["mongodb"].append((PUBLIC, PUBLIC | SWITCHED_OFF["mongodb"]))


def documented() -> dict[str, set[str]]:
    """Return the types of resources in each step of the runbook, by the parameter that it begins with."""
    page = (ROOT / "docs" / "deployment.md").read_text()
    section = page.split("\n## Switching things off\n")[1].split("\n## ")[0]
    steps = re.split(r"(?m)^(\d+)\. `(\w+)`", section.split("\n\nIn these commands")[0])[1:]
    assert [int(number) for number in steps[::3]] == list(range(1, len(steps) // 3 + 1))
    text = {
        name: re.sub(r"```bash.*?```", "", found, flags=re.DOTALL)
        for name, found in zip(steps[1::3], steps[2::3], strict=True)
    }
    return {name: set(re.findall(r"`(Microsoft\.[\w/]+)`", found)) for name, found in text.items()}


@pytest.mark.parametrize("name", SWITCHES)
def test_what_a_switched_off_option_leaves_behind_is_in_the_runbook(name: str, compiler: Compiler) -> None:
    left = set()
    for before, after in SWITCHES[name]:
        there, named = compiler.snapshot(before).resources, compiler.snapshot(after).resources
        left |= {found["type"] for key, found in there.items() if key not in named}
    assert documented()[name] == left


def test_the_runbook_has_a_step_for_each_option_that_leaves_something() -> None:
    assert documented().keys() == SWITCHES.keys()


def test_sign_in_that_is_switched_off_is_off_and_without_its_credential(compiler: Compiler) -> None:
    on, off = (compiler.snapshot(ALL[name]) for name in ("everything", "without platformSignIn"))
    assert on.resources.keys() == off.resources.keys()
    assert on.config("authsettingsV2")["platform"] == {"enabled": True}
    settings = off.config("authsettingsV2")
    assert settings["platform"] == {"enabled": False}
    assert settings["identityProviders"]["azureActiveDirectory"]["enabled"] is False
    assert settings["login"]["tokenStore"]["enabled"] is False
    assert on.config("appsettings").keys() - off.config("appsettings").keys() == {
        "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID"
    }


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("redis", "REDIS_URL"),
        ("mongodb", "MONGODB_URL"),
        ("eventGridTopicId", "EVENT_GRID_ENDPOINT"),
        ("lakeEnabled", "LAKE_URL"),
    ],
)
def test_the_app_no_longer_knows_what_is_switched_off(name: str, setting: str, compiler: Compiler) -> None:
    assert compiler.snapshot(EVERYTHING).config("appsettings")[setting] != ""
    assert compiler.snapshot(ALL[f"without {name}"]).config("appsettings")[setting] == ""


def test_the_app_leaves_a_network_that_is_no_longer_its_own(compiler: Compiler) -> None:
    assert compiler.snapshot(OTHERS["fixed address, public"]).one("Microsoft.Web/sites")["properties"][
        "virtualNetworkSubnetId"
    ]
    assert not compiler.snapshot(PLAIN).one("Microsoft.Web/sites")["properties"].get("virtualNetworkSubnetId")
