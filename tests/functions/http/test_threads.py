"""Azure's worker calls functions directly on the threads of a pool: state left by one call would reach the next."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import free_port

ROOT = Path(__file__).parent.parent.parent.parent
SECRET = "secret-of-threads"

# One thread, without a copy of its context, does all calls in order.
CALLS = """
import contextvars, json, sys
from concurrent.futures import ThreadPoolExecutor
import azure.functions as func
import function_app
from functions.access.administrators import Admin
from functions.http.endpoint import Api, json_response
from functions.services import Worker

app = {function.get_function_name(): function.get_user_function() for function in function_app.app.get_functions()}
api = Api()

@api.route("GET", "private_actor")
def private_actor(admin: Admin) -> func.HttpResponse:
    return json_response(admin.actor)

@api.route("GET", "public_actor", callers="everybody")
def public_actor() -> func.HttpResponse:
    return json_response(None)

@api.route("GET", "fails")
def fails(admin: Admin) -> func.HttpResponse:
    raise RuntimeError("unforeseen")

declared = api.blueprint._function_builders
app |= {builder._function.get_user_function().__name__: builder._function.get_user_function() for builder in declared}
admin = {"X-Admin-Secret": sys.argv[1], "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
run = {"run_id": "run_20260102_010000_0a1b"}
ENGINE = '{"taskHubName": "Test", "rpcBaseUrl": "http://127.0.0.1:1"}'

def left():
    return {variable.name: repr(value) for variable, value in contextvars.copy_context().items()}

def request(name, method, headers=admin, **path):
    sent = func.HttpRequest(method, "/", headers=headers, route_params=path, body=b"")
    client = {"client": ENGINE} if name in ("trigger_analysis", "cancel_analysis") else {}
    answer = app[name](req=sent, context=None, **client)
    has_actor = name.endswith("_actor") and answer.status_code == 200
    return [answer.status_code, json.loads(answer.get_body()) if has_actor else None]

def failed(name, **arguments):
    try:
        app[name](**arguments, context=None)
    except Exception as error:
        return type(error).__name__

calls = {
    "an administrator": lambda: request("private_actor", "GET"),
    "public after an administrator": lambda: request("public_actor", "GET", {}),
    "a failure": lambda: request("fails", "GET"),
    "public after a failure": lambda: request("public_actor", "GET", {}),
    "a stranger": lambda: request("private_actor", "GET", {}),
    "a list": lambda: request("list_analysis_runs", "GET"),
    "no run": lambda: request("get_analysis_status", "GET", **run),
    "a change": lambda: request("cancel_analysis", "POST", **run),
    "a change that is refused": lambda: request("trigger_analysis", "POST", {**admin, "Transfer-Encoding": "chunked"}),
    "another method": lambda: request("list_analysis_runs", "POST"),
    "a step": lambda: failed("finish_run", message=run),
    "a step that fails": lambda: failed("analyze_page", message=run),
    "a timer": lambda: failed("watchdog", timer=None, client=ENGINE),
}
with ThreadPoolExecutor(1) as pool:
    do = lambda call: pool.submit(call).result()
    print(json.dumps([do(left), {name: [do(call), do(left)] for name, call in calls.items()}]))
"""


@pytest.fixture(params=["without a listener", "with a listener"])
def called(request: pytest.FixtureRequest, mongodb_url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    listening = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    done = subprocess.run(
        [sys.executable, "-c", CALLS, SECRET],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "MONGODB_URL": mongodb_url,
            "ADMIN_SECRET": SECRET,
            "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        }
        | (listening if request.param == "with a listener" else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, calls = json.loads(done.stdout)
    return before, calls


def test_no_call_leaves_state_for_the_next_one_on_its_thread(called: tuple[dict[str, Any], dict[str, Any]]) -> None:
    before, calls = called
    assert {name: answer for name, (answer, _) in calls.items()} == {
        "an administrator": [200, "admin-secret"],
        "public after an administrator": [200, None],
        "a failure": [500, None],
        "public after a failure": [200, None],
        "a stranger": [401, None],
        "a list": [200, None],
        "no run": [404, None],
        "a change": [404, None],
        "a change that is refused": [411, None],
        "another method": [405, None],
        "a step": None,
        "a step that fails": "ValidationError",
        "a timer": "EngineUnavailable",
    }
    assert {name: left for name, (_, left) in calls.items() if left != before} == {}
