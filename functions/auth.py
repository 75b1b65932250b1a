"""Who may come in: an administrator, known by the admin secret."""

import hashlib
import hmac

import azure.functions as func

from functions.services import secrets
from stores.secrets import SecretMissing, SecretsUnavailable


class Unauthorized(Exception):
    """The request carries no valid credentials."""


class AuthenticationUnavailable(Exception):
    """Credentials cannot be checked now: nobody comes in."""


def require_admin(request: func.HttpRequest) -> str:
    """Give the name under which the administrator acts.

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
    return "admin-secret"


def _same(given: str, expected: str) -> bool:
    # Digests have one length, so the time tells neither the secret's length nor how much of it was right.
    return hmac.compare_digest(_digest(given), _digest(expected))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
