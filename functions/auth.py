"""Who may come in: an administrator, known by the admin secret."""

import hashlib
import hmac
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

import azure.functions as func

from functions.services import secrets
from stores.secrets import SecretMissing, SecretsUnavailable


class Unauthorized(Exception):
    """The request carries no valid credentials."""


class AuthenticationUnavailable(Exception):
    """Credentials cannot be checked now: nobody comes in."""


@dataclass(frozen=True, slots=True)
class Admin:
    """An administrator who came in: the name they act under, and by which credential, never the credential itself.

    ``credential_id`` tells which one of its kind: the version of the secret, or the subject of the token.
    """

    actor: str
    credential: Literal["admin-secret", "bearer"]
    credential_id: str | None = None


current_admin: ContextVar[Admin] = ContextVar("current_admin")
"""The administrator whose request is being answered. No parameter: the host would take it for a binding."""


def require_admin(request: func.HttpRequest) -> Admin:
    """Give the administrator whose credentials the request carries.

    Raises:
        Unauthorized: no valid credentials.
        AuthenticationUnavailable: there is no secret to compare with, or it cannot be had.
    """
    try:
        expected = secrets().get("admin-secret")
    except (SecretMissing, SecretsUnavailable) as error:
        raise AuthenticationUnavailable from error
    if not _same(request.headers.get("X-Admin-Secret", ""), expected):
        raise Unauthorized
    return Admin("admin-secret", "admin-secret")


def _same(given: str, expected: str) -> bool:
    # Digests have one length, so the time tells neither the secret's length nor how much of it was right.
    return hmac.compare_digest(_digest(given), _digest(expected))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
