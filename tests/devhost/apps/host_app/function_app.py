"""A function app for the tests of the local host: one function for each feature of the host."""

import atexit
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Generator
from contextvars import ContextVar
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import grpc
from azure.functions.timer import TimerRequest
from durabletask.client import OrchestrationState
from durabletask.task import FailureDetails, OrchestrationContext, TaskFailedError, when_all

type Steps = Generator[Any, Any, Any]

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
NOTES = Path(os.environ["NOTES_DIR"])
RETRY = df.RetryPolicy(first_retry_interval=timedelta(milliseconds=50), max_number_of_attempts=3)


def note(name: str, line: object) -> None:
    with (NOTES / name).open("a") as file:
        file.write(f"{line}\n")


atexit.register(note, "closed", os.getpid())


def count(name: str) -> int:
    return len((NOTES / name).read_text().splitlines())


def json_response(value: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(value), mimetype="application/json")


@app.route("echo/{first}/{second}", methods=["GET", "POST", "PUT"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return json_response(
        {
            "method": req.method,
            "url": req.url,
            "headers": dict(req.headers),
            "params": dict(req.params),
            "route_params": dict(req.route_params),
            "body": req.get_body().hex(),
        }
    )


@app.route("echo/{first}/fixed", methods=["GET"])
async def fixed(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"fixed after {req.route_params['first']}")


@app.route("answer", methods=["GET"])
async def answer(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse(b"\x00\xff", status_code=HTTPStatus.IM_A_TEAPOT, mimetype="image/x-pot")
    response.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly")
    response.headers.add("Set-Cookie", "b=2; Secure")
    response.headers.add("X-Query", req.params.get("q", "-"))
    return response


@app.route("text")
def text(req: func.HttpRequest, context: func.Context) -> str:
    return f"{context.function_name} by {req.method}"


@app.route("nothing", methods=["GET"])
def nothing(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - a trigger must have a parameter
    return func.HttpResponse(status_code=HTTPStatus.NO_CONTENT)


@app.route("raise", methods=["GET"])
def raises(req: func.HttpRequest) -> str:
    raise ValueError(f"secret of {req.method}\nsecond line")


@app.route("log", methods=["GET"])
def logs(req: func.HttpRequest) -> str:
    logging.getLogger("app").info("a line of %s", req.method)
    logging.getLogger("azure.core").info("a line of a library")
    logging.getLogger("azure.functions").info("a line of the worker library")
    print("printed by a function")  # noqa: T201 - its destination is under test
    return "logged"


@app.route("log-async", methods=["GET"])
async def logs_async(req: func.HttpRequest) -> str:  # noqa: ARG001 - a trigger must have a parameter
    logging.getLogger("app").warning("a line of a coroutine")
    return "logged"


@app.route("log-late", methods=["GET"])
def logs_late(req: func.HttpRequest) -> str:  # noqa: ARG001 - a trigger must have a parameter
    def late() -> None:
        logging.getLogger("app").error("a late line")
        note("late", "logged")

    threading.Timer(0.05, late).start()
    return "answered"


@app.route("log-error", methods=["GET"])
def logs_error(req: func.HttpRequest) -> str:  # noqa: ARG001 - a trigger must have a parameter
    try:
        return str(1 // 0)
    except ZeroDivisionError:
        logging.getLogger("app").exception("could not divide")
        return "logged"


remembered: ContextVar[str] = ContextVar("remembered", default="nothing")


@app.route("remember/{what}", methods=["GET"])
def remembers(req: func.HttpRequest) -> str:
    before = remembered.get()
    remembered.set(req.route_params["what"])
    return before


@app.route("search-order", methods=["GET"])
def search_order(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - a trigger must have a parameter
    return json_response(sys.path)


@app.route("pid", methods=["GET"])
def pid(req: func.HttpRequest) -> str:  # noqa: ARG001 - a trigger must have a parameter
    return str(os.getpid())


@app.route("sleep", methods=["GET"])
def sleeps(req: func.HttpRequest) -> str:
    note("sleep", os.getpid())
    time.sleep(float(req.params["seconds"]))
    return "slept"


@app.route("runs/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start_run(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    run_id = await client.schedule_new_orchestration(req.route_params["name"], input=req.get_json())
    return func.HttpResponse(run_id, status_code=HTTPStatus.ACCEPTED)


@app.route("runs/{run_id}", methods=["GET"])
@app.durable_client_input(client_name="client")
async def run_status(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    try:
        state = await client.wait_for_orchestration_completion(req.route_params["run_id"], timeout=2)
    except TimeoutError:
        return func.HttpResponse("it is running", status_code=HTTPStatus.ACCEPTED)
    assert state is not None
    failure = failure_document(state.failure_details)
    return json_response({"status": state.runtime_status.name, "output": value_of(state), "failure": failure})


def value_of(state: OrchestrationState) -> object:
    """Return the output, which is plain text if the orchestration failed."""
    try:
        return json.loads(state.serialized_output or "null")
    except ValueError:
        return state.serialized_output


@app.route("hub", methods=["GET"])
@app.durable_client_input(client_name="client")
async def hub(req: func.HttpRequest, client: df.DurableFunctionsClient) -> str:  # noqa: ARG001 - a trigger must have a parameter
    return client.taskHubName


@app.route("runs/{run_id}/{verb}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def manage(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    verb = client.terminate_orchestration if req.route_params["verb"] == "terminate" else client.purge_orchestration
    try:
        await verb(req.route_params["run_id"])
    except grpc.RpcError as error:
        return json_response(error.code().name)
    return json_response("OK")


def failure_document(failure: FailureDetails | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {
        "error_type": failure.error_type,
        "message": failure.message,
        "inner": failure_document(failure.inner_failure),
    }


@app.orchestration_trigger(context_name="context")
def fan_out(context: OrchestrationContext, width: int) -> Steps:
    numbers = yield when_all([context.call_activity("double", input=number) for number in range(width)])
    return sum(numbers)


@app.activity_trigger(input_name="number")
def double(number: int) -> int:
    return 2 * number


@app.orchestration_trigger(context_name="context")
def calls(context: OrchestrationContext, request: dict[str, Any]) -> Steps:
    policy = RETRY if request["retry"] else None
    try:
        result = yield context.call_activity(request["activity"], input=request["input"], retry_policy=policy)
    except TaskFailedError as failure:
        return failure_document(failure.details)
    return result


@app.orchestration_trigger(context_name="context")
def calls_another(context: OrchestrationContext, name: str) -> Steps:
    try:
        yield context.call_sub_orchestrator(name, input="")
    except TaskFailedError as failure:
        return failure_document(failure.details)


@app.orchestration_trigger(context_name="context")
def fails_itself(context: OrchestrationContext, _unused: str) -> Steps:
    yield context.call_activity("double", input=1)
    raise ValueError("first line\nsecond line") from KeyError("cause")


@app.orchestration_trigger(context_name="context")
def fails_by_its_activity(context: OrchestrationContext, _unused: str) -> Steps:
    yield context.call_activity("fails_with_two_lines", input="")


@app.orchestration_trigger(context_name="context")
def fails_in_another(context: OrchestrationContext, _unused: str) -> Steps:
    yield context.call_sub_orchestrator("fails_itself", input="")


@app.orchestration_trigger(context_name="context")
def waits_forever(context: OrchestrationContext, _unused: str) -> Steps:
    yield context.wait_for_external_event("never")


@app.orchestration_trigger(context_name="context")
def sets_status(context: OrchestrationContext, status: str) -> Steps:
    context.set_custom_status(status)
    yield context.call_activity("double", input=1)
    return len(status)


@app.orchestration_trigger(context_name="context")
def sleeps_a_little(context: OrchestrationContext, seconds: float) -> Steps:
    due = context.current_utc_datetime + timedelta(seconds=seconds)
    yield context.create_timer(due)
    return (context.current_utc_datetime - due).total_seconds()


@app.orchestration_trigger(context_name="context")
def begins_again(context: OrchestrationContext, first: bool) -> Steps:
    if first:
        context.create_timer(timedelta(seconds=2))
        yield context.call_activity("double", input=1)
        context.continue_as_new(False)
    else:
        yield context.call_activity("occupies", input=4)
    return "the next one"


@app.activity_trigger(input_name="outcome")
def fails_twice(outcome: str) -> str:
    note("attempts", outcome)
    if count("attempts") < 3:
        raise LookupError(f"{outcome} is not there yet\nsecond line")
    return outcome


@app.activity_trigger(input_name="_unused")
def fails(_unused: str) -> None:
    raise LookupError


@app.activity_trigger(input_name="_unused")
def fails_with_two_lines(_unused: str) -> None:
    raise LookupError("first line\nsecond line")


@app.activity_trigger(input_name="_unused")
def fails_for_a_cause(_unused: str) -> None:
    raise LookupError("not there") from KeyError("cause")


@app.activity_trigger(input_name="_unused")
def fails_unserializably(_unused: str) -> None:
    raise ValueError("a lone surrogate: \udc80")


@app.activity_trigger(input_name="_unused")
def dies(_unused: str) -> None:
    os._exit(9)


@app.activity_trigger(input_name="_unused", activity="other_name")
async def has_another_name(_unused: str) -> str:
    return "found"


@app.activity_trigger(input_name="name")
def slow_at_first(name: str) -> str:
    note(name, os.getpid())
    time.sleep(60 if count(name) == 1 else 0)
    return f"attempt {count(name)}"


@app.activity_trigger(input_name="seconds")
def occupies(seconds: float) -> None:
    started = time.monotonic()
    time.sleep(seconds)
    note("occupied", f"{started} {time.monotonic()}")


@app.orchestration_trigger(context_name="context")
def occupy_often(context: OrchestrationContext, times: int) -> Steps:
    yield when_all([context.call_activity("occupies", input=0.1) for _ in range(times)])


@app.orchestration_trigger(context_name="context")
def dies_while_orchestrating(context: OrchestrationContext, number: int) -> Steps:
    first = yield context.call_activity("double", input=number)
    note("orchestrating", os.getpid())
    if count("orchestrating") == 1:
        time.sleep(30)
    second = yield context.call_activity("double", input=first)
    return second


@app.timer_trigger(arg_name="timer", schedule="%TICK_SCHEDULE%")
def tick(timer: TimerRequest) -> None:
    note("ticks", json.dumps({"past_due": timer.past_due, **timer.schedule_status}))
    if os.environ.get("TICK_SECONDS"):
        time.sleep(float(os.environ["TICK_SECONDS"]))


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
async def yearly(timer: TimerRequest) -> None:
    note("yearly", timer.past_due)
