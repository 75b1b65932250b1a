"""What Microsoft's compiler predicts that a deployment would create, for each environment and each option."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from settings import Settings
from tests.infra.bicep import INFRA, MAIN, template
from tests.infra.compiler import REGION, SUBSCRIPTION, TENANT, Compiler, Snapshot, environments, read
from tests.infra.expressions import CLIENT, PRINCIPAL, evaluated
from tests.infra.parameter_sets import (
    ALL,
    EVERYTHING,
    GIVEN_BY_THE_PIPELINE,
    GROUP,
    OTHERS,
    PLAIN,
    SUBNETS,
)
from tests.infra.test_bicep import ROLES

SETS = {f"environment {name}": values | GIVEN_BY_THE_PIPELINE for name, values in environments()} | ALL
ROLE_NAMES = {role: name for roles in ROLES.values() for role, name in roles.items()}
# The service names its users by their object ids, and Azure chooses that of an identity when it creates it.
NAMED_BY_AZURE = "Microsoft.DocumentDB/mongoClusters/users"


@pytest.fixture(params=SETS)
def predicted(request: pytest.FixtureRequest, compiler: Compiler) -> Snapshot:
    return compiler.snapshot(SETS[request.param])


@pytest.fixture
def everything(compiler: Compiler) -> Snapshot:
    return compiler.snapshot(EVERYTHING)


@pytest.fixture
def plain(compiler: Compiler) -> Snapshot:
    return compiler.snapshot(PLAIN)


# The compiler itself


def test_the_linter_says_nothing_about_the_templates(compiler: Compiler) -> None:
    done = compiler.run("lint", MAIN)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_linters_rules_are_errors_and_find_a_violation(compiler: Compiler, tmp_path: Path) -> None:
    shutil.copy(INFRA / "bicepconfig.json", tmp_path)
    flawed = tmp_path / "flawed.bicep"
    flawed.write_text("param unused string\nvar alsoUnused = 'https://management.azure.com'\n")
    done = compiler.run("lint", flawed)
    found = re.findall(r": (\w+) ([a-z-]+):", done.stdout + done.stderr)
    assert sorted(found) == [
        ("Error", "no-hardcoded-env-urls"), ("Error", "no-unused-params"), ("Error", "no-unused-vars"),
    ]  # fmt: skip
    assert done.returncode != 0


def test_the_commands_for_files_predict_the_same_as_the_process_that_these_tests_ask(
    compiler: Compiler, plain: Snapshot
) -> None:
    path = compiler.parameter_file(PLAIN)
    assert compiler.run("build-params", path, "--stdout").returncode == 0
    done = compiler.run(
        "snapshot", path, "--mode", "Overwrite", "--subscription-id", SUBSCRIPTION, "--tenant-id", TENANT,
        "--location", REGION,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert read(path.with_suffix(".snapshot.json").read_text()) == plain


def test_no_expression_is_longer_than_the_service_takes_which_the_compiler_does_not_tell(compiler: Compiler) -> None:
    compiled = compiler.run("build", MAIN, "--stdout").stdout
    expressions = [json.loads(found) for found in re.findall(r'"\[(?:[^"\\]|\\.)+"', compiled)]
    assert len(expressions) > 500
    # https://learn.microsoft.com/azure/azure-resource-manager/templates/best-practices
    assert max(map(len, expressions)) <= 24_576


# Every environment and every option


def test_the_compiler_has_nothing_to_say_and_no_two_resources_are_the_same(predicted: Snapshot) -> None:
    assert predicted.diagnostics == []
    assert predicted.number == len(predicted.resources) > 30


def test_a_preview_shows_every_resource_by_its_name(predicted: Snapshot) -> None:
    unknown = [found for found in predicted.resources.values() if "[" in found["id"] + found["name"]]
    assert [found["type"] for found in unknown] == [NAMED_BY_AZURE] * len(
        predicted.of("Microsoft.DocumentDB/mongoClusters")
    )


def test_the_app_starts_with_the_settings_that_it_gets(predicted: Snapshot) -> None:
    given = {name: evaluated(value) for name, value in predicted.config("appsettings").items()}
    settings = Settings.from_environment(given | {"WEBSITE_SITE_NAME": "app", "WEBSITE_INSTANCE_ID": "instance"})
    assert settings.key_vault_url == given["KEY_VAULT_URL"] == f"https://{vault(predicted)}.vault.azure.net/"
    assert given["AZURE_CLIENT_ID"] == given["AzureWebJobsStorage__clientId"] == CLIENT
    for name in ("blob", "queue", "table"):
        address = given[f"AzureWebJobsStorage__{name}ServiceUri"]
        assert address == f"https://{host_storage(predicted)}.{name}.core.windows.net/"


def test_each_credential_for_deployments_by_password_is_off_and_names_its_region(predicted: Snapshot) -> None:
    region = predicted.one("Microsoft.Web/sites")["location"]
    found = predicted.of("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {(policy["name"].split("/")[1], policy["location"], policy["properties"]["allow"]) for policy in found} == {
        ("ftp", region, False), ("scm", region, False),
    }  # fmt: skip


def test_a_subnet_of_the_environment_says_how_requests_leave_it(predicted: Snapshot) -> None:
    for network in predicted.of("Microsoft.Network/virtualNetworks"):
        subnets = {found["name"]: found["properties"] for found in network["properties"]["subnets"]}
        assert subnets["endpoints"]["defaultOutboundAccess"] is False
        gateways = [found["id"] for found in predicted.of("Microsoft.Network/natGateways")]
        assert subnets["app"]["defaultOutboundAccess"] is (gateways == [])
        assert [subnets["app"]["natGateway"]["id"]] == gateways if gateways else not subnets["app"].get("natGateway")


def test_windows_and_frequencies_of_alerts_are_those_that_the_service_has(predicted: Snapshot) -> None:
    minutes = {"PT1M": 1, "PT5M": 5, "PT10M": 10, "PT15M": 15, "PT30M": 30, "PT45M": 45, "P1D": 1440, "P2D": 2880}
    minutes |= {f"PT{hours}H": 60 * hours for hours in (1, 2, 3, 4, 5, 6, 12)}
    of_metrics = {"PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT6H", "PT12H", "P1D"}
    queries, metrics = (
        predicted.of("Microsoft.Insights/scheduledQueryRules"),
        predicted.of("Microsoft.Insights/metricAlerts"),
    )
    assert queries
    for rule in queries + metrics:
        window, frequency = rule["properties"]["windowSize"], rule["properties"]["evaluationFrequency"]
        assert minutes[window] >= minutes[frequency], rule["name"]
        if rule in metrics:
            assert {window, frequency} <= of_metrics, rule["name"]
            assert minutes[frequency] <= 60, rule["name"]
        else:
            assert window != "PT12H", rule["name"]
            assert frequency not in {"PT12H", "P2D"}, rule["name"]
            periods = (
                rule["properties"]["criteria"]["allOf"][0].get("failingPeriods", {}).get("numberOfEvaluationPeriods", 1)
            )
            assert periods * minutes[window] <= 2880, rule["name"]


# Roles


def roles_of(snapshot: Snapshot) -> set[tuple[str, str, str, str]]:
    """Return where each role is assigned, the role, the kind of its holder, and the holder."""
    found = set()
    for assignment in snapshot.of("Microsoft.Authorization/roleAssignments"):
        scope = assignment["id"].split("/providers/Microsoft.Authorization/")[0]
        properties = assignment["properties"]
        role = ROLE_NAMES[properties["roleDefinitionId"].rpartition("/")[2]]
        holder = re.search(r"userAssignedIdentities/(id-(?:deploy-)?)", properties["principalId"])
        found.add((place(scope), role, properties["principalType"], holder[1] if holder else properties["principalId"]))
    return found


def place(scope: str) -> str:
    """Return an id without the subscription and the part of names that differs between subscriptions."""
    return re.sub(r"[a-z0-9]{13}(?=/|$)", "*", scope.split("/", 4)[4].replace("providers/Microsoft.", ""))


def vault(snapshot: Snapshot) -> str:
    return str(snapshot.one("Microsoft.KeyVault/vaults")["name"])


def host_storage(snapshot: Snapshot) -> str:
    (found,) = [
        found["name"] for found in snapshot.of("Microsoft.Storage/storageAccounts") if "pkg" not in found["name"]
    ]
    return str(found)


OF_THE_APP = {
    ("rg-portfolio-production/Storage/storageAccounts/st*", "Storage Blob Data Owner", "ServicePrincipal", "id-"),
    (
        "rg-portfolio-production/Storage/storageAccounts/st*",
        "Storage Queue Data Contributor",
        "ServicePrincipal",
        "id-",
    ),
    (
        "rg-portfolio-production/Storage/storageAccounts/st*",
        "Storage Table Data Contributor",
        "ServicePrincipal",
        "id-",
    ),
    ("rg-portfolio-production/KeyVault/vaults/kv-*", "Key Vault Secrets User", "ServicePrincipal", "id-"),
    ("rg-portfolio-production/Insights/components/appi-*", "Monitoring Metrics Publisher", "ServicePrincipal", "id-"),
    (
        "rg-portfolio-production/Storage/storageAccounts/stpkg*/blobServices/default/containers/app-package",
        "Storage Blob Data Contributor",
        "ServicePrincipal",
        "id-deploy-",
    ),
}
ALERTS = "rg-portfolio-production/Insights/actionGroups/portfolio-production"
REPORTS = "rg-portfolio-production/Storage/storageAccounts/st*/blobServices/default/containers/reports"
OF_OPTIONS = {
    (
        "rg-portfolio-production/DurableTask/schedulers/dts-*/taskHubs/PortfolioAnalysis",
        "Durable Task Data Contributor",
        "ServicePrincipal",
        "id-",
    ),
    ("events/EventGrid/topics/portfolio", "EventGrid Data Sender", "ServicePrincipal", "id-"),
    ("rg-portfolio-production/KeyVault/vaults/kv-*", "Key Vault Secrets Officer", "Group", GROUP),
    ("rg-portfolio-production/Web/sites/func-portfolio-*", "Website Contributor", "Group", GROUP),
    ("rg-portfolio-production", "Monitoring Reader", "Group", GROUP),
    (f"{ALERTS}-operators", "Monitoring Contributor", "Group", GROUP),
    (f"{ALERTS}-on-call", "Monitoring Contributor", "Group", GROUP),
    (REPORTS, "Storage Blob Data Contributor", "Group", GROUP),
}


def test_exactly_these_roles_are_assigned(plain: Snapshot, everything: Snapshot) -> None:
    assert roles_of(plain) == OF_THE_APP
    assert roles_of(everything) == OF_THE_APP | OF_OPTIONS


def test_the_identity_that_the_code_uses_has_no_role_on_the_deployment_package(everything: Snapshot) -> None:
    config = everything.one("Microsoft.Web/sites")["properties"]["functionAppConfig"]["deployment"]["storage"]
    assert "/userAssignedIdentities/id-deploy-" in config["authentication"]["userAssignedIdentityResourceId"]
    assert "stpkg" in config["value"]
    assert config["value"].endswith("'app-package')]")
    assert [role for role in roles_of(everything) if "stpkg" in role[0] and role[3] != "id-deploy-"] == []


# Networks


def open_to_the_public(snapshot: Snapshot) -> set[str]:
    return {
        found["type"]
        for found in snapshot.resources.values()
        if found.get("properties", {}).get("publicNetworkAccess") == "Enabled"
    }


def endpoints(snapshot: Snapshot) -> dict[tuple[str, str], str]:
    """Return the zone of each private endpoint, by its service and the service's part."""
    zones = {}
    for endpoint in snapshot.of("Microsoft.Network/privateEndpoints"):
        (connection,) = endpoint["properties"]["privateLinkServiceConnections"]
        group = snapshot.resources[f"{endpoint['id']}/privateDnsZoneGroups/default"]
        (zone,) = group["properties"]["privateDnsZoneConfigs"]
        service, (part,) = connection["properties"]["privateLinkServiceId"], connection["properties"]["groupIds"]
        assert service in snapshot.resources, "an endpoint of something that is not there"
        zones[place(service).partition("/")[2], part] = zone["properties"]["privateDnsZoneId"]
    return zones


