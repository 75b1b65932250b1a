from typing import Any

import pytest

from devhost.errors import StartError
from devhost.messages import FunctionInfo
from devhost.routes import RouteTable


def http_function(name: str, route: str | None = None, *methods: str) -> FunctionInfo:
    trigger: dict[str, Any] = {"type": "httpTrigger", "direction": "IN", "name": "req"}
    return FunctionInfo(
        name, [trigger | ({"route": route} if route else {}) | ({"methods": methods} if methods else {})]
    )


def table(*functions: FunctionInfo, prefix: str = "") -> RouteTable:
    return RouteTable(functions, prefix)


@pytest.mark.parametrize("route", ["admin/x", "/Admin/x", "administration", "runtime/x", "RUNTIME", "runtimes/{id}"])
def test_a_route_that_starts_with_a_reserved_word_is_refused_by_function_and_rule(route: str) -> None:
    with pytest.raises(StartError, match=r"^function lookup: the route .* starts with '(admin|runtime)'"):
        table(http_function("lookup", route))


def test_a_reserved_route_is_refused_even_with_a_route_prefix() -> None:
    with pytest.raises(StartError, match="starts with 'admin'"):
        table(http_function("lookup", "admin/x"), prefix="api")


@pytest.mark.parametrize("name", ["admin_report", "RuntimeStatus"])
def test_a_function_named_like_a_reserved_word_needs_a_route(name: str) -> None:
    with pytest.raises(StartError, match=f"function {name}"):
        table(http_function(name))
    table(http_function(name, "api/x"))


@pytest.mark.parametrize(
    ("first", "second"),
    [((), ()), (("GET",), ()), ((), ("POST",)), (("GET", "POST"), ("POST", "PUT"))],
)
def test_two_functions_with_the_same_template_are_refused_if_a_method_would_match_both(
    first: tuple[str, ...], second: tuple[str, ...]
) -> None:
    with pytest.raises(StartError, match=r"function second: .* conflicts with the route of function first"):
        table(http_function("first", "api/users/{id}", *first), http_function("second", "/API/Users/{id}/", *second))


def test_two_functions_may_share_a_template_with_different_methods() -> None:
    routes = table(http_function("read", "users/{id}", "GET"), http_function("write", "users/{id}", "PUT"))
    assert routes.match("GET", "/users/7") == ("read", {"id": "7"})
    assert routes.match("PUT", "/users/7") == ("write", {"id": "7"})
    assert routes.match("DELETE", "/users/7") is None
    assert routes.match("get", "/users/7") == ("read", {"id": "7"}), "methods are case-insensitive"


def test_a_parameter_the_local_host_cannot_match_is_refused() -> None:
    with pytest.raises(StartError, match=r"function files: .*\{\*path\}"):
        table(http_function("files", "files/{*path}"))


def test_a_literal_segment_wins_over_a_parameter_whatever_the_order() -> None:
    routes = table(http_function("any", "runs/{id}", "GET"), http_function("latest", "runs/latest", "GET"))
    assert routes.match("GET", "/runs/latest") == ("latest", {})
    assert routes.match("GET", "/runs/17") == ("any", {"id": "17"})


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/Users/7/", {"id": "7"}),
        ("/api/users/a b", {"id": "a b"}),
        ("/api/users/a%2Fb", {"id": "a%2Fb"}),
        ("/api/users/ü", {"id": "ü"}),
        ("/api/users/a.b", {"id": "a.b"}),
        ("/api/users", None),
        ("/api/users/7/8", None),
        ("/users/7", None),
        ("/api/usersX7", None),
        ("//api/users/7", None),
        ("/api//users/7", None),
        ("/api/users/7//", None),
        ("/api/u\u017fers/7", None),
    ],
)
def test_a_path_matches_by_segments_case_insensitively(path: str, expected: dict[str, str] | None) -> None:
    match = table(http_function("user", "users/{id}"), prefix="api").match("GET", path)
    assert (match and match[1]) == expected


def test_a_function_without_a_route_is_found_under_its_name() -> None:
    assert table(http_function("ping"), prefix="api").match("POST", "/api/ping") == ("ping", {})


def test_functions_with_other_triggers_have_no_route() -> None:
    timer = FunctionInfo("admin_timer", [{"type": "timerTrigger", "schedule": "0 * * * * *"}])
    assert table(timer).match("GET", "/admin_timer") is None
