"""What a subscription lacks before the first deployment: the resource providers of the templates."""

from collections.abc import Iterator

import httpx

from credentials.identity import NoToken, token
from devhost.findings import Finding, missing, ok

MANAGEMENT = "https://management.azure.com"
PROVIDERS = (
    "Microsoft.App", "Microsoft.Cache", "Microsoft.Consumption", "Microsoft.DocumentDB", "Microsoft.DurableTask",
    "Microsoft.EventGrid", "Microsoft.Insights", "Microsoft.KeyVault", "Microsoft.ManagedIdentity", "Microsoft.Network",
    "Microsoft.OperationalInsights", "Microsoft.Storage", "Microsoft.Web",
)  # fmt: skip
"""Of every option. Those for roles, locks and resource groups are registered everywhere."""

_VERSION = "2021-04-01"
_PATIENCE_SECONDS = 15


def providers(subscription: str, management: str = MANAGEMENT) -> Iterator[Finding]:
    """Check which of the resource providers are registered."""
    try:
        headers = {"Authorization": f"Bearer {token(f'{MANAGEMENT}/.default')}"}
    except NoToken as error:
        yield missing("providers", f"no token available ({error}): sign in with 'az login'")
        return
    with httpx.Client(headers=headers, params={"api-version": _VERSION}, timeout=_PATIENCE_SECONDS) as client:
        for name in PROVIDERS:
            try:
                answer = client.get(f"{management}/subscriptions/{subscription}/providers/{name}")
            except httpx.HTTPError as error:
                yield missing("providers", f"{management} does not answer ({type(error).__name__})")
                return
            if answer.status_code != httpx.codes.OK:
                yield missing(
                    "providers", f"{name}: {management} answers {answer.status_code}; is {subscription} yours?"
                )
            elif answer.json()["registrationState"] == "Registered":
                yield ok("providers", name)
            else:
                yield missing("providers", f"{name} is not registered: az provider register --namespace {name}")
