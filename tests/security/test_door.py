"""Attacks on the API: each of them is refused, and none starts a run."""

import base64
import gzip
import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.end_to_end.app import BASE, BEHIND_TWO_PROXIES, SECRET, App, running_app
from tests.security.raw import send

RUN = "run_20200101_000000_abcd"
TRIGGER = f"{BASE}/trigger-analysis"
LISTS = {
    f"{BASE}/analysis-runs": ("limit", "before"),
    f"{BASE}/audit": ("limit", "before"),
    f"{BASE}/analysis-runs/{{run_id}}/portfolios": ("limit", "after", "status", "sort", "order"),
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("app"), **BEHIND_TWO_PROXIES) as running:
        yield running


@pytest.fixture(scope="module")
def run_id(app: App) -> str:
    return str(app.run(user_ids=["sample-nobody"])["run_id"])


@pytest.fixture(autouse=True)
def nothing_starts(app: App, run_id: str) -> Iterator[None]:
    yield
    assert [run["run_id"] for run in app.client.get(f"{BASE}/analysis-runs").json()["runs"]] == [run_id]


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_verb_tampering_by_header_changes_nothing(app: App, header: str) -> None:
    assert app.client.get(TRIGGER, headers={header: "POST"}).status_code == 405
    assert app.client.post(f"{BASE}/analysis-runs", headers={header: "GET"}).status_code == 405
    assert app.client.get(f"{TRIGGER}?_method=POST").status_code == 405
    with app.stranger(**{header: "OPTIONS"}) as stranger:
        assert stranger.post(TRIGGER).status_code == 401


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "CONNECTX", "get", "POST,GET"])
def test_unexpected_methods_are_refused(app: App, method: str) -> None:
    assert send(app, TRIGGER, method=method).status in (400, 404, 405)


IDS = [
    "..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e", "..%5c..%5c", "%252e%252e%252f", "..;", "%c0%ae%c0%ae", "....//",
    "%00", f"{RUN}%00", f"{RUN}%00.json", f"{RUN}%0a", f"{RUN}%0d%0aX-Forged:1", f"{RUN}%20", f"{RUN}/", f"{RUN}%2f",
    f"%2f{RUN}", RUN.upper(), RUN + "0" * 7_000, "%ef%bc%8e%ef%bc%8e", "%F0%9F%92%A9", "*", "%", "%zz", "~root", "$gt",
    "%7B%22$gt%22:%22%22%7D", "%7B%22$where%22:%22sleep(9)%22%7D", "[$ne]", "null", "undefined", "..%2fanalysis-runs",
]  # fmt: skip


