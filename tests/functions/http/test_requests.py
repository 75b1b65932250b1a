import codecs
import contextlib
import json
from datetime import date

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.http.cursors import decode_cursor, encode_cursor
from functions.http.requests import (
    BodyTooLarge,
    LengthRequired,
    MalformedId,
    NewestQuery,
    Nothing,
    PortfoliosQuery,
    TriggerRequest,
    read_body,
    read_id,
    read_query,
)
from problems import InvalidMember
from records import Wanted


def a_request(
    body: bytes = b"",
    params: dict[str, str] | None = None,
    path: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> func.HttpRequest:
    return func.HttpRequest("POST", "http://localhost/", headers=headers, params=params, route_params=path, body=body)


@pytest.mark.parametrize("body", [b"", b"  \r\n", b"{}"])
def test_no_body_asks_for_everything(body: bytes) -> None:
    assert read_body(a_request(body), TriggerRequest) == TriggerRequest()


def test_a_body_is_read_member_by_member() -> None:
    body = b'{"dry_run": true, "user_ids": ["u1", "auth0|7", "a.b@c.org"], "as_of": "2024-02-29"}'
    assert read_body(a_request(body), TriggerRequest) == TriggerRequest(
        dry_run=True, user_ids=["u1", "auth0|7", "a.b@c.org"], as_of=date(2024, 2, 29)
    )


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (b"not json", "body"),
        (b"{", "body"),
        (b"\xff\xfe", "body"),
        (b"[]", "body"),
        (b"null", "body"),
        (b'"text"', "body"),
        (b"{" * 5_000, "body"),
        (b"[" * 60_000, "body"),
        (b'{"dryrun": true}', "dryrun"),
        (b'{"$where": "1"}', "$where"),
        (b'{"a`b": 1}', "a`b"),
        (b'{"dry_run": "yes"}', "dry_run"),
        (b'{"dry_run": 1}', "dry_run"),
        (b'{"dry_run": null}', "dry_run"),
        (b'{"as_of": "yesterday"}', "as_of"),
        (b'{"as_of": "2023-02-29"}', "as_of"),
        (b'{"as_of": "2024-01-02T00:00:00Z"}', "as_of"),
        (b'{"as_of": 20240102}', "as_of"),
        (b'{"user_ids": []}', "user_ids"),
        (b'{"user_ids": "u1"}', "user_ids"),
        (json.dumps({"user_ids": ["u"] * 1001}).encode(), "user_ids"),
        (b'{"user_ids": ["u1", 2]}', "user_ids[1]"),
        (b'{"user_ids": [{"$gt": ""}]}', "user_ids[0]"),
        (b'{"user_ids": [""]}', "user_ids[0]"),
        (b'{"user_ids": [" a"]}', "user_ids[0]"),
        (b'{"user_ids": ["a\\n"]}', "user_ids[0]"),
        (b'{"user_ids": ["../x"]}', "user_ids[0]"),
        (b'{"user_ids": ["$gt"]}', "user_ids[0]"),
        (b'{"user_ids": ["a\\u0000"]}', "user_ids[0]"),
        (json.dumps({"user_ids": ["u" * 129]}).encode(), "user_ids[0]"),
    ],
)
def test_a_body_that_breaks_a_rule_is_refused_by_the_member(body: bytes, member: str) -> None:
    with pytest.raises(InvalidMember) as caught:
        read_body(a_request(body), TriggerRequest)
    assert caught.value.member == member


def test_a_body_over_64_kilobytes_is_too_large_with_any_content() -> None:
    read_body(a_request(b" " * 65_536), TriggerRequest)
    with pytest.raises(BodyTooLarge):
        read_body(a_request(b" " * 65_537), TriggerRequest)


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (b'{"user_ids": ["\xff\xfe"]}', "user_ids[0]"),
        (b'{"user_ids": ["u1", "caf\xe9"]}', "user_ids[1]"),
        (b'{"user_ids": ["\xe2\x82"]}', "user_ids[0]"),
        (b'{"user_ids": ["\xed\xa0\x80"]}', "user_ids[0]"),
        (b'{"user_ids": ["\xc0\x80"]}', "user_ids[0]"),
        (b'{"user_ids": ["\\ud800"]}', "user_ids[0]"),
        (b'{"user_ids": ["u1", "\\ude00\\ud83d"]}', "user_ids[1]"),
        (b'{"as_of": "2024-01-02\\ud800"}', "as_of"),
        (b'{"as_of": "2024-01-0\xb2"}', "as_of"),
        (b'{"dry_run": "\xff"}', "dry_run"),
        (b'{"everything": "\xff"}', "everything"),
        (b'{"\xff": true}', "body"),
        (b'{"\\ud800": true}', "body"),
        (b'{"user_ids": [NaN], "\xff": "\xff"}', "body"),
        (b'{"user_ids": [NaN], "' + b"x" * 100 + b'": "\xff"}', "x" * 64),
        (b'{"user_ids": ["\xff"', "body"),
        (b'{"dry_run": \xfftrue}', "body"),
        (b'{"dry_run": true}\xff', "body"),
        (b'\xff{"dry_run": true}', "body"),
        (b'"\\ud800"', "body"),
        (b'{"user_ids": ' + b"[" * 5_000 + b'"\\ud800"' + b"]" * 5_000 + b"}", "user_ids[0]"),
        ('{"dry_run": true}'.encode("utf-16"), "body"),
        ('{"dry_run": true}'.encode("utf-16-le"), "body"),
        ('{"dry_run": true}'.encode("utf-32"), "body"),
    ],
)
def test_a_body_that_is_not_utf_8_is_refused_by_the_member_that_contains_it(body: bytes, member: str) -> None:
    with pytest.raises(InvalidMember) as caught:
        read_body(a_request(body), TriggerRequest)
    assert caught.value.member == member
    json.dumps(str(caught.value), ensure_ascii=False).encode()


