"""``python -m devhost check-data``: would a run over this database and these prices be sound? It writes nothing.

The documents and files are judged by the code that reads them in a run: those of a laptop, or with the settings of a
deployed app those that this app reads.
"""

import json
import os
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from devhost.environment import app_environment, local_settings
from devhost.errors import StartError
from devhost.findings import Finding, missing
from devhost.preflight import read_settings
from settings import Settings, SettingsError

_STATUS = {True: "accepted", False: "refused", None: "suspicious"}
_COLUMNS = 24
_WIDEST = 120


def main(app_dir: Path, settings_file: Path | None, *, as_json: bool) -> int:
    """Print the findings and return the exit code: 0 if nothing is refused, 2 without settings in their file."""
    try:
        # The Azure SDKs read the environment themselves.
        os.environ |= read_settings(settings_file) if settings_file else {}
    except StartError as error:
        print(error, file=sys.stderr)
        return 2
    findings = []
    for finding in check_data(None if settings_file else app_dir, os.environ):
        findings.append(finding)
        if not as_json:
            print(_shown(finding), flush=True)
    refused = sum(finding.good is False for finding in findings)
    if as_json:
        members = [
            {"subject": own.subject, "status": _STATUS[own.good], "text": own.text, "change": own.change}
            for own in findings
        ]
        print(json.dumps({"sound": not refused, "findings": members}, indent=2))
    else:
        print(f"{refused} refused: a run would not be sound." if refused else "A run would be sound.")
    return 1 if refused else 0


def check_data(app_dir: Path | None, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yield the findings about the settings, the documents and the prices, in this order.

    The local settings of the app's folder complete the environment; without a folder it is complete by itself.
    """
    # Imported late: slow to import, and not needed by the demo and the local host.
    from credentials.secrets import Secrets
    from devhost.check_documents import documents
    from devhost.check_prices import prices, source

    try:
        values = app_environment(local_settings(app_dir), environment, {}) if app_dir else environment
        settings = Settings.from_environment(values)
    except (SettingsError, StartError) as error:
        yield missing("settings", str(error), "correct the setting")
        return
    secrets = Secrets(settings)
    provider = source(settings, secrets)
    holders = Counter[str]()
    yield from documents(settings, secrets, values.get("FIELDS", ""), provider.spelling, holders)
    yield from prices(settings, provider, holders)


def _shown(finding: Finding) -> str:
    """Return a finding in the width of the terminal, with the change in a line of its own."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    start = f"{_STATUS[finding.good]:<11}{finding.subject:<13}"
    lines = [textwrap.fill(finding.text, width, initial_indent=start, subsequent_indent=" " * _COLUMNS)]
    if finding.change:  # not broken: it is meant to be copied
        lines.append(f"{'':<{_COLUMNS}}-> {finding.change}")
    return "\n".join(lines)