@pytest.mark.parametrize("given", IDS)
def test_path_traversal_encoded_slashes_dots_nul_and_operators_in_ids_find_nothing(app: App, given: str) -> None:
    for target in (
        f"{BASE}/analysis-status/{given}",
        f"{BASE}/analysis-runs/{given}/portfolios",
        f"{BASE}/analysis-runs/{RUN}/portfolios/{given}",
    ):
        answer = send(app, target)
        assert answer.status in (400, 404), answer
        assert b"root:" not in answer.body
    assert send(app, f"{BASE}/analysis-runs/{given}/cancel", method="POST").status in (400, 404)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"user_ids":' * 5_000,
        b'{"dry_run":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"as_of":' + b"9" * 60_000 + b"}",
        b'{"as_of":1e999999}',
        b"{" + b",".join(b'"k%d":0' % number for number in range(6_000)) + b"}",
        b'"' + b"\\ud800" * 1_000 + b'"',
        b'{"user_ids":["' + b"\xff" * 60_000 + b'"]}',
        b"\xff\xfe{\x00}\x00",
        b'{"dry_run":true}'.decode().encode("utf-16"),
        b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
        b"dry_run=true&user_ids=a",
        b'{"__proto__":{"dry_run":true}}',
        b'{"dry_run":NaN}',
    ],
    ids=range(14),
)
def test_a_deeply_nested_or_otherwise_abnormal_body_is_refused_by_its_member(app: App, body: bytes) -> None:
    answer = app.client.post(TRIGGER, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert len(answer.content) < 1_000
    assert len(answer.json()["member"]) <= 100


def test_an_oversized_body_is_refused_by_every_route_with_a_body(app: App, run_id: str) -> None:
    for path in (TRIGGER, f"{BASE}/analysis-runs/{run_id}/cancel", f"{BASE}/analysis-runs/{run_id}/retry"):
        assert app.client.post(path, content=b" " * 65_537).status_code == 413
        assert app.client.post(path, content=iter([b" " * 40_000] * 2)).status_code == 411


@pytest.mark.parametrize("content", [b"\0" * 50_000_000, b'{"dry_run":true,"user_ids":["sample-nobody"]}'])
def test_neither_a_gzip_bomb_nor_any_other_body_is_decompressed(app: App, content: bytes) -> None:
    packed = gzip.compress(content)
    answer = app.client.post(TRIGGER, content=packed, headers={"Content-Encoding": "gzip"})
    assert len(packed) < 65_536
    assert (answer.status_code, answer.json()["member"]) == (422, "body")


def test_slow_heads_and_bodies_do_not_delay_others(app: App) -> None:
    url = app.client.base_url
    head = f"POST {TRIGGER} HTTP/1.1\r\nHost: x\r\nX-Admin-Secret: {SECRET}\r\n"
    with ExitStack() as slow:
        for said in (head, head + "Content-Length: 2\r\n\r\n{", "") * 40:
            connection = slow.enter_context(socket.create_connection((url.host, url.port or 0)))
            connection.sendall(said.encode())
        assert app.client.get(f"{BASE}/analysis-runs").status_code == 200


OPERATORS = [
    {"$gt": ""},
    {"$ne": None},
    {"$where": "sleep(1000)"},
    {"$in": ["a"]},
    ["$gt"],
    [{"$gt": ""}],
    "$gt",
    "$where",
]


@pytest.mark.parametrize("operator", OPERATORS, ids=str)
@pytest.mark.parametrize("member", ["dry_run", "user_ids", "as_of", "$where", "unknown"])
def test_operators_of_the_database_in_any_member_of_a_body_are_refused(app: App, member: str, operator: object) -> None:
    answer = app.client.post(TRIGGER, json={member: operator})
    assert answer.status_code == 422
    assert answer.json()["member"].startswith(member)


@pytest.mark.parametrize("operator", ['{"$gt":""}', "$gt", "$where", "[$ne]", '{"$where":"sleep(1000)"}'])
def test_operators_of_the_database_in_any_parameter_are_refused(app: App, run_id: str, operator: str) -> None:
    for path, names in LISTS.items():
        for name in names:
            for parameters in ({name: operator}, {f"{name}[$gt]": ""}, {f"{name}[$gt]": "1"}, {f"{name}.$gt": "1"}):
                answer = app.client.get(path.format(run_id=run_id), params=parameters)
                # The host drops parameters without a value.
                assert answer.status_code == (200 if list(parameters.values()) == [""] else 422), answer.text


LIMITS = [
    "-1", "0", "101", "1e9", "NaN", "Infinity", "-Infinity", "0x10", " 5", "5 ", "1_0", "+5", "٣", "1,2", "true",
    "null", "9" * 5_000, "2147483648", "18446744073709551616", "1.5", "1e-5", "[]",
]  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS, ids=range(len(LIMITS)))
def test_huge_negative_and_other_impossible_limits_are_refused(app: App, run_id: str, limit: str) -> None:
    for path in LISTS:
        answer = app.client.get(path.format(run_id=run_id), params={"limit": limit})
        assert (answer.status_code, answer.json()["member"]) == (422, "limit")


CURSORS = [
    b'["0001-01-01T00:00:00+23:59","x"]', b'["9999-12-31T23:59:59-23:59","x"]', b'["2026-01-01T00:00:00","x"]',
    b'[{"$gt":""},"x"]', b'["2026-01-01T00:00:00Z",{"$gt":""}]', b'["2026-01-01T00:00:00Z",null]', b'[1e999,"x"]',
    b'[NaN,"x"]', b'[Infinity,"x"]', b'["2026-01-01T00:00:00Z"]', b"[]", b"{}", b"null", b"\xff", b"[" * 300,
    b'["2026-13-01T00:00:00Z","x"]', b'["2026-01-01T00:00:00Z","\\ud800"]',
]  # fmt: skip


