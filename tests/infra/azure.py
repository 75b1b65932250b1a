"""The subscription of the stand-in for the Azure CLI, and the programs that scripts find on their PATH."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.infra import az
from tests.infra.bicep import ROOT, assigned_roles

SECRET = "the-admin-secret-of-staging"
SUBSCRIPTION = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590"
OWNER = {"principal": "an owner", "role": "Owner", "scope": SUBSCRIPTION, "condition": ""}
CLUSTER = "mongo-0000000000000"
# The bundle that host.json names, and one that came out this morning, with which no function loads.
PROVEN = json.loads((ROOT / "host.json").read_text())["extensionBundle"]["version"].strip("[)").split(", ")

# The package is made by the last part of the real script. To write the users, the app's credential asks the Azure CLI
# for a token of the database.
MAKE = """
if [ "$1" = package ]; then
    mkdir build content
    echo "the package for $DURABLE_BACKEND" > content/function_app.py
    cp host.json content/
    sed "1,/<<'ZIP'/d; /^ZIP$/,\\$d" scripts/package |
        SOURCE_DATE_EPOCH=1800000000 "$PYTHON" - content build/portfolio-analysis.zip
    cd build && sha256sum portfolio-analysis.zip > portfolio-analysis.zip.sha256
    exit
fi
[ "$1 $2" = "seed SETTINGS=settings.json" ] || { echo "make: no rule for $*" >&2; exit 2; }
az account get-access-token --resource https://ossrdbms-aad.database.windows.net --output none
settings=$PWD/settings.json
cd "$TREE" && exec "$PYTHON" -m devhost seed --settings "$settings"
"""
# Each call is carried out by ``tests/infra/az.py`` in the process of the test.
AZ = """
exec 3<>"/dev/tcp/127.0.0.1/$AZ_PORT"
printf '%s\\0' $(($# + 2)) "$AZ_STATE" "$PWD" "$@" >&3
for name in code output error; do
    IFS= read -r -d '' "$name" <&3
done
printf '%s' "$output"
printf '%s' "$error" >&2
exit "$code"
"""
# A release is a folder of assets, where a mark tells a draft; a published one cannot be changed. An attestation names
# what was built, by which workflow and from which tag.
GH = """
release=$RELEASES/$3
case "$1 $2" in
    "repo view") echo "$GITHUB_REPOSITORY" ;;
    "release view")
        if [ "$3" = --json ]; then ls "$RELEASES" | tail -1; exit; fi
        [ -d "$release" ] || { echo "release not found" >&2; exit 1; }
        if [ -e "$release/.draft" ]; then echo true; else echo false; fi
        ;;
    "release create")
        case "$*" in *" --verify-tag --draft "*) ;; *) exit 2 ;; esac
        mkdir "$release" && touch "$release/.draft"
        ;;
    "release upload")
        [ -e "$release/.draft" ] || { echo "HTTP 422: the release is immutable" >&2; exit 1; }
        for asset in "${@:4}"; do
            [ "$asset" != --repo ] || break
            cp "$asset" "$release/"
        done
        ;;
    "release edit") rm "$release/.draft" ;;
    "release download")
        case "$*" in
            *" --output -") cat "$release/$7" ;;
            *" --dir build") cp "$release"/* build/ ;;
            *" --clobber") cp "$release"/* . ;;
            *) exit 2 ;;
        esac
        ;;
    "attestation verify")
        expected="$(sha256sum "$3" | cut -d' ' -f1) ${9} ${11}"
        [ "$4 $6 $8 ${10}" = "--bundle --repo --signer-workflow --source-ref" ] || exit 2
        [ "$(cat "$5")" = "$expected" ] || { echo "verification failed: no matching attestation" >&2; exit 1; }
        ;;
    *) exit 2 ;;
esac
"""
PROGRAMS = {
    "az": AZ,
    "date": 'exec /usr/bin/date --date "$TODAY" "$@"',
    "gh": GH,
    "make": MAKE,
    "sleep": "",
}


def a_cluster(database: str = "portfolio", role: str = "readWrite") -> dict[str, Any]:
    """Return a MongoDB cluster with the user that the template makes for the app, of this right."""
    kind = {"type": "MicrosoftEntraID", "properties": {"principalType": "servicePrincipal"}}
    user = {"identityProvider": kind, "roles": [{"db": database, "role": role}], "user": "id-app"}
    return {"state": "Succeeded", "password": False, "users": {"id-app": {"properties": user}}}


@dataclass
class Azure:
    """A subscription in a file; it begins with nothing deployed, and nobody signed in."""

    folder: Path
    environment: str = "staging"
    today: str = "2027-01-15"

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir(parents=True)
        for name, text in PROGRAMS.items():
            program = self.folder / "bin" / name
            program.write_text(f"#!/usr/bin/env bash\nset -e\n{text}\n")
            program.chmod(0o755)
        state = {
            "subscription": SUBSCRIPTION,
            "environment": self.environment,
            "today": self.today,
            "now": 0,
            "signed_in": None,
            "tokens": {},
            "identity": OWNER["principal"],
            "assignments": [OWNER],
            "custom_roles": {},
            "roles_of_other_subscriptions": [],
            "roles_of_templates": sorted(assigned_roles()),
            "group": False,
            "budget": None,
            "vault_deleted": False,
            "other_vault_is_ours": False,
            "infrastructure_seconds": 1500,
            "deployments": [],
            "outputs": {},
            "settings": {},
            "package": None,
            "bundles": PROVEN,
            "functions_load": False,
            "timers_fire": True,
            "watchdog": None,
            "active_runs": {},
            "runs_meanwhile": {},
            "queries_fail": False,
            "clusters": {},
            "secret": SECRET,
            "asked": [],
        }
        self._path.write_text(json.dumps(state))

    @property
    def _path(self) -> Path:
        return self.folder / "subscription.json"

    @property
    def programs(self) -> dict[str, str]:
        """Return the environment with the stand-ins."""
        return {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "AZ_PORT": str(az.port()),
            "AZ_STATE": str(self._path),
            "PYTHON": sys.executable,
            "TODAY": self.today,
            "TREE": str(ROOT),
        }

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self._path.read_text())[name]

    def set(self, **values: object) -> None:
        self._path.write_text(json.dumps(json.loads(self._path.read_text()) | values))

    def group(self, *parts: str) -> str:
        """Return the id of the environment's resource group, or of something in it."""
        return "/".join([SUBSCRIPTION, "resourceGroups", f"rg-portfolio-{self.environment}", *parts])

    def deployed(self) -> None:
        """Let an earlier deployment have happened."""
        earlier = {"name": f"portfolio-{self.environment}.1.1", "state": "Succeeded", "timestamp": 0}
        self.set(group=True, budget="2026-12-01", deployments=[earlier])
        self.set(package="that of an earlier release", functions_load=True)
        if self.environment == "staging" and not self["clusters"]:
            self.set(clusters={CLUSTER: a_cluster()})

    def delete_group(self) -> None:
        """Delete the resource group, with the roles that were given in it; its vault can be recovered."""
        kept = [each for each in self["assignments"] if not each["scope"].startswith(self.group())]
        self.set(group=False, assignments=kept, clusters={}, vault_deleted=True, package=None, functions_load=False)

    def sign_in(self, identity: str = OWNER["principal"]) -> None:
        """Sign in as ``azure/login`` does: with a new assertion, after forgetting every token."""
        self.set(signed_in=self["now"], tokens={}, identity=identity)

    def run(
        self, script: str, *arguments: str, scripts: Path = ROOT / "scripts", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script with the stand-ins."""
        return subprocess.run(
            [scripts / script, *arguments],
            cwd=self.folder,
            env=os.environ | self.programs | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def asked(self, command: str) -> list[str]:
        """Return the calls of a command."""
        return [call for call in self["asked"] if call.startswith(command)]
