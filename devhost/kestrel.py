"""The processing of a request by Kestrel, the web server of the Functions host, before any code of Azure.

As in ASP.NET Core: HttpParser.cs and Http1Connection.cs (request line, headers, forms of the target),
Http1MessageBody.cs (framing), KestrelServerLimits.cs and KestrelBadHttpRequestException.cs (limits and their statuses),
PathNormalizer.cs and UrlDecoder.cs (paths), QueryFeature.cs (queries). A refused request is answered with a status, no
content, and the end of the connection.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import override
from urllib.parse import quote, urlsplit

import h11

MAX_REQUEST_LINE = 8 * 1024
MAX_HEADERS_TOTAL = 32 * 1024
MAX_HEADER_COUNT = 100
_MAX_INCOMPLETE = 2 * (MAX_REQUEST_LINE + MAX_HEADERS_TOTAL)  # never reached: the limits above decide
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0")
_ABSOLUTE = re.compile(rb"https?://", re.IGNORECASE)
_TARGET = re.compile(rb"[\x01-\x7f]+")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+,;=]*)(:[0-9]*)?")
_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2})+")
_SEGMENT_SIGNS = "/!$&'()*+,;=:@~"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HEAD_FRAMING = b"Transfer-Encoding: chunked\r\n"


class Refused(Exception):
    """A request that is answered with an error status."""

    def __init__(self, status: HTTPStatus, allow: bytes = b"") -> None:
        super().__init__(f"the request is answered {status.value}")
        self.status = status
        self.allow = allow


_BAD = HTTPStatus.BAD_REQUEST


class KestrelConnection(h11.Connection):
    """A connection that refuses, in addition to h11, the requests that Kestrel refuses, with the same status."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, _MAX_INCOMPLETE)
        self.refused = Refused(_BAD)
        self._is_head = False

    @override
    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        if self.their_state is h11.IDLE:
            try:
                check_head(self.trailing_data[0])
            except Refused as refused:
                self.refused = refused
                raise h11.RemoteProtocolError(str(refused)) from refused
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._is_head = event.method == b"HEAD"
        return event

    @override
    def send(self, event: h11.Event) -> bytes | None:  # type: ignore[override] # overloads there
        """Return the bytes to write; h11 frames an answer to HEAD as one to GET, Kestrel does not."""
        written = super().send(event)
        return written.replace(_HEAD_FRAMING, b"", 1) if self._is_head and written else written


def check_head(data: bytes) -> None:
    """Check the received part of a request's head.

    Raises:
        Refused: Kestrel would refuse it, whatever follows.
    """
    end = data.find(b"\n", 0, MAX_REQUEST_LINE)
    if end < 0:
        if len(data) >= MAX_REQUEST_LINE:
            raise Refused(HTTPStatus.REQUEST_URI_TOO_LONG)
        return
    method, target, version = _request_line(data[: end + 1])
    headers, complete = _headers(data[end + 1 :])
    if complete:
        _check_host(target, version, [value for name, value in headers if name == b"host"])
        _check_framing(method, version, headers)


def _request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    parts = line.removesuffix(b"\n").removesuffix(b"\r").split(b" ")
    if len(parts) != 3 or not all(parts) or parts[1][:1] in (b"?", b"%"):  # noqa: PLR2004 - method, target, version
        raise Refused(_BAD)
    method, target, version = parts
    if version not in _VERSIONS:
        raise Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED if line.endswith(b"\r\n") else _BAD)
    if not _TARGET.fullmatch(target):
        raise Refused(_BAD)
    if target.startswith(b"/"):
        path_of(target)
    elif target == b"*":
        if method != b"OPTIONS":
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, b"OPTIONS")
    elif not _ABSOLUTE.match(target) and method != b"CONNECT":
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, b"CONNECT")
    return method, target, version


def _headers(data: bytes) -> tuple[list[tuple[bytes, bytes]], bool]:
    """Return the headers whose lines are complete, and whether these are all."""
    headers: list[tuple[bytes, bytes]] = []
    allowed = data[: MAX_HEADERS_TOTAL + len(b"\r\n")]
    *lines, rest = allowed.split(b"\n")
    for line in lines:
        if line in (b"", b"\r"):
            return headers, True
        headers.append(_header(line.removesuffix(b"\r")))
        if len(headers) > MAX_HEADER_COUNT:
            raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    if rest.startswith(b"\r") and rest != b"\r":
        raise Refused(_BAD)
    if len(data) > len(allowed):
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    return headers, False


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not name or b"\r" in line or b"\0" in line or re.search(rb"[ \t]", name) or not name.isascii():
        raise Refused(_BAD)
    try:
        value.decode()
    except UnicodeDecodeError:
        raise Refused(_BAD) from None
    return name.lower(), value.strip(b" \t")


