"""``python -m devhost seed``: the sample users for the database of an environment for tests, such as staging."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from devhost.errors import StartError
from devhost.preflight import read_settings


def main(settings_file: Path | None) -> int:
    """Write the sample users and return the exit code."""
    try:
        print(f"{seed(os.environ | (read_settings(settings_file) if settings_file else {}))} sample users")
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def seed(environment: Mapping[str, str]) -> int:
    """Write the sample users and return their number; a repetition changes nothing.

    Raises:
        StartError: the database cannot be reached, refuses, or has users of its own, beside which none are written.
    """
    # Imported late: slow to import.
    from credentials.secrets import SecretMissing, Secrets, SecretsUnavailable
    from devhost import mongodb
    from devhost.sample_data import SAMPLE_USERS
    from settings import Settings, SettingsError

    try:
        settings = Settings.from_environment(environment)
        url = settings.mongodb_url or Secrets(settings).get("mongodb-url")
    except (SettingsError, SecretMissing, SecretsUnavailable) as error:
        raise StartError(str(error)) from None
    if not mongodb.holds_only_samples(url, settings.mongodb_database):
        raise StartError("The database has users of its own: no sample users are written beside them.")
    mongodb.seed(url, settings.mongodb_database, only_if_empty=False)
    return len(SAMPLE_USERS)
