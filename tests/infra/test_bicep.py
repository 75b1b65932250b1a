"""The templates are consistent and follow the platform's rules. The pipeline compiles them; these tests parse them."""

import json
import re
from datetime import date

import pytest
import yaml

from lake.pages import path_of
from tests.infra.bicep import (
    INFRA,
    MAIN,
    ROOT,
    Resource,
    Template,
    assigned_roles,
    decorator,
    if_else,
    literal_keys,
    module,
    resource,
    resources,
    template,
    templates,
    walk,
    without_comments,
)
from tests.infra.rights import assignable

ROLES = {
    "roles": {
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
        "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
        "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
        "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
        "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
        "0ad04412-c4d5-4796-b79c-f76d14c8d402": "Durable Task Data Contributor",
    },
    "operators": {
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
        "de139f84-1756-47ae-9be6-808fbbe84772": "Website Contributor",
        "43d0d8ad-25c7-4714-9337-8ba259a9fe05": "Monitoring Reader",
        "749f88d5-cbae-40b8-bcfc-e573ddc772fa": "Monitoring Contributor",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    },
    "event-grid": {"d5a91429-5739-47e2-a06b-3470a27159e7": "EventGrid Data Sender"},
}
# The password of the one deployment that creates a MongoDB cluster: made by that deployment, and told to nobody.
MADE_BY_A_DEPLOYMENT = ("mongodb", "password")
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# There is no newer one: https://learn.microsoft.com/azure/templates/microsoft.insights/diagnosticsettings
ONLY_IN_PREVIEW = {"Microsoft.Insights/diagnosticSettings"}
# The newer one is a preview: https://learn.microsoft.com/azure/templates/microsoft.insights/metricalerts
WITHOUT_A_NEWER_ONE = {"Microsoft.Insights/metricAlerts"}


def ids(values: list[Template] | list[Resource]) -> list[str]:
    return [value.name if isinstance(value, Template) else f"{value.template}.{value.symbol}" for value in values]


def of(found: list[Resource], type_: str) -> list[Resource]:
    return [candidate for candidate in found if candidate.type == type_]


def test_every_template_is_reached_from_main() -> None:
    reached, to_visit = set(), [MAIN]
    while to_visit:
        path = to_visit.pop()
        reached.add(path)
        used = [*template(path).imports(), *(module_path for module_path, _ in template(path).modules().values())]
        to_visit += [found for found in used if found not in reached]
    assert reached == {found.path for found in templates()}


@pytest.mark.parametrize("found", templates(), ids=ids(templates()))
def test_a_module_gets_exactly_its_parameters(found: Template) -> None:
    for symbol, (path, given) in found.modules().items():
        asked = template(path).parameters()
        required = {name for name, parameter in asked.items() if parameter["default"] is None}
        assert required <= given.keys() <= asked.keys(), f"{found.name}: {symbol}"


@pytest.mark.parametrize("found", templates(), ids=ids(templates()))
def test_only_existing_outputs_are_used(found: Template) -> None:
    modules = found.modules()
    for symbol, output in re.findall(r"(\w+)!?\.outputs\.(\w+)", found.text):
        assert output in template(modules[symbol][0]).outputs(), f"{symbol}.outputs.{output}"


def test_a_module_that_names_a_resource_waits_for_the_module_that_makes_it() -> None:
    main = template(MAIN)
    modules, variables = main.modules(), main.tree["variables"].keys()
    declared = dict(re.findall(r"(?ms)^(?:var|module) (\w+)(.*?)(?=^\S)", without_comments(main.text)))
    made: dict[str, str] = {}
    for symbol, (path, given) in modules.items():
        names = [str(found.members["name"]) for found in template(path).resources() if not found.existing]
        made |= {str(given[name]): symbol for name in names if str(given.get(name)) in variables}

    def used(symbol: str) -> set[str]:
        return set(re.findall(r"\w+\b(?!:)", declared[symbol]))

    def with_its_variables(symbol: str) -> set[str]:
        found = {symbol}
        while added := set[str]().union(*(used(each) & variables for each in found)) - found:
            found |= added
        return found

    waits = {}
    for symbol in modules:
        text = "".join(declared[each] for each in with_its_variables(symbol))
        listed = re.findall(r"dependsOn: \[(.+?)\]", declared[symbol])
        waits[symbol] = {*re.findall(r"(\w+)!?\.outputs\.", text), *re.findall(r"\w+", "".join(listed))}
    for _ in modules:
        waits = {symbol: found.union(*(waits[each] for each in found)) for symbol, found in waits.items()}
    assert {"storageName", "clusterName", "cacheName", "componentName"} <= made.keys()
    for symbol in modules:
        named = {made[name] for each in with_its_variables(symbol) for name in used(each) & made.keys()}
        assert named - {symbol} <= waits[symbol], symbol


