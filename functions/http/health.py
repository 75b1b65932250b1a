"""The health of the app's dependencies. The route is public, so it names the failing ones without details."""

import functools
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pymongo
from pymongo.errors import OperationFailure, PyMongoError
from redis import RedisError

from credentials.secrets import SecretMissing, SecretName, SecretsUnavailable
from functions.engine import DurableEngine
from functions.http.answers import Dependencies, DependencyState, Health
from functions.services import Worker
from runs.engine import EngineUnavailable
from stores.mongo import OWN_COLLECTIONS, is_throttled, own_database
from stores.portfolios import COLLECTIONS
from stores.refusals import refusal_of

_PATIENCE_SECONDS = 3
_REUSED_SECONDS = 1.0

_log = logging.getLogger(__name__)

_checking = threading.Lock()
_last: list[tuple[float, Health]] = []


def recent(worker: Worker, engine: DurableEngine) -> Health:
    """Return the health of at most a second ago, checked once for all concurrent callers: the route is public."""
    with _checking:
        if not _last or time.monotonic() - _last[0][0] > _REUSED_SECONDS:
            health = check(worker, engine)
            # The time of the result: callers that waited for a slow check use it, and do not check again one by one.
            _last[:] = [(time.monotonic(), health)]
        return _last[0][1]


def check(worker: Worker, engine: DurableEngine) -> Health:
    """Return the health of the app, after a call to each dependency that this configuration needs.

    The app works without Redis, so its absence only degrades, and so does a disabled nightly timer. So does the vault's
    absence while credentials can be checked: an instance restarted because of it would come back without the secrets.
    """
    can_sign_in = worker.settings.key_vault_url is None or _can_sign_in(worker)
    checks = Dependencies(
        mongodb=_state(lambda: _use_mongodb(worker)),
        redis=_state_of_redis(worker),
        key_vault=_state_of_vault(worker, can_sign_in=can_sign_in),
        engine=_state(engine.ping),
        schedule="unavailable" if worker.settings.timer_disabled else "ok",
    )
    if "unavailable" in (checks.mongodb, checks.engine) or not can_sign_in:
        return Health("unavailable", checks)
    return Health("degraded" if "unavailable" in (checks.redis, checks.key_vault, checks.schedule) else "ok", checks)


def watched_at(worker: Worker) -> datetime | None:
    """Return when the watchdog last fired; ``None`` if it never did, or if the database does not tell."""
    with suppress(PyMongoError, SecretMissing, SecretsUnavailable), pymongo.timeout(_PATIENCE_SECONDS):
        return worker.services().nights.watched_at()
    return None


def _can_sign_in(worker: Worker) -> bool:
    """Return whether there is anything that credentials can be checked against."""
    settings = worker.settings
    tokens = settings.jwt_audience is not None or settings.development  # otherwise each is rejected
    names: tuple[SecretName, ...] = ("admin-secret", "jwt-secret") if tokens else ("admin-secret",)
    known = (_state(functools.partial(worker.secrets.accepted, name)) == "ok" for name in names)
    return settings.oidc is not None or any(known)


def _state_of_vault(worker: Worker, *, can_sign_in: bool) -> DependencyState:
    if worker.settings.key_vault_url is None:
        return "not_configured"
    return _state(worker.secrets.ping) if can_sign_in else "unavailable"


def _use_mongodb(worker: Worker) -> None:
    """Write the time of this check, and do with each collection something that needs the rights the app needs."""
    services, name = worker.services(), worker.settings.mongodb_database
    own, backend = own_database(services.mongodb, name), services.mongodb[name]
    checked = {"$set": {"checked_at": datetime.now(UTC)}}
    with pymongo.timeout(_PATIENCE_SECONDS):
        own["health"].update_one({"_id": "health"}, checked, upsert=True)
        for collection in OWN_COLLECTIONS:
            own[collection].update_one({"_id": "health"}, checked)  # none has such a document
        for collection in COLLECTIONS:
            backend[collection].find_one({}, {"_id": True})


def _state_of_redis(worker: Worker) -> DependencyState:
    try:
        redis = worker.redis()
    except SecretsUnavailable:
        return "unavailable"
    return "not_configured" if redis is None else _state(redis.ping)


def _state(ping: Callable[[], object]) -> DependencyState:
    try:
        ping()
    except OperationFailure as error:
        if is_throttled(error):
            return "ok"  # it answers
        _log.error("MongoDB refuses a command of the health check: %s", refusal_of(error) or error.code)
        return "unavailable"
    except (EngineUnavailable, PyMongoError, RedisError, SecretMissing, SecretsUnavailable):
        return "unavailable"
    return "ok"
