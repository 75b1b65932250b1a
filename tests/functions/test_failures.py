"""The failure of a step in the run record: named, readable and not too long, in every form used by the host."""

import inspect
import json
import traceback
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure_functions_runtime.utils.tracing import serialize_exception
from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.task import OrchestrationContext, TaskFailedError
from durabletask.testing import InMemoryOrchestrationBackend
from durabletask.worker import TaskHubGrpcWorker
from google.protobuf import json_format
from google.protobuf.wrappers_pb2 import StringValue

from functions import timers
from functions.activities import _step
from functions.messages import sendable
from functions.orchestration import _failure
from records import Failure
from tests.faulty_engines import served

HISTORIES = Path(__file__).parent / "histories"
HOST = "Microsoft.Azure.WebJobs.Host."
LONE = "\udcff"


class Boom(Exception):
    pass


def details(*causes: tuple[str, str]) -> pb.TaskFailureDetails:
    """Return a failure as reported by an engine, the outermost cause first."""
    failure = pb.TaskFailureDetails(errorType=causes[0][0], errorMessage=causes[0][1])
    if causes[1:]:
        failure.innerFailure.CopyFrom(details(*causes[1:]))
    return failure


def failure_of(*causes: tuple[str, str]) -> Failure:
    return _failure(TaskFailedError("", details(*causes)))


def test_the_death_of_a_worker_has_a_readable_name_in_the_form_of_the_durable_extension() -> None:
    recorded = (HISTORIES / "azure_storage-1.0" / "retried_run.json").read_text()
    request = json_format.Parse(recorded, pb.OrchestratorRequest())
    failed = [event.taskFailed for event in request.pastEvents if event.HasField("taskFailed")]
    assert len(failed) == 3
    for event in failed:
        failure = _failure(TaskFailedError("", event.failureDetails))
        assert failure.error_type == "worker_died"
        assert "exited with code -9" in failure.error


@pytest.mark.parametrize(
    ("causes", "error_type", "in_text"),
    [
        # In the form of the Functions host: the last lines of the process are a separate cause.
        (
            [
                (f"{HOST}FunctionInvocationException", "Exception while executing function: Functions.analyze_page"),
                ("Microsoft.Azure.WebJobs.Script.Workers.WorkerProcessExitException", "python exited with code 137"),
                ("System.Exception", ""),
            ],
            "worker_died",
            "python exited with code 137",
        ),
        ([(f"{HOST}FunctionInvocationException", "Exception while executing function")], "worker_died", "while exec"),
        ([("WorkerProcessExitException", "worker process 7 exited with code -9")], "worker_died", "process 7"),
        ([(f"{HOST}FunctionTimeoutException", "Timeout value of 00:10:00 exceeded")], "step_timed_out", "00:10:00"),
        (
            [
                (f"{HOST}FunctionInvocationException", "Exception while executing function"),
                (f"{HOST}FunctionTimeoutException", "Timeout value of 00:10:00 exceeded"),
            ],
            "step_timed_out",
            "00:10:00",
        ),
        ([("", "")], "step_missing", "gives no reason"),
        ([("", ""), ("", "")], "step_missing", "gives no reason"),
        ([("", "only a text")], "step_failed", "only a text"),
        ([("", " \n ")], "step_missing", "gives no reason"),
        ([("AutoReconnect", "")], "AutoReconnect", "AutoReconnect"),
        ([("LookupError", "no such price"), ("", "")], "LookupError", "no such price"),
        ([("LookupError", "no such price"), ("System.Exception", "")], "LookupError", "no such price"),
        ([(f"{HOST}FunctionInvocationException", "x"), ("AutoReconnect", "")], "AutoReconnect", "AutoReconnect"),
        ([("builtins.Exception", "outer"), ("ProviderUnavailable", "it is away")], "ProviderUnavailable", "it is away"),
        ([(f"{HOST}FunctionInvocationException", "x"), ("FormatException", "no JSON")], "FormatException", "no JSON"),
    ],
)  # fmt: skip
def test_the_innermost_cause_is_recorded_and_never_an_empty_text(
    causes: list[tuple[str, str]], error_type: str, in_text: str
) -> None:
    failure = failure_of(*causes)
    assert failure.error_type == error_type
    assert in_text in failure.error


