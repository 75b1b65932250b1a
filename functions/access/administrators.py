"""Sign-in of administrators, by the admin secret, a bearer token or a session. Failures are counted and recorded."""

import functools
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import azure.functions as func

from credentials.secrets import SecretMissing, SecretName, Secrets, SecretVersion, Unavailable, Versions
from functions.access import sessions
from functions.access.audit import record_refusal
from functions.access.own_pages import ForeignPage, is_from_own_page
from functions.access.throttling import SIGN_IN_FAILURES, client_of, count_failure, refuse_after_failures
from functions.access.tokens import (
    InvalidToken,
    NotAdministrator,
    Subject,
    administrator_of_backend,
    subject_of,
    verified,
)
from functions.services import Worker
from problems import Problem
from records import Credential, Session

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


class Unauthorized(Problem):
    """The request carries no valid credentials."""

    status, slug, title = 401, "unauthorized", "Not signed in"
    detail = "Send the admin secret in the header X-Admin-Secret, or a valid bearer token in Authorization."

    @property
    def headers(self) -> dict[str, str]:
        """Return the header that names the accepted scheme."""
        return {"WWW-Authenticate": "Bearer"}


class SessionOver(Unauthorized):
    """The request carries the cookie of a session that is over, or of none at all."""

    slug, title = "session-over", "Session over"
    detail = "The session is over. Sign in again with the admin secret or a bearer token."

    def __init__(self, *, known: bool = False) -> None:
        super().__init__()
        self.known = known
        """Whether there was such a session: then its cookie is not a guess."""


class Forbidden(Problem):
    """The credentials are valid, but do not belong to an administrator."""

    status, slug, title = 403, "forbidden", "Not an administrator"
    detail = "The token is valid, but its user is not an administrator. Ask an administrator for access."
    arguments_of_example = (Subject("ada", "ada", "backend"),)

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self.subject = subject


class AuthenticationUnavailable(Problem):
    """Credentials cannot be checked now, so no access is granted."""

    status, slug, title = 503, "authentication-unavailable", "Credentials cannot be checked"
    detail = (
        "The secret or key to check credentials with is not set or is unavailable. An operator should look at the "
        "settings, the key vault and the token issuer."
    )
    retry_after = 30


@dataclass(frozen=True, slots=True)
class Admin:
    """A signed-in administrator: the name and the kind of credential, never the credential itself.

    ``credential_id`` is the version of the secret, or the subject of the token; that of a session is that of the
    credential that it was started with.
    """

    actor: str
    credential: Literal["admin-secret", "bearer", "session"]
    credential_id: str | None = None


def sign_in(request: func.HttpRequest, worker: Worker, *, by_session: bool = True) -> Admin:
    """Return the administrator that the request's credentials belong to.

    If it has several kinds, the secret decides, then the token; the cookie of a session counts ``by_session`` only.

    Raises:
        TooManyFailures: the client failed too often, even if its credentials are valid now, or the token's user did.
        Unauthorized: no valid credentials.
        Forbidden: a valid token of a user that is not an administrator.
        ForeignPage: a session, but not on a page of the app.
        AuthenticationUnavailable: there is nothing to check credentials against, or it cannot be read.
        PyMongoError: the database, which has the sessions, did not answer.
    """
    client, credential, session_id = client_of(request.headers, worker.settings), credential_of(request), None
    if credential == "none" and by_session:
        session_id = sessions.session_id_of(request, worker.settings)
        credential = credential if session_id is None else "session"
    refuse_after_failures(worker.counts(SIGN_IN_FAILURES), client, credential)
    try:
        return admin_of(request, worker, session_id)
    except (Unauthorized, Forbidden, ForeignPage) as refusal:
        if isinstance(refusal, SessionOver) and refusal.known:
            raise  # the end of a session is no failure: all tabs of a browser come upon it
        subject = None if isinstance(refusal, Unauthorized) else refusal.subject
        count_failure(worker.counts(SIGN_IN_FAILURES), client, credential, subject)
        record_refusal(worker, refusal, subject, client=client.address, credential=credential)
        raise


