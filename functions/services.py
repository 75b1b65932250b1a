"""Settings, stores and the source of prices, each created once per worker process.

Everything heavy (pymongo, redis, numpy, the Azure SDKs) is imported here on first use, not when the app is indexed.
"""

import functools
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credentials.issuer import IssuerKeys
from credentials.secrets import SecretMissing, Secrets
from credentials.vault import SecretsUnavailable
from functions.access.tokens import Verifiers, verifiers
from functions.telemetry.spans import is_exported
from settings import KeyName, Settings, key_setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymongo import MongoClient
    from pymongo.monitoring import CommandListener

    from market_data.provider import Provider
    from stores.administrators import AdministratorStore
    from stores.audit import AuditLog
    from stores.batches import BatchStore
    from stores.mongo import Document
    from stores.portfolios import PortfolioStore
    from stores.price_cache import PriceCache
    from stores.prices import PriceStore
    from stores.rate_limit import RateLimit
    from stores.reports import ReportStore
    from stores.research import ResearchStore
    from stores.runs import RunLease, RunStore
    from stores.sign_in_failures import SignInFailures

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """The worker's stores and its source of prices."""

    mongodb: "MongoClient[Document]"
    runs: "RunStore"
    lease: "RunLease"
    batches: "BatchStore"
    administrators: "AdministratorStore"
    portfolios: "PortfolioStore"
    prices: "PriceStore"
    research: "ResearchStore"
    reports: "ReportStore"
    audit: "AuditLog"
    price_cache: "PriceCache | None"
    provider: "Provider"


@functools.cache
def settings() -> Settings:
    """Return the settings; the first call checks them."""
    return Settings.from_environment()


def secrets() -> Secrets:
    """Return the app's secrets."""
    with _preparing:
        return _secrets()


def token_verifiers() -> Verifiers:
    """Return the verifiers of bearer tokens, by algorithm."""
    with _preparing:
        return _token_verifiers()


# functools.cache alone would let two threads create two: two fetches of one secret, two connection pools. Connecting
# may wait for the vault, and callers that only need a cached secret must not wait with it.
_preparing = threading.RLock()
_connecting = threading.Lock()
_counting = threading.Lock()
_indexed = threading.Event()


def services() -> Services:
    """Return the worker's services, with every index in place.

    Raises:
        SecretsUnavailable, SecretMissing: the vault does not return the database's URL.
        PyMongoError: the database cannot be reached to create its indexes; the next call tries again.
    """
    made = connections()
    if not _indexed.is_set():
        for store in (made.runs, made.batches, made.portfolios, made.prices, made.research, made.reports, made.audit):
            store.ensure_indexes()
        _indexed.set()
    return made


def connections() -> Services:
    """Return the worker's services without calling the database; raises for secrets as :func:`services` does."""
    with _connecting:
        return _connections()


@functools.cache
def _secrets() -> Secrets:
    return Secrets(settings())


@functools.cache
def _token_verifiers() -> Verifiers:
    oidc = settings().oidc
    return verifiers(settings(), secrets(), _is_administrator, None if oidc is None else IssuerKeys(oidc))


def _is_administrator(user_id: str) -> bool:
    return connections().administrators.is_administrator(user_id)


@functools.cache
def _connections() -> Services:
    from market_data.cached import CachedProvider  # noqa: PLC0415 - see the module's docstring; same below
    from market_data.providers import provider_from  # noqa: PLC0415
    from stores.administrators import AdministratorStore  # noqa: PLC0415
    from stores.audit import AuditLog  # noqa: PLC0415
    from stores.batches import BatchStore  # noqa: PLC0415
    from stores.mongo import connect  # noqa: PLC0415
    from stores.portfolios import PortfolioStore  # noqa: PLC0415
    from stores.prices import PriceStore  # noqa: PLC0415
    from stores.reports import ReportStore  # noqa: PLC0415
    from stores.research import ResearchStore  # noqa: PLC0415
    from stores.runs import RunLease, RunStore  # noqa: PLC0415

    mongodb = connect(settings().mongodb_url or secrets().get("mongodb-url"), _listeners())
    database = mongodb[settings().mongodb_database]
    price_cache = _price_cache()
    provider = provider_from(settings(), provider_key, _rate_limit)
    return Services(
        mongodb=mongodb,
        runs=RunStore(database),
        lease=RunLease(database),
        batches=BatchStore(database),
        administrators=AdministratorStore(database),
        portfolios=PortfolioStore(database),
        prices=PriceStore(database),
        research=ResearchStore(database),
        reports=ReportStore(database),
        audit=AuditLog(database),
        price_cache=price_cache,
        provider=provider if price_cache is None else CachedProvider(provider, price_cache),
    )


def _listeners() -> "Sequence[CommandListener]":
    if not is_exported():
        return ()
    from functions.telemetry.mongo_commands import CommandSpans  # noqa: PLC0415

    return (CommandSpans(),)


def _price_cache() -> "PriceCache | None":
    try:
        url = settings().redis_url or secrets().get("redis-url")
    except SecretMissing:
        _log.warning("No REDIS_URL: working without a price cache")
        return None
    from stores.price_cache import PriceCache  # noqa: PLC0415

    return PriceCache(url)


def provider_key(name: KeyName) -> str:
    """Return the current value of a key of the price provider.

    Raises:
        KeyRefused: there is none.
        SecretsUnavailable: the vault does not return it.
    """
    from market_data.provider import KeyRefused  # noqa: PLC0415

    try:
        return secrets().get(name)
    except SecretMissing:
        raise KeyRefused(f"{key_setting(name)} is missing: the vault has no secret {name}.") from None


def _rate_limit(provider: str, requests_per_minute: int) -> "RateLimit":
    from stores.rate_limit import OwnBucket, Rate, RateLimit, SharedBucket  # noqa: PLC0415

    rate = Rate(requests_per_minute)
    try:
        url = settings().redis_url or secrets().get("redis-url")
    except SecretMissing:
        _log.warning("No REDIS_URL: each worker keeps to the rate limit of %s by itself", provider)
        return RateLimit(None, OwnBucket(rate))
    return RateLimit(SharedBucket(url, provider, rate), OwnBucket(rate))


def sign_in_failures() -> "SignInFailures":
    """Return the counter of failed sign-ins: shared through Redis if available, else this worker's own."""
    with _counting:
        try:
            return _sign_in_failures()
        except SecretsUnavailable:
            return _own_sign_in_failures()


@functools.cache
def _sign_in_failures() -> "SignInFailures":
    try:
        url = settings().redis_url or secrets().get("redis-url")
    except SecretMissing:
        # For good, as with the price cache: otherwise each sign-in would wait for a slow vault again.
        return _own_sign_in_failures()
    from stores.sign_in_failures import SharedFailures, SignInFailures  # noqa: PLC0415

    return SignInFailures(SharedFailures(url))


@functools.cache
def _own_sign_in_failures() -> "SignInFailures":
    from stores.sign_in_failures import SignInFailures  # noqa: PLC0415

    return SignInFailures(None)
