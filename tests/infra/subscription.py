"""What the services of one subscription of Azure answer to the stand-in for its command line, ``tests/infra/az.py``.

Identities have the roles that they were given, each resource of a deployment needs a right, and what the real services
refuse is refused.
"""

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from tests.infra.rights import ASSIGN, ROLES, Assignment, assignable, granting

# The id of the workspace for its API.
WORKSPACE = "6f1d4a52-0c7e-4a0b-9d6e-2f8c1b3a5e70"

type State = dict[str, Any]
type Options = dict[str, list[str]]

# What a deployment of the template writes, beside roles and locks; the rights are of one kind.
WRITTEN = ("Microsoft.Resources/subscriptions/resourceGroups", "Microsoft.Resources/deployments", "Microsoft.Web/sites")
# What az asks of the subscription to begin a deployment, and to wait for its end.
BEGINNING = [
    f"Microsoft.Resources/deployments/{each}" for each in ("validate/action", "write", "operationstatuses/read", "read")
]

# How many deployments the history of the subscription keeps, when Azure begins to delete the oldest, and how many stay.
HISTORY, CROWDED, KEPT = 800, 700, 600


class Refused(Exception):
    """The message of az, and its exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


# Who may do what


def in_group(state: State, *parts: str) -> str:
    """Return the id of the environment's resource group, or of something in it."""
    return "/".join([state["subscription"], "resourceGroups", f"rg-portfolio-{state['environment']}", *parts])


def in_app(state: State) -> str:
    return in_group(state, "providers/Microsoft.Web/sites", state["outputs"].get("AZURE_FUNCTION_NAME", "func"))


def may(state: State, action: str, scope: str) -> list[Assignment]:
    """Return why the identity may do this there. Without a reason it is refused."""
    found = granting(action, scope, state["identity"], state["assignments"], state["custom_roles"])
    if not found:
        who = f"The client '{state['identity']}' does not have authorization to perform action '{action}'"
        raise Refused(f"(AuthorizationFailed) {who} over scope '{scope}'")
    return found


def may_assign(state: State, role: str, kind: str) -> None:
    """Refuse a role that the identity may not give to a holder of this kind."""
    reasons = may(state, ASSIGN, in_group(state))
    if not any(not each["condition"] or (role, kind) in assignable(each["condition"]) for each in reasons):
        raise Refused(f"(AuthorizationFailed) The condition does not allow to assign the role {role} to a {kind}")


def role_assignment(state: State, options: Options) -> object:
    (principal,), (role,), (scope,) = (options[name] for name in ("assignee-object-id", "role", "scope"))
    may(state, ASSIGN, scope)
    condition = options.get("condition", [""])[0]
    if role not in [*ROLES, *state["custom_roles"]]:
        raise Refused(f"Role '{role}' doesn't exist.")
    key = {"principal": principal, "role": role, "scope": scope}
    # One that is there already stays as it is.
    if not any(key.items() <= each.items() for each in state["assignments"]):
        state["assignments"].append(key | {"condition": condition})
    return None


def role_assignments(state: State, options: Options) -> object:
    (principal,), (scope,) = options["assignee"], options["scope"]
    assert "include-inherited" in options
    return [
        {"roleDefinitionName": each["role"]}
        for each in state["assignments"]
        if each["principal"] == principal and f"{scope}/".startswith(f"{each['scope']}/")
    ]


def role_created(state: State, options: Options) -> object:
    role = json.loads(options["role-definition"][0])
    if role["Name"] in [*state["custom_roles"], *state["roles_of_other_subscriptions"]]:
        raise Refused("(RoleDefinitionWithSameNameExists) A custom role with the same name exists in this directory.")
    return _defined(state, role)


def role_updated(state: State, options: Options) -> object:
    role = json.loads(options["role-definition"][0])
    if role["Name"] not in state["custom_roles"]:
        raise Refused(f'No definition was found with the name of "{role["Name"]}"')
    return _defined(state, role)


