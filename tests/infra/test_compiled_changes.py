"""What a deployment leaves behind of a changed option, in either direction, is on the page: it deletes nothing."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.infra.bicep import MAIN, ROOT, Tree, decorator, module, template
from tests.infra.compiler import Compiler, Values
from tests.infra.parameter_sets import ALL, EVERYTHING, GROUP, HUB, OTHERS, PERSON, PLAIN, SUBNETS, SWITCHED_OFF, TOPIC

PUBLIC = OTHERS["public network"]
NO_GATEWAY = {"natGateway": False}
EMPTY, GIVEN, ANOTHER = "empty", "given", "another"


def each(changes: dict[str, Values], contexts: tuple[Values, ...] = (EVERYTHING, PUBLIC)) -> list[dict[str, Values]]:
    return [{position: {**context, **change} for position, change in changes.items()} for context in contexts]


def named(parameter: str, given: object, another: object, empty: object = "") -> list[dict[str, Values]]:
    return each({EMPTY: {parameter: empty}, GIVEN: {parameter: given}, ANOTHER: {parameter: another}})


# The positions of each parameter of which a change leaves something, in a private network and in a public one.
CHANGES: dict[str, list[dict[str, Values]]] = {
    "deleteLocks": each({"true": {}, "false": SWITCHED_OFF["deleteLocks"]}),
    "operatorsGroupId": named("operatorsGroupId", GROUP, PERSON),
    "mongodbAdministratorIds": named("mongodbAdministratorIds", [PERSON], [GROUP], []),
    "eventGridTopicId": named("eventGridTopicId", TOPIC, f"{TOPIC}-2"),
    "durableBackend": each({"scheduler": {}, "storage": SWITCHED_OFF["durableBackend"]}),
    "redis": each({"managed": {}, "none": SWITCHED_OFF["redis"]}),
    "mongodb": each({"cluster": {}, "given": SWITCHED_OFF["mongodb"]}),
    "mongodbClusterName": named("mongodbClusterName", "mongo-restored", "mongo-restored-again"),
    "natGateway": each({"true": {}, "false": NO_GATEWAY}),
    "network": each(
        {value: {"network": value} for value in ("public", "private-dependencies", "private")},
        (EVERYTHING, EVERYTHING | NO_GATEWAY),
    ),
    "appSubnetId": [
        *each(
            {
                EMPTY: {},
                GIVEN: NO_GATEWAY | {"appSubnetId": f"{SUBNETS}/app", "endpointsSubnetId": f"{SUBNETS}/endpoints"},
                ANOTHER: NO_GATEWAY
                | {"appSubnetId": f"{SUBNETS}/app-2", "endpointsSubnetId": f"{SUBNETS}/endpoints-2"},
            },
            (EVERYTHING,),
        ),
        *each({EMPTY: {}, GIVEN: NO_GATEWAY | {"appSubnetId": f"{SUBNETS}/app"}}, (PUBLIC,)),
    ],
    "dnsZonesGroupId": each(
        {EMPTY: {}, GIVEN: {"dnsZonesGroupId": HUB}, ANOTHER: {"dnsZonesGroupId": f"{HUB}-2"}}, (EVERYTHING,)
    ),
}
CHANGED_WITH_ANOTHER = {"endpointsSubnetId"}

_NETWORK, _INSIGHTS = "Microsoft.Network", "Microsoft.Insights"
_CLUSTER, _CACHE, _SCHEDULER = (
    "Microsoft.DocumentDB/mongoClusters",
    "Microsoft.Cache/redisEnterprise",
    "Microsoft.DurableTask/schedulers",
)
# The words of the page: the types of resources that each stands for, and the command that deletes these.
WORDS = {
    "alerts": ({f"{_INSIGHTS}/metricAlerts"}, "az monitor metrics alert delete"),
    "cache": (
        {
            _CACHE,
            f"{_CACHE}/databases",
            f"{_CACHE}/databases/accessPolicyAssignments",
            f"{_INSIGHTS}/diagnosticSettings",
        },
        "az resource delete",
    ),
    "cluster": ({_CLUSTER, f"{_CLUSTER}/users", f"{_INSIGHTS}/diagnosticSettings"}, "az resource delete"),
    "endpoints": (
        {f"{_NETWORK}/privateEndpoints", f"{_NETWORK}/privateEndpoints/privateDnsZoneGroups"},
        "az network private-endpoint delete",
    ),
    "firewall rule": ({f"{_CLUSTER}/firewallRules"}, "az resource delete"),
    "locks": ({"Microsoft.Authorization/locks"}, "az lock delete"),
    "NAT gateway": ({f"{_NETWORK}/natGateways"}, "az network nat gateway delete"),
    "network": ({f"{_NETWORK}/virtualNetworks"}, "az network vnet delete"),
    "public address": ({f"{_NETWORK}/publicIPAddresses"}, "az network public-ip delete"),
    "role assignments": ({"Microsoft.Authorization/roleAssignments"}, "az role assignment delete"),
    "scheduler": ({_SCHEDULER, f"{_SCHEDULER}/taskHubs"}, "az resource delete"),
    "users": ({f"{_CLUSTER}/users"}, "az resource delete"),
    "zones": (
        {f"{_NETWORK}/privateDnsZones", f"{_NETWORK}/privateDnsZones/virtualNetworkLinks"},
        "az network private-dns zone delete",
    ),
}


class Row(NamedTuple):
    """A row of the page's table, for one change."""

    parameter: str
    before: str
    after: str
    words: list[str]
    step: int


