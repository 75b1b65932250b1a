"""Bearer tokens: checks of the signature, the claims and the administrator's role. PyJWT does the cryptography.

The algorithm in a token's header selects one verifier from a fixed table, and that verifier accepts only this
algorithm, with keys used for nothing else. Other keys in the header (jku, x5u, jwk, x5c) are ignored.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from credentials.issuer import IssuerKeys
from credentials.secrets import SecretMissing, Secrets, SecretVersion, Versions
from records import USER_ID_PATTERN
from settings import Oidc, Settings

if TYPE_CHECKING:
    from jwt import PyJWK

MAX_TOKEN_BYTES = 8 * 1024
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_USER_ID = re.compile(USER_ID_PATTERN)
# Entra's ids are base64url: one in 64 begins with a hyphen.
_NAME_AT_ISSUER = re.compile(r"[\w-][\w.@|:+=~-]{0,127}")
_BACKEND = "backend"
_CLOCK_SKEW_SECONDS = 30
_LONGEST_LIFETIME_SECONDS = 24 * 60 * 60

_log = logging.getLogger(__name__)


class InvalidToken(Exception):
    """The token is not valid. The reason is not given, since it would help to forge one."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The user of a token: the name for the audit log, the name in the claim ``sub``, and the signer of the token."""

    actor: str
    name: str
    issuer: str


class NotAdministrator(Exception):
    """The token is valid, but its user is not an administrator."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.subject = subject


type Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verified:
    """A valid token: its claims, and the version of the secret that signed it, ``None`` for a key of an issuer."""

    claims: Claims
    version: SecretVersion | None = None


class Verifier(Protocol):
    """Verifies the tokens of one signer."""

    def verified(self, token: str, algorithm: str, header: Mapping[str, object]) -> Verified:
        """Return the content of a valid token.

        Raises:
            InvalidToken: it is not.
            Unavailable: it cannot be checked now.
        """

    def administrator(self, claims: Claims) -> Subject:
        """Return the administrator that a valid token belongs to.

        Raises:
            InvalidToken, NotAdministrator: the token gives no access.
            PyMongoError: it cannot be checked now.
        """


type Verifiers = Mapping[str, Verifier]


def verifiers(
    settings: Settings, secrets: Secrets, is_administrator: Callable[[str], bool], keys: IssuerKeys | None
) -> Verifiers:
    """Return the fixed table of verifiers by algorithm."""
    table: dict[str, Verifier] = {"HS256": BackendTokens(settings, secrets, is_administrator)}
    if settings.oidc is not None and keys is not None:
        table["RS256"] = table["ES256"] = IssuerTokens(settings.oidc, keys)
    return table


def subject_of(token: str, table: Verifiers) -> Subject:
    """Return the administrator that the token belongs to; raises as the verifiers do."""
    verifier, found = _verified(token, table)
    return verifier.administrator(found.claims)


def administrator_of_backend(user_id: str, table: Verifiers) -> Subject:
    """Return the user of the backend, if it is an administrator now; raises as its verifier does."""
    return table["HS256"].administrator({"sub": user_id})


def verified(token: str, table: Verifiers) -> Verified:
    """Return the content of the token; raises as the verifiers do."""
    return _verified(token, table)[1]


def _verified(token: str, table: Verifiers) -> tuple[Verifier, Verified]:
    # Before the token is parsed.
    if len(token) > MAX_TOKEN_BYTES or not _COMPACT.fullmatch(token):
        raise InvalidToken
    from jwt import PyJWTError, get_unverified_header

    try:
        header = get_unverified_header(token)
    except PyJWTError:
        raise InvalidToken from None
    algorithm = header.get("alg")
    # RFC 7515: a token with a critical extension that is not understood must be refused.
    if not isinstance(algorithm, str) or algorithm not in table or "crit" in header:
        raise InvalidToken
    return table[algorithm], table[algorithm].verified(token, algorithm, header)


@dataclass(frozen=True, slots=True)
class BackendTokens:
    """Tokens of the existing backend for its users, signed with the secret it shares with this app."""

    settings: Settings
    secrets: Secrets
    is_administrator: Callable[[str], bool]

    def verified(self, token: str, algorithm: str, header: Mapping[str, object]) -> Verified:  # noqa: ARG002 - one secret
        """Return the content; see :class:`Verifier`."""

        def verified_by(versions: Versions) -> Verified | None:
            read = ((self._claims(token, algorithm, version.value), version) for version in versions)
            return next((Verified(claims, version) for claims, version in read if claims is not None), None)

        try:
            found = self.secrets.find("jwt-secret", verified_by)
        except SecretMissing:
            raise InvalidToken from None  # no such tokens are in use
        if found is None:
            raise InvalidToken
        if self.settings.jwt_audience is None and not self.settings.development:
            # Without it, any token that the backend signs would do, whatever its purpose.
            _log.error("JWT_AUDIENCE is not set: tokens of the backend are rejected")
            raise InvalidToken
        return found

    def administrator(self, claims: Claims) -> Subject:
        """Return the user; see :class:`Verifier`. The database, not the token, decides on the administrator's role."""
        user_id = _name_in(claims, "sub", _USER_ID)
        subject = Subject(user_id, user_id, _BACKEND)
        if not self.is_administrator(user_id):
            raise NotAdministrator(subject)
        return subject

    def _claims(self, token: str, algorithm: str, secret: str) -> dict[str, Any] | None:
        return _signed_claims(token, algorithm, secret, self.settings.jwt_issuer, self.settings.jwt_audience)


