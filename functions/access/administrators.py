"""Authentication of administrators, by the admin secret or by a bearer token."""

import functools
import hashlib
import hmac
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

import azure.functions as func

from credentials.kept import Unavailable
from credentials.secrets import SecretMissing, SecretName, Versions
from credentials.vault import SecretVersion
from functions.access.tokens import Bearer, InvalidToken, NoAdministrator, bearer_of
from functions.services import secrets, settings, token_verifiers


class Unauthorized(Exception):
    """The request carries no valid credentials."""


class Forbidden(Exception):
    """The credentials are valid, but do not belong to an administrator."""

    def __init__(self, bearer: Bearer) -> None:
        super().__init__(bearer)
        self.bearer = bearer


class AuthenticationUnavailable(Exception):
    """Credentials cannot be checked now, so no access is granted."""


@dataclass(frozen=True, slots=True)
class Admin:
    """A signed-in administrator: the name and the kind of credential, never the credential itself.

    ``credential_id`` is the version of the secret, or the subject of the token.
    """

    actor: str
    credential: Literal["admin-secret", "bearer"]
    credential_id: str | None = None


current_admin: ContextVar[Admin] = ContextVar("current_admin")
"""The administrator of the current request. Not a parameter, because the host would take it for a binding."""

_BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)


@contextmanager
def acting(admin: Admin) -> Iterator[None]:
    """Run the body as this administrator, and reset it afterwards, since the thread serves other requests next."""
    token = current_admin.set(admin)
    try:
        yield
    finally:
        current_admin.reset(token)


def require_admin(request: func.HttpRequest) -> Admin:
    """Return the administrator that the request's credentials belong to. If it has both kinds, the secret decides.

    Raises:
        Unauthorized: no valid credentials.
        Forbidden: a valid token of a user that is not an administrator.
        AuthenticationUnavailable: there is nothing to check credentials against, or it cannot be read.
    """
    secret, authorization = request.headers.get("X-Admin-Secret"), request.headers.get("Authorization")
    try:
        if secret is not None:
            return _by_secret(secret)
        if authorization is not None:
            return _by_token(authorization)
        return _by_nothing()
    except (SecretMissing, Unavailable) as error:
        raise AuthenticationUnavailable from error


def _by_secret(given: str) -> Admin:
    version = secrets().find("admin-secret", functools.partial(_matching, given))
    if version is None:
        raise Unauthorized
    return Admin("admin-secret", "admin-secret", version.id)


def _by_nothing() -> Admin:
    if _is_there("admin-secret"):
        # The same work as for a wrong secret, but no reload: a missing header cannot match a newer version.
        _matching("", secrets().accepted("admin-secret"))
    raise _refusal()


def _by_token(authorization: str) -> Admin:
    presented = _BEARER.fullmatch(authorization)
    if presented is None:
        raise _refusal()
    try:
        bearer = bearer_of(presented[1], token_verifiers())
    except InvalidToken:
        raise _refusal() from None
    except NoAdministrator as known:
        raise Forbidden(known.bearer) from None
    return Admin(bearer.actor, "bearer", bearer.subject)


def _refusal() -> Exception:
    """Return the error for a request without valid credentials: 503 if none could be valid at all, else 401."""
    possible = settings().oidc is not None or _is_there("admin-secret") or _is_there("jwt-secret")
    return Unauthorized() if possible else AuthenticationUnavailable()


def _is_there(name: SecretName) -> bool:
    try:
        secrets().accepted(name)
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
