"""The token endpoint of function apps: a local server that answers as the documentation describes."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

CLIENT_ID = "11111111-1111-1111-1111-111111111111"
_HEADER = "known to the app only"


@dataclass
class Identity:
    """The tokens that it issues, and the requests that it received."""

    token: str = "token-1"
    good_for_seconds: int = 3600
    gives_none: bool = False
    asked_for: list[str] = field(default_factory=list)


@contextmanager
def an_identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[Identity]:
    identity = Identity()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = {name: value for name, (value,) in parse_qs(urlsplit(self.path).query).items()}
            identity.asked_for.append(asked["resource"])
            known = self.headers["X-IDENTITY-HEADER"] == _HEADER and asked["client_id"] == CLIENT_ID
            if identity.gives_none or not known:
                self._answer(400, {"statusCode": 400, "message": "No User Assigned Identity found"})
                return
            expires = int(time.time()) + identity.good_for_seconds
            token = {"access_token": identity.token, "expires_on": str(expires), "token_type": "Bearer"}
            self._answer(200, token | {"resource": asked["resource"], "client_id": CLIENT_ID})

        def _answer(self, status: int, content: Mapping[str, object]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{server.server_port}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", _HEADER)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT_ID)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "ManagedIdentityCredential")
    try:
        yield identity
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
