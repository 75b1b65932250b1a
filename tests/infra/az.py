"""A stand-in for the Azure CLI, with one subscription in the file that AZ_STATE names: ``tests/infra/azure.py``.

What it has of the real one: commands and options that do not exist are refused; queries are JMESPath; a token of GitHub
is exchanged for tokens of services within five minutes only; identities have rights; and what the services refuse.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import jmespath

type State = dict[str, Any]
type Options = dict[str, list[str]]

MANAGEMENT = "https://management.core.windows.net"
TELEMETRY = "https://api.applicationinsights.io"
VAULT = "https://vault.azure.net"
DATABASE = "https://ossrdbms-aad.database.windows.net"
ASSERTION_SECONDS, TOKEN_SECONDS = 300, 3600
SUBSCRIPTION = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590"
GLOBAL = {"output", "query"}


class Refused(Exception):
    """The message of az, and its exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def group_of(state: State) -> str:
    return f"rg-portfolio-{state['environment']}"


def may(state: State, what: str) -> None:
    """Refuse what the identity has no role for."""
    if what not in state["rights"]:
        raise Refused(f"(AuthorizationFailed) The client does not have authorization to perform action '{what}'")


def token_for(state: State, audience: str) -> None:
    """Exchange the assertion for a token, unless one is cached."""
    if state["signed_in"] is None:
        raise Refused("Please run 'az login' to setup account.")
    if state["tokens"].get(audience, 0) > state["now"]:
        return
    if state["now"] - state["signed_in"] > ASSERTION_SECONDS:
        raise Refused("AADSTS700024: Client assertion is not within its valid time range.")
    state["tokens"][audience] = state["now"] + TOKEN_SECONDS


def group_exists(state: State, options: Options) -> object:
    return state["group"] and options["name"] == [group_of(state)]


def group_create(state: State, options: Options) -> object:
    may(state, "write")
    assert options["name"] == [group_of(state)]
    state["group"] = True
    return {"name": group_of(state)}


def resource_list(state: State, options: Options) -> object:
    names = {"Microsoft.Insights/components": "appi", "Microsoft.DocumentDB/mongoClusters": "mongo"}
    (kind,) = options["resource-type"]
    in_group = f"{SUBSCRIPTION}/resourceGroups/{group_of(state)}/providers/{kind}/{names[kind]}"
    return [{"id": in_group}] if state["deployments"] else []


def rest(state: State, options: Options) -> object:
    (url,), (method,) = options["url"], options["method"]
    if method == "post" and "/syncfunctiontriggers?" in url:
        may(state, "write")
        return None
    if method == "get" and f"/{group_of(state)}/providers/Microsoft.Consumption/budgets?" in url:
        other = {"name": "of-another-team", "properties": {"timePeriod": {"startDate": "2020-01-01T00:00:00Z"}}}
        own = {
            "name": f"portfolio-{state['environment']}",
            "properties": {"timePeriod": {"startDate": f"{state['budget']}T00:00:00Z"}},
        }
        return {"value": [other, own] if state["budget"] else [other]}
    if method == "get" and "/scheduledQueryRules?" in url:
        scope = f"{SUBSCRIPTION}/resourceGroups/{group_of(state)}/providers/Microsoft.Insights/components/appi"
        criteria = {"allOf": [{"query": "requests | take 1"}]}
        return {"value": [{"name": "run-failed", "properties": {"scopes": [scope], "criteria": criteria}}]}
    if method == "get" and "/workbooks?" in url:
        items = [{"content": {"title": "Runs", "query": "traces | take 1"}}, {"content": {"json": "a text"}}]
        return {"value": [{"properties": {"serializedData": json.dumps({"items": items})}}]}
    if method == "put" and "/mongoClusters/mongo/users/" in url:
        may(state, "write")
        name = url.rpartition("/")[2].partition("?")[0]
        state["database_users"].append({"id": name, **json.loads(options["body"][0])})
        return None
    raise Refused(f"Not Found({method} {url})")


def list_deleted(state: State, options: Options) -> object:
    assert options["resource-type"] == ["vault"]
    places = [f"/{group}/" for group in (group_of(state), "rg-of-another-team")]
    return [
        {
            "name": f"kv-{number}",
            "properties": {
                "vaultId": f"{SUBSCRIPTION}/resourceGroups{place}providers/Microsoft.KeyVault/vaults/kv-{number}",
                "location": "westeurope",
            },
        }
        for number, place in enumerate(places)
        if state["vault_deleted"] or place != places[0]
    ]