def _check_host(target: bytes, version: bytes, hosts: list[bytes]) -> None:
    if not hosts and version == b"HTTP/1.0":
        return
    if len(hosts) != 1 or not _HOST.fullmatch(host := hosts[0].decode()):
        raise Refused(_BAD)
    if _ABSOLUTE.match(target):
        if host.lower() not in _authorities(target.decode()):
            raise Refused(_BAD)
    elif target[:1] not in (b"/", b"*") and host != target.decode():
        raise Refused(_BAD)


def _authorities(target: str) -> tuple[str, ...]:
    """Return the forms in which a Host header may give the authority of an absolute target."""
    try:
        parts = urlsplit(target)
        name, port, default = (parts.hostname or ""), parts.port, _DEFAULT_PORTS[parts.scheme]
    except ValueError:
        raise Refused(_BAD) from None
    name = f"[{name}]" if ":" in name else name
    return (name, f"{name}:{default}") if port in (None, default) else (f"{name}:{port}",)


def _check_framing(method: bytes, version: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    lengths = [value for name, value in headers if name == b"content-length"]
    if len(lengths) > 1 or not all(length.isdigit() for length in lengths):
        raise Refused(_BAD)
    codings = b",".join(value for name, value in headers if name == b"transfer-encoding")
    if codings:
        if codings.rpartition(b",")[2].strip().lower() != b"chunked":
            raise Refused(_BAD)
    elif not lengths and version == b"HTTP/1.0" and method in (b"POST", b"PUT"):
        raise Refused(_BAD)


def path_of(target: bytes) -> str:
    """Return the path of a target: decoded except for ``%2F``, then without dot segments; empty for ``*``.

    Raises:
        Refused: it contains a null character.
    """
    if _ABSOLUTE.match(target):
        target = b"/" + target.split(b"/", 3)[3] if target.count(b"/") > 2 else b"/"  # noqa: PLR2004 - those before the path
    if not target.startswith(b"/"):
        return ""
    path = decoded(target.partition(b"?")[0], keep=b"/")
    if "\0" in path:
        raise Refused(_BAD)
    return _without_dot_segments(path)


def decoded(text: bytes, keep: bytes = b"") -> str:
    """Return the text without percent encoding, except invalid UTF-8 and the characters to ``keep``."""
    return _ESCAPES.sub(lambda run: _decoded_run(run[0], keep), text).decode()


def _decoded_run(run: bytes, keep: bytes) -> bytes:
    escapes = [run[start : start + 3] for start in range(0, len(run), 3)]
    result = bytearray()
    while escapes:
        width = next((width for width in range(1, 5) if _character(escapes[:width], keep)), 0)
        result += _character(escapes[:width], keep) if width else escapes[0]
        del escapes[: width or 1]
    return bytes(result)


def _character(escapes: list[bytes], keep: bytes) -> bytes:
    """Return the one character of these escapes, or nothing."""
    character = bytes(int(escape[1:], 16) for escape in escapes)
    try:
        return character if len(character.decode()) == 1 and character not in (bytes([kept]) for kept in keep) else b""
    except UnicodeDecodeError:
        return b""


def _without_dot_segments(path: str) -> str:
    """Return the path without dot segments, by RFC 3986, 5.2.4."""
    segments: list[str] = []
    given = path.split("/")[1:]
    for segment in given:
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    if given[-1] in (".", ".."):
        segments.append("")
    return "/" + "/".join(segments)


def encoded(path: str) -> str:
    """Return the path with percent encoding, as in PathString.cs: existing encoding stays."""
    return re.sub("%(?![0-9A-Fa-f]{2})", "%25", quote(path, safe=f"{_SEGMENT_SIGNS}%"))


def query_of(query: bytes) -> dict[str, str]:
    """Return the parameters: repeated ones joined, names case-insensitive, spelled as the first."""
    values: dict[str, list[str]] = {}
    spelling: dict[str, str] = {}
    for pair in filter(None, query.split(b"&")):
        name, value = (decoded(part.replace(b"+", b" ")) for part in pair.partition(b"=")[::2])
        values.setdefault(spelling.setdefault(name.lower(), name), []).append(value)
    return {name: ",".join(several) for name, several in values.items()}


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers in UTF-8, names in lower case, repeated ones joined.

    A length beside a transfer coding does not apply to the body: it is moved to ``x-content-length``.
    """
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name.decode("ascii").lower(), []).append(value.decode())
    headers = {name: ",".join(several) for name, several in values.items()}
    if "transfer-encoding" in headers and "content-length" in headers:
        headers["x-content-length"] = headers.pop("content-length")
    return headers
