"""An OpenID issuer for tests: a real server with a discovery document and keys that can be replaced."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from settings import Oidc

AUDIENCE, ROLE = "api://portfolio-analysis", "Portfolio.Admin"
DISCOVERY, KEY_SET = "/tenant/.well-known/openid-configuration", "/tenant/keys"

type PrivateKey = RSAPrivateKey | EllipticCurvePrivateKey


def an_rsa_key(bits: int = 2048) -> RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def an_ec_key() -> EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def public_jwk(key: PrivateKey, kid: str) -> dict[str, Any]:
    if isinstance(key, RSAPrivateKey):
        text = RSAAlgorithm.to_jwk(key.public_key())
    else:
        text = ECAlgorithm.to_jwk(key.public_key())
    return {**json.loads(text), "kid": kid, "use": "sig"}


@dataclass
class Issuer:
    """The keys of the issuer, its answers, and the requests that it received."""

    url: str
    keys: dict[str, PrivateKey] = field(default_factory=dict)
    answers: dict[str, tuple[int, bytes, dict[str, str]]] = field(default_factory=dict)
    """Answers by path that replace the normal ones."""
    asked: list[str] = field(default_factory=list)

    @property
    def oidc(self) -> Oidc:
        return Oidc(self.url, AUDIENCE, ROLE)

    def claims(self, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - any claim; None leaves one out
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "subject-1",
            "oid": "00000000-0000-0000-0000-000000000001",
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "roles": ["Portfolio.Reader", ROLE],
        }
        return {name: value for name, value in (claims | changed).items() if value is not None}

    def token(
        self,
        claims: dict[str, Any] | None = None,
        *,
        kid: str = "rsa-1",
        key: PrivateKey | None = None,
        headers: dict[str, Any] | None = None,
    ) -> str:
        key = key or self.keys[kid]
        algorithm = "RS256" if isinstance(key, RSAPrivateKey) else "ES256"
        return jwt.encode(claims or self.claims(), key, algorithm, {"kid": kid} | (headers or {}))

    def answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        if path == DISCOVERY:
            origin = self.url.removesuffix("/tenant")
            return 200, json.dumps({"issuer": self.url, "jwks_uri": f"{origin}{KEY_SET}"}).encode(), {}
        if path == KEY_SET:
            return 200, json.dumps({"keys": [public_jwk(key, kid) for kid, key in self.keys.items()]}).encode(), {}
        return 404, b"", {}


@contextmanager
def an_issuer(tls: ssl.SSLContext | None = None) -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body, headers = issuer.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_arguments: object) -> None:
            pass  # the client has disconnected

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    origin = f"http://127.0.0.1:{server.server_port}" if tls is None else f"https://localhost:{server.server_port}"
    issuer = Issuer(f"{origin}/tenant", {"rsa-1": an_rsa_key(), "ec-1": an_ec_key()})
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
