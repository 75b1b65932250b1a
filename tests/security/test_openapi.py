"""Requests that schemathesis generates from the API's own description: all answers conform to it.

``make fuzz`` runs the same for longer, with another seed each time.
"""

import os
import secrets
from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import assume
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from functions.http.endpoint import Route
from functions.http.openapi import document
from functions.http.routes import api
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, BEHIND_TWO_PROXIES, SECRET, App, running_app
from tests.security.fuzzing import examples
from tests.security.tokens import KEY, backend_token

load_all_checks()
schema = schemathesis.openapi.from_dict(document(api.routes))
schema.config.seed = secrets.randbelow(2**32) if "FUZZ_EXAMPLES" in os.environ else 5
attempts = count(1)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    # Each request has its own client address, so that none is throttled after failed sign-ins.
    with running_app(tmp_path_factory.mktemp("app"), JWT_SECRET=KEY, ME_API="1", **BEHIND_TWO_PROXIES) as running:
        yield running


@schema.parametrize()
@examples(12)
def test_every_answer_to_a_generated_request_is_described(app: App, case: schemathesis.Case[Any]) -> None:
    # The host refuses other headers before the app sees them, as Kestrel does.
    assume(all(str(value).isascii() for value in (case.headers or {}).values()))
    number = next(attempts)
    client = f"198.19.{number // 250 % 250}.{number % 250}"
    # A schema cannot express that a cursor is one of ours, a key unused, a date not in the future, two days in order,
    # or a state one of a check that is asked for.
    related = {"before", "after", "from", "to", "check_status"} & set(case.query or {})
    beyond_schemas = case.operation.method.upper() == "POST" or related
    # The host drops parameters without a value, as if they were absent.
    without_value = any(value in ("", [], [""]) for value in (case.query or {}).values())
    excluded: list[Any] = [positive_data_acceptance] if beyond_schemas else []
    excluded += [negative_data_rejection] if without_value else []
    case.call_and_validate(
        base_url=str(app.client.base_url),
        headers={"X-Admin-Secret": SECRET, "X-Forwarded-For": client},
        excluded_checks=excluded,
    )


def described(method: str, route: str) -> Any:  # noqa: ANN401 - an operation of schemathesis
    return schema[f"/{route}"][method]


def accepted(app: App) -> str:
    """Return the id of a new run; an empty text while another one is active."""
    answer = app.trigger()
    return str(answer.json()["run_id"]) if answer.is_success else ""


def test_real_answers_are_as_described(app: App) -> None:
    # A run triggered by an earlier test may still be active.
    run_id, again = (eventually(partial(accepted, app)) for _ in range(2))
    app.wait(again)
    lines = app.client.get(f"{BASE}/analysis-runs/{run_id}/portfolios", params={"limit": 100}).json()["portfolios"]
    measured = [line["user_id"] for line in lines if line["annual_volatility"] is not None]
    own = {"Authorization": f"Bearer {backend_token(sub=measured[0])}"}
    for route in api.routes:
        if route.method == "GET":
            of_measured = route.name in ("get_portfolio_series", "get_portfolio_gains")
            users = measured if of_measured else [line["user_id"] for line in lines]
            run = again if route.name == "get_earlier_report" else run_id
            for path in dict.fromkeys(route.path.format(run_id=run, user_id=user_id) for user_id in users):
                answer = app.client.get(path, headers=own if route.callers == "persons" else {})
                assert answer.status_code == 200
                described(route.method, route.path).validate_response(answer)


def test_the_document_is_valid_openapi_and_describes_every_function_of_the_app() -> None:
    schema.validate()
    described_functions = {(path, method) for path, item in document(api.routes)["paths"].items() for method in item}
    assert described_functions == {(f"/{operation.path}", operation.method.lower()) for operation in api.routes}


@pytest.mark.parametrize("operation", api.routes, ids=lambda operation: operation.name)
def test_the_document_describes_every_status_header_and_problem(operation: Route) -> None:
    description = document(api.routes)["paths"][f"/{operation.path}"][operation.method.lower()]
    parameters = {parameter["name"] for parameter in description["parameters"]}
    if operation.method == "GET":
        assert set(operation.takes.__struct_encode_fields__) <= parameters
    assert ("Idempotency-Key" in parameters) == (operation.name == "trigger_analysis")
    changes_by_session = operation.callers == "administrators" and operation.by_session and operation.method != "GET"
    assert ("X-Requested-With" in parameters) == changes_by_session
    assert "traceparent" in parameters
    assert {"405", "500"} <= set(description["responses"])
    for status, response in description["responses"].items():
        assert "X-Correlation-Id" in response["headers"]
        assert ("Retry-After" in response["headers"]) == (
            status in ("202", "429") or (status == "503" and operation.callers != "everybody")
        )
        assert ("Location" in response["headers"]) == (status == "202")
    if operation.callers != "everybody":
        assert {"401", "403", "422", "429", "503"} <= set(description["responses"])
    schemes = {
        "administrators": ["adminSecret", "bearer", *["session"] * operation.by_session],
        "persons": ["ownBearer"],
        "everybody": [],
    }
    assert description["security"] == [{name: []} for name in schemes[operation.callers]]


def test_the_document_needs_no_secret_and_is_not_sent_again_if_unchanged(app: App) -> None:
    with httpx.Client(base_url=app.client.base_url, trust_env=False) as client:
        served = client.get("/api/openapi.json")
        assert served.json() == document(api.routes)
        for known in (served.headers["ETag"], f'"other", W/{served.headers["ETag"]}', "*"):
            again = client.get("/api/openapi.json", headers={"If-None-Match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["ETag"] == served.headers["ETag"]
        assert client.get("/api/openapi.json", headers={"If-None-Match": '"other"'}).status_code == 200
