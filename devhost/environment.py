"""The sources of the app's settings on a laptop, and a display form without passwords."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec

from devhost.errors import StartError


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
