"""The app's answers to requests, byte by byte: one table, and one rule for each kind of answer.

By default the app runs on the local host. To test another one, deployed or under the real Functions host, with
the settings of ``SETTINGS``, no active run, and an admin secret::

    ANSWERS_URL=https://... ANSWERS_SECRET=... ANSWERS_MASTER_KEY=... pytest tests/end_to_end/test_http_answers.py
"""

import codecs
import gzip
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest

from tests.conftest import missing_server
from tests.end_to_end.app import BASE, BEHIND_TWO_PROXIES, MASTER_KEY, SECRET, running_app
from tests.end_to_end.wire import Answer, exchange

ORIGIN = "https://admin.example.org"
BODY_LIMIT = 131_072
SETTINGS = {
    **BEHIND_TWO_PROXIES,
    "CORS_ORIGINS": ORIGIN,
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": str(BODY_LIMIT),
    "AzureWebJobsDisableHomepage": "true",
    "AzureWebJobs.get_earlier_report.Disabled": "true",
}
TRIGGER = f"{BASE}/trigger-analysis"
STATUS = f"{BASE}/analysis-status"
RUNS = f"{BASE}/analysis-runs"
RUN = f"{RUNS}/run_20200101_000000_abcd"
CANCEL = f"{RUN}/cancel"
CONSOLE = "/api/admin/console"
HEALTH = "/api/health"
OPENAPI = "/api/openapi.json"
JSON, PROBLEM = "application/json", "application/problem+json"
SIGNED = b"X-Admin-Secret: {secret}"
KEYED = b"x-functions-key: {key}"
AS_JSON = b"Content-Type: application/json"
CHUNKED = b"Transfer-Encoding: chunked"
HEADERS_OF_EVERY_ANSWER = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-correlation-id": "[0-9a-f]{32}",
}


@dataclass(frozen=True)
class App:
    """An answer of one of the app's functions: status, patterns of headers, and the beginning of the content."""

    status: int
    headers: Mapping[str, str | None] = field(default_factory=dict)
    content: bytes = b""


@dataclass(frozen=True)
class Problem:
    """A problem document: the end of its type, and the member that it names."""

    status: int
    slug: str
    member: str | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Platform:
    """An answer of the platform, which is only a status."""

    status: int
    headers: Mapping[str, str | None] = field(default_factory=dict)


type Expected = App | Problem | Platform


@dataclass(frozen=True)
class Row:
    name: str
    request: bytes
    expected: Expected


def ask(target: str, *headers: bytes, method: str = "GET", body: bytes | None = None) -> bytes:
    """Return a request, with the length of its body unless the headers say that it is chunked."""
    length = [f"Content-Length: {len(body)}".encode()] if body is not None and CHUNKED not in headers else []
    lines = [f"{method} {target} HTTP/1.1".encode(), b"Host: {host}", b"Connection: close", *length, *headers, b""]
    return b"\r\n".join([*lines, body or b""])


def post(target: str, body: bytes | None, *headers: bytes) -> bytes:
    return ask(target, SIGNED, *headers, method="POST", body=body)


def trigger(body: bytes, *headers: bytes) -> bytes:
    return post(TRIGGER, body, *headers)


def head(*lines: bytes) -> bytes:
    return b"\r\n".join([*lines, b"", b""])


