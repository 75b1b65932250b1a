"""The host's own answers: its home page, its health check, and starting functions by hand."""

from pathlib import Path

import httpx
import pytest

from devhost.platform_settings import PlatformSettings
from tests.devhost.harness import MASTER_KEY, Host, eventually, exchange, running_host

KEY = {"x-functions-key": MASTER_KEY}
JSON = {"Content-Type": "application/json"}


def seen(answer: httpx.Response) -> tuple[int, str | None, bytes]:
    return answer.status_code, answer.headers.get("content-length"), answer.content


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", ["/", "/?a=b"])
def test_the_root_is_a_page_of_the_platform_for_every_method(host: Host, method: str, path: str) -> None:
    answer = host.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    assert answer.headers["content-length"] == str(len(answer.content))


def test_the_home_page_has_a_length_for_head_too(host: Host) -> None:
    answer = host.client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_the_home_page_can_be_switched_off(tmp_path: Path) -> None:
    with running_host(tmp_path, AzureWebJobsDisableHomepage="True") as host:
        assert seen(host.client.get("/")) == (204, None, b"")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_health_check_needs_no_key_and_is_never_cached(host: Host, method: str) -> None:
    answer = host.client.request(method, "/Admin/Host/Ping/")
    assert seen(answer) == (200, "0", b"")
    assert answer.headers["cache-control"] == "no-store,no-cache"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/admin/functions/yearly"),
        ("GET", "/admin/functions"),
        ("GET", "/admin/host/status"),
        ("PUT", "/ADMIN/host/state"),
        ("GET", "/api/../admin/functions"),
        ("GET", "/runtime/webhooks/durabletask"),
        ("POST", "/runtime/webhooks/durabletask/instances/x/terminate"),
    ],
)
@pytest.mark.parametrize("key", [None, "", "wrong", MASTER_KEY + "x", MASTER_KEY.upper(), "é"])
def test_without_the_key_the_platforms_routes_are_401(host: Host, method: str, path: str, key: str | None) -> None:
    headers = [] if key is None else [(b"x-functions-key", key.encode())]
    assert seen(host.client.request(method, path, headers=[*headers, (b"Content-Type", b"application/json")])) == (
        401,
        "0",
        b"",
    )
    assert host.notes("yearly") == []


def test_the_key_must_be_in_the_header_which_no_form_of_a_web_page_can_send(host: Host) -> None:
    answer = host.client.post("/admin/functions/yearly", params={"code": MASTER_KEY}, headers=JSON, content="{}")
    assert answer.status_code == 401
    assert host.notes("yearly") == []


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"no JSON", 400),
        ("application/json", b"null", 400),
        ("application/json", b"[]", 400),
        ("application/json", b"", 400),
        ("application/json", b"\xff", 400),
        ("text/plain", b'{"input": ""}', 415),
        ("application/x-www-form-urlencoded", b"input=", 415),
        ("", b"", 415),
        ("application/json; charset=utf-8", b"{}", 404),
        ("application/vnd.x+json", b'{"input": null}', 404),
    ],
)
def test_starting_a_function_by_hand_requires_json(host: Host, content_type: str, body: bytes, status: int) -> None:
    answer = host.client.post("/admin/functions/missing", content=body, headers=KEY | {"Content-Type": content_type})
    assert seen(answer) == (status, "0", b"")


def test_a_body_for_the_platform_may_be_chunked(host: Host) -> None:
    answer = host.client.post("/admin/functions/missing", content=iter([b"{", b"}"]), headers=KEY | JSON)
    assert answer.status_code == 404


def test_starting_an_http_function_by_hand_is_accepted_and_fails(host: Host) -> None:
    assert host.fire("pid") == 202
    eventually(lambda: "ERROR   pid: failed: an HTTP function cannot be started by hand" in host.log())


