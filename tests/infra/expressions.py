"""The expressions that a snapshot leaves for Azure to evaluate, evaluated with what Azure would know."""

import re
from collections.abc import Callable, Iterator

PRINCIPAL, CLIENT = "00000000-0000-0000-0000-0000000000aa", "00000000-0000-0000-0000-0000000000cc"

# By the type of the resource and the property: values as Azure gives them, from the resource's name.
_KNOWN: dict[tuple[str, str], Callable[[str], str]] = {
    ("userAssignedIdentities", "principalId"): lambda _: PRINCIPAL,
    ("userAssignedIdentities", "clientId"): lambda _: CLIENT,
    ("storageAccounts", "primaryEndpoints.blob"): "https://{}.blob.core.windows.net/".format,
    ("storageAccounts", "primaryEndpoints.queue"): "https://{}.queue.core.windows.net/".format,
    ("storageAccounts", "primaryEndpoints.table"): "https://{}.table.core.windows.net/".format,
    ("components", "ConnectionString"): "InstrumentationKey={}".format,
    ("vaults", "vaultUri"): "https://{}.vault.azure.net/".format,
    ("redisEnterprise", "hostName"): "{}.westeurope.redis.azure.net".format,
    ("schedulers", "endpoint"): "https://{}.westeurope.durabletask.io".format,
    ("topics", "endpoint"): "https://{}.westeurope-1.eventgrid.azure.net/api/events".format,
}
_ENVIRONMENT = {"authentication.loginEndpoint": "https://login.microsoftonline.com/"}
_TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|(\d+)|([A-Za-z]\w*)|([(),.]))")


def evaluated(value: str) -> str:
    """Return the value of an expression in brackets; any other text as it is."""
    if not re.fullmatch(r"\[\w+\(.*\]", value):
        return value
    return _Parser(value[1:-1]).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))

    def parse(self) -> str:
        value = self._expression()
        assert not self._tokens, self._tokens
        return value

    def _expression(self) -> str:
        kind, token = self._tokens.pop(0)
        if kind != "name":
            return token
        self._expect("(")
        arguments = []
        while self._tokens[0] != ("sign", ")"):
            arguments.append(self._expression())
            if self._tokens[0] == ("sign", ","):
                self._tokens.pop(0)
        self._expect(")")
        path = []
        while self._tokens and self._tokens[0] == ("sign", "."):
            self._tokens.pop(0)
            path.append(self._tokens.pop(0)[1])
        return _call(token, arguments, ".".join(path))

    def _expect(self, sign: str) -> None:
        assert self._tokens.pop(0) == ("sign", sign)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        assert found is not None, text[place:]
        quoted, number, name, sign = found.groups()
        if quoted is not None:
            yield "text", quoted.replace("''", "'")
        else:
            yield ("number" if number else "name" if name else "sign"), number or name or sign
        place = found.end()


def _call(function: str, arguments: list[str], path: str) -> str:
    match function:
        case "format":
            template, *values = arguments
            return template.format(*values)
        case "reference":
            type_, name = arguments[0].split("/")[-2:]
            return _KNOWN[type_, path](name)
        case "environment":
            return _ENVIRONMENT[path]
    raise KeyError(function)
