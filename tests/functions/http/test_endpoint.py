"""The declaration of routes: what a handler's parameters mean, and which declarations stop the start."""

from collections.abc import Callable
from typing import Any

import pytest

from functions.access.administrators import Admin
from functions.access.audit import Attempt
from functions.access.persons import Person
from functions.http.endpoint import Api
from functions.http.requests import NewestQuery, PortfoliosQuery, RunId
from runs.engine import Engine
from settings import Settings


def unknown_type(answer: list[str]) -> str:
    return str(answer)


def unknown_id(report_id: RunId) -> str:
    return str(report_id)


def without_types(settings) -> str:  # type: ignore[no-untyped-def] # noqa: ANN001 - the mistake
    return str(settings)


def two_queries(query: NewestQuery, other: PortfoliosQuery) -> str:
    return f"{query}{other}"


def without_an_answer(settings: Settings):  # type: ignore[no-untyped-def] # noqa: ANN201 - the mistake
    return str(settings)


def of_a_run(run_id: RunId) -> str:
    return run_id


def of_an_administrator(admin: Admin) -> str:
    return admin.actor


def of_a_query(query: NewestQuery) -> str:
    return str(query)


def of_nothing() -> str:
    return ""


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (unknown_type, r"^unknown_type: nothing in a request is answer: list\[str\]$"),
        (unknown_id, r"^unknown_id: nothing in a request is report_id: RunId$"),
        (without_types, r"^without_types: nothing in a request is settings: "),
        (two_queries, r"^two_queries: a request has one query or body$"),
        (without_an_answer, r"^without_an_answer: its answer is not declared$"),
        (of_a_run, r"^of_a_run: the ids in its path are not those among its parameters$"),
    ],
)
def test_a_parameter_without_a_meaning_stops_the_start_and_is_named(handler: Callable[..., Any], message: str) -> None:
    api = Api()
    with pytest.raises(TypeError, match=message):
        api.route("GET", "path")(handler)
    assert api.routes == []


def of_a_person(person: Person) -> str:
    return person.user_id


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (of_an_administrator, "only a route of administrators has an administrator or an audit"),
        (of_a_person, "a route of persons, and no other, has a person"),
        (of_a_query, "a public route has no query or body"),
    ],
)
def test_a_public_route_cannot_ask_for_what_only_signed_in_callers_send(
    handler: Callable[..., Any], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        Api().route("GET", "path", callers="everybody")(handler)


def of_an_attempt(attempt: Attempt) -> str:
    return str(attempt)


def test_an_action_is_audited_for_an_administrator_and_only_an_audited_route_has_an_attempt() -> None:
    with pytest.raises(TypeError, match="only a route of administrators has an administrator or an audit"):
        Api().route("POST", "path", callers="everybody", action="trigger")(of_nothing)
    with pytest.raises(TypeError, match="a route without an action has no attempt"):
        Api().route("GET", "path")(of_an_attempt)
    assert Api().route("GET", "path", action="read_report")(of_an_attempt) is of_an_attempt


def test_a_handler_stays_the_plain_function_it_is() -> None:
    def schedule(settings: Settings) -> str:
        """Return the schedule.

        More about it.
        """
        return settings.schedule.expression

    api = Api()
    assert api.route("GET", "path")(schedule) is schedule
    (route,) = api.routes
    assert (route.name, route.summary, route.answer) == ("schedule", "Return the schedule", str)


def test_the_routes_of_a_path_differ_by_their_methods_and_agree_on_the_engine() -> None:
    def of_the_engine(engine: Engine) -> str:
        return str(engine)

    api = Api()
    api.route("GET", "path")(of_nothing)
    with pytest.raises(TypeError, match="its path has a GET already"):
        api.route("GET", "path")(of_an_administrator)
    with pytest.raises(TypeError, match="all routes of a path use the engine, or none does"):
        api.route("POST", "path")(of_the_engine)
    api.route("DELETE", "path")(of_an_administrator)
    assert [route.method for route in api.routes] == ["GET", "DELETE"]