def recover(state: State, options: Options) -> object:
    may(state, "write")
    if not state["group"]:
        raise Refused(f"(ResourceGroupNotFound) Resource group '{group_of(state)}' could not be found.")
    if options["name"] != ["kv-0"] or options["location"] != ["westeurope"]:
        raise Refused("(DeletedVaultNotFound)")
    state["vault_deleted"] = False
    return {"name": "kv-0"}


def secret_show(state: State, options: Options) -> object:
    if options["name"] != ["admin-secret"] or "secret" not in state["rights"]:
        raise Refused("(Forbidden) Caller is not authorized to perform action on resource.")
    return {"value": state["secret"]}


def vault_show(state: State, options: Options) -> object:
    (name,) = options["name"]
    return {"id": f"{SUBSCRIPTION}/resourceGroups/{group_of(state)}/providers/Microsoft.KeyVault/vaults/{name}"}


def parameters_of(state: State, options: Options) -> dict[str, Any]:
    """Return the parameters of a deployment; later ones count."""
    given: dict[str, Any] = {}
    for each in options["parameters"]:
        if each.startswith("@"):
            read = json.loads(Path(each[1:]).read_text())["parameters"]
            given |= {name: value["value"] for name, value in read.items()}
        else:
            name, _, value = each.partition("=")
            given[name] = value
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
    may(state, "what-if")
    parameters_of(state, options)
    if options.get("validation-level") != ["ProviderNoRbac"]:
        may(state, "write")
    print("Resource changes: 3 to create.")
    return None


def create(state: State, options: Options) -> object:
    may(state, "write")
    given = parameters_of(state, options)
    (name,) = options["name"]
    state["now"] += state["infrastructure_seconds"]
    state["active_runs"] |= state["runs_meanwhile"]
    if state["vault_deleted"]:
        raise Refused("(ConflictError) A vault with the same name already exists in deleted state.")
    state["group"], state["budget"] = True, given["budgetStartDate"]
    state["deployments"].append({"name": name, "state": "Succeeded", "timestamp": state["now"]})
    return None


def modules_list(state: State, options: Options) -> object:
    """Return the deployments of the modules in the group: of each name there is the newest one only."""
    assert options["resource-group"] == [group_of(state)]
    names = [
        {"name": "names", "properties": {"provisioningState": each["state"]}} for each in state["deployments"][-1:]
    ]
    return [{"name": "monitoring", "properties": {"provisioningState": "Succeeded"}}, *names]


def module_show(state: State, options: Options) -> object:
    assert (options["resource-group"], options["name"]) == ([group_of(state)], ["names"])
    # Resource Manager changes the case of the first letter.
    outputs = {name[:-1].lower() + name[-1]: {"value": value} for name, value in state["outputs"].items()}
    return {"properties": {"outputs": outputs}}


def settings_list(state: State, options: Options) -> object:
    del options
    may(state, "write")  # reading settings is a POST
    return [{"name": name, "value": value} for name, value in state["settings"].items()]


def config_zip(state: State, options: Options) -> object:
    may(state, "write")
    content = Path(options["src"][0]).read_bytes()
    if options.get("build-remote") != ["false"]:
        # For Python on Flex Consumption it is the default: the platform installs the requirements itself.
        state["package"] = "built again, from the requirements"
        state["now"] += 60
        raise Refused("Deployment endpoint responded with status code 504: remote build timed out")
    state["now"] += 400
    state["package"] = hashlib.sha256(content).hexdigest()
    return None


def show(state: State, options: Options) -> object:
    del options
    return {"id": f"{SUBSCRIPTION}/resourceGroups/{group_of(state)}/providers/Microsoft.Web/sites/app"}


def query(state: State, options: Options) -> object:
    (code,) = options["analytics-query"]
    if "name == 'watchdog'" in code:
        # It fires every five minutes, and its trace takes minutes to arrive.
        state["now"] += 320
        fired = int(state["timers_fire"])
        return {"tables": [{"rows": [[f"{fired} 5" if "arrived" in code else fired]]}]}
    if "began > 0 and ended == 0" in code:
        hours = {"1h": 1, "1d": 24}[options.get("offset", ["1h"])[0]]
        rows = [[run] for run, age in state["active_runs"].items() if age <= hours]
        return {"tables": [{"rows": rows}]}
    if state["queries_fail"]:
        raise Refused("(BadArgumentError) SyntaxError")
    return {"tables": [{"rows": []}]}


