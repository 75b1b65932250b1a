"""A stand-in for the Azure CLI, with one subscription in a file; ``tests/infra/azure.py`` has both, and the program.

What it has of the real one: commands and options that do not exist are refused; queries are JMESPath; a token of GitHub
is exchanged for tokens of services within five minutes only; each command needs a right of who signed in.
"""

import json
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Lock, Thread
from typing import override

import jmespath

from tests.infra import subscription as services
from tests.infra.subscription import Options, Refused, State

type Run = Callable[[State, Options], object]

MANAGEMENT = "https://management.core.windows.net"
TELEMETRY = "https://api.applicationinsights.io"
LOGS = "https://api.loganalytics.io"
VAULT = "https://vault.azure.net"
DATABASE = "https://ossrdbms-aad.database.windows.net"
ASSERTION_SECONDS, TOKEN_SECONDS = 300, 3600
GLOBAL = {"output", "query", "only-show-errors"}


def token_for(state: State, audience: str) -> None:
    """Exchange the assertion for a token, unless one is cached."""
    if state["signed_in"] is None:
        raise Refused("Please run 'az login' to setup account.")
    if state["tokens"].get(audience, 0) > state["now"]:
        return
    if state["now"] - state["signed_in"] > ASSERTION_SECONDS:
        raise Refused("AADSTS700024: Client assertion is not within its valid time range.")
    state["tokens"][audience] = state["now"] + TOKEN_SECONDS


@dataclass(frozen=True)
class Command:
    """A command: its options, the right that it needs and where, the service that it asks, if any, and what it does."""

    options: str
    right: str
    run: Run
    place: Callable[[State], str] = services.in_group
    audience: str | None = MANAGEMENT


def in_subscription(state: State) -> str:
    return str(state["subscription"])


def without_right(options: str, run: Run, audience: str | None = None) -> Command:
    return Command(options, "", run, audience=audience)


RESOURCES, WEB = "Microsoft.Resources", "Microsoft.Web/sites"
ASSIGNMENT = "assignee-object-id assignee-principal-type scope role condition condition-version"
DEPLOYMENT = "name location template-file parameters"
COMMANDS = {
    "account get-access-token": without_right("resource", services.database_token, DATABASE),
    "account set": without_right("subscription", services.nothing),
    "account show": without_right("", lambda state, _: {"id": state["subscription"].rpartition("/")[2]}),
    "bicep install": without_right("version", services.nothing),
    "deployment group list": Command("resource-group", f"{RESOURCES}/deployments/read", services.modules_list),
    "deployment group show": Command("resource-group name", f"{RESOURCES}/deployments/read", services.module_show),
    "deployment sub create": without_right(DEPLOYMENT, services.create, MANAGEMENT),
    "deployment sub what-if": Command(
        f"{DEPLOYMENT} validation-level", f"{RESOURCES}/deployments/whatIf/action", services.what_if, in_subscription
    ),
    "extension add": without_right("name yes", services.nothing),
    "functionapp config appsettings list": Command(
        "resource-group name", f"{WEB}/config/list/action", services.settings_list, services.in_app
    ),
    "functionapp deployment source config-zip": Command(
        "resource-group name src build-remote timeout", f"{WEB}/publish/action", services.config_zip
    ),
    "functionapp show": Command("resource-group name", f"{WEB}/read", services.function_app),
    "group create": Command(
        "name location tags", f"{RESOURCES}/subscriptions/resourceGroups/write", services.group_create
    ),
    "group exists": Command("name", f"{RESOURCES}/subscriptions/resourceGroups/read", services.group_exists),
    "keyvault list-deleted": Command(
        "resource-type", "Microsoft.KeyVault/deletedVaults/read", services.deleted_vaults, in_subscription
    ),
    "keyvault recover": Command("name resource-group location", "Microsoft.KeyVault/vaults/write", services.recover),
    "keyvault show": Command("resource-group name", "Microsoft.KeyVault/vaults/read", services.vault_show),
    "keyvault secret show": without_right("vault-name name", services.secret_show, VAULT),
    "login": without_right("", services.nothing),
    "monitor app-insights query": Command(
        "apps analytics-query offset", "Microsoft.Insights/components/query/read", services.query, audience=TELEMETRY
    ),
    "role assignment create": without_right(ASSIGNMENT, services.role_assignment, MANAGEMENT),
    "role assignment list": Command(
        "assignee scope include-inherited",
        "Microsoft.Authorization/roleAssignments/read",
        services.role_assignments,
        in_subscription,
    ),
    "role definition create": Command(
        "role-definition", "Microsoft.Authorization/roleDefinitions/write", services.role_created, in_subscription
    ),
    "role definition list": Command(
        "custom-role-only name",
        "Microsoft.Authorization/roleDefinitions/read",
        services.role_definitions,
        in_subscription,
    ),
    "role definition update": Command(
        "role-definition", "Microsoft.Authorization/roleDefinitions/write", services.role_updated, in_subscription
    ),
    "resource list": Command(
        "resource-group resource-type",
        f"{RESOURCES}/subscriptions/resourceGroups/resources/read",
        services.resource_list,
    ),
}
# Of the command rest: by method and type of resource.
CALLS = {
    "post Microsoft.Web/sites/syncfunctiontriggers": services.nothing,
    "get Microsoft.Consumption/budgets": services.budgets,
    "get Microsoft.Insights/scheduledQueryRules": services.alert_rules,
    "get Microsoft.Insights/workbooks": services.workbooks,
    "get Microsoft.OperationalInsights/workspaces": services.workspace,
    "get Microsoft.DocumentDB/mongoClusters/users": services.database_user,
    "put Microsoft.DocumentDB/mongoClusters/users": services.database_user,
}
VERBS = {"get": "read", "put": "write", "post": "action"}


