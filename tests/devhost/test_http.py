import socket

import pytest

from tests.devhost.harness import Host, eventually


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
    assert seen["params"] == {"x": "1,2", "y": "ü"}, "as the host: joined, and empty ones dropped"
    assert seen["headers"]["x-several"] == "1,2"
    assert bytes.fromhex(seen["body"]) == b"\x00body"


@pytest.mark.parametrize("claimed", [None, "192.0.2.1", "192.0.2.1, 192.0.2.2:80"])
def test_where_a_request_comes_from_is_added_to_what_it_says_of_that(host: Host, claimed: str | None) -> None:
    headers = {} if claimed is None else {"X-Forwarded-For": claimed}
    seen = host.client.get("/echo/a/b", headers=headers).json()["headers"]["x-forwarded-for"]
    *before, peer = seen.split(", ")
    assert ", ".join(before) == (claimed or "")
    assert peer.startswith("127.0.0.1:")


def test_a_body_without_a_length_arrives_whole(host: Host) -> None:
    seen = host.client.put("/echo/a/b", content=iter([b"in ", b"chunks"])).json()
    assert bytes.fromhex(seen["body"]) == b"in chunks"


def test_status_headers_cookies_and_bytes_of_an_answer_pass_through(host: Host) -> None:
    answer = host.client.get("/answer", params={"q": "5"})
    assert answer.status_code == 418
    assert answer.content == b"\x00\xff"
    assert answer.headers["content-type"] == "image/x-pot"
    assert answer.headers["x-query"] == "5"
    assert answer.headers.get_list("set-cookie") == ["a=1; path=/; httponly", "b=2; secure"]
    assert "server" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PATCH", "OPTIONS"])
def test_a_function_without_methods_answers_them_all_and_may_return_text(host: Host, method: str) -> None:
    answer = host.client.request(method, "/text")
    assert (answer.status_code, answer.text) == (200, f"text by {method}")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/unknown"), ("DELETE", "/echo/a/b"), ("HEAD", "/answer"), ("GET", "/runtime/webhooks")],
)
def test_an_unknown_path_or_method_is_404_as_under_the_real_host(host: Host, method: str, path: str) -> None:
    assert host.client.request(method, path).status_code == 404


def test_a_literal_route_wins_over_a_parameter(host: Host) -> None:
    assert host.client.get("/echo/x/fixed").text == "fixed after x"


def test_an_exception_is_a_500_without_detail_and_one_line_in_the_log(host: Host) -> None:
    answer = host.client.get("/raise")
    assert (answer.status_code, answer.content) == (500, b"")
    (line,) = [line for line in host.log().splitlines() if "secret of GET" in line]
    assert "ERROR   raises: failed: ValueError: secret of GET second line (function_app.py:" in line


def test_the_log_has_the_lines_of_an_invocation_with_function_and_level_as_the_platform_would_show_them(
    host: Host,
) -> None:
    host.client.get("/log")
    lines = host.log()
    assert "INFO    logs: a line of GET\n" in lines
    assert "INFO    logs: a line of a library\n" in lines, "what the app does not silence itself is shown there, too"
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


def test_an_error_that_is_logged_is_one_line_with_the_place_it_was_raised_at(host: Host) -> None:
    host.client.get("/log-error")
    (line,) = [line for line in host.log().splitlines() if "could not divide" in line]
    assert (
        "ERROR   logs_error: could not divide ZeroDivisionError: integer division or modulo by zero (function_app.py:"
        in line
    )


def test_a_body_above_the_hosts_limit_is_413(host: Host) -> None:
    head = f"POST /text HTTP/1.1\r\nHost: x\r\nContent-Length: {100 * 1024**2 + 1}\r\n\r\n"
    url = host.client.base_url
    with socket.create_connection((url.host, url.port or 0)) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
