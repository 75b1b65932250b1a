"""Parameters with which nothing could work are refused, each with a sentence of its own."""

import json
import re
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from settings import Settings
from tests.infra.bicep import INFRA, MAIN, template
from tests.infra.compiler import Compiler, Refused
from tests.infra.parameter_sets import EVERYTHING, GROUP, HUB, PLAIN, RECEIVER, SUBNETS, TOPIC
from tests.infra.test_app_settings import IN_AZURE

# As many faults at once as go together, because a snapshot takes seconds; the sentences in the template's order.
FAULTS: list[tuple[dict[str, Any], list[str]]] = [
    (
        PLAIN
        | {
            "environmentName": "my env.x",
            "budgetStartDate": "2026-12-02",
            "highlyAvailable": True,
            "mongodb": "cluster",
            "mongodbTier": "M20",
            "mongodbCommandLogs": True,
            "mongodbStorageGb": 33,
            "mongodbClusterName": "Restored",
            "mongodbAdministratorIds": ["operators", "operators"],
            "mongodbDatabase": "admin",
            "marketDataProvider": "csv",
            "riskFreeRate": "abc",
            "minSuccessRate": "1.1",
            "baseCurrency": "GBX",
            "benchmarkSymbol": ".SPY",
            "schedule": "0 1 * * * *  *",
            "platformSignIn": True,
            "personsApiEnabled": True,
            "alwaysReadyInstances": 5,
            "maximumInstances": 4,
            "addressPrefix": "999.1",
            "alertEmails": ["me@portfolio.dev", "Me@portfolio.dev"],
        },
        [
            "environmentName must consist of letters, digits and hyphens.",
            "budgetStartDate must be the first day of a month, such as 2026-12-01.",
            "mongodbTier must be M30 or larger with highlyAvailable: smaller clusters have no second server.",
            "mongodbStorageGb must be one of 32, 64, 128, 256, 512, 1024, 2048, 4095, 8192, 16384.",
            "mongodbClusterName must consist of 3 to 40 small letters and digits, with single hyphens between them.",
            "mongodbCommandLogs needs a mongodbTier above M30: smaller clusters have no logs.",
            "mongodbAdministratorIds must be object ids of persons.",
            "mongodbAdministratorIds must name each person once.",
            "mongodbDatabase must consist of letters, digits, _ and -, and not be the server's admin, config or local.",
            "marketDataProvider csv reads a folder of prices, and there is none in Azure: the app would not start.",
            "riskFreeRate must be a decimal number from -0.5 to 1.",
            "minSuccessRate must be a decimal number from 0 to 1.",
            "baseCurrency must be a currency of ISO 4217 in capital letters, such as USD.",
            "benchmarkSymbol must be a symbol such as SPY.",
            "schedule must have six fields, seconds first, with single blanks between them, such as 0 0 1 * * *.",
            "platformSignIn needs signInClientId: without a registration nobody can sign in.",
            "personsApiEnabled needs signInClientId or jwtAudience: no token of a person would be accepted.",
            "alwaysReadyInstances must not be more than maximumInstances.",
            "addressPrefix must be the first two octets of a private network, such as 10.40.",
            "alertEmails must name each address once.",
        ],
    ),
    (
        PLAIN
        | {
            "mongodbClusterName": "restored",
            "mongodbPasswordSignIn": True,
            "mongodbAdministratorIds": [GROUP],
            "mongodbStorageGb": 4096,
            "signInClientId": "app",
            "signInAdminRole": "Portfolio Admin",
            "operatorsGroupId": "operators",
            "personsSubjectClaim": "a b",
            "appSubnetId": f"{SUBNETS.removesuffix('/subnets')}",
            "endpointsSubnetId": "endpoints",
            "dnsZonesGroupId": "hub",
            "alertEmails": ["operators@example.com", "operators"],
            "alertWebhooks": ["https://hook.portfolio.dev/a?b=1", "http://hook.portfolio.dev", ""],
            "alertTextMessages": ["5551234567", "5551234567", "", ""],
            "alertCalls": ["1 5551234567", "1 555-1234", "1 5551234567"],
            "alertsEnabled": True,
            "schedule": "0 0 */2 * * *",
            "frontDoorId": "front-door",
            "proxyNetworks": "203.0.113.5/24",
            "trustedProxies": 1,
            "publicUrl": "https://portfolio.dev/",
            "corsOrigins": "*",
            "otlpEndpoint": "http://collector:4318",
            "eventSource": "the portfolio",
            "eventGridTopicId": f"{TOPIC}/more",
            "webhooks": [
                {"endpoint_id": "CRM", "url": "http://crm.portfolio.dev"},
                RECEIVER | {"endpoint_id": "CRM", "types": ["run"], "more": 1},
                RECEIVER | {"endpoint_id": "event-grid"},
            ],
        },
        [
            "mongodbStorageGb must be one of 32, 64, 128, 256, 512, 1024, 2048, 4095, 8192, 16384.",
            "mongodbClusterName needs mongodb cluster: no other has a name here.",
            "mongodbPasswordSignIn needs mongodb cluster: there is no other cluster to create.",
            "mongodbAdministratorIds needs mongodb cluster: they administer no other.",
            "signInClientId must be the client id of an app registration.",
            "signInAdminRole must be the value of an app role, which has no blanks.",
            "operatorsGroupId must be the object id of a group.",
            "personsSubjectClaim must be the name of a claim, such as sub.",
            "appSubnetId must be the id of a subnet.",
            "endpointsSubnetId must be the id of a subnet.",
            "endpointsSubnetId needs network private or private-dependencies: there are no endpoints.",
            "dnsZonesGroupId must be the id of a resource group.",
            "dnsZonesGroupId needs network private or private-dependencies: there are no endpoints.",
            "alertEmails must be email addresses.",
            "alertEmails must be addresses that somebody reads, not those of the example.",
            "alertWebhooks must be https:// addresses.",
            "alertTextMessages must be a country code and a number each, such as 1 5551234567.",
            "alertTextMessages must name each number once.",
            "alertCalls must be a country code and a number each, such as 1 5551234567.",
            "alertCalls must name each number once.",
            "alertsEnabled needs a schedule that alerts can follow: plain minutes and hours, every month, no steps.",
            "frontDoorId must be the id that the Front Door sends in X-Azure-FDID.",
            "proxyNetworks must be networks such as 203.0.113.0/24, comma separated.",
            "trustedProxies must be 2 or more with frontDoorId or proxyNetworks: they name the others.",
            "publicUrl must be an https:// address without a path and a slash at its end.",
            "corsOrigins must be origins such as https://admin.example.org, in small letters, comma separated.",
            "otlpEndpoint must be an https:// address.",
            "eventSource must consist of printable characters of ASCII without blanks.",
            "eventGridTopicId must be the id of an Event Grid topic.",
            "webhooks must have each endpoint_id once.",
            "webhooks must not have the endpoint_id event-grid: it is that of eventGridTopicId.",
            "webhooks must have an endpoint_id of small letters, digits and - each.",
            "webhooks must have an https:// url without user and fragment each.",
            "webhooks must have the secret_name of a secret in the vault each.",
            "webhooks must have types of events that there are: see docs/events.md.",
            "webhooks must have no members but endpoint_id, url, types and secret_name.",
        ],
    ),
    (
        EVERYTHING | {"appSubnetId": f"{SUBNETS}/app", "dnsZonesGroupId": HUB},
        [
            "appSubnetId and endpointsSubnetId must be given both or neither.",
            "natGateway belongs to the environment's own network: an existing subnet has its own way out.",
        ],
    ),
    (
        EVERYTHING | {"appSubnetId": f"{SUBNETS}/app_1", "endpointsSubnetId": f"{SUBNETS}/App_1", "natGateway": False},
        [
            "appSubnetId must name a subnet without _ in its name: Flex Consumption joins no other.",
            "endpointsSubnetId must be another subnet than appSubnetId, which only the app may use.",
        ],
    ),
    (
        PLAIN | {"webhooks": [RECEIVER | {"url": "https://me@crm.portfolio.dev"}]},
        ["webhooks must have an https:// url without user and fragment each."],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("values", "sentences"), FAULTS)
def test_each_fault_of_the_parameters_is_told_and_no_other(
    values: dict[str, Any], sentences: list[str], compiler: Compiler
) -> None:
    with pytest.raises(Refused) as refused:
        compiler.snapshot(values)
    said = re.fullmatch(r"The template variable 'checkedName' is not valid: (.*)\. Please see .*", str(refused.value))
    assert said is not None, str(refused.value)
    assert said[1] == " ".join(sentences)


def test_every_sentence_of_the_template_is_said_once_here() -> None:
    listed = template(MAIN).text.split("var refusals = filter([\n")[1].split("\n], sentence =>")[0].splitlines()
    beginning = re.compile(r"\w+(?: and \w+)? (?:must|needs|csv|belongs) \w+")
    said = set(chain.from_iterable(sentences for _, sentences in FAULTS))
    in_template = [re.findall(rf"'({beginning.pattern})", line)[-1] for line in listed]
    assert Counter(in_template) == Counter(beginning.findall(sentence)[0] for sentence in said)


CHECKS: dict[str, tuple[list[str], list[str]]] = {
    "isName(x, '-', 10)": (["production", "Prod-1"], ["", "my env", "a.b", "elevenchars", "größe"]),
    "isPrintable(x)": (["/portfolio?a=1#~", ""], ["a b", "ä", "a\tb"]),
    "isGuid(x)": ([GROUP, GROUP.replace("0", "A")], ["", "operators", GROUP[1:], GROUP.replace("0", "g")]),
    "isCurrency(x)": (["USD", "EUR"], ["GBX", "usd", "US", ""]),
    "isFirstOfMonth(x)": (["2026-12-01"], ["2026-13-01", "2026-00-01", "2026-12-02", "2026-1-01", "abcd-12-01", ""]),
    "isDecimalWithin(x, -500000, 1000000)": (
        ["0", "1", "-0.5", "0.0425", "0.000001", "1.000000"],
        ["-0.50001", "1.000001", "2", "abc", "", "-", "--1", "1.", ".5", "1.2.3", "1e-3", "0,5", "123456789"],
    ),
    "isPrivatePrefix(x)": (
        ["10.0", "10.255", "172.16", "172.31", "192.168"],
        ["999.1", "10.256", "10.040", "172.15", "172.32", "192.169", "8.8", "10", "10.1.1", "10.x", ""],
    ),
    "isNetwork(x)": (
        ["203.0.113.0/24", "203.0.113.5/32", "2001:db8::/32", "2001:0DB8:0:1::/64", "1:2:3:4:5:6:7:8/128", "::/0"],
        [
            "203.0.113.5/24", "203.0.113.0", "203.0.113.0/33", "203.000.113.0/24", "1.2.3/24", "1.2.3.4.5/24", "x/24",
            "2001:db8::/129", "2001:db8::1/32", "2001:db8:/32", ":::/32", "1::2::/64", "1:2/64", "12345::/32", "",
        ],
    ),
    "isReceiver(x)": (
        ["https://a.dev", "https://a.dev:8443/x?code=1", "https://a.dev?code=a@b"],
        [
            "http://a.dev", "https://", "https:///x", "https://u@a.dev", "https://a.dev/#x", "https://a.dev/{id}", "https://-a.dev",
            "https://a.dev:0", "https://a.dev:65536", "https://a.dev:", f"https://a.dev/{'x' * 2048}", "",
        ],
    ),
    "isClusterName(x)": (
        ["mongo-restored-20261128", "abc"],
        ["ab", "a" * 41, "Mongo", "-abc", "abc-", "a--c", "a_c", ""],
    ),
    "isEmail(x)": (["me@portfolio.dev"], ["me", "me@portfolio", "@portfolio.dev", "a b@c.dev", "a@b@c.dev", ""]),
    "isPhone(x)": (["1 5551234567", "44 2012345678"], ["5551234567", "1 555-1234", "1  555", "1 ", " 1", "1 2 3", ""]),
    "isHttps(x)": (
        ["https://a.dev", "https://a.dev:8443/x/y"],
        ["http://a.dev", "https://", "https:///x", "https://u@a.dev", "https://a.dev/?q", "https://a.dev/#x", ""],
    ),
    "isHttpsHost(x)": (["https://a.dev", "https://a.dev:8443"], ["https://a.dev/", "https://a.dev/x", "a.dev"]),
    "isOrigin(x)": (
        ["https://a.dev", "http://localhost:3000"],
        ["https://A.dev", "https://a.dev/", "*", "ftp://a.dev", "https:a.dev", "null", "https://a:b", "https://:443", "https://["],
    ),
    "isSchedule(x)": (
        ["0 0 1 * * *", "0 */5 1-3 1,15 * Mon-Fri"],
        ["0 1 * * *", "0 0 1 * *  *", "0 0 1 * * ?", "@daily", ""],
    ),
    "isGroupId(x)": ([HUB, HUB.lower()], [f"{HUB}/", f"{HUB}/x", "hub", "/subscriptions//resourceGroups/hub", ""]),
    "isIdOf(x, 'microsoft.network/virtualnetworks/subnets')": (
        [f"{SUBNETS}/app", f"{SUBNETS}/app".lower()],
        [SUBNETS, f"{SUBNETS}/app/", TOPIC, "app", "", f"{SUBNETS}/app".replace("subnets", "peerings")],
    ),
    "hasTwice(split(x, ' '))": (["a A", "b a b"], ["a b", "a", "a aa"]),
}  # fmt: skip


def test_each_check_tells_right_from_wrong(compiler: Compiler, tmp_path: Path) -> None:
    names = sorted({check.partition("(")[0] for check in CHECKS})
    # Bicep finds other files by relative paths only.
    (tmp_path / "checks.bicep").write_text((INFRA / "checks.bicep").read_text())
    tables = [
        f"param values{n} string[]\noutput found{n} array = map(values{n}, x => {check})"
        for n, check in enumerate(CHECKS)
    ]
    file = tmp_path / "tables.bicep"
    file.write_text(
        "\n".join(["targetScope = 'subscription'", f"import {{ {', '.join(names)} }} from 'checks.bicep'", *tables])
    )
    values = {f"values{n}": right + wrong for n, (right, wrong) in enumerate(CHECKS.values())}
    found = compiler.snapshot(values, file).outputs
    for n, (check, (right, wrong)) in enumerate(CHECKS.items()):
        told = dict(zip(right + wrong, found[f"found{n}"], strict=True))
        assert told == dict.fromkeys(right, True) | dict.fromkeys(wrong, False), check


# The settings that become of a parameter which one of the checks decides on.
SETTINGS: dict[str, Callable[[str], dict[str, str]]] = {
    "isCurrency(x)": lambda text: {"BASE_CURRENCY": text},
    "isDecimalWithin(x, -500000, 1000000)": lambda text: {"RISK_FREE_RATE": text},
    "isGuid(x)": lambda text: {"FRONT_DOOR_ID": text, "TRUSTED_PROXIES": "2"},
    "isNetwork(x)": lambda text: {"PROXY_NETWORKS": text, "TRUSTED_PROXIES": "2"},
    "isOrigin(x)": lambda text: {"CORS_ORIGINS": text},
    "isReceiver(x)": lambda text: {"WEBHOOKS": json.dumps([RECEIVER | {"url": text}])},
}


@pytest.mark.parametrize("check", SETTINGS)
def test_the_app_starts_with_what_a_check_lets_through(check: str) -> None:
    right, _ = CHECKS[check]
    for text in right:
        Settings.from_environment(IN_AZURE | SETTINGS[check](text))


def test_every_check_is_tried() -> None:
    exported = set(re.findall(r"@export\(\)\n@description\(.*\)\nfunc (\w+)\(", (INFRA / "checks.bicep").read_text()))
    assert exported == {check.partition("(")[0] for check in CHECKS}
