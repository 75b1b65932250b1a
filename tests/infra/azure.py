"""The subscription of the stand-in for the Azure CLI, and the programs that scripts find on their PATH."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.infra.bicep import ROOT

SECRET = "the-admin-secret-of-staging"
DEPLOYS = ("write", "what-if")
PREVIEWS = ("what-if",)

# As the last step of its deployment, the app's credential asks the Azure CLI for a token of the database.
MAKE = """
if [ "$1" = package ]; then
    mkdir build && cd build
    echo "the package for $DURABLE_BACKEND" > function_app.py
    "$PYTHON" -m zipfile -c portfolio-analysis.zip function_app.py
    sha256sum portfolio-analysis.zip > portfolio-analysis.zip.sha256
    exit
fi
[ "$1 $2" = "seed SETTINGS=settings.json" ] || { echo "make: no rule for $*" >&2; exit 2; }
az account get-access-token --resource https://ossrdbms-aad.database.windows.net --output none
settings=$PWD/settings.json
cd "$TREE" && exec "$PYTHON" -m devhost seed --settings "$settings"
"""
# The assets of releases lie in a folder; an attestation names what was built, by which workflow and from which tag.
GH = """
case "$1 $2" in
    "release download") cp "$RELEASES/$3"/* build/ ;;
    "release create")
        mkdir -p "$RELEASES/$3"
        for asset in "${@:4:4}"; do cp "$asset" "$RELEASES/$3/"; done
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
    "az": f'exec "$PYTHON" {ROOT}/tests/infra/az.py "$@"',
    "date": 'exec /usr/bin/date --date "$TODAY" "$@"',
    "gh": GH,
    "make": MAKE,
    "sleep": "",
}


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
            "environment": self.environment,
            "today": self.today,
            "now": 0,
            "signed_in": None,
            "tokens": {},
            "rights": DEPLOYS,
            "group": False,
            "budget": None,
            "vault_deleted": False,
            "infrastructure_seconds": 1500,
            "deployments": [],
            "outputs": {},
            "settings": {},
            "package": None,
            "timers_fire": True,
            "active_runs": {},
            "runs_meanwhile": {},
            "queries_fail": False,
            "roles": [],
            "database_users": [],
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
            "AZ_STATE": str(self._path),
            "PYTHON": sys.executable,
            "TODAY": self.today,
            "TREE": str(ROOT),
        }

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self._path.read_text())[name]

    def set(self, **values: object) -> None:
        self._path.write_text(json.dumps(json.loads(self._path.read_text()) | values))

    def deployed(self) -> None:
        """Let an earlier deployment have happened."""
        earlier = {"name": f"portfolio-{self.environment}.1.1", "state": "Succeeded", "timestamp": 0}
        self.set(group=True, budget="2026-12-01", deployments=[earlier], package="that of an earlier release")

    def sign_in(self, *rights: str) -> None:
        """Sign in as ``azure/login`` does: with a new assertion, after forgetting every token."""
        self.set(signed_in=self["now"], tokens={})
        if rights:
            self.set(rights=rights)

    def asked(self, command: str) -> list[str]:
        """Return the calls of a command."""
        return [call for call in self["asked"] if call.startswith(command)]
