"""The health of the app's dependencies. The route is public, so it names the failing ones without details."""

from collections.abc import Callable

import pymongo
from pymongo.errors import PyMongoError
from redis import RedisError

from credentials.secrets import SecretMissing, SecretsUnavailable
from functions.engine import DurableEngine
from functions.http.answers import Dependencies, DependencyState, Health
from functions.services import Worker
from runs.engine import EngineUnavailable

_PATIENCE_SECONDS = 3


def check(worker: Worker, engine: DurableEngine) -> Health:
    """Return the health of the app, after a call to each dependency.

    The app works without Redis, so its absence only degrades. So does the vault's while the admin secret is known: an
    instance restarted because of it would come back without the secret.
    """
    has_vault = worker.settings.key_vault_url is not None
    checks = Dependencies(
        mongodb=_state(lambda: _ping_mongodb(worker)),
        redis=_state_of_redis(worker),
        key_vault=_state(worker.secrets.ping) if has_vault else "not_configured",
        engine=_state(engine.ping),
    )
    secret_known = not has_vault or _state(lambda: worker.secrets.get("admin-secret")) == "ok"
    if "unavailable" in (checks.mongodb, checks.engine) or not secret_known:
        return Health("unavailable", checks)
    return Health("degraded" if "unavailable" in (checks.redis, checks.key_vault) else "ok", checks)


def _ping_mongodb(worker: Worker) -> None:
    with pymongo.timeout(_PATIENCE_SECONDS):
        worker.connections().mongodb.admin.command("ping")


def _state_of_redis(worker: Worker) -> DependencyState:
    try:
        redis = worker.redis()
    except SecretsUnavailable:
        return "unavailable"
    return "not_configured" if redis is None else _state(redis.ping)


def _state(ping: Callable[[], object]) -> DependencyState:
    try:
        ping()
    except (EngineUnavailable, PyMongoError, RedisError, SecretMissing, SecretsUnavailable):
        return "unavailable"
    return "ok"
