"""A container of Azure Blob Storage for tests: a local HTTPS server that answers as the REST API's documentation says.

Put Blob, Get Blob, Delete Blob and List Blobs, version 2021 and later: https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
"""

import hashlib
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import trustme
from azure.core.credentials import AccessToken

_TOKEN = "token of the app's identity"
_CONTAINER = "/lake/"


class Credential:
    """The app's identity."""

    def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        return AccessToken(_TOKEN, int(time.time()) + 3600)


@dataclass
class Container:
    """Its URL and blobs, and the status of its failure, if it fails."""

    url: str
    ca_file: Path
    blobs: dict[str, bytes] = field(default_factory=dict)
    failing_with: int | None = None


class _Server(ThreadingHTTPServer):
    container: Container


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if self._is_refused():
            return
        assert self.headers["x-ms-blob-type"] == "BlockBlob"
        self.server.container.blobs[self._name()] = content
        self._answer(201, b"", ETag=f'"{hashlib.sha256(content).hexdigest()}"')

    def do_DELETE(self) -> None:
        if self._is_refused():
            return
        if self.server.container.blobs.pop(self._name(), None) is None:
            self._fail(404, "BlobNotFound")
        else:
            self._answer(202, b"")

    def do_GET(self) -> None:
        if self._is_refused():
            return
        query = parse_qs(urlsplit(self.path).query)
        if query.get("comp") == ["list"]:
            self._list(query.get("marker", [""])[0])
            return
        content = self.server.container.blobs.get(self._name())
        if content is None:
            self._fail(404, "BlobNotFound")
            return
        # The SDK asks for the first 32 MB, then for the rest.
        last = len(content) - 1
        self._answer(206, content, **{"Content-Range": f"bytes 0-{last}/{len(content)}", "ETag": '"1"'})

    def _list(self, marker: str) -> None:
        """Answer with two names at most, and with the name to go on from."""
        names = [name for name in sorted(self.server.container.blobs) if name >= marker]
        listed = "".join(f"<Blob><Name>{name}</Name><Properties/></Blob>" for name in names[:2])
        following = names[2] if len(names) > 2 else ""
        text = f"<EnumerationResults><Blobs>{listed}</Blobs><NextMarker>{following}</NextMarker></EnumerationResults>"
        content = f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()
        self._answer(200, content, **{"Content-Type": "application/xml"})

    def _name(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix(_CONTAINER)

    def _is_refused(self) -> bool:
        if self.headers["Authorization"] != f"Bearer {_TOKEN}":
            self._fail(401, "NoAuthenticationInformation")
            return True
        if self.server.container.failing_with is not None:
            self._fail(self.server.container.failing_with, "ServerBusy")
            return True
        return False

    def _fail(self, status: int, code: str) -> None:
        text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>as asked</Message></Error>'
        self._answer(status, text.encode(), **{"x-ms-error-code": code, "Content-Type": "application/xml"})

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        defaults = {
            "Content-Length": str(len(body)),
            "x-ms-version": self.headers["x-ms-version"],
            "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT",
            "x-ms-blob-type": "BlockBlob",
        }
        for name, value in (defaults | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def a_container(folder: Path) -> Iterator[Container]:
    authority = trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    server = _Server(("127.0.0.1", 0), _Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    container = server.container = Container(f"https://127.0.0.1:{server.server_port}/lake", ca_file)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield container
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