@pytest.mark.parametrize(
    "name", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "192.0.2.1", ""]
)
def test_a_host_name_of_another_machine_has_no_access_to_the_admin_api(host: Host, name: str) -> None:
    for path in ("admin/functions/yearly", "admin/host/ping", "runtime/webhooks/durabletask"):
        head, _ = exchange(
            host,
            f"POST /{path} HTTP/1.1\r\nHost: {name}\r\nx-functions-key: {MASTER_KEY}\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}".encode(),
        )
        assert head.startswith("HTTP/1.1 403 ")
    assert host.notes("yearly") == []


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST:7071", "127.0.0.1", "127.8.9.1:80", "[::1]:7071"])
def test_every_host_name_of_this_machine_has_access_to_the_admin_api(host: Host, name: str) -> None:
    head, _ = exchange(host, f"GET /admin/host/ping HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
    assert head.startswith("HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "https://{host}", "http://{host}.evil.example",
     "http://{host}, http://evil.example", ""],
)  # fmt: skip
def test_a_page_of_another_origin_has_no_access_to_the_platforms_routes_even_with_the_key(
    host: Host, origin: str
) -> None:
    own = host.client.base_url.netloc.decode()
    for path in ("admin/functions/yearly", "admin/host/ping", "runtime/webhooks/durabletask"):
        head, _ = exchange(
            host,
            f"POST /{path} HTTP/1.1\r\nHost: {own}\r\nOrigin: {origin.format(host=own)}\r\n"
            f"x-functions-key: {MASTER_KEY}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
            "Connection: close\r\n\r\n{}".encode(),
        )
        assert head.startswith("HTTP/1.1 403 ")
    assert host.notes("yearly") == []


def test_a_page_of_the_local_host_itself_has_access_with_the_key(host: Host) -> None:
    own = {"Origin": f"http://{host.client.base_url.netloc.decode()}"}
    answer = host.client.post("/admin/functions/missing", headers=KEY | JSON | own, content="{}")
    assert answer.status_code == 404


def test_web_pages_are_not_allowed_to_send_the_key(host: Host) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = host.client.options(
        "/admin/functions/yearly", headers=asked | {"Access-Control-Request-Headers": "x-functions-key"}
    )
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_without_a_given_key_one_is_created_for_this_start_and_printed_once(tmp_path: Path) -> None:
    with running_host(tmp_path, FUNCTIONS_MASTER_KEY="") as host:
        (key,) = [line.rpartition(" ")[2] for line in host.lines if line.startswith("Host master key")]
        assert host.fire("yearly", key) == 202
        assert host.fire("yearly", "") == 401
        eventually(lambda: host.notes("yearly"))
        assert key not in host.log()
    assert key != PlatformSettings.read({}).master_key != PlatformSettings.read({}).master_key


def test_a_given_key_is_not_printed(host: Host) -> None:
    assert not [line for line in host.lines if MASTER_KEY in line or line.startswith("Host master key")]


@pytest.mark.parametrize(("value", "limit"), [("131072", 131_072), ("", 104_857_600), ("much", 104_857_600)])
def test_the_limit_for_bodies_is_a_number_or_the_hosts_own(value: str, limit: int) -> None:
    assert PlatformSettings.read({"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": value}).body_limit == limit


@pytest.mark.parametrize(
    ("name", "value", "disabled"),
    [
        ("AzureWebJobs.nightly.Disabled", "true", True),
        ("azurewebjobs.Nightly.disabled", "1", True),
        ("AzureWebJobs.nightly.Disabled", "TRUE", True),
        ("AzureWebJobs.nightly.Disabled", "0", False),
        ("AzureWebJobs.nightly.Disabled", "yes", False),
        ("AzureWebJobs_nightly_Disabled", "true", False),
        ("AzureWebJobs__nightly__Disabled", "true", False),
        ("AzureWebJobs.other.Disabled", "true", False),
    ],
)
def test_a_function_is_disabled_only_by_a_setting_with_dots(name: str, value: str, *, disabled: bool) -> None:
    assert PlatformSettings.read({name: value}).is_disabled("nightly") is disabled