PRIVATE_SERVICES = {
    ("Storage/storageAccounts/st*", "blob"): "privatelink.blob.core.windows.net",
    ("Storage/storageAccounts/st*", "queue"): "privatelink.queue.core.windows.net",
    ("Storage/storageAccounts/st*", "table"): "privatelink.table.core.windows.net",
    ("Storage/storageAccounts/stpkg*", "blob"): "privatelink.blob.core.windows.net",
    ("KeyVault/vaults/kv-*", "vault"): "privatelink.vaultcore.azure.net",
    ("DocumentDB/mongoClusters/mongo-*", "MongoCluster"): "privatelink.mongocluster.cosmos.azure.com",
    ("Cache/redisEnterprise/redis-*", "redisEnterprise"): "privatelink.redis.azure.net",
    ("DurableTask/schedulers/dts-*", "scheduler"): "privatelink.durabletask.io",
}
APP = {("Web/sites/func-portfolio-*", "sites"): "privatelink.azurewebsites.net"}


@pytest.mark.parametrize(
    ("name", "services", "still_open"),
    [
        ("everything", PRIVATE_SERVICES | APP, set()),
        ("without network", PRIVATE_SERVICES, {"Microsoft.Web/sites"}),
        ("existing network", PRIVATE_SERVICES | APP, set()),
    ],
)
def test_what_is_private_is_closed_and_has_one_endpoint_and_one_zone(
    name: str, services: dict[tuple[str, str], str], still_open: set[str], compiler: Compiler
) -> None:
    snapshot = compiler.snapshot(ALL[name])
    assert open_to_the_public(snapshot) == still_open
    found = endpoints(snapshot)
    assert {service: zone.rpartition("/")[2] for service, zone in found.items()} == services
    made = {zone["id"] for zone in snapshot.of("Microsoft.Network/privateDnsZones")}
    linked = {
        link["id"].partition("/virtualNetworkLinks/")[0]
        for link in snapshot.of("Microsoft.Network/privateDnsZones/virtualNetworkLinks")
    }
    if name == "existing network":
        assert (made, linked) == (set(), set())
        assert all("/resourceGroups/hub/" in zone for zone in found.values())
    else:
        assert made == linked == set(found.values())