def rest(method: str, url: str) -> Command:
    """Return the command for a call of Resource Manager, or of the API of the logs."""
    if url == f"{LOGS}/v1/workspaces/{services.WORKSPACE}/query":
        right = "Microsoft.OperationalInsights/workspaces/query/read"
        return Command("method url resource body", right, services.query_of_logs, audience=LOGS)
    _, _, path = url.partition("?")[0].partition("/providers/")
    provider, *names = path.split("/")
    kind = "/".join([provider, *names[::2]])
    if f"{method} {kind}" not in CALLS:
        raise Refused(f"Not Found({method} {url})")
    return Command("method url body", f"{kind}/{VERBS[method]}", CALLS[f"{method} {kind}"])


# The program


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


def answer(state: State, name: str, options: Options) -> object:
    """Return what a command answers."""
    if name == "rest":
        command = rest(options["method"][0], options["url"][0])
    elif name in COMMANDS:
        command = COMMANDS[name]
    else:
        raise Refused(f"'{name}' is misspelled or not recognized by the system.", 2)
    if unknown := options.keys() - set(command.options.split()) - GLOBAL:
        raise Refused(f"unrecognized arguments: {sorted(unknown)}", 2)
    if command.audience:
        token_for(state, command.audience)
    state["now"] += 5
    if command.right:
        services.may(state, command.right, command.place(state))
    found = command.run(state, options)
    return jmespath.search(options["query"][0], found) if "query" in options else found


def carried_out(path: Path, folder: str, arguments: list[str]) -> tuple[int, str, str]:
    """Carry out a command on the state in a file, and return its exit code and what it prints, also as errors."""
    state: State = json.loads(path.read_text()) | {"folder": folder}
    state["asked"].append(" ".join(arguments))
    try:
        name, options = parsed(arguments)
        text = shown(answer(state, name, options), options.get("output", ["json"])[0])
    except Refused as refused:
        return refused.code, "", f"ERROR: {refused}\n"
    finally:
        path.write_text(json.dumps(state))
    return 0, f"{text}\n" if text else "", ""


class _Call(BaseRequestHandler):
    """A call of the program: how many texts follow, then the file, the folder and the arguments, each ended by NUL."""

    @override
    def handle(self) -> None:
        _, path, folder, *arguments = self._texts()
        try:
            with _one_at_a_time:
                code, output, error = carried_out(Path(path), folder, arguments)
        except Exception:  # noqa: BLE001 - the script and its test see it, as if the program had raised it
            code, output, error = 1, "", traceback.format_exc()
        self.request.sendall("".join(f"{text}\0" for text in (code, output, error)).encode())

    def _texts(self) -> list[str]:
        received = b""
        while b"\0" not in received or received.count(b"\0") <= int(received.partition(b"\0")[0]):
            part = self.request.recv(65_536)
            assert part, "the program ended before it had told everything"
            received += part
        return received.decode().split("\0")[:-1]


_one_at_a_time = Lock()


@cache
def port() -> int:
    """Return the port at which commands are carried out: a Python of their own would take most of the tests' time."""
    server = ThreadingTCPServer(("127.0.0.1", 0), _Call)
    Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])