def _defined(state: State, role: dict[str, Any]) -> object:
    assert role["AssignableScopes"] == [state["subscription"]]
    state["custom_roles"][role["Name"]] = role["Actions"]
    return None


def role_definitions(state: State, options: Options) -> object:
    return [{"name": name} for name in state["custom_roles"] if name == options["name"][0]]


# The resource group and what is in it


def group_exists(state: State, options: Options) -> object:
    return state["group"] and in_group(state).endswith(f"/{options['name'][0]}")


def group_create(state: State, options: Options) -> object:
    assert in_group(state).endswith(f"/{options['name'][0]}")
    state["group"] = True
    return None


def resource_list(state: State, options: Options) -> object:
    kind = options["resource-type"][0]
    if kind == "Microsoft.DocumentDB/mongoClusters":
        found = [(name, cluster["state"]) for name, cluster in state["clusters"].items()]
    else:
        found = [("appi", "Succeeded")] if state["deployments"] else []
    return [
        {"id": in_group(state, "providers", kind, name), "name": name, "provisioningState": provisioning}
        for name, provisioning in found
    ]


def budgets(state: State, options: Options) -> object:
    del options
    starts = {"of-another-team": "2020-01-01", f"portfolio-{state['environment']}": state["budget"]}
    return {
        "value": [
            {"name": name, "properties": {"timePeriod": {"startDate": f"{start}T00:00:00Z"}}}
            for name, start in starts.items()
            if start
        ]
    }


def alert_rules(state: State, options: Options) -> object:
    del options
    queries = {
        "run-failed": ("Microsoft.Insights/components/appi", "requests | take 1"),
        "telemetry-capped": ("Microsoft.OperationalInsights/workspaces/log", "_LogOperation | take 1"),
    }
    return {
        "value": [
            {
                "name": name,
                "properties": {
                    "scopes": [in_group(state, "providers", scope)], "criteria": {"allOf": [{"query": code}]},
                },
            }
            for name, (scope, code) in queries.items()
        ]
    }  # fmt: skip


def workspace(state: State, options: Options) -> object:
    del state, options
    return {"properties": {"customerId": WORKSPACE}}


def workbooks(state: State, options: Options) -> object:
    del state, options
    items = [{"content": {"title": "Runs", "query": "traces | take 1"}}, {"content": {"json": "a text"}}]
    return {"value": [{"properties": {"serializedData": json.dumps({"items": items})}}]}


def database_user(state: State, options: Options) -> object:
    """Return a user of a cluster, or write one."""
    _, cluster, _, user = options["url"][0].partition("?")[0].rsplit("/", 3)
    users = state["clusters"][cluster]["users"]
    if "body" in options:
        users[user] = json.loads(options["body"][0])
    if user not in users:
        raise Refused(f"Not Found({user})")
    return users[user]


def database_token(state: State, options: Options) -> object:
    """Return a token, if the database will take it: it knows its users, and what each may do."""
    del options
    _, cluster, _, app = state["outputs"]["MONGODB_APP_USER_ID"].rsplit("/", 3)
    users = state["clusters"].get(cluster, {"users": {}})["users"]
    roles = {name: user["properties"]["roles"] for name, user in users.items()}
    if state["identity"] not in roles or roles[state["identity"]] != roles[app]:
        raise Refused("MongoServerError(18): Authentication failed")
    return {"accessToken": "a token"}


# The vault


def deleted_vaults(state: State, options: Options) -> object:
    assert options["resource-type"] == ["vault"]
    ours, theirs = in_group(state), in_group(state).replace("rg-portfolio", "rg-of-another-team")
    tags = {"application": "portfolio-analysis", "azd-env-name": state["environment"]}
    found = [("kv-1", theirs, "westeurope", tags), ("kv-2", ours, "brazilsouth", tags)]
    found.append(("kv-3", ours, "westeurope", tags if state["other_vault_is_ours"] else {}))
    if state["vault_deleted"]:
        found.append(("kv-0", ours, "westeurope", tags))
    return [
        {
            "name": name,
            "properties": {
                "vaultId": f"{group}/providers/Microsoft.KeyVault/vaults/{name}", "location": location, "tags": tagged,
            },
        }
        for name, group, location, tagged in found
    ]  # fmt: skip