def test_an_existing_network_is_used_in_place_of_one_of_the_environment(compiler: Compiler) -> None:
    snapshot = compiler.snapshot(OTHERS["existing network"])
    assert snapshot.of("Microsoft.Network/virtualNetworks") == []
    assert snapshot.one("Microsoft.Web/sites")["properties"]["virtualNetworkSubnetId"] == f"{SUBNETS}/app"
    assert {found["properties"]["subnet"]["id"] for found in snapshot.of("Microsoft.Network/privateEndpoints")} == {
        f"{SUBNETS}/endpoints"
    }
    public = compiler.snapshot(OTHERS["existing subnet, public"])
    assert public.one("Microsoft.Web/sites")["properties"]["virtualNetworkSubnetId"] == f"{SUBNETS}/app"
    assert [
        found["type"] for found in public.resources.values() if found["type"].startswith("Microsoft.Network/")
    ] == []


def test_a_fixed_address_needs_no_private_dependencies(compiler: Compiler, plain: Snapshot) -> None:
    snapshot = compiler.snapshot(OTHERS["fixed address, public"])
    assert open_to_the_public(snapshot) == open_to_the_public(plain)
    (address,) = snapshot.of("Microsoft.Network/publicIPAddresses")
    assert (address["sku"]["name"], address["properties"]["publicIPAllocationMethod"]) == ("Standard", "Static")
    assert address["id"] in snapshot.outputs["OUTBOUND_ADDRESS"]
    assert plain.outputs["OUTBOUND_ADDRESS"] == ""
    assert not plain.one("Microsoft.Web/sites")["properties"].get("virtualNetworkSubnetId")