def admin_of(request: func.HttpRequest, worker: Worker, session_id: str | None = None) -> Admin:
    """Return the administrator, as :func:`sign_in`, but count and record nothing.

    The id of a session, which the caller took from its cookie, counts only without a secret and a token.
    """
    secret = request.headers.get("X-Admin-Secret")
    try:
        if secret is not None:
            return _by_secret(secret, worker.secrets)
        if "Authorization" in request.headers:
            return _by_token(request, worker)
        if session_id is not None:
            return _by_session(session_id, request, worker)
        if _exists("admin-secret", worker.secrets):
            # The same work as for a wrong secret, but no reload: a missing header cannot match a newer version.
            _matching("", worker.secrets.accepted("admin-secret"))
        raise _refusal(worker)
    except (SecretMissing, Unavailable) as error:
        raise AuthenticationUnavailable from error


def credential_of(request: func.HttpRequest) -> Credential:
    """Return the kind of credential in the request's headers; if there are two, the secret decides."""
    if "X-Admin-Secret" in request.headers:
        return "admin-secret"
    return "bearer" if "Authorization" in request.headers else "none"


def start_session(request: func.HttpRequest, admin: Admin, worker: Worker) -> tuple[str, Session]:
    """Start a session with the request's secret or token, which are those of ``admin``; return its id and its record.

    Raises:
        Unauthorized: the credential is about to expire, or was replaced since the sign-in.
        PyMongoError: the database did not answer.
    """
    if admin.credential == "admin-secret":
        given = request.headers.get("X-Admin-Secret", "")
        version = worker.secrets.find("admin-secret", functools.partial(_matching, given))
        if version is None:
            raise Unauthorized
        return sessions.start(worker, admin.actor, "admin-secret", version.id, version=version, until=None)
    try:
        token = verified(bearer_token(request), worker.verifiers)
    except InvalidToken:
        raise Unauthorized from None
    until = datetime.fromtimestamp(token.claims["exp"], UTC)
    if until <= datetime.now(UTC):  # a token is accepted for some seconds longer, as clocks differ
        raise Unauthorized
    return sessions.start(worker, admin.actor, "bearer", admin.credential_id, version=token.version, until=until)


def _by_secret(given: str, secrets: Secrets) -> Admin:
    version = secrets.find("admin-secret", functools.partial(_matching, given))
    if version is None:
        raise Unauthorized
    return Admin("admin-secret", "admin-secret", version.id)


def bearer_token(request: func.HttpRequest) -> str:
    """Return the bearer token of a request.

    Raises:
        InvalidToken: there is none.
    """
    presented = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    if presented is None:
        raise InvalidToken
    return presented[1]


def _by_token(request: func.HttpRequest, worker: Worker) -> Admin:
    try:
        subject = subject_of(bearer_token(request), worker.verifiers)
    except InvalidToken:
        raise _refusal(worker) from None
    except NotAdministrator as known:
        raise Forbidden(known.subject) from None
    return Admin(subject.actor, "bearer", subject.name)


def _by_session(session_id: str, request: func.HttpRequest, worker: Worker) -> Admin:
    session = sessions.find(session_id, worker)
    if session is None:
        raise SessionOver
    if sessions.is_over(session, session_id, worker):
        raise SessionOver(known=True)
    if session.credential == "bearer" and session.proof is not None:
        try:
            administrator_of_backend(session.credential_id or "", worker.verifiers)
        except InvalidToken:
            raise SessionOver from None
        except NotAdministrator as known:
            raise Forbidden(known.subject) from None
    if not is_from_own_page(request, worker.settings):
        raise ForeignPage(Subject(session.actor, session.actor, "session"))
    return Admin(session.actor, "session", session.credential_id)


def _refusal(worker: Worker) -> Problem:
    """Return the error for a request without valid credentials: 503 if none could be valid at all, else 401."""
    secrets = worker.secrets
    possible = worker.settings.oidc is not None or _exists("admin-secret", secrets) or _exists("jwt-secret", secrets)
    return Unauthorized() if possible else AuthenticationUnavailable()


def _exists(name: SecretName, secrets: Secrets) -> bool:
    try:
        secrets.accepted(name)
    except SecretMissing:
        return False
    return True


def _matching(given: str, versions: Versions) -> SecretVersion | None:
    # Digests have one length, so the time reveals neither the secret's length nor how much of it was right. All
    # versions are compared, so it does not reveal which one matched either.
    digest = _digest(given)
    matching = [version for version in versions if hmac.compare_digest(digest, _digest(version.value))]
    return matching[0] if matching else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
