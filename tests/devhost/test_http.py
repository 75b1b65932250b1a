import json
from collections.abc import Iterator

import pytest

from tests.devhost.harness import Host, eventually, exchange, running_host


def test_a_function_sees_every_part_of_the_request(host: Host) -> None:
    answer = host.client.post(
        "/echo/a%20b/c%2Fd?x=1&x=2&empty=&y=%C3%BC",
        headers=[("X-Several", "1"), ("X-Several", "2")],
        content=b"\x00body",
    )
    seen = answer.json()
    assert seen["method"] == "POST"
    assert seen["url"] == f"{host.client.base_url}/echo/a%20b/c%2Fd?x=1&x=2&empty=&y=%C3%BC"
    assert seen["route_params"] == {"first": "a b", "second": "c%2Fd"}
    assert seen["params"] == {"x": "1,2", "y": "ü"}, "as in the host: joined, without empty ones"
    assert seen["headers"]["x-several"] == "1,2"
    assert bytes.fromhex(seen["body"]) == b"\x00body"


@pytest.mark.parametrize("claimed", [None, "192.0.2.1", "192.0.2.1, 192.0.2.2:80"])
def test_the_address_of_the_client_is_appended_to_the_forwarded_ones(host: Host, claimed: str | None) -> None:
    headers = {} if claimed is None else {"X-Forwarded-For": claimed}
    seen = host.client.get("/echo/a/b", headers=headers).json()["headers"]["x-forwarded-for"]
    *before, peer = seen.split(", ")
    assert ", ".join(before) == (claimed or "")
    assert peer.startswith("127.0.0.1:")


def test_a_body_without_a_length_never_reaches_a_function(host: Host) -> None:
    seen = host.client.put("/echo/a/b", content=iter([b"in ", b"chunks"])).json()
    assert seen["body"] == ""
    assert seen["headers"]["transfer-encoding"] == "chunked"
    assert host.client.get("/text").status_code == 200, "the connection can be used again"


def test_a_length_beside_a_transfer_coding_is_ignored_and_ends_the_connection(host: Host) -> None:
    chunked = b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    head, body = exchange(host, b"PUT /echo/a/b HTTP/1.1\r\nHost: x\r\n" + chunked)
    assert "connection: close" in head
    seen = json.loads(body.split(b"\r\n")[1])
    assert (seen["body"], seen["headers"]["x-content-length"]) == ("", "3")
    assert "content-length" not in seen["headers"]


def test_names_of_parameters_are_case_insensitive_and_invalid_utf_8_stays_encoded(host: Host) -> None:
    seen = host.client.get("/echo/a/b?A=1&a=2&bad=%FF&plus=a+b").json()
    assert seen["params"] == {"A": "1,2", "bad": "%FF", "plus": "a b"}


def test_a_path_is_normalized_before_a_function_sees_it(host: Host) -> None:
    _, body = exchange(host, b"GET /x/%2e%2e/echo/%61/./b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    seen = json.loads(body.split(b"\r\n")[1])
    assert seen["url"] == "http://h/echo/a/b"
    assert seen["route_params"] == {"first": "a", "second": "b"}


def test_a_header_is_read_as_utf_8(host: Host) -> None:
    seen = host.client.get("/echo/a/b", headers={b"X-Name": "Zoë".encode()}).json()
    assert seen["headers"]["x-name"] == "Zoë"


@pytest.mark.parametrize(("path", "framing"), [("/text", "chunked"), ("/answer", "chunked"), ("/unknown", None)])
def test_answers_of_functions_are_chunked_and_those_of_the_host_have_a_length(
    host: Host, path: str, framing: str | None
) -> None:
    answer = host.client.get(path)
    assert answer.headers.get("transfer-encoding") == framing
    assert answer.headers.get("content-length") == (None if framing else "0")


def test_an_answer_without_content_is_not_framed(host: Host) -> None:
    for answer in (host.client.head("/text"), host.client.head("/unknown"), host.client.get("/nothing")):
        assert not {"transfer-encoding", "content-length"} & set(answer.headers), answer.request.url


def test_a_header_of_an_answer_that_is_not_ascii_is_a_500(host: Host) -> None:
    answer = host.client.get("/answer", params={"q": "é"})
    assert (answer.status_code, answer.content) == (500, b"")
    assert "ERROR   answer: a header of the answer is not ASCII\n" in host.log()


def test_status_headers_cookies_and_bytes_of_an_answer_pass_through(host: Host) -> None:
    answer = host.client.get("/answer", params={"q": "5"})
    assert answer.status_code == 418
    assert answer.content == b"\x00\xff"
    assert answer.headers["content-type"] == "image/x-pot"
    assert answer.headers["x-query"] == "5"
    assert answer.headers.get_list("set-cookie") == ["a=1; path=/; httponly", "b=2; secure"]
    assert "server" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_a_function_without_methods_answers_them_all_and_may_return_text(host: Host, method: str) -> None:
    answer = host.client.request(method, "/text")
    assert (answer.status_code, answer.text) == (200, f"text by {method}")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/unknown"),
        ("DELETE", "/echo/a/b"),
        ("HEAD", "/answer"),
        ("OPTIONS", "/answer"),
        ("BREW", "/answer"),
        ("GET", "/text//"),
        ("GET", "/runtime/webhooks"),
    ],
)
def test_an_unknown_path_or_method_is_404_as_under_the_real_host(host: Host, method: str, path: str) -> None:
    assert host.client.request(method, path).status_code == 404


