"""The health of the app's dependencies. The route is public, so it names the failing ones without details."""

from collections.abc import Callable

import pymongo
from pymongo.errors import PyMongoError
from redis import RedisError

from credentials.secrets import SecretMissing
from credentials.vault import SecretsUnavailable
from functions.engine import Engine, EngineUnavailable
from functions.http.answers import Checks, DependencyState, Health
from functions.services import connections, secrets, settings

_PATIENCE_SECONDS = 3


def check(engine: Engine) -> Health:
    """Return the health of the app, after a call to each dependency.

    The app works without Redis, so its absence only degrades. So does the vault's while the admin secret is known: an
    instance restarted because of it would come back without the secret.
    """
    checks = Checks(
        mongodb=_answer(_ping_mongodb),
        redis=_check_redis(),
        key_vault="not_configured" if settings().key_vault_url is None else _answer(secrets().ping),
        engine=_answer(engine.ping),
    )
    secret_known = checks.key_vault == "not_configured" or _answer(lambda: secrets().get("admin-secret")) == "ok"
    if "unavailable" in (checks.mongodb, checks.engine) or not secret_known:
        return Health("unavailable", checks)
    return Health("degraded" if "unavailable" in (checks.redis, checks.key_vault) else "ok", checks)


def _ping_mongodb() -> None:
    with pymongo.timeout(_PATIENCE_SECONDS):
        connections().mongodb.admin.command("ping")


def _check_redis() -> DependencyState:
    if settings().redis_url is None and settings().key_vault_url is None:
        return "not_configured"
    try:
        redis = connections().redis
    except (SecretMissing, SecretsUnavailable):
        return "unavailable"
    return "not_configured" if redis is None else _answer(redis.ping)


def _answer(ping: Callable[[], object]) -> DependencyState:
    try:
        ping()
    except (EngineUnavailable, PyMongoError, RedisError, SecretMissing, SecretsUnavailable):
        return "unavailable"
    return "ok"