def test_a_text_is_cut_to_what_the_record_shows() -> None:
    for error_type in ("Boom", "WorkerProcessExitException", f"{HOST}FunctionTimeoutException"):
        assert len(failure_of((error_type, "x" * 10_000)).error) == 500


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except Exception as caught:  # noqa: BLE001 - with its traceback
        return caught


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (Boom("all is well"), "all is well"),
        (Boom(f"user {LONE} is odd"), "user ? is odd"),
        (Boom("x" * 10_000), "x" * 2_000),
        (raised(Boom("outer"), Boom(f"{LONE} within")), "outer"),
        (raised(Boom("outer"), Boom("y" * 100_000)), "outer"),
    ],
)  # fmt: skip
def test_an_error_keeps_its_name_and_can_be_serialized_by_the_hosts_worker(error: Exception, text: str) -> None:
    protos = SimpleNamespace(RpcException=_rpc_exception)
    sent = serialize_exception(sendable(error), protos)
    assert sent.errorMessage == f"{type(error).__name__}: {text}"
    assert len(sent.stackTrace.value) <= 20_000


def _rpc_exception(message: str, stack_trace: str) -> pb.TaskFailureDetails:
    """Return both texts in protobuf, as in the host's message."""
    return pb.TaskFailureDetails(errorMessage=message, stackTrace=StringValue(value=stack_trace))


def test_an_error_that_can_be_serialized_is_not_changed() -> None:
    error = raised(Boom("all is well"), Boom("within"))
    assert sendable(error) is error


def test_an_error_that_is_replaced_keeps_its_location() -> None:
    error = raised(Boom(LONE))
    assert "in raised" in "".join(traceback.format_exception(sendable(error)))


@pytest.mark.parametrize("within", [False, True])
def test_a_step_whose_error_has_a_lone_surrogate_fails_by_name_and_the_engine_does_not_wait_forever(
    *, within: bool
) -> None:
    def odd(_: object, message: dict[str, Any]) -> None:
        with _step("odd", message, None):
            if within:
                raise Boom("outer") from Boom(f"{LONE} within")
            raise Boom(f"user {LONE} is odd")

    def carry(context: OrchestrationContext, _: object) -> Any:  # noqa: ANN401 - a generator, as the SDK takes it
        try:
            yield context.call_activity(odd, input={"run_id": "run"})
        except TaskFailedError as error:
            failure = _failure(error)
            return [failure.error_type, failure.error]

    with served(InMemoryOrchestrationBackend()) as client, TaskHubGrpcWorker(host_address=client.rpcBaseUrl) as worker:
        worker.add_orchestrator(carry)
        worker.add_activity(odd)
        worker.start()  # type: ignore[no-untyped-call] # the SDK's
        run = client.schedule_new_orchestration(carry)
        state = client.wait_for_orchestration_completion(run, timeout=10)
    assert state is not None
    name, text = json.loads(state.serialized_output or "")
    assert name.endswith("Boom")
    assert text == ("outer" if within else "user ? is odd")


@pytest.mark.parametrize("function", [timers.nightly_analysis, timers.watchdog])
def test_an_error_that_leaves_a_timer_can_be_sent(
    function: Any,  # noqa: ANN401 - as the SDK decorates it
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise Boom("\ud800")

    monkeypatch.setattr("functions.timers.worker", fails)
    call = inspect.unwrap(function._function.get_user_function())  # noqa: SLF001 - as the SDK keeps it
    client = SimpleNamespace(rpcBaseUrl="", taskHubName="", maxGrpcMessageSizeInBytes=0)
    with pytest.raises(Exception, match=r"^\?$") as caught:
        call(SimpleNamespace(past_due=False, schedule_status={}), client, None)
    assert type(caught.value).__name__ == "Boom"
