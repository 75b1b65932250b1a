"""Invalid bearer tokens, in Authorization and elsewhere, and two credentials at once."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.access.administrators import Unauthorized
from functions.access.tokens import MAX_TOKEN_BYTES
from tests.security.door import Door
from tests.security.issuer import Issuer
from tests.security.tokens import ADMINISTRATOR, KEY, SECRET, backend_token, claims, handmade, refused, segment


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_known_in_any_case(door: Door, scheme: str) -> None:
    assert door.enter({"authorization": f"{scheme} {backend_token()}"}).actor == ADMINISTRATOR


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_truncated_token_is_refused(door: Door, issuer: Issuer, part: int) -> None:
    for token in (backend_token(), issuer.token(), issuer.token(kid="ec-1")):
        parts = token.split(".")
        for length in (0, 1, len(parts[part]) // 2, len(parts[part]) - 1):
            refused(door, ".".join([*parts[:part], parts[part][:length], *parts[part + 1 :]]))
        refused(door, token.rpartition(".")[0])
        refused(door, token.partition(".")[0])


@pytest.mark.parametrize(
    "change",
    [
        "{} ", "{}\0", "\0{}", "{}.", ".{}", "{}.e30", "{}=", "{}==", "{}\r\nX-Admin-Secret: " + SECRET, "{}\n",
        "{},{}", "{}, Bearer {}", "{} {}", "{}é", '"{}"', "Bearer {}", "{}%00", "{}?", "{}/", "{}+",
    ],
)  # fmt: skip
def test_a_token_with_anything_around_it_is_refused(door: Door, change: str) -> None:
    refused(door, change.replace("{}", backend_token()))


def test_a_megabyte_is_refused_before_anything_is_parsed(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        pytest.fail("it was parsed")

    monkeypatch.setattr("jwt.get_unverified_header", never)
    header, payload, signature = backend_token().split(".")
    refused(door, f"{header}.{'A' * 1_048_576}.{signature}")
    refused(door, f"{header}.{payload}.{'A' * MAX_TOKEN_BYTES}")
    refused(door, "A" * 1_048_576)


def test_a_token_of_exactly_the_maximum_size_is_read(door: Door) -> None:
    short = backend_token(padding="")
    longest = backend_token(padding="x" * ((MAX_TOKEN_BYTES - len(short)) * 3 // 4 - 2))
    assert MAX_TOKEN_BYTES - 8 < len(longest) <= MAX_TOKEN_BYTES
    door.with_token(longest)
    refused(door, backend_token(padding="x" * ((MAX_TOKEN_BYTES - len(short)) * 3 // 4 + 4)))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"7", b'"text"', b"\xff\xfe", b"[" * 5_000, b'{"a":' * 1_000, b"1" * 5_000, b"NaN"],
)
def test_anything_but_a_json_object_is_refused_as_header_and_as_claims(door: Door, content: bytes) -> None:
    refused(door, handmade(content, claims(), KEY.encode()))
    refused(door, handmade({"alg": "HS256"}, content, KEY.encode()))


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        " ",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Digest x",
        "Token {}",
        "{}",
        "Bearer\t{}",
        "Bearer:{}",
        "Bearer{}",
        "Bearer {} x",
    ],
)
def test_authorization_that_is_not_a_bearer_token_is_refused(door: Door, authorization: str) -> None:
    with pytest.raises(Unauthorized):
        door.enter({"Authorization": authorization.replace("{}", backend_token())})


@pytest.mark.parametrize("name", ["access_token", "token", "Authorization", "bearer", "code"])
def test_a_token_in_the_query_string_is_refused(door: Door, name: str) -> None:
    with pytest.raises(Unauthorized):
        door.enter(query={name: backend_token()})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.text(max_size=300) | st.binary(max_size=200).map(segment))
def test_any_text_is_refused(door: Door, text: str) -> None:
    refused(door, text)
    refused(door, f"{segment(b'{"alg":"HS256"}')}.{segment(text.encode('utf-8', 'surrogatepass'))}.{segment(b'x')}")
    refused(door, f"{segment(text.encode('utf-8', 'surrogatepass'))}.e30.e30")
    refused(door, handmade({"alg": "HS256"}, text, KEY.encode()))


def test_a_right_secret_with_a_wrong_token_is_accepted_because_of_the_secret(door: Door) -> None:
    assert door.enter({"X-Admin-Secret": SECRET, "Authorization": "Bearer x"}).credential == "admin-secret"


@pytest.mark.parametrize("wrong", ["", "wrong", f"{SECRET},{SECRET}"])
def test_a_wrong_secret_with_a_right_token_is_refused(door: Door, wrong: str) -> None:
    with pytest.raises(Unauthorized):
        door.enter({"X-Admin-Secret": wrong, "Authorization": f"Bearer {backend_token()}"})
