"""The sources of the app's settings on a laptop, and a display form without passwords."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec

from devhost.errors import StartError

PUBLISHED_SECRET = "development-only-not-a-secret"  # noqa: S105 - it is none
"""The admin secret in this repository's local.settings.json, which everybody may know."""


class _LocalSettings(msgspec.Struct, frozen=True, rename="pascal"):
    values: dict[str, str] = {}


def local_settings(app_dir: Path) -> dict[str, str]:
    """Return the ``Values`` of ``local.settings.json``; empty without such a file.

    Raises:
        StartError: the file is ill-formed.
    """
    try:
        return msgspec.json.decode((app_dir / "local.settings.json").read_bytes(), type=_LocalSettings).values
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        raise StartError(f"local.settings.json is ill-formed: {error}") from None


def app_environment(local: Mapping[str, str], real: Mapping[str, str], services: Mapping[str, str]) -> dict[str, str]:
    """Return the app's environment: the real one, which overrides the local settings, and the servers in use."""
    return {"AZURE_FUNCTIONS_ENVIRONMENT": "Development", **local, **real, **services}


def with_secret(environment: Mapping[str, str], *, only_samples: bool) -> dict[str, str]:
    """Return the environment with a new admin secret if it has the published one for data that are not the sample's."""
    if only_samples or environment.get("ADMIN_SECRET", "").strip() != PUBLISHED_SECRET:
        return dict(environment)
    return {**environment, "ADMIN_SECRET": secrets.token_urlsafe(32)}


def masked(url: str) -> str:
    """Return the URL with ``***`` for the password, if it has one; only ``***`` if it cannot be parsed."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "***"
    user, _, host = parts.netloc.rpartition("@")
    if ":" not in user:
        return url
    return urlunsplit(parts._replace(netloc=f"{user.partition(':')[0]}:***@{host}"))