@pytest.mark.parametrize("found", templates(), ids=ids(templates()))
def test_every_declaration_is_used(found: Template) -> None:
    declared = [*found.parameters(), *found.tree.get("variables", {})]
    unused = [name for name in declared if len(re.findall(rf"\b{name}\b", without_comments(found.text))) < 2]
    assert unused == []


@pytest.mark.parametrize("found", templates(), ids=ids(templates()))
def test_every_parameter_is_described(found: Template) -> None:
    for name, parameter in found.parameters().items():
        assert len(decorator(parameter, "description") or "") > 10, name


def test_every_parameter_of_main_has_limits() -> None:
    for name, parameter in template(MAIN).parameters().items():
        limits = {found["type"] for found in parameter["decorators"]}
        match parameter["type"]:
            case "int":
                assert {"min_value", "max_value"} <= limits or "allowed" in limits, name
            case "string":
                assert {"allowed", "min_length", "max_length"} & limits, name


def test_the_values_azd_fills_in_are_parameters_and_the_rest_have_defaults() -> None:
    filled = json.loads((INFRA / "main.parameters.json").read_text())["parameters"].keys()
    asked = template(MAIN).parameters()
    assert filled <= asked.keys()
    assert {name for name, parameter in asked.items() if parameter["default"] is None} <= filled


@pytest.mark.parametrize("found", resources(), ids=ids(resources()))
def test_every_resource_names_a_dated_stable_version_of_its_api(found: Resource) -> None:
    preview = found.type in ONLY_IN_PREVIEW
    decade = r"201\d" if found.type in WITHOUT_A_NEWER_ONE else r"202\d"
    assert re.fullmatch(rf"{decade}-\d\d-\d\d" + ("-preview" if preview else ""), found.api_version)


def test_one_type_is_used_in_one_version() -> None:
    versions = {(found.type.split("/")[0], found.type, found.api_version) for found in resources()}
    assert len(versions) == len({found.type for found in resources()})


# Secrets


@pytest.mark.parametrize("found", templates(), ids=ids(templates()))
def test_no_parameter_and_no_output_is_a_secret(found: Template) -> None:
    text = without_comments(found.text)
    assert not re.search(r"\blist[A-Z]\w*\(", text)
    made = [(found.name, name) for name in re.findall(r"@secure\(\)\nparam (\w+) string = newGuid\(\)\n", text)]
    assert made == [MADE_BY_A_DEPLOYMENT] * (found.name == MADE_BY_A_DEPLOYMENT[0])
    assert (text.count("@secure"), text.count("newGuid")) == (len(made), len(made))
    named = [*found.parameters(), *found.outputs()]
    secret = {name for name in named if re.search(r"(?i)password$|connectionstring|(?<!Se)key$", name)}
    assert secret == {name for _, name in made}


@pytest.mark.parametrize("found", templates(), ids=ids(templates()))
def test_the_same_parameters_make_the_same_deployment_on_any_day(found: Template) -> None:
    assert "utcNow" not in found.text
    assert template(MAIN).parameters()["budgetStartDate"]["default"] is None, "the service refuses another date later"


def test_the_password_of_the_deployment_that_creates_a_cluster_is_given_to_nothing_but_the_cluster() -> None:
    assert MADE_BY_A_DEPLOYMENT[1] not in template(MAIN).modules()["database"][1]
    found = module(MADE_BY_A_DEPLOYMENT[0])
    assert re.findall(r"\$\{password\}", found.text) == ["${password}"]
    assert re.findall(r"\badministrator\b", without_comments(found.text)).count("administrator") == 3


def test_operators_are_told_the_same_names_as_who_deploys() -> None:
    text = template(MAIN).text
    outputs, told = (
        dict(re.findall(r"(?m)^output (\w+) string = (.+)$", each)) for each in (text, module("names").text)
    )
    (given,) = re.findall(r"module names .*?params: \{(.*?)\n  \}", text, re.DOTALL)
    values = dict(re.findall(r"(?m)^    (\w+): (.+)$", given)) | {"resourceGroup().name": "group.name"}
    assert {name: values[value] for name, value in told.items()} == outputs