# Options


def test_a_highly_available_environment_is_spread_over_zones(plain: Snapshot, everything: Snapshot) -> None:
    def spread(snapshot: Snapshot) -> dict[str, Any]:
        plan = snapshot.one("Microsoft.Web/serverfarms")["properties"]["zoneRedundant"]
        return {"plan": plan} | {
            found["name"][:5]: found["sku"]["name"] for found in snapshot.of("Microsoft.Storage/storageAccounts")
        }

    assert set(spread(plain).values()) == {False, "Standard_LRS"}
    assert set(spread(everything).values()) == {True, "Standard_ZRS"}
    cluster = everything.one("Microsoft.DocumentDB/mongoClusters")["properties"]
    assert cluster["highAvailability"]["targetMode"] == "ZoneRedundantPreferred"


def test_the_app_moves_to_a_restored_cluster_with_its_users_and_its_endpoint(compiler: Compiler) -> None:
    restored, before = (compiler.snapshot(OTHERS[name]) for name in ("restored cluster", "everything"))
    old = before.one("Microsoft.DocumentDB/mongoClusters")["name"]
    assert restored.one("Microsoft.DocumentDB/mongoClusters")["name"] == "mongo-restored"
    moved = json.dumps(restored.resources)
    assert old not in moved
    assert moved.count("mongo-restored") == json.dumps(before.resources).count(old)
    assert "mongodb+srv://mongo-restored.global.mongocluster" in restored.config("appsettings")["MONGODB_URL"]


