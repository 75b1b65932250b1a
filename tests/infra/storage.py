"""A storage account for tests: it returns empty lists for the services with a role, and refuses access to others."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Storage:
    """The addresses of its services, and the services with a role."""

    url: str
    allowed: set[str] = field(default_factory=lambda: {"blob", "queue", "table"})
    asked: list[str] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        return {f"AzureWebJobsStorage__{name}ServiceUri": f"{self.url}/{name}/" for name in ("blob", "queue", "table")}


@contextmanager
def a_storage_account() -> Iterator[Storage]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, service, question = self.path.split("/", 2)
            storage.asked.append(f"GET {service} {question}")
            if not (self.headers["Authorization"] or "").startswith("Bearer ") or not self.headers["x-ms-version"]:
                self._answer(401, {})
            elif service not in storage.allowed:
                self._answer(403, {"error": {"code": "AuthorizationPermissionMismatch"}})
            else:
                self._answer(200, {"value": []})

        def _answer(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    storage = Storage(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield storage
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