def define_role(state: State, options: Options) -> object:
    state["roles"] += options["role-definition"]
    return None


def roles(state: State, options: Options) -> object:
    given = [json.loads(role)["Name"] for role in state["roles"]]
    return [{"name": name} for name in given if name == options["name"][0]]


def nothing(state: State, options: Options) -> object:
    del state, options
    return None


COMMANDS: dict[str, tuple[str | None, str, Callable[[State, Options], object]]] = {
    "account get-access-token": (DATABASE, "resource", lambda _state, _options: {"accessToken": "a token"}),
    "account set": (None, "subscription", nothing),
    "account show": (None, "", lambda _state, _options: {"id": SUBSCRIPTION.rpartition("/")[2]}),
    "bicep install": (None, "version", nothing),
    "deployment sub create": (MANAGEMENT, "name location template-file parameters", create),
    "deployment group list": (MANAGEMENT, "resource-group", modules_list),
    "deployment group show": (MANAGEMENT, "resource-group name", module_show),
    "deployment sub what-if": (MANAGEMENT, "name location template-file parameters validation-level", what_if),
    "extension add": (None, "name yes", nothing),
    "functionapp config appsettings list": (MANAGEMENT, "resource-group name", settings_list),
    "functionapp deployment source config-zip": (
        MANAGEMENT,
        "resource-group name src build-remote timeout",
        config_zip,
    ),
    "functionapp show": (MANAGEMENT, "resource-group name", show),
    "group create": (MANAGEMENT, "name location tags", group_create),
    "group exists": (MANAGEMENT, "name", group_exists),
    "login": (None, "", nothing),
    "keyvault list-deleted": (MANAGEMENT, "resource-type", list_deleted),
    "keyvault recover": (MANAGEMENT, "name resource-group location", recover),
    "keyvault show": (MANAGEMENT, "resource-group name", vault_show),
    "keyvault secret show": (VAULT, "vault-name name", secret_show),
    "monitor app-insights query": (TELEMETRY, "apps analytics-query offset", query),
    "role assignment create": (
        MANAGEMENT,
        "assignee-object-id assignee-principal-type scope role condition condition-version",
        nothing,
    ),
    "role definition create": (MANAGEMENT, "role-definition", define_role),
    "role definition list": (MANAGEMENT, "custom-role-only name", roles),
    "resource list": (MANAGEMENT, "resource-group resource-type", resource_list),
    "rest": (MANAGEMENT, "method url body", rest),
}


def parsed(arguments: list[str]) -> tuple[str, Options]:
    """Return the command and its options."""
    words = []
    while arguments and not arguments[0].startswith("--"):
        words.append(arguments.pop(0))
    options: Options = {}
    for argument in arguments:
        if argument.startswith("--"):
            last = options.setdefault(argument.removeprefix("--"), [])
        else:
            last.append(argument)
    return " ".join(words), options


def shown(value: object, form: str) -> str:
    """Return a value in an output format of az."""
    if form == "none" or value is None:
        return ""
    if form == "json":
        return json.dumps(value)
    rows = value if isinstance(value, list) else [value]
    return "\n".join("\t".join(map(str, row)) if isinstance(row, list) else str(row) for row in rows)


def main(arguments: list[str]) -> int:
    """Run a command on the state."""
    path = Path(os.environ["AZ_STATE"])
    state: State = json.loads(path.read_text())
    state["asked"].append(" ".join(arguments))
    command, options = parsed(arguments)
    try:
        if command not in COMMANDS:
            raise Refused(f"'{command}' is misspelled or not recognized by the system.", 2)
        audience, known, handler = COMMANDS[command]
        if unknown := options.keys() - set(known.split()) - GLOBAL:
            raise Refused(f"unrecognized arguments: {sorted(unknown)}", 2)
        if audience:
            token_for(state, audience)
        state["now"] += 5
        answer = handler(state, options)
        if "query" in options:
            answer = jmespath.search(options["query"][0], answer)
        if text := shown(answer, options.get("output", ["json"])[0]):
            print(text)
    except Refused as refused:
        print(f"ERROR: {refused}", file=sys.stderr)
        return refused.code
    finally:
        path.write_text(json.dumps(state))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