def test_a_literal_route_wins_over_a_parameter(host: Host) -> None:
    assert host.client.get("/echo/x/fixed").text == "fixed after x"


def test_an_exception_is_a_500_without_detail_and_one_line_in_the_log(host: Host) -> None:
    answer = host.client.get("/raise")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (500, b"", "0")
    (line,) = [line for line in host.log().splitlines() if "secret of GET" in line]
    assert "ERROR   raises: failed: ValueError: secret of GET second line (function_app.py:" in line


def test_the_log_has_the_lines_of_an_invocation_with_function_and_level_as_on_the_platform(
    host: Host,
) -> None:
    host.client.get("/log")
    lines = host.log()
    assert "INFO    logs: a line of GET\n" in lines
    assert "INFO    logs: a line of a library\n" in lines, "lines of libraries are shown unless the app silences them"
    assert "WARNING logs: a line of a coroutine\n" not in lines
    assert "printed by a function\n" in lines
    assert "a line of the worker library" not in lines


def test_a_line_of_an_asynchronous_function_belongs_to_it(host: Host) -> None:
    host.client.get("/log-async")
    eventually(lambda: "WARNING logs_async: a line of a coroutine\n" in host.log())


def test_a_line_that_no_invocation_waits_for_is_discarded(host: Host) -> None:
    host.client.get("/log-late")
    eventually(lambda: host.notes("late"))
    host.client.get("/log")
    assert "a late line" not in host.log()


def test_a_logged_error_is_one_line_with_its_location(host: Host) -> None:
    host.client.get("/log-error")
    (line,) = [line for line in host.log().splitlines() if "could not divide" in line]
    assert (
        "ERROR   logs_error: could not divide ZeroDivisionError: integer division or modulo by zero (function_app.py:"
        in line
    )


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 101\r\n\r\n", b"Content-Length: 101\r\n\r\n" + b"x" * 101, b"Content-Length: 1" + b"0" * 18],
)
def test_a_body_above_the_limit_is_an_empty_500_before_a_function_sees_it(limited: Host, body: bytes) -> None:
    head, content = exchange(limited, b"POST /text HTTP/1.1\r\nHost: x\r\n" + body + b"\r\n\r\n")
    assert head.startswith("HTTP/1.1 500 ")
    assert "connection: close" in head
    assert content == b""


def test_a_body_at_the_limit_is_passed_on(limited: Host) -> None:
    assert limited.client.post("/echo/a/b", content=b"x" * 100).json()["body"] == "78" * 100


def test_a_body_above_the_limit_without_a_length_is_not_read(limited: Host) -> None:
    assert limited.client.put("/echo/a/b", content=iter([b"x" * 60, b"x" * 60])).json()["body"] == ""


def test_a_body_above_the_limit_for_an_unknown_path_ends_the_connection(limited: Host) -> None:
    head, _ = exchange(limited, b"POST /unknown HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n")
    assert head.startswith("HTTP/1.1 404 ")


def test_a_disabled_function_is_404_and_is_not_run(limited: Host) -> None:
    assert limited.client.get("/pid").status_code == 404
    assert limited.client.get("/search-order").status_code == 200, "a name with underscores disables nothing"


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Yield a host with a small limit for bodies, no home page and a disabled function."""
    settings = {
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "100",
        "AzureWebJobsDisableHomepage": "true",
        "AzureWebJobs.pid.Disabled": "True",
        "AzureWebJobs_search_order_Disabled": "true",
    }
    with running_host(tmp_path_factory.mktemp("limited"), **settings) as running:
        yield running
