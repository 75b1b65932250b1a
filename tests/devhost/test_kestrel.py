"""Requests that are refused before any code of Azure, and the processing of paths, as in Kestrel's sources."""

import pytest

from devhost.kestrel import (
    MAX_HEADER_COUNT,
    MAX_HEADERS_TOTAL,
    MAX_REQUEST_LINE,
    Refused,
    check_head,
    encoded,
    headers_of,
    path_of,
    query_of,
)

HOST = b"Host: x\r\n"


def refusal(head: bytes) -> tuple[int, bytes] | None:
    """Return the status and the Allow of a refusal."""
    try:
        check_head(head)
    except Refused as refused:
        return refused.status.value, refused.allow
    return None


def get(target: bytes, *, version: bytes = b"HTTP/1.1", host: bytes = HOST) -> bytes:
    return b"GET " + target + b" " + version + b"\r\n" + host + b"\r\n"


def with_headers(*lines: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([method + b" / " + version, b"Host: x", *lines, b"", b""])


@pytest.mark.parametrize(
    "head",
    [
        get(b"/"),
        get(b"/a?b=%00"),
        get(b"/", version=b"HTTP/1.0", host=b""),
        get(b"http://x/a"),
        get(b"http://x:80/a"),
        get(b"http://X/a", host=b"Host: x:80\r\n"),
        get(b"/", host=b"Host: [::1]:80\r\n"),
        get(b"/", host=b"Host:\r\n"),
        b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
        b"BREW / HTTP/1.1\nHost: x\n\n",
        with_headers("X-Name: Zoë".encode()),
        with_headers(b"Content-Length: 0"),
        with_headers(b"Transfer-Encoding: Chunked", b"Content-Length: 5"),
        with_headers(method=b"POST"),
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: x\r\nX-Unfinished",
    ],
)
def test_a_head_that_is_valid_so_far_is_not_refused(head: bytes) -> None:
    assert refusal(head) is None


@pytest.mark.parametrize(
    "head",
    [
        b"GET\r\n",
        b"GET / \r\n",
        b"GET  / HTTP/1.1\r\n",
        b"GET /a b HTTP/1.1\r\n",
        b"GET % HTTP/1.1\r\n",
        b"GET ?a HTTP/1.1\r\n",
        b"GET / HTTP/9.9\n",
        "GET /ü HTTP/1.1\r\n".encode(),
        get(b"/a/%00"),
        get(b"/%2e%00"),
        get(b"/", host=b""),
        get(b"/", host=HOST + HOST),
        get(b"/", host=b"Host: a b\r\n"),
        get(b"/", host=b"Host: x/y\r\n"),
        get(b"/", host=b"Host: x:80:80\r\n"),
        get(b"http://other/"),
        get(b"http://x:8080/"),
        get(b"https://x:80/"),
        b"CONNECT x:443 HTTP/1.1\r\n" + HOST + b"\r\n",
        with_headers(b"X-Name: \xe9"),
        with_headers(b"X-\xc3\xa9: a"),
        with_headers(b"X-Name: a\0b"),
        with_headers(b"X-Name: a\rb"),
        with_headers(b"X Name: a"),
        with_headers(b"X-Name : a"),
        with_headers(b"X-Name: a", b" folded"),
        with_headers(b": a"),
        with_headers(b"no colon"),
        b"GET / HTTP/1.1\r\nHost: x\r\n\rX",
        with_headers(b"Content-Length: 1", b"Content-Length: 1"),
        with_headers(b"Content-Length: 1, 1"),
        with_headers(b"Content-Length: -1"),
        with_headers(b"Content-Length: +1"),
        with_headers(b"Content-Length:"),
        with_headers(b"Transfer-Encoding: gzip"),
        with_headers(b"Transfer-Encoding: chunked, gzip"),
        with_headers(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
        with_headers(method=b"POST", version=b"HTTP/1.0"),
    ],
)
def test_a_malformed_or_ambiguous_head_is_a_400(head: bytes) -> None:
    assert refusal(head) == (400, b"")


def test_an_unknown_version_is_a_505() -> None:
    assert refusal(get(b"/", version=b"HTTP/2.0")) == (505, b"")
    assert refusal(get(b"/", version=b"TEAPOT")) == (505, b"")


def test_a_target_for_another_method_is_a_405_that_names_the_method() -> None:
    assert refusal(get(b"*")) == (405, b"OPTIONS")
    assert refusal(get(b"x:443")) == (405, b"CONNECT")


def test_a_request_line_may_be_8_kilobytes_long_and_no_longer() -> None:
    longest = MAX_REQUEST_LINE - len(b"GET / HTTP/1.1\r\n")
    assert refusal(get(b"/" + b"a" * longest)) is None
    assert refusal(get(b"/" + b"a" * (longest + 1))) == (414, b"")
    assert refusal(b"a" * (MAX_REQUEST_LINE - 1)) is None
    assert refusal(b"a" * MAX_REQUEST_LINE) == (414, b""), "even before its end has arrived"


def test_headers_may_be_32_kilobytes_long_together_and_no_longer() -> None:
    line = b"GET / HTTP/1.1\r\n"
    longest = HOST + b"X: " + b"a" * (MAX_HEADERS_TOTAL - len(HOST) - len(b"X: \r\n"))
    assert len(longest + b"\r\n") == MAX_HEADERS_TOTAL
    assert refusal(line + longest + b"\r\n\r\n") is None
    assert refusal(line + longest + b"\r\n\r\nbody") is None
    assert refusal(line + longest + b"a\r\n\r\n") == (431, b"")
    assert refusal(line + longest + b"aaaaa") == (431, b""), "even before their end has arrived"


def test_there_may_be_100_headers_and_no_more() -> None:
    others = [b"X: y"] * (MAX_HEADER_COUNT - 1)
    assert refusal(with_headers(*others)) is None
    assert refusal(with_headers(*others, b"X: y")) == (431, b"")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/", "/"),
        (b"/a/./b", "/a/b"),
        (b"/a/../b", "/b"),
        (b"/a/%2e%2E/b", "/b"),
        (b"/a/.%2e/b/%2E", "/b/"),
        (b"/../../a", "/a"),
        (b"/a/..", "/"),
        (b"/a/.", "/a/"),
        (b"//a", "//a"),
        (b"/a//../b", "/a/b"),
        (b"/...", "/..."),
        (b"/a%2Fb", "/a%2Fb"),
        (b"/a%2f..%2Fb", "/a%2f..%2Fb"),
        (b"/a%20b", "/a b"),
        (b"/a+b", "/a+b"),
        (b"/%C3%BC%E2%82%AC%F0%9F%98%80", "/ü€😀"),
        (b"/%FF", "/%FF"),
        (b"/%C3", "/%C3"),
        (b"/%C3%28", "/%C3("),
        (b"/%C0%AF", "/%C0%AF"),
        (b"/%ED%A0%80", "/%ED%A0%80"),
        (b"/%41%zz%", "/A%zz%"),
        (b"/%2541", "/%41"),
        (b"/a?b=/../c", "/a"),
        (b"http://x", "/"),
        (b"http://x/a/../b?c", "/b"),
        (b"*", ""),
    ],
)
def test_a_path_is_decoded_once_and_then_without_dot_segments(target: bytes, path: str) -> None:
    assert path_of(target) == path


@pytest.mark.parametrize(
    ("path", "spelled"),
    [("/a b", "/a%20b"), ("/ü", "/%C3%BC"), ("/a%2Fb", "/a%2Fb"), ("/%zz", "/%25zz"), ("/a:b@c;d,e", "/a:b@c;d,e")],
)
def test_a_path_is_passed_on_with_its_encoding(path: str, spelled: str) -> None:
    assert encoded(path) == spelled


def test_a_query_keeps_empty_and_nameless_values() -> None:
    assert query_of(b"a=&b&=c&&d=1=2&%61=x") == {"a": ",x", "b": "", "": "c", "d": "1=2"}


def test_headers_are_joined_by_name_and_empty_ones_kept() -> None:
    assert headers_of([(b"X-A", b"1"), (b"x-a", b"2"), (b"X-B", b"")]) == {"x-a": "1,2", "x-b": ""}
