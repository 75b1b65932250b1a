"""The real orchestration with steps that do nothing: the remaining cost is that of engine, bridge and messages."""

import azure.durable_functions as df
import azure.functions as func
import msgspec

from functions import orchestration
from records import BatchResult, Plan

# The steps of 10,000 users in pages of 200, over 500 symbols in batches of 100.
PLAN = Plan("plan", symbols=500, symbol_batches=5, pages=50)

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(orchestration.blueprint)


@app.activity_trigger(input_name="message")
def plan_run(message: object) -> object:  # noqa: ARG001 - the host binds it; also for the others
    """Plan nothing."""
    return msgspec.to_builtins(PLAN)


@app.activity_trigger(input_name="message")
def read_page(message: object) -> object:  # noqa: ARG001
    """Read nothing."""
    return msgspec.to_builtins(BatchResult())


@app.activity_trigger(input_name="message")
def collect_symbols(message: object) -> object:  # noqa: ARG001
    """Collect nothing."""
    return msgspec.to_builtins(PLAN)


@app.activity_trigger(input_name="message")
def load_prices(message: object) -> object:  # noqa: ARG001
    """Load nothing."""
    return msgspec.to_builtins(BatchResult())


@app.activity_trigger(input_name="message")
def research_symbols(message: object) -> object:  # noqa: ARG001
    """Research nothing."""
    return msgspec.to_builtins(BatchResult())


@app.activity_trigger(input_name="message")
def analyze_page(message: object) -> object:  # noqa: ARG001
    """Analyze nothing."""
    return msgspec.to_builtins(BatchResult())


@app.activity_trigger(input_name="message")
def finish_run(message: object) -> str:  # noqa: ARG001
    """Finish nothing."""
    return "completed"


@app.route("run", methods=["POST"])
@app.durable_client_input(client_name="client")
def run(req: func.HttpRequest, client: df.SyncDurableFunctionsClient) -> func.HttpResponse:  # noqa: ARG001
    """Run to the end, then answer."""
    instance_id = client.schedule_new_orchestration("portfolio_analysis")
    state = client.wait_for_orchestration_completion(instance_id, timeout=60)
    return func.HttpResponse(str(state and state.runtime_status.name))
