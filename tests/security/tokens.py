"""Bearer tokens for tests: of the existing backend, of an OpenID issuer, and ones that no library would sign."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest

from functions.access.administrators import Unauthorized
from tests.security.door import Door
from tests.security.issuer import Issuer

KEY = "the key that the backend shares with this app"
ADMINISTRATOR, USER = "zoe-admin", "adam-user"
SECRET = "the admin secret"


def claims(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - any claim; None leaves one out
    now = int(time.time())
    all_claims = {"sub": ADMINISTRATOR, "iat": now, "exp": now + 600} | changed
    return {name: value for name, value in all_claims.items() if value is not None}


def backend_token(key: str = KEY, headers: dict[str, Any] | None = None, **changed: Any) -> str:  # noqa: ANN401 - any claim
    return handmade({"alg": "HS256", "typ": "JWT"} | (headers or {}), claims(**changed), key.encode())


def handmade(header: object, payload: object, key: bytes = b"") -> str:
    """Return a token with any content, including content that no library would sign."""
    parts = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, payload)]
    content = ".".join(map(segment, parts))
    return f"{content}.{segment(hmac.digest(key, content.encode(), hashlib.sha256))}"


def signed(issuer: Issuer, payload: object, kid: str = "rsa-1") -> str:
    """Return a token of the issuer with any content."""
    algorithm = "RS256" if kid == "rsa-1" else "ES256"
    return jwt.PyJWS().encode(json.dumps(payload).encode(), issuer.keys[kid], algorithm, {"kid": kid})


def segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def refused(door: Door, token: str) -> None:
    with pytest.raises(Unauthorized):
        door.with_token(token)
