"""A Key Vault for tests: an HTTPS server of our own that answers as the REST API's documentation describes."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import trustme
from azure.core.credentials import AccessToken
from azure.keyvault.secrets import SecretClient

from stores.secrets import IMPATIENT


class _Credential:
    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken("token", int(time.time()) + 3600)


@dataclass
class Vault:
    """What it holds, how it fails, and what it was asked."""

    url: str
    client: Callable[[], SecretClient]
    secrets: dict[str, str] = field(default_factory=dict)
    failing_with: int | None = None
    asked: list[str] = field(default_factory=list)


@contextmanager
def a_vault(folder: Path) -> Iterator[Vault]:
    authority = trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if "Authorization" not in self.headers:
                challenge = 'Bearer authorization="https://login.example/tenant", resource="https://vault.example"'
                self._answer(401, {}, {"WWW-Authenticate": challenge})
                return
            path = urlsplit(self.path).path.strip("/").split("/")
            vault.asked.append("/".join(path))
            name = path[1]
            if vault.failing_with is not None:
                self._answer(vault.failing_with, {"error": {"code": "Failing", "message": "as asked"}})
            elif name not in vault.secrets:
                self._answer(404, {"error": {"code": "SecretNotFound", "message": f"{name} was not found"}})
            else:
                content = {
                    "value": vault.secrets[name],
                    "id": f"{vault.url}/secrets/{name}/0123456789abcdef",
                    "attributes": {"enabled": True, "created": 1, "updated": 1},
                }
                self._answer(200, content)

        def _answer(self, status: int, content: object, headers: dict[str, str] | None = None) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            for key, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://localhost:{server.server_port}"

    def client() -> SecretClient:
        return SecretClient(
            url, _Credential(), verify_challenge_resource=False, connection_verify=str(ca_file), **IMPATIENT
        )

    vault = Vault(url, client)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