def recover(state: State, options: Options) -> object:
    if not state["group"]:
        raise Refused("(ResourceGroupNotFound) Resource group could not be found.")
    if options["name"] != ["kv-0"] or options["location"] != ["westeurope"]:
        raise Refused("(DeletedVaultNotFound)")
    state["vault_deleted"] = False
    return None


def vault_show(state: State, options: Options) -> object:
    return {"id": in_group(state, "providers/Microsoft.KeyVault/vaults", options["name"][0])}


def secret_show(state: State, options: Options) -> object:
    (vault,), (name,) = options["vault-name"], options["name"]
    secret = in_group(state, "providers/Microsoft.KeyVault/vaults", vault, "secrets", name)
    may(state, "Microsoft.KeyVault/vaults/secrets/getSecret/action", secret)
    return {"value": state["secret"]}


# Deployments


def parameters_of(state: State, options: Options) -> dict[str, Any]:
    """Return the parameters of a deployment; later ones count."""
    given: dict[str, Any] = {}
    for each in options["parameters"]:
        if each.startswith("@"):
            read = json.loads(Path(state["folder"], each[1:]).read_text())["parameters"]
            given |= {name: value["value"] for name, value in read.items()}
        else:
            name, _, value = each.partition("=")
            given[name] = {"true": True, "false": False}.get(value, value)
    if "budgetStartDate" not in given:
        raise Refused("Missing input parameters: budgetStartDate")
    start = date.fromisoformat(given["budgetStartDate"])
    today = date.fromisoformat(state["today"])
    if state["budget"] and start.isoformat() != state["budget"]:
        raise Refused("(400) Start date of an existing budget cannot be changed")
    if start.day != 1 or (not state["budget"] and start < today.replace(day=1)):
        raise Refused("(400) Start date should be the first of the month and not before the current month")
    return given


def what_if(state: State, options: Options) -> object:
    parameters_of(state, options)
    if options.get("validation-level") != ["ProviderNoRbac"]:
        may(state, f"{WRITTEN[0]}/write", in_group(state))
    return "Resource changes: 3 to create."


def create(state: State, options: Options) -> object:
    given = parameters_of(state, options)
    for action in BEGINNING:
        may(state, action, state["subscription"])
    remember(state)
    for kind in (*WRITTEN, "Microsoft.Authorization/locks") if given.get("deleteLocks") else WRITTEN:
        may(state, f"{kind}/write", in_group(state))
    for role, kind in state["roles_of_templates"]:
        may_assign(state, role, kind)
    state["now"] += state["infrastructure_seconds"]
    state["active_runs"] |= state["runs_meanwhile"]
    if state["vault_deleted"]:
        raise Refused("(ConflictError) A vault with the same name already exists in deleted state.")
    if given.get("mongodb") == "cluster":
        cluster(state, given)
    state["group"], state["budget"] = True, given["budgetStartDate"]
    state["deployments"].append({"name": options["name"][0], "state": "Succeeded", "timestamp": state["now"]})
    return None


def remember(state: State) -> None:
    """Make room in the history: Azure deletes in the name of who deploys, if they may."""
    may_delete = granting(
        "Microsoft.Resources/deployments/delete",
        state["subscription"],
        state["identity"],
        state["assignments"],
        state["custom_roles"],
    )
    if len(state["deployments"]) > CROWDED and may_delete:
        state["deployments"] = state["deployments"][-KEPT:]
    if len(state["deployments"]) >= HISTORY:
        raise Refused(f"(DeploymentQuotaExceeded) The history has reached its quota of {HISTORY} deployments.")


