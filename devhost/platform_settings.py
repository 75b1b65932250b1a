"""The app settings that change the Functions host's own answers."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

MASTER_KEY = "FUNCTIONS_MASTER_KEY"
"""The local host's own: the key of its admin API. The real host keeps its keys in the app's storage."""

_DISABLED = re.compile(r"AzureWebJobs\.(.+)\.Disabled", re.IGNORECASE)
_DEFAULT_BODY_LIMIT = 104_857_600  # ScriptConstants.cs


@dataclass(frozen=True, slots=True)
class PlatformSettings:
    """The host's settings from the app's environment."""

    master_key: str
    body_limit: int = _DEFAULT_BODY_LIMIT
    has_homepage: bool = True
    disabled: frozenset[str] = frozenset()

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "PlatformSettings":
        """Return the settings in an app's environment, with a new master key if it has none."""
        # As HttpRequestBodySizeMiddleware.cs: a value that is not a number is ignored.
        limit = environment.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "")
        return cls(
            master_key=environment.get(MASTER_KEY) or secrets.token_urlsafe(32),
            body_limit=int(limit) if limit.isdecimal() else _DEFAULT_BODY_LIMIT,
            has_homepage=environment.get("AzureWebJobsDisableHomepage", "").lower() != "true",
            disabled=disabled_functions(environment),
        )

    def is_disabled(self, function: str) -> bool:
        """Return whether ``AzureWebJobs.NAME.Disabled`` is set for the function."""
        return function.lower() in self.disabled


def disabled_functions(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the names, in lower case, of the functions for which ``AzureWebJobs.NAME.Disabled`` is set."""
    named = ((_DISABLED.fullmatch(name), value.lower()) for name, value in environment.items())
    return frozenset(found[1].lower() for found, value in named if found and value in ("1", "true"))