@pytest.mark.parametrize("body", [b"", b" \r\n", b"{}"])
def test_a_byte_order_mark_before_a_body_is_ignored(body: bytes) -> None:
    assert read_body(a_request(codecs.BOM_UTF8 + body), TriggerRequest) == TriggerRequest()
    with_member = codecs.BOM_UTF8 + b'{"dry_run": true}'
    assert read_body(a_request(with_member), TriggerRequest) == TriggerRequest(dry_run=True)


@pytest.mark.parametrize("body", [b"", b'{"dry_run": true}', b" " * 65_537])
@pytest.mark.parametrize("kind", [TriggerRequest, Nothing])
@pytest.mark.parametrize("name", ["Transfer-Encoding", "transfer-encoding"])
def test_a_body_without_its_length_is_refused_whether_or_not_the_host_passes_it_on(
    body: bytes, kind: type, name: str
) -> None:
    with pytest.raises(LengthRequired):
        read_body(a_request(body, headers={name: "chunked"}), kind)


def test_a_body_with_its_length_is_read_whatever_proxies_changed() -> None:
    headers = {"transfer-encoding": "chunked", "content-length": "17"}
    assert read_body(a_request(b'{"dry_run": true}', headers=headers), TriggerRequest).dry_run


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_no_body_crashes_the_reader(body: bytes) -> None:
    with contextlib.suppress(InvalidMember):
        assert isinstance(read_body(a_request(body), TriggerRequest), TriggerRequest)


@pytest.mark.parametrize(
    ("params", "member"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"page": "2"}, "page"),
        ({"before": "x" * 513}, "before"),
        ({"limit": "\udcff"}, "limit"),
        ({"\udcff": "1"}, "query"),
    ],
)
def test_a_query_that_breaks_a_rule_is_refused_by_the_parameter(params: dict[str, str], member: str) -> None:
    with pytest.raises(InvalidMember) as caught:
        read_query(a_request(params=params), NewestQuery)
    assert caught.value.member == member


@pytest.mark.parametrize(
    ("params", "member"),
    [
        ({"sort": "name"}, "sort"),
        ({"order": "up"}, "order"),
        ({"status": "lost"}, "status"),
        ({"sort": "$where"}, "sort"),
        ({"status": "null"}, "status"),
        ({"complete": "Null"}, "complete"),
    ],
)
def test_a_list_cannot_be_sorted_or_filtered_by_anything_else(params: dict[str, str], member: str) -> None:
    with pytest.raises(InvalidMember) as caught:
        read_query(a_request(params=params), PortfoliosQuery)
    assert caught.value.member == member


def test_a_query_is_read_from_text() -> None:
    query = read_query(a_request(params={"limit": "5", "sort": "max_drawdown", "order": "desc"}), PortfoliosQuery)
    assert query == PortfoliosQuery(limit=5, sort="max_drawdown", order="desc")


@pytest.mark.parametrize(
    "run_id",
    [
        "run_1",
        "run_20260102_030405_ABCD",
        "run_20260102_030405_abcd\n",
        "run_20260102_030405_abcde",
        "",
        "../x",
        "{$gt}",
        "\udcff",
    ],
)
def test_a_run_id_that_cannot_be_one_is_malformed(run_id: str) -> None:
    with pytest.raises(MalformedId):
        read_id(a_request(path={"run_id": run_id}), "run_id")


def test_ids_come_from_the_path() -> None:
    request = a_request(path={"run_id": "run_20260102_030405_abcd", "user_id": "u-1"})
    assert (read_id(request, "run_id"), read_id(request, "user_id")) == ("run_20260102_030405_abcd", "u-1")


@given(st.text(max_size=100))
def test_a_cursor_returns_the_value_that_it_was_made_from(value: str) -> None:
    assert decode_cursor("before", encode_cursor(value), str) == value


@pytest.mark.parametrize(
    "cursor", ["?", "a", "é", "\udcff", "bm90IGpzb24", "Iv8i", encode_cursor({"$gt": ""}), encode_cursor(7)]
)
def test_a_cursor_that_is_not_ours_is_refused_by_the_parameter(cursor: str) -> None:
    with pytest.raises(InvalidMember) as caught:
        decode_cursor("before", cursor, str)
    assert caught.value.member == "before"


def test_the_rule_for_an_id_is_explained() -> None:
    with pytest.raises(InvalidMember, match="contains characters that are not allowed"):
        read_body(a_request(b'{"user_ids": ["a "]}'), TriggerRequest)


@pytest.mark.parametrize(
    ("check", "wanted"),
    [
        ("beta", Wanted(check="beta")),
        ("cash_share:breach", Wanted(check="cash_share", check_status="breach")),
        ("value_at_risk:warning", Wanted(check="value_at_risk", check_status="warning")),
    ],
)
def test_a_check_filter_names_a_rule_and_optionally_a_status(check: str, wanted: Wanted) -> None:
    assert read_query(a_request(params={"check": check}), PortfoliosQuery).wanted == wanted


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("check", "beta:ok"),
        ("check", "no_rule"),
        ("check", "beta:"),
        ("check", "beta:breach:warning"),
        ("check", "beta\n"),
        ("user_id_prefix", "$a"),
        ("user_id_prefix", "a "),
        ("user_id_prefix", "a" * 129),
    ],
)
def test_a_check_or_prefix_that_cannot_be_one_is_refused(member: str, value: str) -> None:
    with pytest.raises(InvalidMember) as caught:
        read_query(a_request(params={member: value}), PortfoliosQuery)
    assert caught.value.member == member