def test_the_files_of_the_lake_are_kept_for_years_and_moved_only_to_tiers_that_are_read_at_once() -> None:
    (rule,) = resource("Microsoft.Storage/storageAccounts/managementPolicies").members["properties"]["policy"]["rules"]
    assert rule["enabled"] is True
    (prefix,) = rule["definition"]["filters"]["prefixMatch"]
    container, _, beginning = prefix.partition("/")
    assert container == "${containerName}"
    assert path_of(date(2026, 1, 2), "run_20260102_030405_abcd", 0).startswith(beginning)
    actions = rule["definition"]["actions"]
    assert actions.keys() == {"baseBlob"}
    assert actions["baseBlob"].keys() == {"tierToCool", "tierToCold", "delete"}
    assert actions["baseBlob"]["delete"] == {"daysAfterModificationGreaterThan": "reportRetentionDays"}
    _, given = template(MAIN).modules()["storage"]
    assert given["reportRetentionDays"] == "lakeRetentionDays"
    retention = template(MAIN).parameters()["lakeRetentionDays"]
    assert retention["default"] >= 7 * 365
    assert decorator(retention, "min_value") > 365


def test_no_service_accepts_keys_or_passwords() -> None:
    storage = resource("Microsoft.Storage/storageAccounts").members["properties"]
    assert (storage["allowSharedKeyAccess"], storage["allowBlobPublicAccess"]) == (False, False)
    assert (storage["minimumTlsVersion"], storage["supportsHttpsTrafficOnly"]) == ("TLS1_2", True)
    assert resource("Microsoft.Insights/components").members["properties"]["DisableLocalAuth"] is True
    workspace = resource("Microsoft.OperationalInsights/workspaces").members["properties"]
    assert workspace["features"]["disableLocalAuth"] is True
    redis = resource("Microsoft.Cache/redisEnterprise/databases").members["properties"]
    assert (redis["accessKeysAuthentication"], redis["clientProtocol"]) == ("Disabled", "Encrypted")
    mongodb = resource("Microsoft.DocumentDB/mongoClusters").members["properties"]
    assert mongodb["authConfig"]["allowedModes"] == if_else(
        "passwordSignIn", ["NativeAuth", "MicrosoftEntraID"], ["MicrosoftEntraID"]
    )
    assert mongodb["administrator"] == if_else("passwordSignIn", "administrator", None)
    assert template(MAIN).parameters()["mongodbPasswordSignIn"]["default"] is False
    policies = of(resources(), "Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {found.members["name"]: found.members["properties"]["allow"] for found in policies} == {
        "ftp": False,
        "scm": False,
    }


def test_the_vault_uses_roles_and_keeps_deleted_secrets_for_ninety_days() -> None:
    vault = resource("Microsoft.KeyVault/vaults").members["properties"]
    assert (vault["enableRbacAuthorization"], vault["enablePurgeProtection"]) == (True, True)
    assert vault["softDeleteRetentionInDays"] == 90
    assert "accessPolicies" not in vault


# Roles


def test_exactly_the_required_roles_are_defined() -> None:
    given = {found.name: set(GUID.findall(found.text)) for found in templates() if GUID.search(found.text)}
    assert given == {name: set(roles) for name, roles in ROLES.items()}


@pytest.mark.parametrize("name", sorted(ROLES))
def test_each_role_is_given_once_for_each_resource_and_for_nothing_wider(name: str) -> None:
    found = module(name)
    here = {candidate.symbol: candidate for candidate in found.resources()}
    assignments = of(list(here.values()), "Microsoft.Authorization/roleAssignments")
    given = []
    for assignment in assignments:
        properties = assignment.members["properties"]
        role = properties["roleDefinitionId"]["function"]["parameters"]["resource_name_1"]
        scope = assignment.members.get("scope", "resourceGroup()")
        given.append((found.variable(role), scope))
        assert scope == "resourceGroup()" or here[scope].existing
        principal = properties["principalId"]
        # Not the object id of an identity, which no preview knows before the identity exists.
        key = {"principalId": "identityName", "deploymentPrincipalId": "deploymentIdentityName"}.get(
            principal, principal
        )
        assert f"guid({scope}.id, {key}, {role})" in found.text
    assert len(set(given)) == len(given)
    assert {role for role, _ in given} == ROLES[name].keys()


def test_the_app_may_write_in_its_own_database_only() -> None:
    users = {found.symbol: found.members for found in of(resources(), "Microsoft.DocumentDB/mongoClusters/users")}
    (role,) = users["app"]["properties"]["roles"]
    assert role["role"] == "appRole"
    assert template(MAIN).parameters()["mongodbAppRole"]["default"] == "readWrite"


