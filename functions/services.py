"""The parts of a worker process, each made once, on first use.

Everything heavy (pymongo, redis, numpy, the Azure SDKs) is imported here then, not when the app is indexed.
"""

import functools
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from credentials.issuer import IssuerKeys
from credentials.secrets import SecretMissing, Secrets, SecretsUnavailable
from endpoints import event_grid
from functions.access.throttling import REQUESTS, SIGN_IN_FAILURES, Counts, Window
from functions.access.tokens import verifiers
from functions.telemetry.spans import is_exported, record_end
from records import make_ready
from runs.services import Services
from settings import KeyName, Settings, key_setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymongo import MongoClient
    from pymongo.monitoring import CommandListener

    from delivery.deliverer import Deliverer
    from lake.places import Lake
    from market_data.provider import Provider
    from stores.mongo import Document
    from stores.rate_limit import RateLimit
    from stores.redis_server import RedisServer

_log = logging.getLogger(__name__)


@functools.cache
def worker() -> "Worker":
    """Return this process's worker. Only the functions that the host calls use it; everything else is passed."""
    return Worker(Settings.from_environment())


class Worker:
    """The settings, secrets and connections of a worker process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.secrets = Secrets(settings)
        keys = None if settings.oidc is None else IssuerKeys(settings.oidc)
        self.verifiers = verifiers(settings, self.secrets, self._is_administrator, keys)
        self.services: Callable[[], Services] = _Once(lambda: self._services(patient=False))
        """The services, without a call to the database; raises SecretsUnavailable or SecretMissing."""
        self.services_of_steps: Callable[[], Services] = _Once(lambda: self._services(patient=True))
        """The services of a run's steps, which wait while the database throttles them; a request is refused."""
        self._mongodb = _Once(self._connect)
        self._provider = _Once(self._source_of_prices)
        self._deliverer = _Once(self._make_deliverer)
        self.settle_indexes: Callable[[], None] = _Once(self._settle_indexes)
        """Create the indexes that the app's own collections lack, and log those that the backend's lack."""
        self.redis: Callable[[], RedisServer | None] = _Once(self._connect_redis)
        """The connection to Redis, ``None`` without its URL; raises SecretsUnavailable."""
        self._counts = {window: self._counter(window) for window in (SIGN_IN_FAILURES, REQUESTS)}
        make_ready()  # the worker is made when the app is indexed, as long as one thread is alone

    def counts(self, window: Window) -> Counts:
        """Return the counter of a window: shared through Redis if available, else this worker's own."""
        shared, own = self._counts[window]
        try:
            return shared()
        except SecretsUnavailable:
            return own()

    def _counter(self, window: Window) -> tuple[Callable[[], Counts], Callable[[], Counts]]:
        return _Once(lambda: Counts(window, self.redis())), _Once(lambda: Counts(window, None))

    def _connect(self) -> "MongoClient[Document]":
        from stores.mongo import connect

        return connect(self.settings.mongodb_url or self.secrets.get("mongodb-url"), _listeners())

    def _source_of_prices(self) -> "Provider":
        from market_data.providers import provider_from

        return provider_from(self.settings, self.provider_key, self._rate_limit)

    def _make_deliverer(self) -> "Deliverer":
        from credentials.identity import token
        from delivery.deliverer import Deliverer
        from delivery.event_grid import EventGrid

        settings, topic = self.settings, self.settings.event_grid_endpoint
        event_grid = None if topic is None else EventGrid(topic, token)
        allow_private = settings.webhooks_allow_private
        return Deliverer(
            settings.event_source, self.secrets.signing, allow_private=allow_private, event_grid=event_grid
        )

    def _services(self, *, patient: bool) -> Services:
        from stores.administrators import AdministratorStore
        from stores.audit import AuditLog
        from stores.batches import BatchStore
        from stores.books import BookStore
        from stores.indexes import ensure_keys
        from stores.mongo import own_database
        from stores.nights import NightStore
        from stores.outbox import OutboxStore
        from stores.pages import PageStore
        from stores.passes import PassStore
        from stores.people import PeopleStore
        from stores.portfolios import PortfolioStore
        from stores.rankings import RankingStore
        from stores.reports import ReportStore
        from stores.runs import RunLease, RunStore
        from stores.sessions import SessionStore
        from stores.symbols import PriceStore, ResearchStore
        from stores.transactions import TransactionStore
        from stores.webhooks import WebhookStore

        mongodb, name, provider = self._mongodb(), self.settings.mongodb_database, self._provider()
        make_ready()  # what was imported by now is read by several threads from now on
        own, backend = own_database(mongodb, name, patient=patient), mongodb[name]
        research, lake = ResearchStore(own), self._lake()
        receivers = self.settings.webhooks
        if self.settings.event_grid_endpoint is not None:
            receivers = (*receivers, event_grid(self.settings.event_grid_endpoint))
        portfolios = PortfolioStore(backend, provider.spelling, self.settings.fields)
        return Services(
            settings=self.settings,
            mongodb=mongodb,
            runs=RunStore(own),
            lease=RunLease(own),
            nights=NightStore(own),
            batches=BatchStore(own),
            pages=PageStore(own),
            administrators=AdministratorStore(backend, fields=self.settings.fields),
            portfolios=portfolios,
            people=PeopleStore(backend, self.settings.fields),
            transactions=TransactionStore(portfolios),
            prices=PriceStore(own),
            research=research,
            reports=ReportStore(own, research, lake),
            lake=lake,
            rankings=RankingStore(own),
            books=BookStore(own),
            outbox=OutboxStore(own),
            passes=PassStore(own),
            webhooks=WebhookStore(own, receivers, allow_private=self.settings.webhooks_allow_private),
            audit=AuditLog(own, self.settings.audit_retention_days),
            sessions=SessionStore(own),
            provider=provider,
            send=lambda endpoint, events, until: self._deliverer().send(endpoint, events, until),
            record_end=record_end,
            ensure_keys=_Once(lambda: ensure_keys(self.services().own)),
        )

    def _lake(self) -> "Lake | None":
        if self.settings.lake_dir is not None:
            from lake.places import FolderLake

            return FolderLake(self.settings.lake_dir)
        if self.settings.lake_url is not None:
            from credentials.identity import credential
            from lake.blobs import BlobLake

            return BlobLake(self.settings.lake_url, credential())
        return None

    def _settle_indexes(self) -> None:
        from stores.indexes import settle

        services = self.services()
        settle(services.own, services.portfolios)

    def _is_administrator(self, user_id: str) -> bool:
        return self.services().administrators.is_administrator(user_id)

    def provider_key(self, name: KeyName) -> str:
        """Return the current value of a key of the price provider.

        Raises:
            KeyRefused: there is none.
            SecretsUnavailable: the vault does not return it.
        """
        from market_data.provider import KeyRefused

        try:
            return self.secrets.get(name)
        except SecretMissing:
            raise KeyRefused(f"{key_setting(name)} is missing: the vault has no secret {name}.") from None

    def _rate_limit(self, provider: str, requests_per_minute: int) -> "RateLimit":
        from stores.rate_limit import Rate, RateLimit

        return RateLimit(self.redis(), provider, Rate(requests_per_minute))

    def _connect_redis(self) -> "RedisServer | None":
        try:
            url = self.settings.redis_url or self.secrets.get("redis-url")
        except SecretMissing:
            # For good: otherwise each sign-in would wait for a slow vault again.
            _log.warning("No REDIS_URL: rate limits and sign-in failures are counted by each worker")
            return None
        from stores.redis_server import RedisServer

        return RedisServer(url)


class _Once[Part]:
    """Makes a part at the first call and returns it at every call. Threads wait for each other; an error is not kept.

    ``functools.cache`` would let two threads make two: two fetches of one secret, two connection pools.
    """

    def __init__(self, make: Callable[[], Part]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[Part] = []

    def __call__(self) -> Part:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


def _listeners() -> "Sequence[CommandListener]":
    if not is_exported():
        return ()
    from functions.telemetry.mongo_commands import CommandSpans

    return (CommandSpans(),)