def test_a_cluster_is_created_with_a_password_that_the_next_deployment_switches_off(
    compiler: Compiler, everything: Snapshot
) -> None:
    creating = compiler.snapshot(OTHERS["cluster being created"])
    cluster = creating.one("Microsoft.DocumentDB/mongoClusters")["properties"]
    assert cluster["authConfig"]["allowedModes"] == ["NativeAuth", "MicrosoftEntraID"]
    assert "newGuid()" in cluster["administrator"]["password"]
    (user,) = creating.of(NAMED_BY_AZURE)
    assert user["properties"]["roles"] == [{"db": "admin", "role": "root"}]
    later = everything.one("Microsoft.DocumentDB/mongoClusters")["properties"]
    assert later["authConfig"]["allowedModes"] == ["MicrosoftEntraID"]
    assert not later.get("administrator")
    assert "newGuid" not in str(everything.resources)


def test_what_holds_data_is_locked_against_deletion(everything: Snapshot) -> None:
    locks = everything.of("Microsoft.Authorization/locks")
    assert {place(lock["id"]).split("/Authorization/")[0].partition("/")[2] for lock in locks} == {
        "Storage/storageAccounts/st*", "KeyVault/vaults/kv-*", "DocumentDB/mongoClusters/mongo-*",
    }  # fmt: skip
    assert {lock["properties"]["level"] for lock in locks} == {"CanNotDelete"}


def test_the_options_of_the_app_reach_it(everything: Snapshot) -> None:
    app = everything.one("Microsoft.Web/sites")["properties"]
    config = app["functionAppConfig"]
    assert config["siteUpdateStrategy"] == {"type": "RollingUpdate"}
    assert config["scaleAndConcurrency"]["alwaysReady"] == [{"name": "http", "instanceCount": 1}]
    rules = {rule["name"]: rule for rule in app["siteConfig"]["ipSecurityRestrictions"]}
    assert rules["front-door"]["headers"] == {"x-azure-fdid": [EVERYTHING["frontDoorId"]]}
    assert [rules[f"gateway-{n}"]["ipAddress"] for n in (0, 1)] == ["203.0.113.0/28", "2001:db8::/32"]
    assert app["siteConfig"]["ipSecurityRestrictionsDefaultAction"] == "Deny"
    given = {name: evaluated(value) for name, value in everything.config("appsettings").items()}
    settings = Settings.from_environment(given)
    assert [endpoint.endpoint_id for endpoint in settings.webhooks] == ["crm", "pager"]
    assert settings.event_grid_endpoint == "https://portfolio.westeurope-1.eventgrid.azure.net/api/events"
    assert (settings.front_door_id, settings.trusted_proxies) == (EVERYTHING["frontDoorId"], 2)
    assert (settings.jwt_audience, settings.benchmark_symbol, settings.risk_free_rate) == (
        "portfolio-admin",
        "^GSPC",
        -0.0125,
    )
    assert given["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] == "65536"
    assert settings.redis_url is not None
    assert settings.redis_url.startswith(f"rediss://{PRINCIPAL}@")


def test_every_option_is_tried_in_both_positions() -> None:
    asked = {name: found for name, found in template(MAIN).parameters().items() if found["type"] == "bool"}
    tried = {name: {values.get(name, found["default"]) for values in ALL.values()} for name, found in asked.items()}
    assert [name for name, values in tried.items() if values != {True, False}] == []
