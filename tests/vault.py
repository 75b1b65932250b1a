"""A Key Vault for tests: a local HTTPS server that answers as the documentation of the REST API describes."""

import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme
from azure.core.credentials import AccessToken
from azure.keyvault.secrets import SecretClient

from credentials.identity import IMPATIENT

_TOKEN = "token of the managed identity"
_IDENTITY_HEADER = "anyone who knows it gets that token"


class _Credential:
    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken(_TOKEN, int(time.time()) + 3600)


@dataclass
class Version:
    """One version of a secret. Its value never changes; its attributes may."""

    id: str
    value: str
    created: int
    enabled: bool = True
    starts: datetime | None = None
    ends: datetime | None = None

    def attributes(self) -> dict[str, object]:
        times = {"nbf": self.starts, "exp": self.ends}
        given = {name: int(moment.timestamp()) for name, moment in times.items() if moment}
        return {"enabled": self.enabled, "created": self.created, "updated": self.created, **given}


@dataclass
class Vault:
    """Its secrets, its failure mode, and the requests that it received."""

    url: str
    client: Callable[[], SecretClient]
    ca_file: Path
    resource: str
    """The resource that its challenge names."""
    identity_failing_with: int | None = None
    secrets: dict[str, list[Version]] = field(default_factory=dict)
    failing_with: int | None = None
    retry_after: str | None = None
    asked: list[str] = field(default_factory=list)
    challenged: int = 0
    door: threading.Event = field(default_factory=threading.Event)
    """While this is closed, requests wait."""
    waiting: threading.Event = field(default_factory=threading.Event)
    """Set when a request has arrived."""

    def put(self, name: str, value: str, **attributes: Any) -> Version:  # noqa: ANN401 - as Version has them
        """Add a version, newer than the others."""
        versions = self.secrets.setdefault(name, [])
        identity = hashlib.md5(f"{name} {len(versions)}".encode(), usedforsecurity=False).hexdigest()
        version = Version(identity, value, created=1_700_000_000 + len(versions), **attributes)
        versions.append(version)
        return version

    def environment(self) -> dict[str, str]:
        """Return the environment of an app in Azure: the vault, and the managed identity that reads it."""
        return {
            "KEY_VAULT_URL": self.url,
            "IDENTITY_ENDPOINT": f"{self.url}/identity",
            "IDENTITY_HEADER": _IDENTITY_HEADER,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",  # not that of a signed-in developer
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
        }

    def listings(self, name: str) -> int:
        return self.asked.count(f"secrets/{name}/versions")


def _identity(vault: Vault, header: str | None) -> tuple[int, object]:
    """Return the answer of the platform's endpoint for tokens of managed identities."""
    vault.asked.append("identity")
    if vault.identity_failing_with is not None:
        return vault.identity_failing_with, {}
    if header != _IDENTITY_HEADER:
        return 401, {}
    expiry = int(time.time()) + 3600
    return 200, {"access_token": _TOKEN, "expires_on": expiry, "resource": vault.resource, "token_type": "Bearer"}


def _answer_of(vault: Vault, path: list[str], query: dict[str, list[str]]) -> tuple[int, object]:
    _, name, *rest = path
    versions = vault.secrets.get(name)
    if vault.failing_with is not None:
        return vault.failing_with, {"error": {"code": "Failing", "message": "as asked"}}
    if versions is None:
        return 404, {"error": {"code": "SecretNotFound", "message": f"{name} was not found"}}
    if rest == ["versions"]:
        return 200, _page(vault.url, name, versions, query)
    found = [version for version in versions if not rest or version.id == rest[0]]
    if not found:
        return 404, {"error": {"code": "SecretNotFound", "message": "no such version"}}
    if not found[-1].enabled:
        return 403, {"error": {"code": "Forbidden", "message": "Operation get is not allowed on a disabled secret."}}
    return 200, {"value": found[-1].value} | _item(vault.url, name, found[-1])


def _page(url: str, name: str, versions: list[Version], query: dict[str, list[str]]) -> object:
    # In no particular order, at most 25 per page.
    ordered = sorted(versions, key=lambda version: version.id)
    start, size = int(query.get("$skiptoken", ["0"])[0]), min(25, int(query.get("maxresults", ["25"])[0]))
    more = start + size < len(ordered)
    link = f"{url}/secrets/{name}/versions?api-version=7.6&$skiptoken={start + size}&maxresults={size}"
    return {
        "value": [_item(url, name, version) for version in ordered[start : start + size]],
        "nextLink": link if more else None,
    }


def _item(url: str, name: str, version: Version) -> dict[str, object]:
    return {"id": f"{url}/secrets/{name}/{version.id}", "attributes": version.attributes()}


@contextmanager
def a_vault(folder: Path, **client_options: Any) -> Iterator[Vault]:  # noqa: ANN401 - as the SDK takes them
    authority = trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/identity":
                status, content = _identity(vault, self.headers["X-IDENTITY-HEADER"])
                self._answer(status, content, {})
                return
            if self.headers["Authorization"] != f"Bearer {_TOKEN}":
                vault.challenged += 1
                challenge = f'Bearer authorization="https://login.example/tenant", resource="{vault.resource}"'
                self._answer(401, {}, {"WWW-Authenticate": challenge})
                return
            path = url.path.strip("/").split("/")
            vault.asked.append("/".join(path))
            vault.waiting.set()
            vault.door.wait()
            headers = {} if vault.retry_after is None else {"Retry-After": vault.retry_after}
            self._answer(*_answer_of(vault, path, parse_qs(url.query)), headers)

        def _answer(self, status: int, content: object, headers: dict[str, str]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            for key, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_arguments: object) -> None:
            pass  # the client has disconnected

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.server_port}"
    # The SDK sends a token only to hosts within the challenge's domain, and treats the end of an IP address as one.
    resource = f"https://0.0.1:{server.server_port}"

    def client() -> SecretClient:
        options: dict[str, Any] = IMPATIENT | client_options
        return SecretClient(url, _Credential(), connection_verify=str(ca_file), **options)

    vault = Vault(url, client, ca_file, resource)
    vault.door.set()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield vault
    finally:
        vault.door.set()
        server.shutdown()
        server.server_close()
        thread.join()
