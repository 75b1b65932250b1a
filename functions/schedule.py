"""The timer: the nightly run, in place of a CronJob."""

import logging

import azure.durable_functions as df
import azure.functions as func

from functions.runs import RunActive, start_run
from functions.services import services
from stores.records import Trigger

blueprint = df.Blueprint()
_log = logging.getLogger(__name__)


@blueprint.timer_trigger(arg_name="timer", schedule="%ANALYSIS_SCHEDULE%", run_on_startup=False)
@blueprint.durable_client_input(client_name="client")
def nightly_analysis(timer: func.TimerRequest, client: df.SyncDurableFunctionsClient) -> None:
    """Start the nightly run over all users. One that is under way already does tonight's work."""
    if timer.past_due:
        _log.warning("The timer fires late")
    try:
        start_run(services(), client, Trigger(source="timer", actor="nightly_analysis"))
    except RunActive as active:
        _log.warning("The timer started no run: one is active (run_id=%s)", active.run_id)