def in_chunks(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


UNAUTHORIZED = Problem(401, "unauthorized", headers={"www-authenticate": "Bearer"})
NO_RUN = Problem(404, "not-found")
PLAIN: dict[str, str | None] = {"content-encoding": None}
PACKED = {"content-encoding": "gzip"}
NO_CONTENT: dict[str, str | None] = {"content-length": None, "transfer-encoding": None}


def method_not_allowed(allowed: str) -> Problem:
    return Problem(405, "method-not-allowed", headers={"allow": allowed})


def invalid(member: str) -> Problem:
    return Problem(422, "invalid-member", member)


OPEN = [
    Row("health", ask(HEALTH), App(200, {"content-type": JSON, "cache-control": "no-store"}, b'{"status":"ok"')),
    Row("health by HTTP/1.0", b"GET /api/health HTTP/1.0\r\n\r\n", App(200, {}, b'{"status":"ok"')),
    Row("health by its full address", ask("{scheme}://{host}/api/health"), App(200, {}, b'{"status":"ok"')),
    Row("health with a body", ask(HEALTH, body=b"anything"), App(200)),
    Row("health with a chunked body", ask(HEALTH, CHUNKED, body=in_chunks(b"anything")), App(200)),
    Row("description", ask(OPENAPI), App(200, {"content-type": JSON, "cache-control": "no-cache"}, b'{"openapi":"3.1')),
    Row("description that may be compressed", ask(OPENAPI, b"Accept-Encoding: gzip"), App(200, PLAIN, b'{"openapi"')),
    Row("description known", ask(OPENAPI, b"If-None-Match: {openapi_etag}"), App(304, NO_CONTENT)),
    Row("description known weakly", ask(OPENAPI, b"If-None-Match: W/{openapi_etag}"), App(304, NO_CONTENT)),
    Row("description known among others", ask(OPENAPI, b'If-None-Match: "a", {openapi_etag}'), App(304, NO_CONTENT)),
    Row(
        "description known by a second header",
        ask(OPENAPI, b'If-None-Match: "a"', b"If-None-Match: {openapi_etag}"),
        App(304, NO_CONTENT),
    ),
    Row("root", ask("/api"), App(302, {"location": CONSOLE, "cache-control": "no-store"})),
    Row("root with a slash", ask("/api/"), App(302, {"location": CONSOLE})),
    Row("root by POST", ask("/api", method="POST", body=b"{}"), Problem(405, "method-not-allowed")),
    Row("any description known", ask(OPENAPI, b"If-None-Match: *"), App(304, NO_CONTENT)),
    Row("description changed", ask(OPENAPI, b'If-None-Match: "other"'), App(200, {}, b'{"openapi"')),
]
CONSOLE_FILES = [
    Row("page", ask(CONSOLE), App(200, PLAIN | {"content-type": "text/html; ?charset=utf-8"}, b"<!doctype html>")),
    Row("page compressed", ask(CONSOLE, b"Accept-Encoding: gzip"), App(200, PACKED, b"<!doctype html>")),
    Row("page known", ask(CONSOLE, b"If-None-Match: {page_etag}"), App(304, NO_CONTENT)),
    Row("script", ask("{script}"), App(200, PLAIN | {"cache-control": "public, max-age=31536000, immutable"})),
    Row("script compressed", ask("{script}", b"Accept-Encoding: br", b"Accept-Encoding: gzip"), App(200, PACKED)),
    Row("script known", ask("{script}", b"If-None-Match: *"), App(304, NO_CONTENT)),
    Row("style", ask("{style}"), App(200, PLAIN | {"content-type": "text/css; ?charset=utf-8"})),
    Row("style compressed", ask("{style}", b"Accept-Encoding: gzip, deflate"), App(200, PACKED)),
    Row("page as a file", ask(f"{CONSOLE}/index.html"), NO_RUN),
    Row("missing file", ask(f"{CONSOLE}/index.js"), NO_RUN),
    Row("file beside", ask(f"{CONSOLE}/..%2fpackage.json"), NO_RUN),
    Row("file beside, decoded by the platform", ask(f"{CONSOLE}/%2e%2e/package.json"), Platform(404)),
]
CREDENTIALS = [
    Row("none", ask(RUNS), UNAUTHORIZED),
    Row("none for a run", ask(TRIGGER, method="POST", body=b"{}"), UNAUTHORIZED),
    Row("none for a chunked body", ask(TRIGGER, CHUNKED, method="POST", body=in_chunks(b"{}")), UNAUTHORIZED),
    Row("empty", ask(RUNS, b"X-Admin-Secret:"), UNAUTHORIZED),
    Row("wrong", ask(RUNS, b"X-Admin-Secret: wrong"), UNAUTHORIZED),
    Row("twice", ask(RUNS, SIGNED, SIGNED), UNAUTHORIZED),
    Row("in UTF-8", ask(RUNS, "X-Admin-Secret: é".encode()), UNAUTHORIZED),
    Row("in Latin-1", ask(RUNS, b"X-Admin-Secret: \xe9"), Platform(400)),
    Row("in the query", ask(f"{RUNS}?X-Admin-Secret={{secret}}&code={{secret}}"), UNAUTHORIZED),
    Row("no token", ask(RUNS, b"Authorization: Bearer"), UNAUTHORIZED),
    Row("invalid token", ask(RUNS, b"Authorization: Bearer a.b.c"), UNAUTHORIZED),
    Row("of another scheme", ask(RUNS, b"Authorization: Basic YTpi"), UNAUTHORIZED),
    Row("with spaces around", ask(RUNS, b"X-Admin-Secret:  \t{secret} "), App(200, {}, b'{"runs":')),
    Row("header in capitals", ask(RUNS, b"X-ADMIN-SECRET: {secret}"), App(200, {}, b'{"runs":')),
]
METHODS = [
    *(
        Row(f"{method} for a route to read", ask(HEALTH, method=method, body=b""), method_not_allowed("GET"))
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
    ),
    Row("HEAD for a route to read", ask(HEALTH, method="HEAD"), App(405, {"allow": "GET", "content-length": None})),
    Row("GET for an action", ask(TRIGGER, SIGNED), method_not_allowed("POST")),
    Row("PUT for an action", ask(TRIGGER, SIGNED, method="PUT", body=b"{}"), method_not_allowed("POST")),
    Row(
        "preflight",
        ask(TRIGGER, f"Origin: {ORIGIN}".encode(), b"Access-Control-Request-Method: POST", method="OPTIONS"),
        App(
            204,
            {
                "access-control-allow-origin": re.escape(ORIGIN),
                "access-control-allow-methods": "POST",
                "access-control-allow-headers": ".*x-admin-secret.*",
                "vary": "Origin",
            }
            | NO_CONTENT,
        ),
    ),
    Row(
        "preflight of another origin",
        ask(TRIGGER, b"Origin: https://evil.example", b"Access-Control-Request-Method: POST", method="OPTIONS"),
        Problem(405, "method-not-allowed", headers={"access-control-allow-origin": None}),
    ),
    Row(
        "preflight of another header",
        ask(
            TRIGGER,
            f"Origin: {ORIGIN}".encode(),
            b"Access-Control-Request-Method: POST",
            b"Access-Control-Request-Headers: x-other",
            method="OPTIONS",
        ),
        Problem(405, "method-not-allowed", headers={"access-control-allow-methods": None}),
    ),
]
BODIES = [
    Row("in chunks", trigger(in_chunks(b'{"dry_', b'run": true}'), CHUNKED, AS_JSON), Problem(411, "length-required")),
    Row("in zero chunks", post(CANCEL, in_chunks(), CHUNKED), Problem(411, "length-required")),
    Row(
        "in chunks and with a length",
        post(TRIGGER, in_chunks(b"{}"), CHUNKED, b"Content-Length: 2"),
        Problem(411, "length-required"),
    ),
    Row("in malformed chunks", trigger(b"no length\r\n", CHUNKED), Problem(411, "length-required")),
    Row("of 64 KB", trigger(b" " * 65_535 + b"["), invalid("body")),
    Row("over 64 KB", trigger(b" " * 65_537), Problem(413, "body-too-large")),
    Row("at the platform's limit", trigger(b" " * BODY_LIMIT), Problem(413, "body-too-large")),
    Row("not JSON", trigger(b"{"), invalid("body")),
    Row("of another kind", trigger(b"[1]"), invalid("body")),
    Row("a form", trigger(b"dry_run=true", b"Content-Type: application/x-www-form-urlencoded"), invalid("body")),
    Row(
        "of several parts",
        trigger(
            b'--x\r\nContent-Disposition: form-data; name="dry_run"\r\n\r\ntrue\r\n--x--\r\n',
            b"Content-Type: multipart/form-data; boundary=x",
        ),
        invalid("body"),
    ),
    Row(
        "compressed", trigger(gzip.compress(b'{"dry_run": true}'), b"Content-Encoding: gzip", AS_JSON), invalid("body")
    ),
    Row("in UTF-16", trigger('{"dry_run": true}'.encode("utf-16"), AS_JSON), invalid("body")),
    Row("in Latin-1", trigger('{"user_ids": ["café"]}'.encode("latin-1"), AS_JSON), invalid("user_ids[0]")),
    Row("not UTF-8", trigger(b'{"user_ids": ["a", "\xff\xfe"]}', AS_JSON), invalid("user_ids[1]")),
    Row("with a byte order mark", trigger(codecs.BOM_UTF8 + b'{"everything": 1}', AS_JSON), invalid("everything")),
    Row("with an unknown member", trigger(b'{"everything": 1}'), invalid("everything")),
    Row("with a member of another kind", trigger(b'{"dry_run": "yes"}'), invalid("dry_run")),
    Row("with an invalid id", trigger(b'{"user_ids": ["ok", "not/ok"]}'), invalid("user_ids[1]")),
    Row("with an unknown member of text", trigger(b'"\\ud800"'), invalid("body")),
    Row("with an invalid key", trigger(b"{}", "Idempotency-Key: é".encode()), invalid("Idempotency-Key")),
    Row("announced with Expect", post(CANCEL, b"{}", b"Expect: 100-continue"), NO_RUN),
    Row("of length 0", post(CANCEL, b""), NO_RUN),
    Row("none", post(CANCEL, None), NO_RUN),
]
QUERIES = [
    Row("none", ask(RUNS, SIGNED), App(200, {"content-type": JSON}, b'{"runs":')),
    Row("empty", ask(f"{RUNS}?", SIGNED), App(200)),
    Row("empty value", ask(f"{RUNS}?limit=&before=", SIGNED), App(200)),
    Row("no value", ask(f"{RUNS}?limit", SIGNED), App(200)),
    Row("encoded", ask(f"{RUNS}?%6cimit=%31", SIGNED), App(200)),
    Row("repeated", ask(f"{RUNS}?limit=1&limit=2", SIGNED), invalid("limit")),
    Row("repeated in another case", ask(f"{RUNS}?limit=1&LIMIT=2", SIGNED), invalid("limit")),
    Row("out of range", ask(f"{RUNS}?limit=0", SIGNED), invalid("limit")),
    Row("unknown", ask(f"{RUNS}?offset=3", SIGNED), invalid("offset")),
    Row("not UTF-8", ask(f"{RUNS}?before=%FF", SIGNED), invalid("before")),
    Row("null", ask(f"{RUNS}?before=%00", SIGNED), invalid("before")),
]
PATHS = [
    Row("in capitals", ask("/API/Health"), App(200)),
    Row("with a slash at the end", ask("/api/health/"), App(200)),
    Row("encoded", ask("/%61pi/%68ealth"), App(200)),
    Row("with a dot", ask("/api/./health"), App(200)),
    Row("with an encoded dot", ask("/api/%2e/health"), App(200)),
    Row("with dots", ask("/api/x/../health"), App(200)),
    Row("with encoded dots", ask("/api/x/%2e%2E/health"), App(200)),
    Row("with dots beyond the root", ask("/../../api/health"), App(200)),
    Row("with a dot at the end", ask(f"{RUN}/portfolios/.", SIGNED), NO_RUN),
    Row("with two slashes at the beginning", ask("//api/health"), Platform(404)),
    Row("with two slashes within", ask("/api//health"), Platform(404)),
    Row("with two slashes at the end", ask("/api/health//"), Platform(404)),
    Row("with an encoded slash", ask("/api%2Fhealth"), Platform(404)),
    Row("with an encoded slash at the end", ask("/api/health%2F"), Platform(404)),
    Row("with an encoded blank", ask("/api/health%20"), Platform(404)),
    Row("with an encoded null", ask(f"{STATUS}/%00", SIGNED), Platform(400)),
    Row("with a null", ask(f"{STATUS}/\0", SIGNED), Platform(400)),
    Row("with a byte above 127", ask(f"{STATUS}/é", SIGNED), Platform(400)),
    Row("with an encoded letter", ask(f"{STATUS}/%C3%A9", SIGNED), Problem(400, "malformed-id")),
    Row("with invalid UTF-8", ask(f"{STATUS}/%FF", SIGNED), Problem(400, "malformed-id")),
    Row("with an encoded path traversal", ask(f"{STATUS}/..%2f..%2fetc", SIGNED), Problem(400, "malformed-id")),
    Row("of an unknown run", ask(f"{STATUS}/run_20200101_000000_abcd", SIGNED), NO_RUN),
    Row("of a disabled function", ask(f"{RUN}/portfolios/someone/earlier", SIGNED), Platform(404)),
    Row("that does not exist", ask("/api/unknown", SIGNED), Platform(404)),
    Row("that is a prefix of others", ask("/api/admin"), Platform(404)),
    Row("of an icon", ask("/favicon.ico"), Platform(404)),
]
LIMITS = [
    Row("body over the limit", trigger(b" " * (BODY_LIMIT + 1)), Platform(500, {"connection": "close"})),
    Row(
        "body over the limit, announced",
        ask(HEALTH, f"Content-Length: {10 * BODY_LIMIT}".encode(), method="POST"),
        Platform(500, {"connection": "close"}),
    ),
    Row("body over the limit in chunks", ask(HEALTH, CHUNKED, body=in_chunks(b" " * 140_000)), App(200)),
    Row("header of 40 KB", ask(HEALTH, b"X-Long: " + b"a" * 40_000), Platform(431)),
    Row("150 headers", ask(HEALTH, *[b"X-Many: a"] * 150), Platform(431)),
    Row("header of 30 KB", ask(HEALTH, b"X-Long: " + b"a" * 30_000), App(200)),
    Row("address of 9 KB", ask(f"{HEALTH}?{'a' * 9_000}"), Platform(414)),
    Row("address of 7 KB", ask(f"{HEALTH}?{'a' * 7_000}"), App(200)),
]
MALFORMED = [
    Row("no host", head(b"GET /api/health HTTP/1.1"), Platform(400)),
    Row("two hosts", head(b"GET /api/health HTTP/1.1", b"Host: {host}", b"Host: {host}"), Platform(400)),
    Row("invalid host", head(b"GET /api/health HTTP/1.1", b"Host: a b"), Platform(400)),
    Row("address of another host", ask("http://other.example/api/health"), Platform(400)),
    Row("two lengths", ask(HEALTH, b"Content-Length: 0", b"Content-Length: 0"), Platform(400)),
    Row("invalid length", ask(HEALTH, b"Content-Length: x"), Platform(400)),
    Row("unknown transfer coding", ask(HEALTH, b"Transfer-Encoding: gzip"), Platform(400)),
    Row("folded header", ask(HEALTH, b"X-Folded: a", b" b"), Platform(400)),
    Row("blank in a header's name", ask(HEALTH, b"X-Blank : a"), Platform(400)),
    Row("null in a header", ask(HEALTH, b"X-Null: a\0b"), Platform(400)),
    Row("unknown version", head(b"GET /api/health HTTP/2.0", b"Host: {host}"), Platform(505)),
    Row("no version", head(b"GET /api/health"), Platform(400)),
    Row("POST by HTTP/1.0 without a length", b"POST /api/health HTTP/1.0\r\n\r\n", Platform(400)),
    Row("all of the server, read", ask("*"), Platform(405, {"allow": "OPTIONS"})),
    Row("all of the server", ask("*", method="OPTIONS"), Platform(404)),
]
OF_THE_PLATFORM = [
    Row("home page", ask("/"), Platform(204, NO_CONTENT)),
    Row("home page by POST", ask("/", method="POST", body=b"{}"), Platform(204, NO_CONTENT)),
    Row("sign of life", ask("/admin/host/ping"), Platform(200, {"cache-control": "no-store, ?no-cache"})),
    Row("state without a key", ask("/admin/host/status"), Platform(401)),
    Row("functions without a key", ask("/admin/functions"), Platform(401)),
    Row("state by dots", ask("/api/../admin/host/status"), Platform(401)),
    Row("the admin secret as a key", ask("/admin/functions", b"x-functions-key: {secret}"), Platform(401)),
    Row(
        "firing without a key",
        ask("/admin/functions/watchdog", AS_JSON, method="POST", body=b'{"input": ""}'),
        Platform(401),
    ),
    Row(
        "firing an unknown function",
        ask("/admin/functions/no_such", KEYED, AS_JSON, method="POST", body=b'{"input": ""}'),
        Platform(404),
    ),
    Row("firing without JSON", ask("/admin/functions/watchdog", KEYED, method="POST", body=b"{}"), Platform(415)),
    Row(
        "firing with broken JSON",
        ask("/admin/functions/watchdog", KEYED, AS_JSON, method="POST", body=b"{"),
        Platform(400),
    ),
    Row(
        "firing an HTTP function",
        ask("/admin/functions/health", KEYED, AS_JSON, method="POST", body=b'{"input": ""}'),
        Platform(202),
    ),
    Row("engine without a key", ask("/runtime/webhooks/durabletask/instances"), Platform(401)),
    Row("engine without a key, bare", ask("/runtime/webhooks/durabletask", method="POST", body=b""), Platform(401)),
    Row("no webhook", ask("/runtime/webhooks"), Platform(404)),
]
_ELSEWHERE = os.environ.get("ANSWERS_URL")
STALLED = [
    Row("body", ask(TRIGGER, SIGNED, b"Content-Length: 5", method="POST") + b"{", Platform(500)),
    # This takes half a minute: for the local host tests/devhost/test_slow_clients.py tests it with shorter timeouts.
    *([Row("head", b"GET /api/health HTTP/1.1\r\nX-Slow: ", Platform(408))] if _ELSEWHERE else []),
]
TABLE = {
    "open to everybody": OPEN,
    "console": CONSOLE_FILES,
    "credential": CREDENTIALS,
    "method": METHODS,
    "body": BODIES,
    "query": QUERIES,
    "path": PATHS,
    "limit": LIMITS,
    "malformed": MALFORMED,
    "platform": OF_THE_PLATFORM,
    "stalled": STALLED,
}


@dataclass(frozen=True)
class Target:
    """The address of an app, and the values of the placeholders in requests to it."""

    url: str
    known: dict[str, str]

    def written(self, request: bytes) -> bytes:
        for name, value in self.known.items():
            request = request.replace(f"{{{name}}}".encode(), value.encode())
        return request

    def send(self, request: bytes) -> Answer:
        return exchange(self.url, self.written(request))

    def runs(self) -> bytes:
        return self.send(ask(RUNS, SIGNED)).content


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    if _ELSEWHERE:
        yield a_target(_ELSEWHERE, os.environ["ANSWERS_SECRET"], os.environ["ANSWERS_MASTER_KEY"])
        return
    with running_app(tmp_path_factory.mktemp("app"), **SETTINGS) as app:
        yield a_target(str(app.client.base_url), SECRET, MASTER_KEY)


def a_target(url: str, secret: str, key: str) -> Target:
    parts = urlsplit(url)
    known = {"scheme": parts.scheme, "host": parts.netloc, "secret": secret, "key": key}
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        known["openapi_etag"] = client.get(OPENAPI).headers["ETag"]
        page = client.get(CONSOLE)
    if page.status_code == 200:
        known["page_etag"] = page.headers["ETag"]
        for name, start, suffix in (("script", "src", "js"), ("style", "href", "css")):
            (known[name],) = set(re.findall(rf'{start}="({CONSOLE}/[^"]+\.{suffix})"', page.text))
    return Target(url, known)


ROWS = [(f"{kind}: {row.name}", row) for kind, rows in TABLE.items() for row in rows]


@pytest.mark.parametrize(
    ("number", "row"), [pytest.param(number, row, id=name) for number, (name, row) in enumerate(ROWS)]
)
def test_a_request_gets_its_answer(target: Target, number: int, row: Row) -> None:
    if row in CONSOLE_FILES and "page_etag" not in target.known:
        missing_server("the admin console is not built: make console")
    # Each has its own client address, otherwise the later ones would be throttled after failed sign-ins.
    client = f"X-Forwarded-For: 198.51.100.{number}"
    answer = target.send(row.request.replace(b"Connection: close", b"Connection: close\r\n" + client.encode(), 1))
    assert answer.status == row.expected.status, (answer, row.request[:200])
    for name, pattern in row.expected.headers.items():
        value = answer.header(name)
        assert value is None if pattern is None else value and re.fullmatch(pattern, value), (name, value)
    match row.expected:
        case Platform():
            assert_of_the_platform(answer)
        case Problem(slug=slug, member=member):
            assert_of_the_app(answer, row.request)
            assert_problem(answer, slug, member)
        case App(content=content):
            assert_of_the_app(answer, row.request)
            packed = answer.header("content-encoding") == "gzip"
            assert (gzip.decompress(answer.content) if packed else answer.content).startswith(content)


def assert_of_the_platform(answer: Answer) -> None:
    assert answer.content == b""
    assert answer.header("content-length") == (None if answer.status == 204 else "0")
    assert not {"transfer-encoding", "content-type", "x-correlation-id"} & set(answer.headers)


def assert_of_the_app(answer: Answer, request: bytes) -> None:
    """Check the headers of a function's answer, and that content is chunked if the client supports it."""
    for name, pattern in HEADERS_OF_EVERY_ANSWER.items():
        assert re.fullmatch(pattern, answer.header(name) or ""), name
    assert re.match("default-src 'none'; ", answer.header("content-security-policy") or "")
    is_framed = answer.status not in (204, 304) and not request.startswith(b"HEAD ") and b" HTTP/1.1\r\n" in request
    assert answer.header("transfer-encoding") == ("chunked" if is_framed else None)
    assert answer.header("content-length") is None
    assert not {"server", "x-powered-by", "set-cookie"} & set(answer.headers)


def assert_problem(answer: Answer, slug: str, member: str | None) -> None:
    assert answer.header("content-type") == PROBLEM
    document = json.loads(answer.content)
    assert document["type"] == f"urn:portfolio-analysis:problem:{slug}"
    assert (document["status"], document.get("member")) == (answer.status, member)
    assert document["title"]
    assert document["detail"].endswith(".")


def test_nothing_in_the_table_starts_a_run(target: Target) -> None:
    before = target.runs()
    for row in (*BODIES, *LIMITS):
        target.send(row.request)
    assert target.runs() == before
    if not _ELSEWHERE:
        assert json.loads(before) == {"runs": [], "next": None}


def test_the_table_has_the_promised_number_of_requests() -> None:
    assert 74 < len(ROWS) == len({row.request for _, row in ROWS}) < 255
