"""The Durable SDK's log lines of each step do not appear in the app's log, however the worker's logging is set up."""

from tests.test_function_app import run_code

# Each in a separate process that indexes the app like a worker: the first step of a recorded run, with everything
# from INFO passed on by the root logger.
STEP = """
import asyncio, base64, logging, sys
import function_app
from tests.functions.test_replay import RECORDED, history_of, steps
{before}
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s: %(message)s", force=True)
named = {{function.get_function_name(): function for function in function_app.app.get_functions()}}
orchestrate = named["portfolio_analysis"].get_user_function()
(recorded,) = [file for file in RECORDED if (file.parent.name, file.stem) == ("1.0", "run")]
request, _ = next(steps(history_of(recorded)))
asyncio.run(orchestrate(base64.b64encode(request.SerializeToString()).decode()))
logging.getLogger("azure.durable_functions.worker").warning("a real warning")
"""


def lines(before: str = "") -> list[str]:
    done = run_code(
        STEP.format(before=before), MONGODB_URL="mongodb://localhost", AZURE_FUNCTIONS_ENVIRONMENT="Development"
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("azure.durable_functions")]


def test_a_step_of_an_orchestration_logs_no_lines_of_the_sdk_except_warnings() -> None:
    assert lines() == ["azure.durable_functions.worker: a real warning"]


def test_without_the_apps_setup_each_step_would_log_a_line() -> None:
    reset = 'logging.getLogger("azure.durable_functions").setLevel(logging.NOTSET)'
    assert any("yielded with" in line for line in lines(reset))