def section() -> str:
    page = (ROOT / "docs" / "deployment.md").read_text()
    return page.split("\n## What a change leaves behind\n")[1].split("\n## ")[0]


def rows() -> Iterator[Row]:
    for parameter, changes, words, step in re.findall(r"(?m)^\| `(\w+)` \| (.+?) \| (.+?) \| (\d+) \|$", section()):
        for change in changes.replace("`", "").split("; "):
            before, after = change.split(" to ")
            yield Row(parameter, before, after, words.split(", "), int(step))


def steps() -> dict[int, str]:
    """Return the commands of each step."""
    found = re.split(r"(?m)^(\d+)\. ", section())[1:]
    commands = ["".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)) for text in found[1::2]]
    assert [int(number) for number in found[::2]] == list(range(1, len(commands) + 1))
    return dict(enumerate(commands, 1))


def left(compiler: Compiler, before: Values, after: Values) -> set[str]:
    there, named = compiler.snapshot(before).resources, compiler.snapshot(after).resources
    return {found["type"] for key, found in there.items() if key not in named}


@pytest.mark.parametrize("parameter", CHANGES)
def test_what_a_changed_option_leaves_behind_is_on_the_page_in_either_direction(
    parameter: str, compiler: Compiler
) -> None:
    stays: dict[tuple[str, str], set[str]] = {}
    for positions in CHANGES[parameter]:
        for before, there in positions.items():
            for after, here in positions.items():
                if before not in {after, ANOTHER} and (before, after) != (EMPTY, ANOTHER):
                    stays[before, after] = stays.get((before, after), set()) | left(compiler, there, here)
    documented = {
        (row.before, row.after): set().union(*(WORDS[word][0] for word in row.words))
        for row in rows()
        if row.parameter == parameter
    }
    assert documented == {change: types for change, types in stays.items() if types}


def test_no_other_option_leaves_anything_behind(compiler: Compiler) -> None:
    asked = template(MAIN).parameters()
    others = {name: another(name, found) for name, found in asked.items() if has_positions(found)}
    harmless = {name: value for name, value in others.items() if name not in CHANGES}
    assert len(harmless) > 20
    changed = {**EVERYTHING, **harmless}
    assert {row.parameter for row in rows()} == CHANGES.keys()
    for one, other in ((EVERYTHING, changed), (changed, EVERYTHING)):
        assert left(compiler, one, other) == set()


def has_positions(parameter: Tree) -> bool:
    """Return whether the parameter switches something, rather than say how large or long it is."""
    allowed = decorator(parameter, "allowed")
    return parameter["type"] == "bool" or parameter["default"] in ("", []) or bool(allowed)


# Where the position of EVERYTHING is that of a parameter without a value.
SAMPLES: Values = {
    "alertWebhooks": ["https://pager.portfolio.dev/alerts"],
    "alertTextMessages": ["1 5551234567"],
    "alertCalls": ["1 5551234567"],
    "jwtIssuer": "https://backend.portfolio.dev",
}


def another(name: str, parameter: Tree) -> object:
    """Return a value of the parameter that it does not have in EVERYTHING."""
    now = EVERYTHING.get(name, parameter["default"])
    if name in CHANGED_WITH_ANOTHER:
        return now
    if parameter["type"] == "bool":
        return not now
    if allowed := decorator(parameter, "allowed"):
        return next(value for value in allowed if value not in {now, "csv"})
    if now != parameter["default"]:
        return parameter["default"]
    return SAMPLES[name] if name not in CHANGES else now


def test_each_step_deletes_what_its_rows_say_that_stays() -> None:
    commands = steps()
    assert {row.step for row in rows()} == commands.keys()
    for row in rows():
        assert [word for word in row.words if WORDS[word][1] not in commands[row.step]] == [], row


def test_the_names_in_the_commands_are_those_of_the_resources(compiler: Compiler) -> None:
    text = "".join(steps().values()) + (ROOT / "docs" / "operations.md").read_text()
    there = {
        part
        for context in (EVERYTHING, PUBLIC)
        for found in compiler.snapshot(context).resources.values()
        for part in found["name"].split("/")
    }
    used = re.findall(r"(?:--name |name==')(pe-\w+)|--(?:zone-)?name (privatelink[\w.]+)", text)
    used += re.findall(
        r"firewallRules/([\w-]+)|taskHubs/(\w+)|--container-name ([\w-]+)|(?<=link )vnet .*--name (\w+) ", text
    )
    assert len(used) > 15
    assert {name for found in used for name in found if name} - there == set()
    rules = [
        f"portfolio-{rule['name']}"
        for name in ("ofMongodb", "ofRedis")
        for rule in module("metric-alerts").variable(name)
    ]
    assert [rule for rule in rules if not re.search(r"-mongodb-|-redis-evictions$", rule)] == []


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