@pytest.mark.parametrize("action", ["write", "delete"])
def test_who_deploys_may_assign_the_roles_of_the_templates_to_holders_of_their_kind_and_no_others(action: str) -> None:
    allowed = assignable((INFRA / "pipeline.condition").read_text(), action)
    assert allowed == assigned_roles()
    assert {role for role, _ in allowed} == {role for roles in ROLES.values() for role in roles}


def test_who_deploys_may_make_no_identity_an_officer_of_secrets() -> None:
    officer = next(role for role, name in ROLES["operators"].items() if name == "Key Vault Secrets Officer")
    allowed = assignable((INFRA / "pipeline.condition").read_text())
    assert {kind for role, kind in allowed if role == officer} == {"Group"}
    only_of_the_app = ROLES["roles"].keys() - ROLES["operators"].keys()
    assert {kind for role, kind in allowed if role in only_of_the_app} == {"ServicePrincipal"}


TYPE_OF_HOLDER = "@Request[Microsoft.Authorization/roleAssignments:PrincipalType] "
TYPE_OF_HOLDER += "ForAnyOfAnyValues:StringEqualsIgnoreCase"


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        (f" AND {TYPE_OF_HOLDER} {{'Group'}}", ""),
        (f" AND {TYPE_OF_HOLDER} {{'ServicePrincipal'}}", ""),
        (" AND ( ( !(ActionMatches", " OR ( ( !(ActionMatches"),
        ("GuidEquals", "GuidNotEquals"),
        ("@Resource", "@Request"),
    ],
)
def test_a_condition_that_lets_out_a_clause_is_none(text: str, instead: str) -> None:
    condition = " ".join((INFRA / "pipeline.condition").read_text().split())
    assert text in condition
    with pytest.raises(ValueError, match="ActionMatches"):
        assignable(condition.replace(text, instead))


# Network


PRIVATE = {
    "Microsoft.Storage/storageAccounts",
    "Microsoft.KeyVault/vaults",
    "Microsoft.DocumentDB/mongoClusters",
    "Microsoft.Cache/redisEnterprise",
    "Microsoft.DurableTask/schedulers",
    "Microsoft.Web/sites",
}


def test_private_resources_have_no_public_access() -> None:
    closed = {
        found.type
        for found in resources()
        if found.members.get("properties", {}).get("publicNetworkAccess") == if_else("private", "Disabled", "Enabled")
    }
    assert closed == PRIVATE
    for type_ in ("Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults"):
        rules = resource(type_).members["properties"]["networkAcls"]
        assert rules == {"bypass": "None", "defaultAction": if_else("private", "Deny", "Allow")}


def test_the_own_host_name_is_closed_to_others_where_a_front_door_or_gateway_is_named() -> None:
    app = module("app")
    config = resource("Microsoft.Web/sites").members["properties"]["siteConfig"]
    (front_door,) = app.variable("frontDoorRules")
    gateway = app.variable("gatewayRules")["config"]
    assert {name: front_door[name] for name in ("action", "tag", "ipAddress")} == {
        "action": "Allow",
        "tag": "ServiceTag",
        "ipAddress": "AzureFrontDoor.Backend",
    }
    assert front_door["headers"] == {"'x-azure-fdid'": ["frontDoorId"]}, "any customer's Front Door has the service tag"
    assert (gateway["action"], gateway["ipAddress"]["function"]["type"]) == ("Allow", "trim")
    assert "ipSecurityRestrictions: concat(empty(frontDoorId) ? [] : frontDoorRules, gatewayRules)" in app.text
    default = config["ipSecurityRestrictionsDefaultAction"]["operator"]["operands"]
    assert (default["true_value"], default["false_value"]) == ("Allow", "Deny")
    assert (
        default["condition"]
        == template(MAIN).parameters()["trustedProxies"]["default"]["operator"]["operands"]["condition"]
    )


def test_the_app_knows_of_the_front_door_or_gateway_that_its_host_name_is_open_for() -> None:
    settings = template(MAIN).variable("analysisSettings")
    _, given = template(MAIN).modules()["app"]
    assert (settings["FRONT_DOOR_ID"], settings["PROXY_NETWORKS"]) == (given["frontDoorId"], given["proxyNetworks"])
    alone, behind_another = (
        template(MAIN).parameters()["trustedProxies"]["default"]["operator"]["operands"][value]
        for value in ("true_value", "false_value")
    )
    assert (alone, behind_another) == (1, 2)