@dataclass(frozen=True, slots=True)
class IssuerTokens:
    """Tokens of an OpenID issuer, in which a role marks administrators."""

    oidc: Oidc
    keys: IssuerKeys

    def verified(self, token: str, algorithm: str, header: Mapping[str, object]) -> Verified:
        """Return the content; see :class:`Verifier`."""
        key_id = header.get("kid")
        key = self.keys.get(algorithm, key_id) if isinstance(key_id, str) else None
        if key is None:
            raise InvalidToken
        claims = _signed_claims(token, algorithm, key, self.oidc.issuer, self.oidc.audience)
        if claims is None:
            raise InvalidToken
        return Verified(claims)

    def administrator(self, claims: Claims) -> Subject:
        """Return the user; see :class:`Verifier`."""
        name = _name_in(claims, "sub", _NAME_AT_ISSUER)
        # Entra's `oid` identifies a person in all applications, its `sub` the same person in this one only.
        actor = _name_in(claims, "oid", _NAME_AT_ISSUER) if "oid" in claims else name
        subject = Subject(actor, name, self.oidc.issuer)
        roles = claims.get("roles")
        # A string could contain the name of the role as well.
        if not isinstance(roles, list) or self.oidc.admin_role not in roles:
            raise NotAdministrator(subject)
        return subject


def _signed_claims(
    token: str, algorithm: str, key: "str | PyJWK", issuer: str | None, audience: str | None
) -> dict[str, Any] | None:
    """Return the claims of a token that is valid in every respect, ``None`` if it was not signed with ``key``.

    Raises:
        InvalidToken: it was signed with the key but is not valid, or it is not a token at all.
    """
    from jwt import InvalidSignatureError, PyJWTError, decode

    checked = {"iss": issuer, "aud": audience}
    try:
        claims = decode(
            token,
            key,
            algorithms=[algorithm],
            options={
                # Not `sub`: a person may be named by another claim. Each caller requires the one that it reads.
                "require": ["exp", *(name for name, expected in checked.items() if expected is not None)],
                "verify_aud": audience is not None,
                "strict_aud": True,
                # The length of secrets is checked where they are read.
                "enforce_minimum_key_length": not isinstance(key, str),
            },
            audience=audience,
            issuer=issuer,
            leeway=_CLOCK_SKEW_SECONDS,
        )
    except InvalidSignatureError:
        return None
    except PyJWTError:
        raise InvalidToken from None
    now = time.time()
    expires, issued = claims["exp"], claims.get("iat", now)
    # PyJWT also takes text that looks like a number.
    if not isinstance(expires, int | float) or not isinstance(issued, int | float):
        raise InvalidToken
    if expires - min(issued, now) > _LONGEST_LIFETIME_SECONDS + _CLOCK_SKEW_SECONDS:
        raise InvalidToken
    return claims


def _name_in(claims: Mapping[str, object], claim: str, form: re.Pattern[str]) -> str:
    """Return a claim that must be a well-formed id: it is used in queries, records and the log."""
    value = claims.get(claim)
    if not isinstance(value, str) or not form.fullmatch(value) or not value.isprintable():
        raise InvalidToken
    return value
