"""``python -m devhost preflight``: what an environment lacks for the nightly run.

It creates the indexes that lack, where it may, and changes nothing else.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from devhost.errors import StartError
from devhost.findings import Finding, missing, ok
from settings import Settings, SettingsError

# Preflight signs in with the identity of its user, not of the app.
_OF_THE_APPS_IDENTITY = {"AZURE_CLIENT_ID", "AZURE_TOKEN_CREDENTIALS"}
_LABELS = {True: "ok", False: "MISSING", None: "note"}


def main(settings_file: Path | None, app_url: str | None, subscription: str | None = None) -> int:
    """Print the findings and return the exit code: 0 if nothing is missing.

    With a subscription these are what it lacks before the first deployment, and nothing else.
    """
    try:
        # The Azure SDKs read the environment themselves.
        os.environ |= read_settings(settings_file) if settings_file else {}
    except StartError as error:
        print(error, file=sys.stderr)
        return 2
    from devhost.preflight_subscription import providers

    findings = []
    for finding in providers(subscription) if subscription else preflight(os.environ, app_url):
        findings.append(finding)
        print(f"{_LABELS[finding.good]:<9}{finding.subject:<12}{finding.text}", flush=True)
    lacking = sum(finding.good is False for finding in findings)
    print(f"{lacking} missing" if lacking else "Nothing is missing.")
    return 1 if lacking else 0


def read_settings(path: Path) -> dict[str, str]:
    """Return the settings in the output of ``az functionapp config appsettings list``, or in a local.settings.json.

    The settings of the app's own identity are left out.

    Raises:
        StartError: the file cannot be read, or is neither.
    """
    try:
        content = json.loads(path.read_text())
        values = content["Values"] if isinstance(content, dict) else {item["name"]: item["value"] for item in content}
        return {str(name): str(value) for name, value in values.items() if name not in _OF_THE_APPS_IDENTITY}
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StartError(f"{path} contains no app settings: see docs/migration.md for its format") from None


def preflight(environment: Mapping[str, str], app_url: str | None) -> Iterator[Finding]:
    """Yield the findings in order; checks that depend on a missing requirement are skipped."""
    # Imported late: slow to import, and not needed by the demo and the local host.
    from credentials.secrets import Secrets
    from devhost import preflight_app, preflight_checks, preflight_database, preflight_delivery, preflight_platform

    try:
        settings = Settings.from_environment(environment)
    except SettingsError as error:
        yield missing("settings", str(error))
        return
    yield ok("settings", "well-formed")
    secrets = Secrets(settings)
    checks: list[Callable[[], Iterator[Finding]]] = [
        lambda: preflight_checks.credentials(settings, secrets),
        lambda: preflight_checks.roles(environment),
        lambda: preflight_database.database(settings, secrets),
        lambda: preflight_checks.redis(settings, secrets),
        lambda: preflight_checks.prices(settings, secrets),
        lambda: preflight_checks.schedule(settings),
        lambda: preflight_checks.alerts(settings, environment),
        lambda: preflight_delivery.lake(settings),
        lambda: preflight_delivery.events(settings, secrets),
        lambda: preflight_delivery.proxies(settings),
        lambda: preflight_platform.platform(environment),
    ]
    if app_url:
        checks.append(lambda: preflight_app.app(app_url.rstrip("/"), secrets))
    for check in checks:
        yield from check()
