"""Checks of where results go besides the database: the lake, the receivers of events, and the addresses of clients."""

from collections.abc import Iterator

import httpx

from credentials.identity import NoToken, token
from credentials.secrets import SecretMissing, Secrets, SecretsUnavailable
from delivery.webhooks.signing import InvalidSigningSecret, signed_headers
from devhost.findings import Finding, missing, note, ok
from settings import Settings

_PATIENCE_SECONDS = 15
_STORAGE_SCOPE, _STORAGE_VERSION = "https://storage.azure.com/.default", "2021-12-02"


def lake(settings: Settings) -> Iterator[Finding]:
    """Check whether the current identity may list the container of the reports, if there is one."""
    if settings.lake_url is None:
        return
    try:
        headers = {"x-ms-version": _STORAGE_VERSION, "Authorization": f"Bearer {token(_STORAGE_SCOPE)}"}
        asked = {"restype": "container", "comp": "list", "maxresults": "1"}
        status = httpx.get(settings.lake_url, params=asked, headers=headers, timeout=_PATIENCE_SECONDS).status_code
    except NoToken:
        return  # reported with the roles
    except httpx.HTTPError as error:
        yield missing("lake", f"{settings.lake_url} does not answer ({type(error).__name__})")
        return
    if status == httpx.codes.OK:
        yield ok("lake", settings.lake_url)
    else:
        role = "assign the role Storage Blob Data Owner to the identity there, or create the container"
        yield missing("lake", f"{settings.lake_url} answers {status}: {role}")


def events(settings: Settings, secrets: Secrets) -> Iterator[Finding]:
    """Check whether events can be signed for each receiver of the settings, and whether Event Grid answers."""
    for endpoint in settings.webhooks:
        try:
            signed_headers(secrets.signing(endpoint.secret_name), "preflight", 0, b"")
        except SecretMissing:
            yield missing("events", f"{endpoint.endpoint_id}: its secret {endpoint.secret_name} is not there")
        except InvalidSigningSecret as error:
            yield missing("events", f"{endpoint.endpoint_id}: {error}")
        except SecretsUnavailable:
            return  # reported before
        else:
            yield ok("events", f"{endpoint.endpoint_id} gets signed events")
    if settings.event_grid_endpoint is not None:
        yield _event_grid(settings.event_grid_endpoint)


def _event_grid(endpoint: str) -> Finding:
    host = httpx.URL(endpoint).host
    try:
        httpx.get(endpoint, timeout=_PATIENCE_SECONDS)
    except httpx.HTTPError as error:
        return missing("events", f"Event Grid at {host} does not answer ({type(error).__name__})")
    test = "whether the app may send, only POST /webhooks/event-grid/test shows"
    return note("events", f"Event Grid at {host} answers; {test} (role EventGrid Data Sender)")


def proxies(settings: Settings) -> Iterator[Finding]:
    """Check whether failed sign-ins are counted by the addresses of clients."""
    if settings.front_door_id is not None:
        yield ok("proxies", f"clients are told by the Front Door {settings.front_door_id} (X-Azure-FDID)")
    if settings.proxy_networks:
        yield ok("proxies", f"clients are told by {', '.join(map(str, settings.proxy_networks))}")
    if settings.front_door_id is not None or settings.proxy_networks:
        return
    if settings.trusted_proxies == 0:
        yield note("proxies", "TRUSTED_PROXIES is 0: all clients share one count of failed sign-ins")
    elif settings.trusted_proxies == 1:
        yield ok("proxies", "clients are told by the platform's front end")
    else:
        rule = "without FRONT_DOOR_ID and PROXY_NETWORKS all clients share one count of failed sign-ins"
        yield note("proxies", f"TRUSTED_PROXIES is {settings.trusted_proxies}: {rule}")
