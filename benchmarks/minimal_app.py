"""The smallest app with the two SDKs: one function of each kind that ours has."""

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from durabletask.task import OrchestrationContext

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("hello")
def hello(req: func.HttpRequest) -> str:
    """Answer a request."""
    return str(req.method)


@app.timer_trigger(arg_name="timer", schedule="0 0 1 * * *")
def tick(timer: func.TimerRequest) -> None:
    """Do nothing at one in the morning."""


@app.orchestration_trigger(context_name="context")
def orchestrate(context: OrchestrationContext, _: None) -> Generator[Any, Any, str]:
    """Call the one activity."""
    result: str = yield context.call_activity("work", input="nothing")
    return result


@app.activity_trigger(input_name="message")
def work(message: str) -> str:
    """Return the message."""
    return message