def test_either_all_dependencies_are_private_or_none() -> None:
    given = {path.stem: given["private"] for path, given in template(MAIN).modules().values() if "private" in given}
    app = given.pop("app")
    assert (app, set(given.values())) == ("everythingPrivate", {"dependenciesPrivate"})
    assert len(given) == len(PRIVATE) - 1


def test_each_private_service_has_its_endpoint_and_its_zone() -> None:
    found = re.findall(r"group: '(\w+)', zone: '([^']+)'", template(MAIN).text)
    assert dict(found) == {
        "blob": "privatelink.blob.${storageZone}",
        "queue": "privatelink.queue.${storageZone}",
        "table": "privatelink.table.${storageZone}",
        "vault": "privatelink.vaultcore.azure.net",
        "MongoCluster": "privatelink.mongocluster.cosmos.azure.com",
        "redisEnterprise": "privatelink.redis.azure.net",
        "scheduler": "privatelink.durabletask.io",
        "sites": "privatelink.azurewebsites.net",
    }


def test_instances_join_their_own_subnet() -> None:
    network = resource("Microsoft.Network/virtualNetworks").members["properties"]
    subnets = {found["name"]: found["properties"] for found in network["subnets"]}
    (delegation,) = subnets["app"]["delegations"]
    assert delegation["properties"]["serviceName"] == "Microsoft.App/environments"
    assert "delegations" not in subnets["endpoints"]


# The app


def test_the_app_is_deployed_and_run_as_itself() -> None:
    app = resource("Microsoft.Web/sites").members
    config = app["properties"]["functionAppConfig"]
    assert app["identity"]["type"] == "UserAssigned"
    assert config["deployment"]["storage"]["type"] == "blobContainer"
    assert config["deployment"]["storage"]["authentication"]["type"] == "UserAssignedIdentity"
    assert config["runtime"] == {"name": "python", "version": "3.13"}
    assert 'requires-python = ">=3.13,<3.14"' in (ROOT / "pyproject.toml").read_text()
    assert app["properties"]["httpsOnly"] is True


def test_requests_without_platform_sign_in_reach_the_apps_own_sign_in() -> None:
    (sign_in,) = (found for found in module("sign-in").resources() if not found.existing)
    assert sign_in.members["properties"]["globalValidation"] == {
        "requireAuthentication": False,
        "unauthenticatedClientAction": "AllowAnonymous",
    }


def test_azd_finds_the_template_and_the_app() -> None:
    project = yaml.safe_load((ROOT / "azure.yaml").read_text())
    assert (ROOT / project["infra"]["path"] / f"{project['infra']['module']}.bicep") == MAIN
    _, given = template(MAIN).modules()["app"]
    assert list(project["services"]) == [given["serviceName"]]
    assert project["services"]["api"] == {"project": ".", "language": "py", "host": "function"}


def test_both_engines_have_the_addresses_in_host_json() -> None:
    durable = json.loads((INFRA / "host.scheduler.json").read_text())["extensions"]["durableTask"]
    (setting,) = literal_keys(
        next(tree for path, tree in walk(template(MAIN).tree) if path[-2:] == ("engineSettings", "operator"))[
            "operands"
        ]["true_value"]
    )
    assert durable["storageProvider"] == {"type": "azureManaged", "connectionStringName": setting}
    assert template(MAIN).variable("taskHubName") == durable["hubName"]
    ours = json.loads((ROOT / "host.json").read_text())["extensions"]["durableTask"]
    assert {"type", "connectionStringName"} & ours["storageProvider"].keys() == set(), (
        "the storage account is the default"
    )
    assert ours["hubName"] == durable["hubName"]


@pytest.mark.parametrize(
    "type_",
    [
        "Microsoft.Storage/storageAccounts",
        "Microsoft.KeyVault/vaults",
        "Microsoft.DocumentDB/mongoClusters",
        "Microsoft.Cache/redisEnterprise",
        "Microsoft.Web/sites",
    ],
)
def test_the_logs_of_each_service_are_kept(type_: str) -> None:
    (found,) = [candidate for candidate in resources() if candidate.type == type_]
    here = [candidate for candidate in resources() if candidate.template == found.template]
    settings = of(here, "Microsoft.Insights/diagnosticSettings")
    assert settings
    assert all(diagnostics.members["properties"]["workspaceId"] == "workspaceId" for diagnostics in settings)
