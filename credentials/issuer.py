"""The keys of an OpenID issuer, from its discovery document. Only signatures by these keys are accepted."""

import json
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from credentials.secrets import Cached, Unavailable
from settings import Oidc, is_trusted_url

if TYPE_CHECKING:
    from jwt import PyJWK

type Keys = Mapping[tuple[str, str], PyJWK]
"""By algorithm and id: a key is used only with the one algorithm it is made for."""

_MOST_BYTES = 256 * 1024
_MOST_KEYS = 100
_TIMEOUT_SECONDS = 3.0
_PATIENCE_SECONDS = 10.0
_RSA_BITS = range(2048, 8193)


class IssuerUnavailable(Unavailable):
    """The issuer does not answer, or its answer is not valid."""


class IssuerKeys:
    """The issuer's keys, cached; an unknown key id causes another request, at a limited rate."""

    def __init__(self, oidc: Oidc, clock: Callable[[], float] = time.monotonic) -> None:
        self._oidc = oidc
        self._clock = clock
        self._cached = Cached("The key set of the issuer", self._fetch, clock)

    def get(self, algorithm: str, key_id: str) -> "PyJWK | None":
        """Return the key of this id for this algorithm, or ``None`` if the issuer has none.

        Raises:
            IssuerUnavailable: the issuer did not answer, and its last answer is too old.
        """
        return self._cached.find(lambda keys: keys.get((algorithm, key_id)))

    def _fetch(self) -> Keys:
        issuer = self._oidc.issuer
        discovery = self._get(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        key_set_url = discovery.get("jwks_uri")
        if discovery.get("issuer") != issuer:
            raise IssuerUnavailable("the discovery document is another issuer's")
        loopback = urlsplit(issuer).scheme == "http"  # settings.py allows http only on loopback
        if not isinstance(key_set_url, str) or not is_trusted_url(key_set_url, loopback=loopback, query=True):
            raise IssuerUnavailable("the discovery document names no key set that could be trusted")
        return _keys(self._get(key_set_url).get("keys"))

    def _get(self, url: str) -> dict[str, Any]:
        try:
            content = json.loads(_download(url, self._clock))
        except (OSError, HTTPException, ValueError, RecursionError) as error:
            raise IssuerUnavailable(type(error).__name__) from None
        if not isinstance(content, dict):
            raise IssuerUnavailable("its answer is not an object")
        return content


def _download(url: str, clock: Callable[[], float]) -> bytes:
    """Return the content of ``url``: without redirects, proxies and cookies, limited in size and time."""
    parts = urlsplit(url)
    deadline = clock() + _PATIENCE_SECONDS
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.netloc, timeout=_TIMEOUT_SECONDS)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:  # noqa: PLR2004 - OK
            raise IssuerUnavailable(f"it answered {answer.status}")
        content = bytearray()
        while chunk := answer.read1(_MOST_BYTES):
            content += chunk
            if len(content) > _MOST_BYTES or clock() > deadline:
                raise IssuerUnavailable("its answer is too long")
        return bytes(content)
    finally:
        connection.close()


def _keys(listed: object) -> Keys:
    if not isinstance(listed, list):
        raise IssuerUnavailable("its key set has no keys")
    keys: dict[tuple[str, str], PyJWK] = {}
    for item in listed[:_MOST_KEYS]:
        if (key := _key(item)) is not None:
            keys[key.algorithm_name, item["kid"]] = key
    return keys


def _key(item: Any) -> "PyJWK | None":  # noqa: ANN401 - any JSON
    """Return the key with only the members that its type allows: members not named here are ignored."""
    from jwt import PyJWK, PyJWTError

    match item:
        case {"kid": str(), "kty": "RSA", "n": str(n), "e": str(e)}:
            algorithm, public = "RS256", {"kty": "RSA", "n": n, "e": e}
        case {"kid": str(), "kty": "EC", "crv": "P-256", "x": str(x), "y": str(y)}:
            algorithm, public = "ES256", {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        case _:
            return None
    if item.get("use", "sig") != "sig" or item.get("alg", algorithm) != algorithm:
        return None
    try:
        key = PyJWK(public, algorithm)
    except (PyJWTError, ValueError):
        return None  # an unreadable key verifies nothing; the others still do
    return None if algorithm == "RS256" and key.key.key_size not in _RSA_BITS else key
