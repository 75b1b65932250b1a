"""Checks of credentials, roles, Redis, prices and the schedule."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import httpx

from credentials.identity import NoToken, token
from credentials.secrets import SecretMissing, Secrets, SecretsUnavailable
from devhost.findings import Finding, missing, note, ok
from market_data.provider import KeyRefused, ProviderUnavailable
from market_data.providers import provider_from
from settings import KeyName, Settings
from stores.rate_limit import Rate, RateLimit

_STORAGE = {
    "AzureWebJobsStorage__blobServiceUri": ("Storage Blob Data Owner", "?comp=list&maxresults=1"),
    "AzureWebJobsStorage__queueServiceUri": ("Storage Queue Data Contributor", "?comp=list&maxresults=1"),
    "AzureWebJobsStorage__tableServiceUri": ("Storage Table Data Contributor", "Tables?$top=1"),
}
_STORAGE_HEADERS = {"x-ms-version": "2021-12-02", "Accept": "application/json;odata=nometadata"}
_PATIENCE_SECONDS = 15
ALERTS_SETTING = "ALERTS_ENABLED"
_A_FORTNIGHT = timedelta(days=14)


def credentials(settings: Settings, secrets: Secrets) -> Iterator[Finding]:
    """Check which credentials give access."""
    try:
        versions = secrets.accepted("admin-secret")
    except SecretMissing:
        where = "the vault" if settings.key_vault_url else "ADMIN_SECRET"
        yield missing("secret", f"admin-secret is not in {where}: runs cannot be started with it")
    except SecretsUnavailable as error:
        text = f"the vault does not answer ({error}): is it reachable from here, with the role Key Vault Secrets User?"
        yield missing("secret", text)
        return
    else:
        yield ok("secret", f"admin-secret, {len(versions)} of its versions accepted")
    try:
        secrets.get("jwt-secret")
    except SecretMissing:
        if settings.oidc is None:
            yield note("tokens", "neither jwt-secret nor OIDC_ISSUER: only the admin secret gives access")
    else:
        if settings.jwt_audience is None and not settings.development:
            yield missing("tokens", "JWT_AUDIENCE is not set: tokens signed with jwt-secret are rejected")
        else:
            yield ok("tokens", "the backend's tokens are accepted")


def roles(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check whether the current identity may read the storage account like the host; those roles allow writes."""
    services = {name: environment[name].rstrip("/") for name in _STORAGE if environment.get(name)}
    if not services:
        yield note(
            "roles", "no AzureWebJobsStorage__*ServiceUri: the host does not sign in to its storage with an identity"
        )
        return
    try:
        headers = _STORAGE_HEADERS | {"Authorization": f"Bearer {token('https://storage.azure.com/.default')}"}
    except NoToken as error:
        yield missing(
            "roles", f"no token available ({error}): sign in with 'az login', or run this as the app's identity"
        )
        return
    for name, uri in services.items():
        role, question = _STORAGE[name]
        try:
            status = httpx.get(f"{uri}/{question}", headers=headers, timeout=_PATIENCE_SECONDS).status_code
        except httpx.HTTPError as error:
            yield missing("roles", f"{uri} does not answer ({type(error).__name__})")
            continue
        if status == httpx.codes.OK:
            yield ok("roles", f"{role}, or more, on {uri}")
        else:
            yield missing("roles", f"{uri} answers {status}: assign the role {role} to the identity there")


def redis(settings: Settings, secrets: Secrets) -> Iterator[Finding]:
    """Check whether Redis answers, if one is configured."""
    from redis import RedisError

    from stores.redis_server import RedisServer

    try:
        server = RedisServer(settings.redis_url or secrets.get("redis-url"))
    except SecretMissing:
        yield note("redis", "none: each worker counts failed sign-ins and requests to the provider separately")
        return
    except SecretsUnavailable:
        return
    try:
        server.ping()
        yield ok("redis", "it answers")
    except RedisError as error:
        yield missing("redis", f"it does not answer ({type(error).__name__})")
    finally:
        server.close()


def prices(settings: Settings, secrets: Secrets) -> Iterator[Finding]:
    """Request the benchmark's newest prices from their source, as a run would."""
    if settings.market_data_provider == "sample":
        yield note("prices", "sample prices, several years old: only for trying out")
        return

    def key(name: KeyName) -> str:
        try:
            return secrets.get(name)
        except SecretMissing:
            raise KeyRefused(f"{name} is not in the vault") from None

    provider = provider_from(settings, key, lambda name, rate: RateLimit(None, name, Rate(rate)))
    symbol, end = settings.benchmark_symbol, provider.last_day()
    try:
        fetched = provider.daily_bars([symbol], end - _A_FORTNIGHT, end)
    except (ProviderUnavailable, KeyRefused) as error:
        yield missing("prices", f"{settings.market_data_provider} gives none: {error}")
        return
    except SecretsUnavailable:
        return  # reported before
    if symbol in fetched.bars:
        yield ok("prices", f"{symbol} up to {fetched.bars[symbol].dates[-1]}")
    else:
        yield missing("prices", f"{fetched.errors[symbol]} from {end - _A_FORTNIGHT} to {end}: see BENCHMARK_SYMBOL")


def schedule(settings: Settings) -> Iterator[Finding]:
    """Check when the nightly run is due, and whether its timer is enabled."""
    yield ok("schedule", f"next due {settings.schedule.after(datetime.now(UTC)):%Y-%m-%d %H:%M:%S} UTC")
    if settings.timer_disabled:
        yield note("schedule", "the timer is disabled: something else must start the nightly run")


def alerts(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Check whether a night without a run is told: a timer without alerts fails unnoticed."""
    if settings.timer_disabled:
        return
    enabled = environment.get(ALERTS_SETTING, "").strip().lower()
    if enabled == "true":
        yield ok("alerts", "enabled, as the timer is")
    elif enabled:
        yield missing("alerts", "the timer is enabled and the alerts are not: set alertsEnabled to true")
    else:
        yield note("alerts", f"{ALERTS_SETTING} is not set: does something else tell of a night without a run?")