@pytest.mark.parametrize("cursor", CURSORS, ids=range(len(CURSORS)))
def test_forged_cursors_are_refused(app: App, run_id: str, cursor: bytes) -> None:
    forged = base64.urlsafe_b64encode(cursor).decode()
    for path, names in LISTS.items():
        answer = app.client.get(path.format(run_id=run_id), params={names[1]: forged, "limit": "1"})
        assert (answer.status_code, answer.json()["member"]) == (422, names[1])


@pytest.mark.parametrize(
    "place", [["2026-01-01T00:00:00Z", "a\0b"], ["0001-01-01T00:00:00Z", ""], ["9999-12-31T23:59:59Z", "$gt"]]
)
def test_a_well_formed_cursor_is_only_a_place_in_the_list(app: App, place: list[str]) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")
    for path in (f"{BASE}/analysis-runs", f"{BASE}/audit"):
        assert app.client.get(path, params={"before": cursor}).status_code == 200


@pytest.mark.parametrize("name", ["X-Admin-Secret", "x-admin-secret", "secret", "access_token", "token"])
def test_the_secret_in_the_query_string_is_refused_even_beside_the_header(app: App, name: str) -> None:
    for method, path in (("POST", TRIGGER), ("GET", f"{BASE}/analysis-runs"), ("GET", f"{BASE}/analysis-status/{RUN}")):
        with app.stranger() as stranger:
            assert stranger.request(method, path, params={name: SECRET}).status_code == 401
        answer = app.client.request(method, path, params={name: SECRET})
        assert (answer.status_code, answer.json()["member"]) == (422, name)
        assert SECRET not in answer.text
    assert SECRET not in app.log.read_text()


FORGED = "\r\n23:59:59.999 INFO    forged: a line"


@pytest.mark.parametrize("text", [FORGED, FORGED.replace("\r", ""), "\x1b[2J", "\x00", "\u2028forged"])
def test_line_breaks_in_a_request_never_break_a_line_of_the_log(app: App, text: str) -> None:
    quoted = "".join(f"%{byte:02x}" for byte in text.encode())
    app.client.post(TRIGGER, json={"user_ids": [f"a{text}"], f"b{text}": 1})
    send(app, f"{BASE}/analysis-status/{quoted}?a{quoted}=b{quoted}")
    for header in (
        b"Idempotency-Key",
        b"traceparent",
        b"X-Forwarded-For",
        b"Origin",
        b"If-None-Match",
        b"Authorization",
    ):
        send(app, TRIGGER, header + b": x" + text.encode(), method="POST", body=b"{", signed=header != b"Authorization")
    lines = app.log.read_text().splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} (INFO|WARNING|ERROR) ", line) for line in lines)
    assert not any("forged: a line" in line[:40] for line in lines)


@pytest.mark.parametrize("value", ["%0d%0aX-Forged: 1", "\\r\\nX-Forged: 1", "https://evil.example/"])
def test_no_part_of_a_request_gets_into_the_headers_of_an_answer(app: App, run_id: str, value: str) -> None:
    refused = send(
        app, f"{TRIGGER}?x={value.replace(' ', '')}", f"traceparent: {value}".encode(), f"Origin: {value}".encode(),
        f"Idempotency-Key: {value}".encode(), f"X-Forwarded-Host: {value}".encode(), method="POST",
    )  # fmt: skip
    assert refused.status == 422
    for answer in (refused, send(app, f"{BASE}/analysis-runs/{run_id}/cancel", f"X-Forwarded-Host: {value}".encode())):
        assert b"evil.example" not in answer.head
        assert b"forged" not in answer.head.lower()


def test_malformed_header_lines_give_no_access(app: App) -> None:
    for header in (
        b"X-Admin-Secret : x",
        b" folded: x",
        b"a\0b: c",
        b"Content-Length: 1\r\nContent-Length: 2",
        b"x" * 99_999,
    ):
        assert send(app, TRIGGER, header, method="POST").status in (400, 401, 413, 431)


def test_a_smuggled_request_is_not_served(app: App) -> None:
    smuggled = f"POST {TRIGGER} HTTP/1.1\r\nHost: x\r\nX-Admin-Secret: {SECRET}\r\n\r\n".encode()
    for header in (b"Transfer-Encoding: chunked\r\nContent-Length: 4", b"Transfer-Encoding: xchunked"):
        answer = send(app, f"{BASE}/analysis-runs", header, body=smuggled)
        assert answer.status >= 200
        assert b"HTTP/1.1 " not in answer.body
