"""What identities of Azure may do: roles, where they are given, and the condition under which roles are given on."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

type Assignment = Mapping[str, str]
"""Its principal, role and scope, and its condition, which may be empty."""

ASSIGN = "Microsoft.Authorization/roleAssignments/write"


@dataclass(frozen=True)
class Role:
    """What it allows: management, of which ``but`` is left out, and the use of data."""

    actions: Sequence[str] = ()
    but: Sequence[str] = ()
    data: Sequence[str] = ()


# As far as the scripts, and for operators the template, give them.
ROLES = {
    "Contributor": Role(("*",), but=("Microsoft.Authorization/*/write", "Microsoft.Authorization/*/delete")),
    "Key Vault Secrets User": Role(data=("Microsoft.KeyVault/vaults/secrets/getSecret/action",)),
    "Key Vault Secrets Officer": Role(data=("Microsoft.KeyVault/vaults/secrets/*",)),
    "Locks Contributor": Role(("Microsoft.Authorization/locks/*",)),
    "Monitoring Reader": Role(("*/read",)),
    "Owner": Role(("*",)),
    "Reader": Role(("*/read",)),
    "Role Based Access Control Administrator": Role(("Microsoft.Authorization/roleAssignments/*", "*/read")),
    "Website Contributor": Role(("Microsoft.Web/sites/*",)),
}


def granting(
    action: str, scope: str, principal: str, assignments: Iterable[Assignment], custom: Mapping[str, Sequence[str]]
) -> list[Assignment]:
    """Return the assignments by which a principal may do something there; ``custom`` are the actions of other roles."""
    roles = ROLES | {name: Role(actions) for name, actions in custom.items()}
    return [
        each
        for each in assignments
        if each["principal"] == principal
        and f"{scope}/".startswith(f"{each['scope']}/")
        and _allows(roles[each["role"]], action)
    ]


def _allows(role: Role, action: str) -> bool:
    managed = _among(action, role.actions) and not _among(action, role.but)
    # Secrets and documents are data: no right of management includes them.
    return _among(action, role.data) if "/secrets/" in action else managed


def _among(action: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


_ATTRIBUTE = r"@{source}\[Microsoft\.Authorization/roleAssignments:{name}\]ForAnyOfAnyValues:{operator}\{{([^{{}}]*)\}}"
_CLAUSE = r"OR\(" + _ATTRIBUTE.replace("{name}", "RoleDefinitionId").replace("{operator}", "GuidEquals") + "AND"
_CLAUSE += _ATTRIBUTE.replace("{name}", "PrincipalType").replace("{operator}", "StringEqualsIgnoreCase") + r"\)"
_PARTS = {"write": "Request", "delete": "Resource"}


def assignable(condition: str, action: str = "write") -> set[tuple[str, str]]:
    """Return what a condition lets assign (or, for ``delete``, withdraw): ids of roles, with the kind of their holder.

    Raises:
        ValueError: it is no condition that binds every role to a kind of holder, for both actions.
    """
    text = re.sub(r"\s", "", condition)
    clauses = {each: _CLAUSE.format(source=source) for each, source in _PARTS.items()}
    whole = "AND".join(
        rf"\(\(!\(ActionMatches\{{'Microsoft\.Authorization/roleAssignments/{each}'\}}\)\)(?P<{each}>(?:{clause})+)\)"
        for each, clause in clauses.items()
    )
    found = re.fullmatch(whole, text)
    if found is None:
        raise ValueError(condition)
    return {
        (role, kind.strip("'"))
        for roles, kinds in re.findall(clauses[action], found[action])
        for role in roles.split(",")
        for kind in kinds.split(",")
    }
