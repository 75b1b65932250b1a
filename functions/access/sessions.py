"""Sessions of administrators: a random id in a cookie stands for the credential that it was started with.

The database has the digest of the id and, as proof of a secret's version, a keyed digest of both: a session is over as
soon as that version is, and nobody who can write to the database can make one up for a secret.
"""

import functools
import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

import azure.functions as func

from credentials.secrets import SecretMissing, SecretName, SecretVersion, Versions
from functions.access.own_pages import own_origin
from functions.services import Worker
from records import Session
from settings import Settings

if TYPE_CHECKING:
    from stores.sessions import SessionStore

LONGEST = timedelta(hours=8)
COOKIE = "__Host-portfolio-session"
"""Its prefix keeps hosts of the same domain from setting it, and demands TLS and the path ``/``."""
LOCAL_COOKIE, _LOCAL_PATH = "portfolio-session", "/api/admin/portfolio"
"""Without TLS on this machine, where other programs on other ports get the same cookies, so only for few paths."""
_ID_BYTES = 32
_ID = re.compile(r"[\w-]{43}", re.ASCII)
_PATIENCE_SECONDS = 5
_SECRETS: dict[str, SecretName] = {"admin-secret": "admin-secret", "bearer": "jwt-secret"}


def session_id_of(request: func.HttpRequest, settings: Settings) -> str | None:
    """Return the id in the request's cookie, ``None`` without a cookie; with several, none is the right one."""
    name = LOCAL_COOKIE if own_origin(request, settings).is_local else COOKIE
    parts = (part.strip().partition("=") for part in re.split("[;,]", request.headers.get("Cookie", "")))
    found = [value for given, _, value in parts if given == name]
    return None if not found else found[0] if len(found) == 1 else ""


def start(
    worker: Worker,
    actor: str,
    credential: Literal["admin-secret", "bearer"],
    credential_id: str | None,
    *,
    version: SecretVersion | None,
    until: datetime | None,
) -> tuple[str, Session]:
    """Start a session that lasts as long as the ``version`` of a secret is accepted, and not after ``until``.

    Return its id, which is always a new one, and its record.
    """
    session_id, now = secrets.token_urlsafe(_ID_BYTES), datetime.now(UTC)
    expires_at = now + LONGEST if until is None else min(until, now + LONGEST)
    proof = None if version is None else _proof(version, session_id)
    session = Session(actor, credential, credential_id, proof, now, expires_at)
    _store(worker).add(_digest(session_id), session)
    return session_id, session


def find(session_id: str, worker: Worker) -> Session | None:
    """Return the session of this id, which may be over; ``None`` if there is none.

    Raises:
        PyMongoError: the database did not answer. Nothing is cached: a session that was ended is over at once.
    """
    import pymongo

    if not _ID.fullmatch(session_id):
        return None
    with pymongo.timeout(_PATIENCE_SECONDS):
        return _store(worker).get(_digest(session_id))


def is_over(session: Session, session_id: str, worker: Worker) -> bool:
    """Return whether the session expired, or what it was started with is no longer accepted.

    Raises:
        SecretsUnavailable: the vault did not answer, and its last answer is too old.
    """
    if session.expires_at <= datetime.now(UTC):
        return True
    if session.proof is None:
        return session.credential != "bearer" or worker.settings.oidc is None
    proven = functools.partial(_proven, session.proof, session_id)
    try:
        return worker.secrets.find(_SECRETS[session.credential], proven) is None
    except SecretMissing:
        return True


def end(session_id: str, worker: Worker) -> None:
    """End the session of this id."""
    _store(worker).remove(_digest(session_id))


def cookie(request: func.HttpRequest, settings: Settings, session_id: str, seconds: int) -> str:
    """Return the header that makes the browser keep the id for some seconds, or forget it after 0."""
    local = own_origin(request, settings).is_local
    name, path, secure = (LOCAL_COOKIE, _LOCAL_PATH, "") if local else (COOKIE, "/", "; Secure")
    return f"{name}={session_id}; Max-Age={seconds}; Path={path}{secure}; HttpOnly; SameSite=Strict"


def _store(worker: Worker) -> "SessionStore":
    return worker.services().sessions


def _digest(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()


def _proof(version: SecretVersion, session_id: str) -> str:
    return hmac.new(version.value.encode("utf-8", "surrogatepass"), session_id.encode(), hashlib.sha256).hexdigest()


def _proven(proof: str, session_id: str, versions: Versions) -> SecretVersion | None:
    matching = [version for version in versions if _proof(version, session_id) == proof]
    return matching[0] if matching else None