def cluster(state: State, given: dict[str, Any]) -> None:
    """Create or change the MongoDB cluster."""
    password = given.get("mongodbPasswordSignIn", False)
    name = given.get("mongodbClusterName") or "mongo-0000000000000"
    if name not in state["clusters"] and not password:
        raise Refused("(BadRequest) NativeAuth must be enabled at cluster creation.")
    root = given.get("mongodbAppRole") == "root"
    role = {"db": "admin", "role": "root"} if root else {"db": "portfolio", "role": "readWrite"}
    kind = {"type": "MicrosoftEntraID", "properties": {"principalType": "servicePrincipal"}}
    found = state["clusters"].setdefault(name, {"state": "Succeeded", "users": {}})
    found["password"] = password
    found["users"]["id-app"] = {"properties": {"identityProvider": kind, "roles": [role], "user": "id-app"}}


def modules_list(state: State, options: Options) -> object:
    """Return the deployments of the modules in the group: of each name there is the newest one only."""
    assert in_group(state).endswith(f"/{options['resource-group'][0]}")
    if not state["group"]:
        raise Refused("(ResourceGroupNotFound) Resource group could not be found.")
    names = [
        {"name": "names", "properties": {"provisioningState": each["state"]}} for each in state["deployments"][-1:]
    ]
    return [{"name": "monitoring", "properties": {"provisioningState": "Succeeded"}}, *names]


def module_show(state: State, options: Options) -> object:
    assert in_group(state).endswith(f"/{options['resource-group'][0]}")
    assert options["name"] == ["names"]
    # Resource Manager changes the case of the first letter.
    outputs = {name[:-1].lower() + name[-1]: {"value": value} for name, value in state["outputs"].items()}
    return {"properties": {"outputs": outputs}}


# The app


def settings_list(state: State, options: Options) -> object:
    del options
    return [{"name": name, "value": value} for name, value in state["settings"].items()]


def config_zip(state: State, options: Options) -> object:
    if options.get("build-remote") != ["false"]:
        # For Python on Flex Consumption it is the default: the platform installs the requirements itself.
        state["package"] = "built again, from the requirements"
        state["now"] += 60
        raise Refused("Deployment endpoint responded with status code 504: remote build timed out")
    package = Path(state["folder"], options["src"][0])
    state["now"] += 400
    state["package"] = hashlib.sha256(package.read_bytes()).hexdigest()
    with ZipFile(package) as archive:
        # The host is another user than the one that unpacks, and takes the newest bundle that host.json allows.
        readable = all(entry.external_attr >> 16 & 0o004 for entry in archive.infolist())
        allowed = json.loads(archive.read("host.json"))["extensionBundle"]["version"]
    least, below = (version(each) for each in allowed.strip("[)").split(", "))
    newest = max(each for each in state["bundles"] if least <= version(each) < below)
    state["functions_load"] = readable and newest == state["bundles"][0]
    return None


def version(text: str) -> list[int]:
    return [int(part) for part in text.replace("*", "0").split(".")]


def function_app(state: State, options: Options) -> object:
    """Return an app of Flex Consumption, which az shows as Resource Manager does: with its properties by themselves."""
    (name,) = options["name"]
    return {
        "id": in_group(state, "providers/Microsoft.Web/sites", name),
        "properties": {"state": "Running", "defaultHostName": f"{name}.azurewebsites.net"},
    }


def query(state: State, options: Options) -> object:
    (code,) = options["analytics-query"]
    if "strcat(fired" in code:
        # It fires every five minutes, and its trace takes minutes to arrive.
        state["now"] += 320
        fired = int(state["timers_fire"] and state["functions_load"])
        return {"tables": [{"rows": [[f"{fired} 5"]]}]}
    if "began > 0 and ended == 0" in code:
        hours = {"1h": 1, "1d": 24}[options.get("offset", ["1h"])[0]]
        rows = [[run] for run, age in state["active_runs"].items() if age <= hours]
        return {"tables": [{"rows": rows}]}
    return no_rows(state)


def query_of_logs(state: State, options: Options) -> object:
    assert json.loads(options["body"][0]).keys() == {"query"}
    return no_rows(state)


def no_rows(state: State) -> object:
    if state["queries_fail"]:
        raise Refused("(BadArgumentError) SyntaxError")
    return {"tables": [{"rows": []}]}


def nothing(state: State, options: Options) -> object:
    del state, options
    return None
